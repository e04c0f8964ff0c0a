import difflib
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import git, make_repository

from seed_platform.commits.patches import (
    FilePatch,
    change_key,
    change_keys_of,
    changed_lines,
    changed_lines_of,
    parse_patch,
)

# Lines that look like parts of a patch once a sign stands before them, and characters that other splitters split at.
LINES = st.sampled_from(
    [
        "", " ", "a", "b", "-- a", "++ b", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ No newline",
        "index 1..2", "rename to y", "x\ry", "x\x0cy", "x\u2028y", "Binary files a and b differ", "\tä",
    ]
)  # fmt: skip
TEXTS = st.lists(LINES, max_size=12)


def git_diff(folder: Path, old: str = "HEAD~1", new: str = "HEAD", *options: str) -> str:
    command = ["git", "-c", "core.quotePath=false", "diff", "-M", *options, old, new]
    return subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout.decode()


def patch_id(patch: str, folder: Path) -> str:
    done = subprocess.run(["git", "patch-id", "--stable"], input=patch.encode(), cwd=folder, capture_output=True, check=True)  # fmt: skip  # noqa: E501
    return done.stdout.decode().partition(" ")[0]


def unified(old: list[str], new: list[str], path: str, context: int = 3) -> str:
    lines = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", n=context, lineterm="")
    return "".join(line + "\n" for line in lines)


def apply(old: list[str], file: FilePatch) -> list[str]:
    new, at = [], 0
    for hunk in file.hunks:
        start = hunk.old_start - (hunk.old_count > 0)
        new += [line + "\n" for line in old[at:start]]
        assert [line[1:] for line in hunk.lines if line[0] != "+"] == [x + "\n" for x in old[start : start + hunk.old_count]]  # fmt: skip  # noqa: E501
        new += [line[1:] for line in hunk.lines if line[0] != "-"]
        at = start + hunk.old_count
    return new + [line + "\n" for line in old[at:]]


@settings(max_examples=200, deadline=None)
@given(
    old=TEXTS,
    new=TEXTS,
    context=st.integers(0, 3),
    git_line=st.sampled_from(["", "diff --git a/{0} b/{0}\n"]),
    more=TEXTS,
)
def test_a_patch_of_lines_that_look_like_headers_is_read_by_its_counts(
    old: list[str], new: list[str], context: int, git_line: str, more: list[str]
):
    parts = [("f/x.py", old, new), ("g", more, [*more, "z"])]
    patch = "".join(
        git_line.format(path) + unified(before, after, path, context)
        for path, before, after in parts
        if before != after
    )
    files = parse_patch(patch)
    assert [file.path for file in files] == [path for path, before, after in parts if before != after]
    for file in files:
        before, after = next((before, after) for path, before, after in parts if path == file.path)
        assert apply(before, file) == [line + "\n" for line in after]
    expected = "".join(
        f"{file.path}\n" + "".join(line for hunk in file.hunks for line in hunk.lines if line[0] != " ")
        for file in files
    )
    assert changed_lines(patch) == expected


def test_changed_lines_stand_under_their_path_without_context_or_numbers():
    patch = (
        "diff --git a/old.py b/new.py\nsimilarity index 90%\nrename from old.py\nrename to new.py\n"
        "--- a/old.py\n+++ b/new.py\n@@ -1,3 +1,2 @@ def f():\n same\n--- gone\n-x\n+++ y\n"
        "\\ No newline at end of file\n"
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
        "diff --git a/gone.txt b/gone.txt\ndeleted file mode 100644\n--- a/gone.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-z\n"
    )
    assert changed_lines(patch) == "new.py\n--- gone\n-x\n+++ y\nrun.sh\ngone.txt\n-z\n"
    assert [(file.path, file.old_path, file.kind, len(file.hunks)) for file in parse_patch(patch)] == [
        ("new.py", "old.py", "rename", 1),
        ("run.sh", None, "mode", 0),
        ("gone.txt", None, "delete", 1),
    ]
    assert parse_patch(patch)[0].hunks[0].lines == (" same\n", "--- gone\n", "-x\n", "+++ y")


def test_columns_give_what_single_patches_give_and_nulls_stay():
    patches = ["", unified(["a"], ["b"], "x"), None, unified(["a", "-- c"], ["a"], "y"), "no patch at all"]
    column = pl.Series("patch", ["skipped", *patches])[1:]
    assert changed_lines_of(column).to_list() == [None if patch is None else changed_lines(patch) for patch in patches]
    assert change_keys_of(column).to_list() == [None if patch is None else change_key(patch) for patch in patches]
    assert changed_lines_of(column).to_list()[3:] == ["y\n--- c\n", ""]
    assert changed_lines_of(pl.Series([], dtype=pl.String)).len() == change_keys_of(column[:0]).len() == 0
    assert changed_lines_of(pl.Series([None], dtype=pl.String)).to_list() == [None]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='@-+ \n\\1,abdifgt/"', max_size=80) | st.lists(LINES).map("\n".join))
def test_any_text_is_scanned_without_a_crash_and_digests_are_no_longer_than_it(text: str):
    assert len(changed_lines(text).encode()) <= len(text.encode()) + 1
    assert re.fullmatch(r"[0-9a-f]{32}", change_key(text))
    with suppress(ValueError):
        parse_patch(text)


@pytest.mark.parametrize(
    "damaged",
    [
        "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n",
        "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n a\n?b\n",
        'diff --git "a/\\377" "b/\\377"\nold mode 100644\nnew mode 100755\n',
    ],
)
def test_a_patch_that_was_cut_or_has_a_path_that_is_no_text_is_an_error(damaged: str):
    with pytest.raises(ValueError):  # noqa: PT011 - the two are told apart by nobody
        parse_patch(damaged)


def test_patches_of_git_are_read_with_kinds_modes_and_odd_paths(tmp_path: Path):
    odd = 'tab\there "q" ä.txt'
    make_repository(tmp_path, {"keep.txt": "a\nb\nc\n", "to move.txt": "1\n2\n3\n4\n5\n6\n", odd: "x", "bin": b"\0a",
                               "gone.txt": "g\n", "mode.sh": "m\n"})  # fmt: skip
    (tmp_path / "to move.txt").rename(tmp_path / "moved here.txt")
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "mode.sh").chmod(0o755)
    make_repository(tmp_path, {"keep.txt": "a\nB\nc", "moved here.txt": "1\n2\n3\n4\n5\n6\n7\n", odd: "y",
                               "bin": b"\0b", "empty.txt": "", "new.txt": "n\n"})  # fmt: skip
    files = {file.path: file for file in parse_patch(git_diff(tmp_path))}
    assert {path: file.kind for path, file in files.items()} == {
        "bin": "modify", "empty.txt": "add", "gone.txt": "delete", "keep.txt": "modify", "mode.sh": "mode",
        "moved here.txt": "rename", "new.txt": "add", odd: "modify",
    }  # fmt: skip
    assert files["bin"].binary
    assert (files["mode.sh"].old_mode, files["mode.sh"].new_mode) == (0o100644, 0o100755)
    assert files["moved here.txt"].old_path == "to move.txt"
    assert files["keep.txt"].hunks[0].lines == (" a\n", "-b\n", "-c\n", "+B\n", "+c")
    assert files[odd].hunks[0].lines == ("-x", "+y")
    assert changed_lines(git_diff(tmp_path)).splitlines()[0] == "bin"
    assert '"tab\\there \\"q\\" ä.txt"' in changed_lines(git_diff(tmp_path)).splitlines()


def test_a_submodule_is_told_from_a_file(tmp_path: Path):
    first = make_repository(tmp_path, {"a": "a\n"})
    git(tmp_path, "update-index", "--add", "--cacheinfo", f"160000,{first},lib")
    git(tmp_path, "commit", "-q", "-m", "one")
    second = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "update-index", "--cacheinfo", f"160000,{second},lib")
    git(tmp_path, "commit", "-q", "-m", "two")
    assert [file.kind for file in parse_patch(git_diff(tmp_path))] == ["submodule"]
    assert [file.kind for file in parse_patch(git_diff(tmp_path, "HEAD~2", "HEAD~1"))] == ["submodule"]


def test_the_key_is_equal_exactly_where_gits_patch_id_is(tmp_path: Path):
    lines = [f"line {number}" for number in range(40)]

    def text(changes: dict[int, str], above: int = 0) -> str:
        body = [changes.get(number, line) for number, line in enumerate(lines)]
        return "\n".join([f"above {number}" for number in range(above)] + body) + "\n"

    versions = [
        ("", {}, {20: "changed"}, 0),
        ("", {}, {20: "changed"}, 7),  # the same change further down
        ("", {}, {20: "  chan ged\t"}, 0),  # and with other whitespace
        ("", {}, {20: "changed otherwise"}, 0),
        ("", {}, {21: "changed"}, 0),
        ("", {19: "other context"}, {19: "other context", 20: "changed"}, 0),
        ("", {2: "far away"}, {2: "far away", 20: "changed"}, 0),
        ("other_", {}, {20: "changed"}, 0),
    ]
    ids, keys = [], []
    for number, (prefix, before, after, above) in enumerate(versions):
        folder = tmp_path / str(number)
        make_repository(folder, {f"{prefix}file.py": text(before, above), "second.py": "1\n"})
        make_repository(folder, {f"{prefix}file.py": text(after, above), "second.py": "2\n"})
        patch = git_diff(folder)
        ids.append(patch_id(patch, folder))
        keys.append(change_key(patch))
    equal = [[one == other for other in ids] for one in ids]
    assert [[one == other for other in keys] for one in keys] == equal
    assert sum(equal[0]) == 4


@settings(max_examples=15, deadline=None)
@given(old=TEXTS, new=TEXTS, other=TEXTS)
def test_the_key_agrees_with_patch_id_on_generated_patches(
    old: list[str], new: list[str], other: list[str], tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.getbasetemp()
    heads = "diff --git a/x b/x\n"
    patches = [heads + unified(old, new, "x"), heads + unified(old, other, "x"), heads + unified(["top", *old], ["top", *new], "x")]  # fmt: skip  # noqa: E501
    patches = [patch for patch in patches if patch != heads]
    ids = [patch_id(patch, folder) for patch in patches]
    keys = [change_key(patch) for patch in patches]
    assert [[a == b for b in keys] for a in keys] == [[a == b for b in ids] for a in ids]


def test_a_real_cherry_pick_has_the_key_of_its_original_and_file_order_does_not_count(tmp_path: Path):
    body = "".join(f"line {number}\n" for number in range(30))
    make_repository(tmp_path, {"b.py": body, "a.py": body})
    git(tmp_path, "branch", "old")
    make_repository(tmp_path, {"b.py": "new top\n" * 5 + body})
    make_repository(tmp_path, {"b.py": "new top\n" * 5 + body.replace("line 20", "LINE 20"), "a.py": body + "end\n"})
    picked = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "checkout", "-q", "old")
    git(tmp_path, "cherry-pick", picked)
    original, copy = git_diff(tmp_path, f"{picked}~1", picked), git_diff(tmp_path)
    assert original != copy
    assert change_key(original) == change_key(copy)
    order = tmp_path / "order"
    order.write_text("b.py\na.py\n")
    turned = git_diff(tmp_path, "HEAD~1", "HEAD", f"-O{order}")
    assert turned != copy
    assert change_key(turned) == change_key(copy)
