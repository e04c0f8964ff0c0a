"""Exact duplicates: files whose bytes have the same SHA-256 (PAPER §1.1). The first to arrive is kept.

The order is that of arrival: batch, then place in the batch; so results do not depend on when runs happen. What is
compared are files that the filters before keep. The join runs in DuckDB under a memory limit and spills beyond it.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from seed_platform.batches import Batch
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan, stream
from seed_platform.lake.schemas import FILES, verdicts
from seed_platform.progress import track
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, passing, stamp

VERSION = "2"
REQUIRES = ("rules", "repository_duplicates")
_NAME = "exact_duplicates"
_ROWS = 50_000

# `mine`: this batch's candidates; `before`: hashes kept in earlier batches, one row each by construction.
_QUERY = """
WITH mine AS (
    SELECT f.ordinal, f.doc_id, f.bytes, f.content_sha256
    FROM files f JOIN passed p ON f.ordinal = p.ordinal AND p.keep
), ranked AS (
    SELECT *, first_value(doc_id) OVER same AS first_doc_id, row_number() OVER same AS place
    FROM mine WINDOW same AS (PARTITION BY content_sha256 ORDER BY ordinal)
)
SELECT r.ordinal, r.doc_id, r.bytes, b.doc_id IS NULL AND r.place = 1 AS keep,
    CASE WHEN b.doc_id IS NOT NULL OR r.place > 1 THEN 'exact_duplicate' END AS reason,
    CASE WHEN b.doc_id IS NOT NULL THEN b.doc_id WHEN r.place > 1 THEN r.first_doc_id END AS related_doc_id
FROM ranked r LEFT JOIN before b USING (content_sha256)
ORDER BY r.ordinal
"""
_BEFORE = """
CREATE TEMP VIEW before AS SELECT f.content_sha256, f.doc_id
FROM earlier_files f JOIN earlier_verdicts v ON f.batch = v.batch AND f.ordinal = v.ordinal AND v.keep
"""


def find_exact_duplicates(context: Context, batch: Batch, earlier: Sequence[str]) -> Report:
    """Judge one batch against itself and the `earlier` batches, and publish the verdicts.

    Raises:
        WorkError: not every file that the filters before keep got a verdict; nothing is published.
    """
    table = verdicts("files", _NAME)
    report = Report(step=table.name, batch=batch.key)
    connection = _connect(context.lake, context.settings, batch.key, earlier)
    with track(f"exact duplicates {batch.key}", 1) as progress, context.lake.writer(table, batch=batch.key) as writer:
        for record_batch in stream(connection, _QUERY, _ROWS):
            judged = pl.DataFrame(record_batch).with_columns(
                pl.lit(None, dtype=pl.Float64).alias("score"), pl.lit(None, dtype=pl.String).alias("evidence")
            )
            check_conservation(_NAME, judged["ordinal"], judged)
            count(report, judged, judged["bytes"])
            writer.write(stamp(judged.drop("bytes"), VERSION, context.run_id))
        progress.advance()
    connection.close()
    wanted = passing(context.lake, batch.key, REQUIRES)
    if wanted is not None and wanted.len() != report.seen.documents:
        raise WorkError(
            f"filter {_NAME} answered for {report.seen.documents} documents of {wanted.len()}; nothing is published"
        )
    context.lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report


def _connect(lake: Lake, settings: Settings, batch: str, earlier: Sequence[str]) -> duckdb.DuckDBPyConnection:
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("files", scan(lake, FILES, [batch]))
    # The last of those required: it has a verdict on what the others keep.
    connection.register("passed", scan(lake, verdicts("files", REQUIRES[-1]), [batch]))
    if earlier:
        connection.register("earlier_files", scan(lake, FILES, earlier))
        connection.register("earlier_verdicts", scan(lake, verdicts("files", _NAME), earlier))
        connection.execute(_BEFORE)
    else:
        connection.execute("CREATE TEMP TABLE before (content_sha256 VARCHAR, doc_id VARCHAR)")
    return connection
