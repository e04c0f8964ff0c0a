"""Candidates: pairs of documents that share a band and are alike by their sketches.

What belongs here: tasks over ranges of band keys. What does not: verifying (`decisions.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from seed_platform.batches import Batch
from seed_platform.filters.minhash import least_equal
from seed_platform.filters.near_duplicates import (
    Sketches,
    alike,
    pairs_across,
    pairs_within,
    unique_pairs,
    worth_verifying,
)
from seed_platform.indexes.arrays import ArrayFile, write_arrays
from seed_platform.indexes.postings import ROW_BITS, Keys, Numbers, References, reference, rows_of
from seed_platform.indexes.runs import lookup, overlapping
from seed_platform.lake.storage import Storage
from seed_platform.progress import track
from seed_platform.steps.base import Context
from seed_platform.steps.near_duplicates.index import sorted_postings
from seed_platform.steps.near_duplicates.work import Work, load_work

_PAIRS_AT_ONCE = 1 << 18
_COPIES_AT_ONCE = 1 << 20
_POSTINGS_AT_ONCE = 1 << 15
_ROWS_PER_STEP = 1 << 10

Pairs = tuple[Numbers, References]
"""Of documents: the row of one, and the earlier other one."""

_NO_PAIRS: Pairs = (np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64))
_Piece = TypeVar("_Piece")


@dataclass(frozen=True, slots=True)
class _CandidateTask:
    work: Path
    documents: int
    shard: int
    shards: int
    path: str


def find_candidates(context: Context, batch: Batch, work: Work, documents: int, shards: int) -> list[str]:
    """Find the pairs that are worth verifying; returns the files that hold them, which `read_candidates` reads."""
    _gather_sketches(work)
    paths = [f"candidates-{n:03d}-of-{shards:03d}" for n in range(shards)]
    tasks = [_CandidateTask(work.path, documents, n, shards, path) for n, path in enumerate(paths)]
    with track(f"candidates {batch.key}", shards) as progress:
        for _ in context.engine.run(_find_candidates, tasks):
            progress.advance()
    return paths


def write_candidates(storage: Storage, path: str, documents: int, within: References, across: Pairs) -> None:
    """Write the pairs of one shard, each once and in order, with where the rows of each step begin.

    Args:
        storage: the scratch folder.
        path: of the file.
        documents: of the batch.
        within: pairs of the batch, later row << 32 | earlier row.
        across: pairs with documents of earlier batches.
    """
    edges = np.arange(0, documents + _ROWS_PER_STEP, _ROWS_PER_STEP)
    arrays = {
        "within": within,
        "within_bounds": np.searchsorted(within, edges.astype(np.uint64) << np.uint64(ROW_BITS)),
        "rows": across[0],
        "others": across[1],
        "across_bounds": np.searchsorted(across[0], edges),
    }
    write_arrays(storage, path, arrays)


def read_candidates(work: Work, paths: Sequence[str]) -> Pairs:
    """Pairs (row, earlier document), in order, each once.

    A pair is in the files of all shards in which the two share a band: a dozen or more. The files are sorted, so they
    are merged by ranges of rows; in memory are the distinct pairs, 16 bytes each, and what the files have of one range.
    """
    rows, others = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64)
    with ExitStack() as stack:
        files = [stack.enter_context(ArrayFile(work.storage, path)) for path in paths]
        for within, across in _ranges(files):
            inside = _distinct(np.concatenate([file.read("within", *places) for file, places in within]))
            own = (inside >> np.uint64(ROW_BITS)).astype(np.int64), reference(work.arrival, rows_of(inside))
            earlier = [(file.read("rows", *places), file.read("others", *places)) for file, places in across]
            found = unique_pairs(*_joined([own, *earlier]))
            # In place where the allocator can: pieces that are joined at the end would be in memory twice.
            for known, more in zip((rows, others), found, strict=True):
                known.resize(len(known) + len(more), refcheck=False)
                known[len(known) - len(more) :] = more
    return rows, others


_Places = list[tuple[ArrayFile, list[int]]]


def _ranges(files: Sequence[ArrayFile]) -> Iterator[tuple[_Places, _Places]]:
    """For ranges of rows, ascending, that have few pairs: where these are in each file, those within and across."""
    bounds = {name: np.array([file.read(name) for file in files]) for name in ("within_bounds", "across_bounds")}
    total = (bounds["within_bounds"] + bounds["across_bounds"]).sum(axis=0)
    low = 0
    while low < len(total) - 1:
        high = max(int(np.searchsorted(total, total[low] + _COPIES_AT_ONCE, side="right")) - 1, low + 1)
        within, across = (list(zip(files, each[:, [low, high]].tolist(), strict=True)) for each in bounds.values())
        yield within, across
        low = high


def _joined(pieces: Sequence[Pairs]) -> Pairs:
    return np.concatenate([rows for rows, _ in pieces]), np.concatenate([others for _, others in pieces])


def _distinct(values: References) -> References:
    """In order, without repeats, by a plain sort: `np.unique` would hash, and sort all the same."""
    values.sort()
    new = np.ones(len(values), dtype=np.bool_)
    new[1:] = values[1:] != values[:-1]
    return values[new]


def _gather_sketches(work: Work) -> None:
    """All sketches of the batch in one file, which tasks map into memory: any of them may meet any other."""
    with (work.scratch / "sketches").open("wb") as out:
        for segment in work.segments:
            with ArrayFile(work.lake.storage, segment.path) as file:
                out.write(file.read("sketches").tobytes())


def _find_candidates(task: _CandidateTask) -> None:
    work = load_work(task.work)
    policy = work.policy
    if work.is_there(task.path):
        return
    shape = (task.documents, policy.permutations)
    empty = np.empty(shape, dtype=np.uint8)
    sketches = np.memmap(work.scratch / "sketches", dtype=np.uint8, mode="r", shape=shape) if task.documents else empty
    least = least_equal(policy.permutations, worth_verifying(policy.threshold, policy.permutations))
    keys, rows = sorted_postings(work.lake, work.segments, task.shard, task.shards)
    across = _across(work, task, keys, rows, sketches, least)
    write_candidates(work.storage, task.path, task.documents, _within(keys, rows, sketches, least), across)


def _within(keys: Keys, rows: Numbers, sketches: Sketches, least: int) -> References:
    """Pairs of the batch, later row << 32 | earlier row, in order, each once."""
    pieces = (pairs_within(keys[each], rows[each], sketches, least) for each in _buckets(keys))
    return _merged(pieces, lambda held: _distinct(np.concatenate(held)), len, np.empty(0, dtype=np.uint64))


def _buckets(keys: Keys) -> Iterator[slice]:
    """Postings in pieces of about `_POSTINGS_AT_ONCE`, those of equal keys together."""
    start = 0
    while start < len(keys):
        stop = min(start + _POSTINGS_AT_ONCE, len(keys))
        if stop < len(keys):
            first, last = (int(np.searchsorted(keys, keys[stop], side=side)) for side in ("left", "right"))
            stop = first if first > start else last
        yield slice(start, stop)
        start = stop


def _across(work: Work, task: _CandidateTask, keys: Keys, rows: Numbers, sketches: Sketches, least: int) -> Pairs:
    """Pairs with documents of earlier batches, in order, each once."""
    with work.documents() as documents:

        def similar() -> Iterator[Pairs]:
            for mine, theirs in _together(_met(work, task, keys, rows)):
                distinct, which = np.unique(theirs, return_inverse=True)
                good = alike(mine, sketches, which, documents.take("sketches", distinct), least)
                yield mine[good], theirs[good]

        return _merged(similar(), lambda held: unique_pairs(*_joined(held)), lambda pairs: len(pairs[0]), _NO_PAIRS)


def _met(work: Work, task: _CandidateTask, keys: Keys, rows: Numbers) -> Iterator[Pairs]:
    """Pairs that share a band, as runs are looked through."""
    for run in work.runs:
        for found in lookup(work.lake.storage, overlapping(run, task.shard, task.shards), keys):
            asked = found.asked
            yield from pairs_across(keys[asked], rows[asked], found.places, found.keys, found.references)


def _together(pieces: Iterable[Pairs]) -> Iterator[Pairs]:
    """The pairs of many pieces, each once, `_PAIRS_AT_ONCE` at most: sketches are read once for all of them."""
    held, count = [_NO_PAIRS], 0
    for piece in pieces:
        if count + len(piece[0]) > _PAIRS_AT_ONCE:
            yield unique_pairs(*_joined(held))
            held, count = [_NO_PAIRS], 0
        held.append(piece)
        count += len(piece[0])
    if count:
        yield unique_pairs(*_joined(held))


def _merged(
    pieces: Iterable[_Piece], merge: Callable[[list[_Piece]], _Piece], size: Callable[[_Piece], int], nothing: _Piece
) -> _Piece:
    """All pieces as one, merged whenever as much has come as there is: repeats go before they add up."""
    held, count = [nothing], 0
    for piece in pieces:
        held.append(piece)
        count += size(piece)
        if count > max(_PAIRS_AT_ONCE, size(held[0])):
            held, count = [merge(held)], 0
    return merge(held)
