"""Choose the documents of the long-context corpus, from all batches at once (PAPER §2, Figure 1).

Long files, long pages, packed repositories and commit samples, in the shares of the policy: as much of each as keeps
the shares, so the scarcest source decides how much there is. Within a source that has more, a hash of the document
decides, so that the choice stays the same for as long as the shares do. What belongs here: the choice. What does not:
whether it is up to date (`whole.py`), and the text (`corpora/long_context.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from seed_platform.lake.query import connect, scan, stream
from seed_platform.lake.schemas import (
    COMMIT_SAMPLES,
    FILE_LEVEL,
    LONG_CONTEXT,
    REPOSITORY_SEQUENCES,
    WEB,
)
from seed_platform.steps.base import Context, Report, Tally
from seed_platform.steps.whole import WHOLE_LAKE, Whole

VERSION = "1"

SOURCES = {"files": FILE_LEVEL, "pages": WEB, "repositories": REPOSITORY_SEQUENCES, "commits": COMMIT_SAMPLES}
"""The corpus that each source is."""

_ROWS = 50_000
_CANDIDATES = """
SELECT 'files' AS source, batch, ordinal, doc_id, repository || ':' || path AS name,
    ceil(bytes / $file_ratio)::BIGINT AS tokens FROM files
UNION ALL BY NAME
SELECT 'pages' AS source, batch, ordinal, doc_id, url AS name, ceil(bytes / $page_ratio)::BIGINT AS tokens FROM pages
UNION ALL BY NAME
SELECT 'repositories' AS source, batch, ordinal, doc_id, repository AS name, tokens FROM repositories
UNION ALL BY NAME
SELECT 'commits' AS source, batch, ordinal, doc_id, repository || '@' || sha AS name, tokens FROM commits
"""
_CHOSEN = """
SELECT * EXCLUDE (so_far) FROM (
    SELECT *, sum(tokens) OVER (PARTITION BY source ORDER BY chance, doc_id, batch, ordinal) AS so_far FROM (
        SELECT *, md5(doc_id || $seed) AS chance FROM long WHERE tokens BETWEEN $least AND $most
    )
) JOIN quotas USING (source) WHERE so_far <= quota ORDER BY chance, doc_id, batch, ordinal
"""


def choose_long_context(context: Context) -> Report:
    """Choose the corpus from what is published, and publish it."""
    lake, policy = context.lake, context.policy.long_context
    connection = connect(lake, memory_bytes=context.settings.query_memory_bytes, threads=context.settings.workers)
    for name, table in SOURCES.items():
        connection.register(name, scan(lake, table))
    ratios = (context.policy.file_level.bytes_per_token, context.policy.web.bytes_per_token)
    connection.execute("CREATE TEMP TABLE long AS " + _CANDIDATES, {"file_ratio": ratios[0], "page_ratio": ratios[1]})
    within = {"least": policy.min_tokens, "most": policy.steps[-1]}
    available = _available(connection, within)
    quotas = _quotas(available, dict(policy.shares))
    connection.register("quotas", pl.DataFrame({"source": list(quotas), "quota": list(quotas.values())}).to_arrow())
    connection.execute("CREATE TEMP TABLE chosen AS " + _CHOSEN, {**within, "seed": str(policy.seed)})
    with lake.writer(LONG_CONTEXT) as writer:
        for rows in stream(connection, "SELECT * FROM chosen ORDER BY chance, doc_id, batch, ordinal", _ROWS):
            frame = pl.DataFrame(rows).with_columns(
                step=_step(policy.steps), policy_hash=pl.lit(context.policy.digest())
            )
            writer.write(frame)
    report = _report(connection, available, quotas)
    connection.close()
    lake.publish(LONG_CONTEXT, writer.parts, context.commit)
    return report


def _available(connection: duckdb.DuckDBPyConnection, within: dict[str, int]) -> dict[str, int]:
    """Tokens of each source that has documents of a fitting length."""
    rows = connection.execute(
        "SELECT source, sum(tokens)::BIGINT FROM long WHERE tokens BETWEEN $least AND $most GROUP BY 1 ORDER BY 1",
        within,
    ).fetchall()
    return dict(rows)


def _quotas(available: Mapping[str, int], shares: Mapping[Any, float]) -> dict[str, int]:
    """Most tokens of each source, so that those with any have their shares among each other."""
    wanted = {source: share for source, share in shares.items() if share > 0 and available.get(source)}
    if not wanted:
        return dict.fromkeys(available, 0)
    whole = min(available[source] * sum(wanted.values()) / share for source, share in wanted.items())
    return {source: round(whole * wanted.get(source, 0) / sum(wanted.values())) for source in available}


def _step(steps: tuple[int, ...]) -> pl.Expr:
    """The first step that holds a document."""
    expression = pl.lit(steps[-1])
    for step in reversed(steps[:-1]):
        expression = pl.when(pl.col("tokens") <= step).then(pl.lit(step)).otherwise(expression)
    return expression


def _report(connection: duckdb.DuckDBPyConnection, available: Mapping[str, int], quotas: Mapping[str, int]) -> Report:
    """Documents of every length are seen; `figures` are tokens by source."""
    report = Report(step=LONG_CONTEXT.name, batch=WHOLE_LAKE)
    counted = connection.execute(
        "SELECT l.source, count(*), count(c.doc_id), coalesce(sum(c.tokens), 0)::BIGINT FROM long l "
        "LEFT JOIN (SELECT DISTINCT source, batch, ordinal, doc_id, tokens FROM chosen) c "
        "USING (source, batch, ordinal) GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for source, seen, kept, tokens in counted:
        report.seen.add(seen, 0)
        report.kept.add(kept, 0)
        report.figures[f"tokens_of_{source}"] = tokens
        report.figures[f"tokens_available_of_{source}"] = available.get(source, 0)
        report.figures[f"quota_of_{source}"] = quotas.get(source, 0)
    report.dropped = {"too_short_or_long_or_over_its_share": Tally(report.seen.documents - report.kept.documents, 0)}
    return report


LONG_CONTEXT_CORPUS = Whole(
    table=LONG_CONTEXT,
    version=VERSION,
    made_of=tuple(SOURCES.values()),
    # Those of the corpora have the bytes that a token is taken to have.
    sections=("long_context", "file_level", "web"),
    choose=choose_long_context,
)
