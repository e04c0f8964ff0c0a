"""Pages: the funnel of the web corpus, and why one page is in it or not.

A page is named by its id or by its URL, of which its other spellings come after the one given; of several captures the
one in the corpus is told, else the one that arrived last, and how many there are.
What belongs here: questions about pages over the lake's views. What does not: files and repositories (`why.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import duckdb

from seed_platform.errors import UsageError
from seed_platform.lake.query import fetch_rows
from seed_platform.lineage.funnel import Flow, Funnel, rejected_in
from seed_platform.lineage.story import Story
from seed_platform.pages.policy import WebPolicy
from seed_platform.pages.urls import host_of, normalize

_SHOWN = 5
_FACTS = """
SELECT p.* EXCLUDE (content), b.arrival, w.category
FROM pages p JOIN batches b USING (batch) LEFT JOIN web w USING (batch, ordinal) WHERE {condition}
ORDER BY p.url = $id DESC, w.doc_id IS NOT NULL DESC, b.arrival DESC, p.ordinal DESC
"""


def web_funnel(connection: duckdb.DuckDBPyConnection, policy: WebPolicy, batches: list[str] | None = None) -> Funnel:
    """The funnel of the web corpus; `connection` has the lake's views. Bytes are those of the extracted text.

    In the place of languages it has site categories; a page that the quality filter has not seen has none.
    """
    joins, outcomes, reasons = [], [], []
    for number, name in enumerate(policy.filters):
        joins.append(
            f"LEFT JOIN (SELECT batch, ordinal, keep, reason FROM verdicts WHERE kind = 'page' AND filter = '{name}') "
            f"v{number} ON v{number}.batch = p.batch AND v{number}.ordinal = p.ordinal"
        )
        outcomes.append(f"WHEN NOT v{number}.keep THEN '{name}'")
        reasons.append(f"WHEN NOT v{number}.keep THEN v{number}.reason")
    judged = " AND ".join(f"v{number}.keep" for number in range(len(policy.filters)))
    query = f"""
        SELECT coalesce(c.category, '') AS category,
            CASE {" ".join(outcomes)} WHEN {judged} THEN 'kept' ELSE 'outstanding' END AS outcome,
            CASE {" ".join(reasons)} END AS reason,
            count(*) AS documents, sum(p.text_bytes)::BIGINT AS bytes
        FROM pages p {" ".join(joins)}
        LEFT JOIN (SELECT batch, ordinal, evidence ->> 'category' AS category FROM verdicts
                   WHERE kind = 'page' AND filter = 'quality') c ON c.batch = p.batch AND c.ordinal = p.ordinal
        WHERE $all OR p.batch IN (SELECT unnest($batches))
        GROUP BY ALL ORDER BY documents DESC, category, outcome, reason
    """  # filter names come from the policy, which knows only the flow's own
    parameters = {"all": batches is None, "batches": batches or []}
    documents, sizes = Flow(), Flow()
    categories: dict[str, tuple[Flow, Flow]] = {}
    for row in fetch_rows(connection.execute(query, parameters)):
        reason = None if row["reason"] is None else str(row["reason"])
        mine = categories.setdefault(str(row["category"]), (Flow(), Flow()))
        for flow, amount in zip((documents, sizes, *mine), 2 * (row["documents"], row["bytes"]), strict=True):
            flow.add(str(row["outcome"]), reason, int(str(amount)))
    for flow in (documents, sizes):
        flow.dropped = {name: flow.dropped[name] for name in policy.filters if name in flow.dropped}
    rejected = rejected_in(connection, "crawl", parameters)
    ordered = dict(sorted(categories.items(), key=lambda item: (-item[1][1].kept, -item[1][1].seen, item[0])))
    return Funnel("web", policy.filters, policy.bytes_per_token, documents, sizes, ordered, rejected)


def page_story(connection: duckdb.DuckDBPyConnection, target: str, policy: WebPolicy) -> Story | None:
    """The story of the page with the id or URL `target`, or of the record that is no page; None if there is none."""
    condition = "p.doc_id = $id OR p.url = $id OR p.url_key = $key"
    values = {"id": target, "key": normalize(target)}
    found = fetch_rows(connection.execute(_FACTS.format(condition=condition), values))
    if not found:
        return _rejected(connection, target)
    document = found[0]
    verdicts = _verdicts(connection, str(document["batch"]), int(str(document["ordinal"])), policy.filters)
    judged = {verdict["filter"]: verdict["keep"] for verdict in verdicts}
    wanted = [judged.get(name) for name in policy.filters]
    kept = False if False in wanted else (None if None in wanted else True)
    document.pop("ordinal")
    document["structure"] = json.loads(str(document["structure"]))
    duplicates = connection.execute(
        "SELECT v.doc_id, p.url FROM verdicts v JOIN pages p USING (batch, ordinal) "
        "WHERE v.kind = 'page' AND NOT v.keep AND v.related_doc_id = $id ORDER BY v.batch, v.ordinal",
        {"id": document["doc_id"]},
    ).fetchall()
    return Story(
        doc_id=str(document["doc_id"]),
        kept=kept,
        document={"kind": "page", "reference_set": None, **document},
        repository=None,
        verdicts=verdicts,
        duplicates=(len(duplicates), [row[1] for row in duplicates[:_SHOWN]]),
        matches=len(found),
    )


def no_such_page(connection: duckdb.DuckDBPyConnection, url: str) -> UsageError:
    """What to say of a URL that is in no batch: what there is of its host."""
    host = host_of(url)
    near = connection.execute(
        "SELECT DISTINCT url FROM pages WHERE host = $host ORDER BY levenshtein(url, $url), url LIMIT 3",
        {"host": host, "url": url},
    ).fetchall()
    hint = f"; of {host} there are: {', '.join(row[0] for row in near)}" if near else f"; there is nothing of {host}"
    return UsageError(f"no page has the URL {url}{hint}")


def _rejected(connection: duckdb.DuckDBPyConnection, url: str) -> Story | None:
    rows = fetch_rows(
        connection.execute(
            "SELECT r.* FROM rejections r JOIN batches b USING (batch) WHERE b.kind = 'crawl' AND r.path = $url "
            "ORDER BY b.arrival DESC",
            {"url": url},
        )
    )
    if not rows:
        return None
    return Story(None, False, {"kind": "rejection", **rows[0]}, None, [], (0, []), len(rows))  # noqa: FBT003 - kept


def _verdicts(
    connection: duckdb.DuckDBPyConnection, batch: str, ordinal: int, filters: Sequence[str]
) -> list[dict[str, Any]]:
    rows = fetch_rows(
        connection.execute(
            "SELECT v.filter, v.keep, v.reason, v.score, v.related_doc_id, v.evidence, v.filter_version, v.run_id, "
            "(SELECT any_value(url) FROM pages r WHERE r.doc_id = v.related_doc_id) AS related FROM verdicts v "
            "WHERE v.kind = 'page' AND v.batch = $batch AND v.ordinal = $ordinal",
            {"batch": batch, "ordinal": ordinal},
        )
    )
    order = {name: place for place, name in enumerate(filters)}
    rows.sort(key=lambda row: order.get(str(row["filter"]), len(order)))
    for row in rows:
        row["evidence"] = json.loads(str(row["evidence"])) if row["evidence"] is not None else None
    return rows
