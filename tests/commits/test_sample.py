"""Samples of change prediction: what they hold, how they are shortened, and that they read back."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sample_world import Content, World, view

from seed_platform.commits.apply import apply_changes, parse_changes
from seed_platform.commits.listing import DirectoryTree
from seed_platform.commits.relevance import Relevance
from seed_platform.commits.sample import CommitView, NoSample, Sample, build_sample
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import TreeSnapshot
from seed_platform.commits.template import (
    FILE,
    MESSAGE,
    README,
    TREE,
    Part,
    SampleError,
    marker_length,
    parse_sample,
    section,
    target_sections,
)

POLICY = CommitSamplePolicy()
BEFORE: dict[str, Content] = {
    "README.md": b"# Lib\n\nReads configurations.\n",
    "lib/parser.py": b"def parse(text):\n    return text.split('=')\n",
    "lib/walk.py": b"def walk(tree):\n    return tree\n",
    "tests/test_parser.py": b"from lib.parser import parse\n\nassert parse('a=b') == ['a', 'b']\n",
}
PARSER = b"def parse(text):\n    return text.split('=', 1)\n"
AFTER = {**BEFORE, "lib/parser.py": PARSER}
MESSAGE_TEXT = "Split the text at the first sign only\n\nSo parse('x=y=z') works.\n"

WHOLE = """\
===== commit message
Split the text at the first sign only

So parse('x=y=z') works.

===== readme: README.md
# Lib

Reads configurations.

===== directory tree
README.md
lib/
  parser.py
  walk.py
tests/
  test_parser.py

===== relevant file: lib/parser.py
def parse(text):
    return text.split('=')

===== relevant file: tests/test_parser.py
from lib.parser import parse

assert parse('a=b') == ['a', 'b']

===== modified files
modify lib/parser.py

===== changes
diff --git a/lib/parser.py b/lib/parser.py
--- a/lib/parser.py
+++ b/lib/parser.py
@@ -1,2 +1,2 @@
 def parse(text):
-    return text.split('=')
+    return text.split('=', 1)

"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def sample(
    world: World,
    before: dict[str, Content],
    after: dict[str, Content],
    policy: CommitSamplePolicy = POLICY,
    message: str = MESSAGE_TEXT,
) -> Sample | NoSample:
    commit, snapshot = world.change(before, after, message)
    return build_sample(commit, snapshot, Relevance(policy), policy)


def found(result: Sample | NoSample) -> Sample:
    assert isinstance(result, Sample), result
    return result


def test_a_sample_shows_message_readme_tree_and_relevant_files_and_then_the_change(world: World) -> None:
    built = found(sample(world, BEFORE, AFTER))
    assert built.text == WHOLE
    assert built.text[built.target_offset :].startswith("===== modified files\n")
    assert built.relevant == ("lib/parser.py", "tests/test_parser.py")
    assert built.truncated == built.left_out == ()
    assert built.tokens == -(-len(WHOLE) * 2 // 7)
    assert built.context_tokens == -(-built.target_offset * 2 // 7)


def test_a_sample_reads_back_and_its_target_gives_the_files_after(world: World) -> None:
    parsed = parse_sample(found(sample(world, BEFORE, AFTER)).text)
    assert parsed.message == MESSAGE_TEXT
    assert [(part.section, part.path) for part in parsed.context] == [
        (README, "README.md"),
        (TREE, None),
        (FILE, "lib/parser.py"),
        (FILE, "tests/test_parser.py"),
    ]
    assert apply_changes(parsed.target, {"lib/parser.py": BEFORE["lib/parser.py"]}) == {"lib/parser.py": PARSER}


def test_the_policy_can_keep_the_modified_files_out(world: World) -> None:
    policy = CommitSamplePolicy(show_modified=False)
    assert found(sample(world, BEFORE, AFTER, policy)).relevant == ("tests/test_parser.py",)


def test_the_query_can_be_the_readme_and_leaves_out_who_signed(world: World) -> None:
    files = {**BEFORE, "configurations.py": b"pass\n"}
    after = {**files, "lib/parser.py": PARSER}
    policy = CommitSamplePolicy(query=("readme",))
    assert found(sample(world, files, after, policy)).relevant[0] == "configurations.py"
    signed = "Fix\n\nSigned-off-by: Walk Tree <walk@tree>\n"
    assert found(sample(world, files, after, message=signed)).relevant == ()


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["README", "README.md", "readme.txt"], "README.md"),
        (["README", "docs/README.md"], "README"),
        (["ReadMe.RST"], "ReadMe.RST"),
        (["docs/README.md", "README.py"], None),
    ],
)
def test_the_readme_is_the_one_in_the_root(world: World, names: list[str], shown: str | None) -> None:
    files: dict[str, Content] = {**dict.fromkeys(names, b"About it.\n"), "a": b"1\n"}
    parsed = parse_sample(found(sample(world, files, {**files, "a": b"2\n"})).text)
    assert [part.path for part in parsed.context if part.section == README] == ([shown] if shown else [])


LONG: dict[str, Content] = {
    **BEFORE,
    "README.md": b"Read me first, and then the rest.\n" * 100,
    **{f"deep/folder{n}/parse{n}.py": b"parse the sign split works first only\n" * 60 for n in range(40)},
}
LONG_AFTER = {**LONG, "lib/parser.py": PARSER}


def test_what_does_not_fit_goes_by_importance_and_no_sample_is_over_the_budget(world: World) -> None:
    commit, snapshot = world.change(LONG, LONG_AFTER, MESSAGE_TEXT)
    relevance = Relevance(POLICY)
    seen = set()
    for tokens in range(4200, 60, -17):
        policy = CommitSamplePolicy(max_tokens=tokens)
        built = build_sample(commit, snapshot, relevance, policy)
        if isinstance(built, NoSample):
            assert built.reason == "over_budget"
            seen.add("over_budget")
            continue
        assert built.tokens <= tokens
        parsed = parse_sample(built.text)
        assert parsed.message == MESSAGE_TEXT
        assert apply_changes(parsed.target, {"lib/parser.py": BEFORE["lib/parser.py"]}) == {"lib/parser.py": PARSER}
        sections = [part.section for part in parsed.context]
        assert sections == sorted(sections, key=(README, TREE, FILE).index)
        shortened = [part.shortened for part in parsed.context]
        # Only the last part shown may be shortened by the budget.
        assert not any(shortened[:-1])
        assert set(built.truncated) >= {
            (part.path if part.section == FILE else part.section) for part in parsed.context if part.shortened
        }
        seen.add((len(parsed.context), shortened[-1:] == [True]))
    assert "over_budget" in seen
    # Nothing but the change; a shortened README; a shortened tree; some files, whole and shortened; everything.
    assert {(0, False), (1, True), (2, True), (4, True), (5, True), (7, False)} <= seen


def test_the_readme_and_each_file_have_bounds_of_their_own(world: World) -> None:
    policy = CommitSamplePolicy(readme_tokens=100, file_tokens=50, tree_tokens=60)
    built = found(sample(world, LONG, LONG_AFTER, policy))
    parsed = parse_sample(built.text)
    readme, tree, *files = parsed.context
    assert readme.shortened
    assert len(readme.content) == 340
    assert tree == Part(TREE, None, "README.md\ndeep/\nlib/\ntests/\n", shortened=True)
    assert len(files) == 5
    assert all(len(part.content) <= 175 for part in files)
    assert built.truncated[:2] == ("readme", "directory tree")


def test_a_readme_full_of_markers_is_shown_as_it_is(world: World) -> None:
    readme = WHOLE.encode() + b"====== changes\n======= x\n" + b"=" * 5000
    files: dict[str, Content] = {**BEFORE, "README.md": readme}
    built = found(sample(world, files, {**files, "lib/parser.py": PARSER, "new": readme}))
    assert built.text.startswith("======== commit message\n")
    parsed = parse_sample(built.text)
    assert parsed.context[0].content == readme.decode()
    assert [change.path for change in parsed.target] == ["lib/parser.py", "new"]


def test_changes_that_are_no_text_are_left_out_and_named(world: World) -> None:
    files: dict[str, Content] = {**BEFORE, "logo.png": b"\x89PNG\0", "sub": (0o160000, b"1" * 40), "x": b"x\n"}
    only = {**files, "logo.png": b"\0", "sub": (0o160000, b"2" * 40), "x": (0o160000, b"3" * 40)}
    built = found(sample(world, files, {**only, "lib/parser.py": PARSER}))
    assert built.left_out == ("logo.png", "sub", "x")
    assert [change.path for change in parse_sample(built.text).target] == ["lib/parser.py"]
    assert sample(world, files, only) == NoSample("no_text_change")


def test_a_commit_without_a_sample_says_why(world: World) -> None:
    def reason(commit: CommitView, policy: CommitSamplePolicy = POLICY, tree: str | None = None) -> str:
        snapshot = world.snapshot(BEFORE) if tree is None else TreeSnapshot(world.repository, tree)
        built = build_sample(commit, snapshot, Relevance(policy), policy)
        assert isinstance(built, NoSample)
        return built.reason

    commit, _ = world.change(BEFORE, AFTER)
    patch = commit.patch or ""
    assert reason(CommitView("m", (), None, "merge")) == "merge"
    assert reason(CommitView("m", (), None)) == "no_patch"
    assert reason(CommitView("m", (), "")) == "no_text_change"
    assert reason(CommitView("m", (), patch[:-30])) == "unreadable_patch"
    assert reason(CommitView("m" * 200_000, (), patch)) == "over_budget"
    assert reason(commit, CommitSamplePolicy(max_snapshot_bytes=10)) == "snapshot_too_large"
    assert reason(commit, tree="1" * 40) == "missing_object"
    world.last = []
    assert reason(view(world.commit(BEFORE))) == "root_commit"


odd = st.text(st.sampled_from("=\n\r \x0c\u2028a:\"'\\é"), max_size=40)
paths = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)
parts = st.builds(
    lambda kind, path, content, shortened: Part(kind, None if kind == TREE else path, content, shortened),
    st.sampled_from([README, TREE, FILE]),
    paths,
    odd,
    st.booleans(),
)


@given(message=odd, context=st.lists(parts, max_size=4), change=odd)
def test_any_content_reads_back_as_it_was(message: str, context: list[Part], change: str) -> None:
    patch = "diff --git a/f b/f\n" + "".join(
        f"@@ -0,0 +{at} @@\n+{line}\n" for at, line in enumerate(change.split("\n"), 1)
    )
    target = parse_changes(patch)
    length = marker_length([message, patch, *(part.content for part in context)])
    text = section(length, MESSAGE, message)
    text += "".join(section(length, part.name, part.content) for part in context) + target_sections(length, target)
    parsed = parse_sample(text)
    assert (parsed.message, parsed.context, parsed.target) == (message, tuple(context), target)


line = st.text(st.sampled_from("=ab -+@\\\r\x0c\u2028é"), max_size=8)
text = st.builds(
    lambda lines, end: ("\n".join(lines) + end).encode(), st.lists(line, max_size=10), st.sampled_from(["", "\n"])
)
files = st.dictionaries(st.sampled_from(["README.md", "a = b", "===== changes", "d/\nx", "d/e"]), text, max_size=5)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=files, after=files, message=odd, tokens=st.integers(30, 400))
def test_a_sample_of_any_change_gives_the_content_after_byte_for_byte(
    world: World, before: dict[str, Content], after: dict[str, Content], message: str, tokens: int
) -> None:
    assume(before != after)
    for policy in (POLICY, CommitSamplePolicy(max_tokens=tokens)):
        built = sample(world, before, after, policy, message)
        if isinstance(built, NoSample):
            assert policy is not POLICY
            assert built.reason == "over_budget"
            continue
        assert built.tokens <= policy.max_tokens
        parsed = parse_sample(built.text)
        result = apply_changes(parsed.target, before)  # type: ignore[arg-type]
        changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        assert result == {path: after.get(path) for path in changed}


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "no sample\n",
        WHOLE[:-1],
        WHOLE.replace("===== changes\n", ""),
        WHOLE.replace("===== readme", "===== something"),
        WHOLE.replace("modify lib/parser.py", "modify lib/other.py"),
        WHOLE.replace("-    return text.split('=')\n", ""),
        WHOLE.removeprefix("===== commit message\n"),
    ],
)
def test_text_that_is_no_sample_is_told(broken: str) -> None:
    with pytest.raises(SampleError):
        parse_sample(broken)


def test_a_directory_tree_that_is_too_large_is_closed_at_a_depth() -> None:
    tree = DirectoryTree([b"a/b/c", b"a/b/d", b"a.c", b"a/e", b"f"])
    assert tree.fitting(1000) == ("a/\n  b/\n    c\n    d\n  e\na.c\nf\n", False)
    assert tree.fitting(20) == ("a/\n  b/\n  e\na.c\nf\n", True)
    assert tree.fitting(12) == ("a/\na.c\nf\n", True)
    assert tree.fitting(7) == ("a/\na.c\n", True)
    assert tree.fitting(0) == ("", True)
    assert DirectoryTree([]).fitting(0) == ("", False)
    assert DirectoryTree([b"odd\nname", b"latin\xe9"]).fitting(99)[0] == '"latin\\\\xe9"\n"odd\\nname"\n'


@pytest.mark.parametrize("wrong", [{"query": []}, {"query": ["message", "message"]}, {"b": 2}, {"template": 2}])
def test_a_policy_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CommitSamplePolicy.model_validate(wrong)
