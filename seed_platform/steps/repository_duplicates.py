"""The file filter "repository_duplicates": files of dropped repositories that the kept repository has as well.

A file is dropped if its repository is a copy of a kept one and its content, in the same language, is among the kept
one's files that the rules keep. So the copy of a file that goes on is that of the best repository, and
what a fork changed goes on to the other filters. What belongs here: moving data. What does not: which repositories are
copies (`steps/repository_near_duplicates.py`).
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
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, passing, stamp

VERSION = "2"
REQUIRES = ("rules",)
_NAME = "repository_duplicates"
_ROWS = 50_000

# A repository's exact copy in turn may be a near duplicate of the one that is kept: then that one counts for both.
# The same repository may be in several batches, under one doc_id: what counts is where it is kept, first of all.
_DROPPED = """
CREATE TEMP TABLE dropped AS
WITH exact AS (SELECT ordinal, related_doc_id FROM exact_verdicts WHERE NOT keep),
near AS (SELECT doc_id, related_doc_id, score FROM near_verdicts WHERE NOT keep),
found AS (
    SELECT ordinal, related_doc_id AS kept_doc_id, score AS overlap, 'near' AS repository
    FROM my_near_verdicts WHERE NOT keep
    UNION ALL
    SELECT e.ordinal, coalesce(n.related_doc_id, e.related_doc_id), coalesce(n.score, 1.0),
        CASE WHEN n.doc_id IS NULL THEN 'exact' ELSE 'near' END
    FROM exact e LEFT JOIN near n ON n.doc_id = e.related_doc_id
)
SELECT f.*, k.batch AS kept_batch, k.ordinal AS kept
FROM found f JOIN near_verdicts k ON k.doc_id = f.kept_doc_id AND k.keep
QUALIFY row_number() OVER (PARTITION BY f.ordinal ORDER BY list_position($known, k.batch)) = 1
"""
_KEPT = """
CREATE TEMP TABLE kept_contents AS
SELECT f.batch, f.ordinal >> 32 AS kept, f.content_sha256 AS content, f.language,
    arg_min(f.doc_id, f.ordinal) AS doc_id, arg_min(f.path, f.ordinal) AS path
FROM kept_files f JOIN kept_passed p ON f.batch = p.batch AND f.ordinal = p.ordinal AND p.keep
SEMI JOIN dropped d ON d.kept_batch = f.batch AND d.kept = f.ordinal >> 32
GROUP BY ALL
"""
_QUERY = """
SELECT f.ordinal, f.doc_id, f.bytes, k.doc_id IS NULL AS keep,
    CASE WHEN k.doc_id IS NOT NULL THEN 'repository_duplicate' END AS reason,
    CASE WHEN k.doc_id IS NOT NULL THEN d.overlap END AS score,
    CASE WHEN k.doc_id IS NOT NULL THEN d.kept_doc_id END AS related_doc_id,
    CASE WHEN k.doc_id IS NOT NULL
        THEN json_object('repository', d.repository, 'same_content', k.doc_id, 'path', k.path)::VARCHAR
    END AS evidence
FROM files f JOIN passed p ON f.ordinal = p.ordinal AND p.keep
LEFT JOIN dropped d ON d.ordinal = f.ordinal >> 32
LEFT JOIN kept_contents k ON k.batch = d.kept_batch AND k.kept = d.kept
    AND k.content = f.content_sha256 AND k.language = f.language
ORDER BY f.ordinal
"""


def find_repository_duplicates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge the files of one batch that the rules keep, and publish the verdicts.

    Raises:
        WorkError: not every file that passes the rules got a verdict; nothing is published.
    """
    lake, table = context.lake, verdicts("files", _NAME)
    report = Report(step=table.name, batch=batch.key)
    with (
        track(f"repository duplicates {batch.key}", 1) as progress,
        connect(lake, memory_bytes=context.settings.query_memory_bytes, threads=context.settings.workers) as connection,
        lake.writer(table, batch=batch.key) as writer,
    ):
        _prepare(connection, lake, batch.key, [*(each.key for each in earlier), batch.key])
        for record_batch in stream(connection, _QUERY, _ROWS):
            judged = pl.DataFrame(record_batch)
            check_conservation(_NAME, judged["ordinal"], judged)
            count(report, judged, judged["bytes"])
            writer.write(stamp(judged.drop("bytes"), VERSION, context.run_id))
        progress.advance()
    wanted = passing(lake, batch.key, REQUIRES)
    if wanted is not None and wanted.len() != report.seen.documents:
        raise WorkError(
            f"filter {_NAME} answered for {report.seen.documents} documents of {wanted.len()}; nothing is published"
        )
    lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake, batch: str, known: Sequence[str]) -> None:
    """The views of the batch, the dropped repositories with the kept one of each, and what the kept ones hold.

    Only batches that hold such a kept repository are read; `known` are those before this batch in order of arrival,
    and this batch.
    """
    near = verdicts("repositories", "near_duplicates")
    connection.register("exact_verdicts", scan(lake, verdicts("repositories", "exact_duplicates"), [batch]))
    connection.register("my_near_verdicts", scan(lake, near, [batch]))
    connection.register("near_verdicts", scan(lake, near, known))
    connection.execute(_DROPPED, {"known": list(known)})
    holding = [row[0] for row in connection.execute("SELECT DISTINCT kept_batch FROM dropped").fetchall()]
    connection.register("kept_files", scan(lake, FILES, holding))
    connection.register("kept_passed", scan(lake, verdicts("files", "rules"), holding))
    connection.execute(_KEPT)
    connection.register("files", scan(lake, FILES, [batch]))
    connection.register("passed", scan(lake, verdicts("files", "rules"), [batch]))
