"""The `seed` command as its users have it: exit codes, one line for an error, stable JSON, and help with examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from calls import Seed, is_one_line
from repository_world import world
from support import edited, make_repository, python_source, run_flow, views

from seed_platform.cli import cli
from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.policy import Policy, load_policy
from seed_platform.steps.lines import REPOSITORY_LINE

_TEXT = python_source(1, 60)
_FILES = {
    "src/kept.py": _TEXT,
    "src/zz_copy.py": _TEXT,
    "src/zz_near.py": edited(_TEXT, [5, 30]),
    "src/wrong.py": "def (:\n",
    "data.bin": b"\0\1",
    "other.py": python_source(2, 40),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of two batches, computed: a document of every fate, and the same path in two repositories of one name."""
    folder = tmp_path_factory.mktemp("cli")
    project = folder / "project"
    (project / "[").mkdir(parents=True)
    (project / "[" / "link].py").symlink_to("../src/kept.py")  # "[/link]" is what closes a style in a terminal's markup
    make_repository(project, _FILES)
    again = folder / "fork" / "project"
    make_repository(again, {"src/kept.py": python_source(3, 40), "notes.py": python_source(4, 30)})
    for name, spec in (("first", project), ("second", again)):
        run_flow(str(folder / "lake"), [str(spec)], name=name, steps=REPOSITORY_LINE.steps)
    return str(folder / "lake")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["funnel", "none_level"], ["none_level"]),
        (["export", "none_level", "out"], ["none_level"]),
        (["funnel", "--nonsense"], ["--nonsense"]),
        (["batch", "add", "repositories"], ["SOURCE"]),
        (["batch", "add", "crawls", "x"], ["crawls"]),
        (["batch", "add", "repositories", "./none"], ["./none", "does not exist"]),
        (["batch", "add", "repositories", ".", "--name", "Not A Name"], ["Not A Name"]),
        (["batch", "add", "repositories", ".", "--metadata", "none.jsonl"], ["none.jsonl"]),
        (["funnel"], ["has no batch yet", "seed batch add"]),
        (["run"], ["has no batch yet"]),
        (["why", "a:b"], ["has no batch yet"]),
        (["sql", "SELECT 1"], ["has no batch yet"]),
        (["export", "file_level", "out"], ["has no batch yet"]),
        (["funnel", "--lake", "gs://bucket"], ["gs://bucket"]),
        (["policy", "show", "--policy", "none.yaml"], ["none.yaml"]),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(seed: Seed, tmp_path: Path, arguments: list[str], words: list[str]):
    (tmp_path / "a.py").write_text("x = 1\n")
    assert is_one_line(seed(*arguments), 2, *words)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["why", "project:"], ["REPOSITORY:PATH"]),
        (["why", ":src/kept.py"], ["REPOSITORY:PATH"]),
        (["why", "projekt"], ["projekt", "did you mean project?"]),
        (["why", "project@0000000"], ["project has no revision 0000000"]),
        (["why", "f" * DOC_ID_LENGTH], ["no document has the id"]),
        (["why", "projekt:src/kept.py"], ["projekt", "there are: project"]),
        (["why", "project:lib/kept.py"], ["did you mean src/kept.py?"]),
        (["why", "project:none.py"], ["project has no file none.py"]),
        (["why", "project@0000000:src/kept.py"], ["project has no revision 0000000"]),
        (["why", "proj%:src/kept.py"], ["proj%"]),
        (["funnel", "--batch", "third"], ["third", "first, second"]),
        (["sql", "SELECT nonsense"], ["nonsense"]),
        (["sql", "SELEKT 1"], ["SELEKT"]),
        (["sql", "SELECT * FROM read_text('/etc/hostname')"], ["disabled"]),
        (["sql", "COPY files TO 'out.csv'"], ["SELECT"]),
        (["sql", "SET enable_external_access = true"], ["SELECT"]),
        (["sql", ""], ["SELECT"]),
        (["sql", "SELECT 1; SELECT 2"], ["SELECT"]),
        (["sql", "INSERT INTO batches SELECT * FROM batches"], []),
    ],
)
def test_a_wrong_question_is_one_line_and_exit_code_2(seed: Seed, root: str, arguments: list[str], words: list[str]):
    assert is_one_line(seed(*arguments, "--lake", root), 2, *words)
    assert not Path("out.csv").exists()


def test_work_that_cannot_be_done_is_one_line_and_exit_code_1(seed: Seed, root: str, tmp_path: Path):
    make_repository(tmp_path / "new", {"a.py": "x = 1\n"})
    assert seed("batch", "add", "repositories", "new").code == 0
    assert is_one_line(seed("export", "file_level", "out"), 1, "outstanding", "seed run")
    (tmp_path / "file").write_text("x")
    assert is_one_line(seed("batch", "add", "repositories", "new", "--lake", "file/lake"), 1, "file/lake")
    assert is_one_line(seed("export", "file_level", "file/out", "--lake", root), 1)


def test_a_wrong_setting_is_named(seed: Seed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEED_WORKERS", "none")
    assert is_one_line(seed("batch", "list"), 2, "SEED_WORKERS")
    monkeypatch.delenv("SEED_WORKERS")
    for text in ("workers = \n", "colour = 'red'\n"):
        Path("seed.toml").write_text(text)
        assert is_one_line(seed("batch", "list"), 2, "seed.toml")


def test_exit_codes_and_lines_are_the_same_from_a_shell(root: str, tmp_path: Path):
    def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "seed_platform", *arguments]
        return subprocess.run(command, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False)

    done = shell("batch", "list", "--json", "--lake", root)
    assert (done.returncode, done.stderr) == (0, "")
    assert [batch["batch"] for batch in json.loads(done.stdout)] == ["first", "second"]
    wrong = shell("why", "none:x", "--lake", root)
    assert (wrong.returncode, wrong.stdout, wrong.stderr.count("\n")) == (2, "", 1)
    assert shell("--version").stdout.startswith("seed")


def test_a_reader_that_closes_the_pipe_causes_no_traceback(root: str, tmp_path: Path):
    query = "SELECT f.path, r.range FROM files f, range(20000) r"
    command = [sys.executable, "-m", "seed_platform", "sql", query, "--limit", "0", "--json", "--lake", root]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""


def _commands(group: click.Group, prefix: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += _commands(command, (*prefix, name))
        else:
            found.append(((*prefix, name), command))
    return found


@pytest.mark.parametrize("path", [path for path, _ in _commands(cli)], ids=" ".join)
def test_every_command_explains_itself_with_an_example(seed: Seed, path: tuple[str, ...]):
    told = seed(*path, "--help")
    assert (told.code, told.err) == (0, "")
    assert f"seed {' '.join(path)}" in told.out.split("Example", 1)[1]


def test_a_call_without_a_command_shows_the_help(seed: Seed):
    for arguments in ([], ["batch"]):
        told = seed(*arguments)
        assert told.code == 2
        assert "\nCommands:\n" in told.err


def test_adding_says_what_it_did_and_again_changes_nothing(seed: Seed, tmp_path: Path):
    make_repository(tmp_path / "one", {"a.py": "x = 1\n"})
    call = ["batch", "add", "repositories", "one", "./[/none]", "--name", "mine", "--json"]
    first = seed(*call).json
    rejected = {"./[/none]": "missing_path"}
    assert first == {"batch": "mine", "arrival": 1, "new": True, "sources": 2, "rejected": rejected}
    assert seed(*call).json == {**first, "new": False}
    told = seed(*call[:-1])
    assert told.code == 0
    assert "./[/none]: missing_path" in told.err
    assert "nothing new" in told.out


def test_the_list_of_batches_has_its_keys(seed: Seed, root: str):
    first, second = seed("batch", "list", "--json", "--lake", root).json
    assert set(first) == {"batch", "arrival", "kind", "created_at", "outstanding", "sources"}
    assert (first["batch"], first["arrival"], first["outstanding"]) == ("first", 1, 0)
    assert set(second["sources"][0]) == {"spec", "repository", "revision", "rejected"}
    assert "first" in seed("batch", "list", "--lake", root).out
    assert seed("batch", "list", "--json", "--lake", "nowhere").json == []


def test_a_changed_policy_makes_work_outstanding(seed: Seed, root: str):
    Path("policy.yaml").write_text("near_duplicates: {threshold: 0.9}\n")
    batches = seed("batch", "list", "--json", "--lake", root, "--policy", "policy.yaml").json
    # Near duplicates, the scores of what they leave, quality, the corpus, and what is packed without them.
    assert [batch["outstanding"] for batch in batches] == [5, 5]


@pytest.mark.parametrize("options", [[], ["--batch", "first"], ["--batch", "first", "--batch", "second"]])
def test_nothing_is_lost_in_the_funnel(seed: Seed, root: str, options: list[str]):
    counted = seed("funnel", "file_level", "--json", "--lake", root, *options).json
    assert set(counted) == {"corpus", "documents", "bytes", "tokens_estimated", "languages", "rejected"}
    for flow in (counted["documents"], counted["bytes"]):
        dropped = sum(sum(reasons.values()) for reasons in flow["dropped"].values())
        assert flow["seen"] == flow["kept"] + flow["outstanding"] + dropped
        assert flow["outstanding"] == 0
    assert list(counted["documents"]["dropped"]) == ["rules", "exact_duplicates", "syntax", "near_duplicates"]
    assert counted["documents"]["dropped"]["near_duplicates"] == {"near_duplicate": 1}
    assert counted["rejected"] == {"symlink": 1}
    for unit in ("documents", "bytes"):
        assert sum(each[unit]["seen"] for each in counted["languages"].values()) == counted[unit]["seen"]
        assert sum(each[unit]["kept"] for each in counted["languages"].values()) == counted[unit]["kept"]
    with views(root) as connection:
        number, size = connection.execute("SELECT count(*), sum(bytes) FROM files").fetchone() or (0, 0)
    if options != ["--batch", "first"]:
        assert (counted["documents"]["seen"], counted["bytes"]["seen"]) == (number, size)


def test_the_funnel_has_a_table_and_a_picture(seed: Seed, root: str):
    told = seed("funnel", "--lake", root, "--plot", "funnel.png")
    assert told.code == 0
    assert "near_duplicate" in told.out
    assert Path("funnel.png").read_bytes().startswith(b"\x89PNG")


def test_a_batch_not_yet_computed_is_outstanding_in_the_funnel(seed: Seed, tmp_path: Path):
    make_repository(tmp_path / "one", {"a.py": "x = 1\n"})
    seed("batch", "add", "repositories", "one")
    assert seed("funnel", "--json").json["documents"] == {"seen": 0, "kept": 0, "outstanding": 0, "dropped": {}}


def _why(seed: Seed, root: str, target: str) -> dict[str, Any]:
    story = seed("why", target, "--json", "--lake", root).json
    assert set(story) == {"doc_id", "kept", "document", "repository", "verdicts", "duplicates", "matches"}
    assert seed("why", target, "--lake", root).code == 0
    return story


def _revision(root: str) -> str:
    with views(root) as connection:
        row = connection.execute("SELECT revision FROM repositories WHERE batch = 'first'").fetchone()
    return str(row[0]) if row else ""


def test_why_tells_of_a_kept_file_and_of_its_duplicates(seed: Seed, root: str):
    story = _why(seed, root, f"project@{_revision(root)[:10]}:src/kept.py")
    assert story["kept"] is True
    assert [verdict["filter"] for verdict in story["verdicts"]] == list(Policy().file_level.filters)
    assert all(verdict["keep"] for verdict in story["verdicts"])
    assert story["duplicates"]["count"] == 2
    assert story["repository"]["repository"] == "project"
    assert _why(seed, root, story["doc_id"]) == story


def test_why_names_the_document_that_a_duplicate_is_one_of(seed: Seed, root: str):
    kept = _why(seed, root, f"project@{_revision(root)}:src/kept.py")["doc_id"]
    for path, name in (("src/zz_copy.py", "exact_duplicate"), ("src/zz_near.py", "near_duplicate")):
        story = _why(seed, root, f"project:{path}")
        (verdict,) = [verdict for verdict in story["verdicts"] if not verdict["keep"]]
        assert story["kept"] is False
        assert (verdict["filter"], verdict["reason"], verdict["related_doc_id"]) == (f"{name}s", name, kept)
        assert verdict["related"].endswith(":src/kept.py")
    assert 0.7 <= verdict["score"] < 1


def test_why_tells_of_a_syntax_error_and_of_a_rejected_symlink(seed: Seed, root: str):
    story = _why(seed, root, "project:src/wrong.py")
    assert [(verdict["filter"], verdict["reason"]) for verdict in story["verdicts"] if not verdict["keep"]] == [
        ("syntax", "syntax_error")
    ]
    link = _why(seed, root, "project:[/link].py")
    assert (link["doc_id"], link["kept"], link["document"]["reason"]) == (None, False, "symlink")
    assert "[/link].py never became a document" in seed("why", "project:[/link].py", "--lake", root).out


def test_why_of_an_ambiguous_name_tells_the_last_that_arrived_and_how_many_there_are(seed: Seed, root: str):
    story = _why(seed, root, "project:src/kept.py")
    assert (story["matches"], story["document"]["batch"]) == (2, "second")
    assert "2 documents have this name" in seed("why", "project:src/kept.py", "--lake", root).out


def test_why_of_a_repository_id_tells_of_the_repository(seed: Seed, root: str):
    story = _why(seed, root, _why(seed, root, "project:other.py")["document"]["repository_id"])
    assert story["document"]["kind"] == "repository"


def test_sql_gives_rows_as_objects_and_as_a_table(seed: Seed, root: str):
    query = "SELECT language, count(*) AS n FROM file_level GROUP BY 1"
    assert seed("sql", query, "--json", "--lake", root).json == [{"language": "Python", "n": 4}]
    assert "Python" in seed("sql", query, "--lake", root).out
    assert len(seed("sql", "SELECT * FROM files", "--json", "--limit", "3", "--lake", root).json) == 3
    assert len(seed("sql", "SELECT * FROM files", "--json", "--limit", "0", "--lake", root).json) == 8


@pytest.mark.parametrize("query", ["SELECT '[/x]' AS \"[/y]\"", "SELECT [1, 2], {'a': NULL}, 'x\ny', '\\xff'::BLOB"])
def test_sql_shows_any_value(seed: Seed, root: str, query: str):
    assert seed("sql", query, "--lake", root).code == 0
    assert len(seed("sql", query, "--json", "--lake", root).json) == 1


def test_export_says_what_it_wrote(seed: Seed, root: str):
    done = seed("export", "file_level", "out", "--format", "jsonl", "--json", "--lake", root).json
    assert set(done) == {"destination", "documents", "text_bytes", "shards"}
    assert done["documents"] == 4
    for shard in done["shards"]:
        assert (Path("out") / shard).is_file()
    assert is_one_line(seed("export", "file_level", "out", "--lake", root), 2, "--overwrite")
    assert seed("export", "file_level", "out", "--overwrite", "--lake", root).code == 0


def test_an_option_beats_the_environment_which_beats_the_default(
    seed: Seed, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_repository(tmp_path / "one", {"a.py": "x = 1\n"})
    assert seed("batch", "add", "repositories", "one", "--name", "here").code == 0
    assert (tmp_path / "lake").is_dir()

    def listed(*options: str) -> list[str]:
        return [batch["batch"] for batch in seed("batch", "list", "--json", *options).json]

    assert listed() == ["here"]
    monkeypatch.setenv("SEED_LAKE", root)
    assert listed() == ["first", "second"]
    assert listed("--lake", "lake") == ["here"]


def test_the_policy_shown_can_be_edited_and_given_back(seed: Seed, tmp_path: Path):
    shown = seed("policy", "show").out
    assert yaml.safe_load(shown) == Policy().model_dump(mode="json")
    Path("policy.yaml").write_text(shown)
    assert load_policy(Path("policy.yaml")) == Policy()
    assert seed("policy", "show", "--policy", "policy.yaml").out == shown
    Path("policy.yaml").write_text(shown.replace("threshold: 0.7", "threshold: seven"))
    assert is_one_line(seed("policy", "show", "--policy", "policy.yaml"), 2, "policy.yaml: line", "threshold")


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake of repositories that copy each other."""
    return world(tmp_path_factory.mktemp("copies"), Policy(), REPOSITORY_LINE.steps)


def test_why_of_a_dropped_repository_names_the_kept_one_and_the_overlap(seed: Seed, copies: str):
    story = _why(seed, copies, "fork")
    assert (story["kept"], story["document"]["kind"], story["repository"]) == (False, "repository", None)
    exact, near, gate = story["verdicts"]
    assert (exact["keep"], near["keep"], near["reason"]) == (True, False, "near_duplicate")
    assert gate["filter"] == "commit_gate"
    assert near["related"].startswith("lib@")
    assert near["evidence"]["own_files"] == 2
    instead = story["document"]["kept_repository"]
    assert instead == {"doc_id": near["related_doc_id"], "name": near["related"], "overlap": near["score"]}
    told = seed("why", "fork", "--lake", copies).out
    assert f"a copy of {near['related']}, overlap {near['score']:.4g}" in told
    assert _why(seed, copies, story["doc_id"]) == story
    assert _why(seed, copies, f"fork@{story['document']['revision'][:8]}") == story


def test_why_of_a_copy_of_a_dropped_repository_names_the_one_that_is_kept_in_the_end(seed: Seed, copies: str):
    story = _why(seed, copies, "fork_of_fork")
    exact, gate = story["verdicts"]
    assert gate["filter"] == "commit_gate"
    assert exact["related"].startswith("fork@")
    fork = _why(seed, copies, "fork")["document"]["kept_repository"]
    assert story["document"]["kept_repository"] == fork


def test_why_of_a_kept_repository_tells_what_was_dropped_for_it(seed: Seed, copies: str):
    story = _why(seed, copies, "lib")
    assert (story["kept"], story["document"]["kept_repository"]) == (True, None)
    assert story["duplicates"]["count"] == 5
    assert {name.partition("@")[0] for name in story["duplicates"]["examples"]} == {
        "fork", "mirror", "moved", "snapshot", "popular"
    }  # fmt: skip
    assert story["document"]["kept_files"] == 16
    void = _why(seed, copies, "void")
    assert (void["kept"], void["verdicts"][0]["reason"]) == (False, "no_files")


def test_why_of_a_file_dropped_with_its_repository_names_both(seed: Seed, copies: str):
    story = _why(seed, copies, "snapshot:copied/src/m3.py")
    rules, verdict = story["verdicts"]
    assert (story["kept"], rules["keep"], verdict["filter"]) == (False, True, "repository_duplicates")
    assert (verdict["reason"], verdict["related"].partition("@")[0]) == ("repository_duplicate", "lib")
    assert verdict["evidence"]["path"] == "src/m3.py"
    assert story["repository"]["kept"] is False
    assert story["repository"]["verdicts"][1]["score"] == verdict["score"]
    told = " ".join(seed("why", "snapshot:copied/src/m3.py", "--lake", copies).out.split())  # lines may be folded
    assert f"overlap {verdict['score']:.4g}" in told
    kept = _why(seed, copies, "lib:src/m3.py")
    assert kept["doc_id"] == verdict["evidence"]["same_content"]
    assert kept["duplicates"]["count"] == 6


def test_why_of_any_file_of_a_dropped_repository_says_so(seed: Seed, copies: str):
    story = _why(seed, copies, "snapshot:main.py")
    assert (story["kept"], story["repository"]["kept"]) == (True, False)
    assert "its repository is dropped as a copy of lib@" in seed("why", "snapshot:main.py", "--lake", copies).out


def test_why_of_an_unknown_repository_offers_names_like_it(seed: Seed, copies: str):
    assert is_one_line(seed("why", "snapshod", "--lake", copies), 2, "did you mean snapshot")
    assert is_one_line(seed("why", "snapshod:main.py", "--lake", copies), 2, "did you mean snapshot")


def test_why_of_a_source_that_was_never_read_tells_the_rejection(seed: Seed, tmp_path: Path):
    make_repository(tmp_path / "good", {"a.py": "x = 1\n"})
    run_flow(str(tmp_path / "lake"), [str(tmp_path / "good"), str(tmp_path / "gone")], workers=1)
    story = _why(seed, str(tmp_path / "lake"), "gone")
    assert (story["doc_id"], story["kept"], story["document"]["reason"]) == (None, False, "missing_path")


def test_the_funnel_of_repositories_has_the_keys_of_the_other(seed: Seed, root: str, copies: str):
    counted = seed("funnel", "repository_level", "--json", "--lake", copies).json
    assert set(counted) == set(seed("funnel", "--json", "--lake", root).json)
    assert counted["documents"]["dropped"]["near_duplicates"] == {"near_duplicate": 4}
    assert counted["documents"]["dropped"]["quality"] == {"no_kept_files": 2}
    assert "4 of 12 repositories kept" in seed("funnel", "repository_level", "--lake", copies).out
