"""The step: its stages in order, damaged index files made again, and the verdicts.

What belongs here: order and publication. What does not: the stages before verdicts (the modules beside this one).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from seed_platform.batches import REFERENCES, Batch, list_batches
from seed_platform.errors import WorkError
from seed_platform.filters.near_duplicates import VERSION, Nearest
from seed_platform.indexes.arrays import ArrayFile, DamagedIndexError
from seed_platform.indexes.documents import Places, Segment
from seed_platform.indexes.near_duplicates import BatchIndex, load, publish
from seed_platform.indexes.postings import ROW_BITS
from seed_platform.lake.lake import Part
from seed_platform.lake.schemas import Table
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp
from seed_platform.steps.near_duplicates.candidates import find_candidates
from seed_platform.steps.near_duplicates.compaction import compacted
from seed_platform.steps.near_duplicates.decisions import decide_pairs
from seed_platform.steps.near_duplicates.index import VERSION as INDEX_VERSION
from seed_platform.steps.near_duplicates.index import digest, make_run, make_segments, segments_of_all, shards_for
from seed_platform.steps.near_duplicates.subject import NAME, SOURCE_FILES, Subject
from seed_platform.steps.near_duplicates.work import Work, load_work

_REPAIRS = 3
_ROWS_PER_TASK = 1 << 14


def find_near_duplicates(
    context: Context, batch: Batch, earlier: Sequence[Batch], subject: Subject = SOURCE_FILES
) -> Report:
    """Judge one batch against itself, the `earlier` batches and all reference sets; publish its verdicts and its index.

    Raises:
        WorkError: index files keep being damaged.
    """
    references = list_batches(context.lake, kind=REFERENCES) if subject.references else []
    damaged: Counter[str] = Counter()
    damage: DamagedIndexError | None = None
    while damage is None or damaged[damage.path] <= _REPAIRS:
        try:
            if damage is not None:
                _repair(context, subject, batch, [*earlier, *references], damage, again=damaged[damage.path] > 1)
            for each in references:
                _index_reference(context, subject, each)
            return _find(context, subject, batch, earlier, references)
        except DamagedIndexError as found:  # in the middle of a repair as well
            damage = found
            damaged[damage.path] += 1
    raise WorkError(f"{damage} again and again: check the disk of {context.lake.root}")


def _index_reference(context: Context, subject: Subject, batch: Batch) -> None:
    """Bring the index of a reference set up to date: all of its documents count, none is judged."""
    (known,) = load(context.lake, [batch], subject.index)
    policy = subject.policy(context.policy)
    wanted = segments_of_all(context.lake, subject, batch, policy)
    if known.run and [segment.path for segment in known.segments] == wanted:
        return
    segments = make_segments(context, subject, batch, ())
    shards = shards_for(sum(segment.rows for segment in segments), policy.bands, 1)
    run = make_run(context, subject, batch, segments, np.empty(0, dtype=np.int64), shards)
    publish(context.lake, subject.index, BatchIndex(batch.key, batch.arrival, segments, run), context.commit)


def _repair(
    context: Context,
    subject: Subject,
    batch: Batch,
    others: Sequence[Batch],
    damage: DamagedIndexError,
    *,
    again: bool,
) -> None:
    """Make a damaged index file of another batch again; one of this batch is made again as the step is repeated.

    Of a file on S3 this machine's copy may be damaged: it is fetched anew, and the file made again the second time.
    """
    lake = context.lake
    if not damage.path.startswith(f"{subject.folder}/"):  # a result that an earlier attempt at this batch left
        lake.storage.drop_scratch(_scratch_of(subject, batch))
        return
    if lake.storage.drop_copy(damage.path) and not again:
        return
    lake.storage.remove(damage.path)
    for each, index in zip(others, load(lake, others, subject.index), strict=True):
        if damage.path not in index.paths:
            continue
        dropped = np.empty(0, dtype=np.int64)
        if each.kind == REFERENCES:
            segments = make_segments(context, subject, each, ())
        else:
            segments = make_segments(context, subject, each, subject.requires)
            judged = lake.column(subject.table, ["ordinal", "keep"], batch=each.key).sort("ordinal")
            dropped = np.flatnonzero(~judged["keep"].to_numpy())
        run = make_run(context, subject, each, segments, dropped, len(index.run))
        if BatchIndex(each.key, each.arrival, segments, run).paths != index.paths:
            raise WorkError(f"the index of batch {each.key} cannot be made again: its tables have changed since")


def _find(
    context: Context, subject: Subject, batch: Batch, earlier: Sequence[Batch], references: Sequence[Batch]
) -> Report:
    lake, policy = context.lake, subject.policy(context.policy)
    segments = make_segments(context, subject, batch, subject.requires)
    before, against = load(lake, earlier, subject.index), load(lake, references, subject.index)
    runs = [*(index.run for index in against), *compacted(context, subject, before, batch.arrival)]
    files = [path for index in (*against, *before) for path in index.paths]
    made_of = [VERSION, INDEX_VERSION, policy.digest(), *(segment.path for segment in segments), *files]
    scratch = lake.storage.scratch(_scratch_of(subject, batch)) / digest(made_of)
    scratch.mkdir(exist_ok=True)
    arrivals = tuple(each.arrival for each in references)
    places = Places.of([*(each for index in (*against, *before) for each in index.segments), *segments])
    work = Work(lake, batch.arrival, policy, context.run_id, scratch, segments, places, tuple(runs), arrivals)
    work.save()
    documents = sum(segment.rows for segment in segments)
    shards = shards_for(documents, policy.bands, context.engine.workers)
    candidates = find_candidates(context, batch, work, documents, shards)
    nearest, verified = decide_pairs(context, batch, work, documents, candidates)
    report, parts = _judge(context, subject, batch, work, nearest)
    report.figures["pairs_verified"] = verified
    run = make_run(context, subject, batch, segments, nearest.row[nearest.dropped], shards)
    lake.publish(subject.table, parts, context.commit, batch=batch.key)
    publish(lake, subject.index, BatchIndex(batch.key, batch.arrival, segments, run), context.commit)
    lake.storage.drop_scratch(_scratch_of(subject, batch))
    return report


def _scratch_of(subject: Subject, batch: Batch) -> str:
    return f"{NAME}-{subject.kind}-{batch.key}"


@dataclass(frozen=True, slots=True)
class _VerdictTask:
    work: Path
    table: Table
    batch: str
    segments: tuple[Segment, ...]
    nearest: Nearest

    @property
    def rows(self) -> int:
        return sum(segment.rows for segment in self.segments)


def _judge(context: Context, subject: Subject, batch: Batch, work: Work, nearest: Nearest) -> tuple[Report, list[Part]]:
    report = Report(step=subject.table.name, batch=batch.key)
    tasks = [
        _VerdictTask(work.path, subject.table, batch.key, each, _of(each, nearest)) for each in _grouped(work.segments)
    ]
    written: list[Part] = []
    with track(f"verdicts {batch.key}", sum(task.rows for task in tasks)) as progress:
        for task, (parts, told) in context.engine.run(_judge_segments, tasks):
            written += parts
            report.merge(told)
            progress.advance(task.rows)
    return report, written


def _grouped(segments: Sequence[Segment]) -> Iterator[tuple[Segment, ...]]:
    """Neighbours, in groups of about `_ROWS_PER_TASK`: a task that judges few rows costs more than they do."""
    group: list[Segment] = []
    for segment in segments:
        group.append(segment)
        if sum(each.rows for each in group) >= _ROWS_PER_TASK:
            yield tuple(group)
            group.clear()
    if group:
        yield tuple(group)


def _of(segments: Sequence[Segment], nearest: Nearest) -> Nearest:
    """What was found of the documents of neighbouring segments."""
    low, high = np.searchsorted(nearest.row, [segments[0].first, segments[-1].first + segments[-1].rows]).tolist()
    return Nearest(**{name: getattr(nearest, name)[low:high] for name in Nearest.__slots__})


def _judge_segments(task: _VerdictTask) -> tuple[list[Part], Report]:
    work, nearest = load_work(task.work), task.nearest
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
    first = task.segments[0].first
    keep, places = np.ones(task.rows, dtype=np.bool_), np.full(task.rows, -1)
    keep[nearest.row - first], places[nearest.row - first] = ~nearest.dropped, np.arange(len(nearest))
    report = Report(step="", batch=task.batch)
    with work.lake.writer(task.table, batch=task.batch) as writer:
        for segment in task.segments:
            with ArrayFile(work.lake.storage, segment.path) as file:
                ordinals, ids, sizes = file.read("ordinal"), file.read("doc_id"), file.read("size")
            mine = slice(segment.first - first, segment.first - first + segment.rows)
            identities = pa.table({"ordinal": ordinals, "doc_id": _hex(ids), "keep": keep[mine]})
            found = compared.take(pa.array(places[mine], mask=places[mine] < 0))
            judged = pl.DataFrame(identities).hstack(pl.DataFrame(found))
            check_conservation(NAME, pl.Series(ordinals), judged)
            count(report, judged, pl.Series(sizes))
            if judged.height:
                writer.write(stamp(judged, VERSION, work.run_id))
    return writer.parts, report


def _hex(ids: npt.NDArray[np.uint8]) -> pa.StringArray:
    """Identifiers as text: what is there in hex, cut into equal pieces."""
    text = ids.tobytes().hex().encode()
    offsets = np.arange(0, len(text) + 1, 2 * ids.shape[1], dtype=np.int32)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(text))
