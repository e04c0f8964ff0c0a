"""Pages: the funnel of the web corpus, and why one page is in it or not.

A page is named by its id or by its URL, of which its other spellings come after the one given; of several captures the
one in the corpus is told, else the one that arrived last, and how many there are.
What belongs here: questions about pages over the lake's views. What does not: files and repositories (`why.py`).
"""

from __future__ import annotations

import json

import duckdb

from seed_platform.errors import UsageError
from seed_platform.lake.query import fetch_rows
from seed_platform.lineage.funnel import Funnel, Source, funnel_over
from seed_platform.lineage.story import Story, is_kept, rejection_story, verdicts_on
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
    categories = (
        "LEFT JOIN (SELECT batch, ordinal, evidence ->> 'category' AS category FROM verdicts "
        "WHERE kind = 'page' AND filter = 'quality') c ON c.batch = d.batch AND c.ordinal = d.ordinal"
    )
    source = Source("crawl", "page", f"pages d {categories}", "c.category", "d.text_bytes")
    return funnel_over(connection, "web", source, policy.filters, policy.bytes_per_token, batches)


def page_story(connection: duckdb.DuckDBPyConnection, target: str, policy: WebPolicy) -> Story | None:
    """The story of the page with the id or URL `target`, or of the record that is no page; None if there is none."""
    condition = "p.doc_id = $id OR p.url = $id OR p.url_key = $key"
    values = {"id": target, "key": normalize(target)}
    found = fetch_rows(connection.execute(_FACTS.format(condition=condition), values))
    if not found:
        return rejection_story(connection, "b.kind = 'crawl' AND r.path = $url", {"url": target})
    document = found[0]
    verdicts = verdicts_on(connection, "page", document, policy.filters, lambda each: _url_of(connection, each))
    document.pop("ordinal")
    document["structure"] = json.loads(str(document["structure"]))
    duplicates = connection.execute(
        "SELECT v.doc_id, p.url FROM verdicts v JOIN pages p USING (batch, ordinal) "
        "WHERE v.kind = 'page' AND NOT v.keep AND v.related_doc_id = $id ORDER BY v.batch, v.ordinal",
        {"id": document["doc_id"]},
    ).fetchall()
    return Story(
        doc_id=str(document["doc_id"]),
        kept=is_kept(verdicts, policy.filters),
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


def _url_of(connection: duckdb.DuckDBPyConnection, doc_id: str) -> str | None:
    row = connection.execute("SELECT any_value(url) FROM pages WHERE doc_id = $id", {"id": doc_id}).fetchone()
    return row[0] if row else None
