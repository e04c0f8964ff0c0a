"""Decisions: candidate pairs verified on whole sets of shingles, in order of arrival.

What belongs here: tasks over groups of linked documents. What does not: the rule (`filters/near_duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seed_platform.batches import Batch
from seed_platform.filters.near_duplicates import Nearest, components, decide
from seed_platform.indexes.arrays import ArrayFile, write_arrays
from seed_platform.indexes.documents import Documents
from seed_platform.indexes.postings import ROW_BITS, Numbers, References, reference, rows_of
from seed_platform.lake.storage import Storage
from seed_platform.progress import track
from seed_platform.steps.base import Context
from seed_platform.steps.near_duplicates.candidates import read_candidates
from seed_platform.steps.near_duplicates.work import Work, load_work

_LEAST_PAIRS = 4096
_VALUES_AT_ONCE = 1 << 23
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, slots=True)
class _DivisionTask:
    work: Path
    documents: int
    candidates: Sequence[str]
    most: int


@dataclass(frozen=True, slots=True)
class _DecisionTask:
    work: Path
    documents: int
    pairs: str
    path: str


def decide_pairs(
    context: Context, batch: Batch, work: Work, documents: int, candidates: Sequence[str]
) -> tuple[Nearest, int]:
    """Verify the pairs in the files `candidates`, in as many tasks as there are workers; returns how many as well."""
    division = _DivisionTask(work.path, documents, candidates, context.engine.workers)
    # In a worker, which has the compiled kernels loaded: to load them here would take a second.
    ((_, counts),) = context.engine.run(_divide, [division])
    number = len(counts)
    tasks = [
        _DecisionTask(work.path, documents, _pairs(n, number), f"decisions-{n}-of-{number}") for n in range(number)
    ]
    with track(f"verifying {batch.key}", sum(counts)) as progress:
        for task, _ in context.engine.run(_decide_task, tasks):
            progress.advance(counts[tasks.index(task)])
    return _joined([_read_nearest(work.storage, task.path) for task in tasks]), sum(counts)


def _pairs(n: int, number: int) -> str:
    return f"pairs-{n}-of-{number}"


def _divide(task: _DivisionTask) -> list[int]:
    """Divide the pairs so that documents that are linked are decided by the same task; the size of each share."""
    work = load_work(task.work)
    rows, references = read_candidates(work, task.candidates)
    inside = references >> np.uint64(ROW_BITS) == work.arrival
    groups = components(rows[inside], rows_of(references[inside]), task.documents)[rows].astype(np.uint64)
    number = min(task.most, max(1, len(rows) // _LEAST_PAIRS))
    chosen = (groups * _SPREAD >> np.uint64(ROW_BITS)) % np.uint64(number)
    for n in range(number):
        mine = chosen == n
        write_arrays(work.storage, _pairs(n, number), {"rows": rows[mine], "references": references[mine]})
    return [int(count) for count in np.bincount(chosen.astype(np.int64), minlength=number)]


def _decide_task(task: _DecisionTask) -> None:
    work = load_work(task.work)
    if work.is_there(task.path):
        return
    with ArrayFile(work.storage, task.pairs) as file:
        rows, references = file.read("rows"), file.read("references")
    dropped = np.zeros(task.documents, dtype=np.bool_)
    found: list[Nearest] = []
    with work.documents() as documents:
        for start, end in _pieces(documents, reference(work.arrival, rows), rows, references):
            mine, others = reference(work.arrival, rows[start:end]), references[start:end]
            wanted = np.unique(np.concatenate([mine, others]))
            bounds, values = documents.sets(wanted)
            own = others >> np.uint64(ROW_BITS) == work.arrival
            places = np.searchsorted(wanted, mine), np.searchsorted(wanted, others)
            other_rows = np.where(own, rows_of(others), -1)
            threshold = work.policy.threshold
            found.append(decide(rows[start:end], others, other_rows, *places, bounds, values, threshold, dropped))
    nearest = _joined(found)
    arrays = {name: getattr(nearest, name) for name in Nearest.__slots__}
    write_arrays(work.storage, task.path, arrays)


def _pieces(documents: Documents, mine: References, rows: Numbers, references: References) -> Iterator[tuple[int, int]]:
    """Ranges of pairs whose sets are few enough to be in memory at once; all pairs of a document are in one."""
    if not len(rows):
        return
    known = np.unique(np.concatenate([mine, references]))
    sizes = documents.set_sizes(known)
    total = np.cumsum(sizes[np.searchsorted(known, references)] + sizes[np.searchsorted(known, mine)])
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    start = 0
    for low, high in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        if low > start and total[high - 1] - (total[start - 1] if start else 0) > _VALUES_AT_ONCE:
            yield start, low
            start = low
    yield start, len(rows)


def _read_nearest(storage: Storage, path: str) -> Nearest:
    with ArrayFile(storage, path) as file:
        return Nearest(**{name: file.read(name) for name in Nearest.__slots__})


def _joined(found: Sequence[Nearest]) -> Nearest:
    empty = Nearest(
        np.empty(0, dtype=np.int64), np.empty(0, dtype=np.uint64), np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_)
    )
    order = np.argsort(np.concatenate([empty.row, *(each.row for each in found)]), kind="stable")
    return Nearest(
        **{
            name: np.concatenate([getattr(empty, name), *(getattr(each, name) for each in found)])[order]
            for name in Nearest.__slots__
        }
    )
