"""Commits: the funnel of the commit corpus, and why one commit is in it or not.

A commit is named by its id, by its SHA or the first 7 or more digits of it, or by REPOSITORY@SHA; of a commit that is
in several repositories the one in the corpus is told, else the one that arrived last, and how many there are. What
belongs here: questions about commits over the lake's views. What does not: other documents (`why.py`).
"""

from __future__ import annotations

import json
import re

import duckdb

from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.lake.query import fetch_rows
from seed_platform.lineage import repositories
from seed_platform.lineage.funnel import Funnel, Source, funnel_over
from seed_platform.lineage.story import Story, is_kept, verdicts_on
from seed_platform.steps.commit_flow import COMMIT_FILTERS

SHA = re.compile(r"[0-9a-f]{7,40}")
"""What a commit can be called."""

_SHOWN = 5
_FACTS = """
SELECT c.* EXCLUDE (content, change_key), b.arrival, w.origin, w.branch, s.tokens, s.context_tokens, s.relevant,
    s.truncated
FROM commits c JOIN batches b USING (batch)
LEFT JOIN commit_walks w ON w.batch = c.batch AND w.ordinal = c.ordinal >> 32
LEFT JOIN commit_samples s ON s.batch = c.batch AND s.ordinal = c.ordinal
WHERE {condition} ORDER BY s.doc_id IS NOT NULL DESC, b.arrival DESC, c.ordinal
"""


def commit_funnel(
    connection: duckdb.DuckDBPyConnection, policy: CommitSamplePolicy, batches: list[str] | None = None
) -> Funnel:
    """The funnel of the commit corpus; `connection` has the lake's views. Bytes are those of the patches.

    In the place of languages it has repositories.
    """
    source = Source("repositories", "commit", "commits d", "d.repository", "d.bytes", rejected="FALSE")
    return funnel_over(connection, "commits", source, tuple(COMMIT_FILTERS), policy.bytes_per_token, batches)


def commit_by_id(connection: duckdb.DuckDBPyConnection, doc_id: str) -> Story | None:
    """The story of the commit with that id, if there is one."""
    return _story(connection, "c.doc_id = $id", {"id": doc_id})


def commit_by_sha(connection: duckdb.DuckDBPyConnection, sha: str, repository: str = "") -> Story | None:
    """The story of the commit whose SHA begins with `sha`, of the repository so called or of any."""
    if not repository:
        return _story(connection, "starts_with(c.sha, $sha)", {"sha": sha})
    condition = f"starts_with(c.sha, $sha) AND {repositories.named('c')}"
    return _story(connection, condition, {"sha": sha, **repositories.naming(repository)})


def _story(connection: duckdb.DuckDBPyConnection, condition: str, values: dict[str, str]) -> Story | None:
    found = fetch_rows(connection.execute(_FACTS.format(condition=condition), values))
    if not found:
        return None
    document = found[0]
    filters = tuple(COMMIT_FILTERS)
    verdicts = verdicts_on(connection, "commit", document, filters, lambda each: _place(connection, each))
    document.pop("ordinal")
    document["changes"] = json.loads(str(document["changes"]))
    duplicates = connection.execute(
        "SELECT v.doc_id, c.repository, c.sha FROM verdicts v JOIN commits c USING (batch, ordinal) "
        "WHERE v.kind = 'commit' AND NOT v.keep AND v.related_doc_id = $id ORDER BY v.batch, v.ordinal",
        {"id": document["doc_id"]},
    ).fetchall()
    return Story(
        doc_id=str(document["doc_id"]),
        kept=is_kept(verdicts, filters),
        document={"kind": "commit", "reference_set": None, **document},
        repository=None,
        verdicts=verdicts,
        duplicates=(len(duplicates), [f"{row[1]}@{row[2][:12]}" for row in duplicates[:_SHOWN]]),
        matches=len(found),
    )


def _place(connection: duckdb.DuckDBPyConnection, doc_id: str) -> str | None:
    """REPOSITORY@SHA of a commit document."""
    query = "SELECT any_value(repository || '@' || sha[:12]) FROM commits WHERE doc_id = $id"
    row = connection.execute(query, {"id": doc_id}).fetchone()
    return row[0] if row else None
