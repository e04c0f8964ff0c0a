"""The `seed` command on commits, packed repositories and long context: run, funnel, why, show, export, sql."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from calls import Outcome, Seed, is_one_line
from support import git, make_repository, python_source, run_flow

from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.steps.lines import REPOSITORY_LINE, WHOLE_CORPORA

_POLICY = {
    "commit_gate": {"commits": 0, "active_days": 0},
    "commit_rules": {"max_root_paths": 2},
    "repository_level": {"sequence_tokens": 900},
    "long_context": {
        "min_tokens": 20,
        "steps": [400, 4000],
        "shares": {"files": 0.3, "repositories": 0.3, "commits": 0.4},
    },
}
_ODD = "src/[/b].py"
"""What closes a style in a terminal's markup."""
_VIEWS = ("commits", "commit_walks", "dependencies", "commit_samples", "repository_sequences", "long_context")


@dataclass(frozen=True)
class _World:
    lake: str
    policy: str
    shas: dict[str, str]
    ran: str


def _commit(path: Path, message: str, files: dict[str, str | bytes]) -> str:
    make_repository(path, files)
    git(path, "commit", "-q", "--amend", "-m", message)
    return git(path, "rev-parse", "HEAD")


def _history(path: Path) -> dict[str, str]:
    """A repository with a history; its commits by what they are."""
    app = python_source(1, 40)
    files: dict[str, str | bytes] = {
        "README.md": "# Garden\n\nCounts what grows.\n",
        "src/app.py": f"import util\n{app}",
        "src/util.py": python_source(2, 90),
        _ODD: python_source(3, 20),
    }
    shas = {"root": _commit(path, "Import the garden", files)}
    shas["kept"] = _commit(path, "Count roots as well as leaves", {"src/app.py": f"import util\n{app}\nROOTS = 1\n"})
    shas["poor"] = _commit(path, "fix", {"src/app.py": f"import util\n{app}\nROOTS = 2\n"})
    shas["odd"] = _commit(path, "Say [/b] what the garden is [bold]for", {_ODD: python_source(3, 20) + "\nUSE = 1\n"})
    return shas


def _call(*arguments: str) -> str:
    """The command in this process, which must end well; what it printed."""
    from seed_platform.cli import main  # noqa: PLC0415 - not for the tests that do not call it

    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("DAGSTER_HOME", "")
        patch.delenv("DAGSTER_HOME")
        patch.setattr(sys, "argv", ["seed", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code, err.getvalue()
    return out.getvalue()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> _World:
    """A lake of one repository with a history, all of it made by `seed run`."""
    folder = tmp_path_factory.mktemp("structure")
    shas = _history(folder / "garden")
    lake, policy = str(folder / "lake"), str(folder / "policy.yaml")
    Path(policy).write_text(json.dumps(_POLICY))
    options = ("--lake", lake, "--policy", policy)
    _call("batch", "add", "repositories", str(folder / "garden"), "--name", "only", *options)
    return _World(lake, policy, shas, _call("run", *options))


@pytest.fixture
def asked(seed: Seed, world: _World) -> Seed:
    """The command on that lake, under its policy."""
    return lambda *arguments: seed(*arguments, "--lake", world.lake, "--policy", world.policy)


def test_a_run_makes_every_corpus_once(asked: Seed, world: _World):
    assert f"done: {len(REPOSITORY_LINE.steps) + len(WHOLE_CORPORA)} results for 1 batches" in world.ran
    assert "up to date" in asked("run").out
    assert asked("batch", "list", "--json").json[0]["outstanding"] == 0


def test_the_funnel_of_commits_says_what_became_of_each(asked: Seed, world: _World):
    told = asked("funnel", "commits", "--json").json
    documents = told["documents"]
    dropped = sum(sum(reasons.values()) for reasons in documents["dropped"].values())
    assert (documents["seen"], documents["kept"], documents["outstanding"]) == (len(world.shas), 2, 0)
    assert documents["seen"] == documents["kept"] + dropped
    assert documents["dropped"]["rules"] == {"root": 1, "poor_message": 1}
    assert list(told["languages"]) == ["garden"]
    assert "2 of 4 commits kept" in asked("funnel", "commits").out
    assert asked("funnel", "commits", "--plot", "f.png", "--batch", "only").code == 0
    assert Path("f.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "form", ["{0}", "{0:.7}", "{0:.12}", "{1}", "{1:.9}", "garden@{0}", "garden@{0:.7}", "garden@{1:.8}"]
)
def test_a_commit_is_found_by_any_spelling_of_its_sha(asked: Seed, world: _World, form: str):
    sha = world.shas["kept"]
    told = asked("why", form.format(sha, sha.upper()), "--json").json
    assert (told["kept"], told["matches"], told["document"]["sha"]) == (True, 1, sha)


def test_why_tells_the_whole_story_of_a_commit(asked: Seed, world: _World):
    told = asked("why", world.shas["kept"], "--json").json
    assert [each["filter"] for each in told["verdicts"]] == ["rules", "exact_duplicates", "near_duplicates", "sample"]
    assert told["document"]["tokens"] > told["document"]["context_tokens"] > 0
    assert asked("why", told["doc_id"], "--json").json == told
    shown = asked("why", world.shas["kept"]).out
    for part in ("is kept", "Count roots as well as leaves", "modify src/app.py", "+2 -0", "branch HEAD"):
        assert part in shown


def test_why_tells_which_filter_dropped_a_commit(asked: Seed, world: _World):
    told = asked("why", world.shas["poor"][:10], "--json").json
    assert told["kept"] is False
    assert told["verdicts"][-1]["reason"] == "poor_message"
    assert "poor_message" in asked("why", world.shas["poor"]).out
    assert asked("why", world.shas["root"], "--json").json["document"]["changed_paths"] == 4
    shown = asked("why", world.shas["odd"]).out
    assert "Say [/b] what the garden is [bold]for" in shown
    assert f"modify {_ODD}" in shown


def test_why_of_a_repository_says_what_was_read_of_its_history_and_how_it_is_packed(asked: Seed):
    shown = asked("why", "garden").out
    assert "4 new commits of HEAD, 2 of them samples" in shown
    told = asked("why", "garden", "--json").json["document"]
    assert told["history"]["commits"] == 4
    assert told["sequences"]["edges"] == 1
    assert "packed" in shown


@pytest.mark.parametrize(
    ("command", "target", "words"),
    [
        ("why", "0123abc", ["0123abc"]),
        ("show", "F" * 40, ["F" * 40]),
        ("why", "f" * DOC_ID_LENGTH, ["no document has the id"]),
        ("show", "garden@0123abc", ["garden has no revision 0123abc"]),
        ("why", "meadow@{kept}", ["meadow"]),
        ("show", "garden:{kept}", ["garden has no file"]),
    ],
)
def test_what_is_not_there_is_one_line(asked: Seed, world: _World, command: str, target: str, words: list[str]):
    assert is_one_line(asked(command, target.format(**world.shas)), 2, *words)


def test_show_prints_a_file_byte_for_byte(asked: Seed, world: _World):
    shown = asked("show", "garden:src/util.py")
    assert (shown.code, shown.out) == (0, python_source(2, 90))
    assert "src/util.py" in shown.err
    odd = asked("show", f"garden:{_ODD}")
    assert (odd.code, odd.out) == (0, python_source(3, 20) + "\nUSE = 1\n")
    assert _ODD in odd.err


def test_show_prints_the_sample_of_a_commit(asked: Seed, world: _World):
    shown = asked("show", world.shas["kept"])
    assert shown.code == 0
    for part in ("Count roots as well as leaves", "# Garden", "util.py", "ROOTS = 1"):
        assert part in shown.out
    assert asked("show", f"garden@{world.shas['kept'][:8]}").out == shown.out
    [row] = asked("sql", f"SELECT content FROM commit_samples WHERE sha = '{world.shas['kept']}'", "--json").json
    assert shown.out.rstrip("\n") == row["content"].rstrip("\n")


@pytest.mark.parametrize("name", ["poor", "root"])
def test_a_dropped_commit_has_no_text_and_show_says_so(asked: Seed, world: _World, name: str):
    assert is_one_line(asked("show", world.shas[name]), 2, "there is no text of this commit", "seed why")


def test_show_prints_a_repository_sequence_by_sequence(asked: Seed):
    whole = asked("show", "garden")
    assert whole.code == 0
    assert whole.out.index("# src/util.py") < whole.out.index("# src/app.py"), "dependencies stand first"
    number = asked("sql", "SELECT count(*) AS n FROM repository_sequences", "--json").json[0]["n"]
    assert number > 1
    assert whole.err.count("tokens") == number
    first = asked("show", "garden", "--first", "1")
    assert first.err.count("tokens") == 1
    assert f"sequence 1 of {number}" in first.err
    assert whole.out.startswith(first.out)
    assert asked("show", "garden", "--first", "99").out == whole.out
    assert asked("show", "garden", "--first", "0").code == 2


def test_show_of_a_repository_that_is_in_no_corpus_is_one_line(seed: Seed, tmp_path: Path):
    make_repository(tmp_path / "tiny", {"one.py": python_source(1, 9)})
    run_flow(str(tmp_path / "other"), [str(tmp_path / "tiny")], name="only", workers=1)
    told = seed("show", "tiny", "--lake", str(tmp_path / "other"))
    assert told.code == 2
    assert told.err.splitlines()[-1].startswith("seed: this repository is not in the repository-level corpus")
    assert is_one_line(
        seed("export", "commits", "out", "--lake", str(tmp_path / "other")), 1, "outstanding", "seed run"
    )


def _exported(asked: Seed, corpus: str, *options: str) -> tuple[Outcome, pl.DataFrame]:
    done = asked("export", corpus, f"out-{corpus}", "--json", *options)
    assert done.code == 0, done.err
    if "jsonl" in options:
        return done, pl.scan_ndjson(f"out-{corpus}/data/*.jsonl").collect()
    return done, pl.read_parquet(f"out-{corpus}/data/*.parquet")


@pytest.mark.parametrize(
    ("corpus", "file_format"),
    [("commits", "parquet"), ("repository_level", "parquet"), ("long_context", "parquet"), ("long_context", "jsonl")],
)
def test_a_corpus_is_exported_with_the_text_that_show_prints(asked: Seed, corpus: str, file_format: str):
    done, rows = _exported(asked, corpus, "--format", file_format)
    assert done.json["documents"] == rows.height > 0
    assert done.json["text_bytes"] == sum(len(text.encode()) for text in rows["text"])
    view = {"commits": "commit_samples", "repository_level": "repository_sequences"}.get(corpus, corpus)
    [counted] = asked("sql", f"SELECT count(*) AS n FROM {view}", "--json").json
    assert counted["n"] == rows.height
    card = Path(f"out-{corpus}/README.md").read_text()
    for column in rows.columns:
        assert column in card
    if corpus == "repository_level":
        assert "".join(rows["text"]) == asked("show", "garden").out
    if corpus == "commits":
        assert [asked("show", sha).out.rstrip("\n") for sha in rows["sha"]] == [
            text.rstrip("\n") for text in rows["text"]
        ]


def test_the_long_context_corpus_is_not_exported_while_it_is_older_than_what_it_is_made_of(
    asked: Seed, seed: Seed, world: _World, tmp_path: Path
):
    other: dict[str, Any] = {**_POLICY, "long_context": {**_POLICY["long_context"], "min_tokens": 21}}
    (tmp_path / "other.yaml").write_text(json.dumps(other))
    call = ("--lake", world.lake, "--policy", "other.yaml")
    assert is_one_line(seed("export", "long_context", "out", *call), 1, "older than what it is made of", "seed run")
    assert seed("export", "commits", "out", *call).code == 0


def test_every_table_is_a_view_with_rows(asked: Seed):
    query = " UNION ALL ".join(
        f"SELECT '{view}' AS name, batch, count(*) AS n FROM {view} GROUP BY ALL" for view in _VIEWS
    )
    rows = asked("sql", query, "--json").json
    assert {(row["name"], row["batch"]) for row in rows if row["n"]} == {(view, "only") for view in _VIEWS}
    for view in ("commits", "repository_sequences"):  # with lists, JSON and dates
        assert len(asked("sql", f"SELECT * FROM {view}", "--json", "--limit", "2").json) == 2
        assert asked("sql", f"SELECT * FROM {view}").code == 0


def test_views_join_over_place_and_id(asked: Seed, world: _World):
    query = (
        "SELECT c.sha, v.reason FROM commits c JOIN verdicts v USING (batch, ordinal) "
        "WHERE v.kind = 'commit' AND v.filter = 'rules' AND NOT v.keep ORDER BY c.ordinal"
    )
    assert [(row["sha"], row["reason"]) for row in asked("sql", query, "--json").json] == [
        (world.shas["root"], "root"),
        (world.shas["poor"], "poor_message"),
    ]
    query = (
        "SELECT u.path AS user, f.path AS used FROM dependencies d JOIN files u USING (batch, ordinal) "
        "JOIN files f ON f.batch = d.batch AND f.ordinal = d.dependency"
    )
    assert asked("sql", query, "--json").json == [{"user": "src/app.py", "used": "src/util.py"}]
