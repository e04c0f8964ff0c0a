"""The first step of a crawl: read its files into page documents, each extracted as it is read.

A task reads one crawl file, record by record, so its memory is bounded by the largest admitted record and a row group.
What belongs here: turning captures into rows, and every failure into a named rejection. What does not: WARC (`crawl/`),
HTML (`extraction/`), judging pages (`filters/`).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from seed_platform.batches import Batch, BatchSource
from seed_platform.crawl.captures import Capture, CrawlLimits, Refusal, Refused
from seed_platform.crawl.charset import decode_html
from seed_platform.crawl.locations import HTML, PAGE_SUFFIXES, opened
from seed_platform.crawl.warc import read_captures
from seed_platform.documents import doc_id
from seed_platform.engine.base import Death, count_kill
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.extraction import extract
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.schemas import CRAWL_FILES, PAGES, REJECTIONS
from seed_platform.pages.features import prose_language
from seed_platform.pages.urls import host_of, normalize
from seed_platform.progress import track
from seed_platform.settings import Settings
from seed_platform.sources.base import Limits, Rejection, SourceError, display_path
from seed_platform.sources.folder import FolderSource
from seed_platform.steps.base import Context, Report
from seed_platform.steps.read import limits_of, publish_rows

VERSION = "1"
_SOURCE_SHIFT = 32
_ROW_BYTES = 600
_ROWS_AT_ONCE = 10_000
_OF_THE_FILE = ("not_warc", "empty_file")


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    ordinal: int
    source: BatchSource
    limits: Limits
    crawl_limits: CrawlLimits
    cache: Path
    journal: Path
    kills: int = 0


@dataclass(slots=True)
class _Read:
    """What one task gives back: data files of pages and of rejections, the row of its file, and counts by reason."""

    pages: list[Part] = field(default_factory=list)
    rejections: list[Part] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def crawl_limits_of(settings: Settings) -> CrawlLimits:
    """The limits that records are read under."""
    return CrawlLimits(max_record_bytes=settings.max_page_bytes, max_ratio=settings.max_archive_ratio)


def read_crawl(context: Context, batch: Batch) -> Report:
    """Read every file of the crawl and publish pages, crawl files and rejections.

    Raises:
        WorkError: a file that an earlier run read cannot be read any more; nothing is replaced.
    """
    storage = context.lake.storage
    scratch, cache = storage.scratch(f"read-{batch.key}"), storage.scratch("downloads")
    tasks = [
        _Task(
            lake=context.lake,
            batch=batch.key,
            ordinal=place,
            source=source,
            limits=limits_of(context.settings),
            crawl_limits=crawl_limits_of(context.settings),
            cache=cache,
            journal=scratch / f"{place}.{context.run_id}.journal",
        )
        for place, source in enumerate(batch.sources)
    ]
    read = _Read()
    with track(f"reading {batch.key}", len(tasks)) as progress:
        for _, result in context.engine.run(_read_task, tasks, on_death=_refuse_the_killer):
            read.pages += result.pages
            read.rejections += result.rejections
            read.files += result.files
            read.refused += result.refused
            progress.advance()
    _refuse_loss(context.lake, batch, read)
    # Crawl files last: they say what was read before (`_refuse_loss`), which holds only once the pages are there.
    context.lake.publish(PAGES, read.pages, context.commit, batch=batch.key)
    context.lake.publish(REJECTIONS, read.rejections, context.commit, batch=batch.key)
    publish_rows(context, batch, CRAWL_FILES, read.files)
    storage.drop_scratch(f"read-{batch.key}")
    return _report(batch, read)


def _refuse_the_killer(task: _Task, death: Death) -> _Task:
    """The page that kills its reader becomes a rejection, and the file is read again without it."""
    with Journal(task.journal) as journal:
        killer = journal.interrupted()
        if not death.own_fault:
            return replace(task, kills=count_kill(task.kills, death, f"the reader of {task.source.pinned.spec}"[:300]))
        if killer is None:
            raise WorkError(f"the reader of {task.source.pinned.spec} died outside any page ({death.cause})")
        journal.quarantine(killer, death.cause.encode())
    return task


def _read_task(task: _Task) -> _Read:
    """Read one crawl file. One that cannot be opened or has changed is rejected whole."""
    if task.source.rejected is not None:
        return _rejected_whole(task, *task.source.rejected)
    result, rows, refusals = _Read(), _Rows(task), _Refusals(task)
    with Journal(task.journal) as journal, task.lake.writer(PAGES, batch=task.batch) as writer:
        try:
            for entry in _entries(task):
                if isinstance(entry, Refusal):
                    refusals.add(entry)
                    continue
                killed = journal.recall(rows.next)
                if killed:
                    rows.next += 1
                    detail = f"extracting it ended the process ({killed.decode()})"
                    refusals.add(Refusal(entry.offset, "reader_crash", detail, entry.url))
                    continue
                journal.start(rows.next)
                rows.add(entry)
                journal.finish(rows.next - 1, b"")
                if rows.buffered >= task.lake.row_group_bytes:
                    writer.write(rows.take())
        except SourceError as error:
            return _rejected_whole(task, error.reason, error.detail)
        writer.write(rows.take())
    result.pages, result.rejections, result.refused = writer.parts, refusals.close(), refusals.counts
    pinned = task.source.pinned
    result.files.append(
        {
            "ordinal": task.ordinal,
            "doc_id": pinned.doc_id,
            "name": pinned.repository,
            "origin": pinned.origin,
            "revision": pinned.revision,
            "source": pinned.kind,
            "spec": pinned.spec,
            "pages": rows.pages,
            "bytes": rows.bytes,
            "rejected": refusals.rows,
        }
    )
    return result


def _rejected_whole(task: _Task, reason: str, detail: str) -> _Read:
    refusals = _Refusals(task)
    refusals.write(None, reason, detail)
    return _Read(rejections=refusals.close(), refused=refusals.counts)


class _Refusals:
    """Writes what is no page to data files of its own: a crawl may have millions of such records."""

    def __init__(self, task: _Task) -> None:
        self._task = task
        self._writer = task.lake.writer(REJECTIONS, batch=task.batch)
        self._rows: list[dict[str, Any]] = []
        self.rows = 0
        self.counts: Counter[str] = Counter()

    def add(self, refusal: Refusal) -> None:
        """Records that are never pages are counted only; everything else that is no page is a row."""
        if refusal.reason.startswith("skipped_"):
            self.counts[refusal.reason] += int(refusal.detail) if refusal.detail.isdigit() else 1
            return
        place = refusal.url if refusal.url is not None else f"offset {refusal.offset}"
        self.write(None if refusal.reason in _OF_THE_FILE else place, refusal.reason, refusal.detail)

    def write(self, place: str | None, reason: str, detail: str) -> None:
        """One row; without a place it is about the file as a whole."""
        pinned = self._task.source.pinned
        row = {
            "ordinal": self._task.ordinal,
            "spec": pinned.spec,
            "repository": pinned.repository if pinned.revision else None,
            "path": place,
            "reason": reason,
            "detail": detail or None,
        }
        self._rows.append(row)
        self.rows += 1
        self.counts[reason] += 1
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write(pa.Table.from_pylist(self._rows, schema=REJECTIONS.columns))
            self._rows.clear()

    def close(self) -> list[Part]:
        """The data files."""
        self._flush()
        return self._writer.close()


def _entries(task: _Task) -> Iterator[Capture | Refusal]:
    pinned = task.source.pinned
    if pinned.kind == HTML:
        yield from _pages_of_folder(task)
        return
    with opened(pinned, task.limits, task.cache) as stream:
        yield from read_captures(stream, task.crawl_limits)


def _pages_of_folder(task: _Task) -> Iterator[Capture | Refusal]:
    """The HTML files of a folder, in order of their paths; anything else in it is a rejection."""
    pinned = task.source.pinned
    for entry in FolderSource().read(pinned, task.limits, str(task.cache)):
        if isinstance(entry, Rejection):
            yield Refusal(0, entry.reason, entry.detail, entry.path)
            continue
        path = display_path(entry.path)
        if not path.lower().endswith(PAGE_SUFFIXES):
            yield Refusal(0, "skipped_not_html", "", path)
        elif entry.content is None or entry.size > task.crawl_limits.max_record_bytes:
            yield Refusal(0, "too_large", f"{entry.size} bytes", path)
        elif not entry.content.strip():
            yield Refusal(0, "empty_body", "", path)
        else:
            try:
                html, encoding = decode_html(entry.content, None)
            except Refused as refused:
                yield Refusal(0, refused.reason, refused.detail, path)
                continue
            yield Capture(pinned.origin + quote(path), path, None, 0, entry.size, 200, html, entry.size, encoding)


class _Rows:
    """Extracts the captures of one crawl file and buffers them as columns."""

    def __init__(self, task: _Task) -> None:
        self._task = task
        self.next = task.ordinal << _SOURCE_SHIFT
        self.pages = self.bytes = 0
        self._offset, self._place = -1, 0
        self._clear()

    def _clear(self) -> None:
        self.buffered = 0
        self._columns: dict[str, list[Any]] = {name: [] for name in PAGES.columns.names}

    def add(self, capture: Capture) -> None:
        found = extract(capture.html)
        text, encoded = found.text or None, found.text.encode()
        pinned = self._task.source.pinned
        values: dict[str, Any] = {
            "ordinal": self.next,
            "doc_id": self._page_id(capture),
            "url": capture.url,
            "url_key": normalize(capture.url),
            "host": host_of(capture.url),
            "captured_at": capture.captured_at,
            "crawl_file": pinned.repository,
            "record_id": capture.record_id,
            "offset": capture.offset,
            "length": capture.length,
            "status": capture.status,
            "bytes": capture.size,
            "encoding": capture.encoding,
            "title": found.title,
            "language": prose_language(found.text) if text else None,
            "explicit": found.explicit,
            "code_blocks": found.code_blocks,
            "code_bytes": found.code_bytes,
            "link_bytes": found.link_bytes,
            "structure": json.dumps(found.counts, sort_keys=True),
            "extraction": found.reason if text is None else None,
            "text_bytes": len(encoded),
            "content_sha256": hashlib.sha256(encoded).hexdigest(),
            "content": text,
        }
        for name, column in self._columns.items():
            column.append(values[name])
        self.next += 1
        self.pages += 1
        self.bytes += capture.size
        self.buffered += _ROW_BYTES + len(encoded)

    def _page_id(self, capture: Capture) -> str:
        """Of a WARC record: its file's name and digest, where it is in it and its id: the same by every road to it.

        Records may share a member, and even an id: then the place among those of the member tells them apart.
        """
        pinned = self._task.source.pinned
        if pinned.kind == HTML:
            return doc_id("page", pinned.origin, pinned.revision, capture.record_id)
        self._place = self._place + 1 if capture.offset == self._offset else 0
        self._offset = capture.offset
        place = f"{capture.offset}+{self._place}"
        return doc_id("page", pinned.origin, pinned.revision, place, capture.record_id)

    def take(self) -> pa.Table:
        """The buffered rows as a table; the buffer is empty afterwards."""
        arrays = {name: pa.array(values, PAGES.columns.field(name).type) for name, values in self._columns.items()}
        self._clear()
        return pa.table(arrays)


def _refuse_loss(lake: Lake, batch: Batch, read: _Read) -> None:
    """A file read before must not turn into a rejection because it has moved since."""
    before = set(lake.column(CRAWL_FILES, ["doc_id"], batch=batch.key)["doc_id"])
    lost = before - {row["doc_id"] for row in read.files}
    if lost:
        names = ", ".join(source.pinned.spec for source in batch.sources if source.pinned.doc_id in lost)
        raise WorkError(f"batch {batch.key} was read before and cannot be read again ({names}); the lake is unchanged")


def _report(batch: Batch, read: _Read) -> Report:
    report = Report(step=PAGES.name, batch=batch.key)
    for row in read.files:
        report.seen.add(row["pages"], row["bytes"])
        report.kept.add(row["pages"], row["bytes"])
    report.failures = dict(sorted(read.refused.items()))
    return report
