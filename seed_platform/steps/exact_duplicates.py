"""Exact duplicates: documents with the same key as one that arrived earlier (PAPER §1.1). The first to arrive is kept.

Files of one language whose bytes have the same SHA-256; pages of the same URL, or with the same text; commits that make
the same change (cherry-picks, and all that forks have in common). The same bytes in
two languages are two documents: syntax is judged later and by language, so the first one may be dropped where the
second is sound. The order is that of arrival: batch, then place in the batch; so results do not depend on when runs
happen. What is compared are documents that the filters before keep. The join runs in DuckDB under a memory limit and
spills beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from seed_platform.batches import Batch
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan, stream
from seed_platform.lake.schemas import COMMITS, FILES, PAGES, Table, verdicts
from seed_platform.progress import track
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, passing, stamp

VERSION = "3"
REQUIRES = ("rules", "repository_duplicates")
_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class Sameness:
    """What makes two documents the same.

    Attributes:
        documents: files, pages or commits.
        kind: of their verdicts.
        name: of the filter.
        reason: of a drop.
        key: columns; documents that agree in all of them are the same.
        requires: filters before it; the last one has a verdict on what the others keep.
    """

    documents: Table
    kind: str
    name: str
    reason: str
    key: tuple[str, ...]
    requires: tuple[str, ...]

    @property
    def table(self) -> Table:
        """Its verdicts."""
        return verdicts(self.kind, self.name)


SAME_FILE = Sameness(FILES, "files", "exact_duplicates", "exact_duplicate", ("content_sha256", "language"), REQUIRES)
SAME_CHANGE = Sameness(COMMITS, "commits", "exact_duplicates", "exact_duplicate", ("change_key",), ("rules",))
SAME_URL = Sameness(PAGES, "pages", "url_duplicates", "url_duplicate", ("url_key",), ("rules",))
SAME_TEXT = Sameness(
    PAGES, "pages", "exact_duplicates", "exact_duplicate", ("content_sha256",), ("rules", "url_duplicates")
)

# `mine`: this batch's candidates; `before`: what earlier ones kept, one row for each key by construction.
_QUERY = """
WITH mine AS (
    SELECT d.ordinal, d.doc_id, d.bytes, {key}
    FROM documents d JOIN passed p ON d.ordinal = p.ordinal AND p.keep
), ranked AS (
    SELECT *, first_value(doc_id) OVER same AS first_doc_id, row_number() OVER same AS place
    FROM mine WINDOW same AS (PARTITION BY {key} ORDER BY ordinal)
)
SELECT r.ordinal, r.doc_id, r.bytes, b.doc_id IS NULL AND r.place = 1 AS keep,
    CASE WHEN b.doc_id IS NOT NULL OR r.place > 1 THEN '{reason}' END AS reason,
    CASE WHEN b.doc_id IS NOT NULL THEN b.doc_id WHEN r.place > 1 THEN r.first_doc_id END AS related_doc_id
FROM ranked r LEFT JOIN before b USING ({key})
ORDER BY r.ordinal
"""
_BEFORE = """
CREATE TEMP VIEW before AS SELECT {key}, d.doc_id
FROM earlier_documents d JOIN earlier_verdicts v ON d.batch = v.batch AND d.ordinal = v.ordinal AND v.keep
"""


def find_exact_duplicates(
    context: Context, batch: Batch, earlier: Sequence[Batch], same: Sameness = SAME_FILE
) -> Report:
    """Judge one batch against itself and the `earlier` batches, and publish the verdicts.

    Raises:
        WorkError: not every document that the filters before keep got a verdict; nothing is published.
    """
    table = same.table
    report = Report(step=table.name, batch=batch.key)
    connection = _connect(context.lake, context.settings, batch.key, [each.key for each in earlier], same)
    query = _QUERY.format(key=", ".join(same.key), reason=same.reason)
    what = f"{same.name.replace('_', ' ')} {batch.key}"
    with track(what, 1) as progress, context.lake.writer(table, batch=batch.key) as writer:
        for record_batch in stream(connection, query, _ROWS):
            judged = pl.DataFrame(record_batch).with_columns(
                pl.lit(None, dtype=pl.Float64).alias("score"), pl.lit(None, dtype=pl.String).alias("evidence")
            )
            check_conservation(same.name, judged["ordinal"], judged)
            count(report, judged, judged["bytes"])
            writer.write(stamp(judged.drop("bytes"), VERSION, context.run_id))
        progress.advance()
    connection.close()
    wanted = passing(context.lake, batch.key, same.requires, kind=same.kind)
    if wanted is not None and wanted.len() != report.seen.documents:
        raise WorkError(
            f"filter {same.name} answered for {report.seen.documents} documents of {wanted.len()}; nothing is published"
        )
    context.lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report


def _connect(
    lake: Lake, settings: Settings, batch: str, earlier: Sequence[str], same: Sameness
) -> duckdb.DuckDBPyConnection:
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("documents", scan(lake, same.documents, [batch]))
    connection.register("passed", scan(lake, verdicts(same.kind, same.requires[-1]), [batch]))
    # None at all in the first batch: an empty list of batches is an empty table.
    connection.register("earlier_documents", scan(lake, same.documents, earlier))
    connection.register("earlier_verdicts", scan(lake, same.table, earlier))
    connection.execute(_BEFORE.format(key=", ".join(f"d.{name}" for name in same.key)))
    return connection
