"""The checks of repository-level deduplication find a lake that was broken on purpose; its funnel adds up."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from repository_world import FATES, add, world
from support import lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import FILES, REPOSITORY_LEVEL, Table, verdicts
from seed_platform.lineage import checks, repository_checks
from seed_platform.lineage.checks import Outcome
from seed_platform.lineage.funnel import Funnel, repository_funnel
from seed_platform.lineage.plots import funnel_figure
from seed_platform.policy import Policy, RepositoryDuplicatesPolicy
from seed_platform.steps.flow import (
    READ,
    REPOSITORY_DUPLICATES,
    REPOSITORY_EXACT_DUPLICATES,
    REPOSITORY_NEAR_DUPLICATES,
    RULES,
)

BATCHES = ("first", "second")
POLICY = RepositoryDuplicatesPolicy()
EXACT, NEAR = verdicts("repositories", "exact_duplicates"), verdicts("repositories", "near_duplicates")
COPIES = verdicts("files", "repository_duplicates")
QUALITY = verdicts("repositories", "quality")
_UP_TO_COPIES = (READ, RULES, REPOSITORY_EXACT_DUPLICATES, REPOSITORY_NEAR_DUPLICATES, REPOSITORY_DUPLICATES)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world's lake; tests that write take a copy."""
    return Path(world(tmp_path_factory.mktemp("world")))


@pytest.fixture
def lake(done: Path, tmp_path: Path) -> Lake:
    """A copy of that lake, to be broken."""
    return lake_of(settings_of(str(shutil.copytree(done, tmp_path / "lake"))))


def _break(lake: Lake, table: Table, batch: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Publish a changed version of one batch of a table."""
    rows = lake.column(table, table.columns.names, batch=batch)
    with lake.writer(table, batch=batch) as writer:
        writer.write(change(rows))
    lake.publish(table, writer.parts, Commit("broken", "0", "0"), batch=batch)


def _overlaps(lake: Lake, policy: RepositoryDuplicatesPolicy = POLICY) -> Outcome:
    return repository_checks.overlaps_hold(lake, settings_of(lake.root), policy, BATCHES)


def _trees(lake: Lake) -> Outcome:
    return repository_checks.trees_are_equal(lake, settings_of(lake.root), BATCHES)


def _elsewhere(lake: Lake) -> Outcome:
    return repository_checks.dropped_files_are_kept_elsewhere(lake, settings_of(lake.root), BATCHES)


def _accounted(lake: Lake) -> Outcome:
    return repository_checks.repositories_are_accounted_for(lake, settings_of(lake.root), BATCHES)


def test_an_untouched_lake_passes_every_check(lake: Lake):
    settings = settings_of(lake.root)
    assert checks.conserved(lake, settings, "exact_duplicates", (), BATCHES, "repositories").passed
    assert checks.conserved(lake, settings, "near_duplicates", ("exact_duplicates",), BATCHES, "repositories").passed
    assert _trees(lake) == Outcome(passed=True, numbers={"dropped": 2, "named_is_not_kept": 0, "unequal": 0})
    assert _overlaps(lake) == Outcome(
        passed=True, numbers={"dropped": 4, "named_is_not_kept": 0, "below_threshold": 0, "overlap_differs": 0}
    )
    elsewhere = _elsewhere(lake)
    assert elsewhere.passed
    assert elsewhere.numbers["dropped"] > 60
    assert _accounted(lake) == Outcome(passed=True, numbers={"expected": 4, "held": 4, "missing": 0, "extra": 0})


def test_a_repository_without_a_verdict_is_missed(lake: Lake):
    _break(lake, NEAR, "first", lambda rows: rows.slice(1))
    outcome = checks.conserved(
        lake, settings_of(lake.root), "near_duplicates", ("exact_duplicates",), BATCHES, "repositories"
    )
    assert not outcome.passed
    assert outcome.numbers["missing"] == 1


def test_an_overlap_under_the_threshold_is_found_by_counting_again(lake: Lake):
    outcome = _overlaps(lake, RepositoryDuplicatesPolicy(overlap=1.0))
    assert not outcome.passed
    assert outcome.numbers["below_threshold"] == 3, "all but the one that moved lack something of the kept one"
    assert _overlaps(lake, RepositoryDuplicatesPolicy(shared_contents=100)).numbers["below_threshold"] == 4


def test_a_score_that_is_not_the_overlap_is_found(lake: Lake):
    _break(lake, NEAR, "second", lambda rows: rows.with_columns(score=pl.col("score") - 0.01))
    assert _overlaps(lake).numbers == {
        "dropped": 4,
        "named_is_not_kept": 0,
        "below_threshold": 0,
        "overlap_differs": 1,
    }


@pytest.mark.parametrize("to", [None, "f" * 32, "dropped"])
def test_a_repository_dropped_for_one_that_is_not_kept_is_found(lake: Lake, to: str | None):
    rows = lake.column(NEAR, ["doc_id", "keep"], batch="first")
    named = rows.filter(~pl.col("keep"))["doc_id"][0] if to == "dropped" else to
    point = pl.when(~pl.col("keep")).then(pl.lit(named, pl.String)).otherwise("related_doc_id")
    for table, check in ((NEAR, _overlaps), (EXACT, _trees)):
        _break(lake, table, "second", lambda rows: rows.with_columns(related_doc_id=point))
        if table is EXACT and to == "dropped":
            continue  # an exact duplicate may name a repository that near duplicates drop
        outcome = check(lake)
        assert not outcome.passed
        assert outcome.numbers["named_is_not_kept"] == 1


def test_an_exact_duplicate_of_something_else_is_found(lake: Lake):
    lib = lake.column(EXACT, ["doc_id", "related_doc_id"], batch="first")["related_doc_id"].drop_nulls()[0]
    _break(
        lake,
        EXACT,
        "second",
        lambda rows: rows.with_columns(
            related_doc_id=pl.when(~pl.col("keep")).then(pl.lit(lib)).otherwise("related_doc_id")
        ),
    )
    outcome = _trees(lake)
    assert not outcome.passed
    assert outcome.numbers["unequal"] == 1


def test_a_dropped_file_whose_copy_is_gone_or_dropped_or_different_is_found(lake: Lake):
    before = _elsewhere(lake).numbers["dropped"]
    _break(lake, COPIES, "first", lambda rows: rows.filter("keep").with_columns(keep=pl.lit(value=False)))
    assert _elsewhere(lake).numbers["without_a_kept_copy"] > 0
    assert not _elsewhere(lake).passed
    _break(lake, COPIES, "first", lambda rows: rows.with_columns(keep=pl.lit(value=True)))
    _break(lake, FILES, "first", lambda rows: rows.with_columns(content_sha256=pl.lit("0" * 64)))
    outcome = _elsewhere(lake)
    assert 0 < outcome.numbers["without_a_kept_copy"] == outcome.numbers["dropped"] < before


def test_a_dropped_file_whose_copy_is_in_another_language_is_found(lake: Lake):
    _break(lake, FILES, "first", lambda rows: rows.with_columns(language=pl.lit("Lua")))
    outcome = _elsewhere(lake)
    assert not outcome.passed
    assert 0 < outcome.numbers["without_a_kept_copy"] < outcome.numbers["dropped"]


@pytest.fixture(scope="module")
def read_late(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in two batches: the one named "zeta" came first, but could read it only after "alpha" had."""
    folder = tmp_path_factory.mktemp("twice")
    root, x, gone = str(folder / "lake"), folder / "x", folder / "gone"
    make_repository(x, {f"m{number}.py": python_source(number, 20) for number in range(6)})
    make_repository(folder / "y", {f"m{number}.py": python_source(number, 20) for number in range(1, 7)})
    add(root, [x, folder / "y"], "zeta")
    x.rename(gone)
    run_flow(root, [], workers=1, steps=_UP_TO_COPIES)
    gone.rename(x)
    add(root, [x], "alpha")
    run_flow(root, [], workers=1, steps=_UP_TO_COPIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEED_MAX_CONTENT_BYTES", str(15 << 20))  # how sources are read has changed: zeta is read again
        run_flow(root, [], workers=1, steps=_UP_TO_COPIES)
    return folder / "lake"


@pytest.fixture
def twice(read_late: Path, tmp_path: Path) -> Lake:
    """A copy of that lake, to be broken."""
    return lake_of(settings_of(str(shutil.copytree(read_late, tmp_path / "lake"))))


def test_a_repository_that_is_in_two_batches_is_looked_for_where_it_is_kept(twice: Lake):
    settings = settings_of(twice.root)
    overlaps = repository_checks.overlaps_hold(twice, settings, POLICY, ["zeta"])
    trees = repository_checks.trees_are_equal(twice, settings, ["alpha"])
    copies = repository_checks.dropped_files_are_kept_elsewhere(twice, settings, ["zeta", "alpha"])
    assert [each.numbers["dropped"] for each in (overlaps, trees, copies)] == [1, 1, 5 + 6]
    assert (overlaps.passed, trees.passed, copies.passed) == (True, True, True)


def test_a_repository_that_is_in_two_batches_is_not_compared_with_itself(twice: Lake):
    _break(twice, FILES, "zeta", lambda rows: rows.with_columns(content_sha256=pl.lit("0" * 64)))
    assert not repository_checks.trees_are_equal(twice, settings_of(twice.root), ["alpha"]).passed


def test_a_corpus_that_lost_or_made_up_a_repository_is_found(lake: Lake):
    _break(lake, REPOSITORY_LEVEL, "first", lambda rows: rows.slice(1))
    assert _accounted(lake).numbers["missing"] == 1
    _break(lake, REPOSITORY_LEVEL, "first", lambda rows: rows.with_columns(files=pl.col("files") + 1))
    outcome = _accounted(lake)
    assert not outcome.passed
    assert (outcome.numbers["missing"], outcome.numbers["extra"]) == (4, 3)


def test_a_repository_that_quality_drops_is_not_expected_in_the_corpus_and_is_found_if_it_is_there(lake: Lake):
    policy = Policy(repository_level=RepositoryLevelPolicy(min_files=5))
    run_flow(lake.root, [], policy=policy)  # more files than `app` has of its own: most of it is vendored
    assert _accounted(lake) == Outcome(passed=True, numbers={"expected": 3, "held": 3, "missing": 0, "extra": 0})
    assert _funnel(lake.root).documents.dropped["quality"] == {"too_few_files": 1, "no_kept_files": 2}
    _break(lake, QUALITY, "first", lambda rows: rows.with_columns(keep=pl.lit(value=False)))
    assert _accounted(lake).numbers == {"expected": 0, "held": 3, "missing": 0, "extra": 3}


def _funnel(root: Path | str, batches: list[str] | None = None) -> Funnel:
    with views(str(root)) as connection:
        return repository_funnel(connection, Policy().file_level, batches)


def test_the_funnel_counts_each_repository_once_and_keeps_what_the_corpus_holds(done: Path):
    counted = _funnel(done)
    assert counted.to_json()["documents"] == {
        "seen": len(FATES),
        "kept": 4,
        "outstanding": 0,
        "dropped": {
            "exact_duplicates": {"exact_duplicate": 2},
            "near_duplicates": {"near_duplicate": 4},
            "quality": {"no_kept_files": 2},
        },
    }
    assert counted.bytes.seen == counted.bytes.kept + sum(
        number for reasons in counted.bytes.dropped.values() for number in reasons.values()
    )
    with views(str(done)) as connection:
        held = connection.execute(
            "SELECT count(*), sum(bytes) FROM repositories SEMI JOIN repository_level USING (batch, ordinal)"
        ).fetchone()
    assert held == (counted.documents.kept, counted.bytes.kept)
    assert funnel_figure(counted).startswith(b"\x89PNG")


def test_the_funnels_of_the_batches_add_up_and_what_is_not_judged_is_outstanding(lake: Lake):
    parts = [_funnel(lake.root, [name]).documents for name in BATCHES]
    assert sum(part.seen for part in parts) == len(FATES)
    assert sum(part.kept for part in parts) == 4
    _break(lake, NEAR, "second", lambda rows: rows.head(0))
    assert _funnel(lake.root, ["second"]).documents.outstanding == 1
