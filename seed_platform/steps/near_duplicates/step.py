"""The step: its stages in order, damaged index files made again, and the verdicts.

What belongs here: order and publication. What does not: the stages before verdicts (the modules beside this one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from seed_platform.batches import REFERENCES, Batch, list_batches
from seed_platform.errors import WorkError
from seed_platform.filters.near_duplicates import VERSION, Nearest
from seed_platform.indexes.arrays import ArrayFile, DamagedIndexError
from seed_platform.indexes.documents import Segment
from seed_platform.indexes.near_duplicates import BatchIndex, load, publish
from seed_platform.indexes.postings import ROW_BITS
from seed_platform.lake.lake import Part
from seed_platform.lake.schemas import verdicts
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp
from seed_platform.steps.near_duplicates.candidates import find_candidates
from seed_platform.steps.near_duplicates.compaction import compacted
from seed_platform.steps.near_duplicates.decisions import decide_pairs
from seed_platform.steps.near_duplicates.index import digest, make_run, make_segments, shards_for
from seed_platform.steps.near_duplicates.work import Work

REQUIRES = ("rules", "repository_duplicates", "exact_duplicates", "syntax")
# Syntax comes first, other than in the paper: else a broken old release of a file would be the one kept of it, and then
# be dropped for its syntax, and no copy would be left.
_NAME = "near_duplicates"
_REPAIRS = 100


def find_near_duplicates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge one batch against itself, the `earlier` batches and all reference sets; publish its verdicts and its index.

    Raises:
        WorkError: index files keep being damaged.
    """
    references = list_batches(context.lake, kind=REFERENCES)
    damage: DamagedIndexError | None = None
    for _ in range(_REPAIRS):
        try:
            if damage is not None:
                _repair(context, [*earlier, *references], damage)
            for each in references:
                _index_reference(context, each)
            return _find(context, batch, earlier, references)
        except DamagedIndexError as found:  # in the middle of a repair as well
            damage = found
    raise WorkError(f"index files of {context.lake.root} keep being damaged: check the disk")


def _index_reference(context: Context, batch: Batch) -> None:
    """Bring the index of a reference set up to date: all of its documents count, none is judged."""
    segments = make_segments(context, batch, ())
    (known,) = load(context.lake, [batch])
    if known.segments != segments or not known.run:
        shards = shards_for(sum(segment.rows for segment in segments), context.policy.near_duplicates.bands, 1)
        run = make_run(context, batch, segments, np.empty(0, dtype=np.int64), shards)
        publish(context.lake, BatchIndex(batch.key, batch.arrival, segments, run), context.commit)


def _repair(context: Context, others: Sequence[Batch], damage: DamagedIndexError) -> None:
    """Make a damaged index file of another batch again; one of this batch is made again as the step is repeated."""
    lake = context.lake
    lake.storage.remove(damage.path)
    for each, index in zip(others, load(lake, others), strict=True):
        if damage.path not in index.paths:
            continue
        dropped = np.empty(0, dtype=np.int64)
        if each.kind == REFERENCES:
            segments = make_segments(context, each, ())
        else:
            segments = make_segments(context, each, REQUIRES)
            judged = lake.column(verdicts("files", _NAME), ["ordinal", "keep"], batch=each.key).sort("ordinal")
            dropped = np.flatnonzero(~judged["keep"].to_numpy())
        run = make_run(context, each, segments, dropped, len(index.run))
        if BatchIndex(each.key, each.arrival, segments, run).paths != index.paths:
            raise WorkError(f"the index of batch {each.key} cannot be made again: its tables have changed since")


def _find(context: Context, batch: Batch, earlier: Sequence[Batch], references: Sequence[Batch]) -> Report:
    lake, policy = context.lake, context.policy.near_duplicates
    segments = make_segments(context, batch, REQUIRES)
    before, against = load(lake, earlier), load(lake, references)
    runs = [*(index.run for index in against), *compacted(context, before, batch.arrival)]
    files = [path for index in (*against, *before) for path in index.paths]
    made_of = [VERSION, policy.digest(), *(segment.path for segment in segments), *files]
    scratch = lake.storage.scratch(f"{_NAME}-{batch.key}-{digest(made_of)}")
    arrivals = tuple(each.arrival for each in references)
    others = (*against, *before)
    work = Work(lake, batch.arrival, policy, context.run_id, scratch, segments, others, tuple(runs), arrivals)
    documents = sum(segment.rows for segment in segments)
    shards = shards_for(documents, policy.bands, context.engine.workers)
    rows, others_of = find_candidates(context, batch, work, documents, shards)
    nearest = decide_pairs(context, batch, work, documents, rows, others_of)
    report, parts = _judge(context, batch, work, nearest)
    report.figures["pairs_verified"] = len(rows)
    run = make_run(context, batch, segments, nearest.row[nearest.dropped], shards)
    lake.publish(verdicts("files", _NAME), parts, context.commit, batch=batch.key)
    publish(lake, BatchIndex(batch.key, batch.arrival, segments, run), context.commit)
    lake.storage.drop_scratch(scratch.name)
    return report


@dataclass(frozen=True, slots=True)
class _VerdictTask:
    work: Work
    batch: str
    segment: Segment
    nearest: Nearest


def _judge(context: Context, batch: Batch, work: Work, nearest: Nearest) -> tuple[Report, list[Part]]:
    report = Report(step=verdicts("files", _NAME).name, batch=batch.key)
    tasks = []
    for segment in work.segments:
        low, high = np.searchsorted(nearest.row, [segment.first, segment.first + segment.rows]).tolist()
        mine = Nearest(**{name: getattr(nearest, name)[low:high] for name in Nearest.__slots__})
        tasks.append(_VerdictTask(work, batch.key, segment, mine))
    written: list[Part] = []
    with track(f"verdicts {batch.key}", sum(segment.rows for segment in work.segments)) as progress:
        for task, (parts, told) in context.engine.run(_judge_segment, tasks):
            written += parts
            report.merge(told)
            progress.advance(task.segment.rows)
    return report, written


def _judge_segment(task: _VerdictTask) -> tuple[list[Part], Report]:
    work, nearest = task.work, task.nearest
    with ArrayFile(work.lake.storage, task.segment.path) as file:
        ordinals, ids, sizes = file.read("ordinal"), file.read("doc_id"), file.read("size")
    related, which = np.unique(nearest.other, return_inverse=True)
    with work.documents() as documents:
        names = _hex(documents.take("doc_id", related)) if len(related) else pa.array([], pa.string())
    of_reference = np.isin(nearest.other >> np.uint64(ROW_BITS), work.references)
    reasons = np.where(of_reference, "reference_duplicate", "near_duplicate")
    compared = pa.table(
        {
            "reason": pa.array(reasons, pa.string(), mask=~nearest.dropped),
            "score": nearest.similarity,
            "related_doc_id": names.take(pa.array(which)),
            "evidence": pa.array([f'{{"containment": {share:.4g}}}' for share in nearest.containment], pa.string()),
        }
    )
    rows = nearest.row - task.segment.first
    keep, places = np.ones(len(ordinals), dtype=np.bool_), np.full(len(ordinals), -1)
    keep[rows], places[rows] = ~nearest.dropped, np.arange(len(rows))
    judged = pl.DataFrame(
        pa.table({"ordinal": ordinals, "doc_id": _hex(ids), "keep": keep}),
    ).hstack(pl.DataFrame(compared.take(pa.array(places, mask=places < 0))))
    report = Report(step="", batch=task.batch)
    check_conservation(_NAME, pl.Series(ordinals), judged)
    count(report, judged, pl.Series(sizes))
    with work.lake.writer(verdicts("files", _NAME), batch=task.batch) as writer:
        if judged.height:
            writer.write(stamp(judged, VERSION, work.run_id))
    return writer.parts, report


def _hex(ids: npt.NDArray[np.uint8]) -> pa.StringArray:
    """Identifiers as text: what is there in hex, cut into equal pieces."""
    text = ids.tobytes().hex().encode()
    offsets = np.arange(0, len(text) + 1, 2 * ids.shape[1], dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(text))
