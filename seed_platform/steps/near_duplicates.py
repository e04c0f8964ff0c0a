"""Near duplicates of a batch, against itself and all that was kept before: index, candidates, verification, decision.

1. A task per data file writes the band hashes of its documents' signatures to the index in the lake.
2. Documents that share a band with an earlier one are candidates; the join runs in DuckDB under a memory limit.
3. A task per data file puts the shingle sets of candidates into scratch; tasks over pairs compute the true Jaccard.
4. `filters.near_duplicates.decide` goes through the batch in order.

Within one bucket a document is compared with the first `_BUCKET` others only, so a band that half of the corpus shares
costs no square; a true duplicate shares many bands. What belongs here: moving data between these stages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from seed_platform.batches import Batch
from seed_platform.filters.minhash import band_hashes, jaccard, shingle_hashes, shingle_set, signature
from seed_platform.filters.near_duplicates import VERSION, Nearest, decide, text_bytes
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILES, NEAR_DUPLICATE_INDEX, verdicts
from seed_platform.policy import NearDuplicatesPolicy
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, passing, stamp

__all__ = ["REQUIRES", "VERSION", "find_near_duplicates"]

REQUIRES = ("rules", "exact_duplicates")
_NAME = "near_duplicates"
_BUCKET = 32
_PAIRS_PER_TASK = 20_000

_CANDIDATES = """
WITH mine AS (SELECT ordinal, unnest(bands) AS hash FROM my_index),
entries AS (
    SELECT {arrival} AS arrival, ordinal, hash FROM mine
    UNION ALL
    SELECT arrival, ordinal, hash FROM before WHERE hash IN (SELECT hash FROM mine)
),
placed AS (
    SELECT *, row_number() OVER bucket AS place, count(*) OVER (PARTITION BY hash) AS size
    FROM entries WINDOW bucket AS (PARTITION BY hash ORDER BY arrival, ordinal)
),
shared AS (SELECT * FROM placed WHERE size > 1)
SELECT DISTINCT a.ordinal, b.arrival AS other_arrival, b.ordinal AS other_ordinal
FROM shared a JOIN shared b ON a.hash = b.hash AND b.place < a.place AND b.place <= {bucket}
WHERE a.arrival = {arrival}
ORDER BY ALL
"""
_BEFORE = """
CREATE TEMP VIEW before AS SELECT k.arrival, i.ordinal, unnest(i.bands) AS hash
FROM earlier_index i JOIN earlier_verdicts v ON i.batch = v.batch AND i.ordinal = v.ordinal AND v.keep
JOIN earlier_keys k ON k.batch = i.batch
"""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Candidate pairs, ordered by `ordinal`: (ordinal) of this batch with (arrival, other), which is earlier."""

    ordinal: npt.NDArray[np.int64]
    arrival: npt.NDArray[np.int64]
    other: npt.NDArray[np.int64]


def find_near_duplicates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge one batch against itself and the `earlier` batches; publish its index and its verdicts."""
    lake, policy = context.lake, context.policy.near_duplicates
    scratch = lake.storage.scratch(f"{_NAME}-{batch.key}")
    _write_index(context, batch, policy)
    pairs = _candidates(context, batch, earlier)
    similarities = _verify(context, batch, earlier, pairs, scratch)
    nearest = decide(pairs.ordinal, pairs.other, pairs.arrival == batch.arrival, similarities, policy.threshold)
    report = _write_verdicts(context, batch, _name(lake, batch, earlier, pairs, nearest))
    lake.storage.drop_scratch(scratch.name)
    return report


@dataclass(frozen=True, slots=True)
class _IndexTask:
    lake: Lake
    batch: str
    part: Part
    policy: NearDuplicatesPolicy


def _write_index(context: Context, batch: Batch, policy: NearDuplicatesPolicy) -> None:
    lake = context.lake
    tasks = [_IndexTask(lake, batch.key, part, policy) for part in lake.parts(FILES, batch=batch.key)]
    written: list[Part] = []
    with track(f"signatures {batch.key}", sum(task.part.rows for task in tasks)) as progress:
        for task, parts in context.engine.run(_index_task, tasks):
            written += parts
            progress.advance(task.part.rows)
    lake.publish(NEAR_DUPLICATE_INDEX, written, context.commit, batch=batch.key)


def _index_task(task: _IndexTask) -> list[Part]:
    policy = task.policy
    with task.lake.writer(NEAR_DUPLICATE_INDEX, batch=task.batch) as writer:
        for files in _looked_at(task.lake, task.batch, task.part, ["ordinal", "doc_id", "content"]):
            rows = np.zeros(files.height, dtype=np.bool_)
            bands = np.empty((files.height, policy.bands), dtype=np.int64)
            for row, text in enumerate(text_bytes(files["content"])):
                shingles = shingle_hashes(text, policy.shingle_words)
                if len(shingles):
                    rows[row] = True
                    bands[row] = band_hashes(signature(shingles, policy.permutations, policy.seed), policy.rows)
            indexed = files.filter(pl.Series(rows)).select("ordinal", "doc_id").to_arrow()
            values = pa.FixedSizeListArray.from_arrays(pa.array(bands[rows].ravel()), policy.bands)
            writer.write(indexed.append_column("bands", values.cast(pa.list_(pa.int64()))))
    return writer.parts


def _looked_at(lake: Lake, batch: str, part: Part, columns: list[str]) -> Iterator[pl.DataFrame]:
    """The files of one data file that this filter looks at, a bounded frame at a time."""
    wanted = passing(lake, batch, REQUIRES, part.first, part.last)
    assert wanted is not None  # noqa: S101 - REQUIRES is not empty
    for group in lake.read(FILES, part, columns):
        files = group.filter(pl.col("ordinal").is_in(wanted.implode()))
        if not files.is_empty():
            yield files


def _candidates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> _Pairs:
    lake, settings = context.lake, context.settings
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("my_index", scan(lake, NEAR_DUPLICATE_INDEX, [batch.key]))
    keys = [each.key for each in earlier]
    if keys:
        connection.register("earlier_index", scan(lake, NEAR_DUPLICATE_INDEX, keys))
        connection.register("earlier_verdicts", scan(lake, verdicts("files", _NAME), keys))
        connection.register("earlier_keys", pa.table({"batch": keys, "arrival": [each.arrival for each in earlier]}))
        connection.execute(_BEFORE)
    else:
        connection.execute("CREATE TEMP TABLE before (arrival BIGINT, ordinal BIGINT, hash BIGINT)")
    with track(f"candidates {batch.key}", 1) as progress:
        found = connection.execute(_CANDIDATES.format(arrival=batch.arrival, bucket=_BUCKET)).fetchnumpy()
        progress.advance()
    connection.close()
    return _Pairs(*(np.asarray(found[name]) for name in ("ordinal", "other_arrival", "other_ordinal")))


@dataclass(frozen=True, slots=True)
class _SetTask:
    lake: Lake
    batch: str
    part: Part
    wanted: npt.NDArray[np.int64]
    width: int
    file: Path


@dataclass(frozen=True, slots=True)
class _PairTask:
    """Pairs, from number `first` on, by where their shingle sets are: (file, first value, values) for the two sides."""

    first: int
    files: tuple[Path, ...]
    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]


def _verify(
    context: Context, batch: Batch, earlier: Sequence[Batch], pairs: _Pairs, scratch: Path
) -> npt.NDArray[np.float64]:
    """The true Jaccard similarity of every pair."""
    places, files = _write_sets(context, batch, earlier, pairs, scratch)
    keys = pl.DataFrame({"arrival": pairs.arrival, "ordinal": pairs.other, "mine": pairs.ordinal})
    right = keys.join(places, on=["arrival", "ordinal"], how="left", maintain_order="left")
    mine = places.filter(pl.col("arrival") == batch.arrival)
    left = keys.select("mine").join(mine, left_on="mine", right_on="ordinal", how="left", maintain_order="left")
    columns = ["file", "start", "size"]
    left_places, right_places = left.select(columns).to_numpy(), right.select(columns).to_numpy()
    tasks = [
        _PairTask(first, files, left_places[first:end], right_places[first:end])
        for first in range(0, len(pairs.ordinal), _PAIRS_PER_TASK)
        for end in (first + _PAIRS_PER_TASK,)
    ]
    similarities = np.zeros(len(pairs.ordinal), dtype=np.float64)
    with track(f"verifying {batch.key}", len(similarities)) as progress:
        for task, values in context.engine.run(_pair_task, tasks):
            similarities[task.first : task.first + len(values)] = values
            progress.advance(len(values))
    return similarities


def _write_sets(
    context: Context, batch: Batch, earlier: Sequence[Batch], pairs: _Pairs, scratch: Path
) -> tuple[pl.DataFrame, tuple[Path, ...]]:
    """Put the shingle set of every document in a pair into scratch; returns where each is."""
    lake = context.lake
    tasks: list[_SetTask] = []
    arrivals: list[int] = []
    for each in (*earlier, batch):
        wanted = np.unique(pairs.other[pairs.arrival == each.arrival])
        if each is batch:
            wanted = np.union1d(wanted, pairs.ordinal)
        for part in lake.parts(FILES, batch=each.key) if len(wanted) else ():
            inside = wanted[(wanted >= part.first) & (wanted <= part.last)]
            if len(inside):
                file = scratch / f"{len(tasks)}.sets"
                width = context.policy.near_duplicates.shingle_words
                tasks.append(_SetTask(lake, each.key, part, inside, width, file))
                arrivals.append(each.arrival)
    numbers = {task.file: number for number, task in enumerate(tasks)}
    found: list[pl.DataFrame] = []
    with track(f"shingle sets {batch.key}", len(tasks)) as progress:
        for task, (ordinals, sizes) in context.engine.run(_set_task, tasks):
            number = numbers[task.file]
            columns = {"ordinal": ordinals, "start": np.cumsum(sizes) - sizes, "size": sizes}
            found.append(
                pl.DataFrame(columns).with_columns(
                    pl.lit(number, pl.Int64).alias("file"), pl.lit(arrivals[number], pl.Int64).alias("arrival")
                )
            )
            progress.advance()
    schema = dict.fromkeys(("ordinal", "start", "size", "file", "arrival"), pl.Int64)
    return pl.concat(found) if found else pl.DataFrame(schema=schema), tuple(task.file for task in tasks)


def _set_task(task: _SetTask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    ordinals: list[int] = []
    sizes: list[int] = []
    first, last = int(task.wanted[0]), int(task.wanted[-1])
    wanted = pl.Series(task.wanted)
    with task.file.open("wb") as out:
        for group in task.lake.read(FILES, task.part, ["ordinal", "content"], first=first, last=last):
            files = group.filter(pl.col("ordinal").is_in(wanted.implode()))
            for ordinal, text in zip(files["ordinal"], text_bytes(files["content"]), strict=True):
                values = shingle_set(text, task.width)
                out.write(values.tobytes())
                ordinals.append(ordinal)
                sizes.append(len(values))
    return np.array(ordinals, dtype=np.int64), np.array(sizes, dtype=np.int64)


def _pair_task(task: _PairTask) -> npt.NDArray[np.float64]:
    """Reads sets by position instead of mapping the files, so that memory is two sets and not all of them."""
    handles = [os.open(file, os.O_RDONLY) for file in task.files]

    def load(place: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        file, start, size = place.tolist()
        return np.frombuffer(os.pread(handles[file], size * 4, start * 4), dtype=np.uint32)

    try:
        similarities = np.empty(len(task.left), dtype=np.float64)
        previous = None
        for row, (left, right) in enumerate(zip(task.left, task.right, strict=True)):
            if previous is None or not np.array_equal(left, previous):
                mine, previous = load(left), left
            similarities[row] = jaccard(mine, load(right))
        return similarities
    finally:
        for handle in handles:
            os.close(handle)


def _name(lake: Lake, batch: Batch, earlier: Sequence[Batch], pairs: _Pairs, nearest: Nearest) -> pl.DataFrame:
    """The verdict of each compared document: ordinal, similarity, dropped, and the nearest kept one's doc_id."""
    compared = pl.DataFrame(
        {
            "ordinal": nearest.ordinal,
            "similarity": nearest.similarity,
            "dropped": nearest.dropped,
            "other_arrival": pairs.arrival[nearest.pair],
            "other": pairs.other[nearest.pair],
        }
    )
    named: list[pl.DataFrame] = []
    for each in (*earlier, batch):
        mine = compared.filter(pl.col("other_arrival") == each.arrival)
        if mine.height:
            ids = lake.column(NEAR_DUPLICATE_INDEX, ["ordinal", "doc_id"], batch=each.key)
            ids = ids.rename({"ordinal": "other", "doc_id": "related_doc_id"})
            named.append(mine.join(ids, on="other", how="left"))
    columns = ["ordinal", "similarity", "dropped", "related_doc_id"]
    if named:
        return pl.concat(named).select(columns)
    return compared.with_columns(pl.lit(None, pl.String).alias("related_doc_id")).select(columns)


def _write_verdicts(context: Context, batch: Batch, compared: pl.DataFrame) -> Report:
    lake, table = context.lake, verdicts("files", _NAME)
    report = Report(step=table.name, batch=batch.key)
    with lake.writer(table, batch=batch.key) as writer:
        for part in lake.parts(FILES, batch=batch.key):
            for files in _looked_at(lake, batch.key, part, ["ordinal", "doc_id", "bytes"]):
                judged = files.join(compared, on="ordinal", how="left", maintain_order="left").select(
                    "ordinal",
                    "doc_id",
                    pl.col("dropped").fill_null(value=False).not_().alias("keep"),
                    pl.when("dropped").then(pl.lit("near_duplicate")).alias("reason"),
                    pl.col("similarity").alias("score"),
                    "related_doc_id",
                    pl.lit(None, pl.String).alias("evidence"),
                )
                check_conservation(_NAME, files["ordinal"], judged)
                count(report, judged, files["bytes"])
                writer.write(stamp(judged, VERSION, context.run_id))
    lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report
