"""What must hold of published tables, recounted from the lake and not taken from any step's own report.

What belongs here: invariants as questions over the lake. What does not: when they are asked (`assets/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import (
    BATCHES,
    COMMITS,
    CRAWL_FILES,
    FILE_LEVEL,
    FILES,
    PAGES,
    REPOSITORIES,
    WEB,
    Table,
    verdicts,
)
from seed_platform.settings import Settings

_DOCUMENTS = {"files": FILES, "repositories": REPOSITORIES, "commits": COMMITS, "pages": PAGES}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether an invariant holds, and the numbers that say so."""

    passed: bool
    numbers: dict[str, int]


def conserved(
    lake: Lake, settings: Settings, name: str, requires: Sequence[str], batches: Sequence[str], kind: str = "files"
) -> Outcome:
    """Each document that every filter in `requires` keeps has one verdict of filter `name`, and no other has any.

    `kind` is that of the documents, and of the filters: "files", "repositories", "commits" or "pages".
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("documents", scan(lake, _DOCUMENTS[kind], batches))
    connection.register("judged", scan(lake, verdicts(kind, name), batches))
    wanted = "SELECT batch, ordinal, doc_id FROM documents"
    for number, required in enumerate(requires):
        connection.register(f"required_{number}", scan(lake, verdicts(kind, required), batches))
        wanted += f" SEMI JOIN (SELECT batch, ordinal FROM required_{number} WHERE keep) USING (batch, ordinal)"
    row = connection.execute(
        f"WITH wanted AS ({wanted}) SELECT "
        "(SELECT count(*) FROM wanted), (SELECT count(*) FROM judged), "
        "(SELECT count(*) FROM wanted ANTI JOIN judged USING (batch, ordinal, doc_id)), "
        "(SELECT count(*) FROM judged ANTI JOIN wanted USING (batch, ordinal, doc_id)), "
        "(SELECT count(*) FROM judged WHERE NOT keep AND reason IS NULL)"
    ).fetchone()
    connection.close()
    expected, judged, missing, extra, unexplained = row or (0, 0, 0, 0, 0)
    numbers = {
        "expected": expected,
        "judged": judged,
        "missing": missing,
        "extra": extra,
        "dropped_without_reason": unexplained,
    }
    return Outcome(expected == judged and not (missing or extra or unexplained), numbers)


def content_is_unique(
    lake: Lake, settings: Settings, batches: Sequence[str], current: Sequence[str] | None = None
) -> Outcome:
    """No two documents of the corpus have the same content and language, in `batches` and all that came before them.

    Only batches in `current`, if given, are looked at: after a change of policy the others hold what an older one kept
    until their turn comes.
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("corpus", scan(lake, FILE_LEVEL, current))
    connection.register("batches", scan(lake, BATCHES))
    row = connection.execute(
        "SELECT count(*), count(DISTINCT (content_sha256, language)) FROM corpus SEMI JOIN (SELECT batch FROM batches "
        "WHERE arrival <= (SELECT max(arrival) FROM batches WHERE batch IN (SELECT unnest($batches)))) USING (batch)",
        {"batches": list(batches)},
    ).fetchone()
    connection.close()
    documents, contents = row or (0, 0)
    return Outcome(documents == contents, {"documents": documents, "distinct_contents": contents})


def page_urls_are_unique(
    lake: Lake, settings: Settings, batches: Sequence[str], current: Sequence[str] | None = None
) -> Outcome:
    """No two pages of the web corpus are of one URL or have one text, in `batches` and all that came before them.

    Only batches in `current`, if given, are looked at, as by `content_is_unique`.
    """
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("corpus", scan(lake, WEB, current))
    connection.register("batches", scan(lake, BATCHES))
    row = connection.execute(
        "SELECT count(*), count(DISTINCT url), count(DISTINCT content_sha256) FROM corpus SEMI JOIN (SELECT batch "
        "FROM batches WHERE arrival <= (SELECT max(arrival) FROM batches WHERE batch IN (SELECT unnest($batches)))) "
        "USING (batch)",
        {"batches": list(batches)},
    ).fetchone()
    connection.close()
    documents, urls, texts = row or (0, 0, 0)
    numbers = {"documents": documents, "distinct_urls": urls, "distinct_texts": texts}
    return Outcome(documents == urls == texts, numbers)


def files_are_accounted_for(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """Files and repositories agree on how many files there are, and no `doc_id` stands twice in a batch."""
    return _accounted_for(lake, settings, batches, FILES, REPOSITORIES, "files")


def pages_are_accounted_for(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """Pages and crawl files agree on how many pages there are, and no `doc_id` stands twice in a batch."""
    return _accounted_for(lake, settings, batches, PAGES, CRAWL_FILES, "pages")


def _accounted_for(
    lake: Lake, settings: Settings, batches: Sequence[str], documents: Table, sources: Table, name: str
) -> Outcome:
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("documents", scan(lake, documents, batches))
    connection.register("sources", scan(lake, sources, batches))
    row = connection.execute(
        "SELECT (SELECT count(*) FROM documents), (SELECT count(DISTINCT (batch, doc_id)) FROM documents), "
        f"(SELECT coalesce(sum({name}), 0)::BIGINT FROM sources)"
    ).fetchone()
    connection.close()
    found, distinct, declared = row or (0, 0, 0)
    return Outcome(found == distinct == declared, {name: found, "distinct": distinct, "declared": declared})
