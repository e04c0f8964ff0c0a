"""Near duplicates of a batch, against itself and all that was kept before: index, candidates, verification, decision.

1. A task per data file writes the band hashes of its documents' signatures to the index in the lake.
2. Documents that share `_SHARED_BANDS` bands with an earlier one are candidates; the join runs in DuckDB under a memory
   limit. At a similarity of 0.75 a pair shares 7 of 42 bands on average and fewer than 2 with a chance of 0.3 %; at
   0.5, where most chance meetings are, asking for 2 instead of 1 leaves out two thirds of them.
3. A task per data file puts the shingle sets of candidates into scratch.
4. `filters.near_duplicates.decide` goes through the batch in order and asks for true similarities as it needs them.

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
from seed_platform.errors import WorkError
from seed_platform.filters.minhash import bands_of_texts, jaccard, permutations, shingle_set
from seed_platform.filters.near_duplicates import VERSION, Nearest, decide, text_buffer, text_bytes
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILES, NEAR_DUPLICATE_INDEX, verdicts
from seed_platform.policy import NearDuplicatesPolicy
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, passing, stamp

__all__ = ["REQUIRES", "VERSION", "find_near_duplicates"]

REQUIRES = ("rules", "exact_duplicates", "syntax")
# Syntax comes first, other than in the paper: else a broken old release of a file would be the one kept of it, and then
# be dropped for its syntax, and no copy would be left.
_NAME = "near_duplicates"
_BUCKET = 32
_SHARED_BANDS = 2
_OPEN_FILES = 64

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
SELECT a.ordinal, b.arrival AS other_arrival, b.ordinal AS other_ordinal
FROM shared a JOIN shared b ON a.hash = b.hash AND b.place < a.place AND b.place <= {bucket}
WHERE a.arrival = {arrival}
GROUP BY ALL HAVING count(*) >= {bands}
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
    nearest = _compare(context, batch, earlier, pairs, scratch)
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
    permutation = permutations(policy.permutations, policy.seed)
    with task.lake.writer(NEAR_DUPLICATE_INDEX, batch=task.batch) as writer:
        for files in _looked_at(task.lake, task.batch, task.part, ["ordinal", "doc_id", "content"]):
            rows, bands = bands_of_texts(*text_buffer(files["content"]), policy.shingle_words, permutation, policy.rows)
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
    bands = min(_SHARED_BANDS, context.policy.near_duplicates.bands)
    query = _CANDIDATES.format(arrival=batch.arrival, bucket=_BUCKET, bands=bands)
    with track(f"candidates {batch.key}", 1) as progress:
        found = connection.execute(query).fetchnumpy()
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


class _Similarities:
    """The true Jaccard similarity of a pair, from shingle sets in scratch.

    Sets are read by position and files are not mapped, so that memory is two sets and not all of them; `left` and
    `right` are (pairs, 3) arrays: number of the file, first value, values.
    """

    def __init__(self, files: Sequence[Path], left: npt.NDArray[np.int64], right: npt.NDArray[np.int64]) -> None:
        self._files, self._left, self._right = files, left, right
        self._handles: dict[int, int] = {}
        self._place: tuple[int, int, int] = (-1, 0, 0)
        self._set = np.empty(0, dtype=np.uint32)

    def __call__(self, pair: int) -> float:
        file, start, size = self._left[pair].tolist()
        if (file, start, size) != self._place:
            self._place = (file, start, size)
            self._set = self._load(file, start, size)
        return jaccard(self._set, self._load(*self._right[pair].tolist()))

    def _load(self, file: int, start: int, size: int) -> npt.NDArray[np.uint32]:
        if file not in self._handles:
            if len(self._handles) >= _OPEN_FILES:
                os.close(self._handles.pop(next(iter(self._handles))))
            self._handles[file] = os.open(self._files[file], os.O_RDONLY)
        data = os.pread(self._handles[file], size * 4, start * 4)
        if len(data) != size * 4:
            raise WorkError(f"{self._files[file]} is cut short; run it again")
        return np.frombuffer(data, dtype=np.uint32)

    def close(self) -> None:
        for handle in self._handles.values():
            os.close(handle)


def _compare(context: Context, batch: Batch, earlier: Sequence[Batch], pairs: _Pairs, scratch: Path) -> Nearest:
    """Verify pairs as the decision asks for them."""
    places, files = _write_sets(context, batch, earlier, pairs, scratch)
    keys = pl.DataFrame({"arrival": pairs.arrival, "ordinal": pairs.other, "mine": pairs.ordinal})
    right = keys.join(places, on=["arrival", "ordinal"], how="left", maintain_order="left")
    mine = places.filter(pl.col("arrival") == batch.arrival)
    left = keys.select("mine").join(mine, left_on="mine", right_on="ordinal", how="left", maintain_order="left")
    columns = ["file", "start", "size"]
    similarities = _Similarities(files, left.select(columns).to_numpy(), right.select(columns).to_numpy())
    threshold = context.policy.near_duplicates.threshold
    try:
        with track(f"verifying {batch.key}", 1) as progress:
            nearest = decide(pairs.ordinal, pairs.other, pairs.arrival == batch.arrival, similarities, threshold)
            progress.advance()
    finally:
        similarities.close()
    return nearest


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
