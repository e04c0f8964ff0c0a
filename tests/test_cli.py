"""The `seed` command as its users have it: exit codes, one line for an error, stable JSON, and help with examples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support import edited, make_repository, python_source, run_flow, views

from seed_platform.cli import cli, main
from seed_platform.documents import DOC_ID_LENGTH
from seed_platform.policy import Policy, load_policy

_TEXT = python_source(1, 60)
_FILES = {
    "src/kept.py": _TEXT,
    "src/zz_copy.py": _TEXT,
    "src/zz_near.py": edited(_TEXT, [5, 30]),
    "src/wrong.py": "def (:\n",
    "data.bin": b"\0\1",
    "other.py": python_source(2, 40),
}


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        assert self.code == 0, self.err
        return json.loads(self.out)


Seed = Callable[..., Outcome]


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Seed:
    """Calls the command in this process, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["seed", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call


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
    run_flow(str(folder / "lake"), [str(project)], name="first")
    run_flow(str(folder / "lake"), [str(again)], name="second")
    return str(folder / "lake")


def _is_one_line(outcome: Outcome, code: int, *words: str) -> bool:
    """Whether the call ended in one line for a person; progress of the work before it may stand above."""
    assert outcome.code == code
    assert outcome.out == ""
    *progress, line = outcome.err.splitlines()
    assert all("━" in shown for shown in progress)
    assert line.startswith("seed: ")
    for word in words:
        assert word in line
    return True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], ["nonsense"]),
        (["funnel", "none_level"], ["none_level"]),
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
    assert _is_one_line(seed(*arguments), 2, *words)
    assert not (tmp_path / "lake").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["why", "project"], ["REPOSITORY:PATH"]),
        (["why", "f" * DOC_ID_LENGTH], ["no document has the id"]),
        (["why", "projekt:src/kept.py"], ["projekt", "there are: project"]),
        (["why", "project:lib/kept.py"], ["did you mean src/kept.py?"]),
        (["why", "project:none.py"], ["project has no file none.py"]),
        (["why", "project@0000000:src/kept.py"], ["project has no file"]),
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
    assert _is_one_line(seed(*arguments, "--lake", root), 2, *words)
    assert not Path("out.csv").exists()


def test_work_that_cannot_be_done_is_one_line_and_exit_code_1(seed: Seed, root: str, tmp_path: Path):
    make_repository(tmp_path / "new", {"a.py": "x = 1\n"})
    assert seed("batch", "add", "repositories", "new").code == 0
    assert _is_one_line(seed("export", "file_level", "out"), 1, "outstanding", "seed run")
    (tmp_path / "file").write_text("x")
    assert _is_one_line(seed("batch", "add", "repositories", "new", "--lake", "file/lake"), 1, "file/lake")
    assert _is_one_line(seed("export", "file_level", "file/out", "--lake", root), 1)


def test_a_wrong_setting_is_named(seed: Seed, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEED_WORKERS", "none")
    assert _is_one_line(seed("batch", "list"), 2, "SEED_WORKERS")
    monkeypatch.delenv("SEED_WORKERS")
    for text in ("workers = \n", "colour = 'red'\n"):
        Path("seed.toml").write_text(text)
        assert _is_one_line(seed("batch", "list"), 2, "seed.toml")


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
    assert [batch["outstanding"] for batch in batches] == [2, 2]  # near duplicates and the corpus


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
    assert _is_one_line(seed("export", "file_level", "out", "--lake", root), 2, "--overwrite")
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
    assert _is_one_line(seed("policy", "show", "--policy", "policy.yaml"), 2, "policy.yaml: line", "threshold")
