"""Compaction: runs of many batches become one, so that a lookup costs the logarithm of how many batches there are.

The batches before arrival number n are covered by blocks as the binary digits of n - 1 say: of 20 batches, the 21st
looks into the runs of 1 to 16 and 17 to 20. Each posting is merged once per level. A merged file has a name made of the
files it holds, so a batch that is made anew or removed makes others; those that nothing needs are deleted. What belongs
here: merging runs. What does not: making them from documents (`index.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seed_platform.indexes.arrays import ArrayFile, DamagedIndexError
from seed_platform.indexes.near_duplicates import BatchIndex
from seed_platform.indexes.postings import sort
from seed_platform.indexes.runs import RunFile, overlapping, read_run, write_run
from seed_platform.lake.lake import Lake
from seed_platform.lake.storage import Storage
from seed_platform.progress import track
from seed_platform.steps.base import Context
from seed_platform.steps.near_duplicates.index import digest, run_path
from seed_platform.steps.near_duplicates.subject import Subject

Run = tuple[RunFile, ...]

_PER_FILE = 1 << 21
"""Postings of a merged file, about: what a merge holds, and what a lookup may read of it, do not grow with the lake."""


def compacted(context: Context, subject: Subject, indexes: Sequence[BatchIndex], before: int) -> list[Run]:
    """Few runs that hold the postings of all `indexes`, which arrived before number `before`; merges what has to be.

    What is merged of one kind of documents is not mixed with what is merged of another.
    """
    storage, merged = context.lake.storage, f"{subject.folder}/_merged/{subject.kind}"
    runs: list[Run] = []
    for low, high in blocks(before - 1):
        members = _members(indexes, low, high)
        if len(members) == 1:
            runs.append(members[0].run)
        elif members:
            runs.append(_merged(context, merged, indexes, low, high))
    needed = {file.path for run in runs for file in run}
    for path in storage.list(merged):
        if path not in needed:
            storage.remove(path)
    return runs


def blocks(count: int) -> Iterator[tuple[int, int]]:
    """Ranges (first, last) that cover 1 to `count`, each as long as a power of two, the longest first."""
    low = 1
    for bit in reversed(range(count.bit_length())):
        if count >> bit & 1:
            yield low, low + (1 << bit) - 1
            low += 1 << bit


def _members(indexes: Sequence[BatchIndex], low: int, high: int) -> list[BatchIndex]:
    return [index for index in indexes if low <= index.arrival <= high]


def _files(folder: str, members: Sequence[BatchIndex]) -> Run:
    """What the merged run of several batches consists of, whether it is there or not; `rows` are of all its files."""
    rows = sum(file.rows for index in members for file in index.run)
    shards = 1 << (max(1, -(-rows // _PER_FILE)) - 1).bit_length()
    stem = f"{folder}/{digest([file.path for index in members for file in index.run])}"
    return tuple(RunFile(run_path(stem, shard, shards), shard, shards, rows) for shard in range(shards))


@dataclass(frozen=True, slots=True)
class _MergeTask:
    lake: Lake
    pieces: tuple[RunFile, ...]
    file: RunFile


def _merged(context: Context, folder: str, indexes: Sequence[BatchIndex], low: int, high: int) -> Run:
    files = _files(folder, _members(indexes, low, high))
    storage = context.lake.storage
    missing = [file for file in files if not _is_there(storage, file)]
    if missing:
        pieces = list(_pieces(storage, folder, indexes, low, high))
        # Each task names what it reads only: all files of all pieces in every task would be a square.
        tasks = [_MergeTask(context.lake, tuple(_overlapping(pieces, file)), file) for file in missing]
        with track(f"merging batches {low} to {high}", len(tasks)) as progress:
            for _ in context.engine.run(_merge, tasks):
                progress.advance()
    return files


def _overlapping(pieces: Sequence[Run], file: RunFile) -> Iterator[RunFile]:
    for run in pieces:
        yield from overlapping(run, file.shard, file.shards)


def _pieces(storage: Storage, folder: str, indexes: Sequence[BatchIndex], low: int, high: int) -> Iterator[Run]:
    """Runs that hold a range between them, in order of arrival: halves that are merged already, or what they are of."""
    middle = (low + high) // 2
    for first, last in ((low, middle), (middle + 1, high)):
        members = _members(indexes, first, last)
        files = _files(folder, members)
        if len(members) == 1:
            yield members[0].run
        elif members and all(_is_there(storage, file) for file in files):
            yield files
        elif members:
            yield from _pieces(storage, folder, indexes, first, last)


def _is_there(storage: Storage, file: RunFile) -> bool:
    try:
        ArrayFile(storage, file.path).close()
    except DamagedIndexError:
        return False
    return True


def _merge(task: _MergeTask) -> None:
    storage, file = task.lake.storage, task.file
    found = [read_run(storage, each, file.shard, file.shards) for each in task.pieces]
    keys = np.concatenate([np.empty(0, dtype=np.uint64), *(keys for keys, _ in found)])
    references = np.concatenate([np.empty(0, dtype=np.uint64), *(references for _, references in found)])
    # Pieces come in order of arrival, and sorting leaves equal keys in the order given.
    write_run(storage, file.path, *sort(keys, references, file.shard, file.shards))
