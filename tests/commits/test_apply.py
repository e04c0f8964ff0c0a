"""Patches read and applied byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sample_world import Content, World

from seed_platform.commits.apply import PatchError, apply_changes, parse_changes
from seed_platform.commits.quoting import quoted, unquoted

LINES = [f"line {number}\n".encode() for number in range(60)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def content_of(files: dict[str, Content]) -> dict[str, bytes]:
    return {path: content[1] if isinstance(content, tuple) else content for path, content in files.items()}


def expected(before: dict[str, bytes], after: dict[str, bytes]) -> dict[str, bytes | None]:
    paths = before.keys() | after.keys()
    return {path: after.get(path) for path in paths if before.get(path) != after.get(path)}


def check(world: World, before: dict[str, Content], after: dict[str, Content]) -> list[str]:
    """Apply the patch between two versions; returns the kinds of its changes."""
    view, _ = world.change(before, after)
    assert view.patch is not None
    assert not any(change.binary for change in view.changes)
    changes = parse_changes(view.patch)
    assert "".join(change.text for change in changes) == view.patch
    result = apply_changes(changes, content_of(before))
    wanted = expected(content_of(before), content_of(after))
    assert {path: result[path] for path in wanted} == wanted
    # What else is named did not change in content: modes.
    assert all(result[path] == content_of(after).get(path) for path in result)
    return [change.kind for change in changes]


CASES: dict[str, tuple[dict[str, Content], dict[str, Content], list[str]]] = {
    "carriage returns": ({"a": b"one\r\ntwo\r\n"}, {"a": b"one\r\n2\r\nthree\r"}, ["modify"]),
    "no newline at the end, before": ({"a": b"one\ntwo"}, {"a": b"one\ntwo\n"}, ["modify"]),
    "no newline at the end, after": ({"a": b"one\ntwo\n"}, {"a": b"one\nzwei"}, ["modify"]),
    "no newline at the end, both": ({"a": b"one\ntwo"}, {"a": b"1\ntwo"}, ["modify"]),
    "exotic separators": (
        {"a": "x\x0cy\x0bz\x1c\x1d\x1e\x85\u2028\u2029\n".encode()},
        {"a": "x\x0cY\x0bz\x1c\x1d\x1e\x85\u2028\u2029\r\r\n\x0c".encode()},
        ["modify"],
    ),
    "empty file added": ({"b": b"x\n"}, {"b": b"x\n", "a": b""}, ["add"]),
    "empty file deleted": ({"b": b"x\n", "a": b""}, {"b": b"x\n"}, ["delete"]),
    "file emptied": ({"a": b"x\n"}, {"a": b""}, ["modify"]),
    "file filled": ({"a": b""}, {"a": b"x"}, ["modify"]),
    "added": ({"b": b"x\n"}, {"b": b"x\n", "new/a": b"1\n2\n"}, ["add"]),
    "deleted": ({"b": b"x\n", "a": b"1\n2"}, {"b": b"x\n"}, ["delete"]),
    "renamed": ({"a": b"".join(LINES)}, {"c/b": b"".join(LINES)}, ["rename"]),
    "renamed and changed": ({"a": b"".join(LINES)}, {"b": b"".join([*LINES[:-1], b"end"])}, ["rename"]),
    "renamed and made executable": ({"a": b"".join(LINES)}, {"b": (0o100755, b"".join(LINES))}, ["rename"]),
    "a chain of renames": (
        {"a": b"".join(LINES), "b": b"".join(reversed(LINES))},
        {"b": b"".join(LINES), "c": b"".join(reversed(LINES))},
        [],
    ),
    "mode": ({"a": b"x\n"}, {"a": (0o100755, b"x\n")}, ["mode"]),
    "mode and content": ({"a": b"x\n"}, {"a": (0o100755, b"y\n")}, ["modify"]),
    "file becomes a link": ({"a": b"x\n"}, {"a": (0o120000, b"target")}, ["delete", "add"]),
    "many hunks": (
        {"a": b"".join(LINES)},
        {"a": b"first\n" + b"".join(line for n, line in enumerate(LINES) if n % 13) + b"last"},
        ["modify"],
    ),
    "lines that look like headers": (
        {"a": b"-- a/x\n++ b/x\n@@ -1 +1 @@\ndiff --git a/x b/x\n\\ No newline at end of file\n"},
        {"a": b"++ b/x\n-- a/y\n@@ -1,2 +1 @@\ndiff --git a/y b/y\n\\ No newline"},
        ["modify"],
    ),
    "odd names": (
        {"a b/c b": b"1\n", 'quo"te\\': b"1\n", "tab\tnew\nline": b"1\n", "ünï": b"1\n", " b/x": b""},
        {"a b/c b": b"2\n", 'quo"te\\': b"2\n", "tab\tnew\nline": b"2\n", "ünï": b"2\n", "a -> b": b""},
        [],
    ),
    "file becomes a folder": ({"a": b"x\n"}, {"a/b": b"y\n"}, []),
}


@pytest.mark.parametrize("name", CASES)
def test_a_commits_patch_gives_the_content_after_byte_for_byte(world: World, name: str) -> None:
    before, after, kinds = CASES[name]
    found = check(world, before, after)
    assert not kinds or found == kinds
    back = check(world, after, before)
    assert len(back) == len(found)


line = st.text(st.sampled_from("ab-+@\\ \r\x0c\x0b\x1c\x85\u2028é"), max_size=4)
text = st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode(), st.lists(line, max_size=14), st.sampled_from(["", "\n"])
)
names = st.sampled_from(["a", "b", "d/a", 'q"', "s p", "é"])
files = st.dictionaries(names, text, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=files, after=files, kept=st.sets(names))
def test_any_change_of_texts_can_be_applied(
    world: World, before: dict[str, Content], after: dict[str, Content], kept: set[str]
) -> None:
    after = {**after, **{name: before[name] for name in kept & before.keys()}}
    assume(before != after)
    check(world, before, after)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.lists(st.tuples(st.integers(0, 59), st.sampled_from([b"", b"x\n", b"x\ny\n", b"x"])), max_size=12))
def test_edits_anywhere_in_a_long_file_can_be_applied(world: World, edits: list[tuple[int, bytes]]) -> None:
    lines = list(LINES)
    for at, new in edits:
        lines[at] = new
    assume(lines != LINES)
    check(world, {"a": b"".join(LINES)}, {"a": b"".join(lines)})


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_path_in_quotes_reads_back(path: str) -> None:
    assert unquoted(quoted(path)) == path
    assert "\n" not in quoted(path)


def test_gits_own_quotes_are_read() -> None:
    assert unquoted(r'"caf\303\251 \"\\\t"') == 'café "\\\t'


PATCH = "diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@ context\n one\n-two\n+2\n"


@pytest.mark.parametrize(
    "before",
    [{}, {"a": b"one\n"}, {"a": b"one\ntwo"}, {"a": b"eins\ntwo\n"}, {"a": b""}],
)
def test_a_patch_that_does_not_fit_is_told(before: dict[str, bytes]) -> None:
    with pytest.raises(PatchError):
        apply_changes(parse_changes(PATCH), before)


@pytest.mark.parametrize(
    "patch",
    [
        "no patch\n",
        PATCH.removesuffix("\n"),
        PATCH.removesuffix("+2\n"),
        PATCH.replace("-two", "two"),
        PATCH + "rest\n",
        PATCH.replace("@@ -1,2", "@@ -1;2"),
        PATCH.replace("b/a\n---", "b/b\n---"),
        PATCH.replace("a/a b/a", '"a/a b/a'),
    ],
)
def test_text_that_is_no_patch_is_told(patch: str) -> None:
    with pytest.raises(PatchError):
        parse_changes(patch)


def test_a_deletion_that_leaves_something_is_told() -> None:
    patch = "diff --git a/a b/a\ndeleted file mode 100644\n--- a/a\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"
    assert apply_changes(parse_changes(patch), {"a": b"one\n"}) == {"a": None}
    with pytest.raises(PatchError, match="not deleted whole"):
        apply_changes(parse_changes(patch), {"a": b"one\ntwo\n"})
