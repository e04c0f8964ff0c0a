"""Exact duplicates among repositories: the same paths with the same contents, whatever the repository is called.

Repositories of earlier batches win; within a batch the best by policy does. A tree's digest is stored with its verdict,
so a batch is compared with what came before by looking at one row for each repository. What belongs here: moving data.
What does not: the decision (`filters/repository_duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.filters.repository_duplicates import VERSION, judge_exact, ranked, tree_digests
from seed_platform.lake.query import connect, scan, stream
from seed_platform.lake.schemas import FILES, REPOSITORIES, verdicts
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp

__all__ = ["VERSION", "find_exact_duplicates"]

_NAME = "exact_duplicates"
_ROWS = 50_000
_COLUMNS = ["ordinal", "doc_id", "repository", "stars", "forks", "commits", "committed_at", "bytes"]

# The length before the path makes sure that two different trees never read the same.
_ENTRIES = """
SELECT ordinal >> 32 AS place, concat(strlen(path), ':', path, content_sha256) AS entry
FROM files ORDER BY place, path, content_sha256
"""
_BEFORE = """
SELECT json_extract_string(evidence, '$.tree') AS tree, doc_id FROM earlier
WHERE keep AND tree IN (SELECT tree FROM mine)
"""


def find_exact_duplicates(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge the repositories of one batch against each other and the `earlier` batches; publish the verdicts.

    Raises:
        WorkError: not every repository got a verdict; nothing is published.
    """
    lake, table = context.lake, verdicts("repositories", _NAME)
    report = Report(step=table.name, batch=batch.key)
    with (
        track(f"repositories {batch.key}: same trees", 1) as progress,
        connect(lake, memory_bytes=context.settings.query_memory_bytes, threads=context.settings.workers) as connection,
    ):
        connection.register("files", scan(lake, FILES, [batch.key]))
        trees = tree_digests(stream(connection, _ENTRIES, _ROWS))
        connection.register("mine", trees.to_arrow())
        connection.register("earlier", scan(lake, table, [each.key for each in earlier]))
        before = pl.DataFrame(connection.sql(_BEFORE).to_arrow_table())
        progress.advance()
    found = lake.column(REPOSITORIES, _COLUMNS, batch=batch.key)
    repositories = ranked(found, context.policy.repository_duplicates.prefer).sort("ordinal")
    judged = judge_exact(repositories.join(trees, on="ordinal", how="left", maintain_order="left"), before)
    check_conservation(_NAME, found["ordinal"], judged)
    count(report, judged, repositories["bytes"])
    with lake.writer(table, batch=batch.key) as writer:
        writer.write(stamp(judged, VERSION, context.run_id))
    lake.publish(table, writer.parts, context.commit, batch=batch.key)
    return report
