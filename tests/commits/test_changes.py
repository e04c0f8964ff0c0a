"""Tests of what is read of one commit."""

from __future__ import annotations

import random
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pygit2
import pytest
from pygit2.enums import FileMode, ObjectType
from raw_commits import (
    Content,
    empty_repository,
    loose_file,
    only,
    raw_object,
    raw_tree,
    remove,
    write_commit,
    write_tree,
)
from support import git, make_repository

from seed_platform.commits import trees
from seed_platform.commits.changes import CommitLimits, CommitRecord, read_commit
from seed_platform.sources.base import Rejection

LIMITS = CommitLimits(max_patch_bytes=1 << 20, max_commit_paths=1000)
LINES = b"".join(b"line %d\n" % number for number in range(30))
SUBMODULE = bytes(range(20))


@pytest.fixture
def repository(tmp_path: Path) -> pygit2.Repository:
    return empty_repository(tmp_path / "repository")


def read(repository: pygit2.Repository, sha: str, limits: CommitLimits = LIMITS) -> CommitRecord:
    record = read_commit(repository, sha, limits)
    assert isinstance(record, CommitRecord)
    return record


def changed(
    repository: pygit2.Repository,
    before: dict[bytes, Content],
    after: dict[bytes, Content],
    limits: CommitLimits = LIMITS,
) -> CommitRecord:
    """The record of a commit that turns `before` into `after`."""
    return read(repository, write_commit(repository, after, write_commit(repository, before)), limits)


def test_a_root_commit_adds_all_its_files(repository: pygit2.Repository):
    sha = write_commit(repository, {b"b": b"two\n", b"a/x": b"one\n"})
    record = read(repository, sha)
    assert (record.sha, record.parents, record.merge, record.parent_tree) == (sha, (), False, None)
    assert [(change.path, change.kind, change.added, change.new_bytes) for change in record.changes] == [
        ("a/x", "add", 1, 4),
        ("b", "add", 1, 4),
    ]
    assert record.patch == (
        "diff --git a/a/x b/a/x\nnew file mode 100644\n--- /dev/null\n+++ b/a/x\n@@ -0,0 +1 @@\n+one\n"
        "diff --git a/b b/b\nnew file mode 100644\n--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+two\n"
    )


def test_a_record_names_trees_and_contents(repository: pygit2.Repository):
    before, after = write_tree(repository, {b"a": b"1\n"}), write_tree(repository, {b"a": b"2\n3\n"})
    record = read(repository, write_commit(repository, after, write_commit(repository, before)))
    change = only(record.changes)
    assert (record.tree, record.parent_tree) == (after.hex(), before.hex())
    assert (change.kind, change.added, change.deleted, change.old_mode, change.new_mode) == (
        "modify", 2, 1, 0o100644, 0o100644,
    )  # fmt: skip
    assert repository[change.old_blob or ""].data == b"1\n"
    assert repository[change.new_blob or ""].data == b"2\n3\n"
    assert (change.old_bytes, change.new_bytes) == (2, 4)


def test_the_id_may_be_given_in_bytes(repository: pygit2.Repository):
    sha = write_commit(repository, {b"a": b"1\n"})
    assert read_commit(repository, bytes.fromhex(sha), LIMITS) == read(repository, sha)


def test_a_commit_without_changes_has_an_empty_patch(repository: pygit2.Repository):
    record = changed(repository, {b"a": b"1\n"}, {b"a": b"1\n"})
    assert (record.changes, record.changed_paths, record.patch, record.omitted) == ((), 0, "", None)


@pytest.mark.parametrize("parents", [2, 5])
def test_merges_are_not_compared(repository: pygit2.Repository, parents: int):
    arms = [write_commit(repository, {b"a": b"%d" % arm}) for arm in range(parents)]
    record = read(repository, write_commit(repository, {b"a": b"x"}, *arms))
    assert (record.merge, record.parents, record.omitted) == (True, tuple(arms), "merge")
    assert (record.patch, record.changes) == (None, ())
    assert record.parent_tree == write_tree(repository, {b"a": b"0"}).hex()


def test_a_rename_with_changes_is_one_change(repository: pygit2.Repository):
    record = changed(repository, {b"old name": LINES}, {b"new": LINES.replace(b"line 3\n", b"line three\n")})
    change = only(record.changes)
    assert (change.kind, change.old_path, change.path, change.added, change.deleted, record.changed_paths) == (
        "rename", "old name", "new", 1, 1, 1,
    )  # fmt: skip
    assert record.patch is not None
    assert record.patch.startswith(
        "diff --git a/old name b/new\nrename from old name\nrename to new\n"
        "--- a/old name\t\n+++ b/new\n@@ -1,7 +1,7 @@\n"
    )


def test_a_rename_alone_has_no_lines(repository: pygit2.Repository):
    record = changed(repository, {b"a/x": LINES}, {b"b/x": (FileMode.BLOB_EXECUTABLE, LINES)})
    assert record.patch == (
        "diff --git a/a/x b/b/x\nold mode 100644\nnew mode 100755\nrename from a/x\nrename to b/x\n"
    )


def test_a_change_of_mode_alone_is_named_so(repository: pygit2.Repository):
    record = changed(repository, {b"a": b"1\n"}, {b"a": (FileMode.BLOB_EXECUTABLE, b"1\n")})
    change = only(record.changes)
    assert (change.kind, change.old_mode, change.new_mode) == ("mode", 0o100644, 0o100755)
    assert record.patch == "diff --git a/a b/a\nold mode 100644\nnew mode 100755\n"


def test_modes_as_early_git_wrote_them_are_no_change(repository: pygit2.Repository):
    blob, below = repository.create_blob(b"1\n").raw, raw_tree(repository, [])
    old = raw_tree(repository, [(0o100664, b"a", blob), (0o40000, b"t", below)])
    new = raw_object(repository, ObjectType.TREE, b"100644 a\0" + blob + b"040000 t\0" + below)
    record = read(repository, write_commit(repository, bytes.fromhex(new), write_commit(repository, old)))
    assert (record.changes, record.patch) == ((), "")


def test_a_file_that_becomes_a_link_is_deleted_and_added_in_the_patch(repository: pygit2.Repository):
    record = changed(repository, {b"a": b"1\n"}, {b"a": (FileMode.LINK, b"b")})
    change = only(record.changes)
    assert (change.kind, change.added, change.deleted) == ("type", 1, 1)
    assert record.patch == (
        "diff --git a/a b/a\ndeleted file mode 100644\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-1\n"
        "diff --git a/a b/a\nnew file mode 120000\n--- /dev/null\n+++ b/a\n@@ -0,0 +1 @@\n+b\n"
        "\\ No newline at end of file\n"
    )


def test_a_file_that_becomes_a_folder_is_a_deletion_and_additions(repository: pygit2.Repository):
    record = changed(repository, {b"a": b"1\n", b"a.c": b"2\n"}, {b"a/b": b"3\n", b"a.c": b"2\n"})
    assert [(change.path, change.kind) for change in record.changes] == [("a", "delete"), ("a/b", "add")]


def test_a_submodule_is_shown_by_its_commits(repository: pygit2.Repository):
    other = SUBMODULE[::-1]
    record = changed(repository, {b"m": (FileMode.COMMIT, SUBMODULE)}, {b"m": (FileMode.COMMIT, other)})
    change = only(record.changes)
    assert (change.kind, change.old_blob, change.new_bytes) == ("submodule", SUBMODULE.hex(), 0)
    assert record.patch == (
        f"diff --git a/m b/m\n--- a/m\n+++ b/m\n@@ -1 +1 @@\n-Subproject commit {SUBMODULE.hex()}\n"
        f"+Subproject commit {other.hex()}\n"
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"1\r\n2\r\n", "+1\r\n+2\r\n"),
        (b"1\n2", "+1\n+2\n\\ No newline at end of file\n"),
        (b"\x0c1\x0b\xe2\x80\xa82\x1c\n", "+\x0c1\x0b\u20282\x1c\n"),
        ("Grüße 🌱\n".encode(), "+Grüße 🌱\n"),
        (b"@@ -1 +1 @@\n--- a\n", "+@@ -1 +1 @@\n+--- a\n"),
    ],
)
def test_lines_stay_as_they_are(repository: pygit2.Repository, content: bytes, told: str):
    record = changed(repository, {}, {b"a": content})
    assert record.patch is not None
    assert record.patch.endswith(told)


def test_an_empty_file_has_no_lines(repository: pygit2.Repository):
    record = changed(repository, {}, {b"a": b""})
    assert record.patch == "diff --git a/a b/a\nnew file mode 100644\n"


def test_a_binary_file_is_a_change_without_lines(repository: pygit2.Repository):
    record = changed(repository, {b"b": b"\0\1"}, {b"b": b"\0\2", b"c": b"text\n"})
    assert [(change.path, change.binary, change.added) for change in record.changes] == [
        ("b", True, 0),
        ("c", False, 1),
    ]
    assert record.patch is not None
    assert record.patch.startswith("diff --git a/b b/b\nBinary files a/b and b/b differ\ndiff --git a/c b/c\n")


@pytest.mark.parametrize(
    ("path", "header"),
    [
        (b"with space", "diff --git a/with space b/with space\n"),
        (b'say "hi"\\', 'diff --git "a/say \\"hi\\"\\\\" "b/say \\"hi\\"\\\\"\n'),
        (b"line\nbreak\tx\x01", 'diff --git "a/line\\nbreak\\tx\\001" "b/line\\nbreak\\tx\\001"\n'),
        ("größe".encode(), "diff --git a/größe b/größe\n"),
    ],
)
def test_odd_paths_are_quoted_as_git_quotes_them(repository: pygit2.Repository, path: bytes, header: str):
    record = changed(repository, {}, {path: b"1\n"})
    assert only(record.changes).path == path.decode()
    assert record.patch is not None
    assert record.patch.startswith(header)


def test_a_path_that_is_not_utf8_is_told_and_the_patch_omitted(repository: pygit2.Repository):
    record = changed(repository, {}, {b"caf\xe9": b"1\n", b"z": b"2\n"})
    assert [change.path for change in record.changes] == ["caf\\xe9", "z"]
    assert (record.patch, record.omitted) == (None, "not_utf8")


def test_content_that_is_not_utf8_keeps_its_numbers(repository: pygit2.Repository):
    record = changed(repository, {}, {b"a": b"caf\xe9\n"})
    assert (record.patch, record.omitted, only(record.changes).added) == (None, "not_utf8", 1)


def test_attributes_and_configuration_of_the_checkout_do_not_count(tmp_path: Path):
    plain = make_repository(tmp_path / "r", {"a.py": "1\n", ".gitattributes": "*.py -diff\n"})
    expected = read(pygit2.Repository(str(tmp_path / "r")), plain)
    for name in ("diff.noprefix", "diff.mnemonicPrefix", "core.ignorecase"):
        git(tmp_path / "r", "config", name, "true")
    git(tmp_path / "r", "config", "diff.renames", "copies")
    assert read(pygit2.Repository(str(tmp_path / "r")), plain) == expected
    assert not any(change.binary for change in expected.changes)


@pytest.mark.parametrize(
    ("headers", "message", "text", "encoding"),
    [
        (b"", "Grüße\n".encode(), "Grüße\n", "utf-8"),
        (b"encoding ISO-8859-1\n", b"Gr\xfc\xdfe\n", "Grüße\n", "iso8859-1"),
        (b"", b"Gr\xfc\xdfe\n", "Grüße\n", "latin-1"),
        (b"encoding Shift_JIS\n", "日本\n".encode("shift_jis"), "日本\n", "shift_jis"),
        (b"encoding UTF-8\n", b"Gr\xfc\xdfe\n", "Grüße\n", "latin-1"),
        (b"encoding klingon\n", b"x\n", "x\n", "utf-8"),
        (b"encoding zlib\n", b"x\n", "x\n", "utf-8"),
        (b"encoding unicode_escape\n", b"\\ud800\n", "\\ud800\n", "utf-8"),
        (b"encoding utf-7\n", b"+2AA-\n", "+2AA-\n", "utf-8"),
        (b"encoding \xff\n", b"x\n", "x\n", "utf-8"),
        (b"gpgsig -----BEGIN\n encoding latin-1\n -----END\n", "ü\n\nü".encode(), "ü\n\nü", "utf-8"),
        (b"", b"", "", "utf-8"),
    ],
)
def test_messages_are_decoded_as_declared_or_as_they_can(
    repository: pygit2.Repository, headers: bytes, message: bytes, text: str, encoding: str
):
    record = read(repository, write_commit(repository, {}, headers=headers, message=message))
    assert (record.message, record.message_encoding) == (text, encoding)


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"A <a@b> 0 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"A <a@b> 4102444800 -1200", datetime(2100, 1, 1, tzinfo=UTC)),
        (b"A <a@b> -86400 +0000", datetime(1969, 12, 31, tzinfo=UTC)),
        (b"A <a@b> 999999999999999 +0000", None),
        (b"A <a@b> 99999999999999999999999 +0000", None),
        (b"A <a@b>", None),
        (b"A <a@b> yesterday", None),
        (b"", None),
        (b"<<a@b>> 86400 +9999999", datetime(1970, 1, 2, tzinfo=UTC)),
    ],
)
def test_dates_are_those_of_the_calendar_or_none(repository: pygit2.Repository, line: bytes, moment: datetime | None):
    record = read(repository, write_commit(repository, {}, author=line, committer=line))
    assert (record.authored_at, record.committed_at) == (moment, moment)


def test_persons_are_hashes_and_bots_are_marked(repository: pygit2.Repository):
    robot = b"dependabot[bot] <1+dependabot[bot]@users.noreply.github.com> 1 +0000"
    sha = write_commit(repository, {}, author=robot)
    plain, keyed = read(repository, sha), read_commit(repository, sha, LIMITS, b"secret")
    assert plain.bot
    assert len(plain.author) == len(plain.committer) == 32
    assert plain.author != plain.committer
    assert isinstance(keyed, CommitRecord)
    assert keyed.author != plain.author
    assert not any(word in repr(plain) for word in ("dependabot", "a@b", "A B"))


def test_a_change_of_100_mb_is_refused_without_reading_it(repository: pygit2.Repository):
    blob = str(repository.create_blob(b"x\n" * 5_000_000))
    # What is left of the object says its size and no more.
    loose_file(repository, blob).chmod(0o644)
    loose_file(repository, blob).write_bytes(zlib.compress(b"blob 10000000\0")[:-5])
    repository = pygit2.Repository(repository.path)
    tree = raw_tree(repository, [(FileMode.BLOB, b"f%d" % number, bytes.fromhex(blob)) for number in range(10)])
    record = read(repository, write_commit(repository, tree, write_commit(repository, {})))
    assert (record.patch, record.omitted, record.changed_paths) == (None, "too_large", 10)
    assert {change.new_bytes for change in record.changes} == {10_000_000}


def test_large_files_may_move_since_only_their_names_are_read(repository: pygit2.Repository):
    limits = CommitLimits(max_patch_bytes=100, max_commit_paths=10)
    record = changed(
        repository, {b"a/x": LINES * 100, b"a/y": LINES * 99}, {b"b/x": LINES * 100, b"b/y": LINES * 99}, limits
    )
    assert [change.kind for change in record.changes] == ["rename", "rename"]
    assert record.omitted == "too_large"
    small = changed(repository, {b"a/x": LINES * 100}, {b"b/x": LINES * 100}, limits)
    assert (small.patch, small.omitted) == ("diff --git a/a/x b/b/x\nrename from a/x\nrename to b/x\n", None)


def test_a_patch_over_the_limit_is_omitted_and_its_lines_counted(repository: pygit2.Repository):
    record = changed(repository, {}, {b"a": LINES}, CommitLimits(max_patch_bytes=200, max_commit_paths=10))
    assert (record.patch, record.omitted, only(record.changes).added) == (None, "too_large", 30)


def test_of_100_000_paths_the_first_are_told_and_all_counted(repository: pygit2.Repository):
    blob = repository.create_blob(b"x\n").raw
    folder = raw_tree(repository, [(FileMode.BLOB, b"%04d" % number, blob) for number in range(1000)])
    tree = raw_tree(repository, [(FileMode.TREE, b"d%03d" % number, folder) for number in range(100)])
    record = read(repository, write_commit(repository, tree, write_commit(repository, {b"z": b"z"})))
    assert (record.changed_paths, len(record.changes), record.omitted) == (100_001, 1000, "too_many_paths")
    assert (record.changes[0].path, record.changes[-1].path) == ("d000/0000", "d000/0999")


def test_a_tree_that_stands_for_billions_of_files_is_given_up(repository: pygit2.Repository):
    blob = repository.create_blob(b"x\n").raw
    tree = raw_tree(repository, [(FileMode.BLOB, b"%04d" % number, blob) for number in range(1000)])
    for _ in range(12):
        tree = raw_tree(repository, [(FileMode.TREE, b"%d" % number, tree) for number in range(10)])
    record = read(repository, write_commit(repository, tree))
    assert (record.omitted, len(record.changes)) == ("too_many_paths", 1000)
    assert record.changed_paths > 200_000


def test_folders_of_nothing_but_folders_are_given_up_too(
    repository: pygit2.Repository, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(trees, "_MAX_ENTRIES", 1000)
    tree = raw_tree(repository, [])
    for _ in range(12):
        tree = raw_tree(repository, [(FileMode.TREE, b"%d" % number, tree) for number in range(10)])
    record = read(repository, write_commit(repository, tree))
    assert (record.omitted, record.changes) == ("too_many_paths", ())


def test_folders_deeper_than_any_path_are_given_up(repository: pygit2.Repository):
    tree = write_tree(repository, {b"x": b"x"})
    for _ in range(30):
        tree = raw_tree(repository, [(FileMode.TREE, b"d" * 200, tree)])
    assert read(repository, write_commit(repository, tree)).omitted == "too_many_paths"


def test_without_the_parent_there_is_no_comparison(repository: pygit2.Repository):
    parent = write_commit(repository, {b"a": b"1\n"})
    child = write_commit(repository, {b"a": b"2\n"}, parent)
    record = read(remove(repository, parent), child)
    assert (record.parents, record.parent_tree, record.omitted) == ((parent,), None, "missing_parent")
    assert (record.patch, record.changes) == (None, ())


def test_without_a_content_the_paths_are_told_and_the_patch_omitted(repository: pygit2.Repository):
    parent = write_commit(repository, {b"a": b"1\n", b"b": b"1\n"})
    child = write_commit(repository, {b"a": b"2\n", b"b": b"3333\n"}, parent)
    record = read(remove(repository, str(pygit2.hash(b"2\n"))), child)
    assert (record.patch, record.omitted) == (None, "missing_object")
    assert [(change.path, change.kind, change.new_bytes) for change in record.changes] == [
        ("a", "modify", 0),
        ("b", "modify", 5),
    ]


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_without_a_tree_nothing_is_known_of_the_paths(repository: pygit2.Repository, damage: bytes | None):
    tree = write_tree(repository, {b"d/a": b"1\n"})
    below = str(repository[pygit2.Oid(raw=tree)]["d"].id)
    sha = write_commit(repository, tree, write_commit(repository, {}))
    loose_file(repository, below).chmod(0o644)
    loose_file(repository, below).write_bytes(damage) if damage is not None else remove(repository, below)
    record = read(pygit2.Repository(repository.path), sha)
    assert (record.omitted, record.changes, record.changed_paths) == ("missing_object", (), 0)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 40, b"100644 a", b"100644 a\0short", b"9 a\0" + bytes(20), b"100644 a\0" + bytes(20) + b"rest"],
)
def test_a_tree_that_is_none_is_a_missing_object(repository: pygit2.Repository, data: bytes):
    tree = bytes.fromhex(raw_object(repository, ObjectType.TREE, data))
    assert read(repository, write_commit(repository, tree)).omitted == ("missing_object" if data else None)


def test_a_content_that_is_no_content_is_a_missing_object(repository: pygit2.Repository):
    tree = raw_tree(repository, [(FileMode.BLOB, b"a", raw_tree(repository, []))])
    assert read(repository, write_commit(repository, tree)).omitted == "missing_object"


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (ObjectType.BLOB, b"x", "not_a_commit"),
        (ObjectType.COMMIT, b"", "corrupt_commit"),
        (ObjectType.COMMIT, b"tree 12\n\nx", "corrupt_commit"),
    ],
)
def test_what_is_no_commit_is_rejected(repository: pygit2.Repository, kind: ObjectType, data: bytes, reason: str):
    sha = raw_object(repository, kind, data)
    rejected = read_commit(repository, sha, LIMITS)
    assert isinstance(rejected, Rejection)
    assert (rejected.path, rejected.reason) == (sha, reason)


def test_a_missing_commit_is_rejected(repository: pygit2.Repository):
    rejected = read_commit(repository, "12" * 20, LIMITS)
    assert isinstance(rejected, Rejection)
    assert rejected.reason == "missing_object"


def test_damage_is_found_or_harmless_though_names_are_not_checked(repository: pygit2.Repository):
    sha = write_commit(repository, {b"a": LINES})
    expected = read(repository, sha)
    file = loose_file(repository, str(pygit2.hash(LINES)))
    file.chmod(0o644)
    whole = file.read_bytes()
    for position in range(len(whole)):
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 16]) + whole[position + 1 :])
        record = read(pygit2.Repository(repository.path), sha)
        assert record == expected or record.omitted == "missing_object"


def test_git_applies_every_patch_and_arrives_at_the_tree(tmp_path: Path):
    chance = random.Random(5)
    repository = empty_repository(tmp_path / "made")
    made, files = [write_commit(repository, {})], dict[bytes, Content]()
    for number in range(40):
        files = edited(files, chance)
        made.append(write_commit(repository, files, made[-1], message=b"%d" % number))
    git(tmp_path, "init", "-q", "judge")
    for sha in made[1:]:
        record = read(repository, sha)
        if record.patch:
            (tmp_path / "patch").write_bytes(record.patch.encode())
            git(tmp_path / "judge", "apply", "--index", "--whitespace=nowarn", "../patch")
        assert git(tmp_path / "judge", "write-tree") == record.tree
    assert {change.kind for sha in made for change in read(repository, sha).changes} >= {
        "add", "modify", "delete", "rename", "mode", "type",
    }  # fmt: skip


def edited(files: dict[bytes, Content], chance: random.Random) -> dict[bytes, Content]:
    """The files after a few changes of every kind."""
    after = dict(files)
    names = [b"a b", b"d/x.py", b"d/e/\xc3\xbc", b'q"\\', b"tab\t", b"plain", b"d/y"]
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(names)
        lines = [b"%d\n" % chance.randrange(5) for _ in range(chance.randint(0, 12))]
        body = b"".join(lines) + chance.choice([b"", b"end", b"\r\n", b"\n\n"])
        action = chance.randrange(6)
        if action == 0:
            after.pop(name, None)
        elif action == 1 and after:
            after[chance.choice(names)] = after.pop(chance.choice(sorted(after)))
        elif action == 2:
            after[name] = (FileMode.LINK, b"target%d" % chance.randrange(3))
        elif action == 3 and isinstance(after.get(name), bytes):
            after[name] = (FileMode.BLOB_EXECUTABLE, after[name])
        else:
            after[name] = LINES + body
    return after
