"""The repository-level corpus on generated repositories: what is chosen, in which order it stands, where it is cut."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl
import pytest
from flow_tables import rows_of
from support import git, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.batches import REFERENCES, add_batch, list_batches, pin_sources
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.corpora.repository_level import documents
from seed_platform.dependencies.base import Edge, Facts
from seed_platform.dependencies.python import PythonResolver
from seed_platform.engine.base import Death
from seed_platform.lake.lake import Commit, Lake, Part
from seed_platform.lake.schemas import DEPENDENCIES, FILES, REPOSITORY_LEVEL, REPOSITORY_SEQUENCES, verdicts
from seed_platform.lineage.show import texts
from seed_platform.lineage.structure_checks import sequences_hold
from seed_platform.lineage.why import why
from seed_platform.policy import Policy
from seed_platform.steps import dependencies, repository_tasks
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.flow import STEPS
from seed_platform.steps.read import limits_of
from seed_platform.steps.repository_tasks import bounds, in_runs, of_place

_SMALL = Policy(repository_level=RepositoryLevelPolicy(sequence_tokens=1200))


def _module(seed: int, *imports: str, lines: int = 30) -> str:
    return "\n".join([*imports, "", python_source(seed, lines)])


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Four repositories: a package of two related halves, one of a cycle, one of broken files, one of a single file."""
    folder = tmp_path_factory.mktemp("structure")
    chain = {
        "pkg/__init__.py": "",
        "pkg/zero.py": _module(1),
        "pkg/one.py": _module(2, "from pkg.zero import a"),
        "pkg/two.py": _module(3, "from . import one"),
        "other/far.py": _module(4),
        "other/near.py": _module(5, "from other import far"),
        "README.md": "# A chain of modules\n\nEach imports the one before.\n",
        "long.py": python_source(6, 400),
    }
    cycle = {"a.py": _module(10, "import b"), "b.py": _module(11, "import c"), "c.py": _module(12, "import a")}
    broken = {f"m{n}.py": f"def (:\n    !!! {n}\n" * 9 for n in range(3)} | {"good.py": _module(20)}
    for name, files in (("chain", chain), ("cycle", cycle), ("broken", broken), ("single", {"s.py": _module(30)})):
        make_repository(folder / name, files)
    specs = [str(folder / name) for name in ("chain", "cycle", "broken", "single")]
    run_flow(str(folder / "lake"), specs, policy=_SMALL, name="first", steps=STEPS)
    return lake_of(settings_of(str(folder / "lake")))


def _order(lake: Lake) -> list[str]:
    """Every file of the corpus as it stands, the sequences one after the other."""
    files = dict(lake.column(FILES, ["ordinal", "path"], batch="first").iter_rows())
    return [files[each] for row in rows_of(lake, REPOSITORY_SEQUENCES)["files"] for each in row]


def test_repositories_are_chosen_by_the_average_quality_of_their_files(lake: Lake):
    judged = rows_of(lake, verdicts("repositories", "quality"))
    assert judged["reason"].to_list() == [None, None, "low_quality", "too_few_files"]
    assert judged["score"].to_list()[2] == pytest.approx(0.25)
    assert rows_of(lake, REPOSITORY_LEVEL)["repository"].to_list() == ["chain", "cycle"]


def test_dependencies_stand_before_their_users(lake: Lake):
    order = _order(lake)
    pairs = {"pkg/one.py": "pkg/zero.py", "pkg/two.py": "pkg/one.py", "other/near.py": "other/far.py"}
    for user, dependency in pairs.items():
        assert order.index(dependency) < order.index(user)
    names = dict(rows_of(lake, FILES).select("ordinal", "path").iter_rows())
    found = rows_of(lake, DEPENDENCIES).select("ordinal", "dependency")
    edges = {(names[user], names[used]) for user, used in found.iter_rows()}
    assert {("pkg/one.py", "pkg/zero.py"), ("a.py", "b.py"), ("b.py", "c.py"), ("c.py", "a.py")} <= edges


def test_no_sequence_is_over_the_budget_and_no_file_is_lost(lake: Lake):
    held = sequences_hold(lake, settings_of(lake.root), _SMALL.repository_level, ["first"])
    assert held.passed, held
    assert held.numbers["files"] == len(set(_order(lake)))
    assert rows_of(lake, REPOSITORY_SEQUENCES)["tokens"].max() <= 1200  # type: ignore[operator]


def test_texts_are_the_files_under_their_paths_and_parts_join_to_the_whole(lake: Lake):
    frames = list(documents(lake, list_batches(lake)))
    told = pl.concat(frames)
    sizes = rows_of(lake, REPOSITORY_SEQUENCES)["bytes"].to_list()
    assert [len(text.encode()) for text in told["text"]] == sizes
    contents = dict(rows_of(lake, FILES).select("path", "content").iter_rows())
    whole = [text for text, paths in told.select("text", "paths").iter_rows() if "pkg/one.py" in paths]
    assert f"# pkg/one.py\n{contents['pkg/one.py']}" in whole[0]
    assert "<!-- README.md -->\n# A chain of modules" in "".join(told["text"])
    parts = [text for text, paths in told.select("text", "paths").iter_rows() if paths == ["long.py"]]
    assert len(parts) > 1
    assert "".join(part.partition("\n")[2].removesuffix("\n") for part in parts) == contents["long.py"]
    assert parts[0].startswith("# long.py (bytes 0 to ")


def test_the_story_of_a_repository_says_what_it_became(lake: Lake):
    with views(lake.root) as connection:
        story = why(connection, "chain", _SMALL)
        assert story.kept
        sequences = rows_of(lake, REPOSITORY_SEQUENCES).filter(pl.col("repository") == "chain")
        assert story.document["sequences"]["sequences"] == sequences.height
        shown = list(texts(lake, connection, story))
        assert shown[0][0].startswith("sequence 1 of ")
        dropped = why(connection, "broken", _SMALL)
        assert dropped.kept is False
        assert next(each["reason"] for each in dropped.verdicts if not each["keep"]) == "low_quality"


def test_another_budget_recuts_and_parses_nothing(lake: Lake, tmp_path: Path):
    root = tmp_path / "lake"
    shutil.copytree(lake.root, root)
    done = run_flow(str(root), [], policy=Policy(), steps=STEPS)
    assert {each.report.step for each in done} == {
        "verdicts/repositories/quality", "corpora/repository_level", "corpora/repository_sequences"
    }  # fmt: skip
    sequences = rows_of(lake_of(settings_of(str(root))), REPOSITORY_SEQUENCES)
    assert sequences["repository"].to_list() == ["chain", "cycle"]


def _commit_paths(folder: Path, files: Mapping[bytes, str]) -> None:
    """A repository of files at any paths, which the file system need not be able to hold."""
    make_repository(folder, {})
    entries = []
    for path, text in files.items():
        made = subprocess.run(
            ["git", "hash-object", "-w", "--stdin"], cwd=folder, input=text.encode(), capture_output=True, check=True
        )
        entries.append(b"100644 blob " + made.stdout.strip() + b"\t" + path + b"\0")
    tree = subprocess.run(["git", "mktree", "-z"], cwd=folder, input=b"".join(entries), capture_output=True, check=True)
    commit = git(folder, "commit-tree", "-m", "change", tree.stdout.decode().strip())
    git(folder, "update-ref", "refs/heads/main", commit)


def test_two_files_whose_paths_look_alike_both_stand_in_sequences(tmp_path: Path):
    paths = {b"a\xff.py": _module(1), b"a\\xff.py": _module(2, "import b"), b"b.py": _module(3), b"c.py": _module(4)}
    _commit_paths(tmp_path / "alike", paths)
    run_flow(str(tmp_path / "lake"), [str(tmp_path / "alike")], policy=_SMALL, name="first", steps=STEPS, workers=1)
    lake = lake_of(settings_of(str(tmp_path / "lake")))
    assert sorted(_order(lake)) == ["a\\xff.py", "a\\xff.py", "b.py", "c.py"]
    assert sequences_hold(lake, settings_of(lake.root), _SMALL.repository_level, ["first"]).passed
    told = "".join(pl.concat(list(documents(lake, list_batches(lake))))["text"])
    assert told.count("# a\\xff.py\n") == 2
    assert all(text in told for text in paths.values())
    assert "\0" not in told


def test_what_resembles_a_reference_document_stands_in_no_sequence(lake: Lake, tmp_path: Path):
    root = str(shutil.copytree(lake.root, tmp_path / "lake"))
    (tmp_path / "held.jsonl").write_text(json.dumps({"text": python_source(2, 30)}) + "\n")
    pinned = pin_sources([str(tmp_path / "held.jsonl")], limits_of(settings_of(root)), {}, kind=REFERENCES)
    add_batch(lake_of(settings_of(root)), pinned, name="held-out", kind=REFERENCES)
    old = sequences_hold(lake_of(settings_of(root)), settings_of(root), _SMALL.repository_level, ["first"])
    done = run_flow(root, [], policy=_SMALL, steps=STEPS, workers=1)
    assert "corpora/repository_sequences" in {each.report.step for each in done}
    compared = lake_of(settings_of(root))
    assert sorted(set(_order(lake)) - set(_order(compared))) == ["pkg/one.py"]
    assert set(_order(compared)) < set(_order(lake))
    held = sequences_hold(compared, settings_of(root), _SMALL.repository_level, ["first"])
    assert (old.passed, held.passed, held.numbers["files"]) == (True, True, old.numbers["files"] - 1)
    # The sequences of before the set came fail the check that knows of it.
    lake_before = rows_of(lake, REPOSITORY_SEQUENCES)
    with compared.writer(REPOSITORY_SEQUENCES, batch="first") as writer:
        writer.write(lake_before)
    compared.publish(REPOSITORY_SEQUENCES, writer.parts, Commit("old", "0", "0"), batch="first")
    assert not sequences_hold(compared, settings_of(root), _SMALL.repository_level, ["first"]).passed


class _Dies(BaseException):
    """Stands for the end of the process, which leaves the journal as it is."""


class _Resolver(PythonResolver):
    """Dies of the repository of the cycle."""

    def edges(
        self, facts: Mapping[str, Facts], configurations: Mapping[str, bytes], paths: frozenset[str]
    ) -> Iterator[Edge]:
        if "c.py" in paths:
            raise _Dies
        yield from super().edges(facts, configurations, paths)


def _dependencies_task(lake: Lake, tmp_path: Path) -> dependencies._Task:
    places = rows_of(lake, REPOSITORY_LEVEL)["ordinal"].to_list()
    (run,) = in_runs(lake, "first", places, [])
    return dependencies._Task(run, Attempt(tmp_path / "attempt"))


def _edges_of(lake: Lake, parts: list[Part]) -> list[tuple[int, int]]:
    return [row for part in parts for frame in lake.read(DEPENDENCIES, part, ["ordinal", "dependency"])
            for row in frame.iter_rows()]  # fmt: skip


def test_a_repository_that_kills_its_resolver_has_no_edges_the_next_time(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dependencies, "RESOLVERS", (_Resolver(),))
    task = _dependencies_task(lake, tmp_path)
    chain, cycle = task.run.places
    with pytest.raises(_Dies):
        dependencies._find(task)
    again = dependencies._skip_the_killer(task, Death(-27))
    assert again.attempt.dead == {bounds(cycle)[1]}
    found = dependencies._find(again)
    assert found.figures["repositories_that_kill_their_resolver"] == 1
    assert {user >> 32 for user, _ in _edges_of(lake, found.parts)} == {chain}
    assert found.figures["edges"] == len(_edges_of(lake, found.parts)) > 0


@pytest.mark.parametrize(("limit", "edges", "over"), [(2, [2, 2], 2), (3, [3, 3], 0)])
def test_a_repository_has_no_more_edges_than_the_limit(
    limit: int, edges: list[int], over: int, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(dependencies, "_MAX_EDGES", limit)
    task = _dependencies_task(lake, tmp_path)
    found = dependencies._find(task)
    users = [user >> 32 for user, _ in _edges_of(lake, found.parts)]
    assert [users.count(place) for place in task.run.places] == edges
    assert found.figures["edges_over_limit"] == over


@pytest.fixture(params=[1, 2000, 1 << 20], ids=["a_file_each", "a_few_files", "all_files"])
def grouped(request: pytest.FixtureRequest, lake: Lake, tmp_path: Path) -> Lake:
    """A copy of the lake whose files stand in row groups of about so many bytes, a data file for some of them."""
    root = str(shutil.copytree(lake.root, tmp_path / "lake"))
    copy = Lake(root, row_group_bytes=request.param, part_bytes=3 * request.param)
    rows = lake.column(FILES, FILES.columns.names, batch="first")
    with copy.writer(FILES, batch="first") as writer:
        for row in rows.iter_slices(1):
            writer.write(row)
    copy.publish(FILES, writer.parts, Commit("grouped", "0", "0"), batch="first")
    return copy


@pytest.mark.parametrize("places", [[0, 1, 2, 3], [0, 3], [2]])
def test_one_pass_over_a_table_gives_each_repository_its_own_rows(grouped: Lake, places: list[int]):
    (run,) = in_runs(grouped, "first", places, [])
    rows = rows_of(grouped, FILES).select("ordinal", "path")
    told = {place: [row for frame in frames for row in frame.rows()] for place, frames in run.rows(FILES, ["path"])}
    assert told == {place: rows.filter(pl.col("ordinal").is_between(*bounds(place))).rows() for place in places}
    python = run.ordinals(FILES, pl.col("path").str.ends_with(".py"))
    for place in places:
        expected = [ordinal for ordinal, path in told[place] if path.endswith(".py")]
        assert of_place(python, place).tolist() == expected


def test_a_repository_without_rows_is_told_of_and_no_repositories_are_no_runs(lake: Lake):
    (run,) = in_runs(lake, "first", [0, 1, 2, 3], [DEPENDENCIES])
    told = [(place, sum(frame.height for frame in frames)) for place, frames in run.rows(DEPENDENCIES, ["dependency"])]
    assert [place for place, _ in told] == [0, 1, 2, 3]
    assert (told[0][1] > 0, told[3][1]) == (True, 0)
    assert in_runs(lake, "first", [], []) == []


def test_runs_are_cut_by_what_they_read(lake: Lake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repository_tasks, "_BYTES_PER_TASK", 1)
    runs = in_runs(lake, "first", [3, 1, 0], [])
    assert [run.places for run in runs] == [(0,), (1,), (3,)]
    ordinals = [frame["ordinal"][0] for run in runs for _, frames in run.rows(FILES, []) for frame in frames]
    assert ordinals == [bounds(place)[0] for place in (0, 1, 3)]
