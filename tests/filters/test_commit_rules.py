import difflib
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from pydantic import ValidationError

from seed_platform.commits.policy import CommitRulesPolicy
from seed_platform.filters.base import VERDICT_COLUMNS
from seed_platform.filters.commit_rules import COLUMNS, judge

SCHEMA = {
    "ordinal": pl.Int64, "doc_id": pl.String, "parents": pl.List(pl.String), "merge": pl.Boolean, "bot": pl.Boolean,
    "message": pl.String, "authored_at": pl.Datetime("us", "UTC"), "committed_at": pl.Datetime("us", "UTC"),
    "changed_paths": pl.Int64, "changes": pl.String, "bytes": pl.Int64, "omitted": pl.String, "content": pl.String,
}  # fmt: skip
WHEN = datetime(2024, 5, 1, tzinfo=UTC)
MESSAGE = "Close the file when parsing fails\n\nThe handle was leaked on every error."
CODE = ("src/a.c", "int a;\nint b;\n", "int a;\nlong b;\n")
POLICY = CommitRulesPolicy()

Edit = tuple[str, str | None, str | None]


def patch_of(path: str, old: str | None, new: str | None) -> str:
    """What git writes for one text file; None is no file."""
    head = f"diff --git a/{path} b/{path}\n"
    head += "new file mode 100644\n" if old is None else "deleted file mode 100644\n" if new is None else ""
    sides = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
    lines = difflib.unified_diff((old or "").splitlines(keepends=True), (new or "").splitlines(keepends=True), *sides)
    told = (line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return head + "".join(told)


def change_of(path: str, old: str | None, new: str | None) -> dict[str, object]:
    lines = [line for line in patch_of(path, old, new).split("\n") if line[:3] not in ("---", "+++")]
    kind = "add" if old is None else "delete" if new is None else "modify"
    counts = {"added": sum(line[:1] == "+" for line in lines), "deleted": sum(line[:1] == "-" for line in lines)}
    return {"path": path, "kind": kind, **{name: count for name, count in counts.items() if count}}


def commit(*edits: Edit, changes: list[dict[str, object]] | None = None, **columns: object) -> dict[str, object]:
    told = [change_of(*edit) for edit in edits] + (changes or [])
    patch = "".join(patch_of(*edit) for edit in edits)
    row = {
        "ordinal": 0, "doc_id": "c", "parents": ["p"], "merge": False, "bot": False, "message": MESSAGE,
        "authored_at": WHEN, "committed_at": WHEN, "changed_paths": len(told), "changes": json.dumps(told),
        "bytes": len(patch.encode()), "omitted": None, "content": patch,
    }  # fmt: skip
    return {**row, **columns}


def verdict(row: dict[str, object], policy: CommitRulesPolicy = POLICY) -> dict[str, object]:
    return judge(pl.DataFrame([row], schema=SCHEMA), policy).row(0, named=True)


def reasons(rows: list[dict[str, object]], policy: CommitRulesPolicy = POLICY) -> list[object]:
    """Of many at once: a call costs as much as hundreds of rows."""
    return judge(pl.DataFrame(rows, schema=SCHEMA), policy)["reason"].to_list()


def of_messages(messages: list[str], policy: CommitRulesPolicy = POLICY) -> dict[str, object]:
    rows = [commit(CODE, message=message) for message in messages]
    return dict(zip(messages, reasons(rows, policy), strict=True))


def reason(row: dict[str, object], policy: CommitRulesPolicy = POLICY) -> object:
    found = verdict(row, policy)
    assert found["keep"] == (found["reason"] in {None, "date_out_of_range"})
    return found["reason"]


def test_a_change_of_code_with_a_message_is_kept_without_a_reason():
    assert verdict(commit(CODE)) == {**dict.fromkeys(VERDICT_COLUMNS), "ordinal": 0, "doc_id": "c", "keep": True}
    assert set(COLUMNS) == set(SCHEMA)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"merge": True, "omitted": "merge", "bot": True}, "merge"),
        ({"bot": True}, "bot"),
        ({"omitted": "missing_parent"}, "missing_parent"),
        ({"omitted": "missing_object"}, "missing_object"),
        ({"omitted": "too_many_paths", "changed_paths": 100_000}, "too_many_paths"),
        ({"omitted": "too_large"}, "too_large"),
        ({"omitted": "not_utf8"}, "not_text"),
        ({"omitted": "unreadable"}, "unreadable"),
        ({"parents": [], "changed_paths": 6}, "root"),
        ({"parents": [], "changed_paths": 5}, None),
        ({"bytes": 131_072}, None),
        ({"bytes": 131_073}, "too_large"),
    ],
)
def test_what_is_known_without_the_patch_decides_first(columns: dict[str, object], expected: str | None):
    row = commit(CODE, **columns)
    if row["omitted"]:
        row |= {"content": None, "changes": "[]", "bytes": 0}
    assert reason(row) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], "empty"),
        ([{"path": "empty.txt", "kind": "add"}], "empty"),
        ([{"path": "a.png", "kind": "modify", "binary": True}], "binary_only"),
        ([{"path": "run.sh", "kind": "mode"}], "mode_only"),
        ([{"path": "lib", "kind": "submodule", "added": 1, "deleted": 1}], "submodule_only"),
        ([{"path": "b.c", "old_path": "a.c", "kind": "rename"}], "rename_only"),
        ([{"path": "b.c", "kind": "rename"}, {"path": "a.png", "kind": "add", "binary": True}], "binary_only"),
    ],
)
def test_a_commit_without_changed_lines_is_dropped_for_what_it_changes(changes: list[dict[str, object]], expected: str):
    assert reason(commit(changes=changes)) == expected
    # The same beside a changed line is no reason.
    assert reason(commit(CODE, changes=changes)) is None


def test_more_files_with_changed_lines_than_the_policy_allows_are_too_many():
    edits = [(f"src/{number}.c", "int a;\n", f"int a{number};\n") for number in range(33)]
    found = verdict(commit(*edits))
    assert (found["reason"], found["score"]) == ("too_many_files", 33)
    images = [{"path": f"{number}.png", "kind": "modify", "binary": True} for number in range(100)]
    assert reason(commit(*edits[:32], changes=images)) is None


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["package-lock.json", "web/yarn.lock", "go.sum", "Gemfile.lock"], "lock_files_only"),
        (["api/service_pb2.py"], "generated_only"),
        (["api/service_pb2.py", "uv.lock"], "generated_only"),
        (["third_party/zlib/inflate.c"], "vendored_only"),
        (["vendor/github.com/x/y.go", "go.sum"], "vendored_only"),
        (["src/main/java/vendor/Vendor.java"], None),
        (["node_modules/a/index.js", "src/a.js"], None),
        (["src/locks.py", "doc/lock"], None),
    ],
)
def test_commits_that_change_only_what_nobody_wrote_here_are_dropped(paths: list[str], expected: str | None):
    row = commit(*((path, "one\n", "two\n") for path in paths))
    assert reason(row) == expected
    if expected:
        assert json.loads(str(verdict(row)["evidence"])) == {"path": paths[0]}
        everything = POLICY.model_copy(update={"drop_vendored": False, "drop_generated": False})
        assert reason(row, everything) is None


def test_a_file_that_says_it_is_generated_counts_as_such_if_the_patch_shows_it():
    text = "/* This file was automatically generated by gen.py. */\nint a;\n"
    assert reason(commit(("src/table.c", text, text.replace("int", "long")))) == "generated_only"
    far = text + "int b;\n" * 20
    assert reason(commit(("src/table.c", far, far + "int c;\n"))) is None


POOR = [
    "", " \n", ".", "...", "wip", "WIP", "fix", "Fix.", "fixes", "update", "updated code", "minor changes", "bugfix",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "1234567", "#123", "fix #123", "Fix bug 123", "refactor",
    "https://example.org/issues/5", "initial commit", "first commit", "Update README.md", "Create a.py",
    "Add files via upload", "some more fixes", "fix: wip", "JIRA-1234", "更新",
    "fix\n\nSigned-off-by: Ada Lovelace <ada@example.org>", "test\n\nCo-authored-by: Some Body <a@example.org>",
    "changes\n(cherry picked from commit deadbeefdeadbeefdeadbeefdeadbeefdeadbeef)", "asdf",
]  # fmt: skip


def test_messages_that_say_nothing_are_poor():
    assert of_messages(POOR) == dict.fromkeys(POOR, "poor_message")
    lenient = POLICY.model_copy(update={"min_message_words": 0, "min_telling_words": 0})
    assert of_messages(POOR, lenient) == dict.fromkeys(POOR)
    found = verdict(commit(CODE, message="fix bug"))
    assert (found["keep"], found["score"]) == (False, 2)


TELLING = [
    "Fix typo", "Fix typo in comment", "fix: leak in parser", "Remove unused import", "wip: parser for dates",
    "WIP on the scanner", "Add support for IPv6", "Update README.md with the new address", "修复解析器内存泄漏",
    "Corrige una fuga de memoria", "Исправить утечку", "fix\n\nThe handle was leaked on every error.",
    "Close file (#123)", "Use `foo_bar` everywhere", "update dependencies policy document",
]  # fmt: skip


def test_short_messages_that_say_something_are_not_poor():
    assert of_messages(TELLING) == dict.fromkeys(TELLING)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ('Revert "Close the file when parsing fails"\n\nThis reverts commit ' + "deadbeef" * 5 + ".\n", "revert"),
        ('Revert "Revert "Close the file""', "revert"),
        ("This reverts commit deadbeef1.", "revert"),
        ('Revert "Merge the branch"\n\nThis reverts commit ' + "a" * 40 + ", reversing\nchanges made to " + "b" * 40,
         "revert"),
        ('Revert "Close the file"\n\nThis reverts commit ' + "a" * 40 + ".\n\nIt broke reading from pipes.", None),
        ("Revert the cache of parsers since it leaks", None),
        ("Reverting is possible now for every command", None),
    ],
)  # fmt: skip
def test_a_revert_is_dropped_unless_it_says_why(message: str, expected: str | None):
    assert reason(commit(CODE, message=message)) == expected
    assert reason(commit(CODE, message=message), POLICY.model_copy(update={"drop_reverts": False})) is None


BUMPS = [
    "Release 1.2.3", "release v2", "v1.2.3", "1.2.3", "2.0.0-rc.1", "Bump version", "Bump version to 1.2.4",
    "bump version number", "Version 3.0", "Prepare for next development iteration", "Prepare release 1.0",
    "start version 3.2.0", "[maven-release-plugin] prepare release 1.4", "chore: release 1.0.0",
    "chore(release): 1.0.0 [skip ci]", "Bump lodash from 4.17.20 to 4.17.21 in /web (#12)", "deps: qs@6.7.0",
    "Upgrade jinja2 to 3.0", "Tag 1.0\n\nSigned-off-by: A B <a@b.c>",
]  # fmt: skip


def test_messages_that_name_a_new_version_only_are_version_bumps():
    assert of_messages(BUMPS) == dict.fromkeys(BUMPS, "version_bump")
    assert verdict(commit(CODE, message=BUMPS[0]))["evidence"] == '{"by":"message"}'


NO_BUMPS = [
    "Release the lock before version 1.2 files are read", "Release the lock", "Update to the new version of the API",
    "Bump the limit of open files", "Version the cache by its schema 2.0 and drop it otherwise",
    "Release 1.2.3\n\nWith a new parser for dates, and a fix of the leak.",
]  # fmt: skip


def test_messages_that_say_more_than_a_version_are_not_version_bumps():
    assert of_messages(NO_BUMPS) == dict.fromkeys(NO_BUMPS)


def test_an_upgrade_that_changes_much_code_is_more_than_a_version_bump():
    old = "".join(f"int a{number};\n" for number in range(30))
    assert reason(commit(("src/a.c", old, old.replace("int", "long")), message="Upgrade jinja2 to 3.0")) is None
    locked = commit(CODE, ("uv.lock", old, old.replace("int", "long")), message="Upgrade jinja2 to 3.0")
    assert reason(locked) == "version_bump"


VERSION_EDITS: list[list[Edit]] = [
    [("src/x/__init__.py", '__version__ = "1.2.3"\n', '__version__ = "1.2.4.dev0"\n')],
    [("package.json", '{\n  "version": "1.0.0",\n}\n', '{\n  "version": "1.1.0-beta",\n}\n')],
    [("package.json", '"qs": "~6.5"\n', '"qs": "~6.7"\n'), ("History.md", "a\n", "unreleased\n===\n * qs\n\na\n")],
    [("VERSION", "7\n", "8\n")],
    [("CHANGES.md", "## 2.0, 2024-04-01\n", "## 2.0, 2024-05-01\n")],
    [("src/main.c", "/* Copyright 2019-2023 A */\nint a;\n", "/* Copyright 2019-2024 A */\nint a;\n")],
    [("docs/install.md", "Get tool-1.2.3.tar.gz\n", "Get tool-1.2.4.tar.gz\n")],
    [("requirements/dev.txt", "a==1.0\nb==2.0\n", "a==1.1\nb==2.1\n"), ("uv.lock", "a\n", "b\nc\n")],
]


def test_changes_of_version_numbers_and_dates_are_version_bumps():
    rows = [commit(*edits) for edits in VERSION_EDITS]
    assert reasons(rows) == ["version_bump"] * len(rows)
    assert verdict(rows[0])["evidence"] == '{"by":"lines"}'
    assert set(reasons(rows, POLICY.model_copy(update={"max_version_lines": 0}))) == {None}


OTHER_EDITS: list[list[Edit]] = [
    [("src/a.c", "int limit = 10;\n", "int limit = 20;\n")],
    [("src/a.py", "timeout = 1.5\n", "timeout = 2.5\n")],
    [("src/a.py", 'host = "127.0.0.1"\n', 'host = "10.0.0.1"\n')],
    [("src/a.py", "x = 1\nversion = 2\n", "x = 1\nversion = 2\ny = 3\n")],
    [("src/a.c", "int a;\nint b;\n", "int b;\nint a;\n")],
    [("tests/a.tcl", "client PAUSE 100 WRITE\nread\n", "read\nclient PAUSE 100 WRITE\n")],
    [("CHANGES.md", "a\n", "a\nThe parser closes its files.\n")],
    [("package.json", '"version": "1.0.0"\n', '"version": "1.1.0"\n'), CODE],
    [("VERSION", None, "1.0\n")],
    [("setup.py", "".join(f"a{n} 1.0\n" for n in range(21)), "".join(f"a{n} 1.1\n" for n in range(21)))],
]


def test_other_numbers_new_lines_and_many_lines_are_no_version_bumps():
    rows = [commit(*edits) for edits in OTHER_EDITS]
    assert reasons(rows) == [None] * len(rows)


LAYOUT = [
    ("a.c", "int  a;\nint b ;\n", "int a;\nint b;\n"),
    ("a.c", "if (a)\n  b();\n", "if (a)\n    b();\n"),
    ("a.c", "f(a, b);\n", "f(a,\n  b);\n"),
    ("a.c", "a;\r\nb;\r\n", "a;\nb;\n"),
    ("a.c", "a;\nb;", "a;\nb;\n"),
    ("a.md", "one two three\nfour five\n", "one two\nthree four five\n"),
    ("a.py", "a = 1  \nb = 2\n", "a = 1\n\n\nb = 2\n"),
    ("a.py", "def f():\n  if a:\n    b()\n", "def f():\n    if a:\n        b()\n"),
    ("a.py", "def f():\n\tif a:\n\t\tb()\n", "def f():\n    if a:\n        b()\n"),
    ("a.yaml", "a:\n  - b\n", "a:\n    - b\n"),
]


def test_changes_of_layout_only_are_formatting():
    rows = [commit(edit) for edit in LAYOUT]
    assert reasons(rows) == ["formatting_only"] * len(rows)
    assert reasons([commit(edit, ("uv.lock", "a\n", "b\n")) for edit in LAYOUT]) == ["formatting_only"] * len(rows)
    assert set(reasons([commit(edit, CODE) for edit in LAYOUT])) == {None}
    assert set(reasons(rows, POLICY.model_copy(update={"drop_formatting": False}))) == {None}


MEANT = [
    ("a.py", "if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n"),
    (
        "a.py",
        "for a in b:\n    if a:\n        c()\n    d()\n",
        "for a in b:\n    if a:\n        c()\n        d()\n",
    ),
    ("a.py", "f(a, b)\n", "f(a,\n  b)\n"),
    ("a.yaml", "a:\n  b:\n  c:\n", "a:\n  b:\n    c:\n"),
    ("Makefile", "all:\n        cc a.c\n", "all:\n\tcc a.c\n"),
    ("a.c", 'puts("ERR" x);\n', 'puts("ERR " x);\n'),
    ("a.c", "notx;\n", "not x;\n"),
    ("a.c", "a;\nb;\n", "b;\na;\n"),
    ("a.c", "f();\ng();\nx;\n", "g();\nx;\nf();\n"),
    ("a.c", "a;\n", "a;\na;\n"),
]


def test_layout_that_has_a_meaning_is_no_formatting():
    assert reasons([commit(edit) for edit in MEANT]) == [None] * len(MEANT)


def test_dates_beyond_belief_are_kept_with_a_note():
    for date in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC), None):
        found = verdict(commit(CODE, authored_at=date))
        assert (found["keep"], found["reason"]) == (True, "date_out_of_range")
        assert json.loads(str(found["evidence"])) == {
            "authored_at": date.isoformat() if date else None, "committed_at": WHEN.isoformat(),
        }  # fmt: skip
    assert reason(commit(CODE, committed_at=datetime(2037, 12, 31, 23, 59, 59, tzinfo=UTC))) is None
    assert reason(commit(CODE, committed_at=None, message="wip")) == "poor_message"
    with pytest.raises(ValidationError, match="first_year"):
        CommitRulesPolicy(first_year=2000, last_year=1999)


def test_a_damaged_patch_is_a_verdict_and_the_rest_of_the_batch_is_judged():
    cut = commit(CODE, ordinal=1)
    cut["content"] = str(cut["content"])[:-9].replace("int a", "generated")
    rows = [commit(CODE), cut, commit(CODE, ordinal=2, merge=True), commit(CODE, ordinal=3, message="wip")]
    found = judge(pl.DataFrame(rows, schema=SCHEMA), POLICY)
    assert found["ordinal"].to_list() == [0, 1, 2, 3]
    assert found["reason"].to_list() == [None, "damaged_patch", "merge", "poor_message"]
    assert dict(judge(pl.DataFrame(schema=SCHEMA), POLICY).schema) == VERDICT_COLUMNS
