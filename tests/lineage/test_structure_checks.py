"""The checks of commits, samples and sequences find a table that was broken on purpose and say by how much."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from support import git, lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import (
    COMMIT_SAMPLES,
    COMMIT_WALKS,
    COMMITS,
    FILES,
    REPOSITORY_LEVEL,
    REPOSITORY_SEQUENCES,
    Table,
    verdicts,
)
from seed_platform.lineage import structure_checks
from seed_platform.lineage.checks import Outcome
from seed_platform.policy import Policy
from seed_platform.steps.lines import REPOSITORY_LINE

POLICY = Policy(
    commit_gate=CommitGatePolicy(commits=0, active_days=0),
    repository_level=RepositoryLevelPolicy(sequence_tokens=600),
)
_JUDGED = verdicts("commits", "sample")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of a repository with a history, and with a file that is cut; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("structure")
    project = folder / "project"
    sources = {f"m{number}.py": python_source(number, 30) for number in range(4)}
    make_repository(project, {**sources, "long.py": python_source(9, 150), "data.bin": b"\0\1"})
    for number in range(3):
        make_repository(project, {f"m{number}.py": f"{sources[f'm{number}.py']}\nLIMIT = {number}\n"})
        git(project, "commit", "-q", "--amend", "-m", f"Say how much module {number} may hold")
    make_repository(project, {"new.py": python_source(20, 20)})
    git(project, "commit", "-q", "--amend", "-m", "Write the new module of the four")
    run_flow(str(folder / "lake"), [str(project)], policy=POLICY, name="b", workers=1, steps=REPOSITORY_LINE.steps)
    return folder / "lake"


@pytest.fixture
def lake(done: Path, tmp_path: Path) -> Lake:
    """A copy of that lake, to be broken."""
    return lake_of(settings_of(str(shutil.copytree(done, tmp_path / "lake"))))


def _break(lake: Lake, table: Table, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Publish a changed version of a table."""
    rows = lake.column(table, table.columns.names, batch="b")
    with lake.writer(table, batch="b") as writer:
        writer.write(change(rows))
    lake.publish(table, writer.parts, Commit("broken", "0", "0"), batch="b")


def _at(place: int, **values: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """A change of one row: other values in some of its columns."""

    def change(rows: pl.DataFrame) -> pl.DataFrame:
        row = pl.int_range(pl.len()) == place
        return rows.with_columns(pl.when(row).then(each).otherwise(name).alias(name) for name, each in values.items())

    return change


def _without(place: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.filter(pl.int_range(pl.len()) != place)


def _accounted(lake: Lake) -> Outcome:
    return structure_checks.commits_are_accounted_for(lake, settings_of(lake.root), ["b"])


def _samples(lake: Lake, policy: CommitSamplePolicy = POLICY.commit_samples) -> Outcome:
    return structure_checks.samples_hold(lake, settings_of(lake.root), policy, ["b"])


def _sequences(lake: Lake, policy: RepositoryLevelPolicy = POLICY.repository_level) -> Outcome:
    return structure_checks.sequences_hold(lake, settings_of(lake.root), policy, ["b"])


def test_an_untouched_lake_passes_every_check(lake: Lake):
    assert _accounted(lake) == Outcome(passed=True, numbers={"commits": 5, "distinct": 5, "declared": 5})
    samples = {"samples": 4, "kept": 4, "over_budget": 0, "extra": 0, "looked_at": 4, "broken": 0}
    assert _samples(lake) == Outcome(passed=True, numbers=samples)
    outcome = _sequences(lake)
    assert outcome.passed, outcome
    assert (outcome.numbers["files"], outcome.numbers["in_sequences"]) == (6, 6)
    assert structure_checks.commits_are_accounted_for(lake, settings_of(lake.root), []).passed


def test_a_commit_that_is_lost_or_stands_twice_is_found(lake: Lake):
    _break(lake, COMMITS, _without(2))
    assert _accounted(lake) == Outcome(passed=False, numbers={"commits": 4, "distinct": 4, "declared": 5})
    _break(lake, COMMITS, lambda rows: pl.concat([rows, rows.tail(1).with_columns(pl.col("ordinal") + 1)]))
    assert _accounted(lake) == Outcome(passed=False, numbers={"commits": 5, "distinct": 4, "declared": 5})


@pytest.mark.parametrize("number", [4, 6, 0])
def test_a_walk_that_declares_another_number_of_commits_is_found(lake: Lake, number: int):
    _break(lake, COMMIT_WALKS, _at(0, commits=pl.lit(number)))
    assert _accounted(lake) == Outcome(passed=False, numbers={"commits": 5, "distinct": 5, "declared": number})


def test_a_kept_commit_without_a_sample_is_found(lake: Lake):
    _break(lake, COMMIT_SAMPLES, _without(0))
    outcome = _samples(lake)
    assert not outcome.passed
    assert (outcome.numbers["samples"], outcome.numbers["kept"], outcome.numbers["extra"]) == (3, 4, 0)


def test_a_sample_of_a_commit_that_is_not_kept_is_found_even_if_the_numbers_agree(lake: Lake):
    _break(lake, _JUDGED, _at(0, keep=pl.lit(value=False)))
    assert (_samples(lake).passed, _samples(lake).numbers["extra"]) == (False, 1)
    _break(lake, COMMIT_SAMPLES, _without(3))
    outcome = _samples(lake)
    assert not outcome.passed
    assert (outcome.numbers["samples"], outcome.numbers["kept"], outcome.numbers["extra"]) == (3, 3, 1)


def test_a_sample_over_the_budget_is_found(lake: Lake):
    most = lake.column(COMMIT_SAMPLES, ["tokens"], batch="b")["tokens"].to_list()
    assert _samples(lake, CommitSamplePolicy(max_tokens=max(most))).passed
    outcome = _samples(lake, CommitSamplePolicy(max_tokens=max(most) - 1))
    assert (outcome.passed, outcome.numbers["over_budget"]) == (False, most.count(max(most)))


@pytest.mark.parametrize(
    "values",
    [
        {"content": pl.lit("no sample at all")},
        {"content": pl.col("content").str.slice(0, pl.col("target_offset"))},
        {"content": pl.col("content").str.slice(pl.col("target_offset"))},
        {"content": pl.col("content").str.replace("@@ -", "@@ minus ")},
        {"target_offset": pl.lit(0, pl.Int64)},
        {"target_offset": pl.col("target_offset") + 1_000_000},
    ],
    ids=["not a sample", "no target", "no context", "damaged hunk", "offset at the start", "offset beyond the end"],
)
def test_a_sample_that_cannot_be_taken_apart_is_found(lake: Lake, values: dict[str, pl.Expr]):
    _break(lake, COMMIT_SAMPLES, _at(1, **values))
    assert (_samples(lake).passed, _samples(lake).numbers["broken"]) == (False, 1)


def _place_of(lake: Lake, path: str) -> tuple[int, int]:
    """The ordinal of a file, and the row of the first sequence that it is in."""
    files = dict(lake.column(FILES, ["path", "ordinal"], batch="b").iter_rows())
    held = lake.column(REPOSITORY_SEQUENCES, ["files"], batch="b")["files"].to_list()
    return files[path], next(row for row, places in enumerate(held) if files[path] in places)


def test_a_file_that_is_in_no_sequence_is_found(lake: Lake):
    _, row = _place_of(lake, "m0.py")
    number = len(lake.column(REPOSITORY_SEQUENCES, ["files"], batch="b")["files"][row])
    _break(lake, REPOSITORY_SEQUENCES, _without(row))
    outcome = _sequences(lake)
    assert not outcome.passed
    assert outcome.numbers["missing"] == outcome.numbers["files"] - outcome.numbers["in_sequences"] == number


def test_a_file_in_the_place_of_another_is_found_though_the_numbers_agree(lake: Lake):
    (mine, row), (dropped, _) = _place_of(lake, "m0.py"), (1 << 20, 0)
    swapped = pl.col("files").list.eval(pl.when(pl.element() == mine).then(dropped).otherwise(pl.element()))
    _break(lake, REPOSITORY_SEQUENCES, _at(row, files=swapped))
    outcome = _sequences(lake)
    assert outcome.numbers["files"] == outcome.numbers["in_sequences"]
    assert (outcome.passed, outcome.numbers["missing"]) == (False, 1)


@pytest.mark.parametrize("part", ["first", "second", "last"])
def test_a_cut_file_that_lacks_a_part_is_found(lake: Lake, part: str):
    place, row = _place_of(lake, "long.py")
    held = lake.column(REPOSITORY_SEQUENCES, ["files"], batch="b")["files"].to_list()
    number = held.count([place])
    assert number >= 3
    _break(lake, REPOSITORY_SEQUENCES, _without({"first": row, "second": row + 1, "last": row + number - 1}[part]))
    outcome = _sequences(lake)
    assert (outcome.passed, outcome.numbers["missing"], outcome.numbers["torn"]) == (False, 0, 1)


@pytest.mark.parametrize(
    "values",
    [
        {"starts": pl.col("starts").list.eval(pl.element() + 1)},
        {"stops": pl.col("stops").list.eval(pl.element() - 1)},
        {"stops": pl.col("stops").list.eval(pl.element() + 1)},
    ],
    ids=["begins late", "ends early", "ends beyond"],
)
@pytest.mark.parametrize("path", ["long.py", "m1.py"])
def test_a_part_that_does_not_meet_its_neighbours_or_the_ends_of_the_file_is_found(
    lake: Lake, path: str, values: dict[str, pl.Expr]
):
    _break(lake, REPOSITORY_SEQUENCES, _at(_place_of(lake, path)[1], **values))
    outcome = _sequences(lake)
    assert (outcome.passed, outcome.numbers["torn"] > 0) == (False, True)


def test_a_file_that_stands_twice_is_found(lake: Lake):
    _, row = _place_of(lake, "m0.py")
    _break(lake, REPOSITORY_SEQUENCES, lambda rows: pl.concat([rows, rows.slice(row, 1)]))
    assert (_sequences(lake).passed, _sequences(lake).numbers["torn"] > 0) == (False, True)


def test_a_sequence_over_the_budget_is_found(lake: Lake):
    tokens = lake.column(REPOSITORY_SEQUENCES, ["tokens"], batch="b")["tokens"].to_list()
    assert max(tokens) <= 600
    assert _sequences(lake, RepositoryLevelPolicy(sequence_tokens=max(tokens))).passed
    outcome = _sequences(lake, RepositoryLevelPolicy(sequence_tokens=max(tokens) - 1))
    assert (outcome.passed, outcome.numbers["over_budget"]) == (False, tokens.count(max(tokens)))


def test_sequences_of_a_repository_that_is_not_chosen_are_found(lake: Lake):
    _break(lake, REPOSITORY_LEVEL, lambda rows: rows.head(0))
    outcome = _sequences(lake)
    assert (outcome.passed, outcome.numbers["files"]) == (False, 0)
