"""The first step: read the sources of a batch into repository and file documents.

Each task reads a run of sources in one worker process and writes its own data files. What belongs here: turning what
sources yield into rows, and every failure into a named rejection. What does not: judging documents (`filters/`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from seed_platform.batches import Batch, BatchSource, parse_moment
from seed_platform.documents import file_id
from seed_platform.engine.base import Death, count_kill
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.filters.languages import infer_language
from seed_platform.lake.lake import Lake, Part, PartWriter
from seed_platform.lake.schemas import FILES, REJECTIONS, REPOSITORIES, Table
from seed_platform.progress import track
from seed_platform.settings import Settings
from seed_platform.sources.base import History, Limits, Rejection, SourceError, SourceFile, display_path
from seed_platform.sources.kinds import history_of, source_of
from seed_platform.sources.licenses import license_files
from seed_platform.sources.text import decode
from seed_platform.steps.base import Context, Report

VERSION = "3"

_SOURCE_SHIFT = 32
FILES_PER_REPOSITORY = 1 << _SOURCE_SHIFT
"""A file's ordinal divided by this is its repository's."""

_TASKS_PER_WORKER = 8
_FILE_COLUMNS = ("ordinal", "doc_id", "path", "language", "bytes", "content_sha256", "encoding", "content")


def limits_of(settings: Settings) -> Limits:
    """The limits that sources are read under."""
    return Limits(
        max_content_bytes=settings.max_content_bytes,
        max_archive_bytes=settings.max_archive_bytes,
        max_archive_ratio=settings.max_archive_ratio,
        max_archive_entries=settings.max_archive_entries,
        connect_timeout=settings.connect_timeout,
    )


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    sources: tuple[tuple[int, BatchSource], ...]
    limits: Limits
    cache: Path
    scratch: Path
    attempt: int = 0
    kills: int = 0

    @property
    def journal(self) -> Path:
        """One per attempt, so that what an earlier one left started is not blamed for a later one's death."""
        return self.scratch / f"{self.sources[0][0]}.{self.attempt}.journal"


@dataclass(slots=True)
class _Read:
    """What one task gives back: the data files, and the small tables' rows."""

    parts: list[Part] = field(default_factory=list)
    repositories: list[dict[str, Any]] = field(default_factory=list)
    rejections: list[dict[str, Any]] = field(default_factory=list)


def read_batch(context: Context, batch: Batch) -> Report:
    """Read every source of the batch and publish repositories, files and rejections.

    Raises:
        WorkError: a source that an earlier run read cannot be read any more; nothing is replaced.
    """
    scratch = context.lake.storage.scratch(f"read-{batch.key}")
    # A killed run leaves a source started in its journal; that source is not to blame for a death in this run.
    for stale in scratch.glob("*.journal"):
        stale.unlink(missing_ok=True)
    cache = context.lake.storage.scratch("downloads")
    tasks = _tasks(context, batch, scratch, cache)
    read = _Read()
    with track(f"reading {batch.key}", len(batch.sources)) as progress:
        for task, result in context.engine.run(_read_task, tasks, on_death=_reject_the_killer):
            read.parts += result.parts
            read.repositories += result.repositories
            read.rejections += result.rejections
            progress.advance(len(task.sources))
    _refuse_loss(context.lake, batch, read)
    _publish(context, batch, read)
    context.lake.storage.drop_scratch(f"read-{batch.key}")
    return _report(batch, read)


def _tasks(context: Context, batch: Batch, scratch: Path, cache: Path) -> list[_Task]:
    numbered = list(enumerate(batch.sources))
    size = max(1, len(numbered) // (context.engine.workers * _TASKS_PER_WORKER))
    return [
        _Task(
            lake=context.lake,
            batch=batch.key,
            sources=tuple(numbered[start : start + size]),
            limits=limits_of(context.settings),
            cache=cache,
            scratch=scratch,
        )
        for start in range(0, len(numbered), size)
    ]


def _reject_the_killer(task: _Task, death: Death) -> _Task:
    """A source that kills its reader becomes a rejection, and the task starts over without it.

    A reader killed from outside starts over with every source.
    """
    with Journal(task.journal) as journal:
        killer = journal.interrupted()
    again = replace(task, attempt=task.attempt + 1)
    if not death.own_fault:
        specs = [source.pinned.spec for ordinal, source in task.sources if killer in (ordinal, None)]
        return replace(again, kills=count_kill(task.kills, death, f"the reader of {', '.join(specs)}"[:300]))
    if killer is None:
        raise WorkError(f"a reader died outside any source ({death.cause}); run it again")
    rejected = ("reader_crash", f"the reader's process died ({death.cause})")
    sources = ((n, replace(source, rejected=rejected) if n == killer else source) for n, source in task.sources)
    return replace(again, sources=tuple(sources))


def _read_task(task: _Task) -> _Read:
    """Read a run of sources. One that fails midway is rejected whole: none of its rows are in the result."""
    result = _Read()
    with Journal(task.journal) as journal, task.lake.writer(FILES, batch=task.batch) as shared:
        for ordinal, source in task.sources:
            if source.rejected is not None:
                result.rejections.append(_source_rejection(ordinal, source, *source.rejected))
                continue
            journal.start(ordinal)
            try:
                _read_source(task, ordinal, source, shared, result)
            except SourceError as error:
                result.rejections.append(_source_rejection(ordinal, source, error.reason, error.detail))
            journal.finish(ordinal, b"")
    result.parts += shared.parts
    return result


def _read_source(task: _Task, ordinal: int, source: BatchSource, shared: PartWriter, result: _Read) -> None:
    """Read one source and add it to the result once all of it has been read.

    Rows wait in memory for the end of the source. Those of one that outgrows a row group go to data files of its own,
    which nobody sees unless the source ends well.
    """
    pinned = source.pinned
    rows = _Rows(source, ordinal << _SOURCE_SHIFT)
    rejected: list[dict[str, Any]] = []
    own: PartWriter | None = None
    history = history_of(pinned, task.limits, str(task.cache))
    for entry in source_of(pinned.kind).read(pinned, task.limits, str(task.cache)):
        if isinstance(entry, Rejection):
            rejected.append(_entry_rejection(ordinal, source, entry))
            continue
        rows.add(entry)
        if rows.buffered >= task.lake.row_group_bytes:
            own = own or task.lake.writer(FILES, batch=task.batch)
            own.write(rows.take())
    if own is None:
        shared.write(rows.take())
    else:
        own.write(rows.take())
        # What the shared file holds lies before this source, and what it will hold lies behind: the ordinals of data
        # files must not overlap.
        shared.close()
        result.parts += own.close()
    result.rejections += rejected
    result.repositories.append(_repository(ordinal, source, history, rows, len(rejected)))


class _Rows:
    """Buffers the files of one source as columns."""

    def __init__(self, source: BatchSource, first: int) -> None:
        self._pinned = source.pinned
        self._next = first
        self.files = 0
        self.bytes = 0
        self.root_paths: list[str] = []
        self._clear()

    def _clear(self) -> None:
        self.buffered = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in _FILE_COLUMNS}

    def add(self, entry: SourceFile) -> None:
        text, encoding = decode(entry.content) if entry.content is not None else (None, None)
        path = display_path(entry.path)
        values = (
            self._next,
            file_id(self._pinned.origin, self._pinned.revision, entry.path),
            path,
            infer_language(path, text),
            entry.size,
            entry.sha256,
            encoding,
            text,
        )
        for column, value in zip(self._columns.values(), values, strict=True):
            column.append(value)
        self._next += 1
        self.files += 1
        self.bytes += entry.size
        # A row costs its text and roughly this much besides.
        self.buffered += 200 + (entry.size if text is not None else 0)
        if "/" not in path:
            self.root_paths.append(path)

    def take(self) -> pa.Table:
        """The buffered rows as a table; the buffer is empty afterwards."""
        arrays = {name: pa.array(values, FILES.columns.field(name).type) for name, values in self._columns.items()}
        number = len(self._columns["ordinal"])
        for name, value in (
            ("repository_id", self._pinned.doc_id),
            ("repository", self._pinned.repository),
            ("revision", self._pinned.revision),
        ):
            arrays[name] = pa.repeat(value, number)
        self._clear()
        return pa.table(arrays)


def _repository(ordinal: int, source: BatchSource, history: History, rows: _Rows, rejected: int) -> dict[str, Any]:
    """The row of a repository; what the batch's metadata says goes before what its history says."""
    facts = dict(source.metadata)
    stars, forks, commits = facts.pop("stars", None), facts.pop("forks", None), facts.pop("commits", None)
    moment = parse_moment(facts.pop("committed_at", None)) or parse_moment(facts.get("pushed_at"))
    pinned = source.pinned
    return {
        "ordinal": ordinal,
        "doc_id": pinned.doc_id,
        "repository": pinned.repository,
        "origin": pinned.origin,
        "revision": pinned.revision,
        "source": pinned.kind,
        "spec": pinned.spec,
        "license_files": license_files(rows.root_paths),
        "stars": stars,
        "forks": forks,
        "commits": history.commits if commits is None else commits,
        "committed_at": moment or history.committed_at,
        "first_committed_at": history.first_committed_at,
        "metadata": json.dumps(facts, sort_keys=True) if facts else None,
        "files": rows.files,
        "bytes": rows.bytes,
        "rejected": rejected,
    }


def _source_rejection(ordinal: int, source: BatchSource, reason: str, detail: str) -> dict[str, Any]:
    repository = source.pinned.repository if source.pinned.revision else None
    return _rejection(ordinal, source, repository, None, reason, detail)


def _entry_rejection(ordinal: int, source: BatchSource, entry: Rejection) -> dict[str, Any]:
    return _rejection(ordinal, source, source.pinned.repository, entry.path, entry.reason, entry.detail)


def _rejection(
    ordinal: int, source: BatchSource, repository: str | None, path: str | None, reason: str, detail: str
) -> dict[str, Any]:
    return {
        "ordinal": ordinal,
        "spec": source.pinned.spec,
        "repository": repository,
        "path": path,
        "reason": reason,
        "detail": detail or None,
    }


def _refuse_loss(lake: Lake, batch: Batch, read: _Read) -> None:
    """A source read before must not turn into a rejection because it has moved since."""
    before = set(lake.column(REPOSITORIES, ["doc_id"], batch=batch.key)["doc_id"])
    lost = before - {row["doc_id"] for row in read.repositories}
    if lost:
        names = [source.pinned.spec for source in batch.sources if source.pinned.doc_id in lost]
        reasons = {row["spec"]: row["reason"] for row in read.rejections if row["path"] is None}
        told = "; ".join(f"{name}: {reasons.get(name, 'gone')}" for name in names)
        raise WorkError(f"batch {batch.key} was read before and cannot be read again ({told}); the lake is unchanged")


def _publish(context: Context, batch: Batch, read: _Read) -> None:
    # Repositories last: they say what was read before (`_refuse_loss`), which holds only once the files are there.
    context.lake.publish(FILES, read.parts, context.commit, batch=batch.key)
    publish_rows(context, batch, REJECTIONS, read.rejections)
    publish_rows(context, batch, REPOSITORIES, read.repositories)


def publish_rows(context: Context, batch: Batch, table: Table, rows: list[dict[str, Any]]) -> None:
    """Publish a small table of a batch, in order of the sources."""
    with context.lake.writer(table, batch=batch.key) as writer:
        for chunk in _chunks(sorted(rows, key=lambda row: (row["ordinal"], row.get("path") or "")), 10_000):
            writer.write(pa.Table.from_pylist(chunk, schema=table.columns))
    context.lake.publish(table, writer.parts, context.commit, batch=batch.key)


def _chunks(rows: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _report(batch: Batch, read: _Read) -> Report:
    report = Report(step=FILES.name, batch=batch.key)
    for row in read.repositories:
        report.seen.add(row["files"], row["bytes"])
        report.kept.add(row["files"], row["bytes"])
    if read.rejections:
        report.failures = dict(sorted(Counter(row["reason"] for row in read.rejections).items()))
    return report
