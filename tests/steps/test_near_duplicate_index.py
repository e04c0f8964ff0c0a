"""The near-duplicate index: many batches, damage, kills, and what none of these may change."""

from __future__ import annotations

import multiprocessing as mp
import random
import shutil
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from flow_tables import VERDICTS, postings_of, rows_of, shingles, similarity
from hypothesis import given, settings
from hypothesis import strategies as st
from support import FILE_STEPS, edited, lake_of, python_source, settings_of, without_scorer

from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.engine.base import OnDeath, Result, Task
from seed_platform.filters.near_duplicates import unique_pairs
from seed_platform.indexes.near_duplicates import folder_of, load
from seed_platform.indexes.postings import reference
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, NEAR_DUPLICATE_INDEX
from seed_platform.lake.storage import Storage
from seed_platform.lineage.checks import Outcome
from seed_platform.lineage.near_duplicate_checks import removals_are_verified
from seed_platform.policy import Policy
from seed_platform.steps.base import Context
from seed_platform.steps.flow import NEAR_DUPLICATES
from seed_platform.steps.freshness import bring_up_to_date
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.near_duplicates import candidates, compaction, find_near_duplicates
from seed_platform.steps.near_duplicates import index as index_stage
from seed_platform.steps.near_duplicates.compaction import blocks
from seed_platform.steps.read import limits_of

_THRESHOLD = Policy().near_duplicates.threshold
_BATCHES = 7
_KILLS = 24
_FOLDER = folder_of(NEAR_DUPLICATE_INDEX)


class _Inline:
    """Tasks one after the other in the calling process."""

    workers = 2

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        on_death: OnDeath[Task] | None = None,  # noqa: ARG002 - nothing dies alone
    ) -> Iterator[tuple[Task, Result]]:
        for task in tasks:
            yield task, function(task)


def _context(root: str) -> Context:
    settings = settings_of(root)
    # Small data files, so that a batch has several segments.
    return Context(Lake(root, row_group_bytes=20_000, part_bytes=40_000), _Inline(), settings, Policy(), "run")


def _find(root: str, number: int) -> None:
    context = _context(root)
    batches = list_batches(context.lake)
    find_near_duplicates(context, batches[number], batches[:number])


def _near(root: str) -> pl.DataFrame:
    lake = lake_of(settings_of(root))
    named = rows_of(lake, FILES).select("batch", "ordinal", "content", name=pl.col("repository") + "/" + pl.col("path"))
    return rows_of(lake, VERDICTS["near_duplicates"]).join(named, on=["batch", "ordinal"], maintain_order="left")


@pytest.fixture(scope="module")
def lake_of_batches(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Seven batches in which members of 16 families keep coming back, each with a few lines changed."""
    folder, chance = tmp_path_factory.mktemp("batches"), random.Random(5)
    root = str(folder / "lake")
    for batch in range(_BATCHES):
        for family in range(16):
            if chance.random() < 0.8:
                changed = chance.sample(range(1, 60), chance.choice((1, 2, 4, 12)))
                file = folder / f"p{batch}" / f"m{family:02d}.py"
                file.parent.mkdir(exist_ok=True)
                file.write_text(edited(python_source(family, 60), changed))
        context = _context(root)
        add_batch(context.lake, pin_sources([str(folder / f"p{batch}")], limits_of(context.settings), {}))
    without_scorer(context)
    flow = REPOSITORY_LINE.flow(context.lake, context.policy, context.settings)
    for each, step in flow.outstanding({}):
        if step in FILE_STEPS:
            bring_up_to_date(context, flow, step, each)
    return root


def _copy(root: str, tmp_path: Path) -> str:
    shutil.copytree(root, tmp_path / "lake", ignore=shutil.ignore_patterns("_dagster", "_scratch"))
    return str(tmp_path / "lake")


def _rule(near: pl.DataFrame) -> dict[str, bool]:
    """Whether each document is kept: the greedy rule over all documents in order, by brute force."""
    sets = {name: shingles(text) for name, text in near.select("name", "content").iter_rows()}
    keep: dict[str, bool] = {}
    for name, mine in sets.items():
        keep[name] = not any(
            keep[other] and len(mine & sets[other]) >= _THRESHOLD * len(mine | sets[other]) for other in keep
        )
    return keep


def test_over_many_batches_what_resembles_a_kept_document_of_any_earlier_one_is_dropped(lake_of_batches: str):
    near = _near(lake_of_batches)
    keep = dict(near.select("name", "keep").iter_rows())
    assert keep == _rule(near)
    assert 0.3 < sum(keep.values()) / len(keep) < 0.9
    texts = dict(near.select("doc_id", "content").iter_rows())
    kept_ids = set(near.filter("keep")["doc_id"])
    assert near.filter(~pl.col("keep"))["related_doc_id"].is_in(kept_ids).all()
    for row in near.filter(~pl.col("keep")).iter_rows(named=True):
        assert row["score"] == pytest.approx(similarity(row["content"], texts[row["related_doc_id"]]), abs=1e-9)
        assert row["evidence"].startswith('{"containment": ')


def test_the_runs_of_many_batches_are_merged_and_no_more_are_kept_than_are_looked_into(lake_of_batches: str):
    lake = lake_of(settings_of(lake_of_batches))
    merged = {path.rsplit("/", 1)[1].split("-")[0] for path in lake.storage.list(f"{_FOLDER}/_merged/files")}
    assert len(merged) == 2  # of the batches 1 to 4 and 5 to 6; the seventh is the last
    for index in load(lake, list_batches(lake)):
        assert set(lake.storage.list(f"{_FOLDER}/{index.batch}")) == set(index.paths)


@pytest.mark.parametrize("count", range(40))
def test_blocks_cover_each_arrival_once_in_as_few_as_there_are_binary_digits(count: int):
    found = list(blocks(count))
    assert [number for low, high in found for number in range(low, high + 1)] == list(range(1, count + 1))
    assert len(found) == count.bit_count()


@pytest.mark.parametrize("number", [0, 3])
def test_a_batch_computed_again_is_no_duplicate_of_itself_or_of_later_ones(
    lake_of_batches: str, tmp_path: Path, number: int
):
    root = _copy(lake_of_batches, tmp_path)
    before, index = _near(root), postings_of(lake_of(settings_of(root)))
    _find(root, number)
    assert _near(root).equals(before)
    assert postings_of(lake_of(settings_of(root))) == index


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("damage", [_truncate, _flip, Path.unlink])
def test_index_files_that_are_cut_altered_or_gone_are_made_again_and_not_believed(
    lake_of_batches: str, tmp_path: Path, damage: Callable[[Path], None]
):
    root = _copy(lake_of_batches, tmp_path)
    before, index = _near(root), postings_of(lake_of(settings_of(root)))
    files = sorted(path for path in (Path(root) / _FOLDER).rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".segment", ".run"}
    for path in files:
        damage(path)
    _find(root, _BATCHES - 1)
    assert _near(root).equals(before)
    for number in range(_BATCHES - 1):
        _find(root, number)
    assert _near(root).equals(before)
    assert postings_of(lake_of(settings_of(root))) == index


def test_killed_at_any_moment_the_step_goes_on_and_ends_with_the_same_rows(lake_of_batches: str, tmp_path: Path):
    root = _copy(lake_of_batches, tmp_path)
    number = _BATCHES - 1
    before, index = _near(root), postings_of(lake_of(settings_of(root)))
    fork = mp.get_context("forkserver")

    def start() -> ForkServerProcess:
        process = fork.Process(target=_find, args=(root, number))
        process.start()
        return process

    def forget() -> None:
        key = list_batches(lake_of(settings_of(root)))[number].key
        for folder in (f"{_FOLDER}/{key}", f"{_FOLDER}/_merged/files", "_scratch"):
            shutil.rmtree(Path(root) / folder, ignore_errors=True)

    start().join()  # the first one waits for the fork server
    forget()
    began = time.monotonic()
    start().join()
    seconds = time.monotonic() - began
    chance, killed = random.Random(11), 0
    for _ in range(_KILLS):
        if chance.random() < 0.5:
            forget()
        process = start()
        process.join(chance.random() * 0.9 * seconds)
        killed += process.exitcode is None
        process.kill()
        process.join()
    assert killed >= _KILLS // 3
    process = start()
    process.join()
    assert process.exitcode == 0
    assert _near(root).equals(before)
    assert postings_of(lake_of(settings_of(root))) == index
    assert not list((Path(root) / "_scratch").glob(f"{NEAR_DUPLICATES.name.rsplit('/', 1)[1]}*"))


def test_the_check_of_removals_recounts_them_and_notices_what_was_made_up(lake_of_batches: str, tmp_path: Path):
    root = _copy(lake_of_batches, tmp_path)
    context = _context(root)
    policy, table = context.policy.near_duplicates, VERDICTS["near_duplicates"]
    batches = [each.key for each in list_batches(context.lake)]

    def ask() -> Outcome:
        return removals_are_verified(context.lake, context.settings, policy, batches)

    def rewrite(column: pl.Expr) -> None:
        rows = context.lake.column(table, table.columns.names, batch=batches[-1])
        with context.lake.writer(table, batch=batches[-1]) as writer:
            writer.write(rows.with_columns(column))
        context.lake.publish(table, writer.parts, context.commit, batch=batches[-1])

    removed = _near(root).filter(~pl.col("keep")).height
    honest = ask()
    assert honest.passed
    assert honest.numbers["removed"] == removed > 20
    assert honest.numbers["computed_again"] == 20
    rewrite(pl.when("keep").then("score").otherwise(0.71).alias("score"))
    assert not ask().passed
    assert ask().numbers["computed_otherwise"] > 0
    rewrite(pl.when("keep").then("score").otherwise(policy.threshold - 0.01).alias("score"))
    assert ask().numbers["below_threshold"] > 0
    rewrite(pl.when("keep").then("related_doc_id").otherwise(pl.lit("0" * 32)).alias("related_doc_id"))
    assert ask().numbers["related_not_kept"] > 0


@pytest.mark.parametrize(("per_file", "per_shard"), [(1, 1 << 21), (1, 1), (1 << 21, 1)])
def test_verdicts_are_the_same_whatever_the_ranges_and_the_pieces(
    lake_of_batches: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, per_file: int, per_shard: int
):
    monkeypatch.setattr(compaction, "_PER_FILE", per_file)
    monkeypatch.setattr(index_stage, "_PER_SHARD", per_shard)
    for name in ("_PAIRS_AT_ONCE", "_COPIES_AT_ONCE", "_POSTINGS_AT_ONCE", "_ROWS_PER_STEP"):
        monkeypatch.setattr(candidates, name, 3)
    root = _copy(lake_of_batches, tmp_path)
    before, postings = _near(root), postings_of(lake_of(settings_of(root)))
    # Of few batches with many ranges each, or of one, runs are merged twice over.
    for number in (1, 2, 4, 6):
        _find(root, number)
    assert _near(root).equals(before)
    lake = lake_of(settings_of(root))
    assert postings_of(lake) == postings
    merged = lake.storage.list(f"{_FOLDER}/_merged/files")
    assert len(merged) == 2 if per_file > 1 else len(merged) > 1024
    assert len(load(lake, list_batches(lake))[6].run) == (1 if per_shard > 1 else 256)


def _written(folder: Path, shards: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], documents: int) -> list[str]:
    """Files of candidates; each shard's pairs as (later, earlier) codes within, and rows and others across."""
    for number, (within, rows, others) in enumerate(shards):
        candidates.write_candidates(Storage(str(folder)), str(number), documents, np.unique(within), (rows, others))
    return [str(number) for number in range(len(shards))]


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_candidates_of_all_shards_are_read_in_order_and_each_once(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    folder, documents = tmp_path_factory.mktemp("shards"), data.draw(st.integers(0, 12))
    row = st.integers(0, max(documents - 1, 0))
    pairs = st.sets(st.tuples(row, row), max_size=20 if documents else 0)
    shards, expected = [], set()
    for within, across in data.draw(st.lists(st.tuples(pairs, pairs), min_size=1, max_size=5)):
        codes = np.array([later << 32 | earlier for later, earlier in within], dtype=np.uint64)
        ordered = np.array(sorted(across), dtype=np.int64).reshape(-1, 2)
        shards.append((codes, ordered[:, 0], reference(2, ordered[:, 1])))
        expected |= {(later, 3 << 32 | earlier) for later, earlier in within}
        expected |= {(later, 2 << 32 | earlier) for later, earlier in across}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_COPIES_AT_ONCE", "_ROWS_PER_STEP"):
            patch.setattr(candidates, name, data.draw(st.integers(1, 9)))
        paths = _written(folder, shards, documents)
        rows, others = candidates.read_candidates(SimpleNamespace(storage=Storage(str(folder)), arrival=3), paths)
    assert list(zip(rows.tolist(), others.tolist(), strict=True)) == sorted(expected)


def test_candidates_take_the_memory_of_the_pairs_and_not_of_their_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    documents = 1 << 14
    monkeypatch.setattr(candidates, "_COPIES_AT_ONCE", 1 << 13)
    monkeypatch.setattr(candidates, "_ROWS_PER_STEP", 1 << 6)
    later = np.repeat(np.arange(documents), 4)
    codes = (later.astype(np.uint64) << np.uint64(32)) + np.tile(np.arange(4, dtype=np.uint64), documents)
    across = np.arange(documents), reference(2, np.arange(documents))
    paths = _written(tmp_path, [(codes, *across)] * 16, documents)
    tracemalloc.start()
    try:
        rows, _ = candidates.read_candidates(SimpleNamespace(storage=Storage(str(tmp_path)), arrival=3), paths)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(rows) == 5 * documents
    assert peak < 2 * 16 * len(rows)


def test_pairs_that_keep_coming_are_held_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates, "_PAIRS_AT_ONCE", 1 << 10)
    mine = np.sort(np.random.default_rng(1).integers(0, 1 << 20, 1 << 14)), np.arange(1 << 14, dtype=np.uint64)
    tracemalloc.start()
    try:
        rows, others = candidates._merged(
            (tuple(each.copy() for each in mine) for _ in range(200)),
            lambda held: unique_pairs(*candidates._joined(held)),
            lambda pairs: len(pairs[0]),
            candidates._NO_PAIRS,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (rows == mine[0]).all()
    assert (others == mine[1]).all()
    assert peak < 20 * 16 * len(rows)
