"""Candidates: pairs of documents that share a band and are alike by their sketches.

What belongs here: tasks over ranges of band keys. What does not: verifying (`decisions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seed_platform.batches import Batch
from seed_platform.filters.minhash import least_equal
from seed_platform.filters.near_duplicates import MARGIN, alike, pairs_across, pairs_within, unique_pairs
from seed_platform.indexes.arrays import ArrayFile, write_arrays
from seed_platform.indexes.postings import ROW_BITS, Numbers, References, reference, rows_of
from seed_platform.indexes.runs import lookup
from seed_platform.progress import track
from seed_platform.steps.base import Context
from seed_platform.steps.near_duplicates.index import sorted_postings
from seed_platform.steps.near_duplicates.work import Work, load_work


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


def read_candidates(work: Work, paths: Sequence[str]) -> tuple[Numbers, References]:
    """Pairs (row, earlier document), in order, each once."""
    within: list[References] = []
    rows: list[Numbers] = []
    others: list[References] = []
    for path in paths:
        with ArrayFile(work.storage, path) as file:
            within.append(file.read("within"))
            rows.append(file.read("rows"))
            others.append(file.read("others"))
    # One number a pair, and a plain sort: `np.unique` would hash, and sort all the same.
    inside = np.concatenate(within)
    inside.sort()
    inside = inside[np.flatnonzero(np.diff(inside, prepend=~inside[:1]))]
    rows.append((inside >> np.uint64(ROW_BITS)).astype(np.int64))
    others.append(reference(work.arrival, rows_of(inside)))
    return unique_pairs(np.concatenate(rows), np.concatenate(others))


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
    least = least_equal(policy.permutations, policy.threshold - MARGIN)
    keys, rows = sorted_postings(work.lake, work.segments, task.shard, task.shards)
    found: list[tuple[Numbers, References]] = [(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64))]
    with work.documents() as documents:
        for run in work.runs:
            files = [file for file in run if file.overlaps(task.shard, task.shards)]
            for places, other_keys, others in lookup(work.lake.storage, files, keys):
                for mine, theirs in pairs_across(keys, rows, places, other_keys, others):
                    distinct, which = np.unique(theirs, return_inverse=True)
                    good = alike(mine, sketches, which, documents.take("sketches", distinct), least)
                    found.append((mine[good], theirs[good]))
    mine, theirs = unique_pairs(np.concatenate([a for a, _ in found]), np.concatenate([b for _, b in found]))
    within = pairs_within(keys, rows, sketches, least)
    write_arrays(work.storage, task.path, {"within": within, "rows": mine, "others": theirs})
