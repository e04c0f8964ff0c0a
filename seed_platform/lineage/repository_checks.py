"""What must hold of repositories that were dropped as copies, recounted from the lake and not from any step's report.

What belongs here: invariants of repository-level deduplication as questions over the lake. What does not: those of any
filter (`checks.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from seed_platform.batches import list_batches
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import BATCHES, FILES, REPOSITORIES, REPOSITORY_LEVEL, verdicts
from seed_platform.lineage.checks import Outcome
from seed_platform.policy import RepositoryDuplicatesPolicy
from seed_platform.settings import Settings

# The same repository may be in several batches, under one doc_id, and is kept in one of them: the first in which it is.
_DROPPED = """
CREATE TEMP TABLE dropped AS
WITH passed AS (
    SELECT batch, ordinal, doc_id FROM all_exact WHERE keep
    INTERSECT SELECT batch, ordinal, doc_id FROM {kept_by} WHERE keep
)
SELECT d.batch, d.ordinal, d.score, p.batch AS kept_batch, p.ordinal AS kept, p.doc_id IS NOT NULL AS is_kept
FROM judged d LEFT JOIN (passed JOIN batches USING (batch)) p ON p.doc_id = d.related_doc_id WHERE NOT d.keep
QUALIFY row_number() OVER (PARTITION BY d.batch, d.ordinal ORDER BY p.arrival) = 1
"""
_TREES = """
WITH mine AS (
    SELECT d.batch, d.ordinal, d.kept_batch, d.kept, f.path, f.content_sha256
    FROM files f JOIN dropped d ON d.batch = f.batch AND d.ordinal = f.ordinal >> 32
), theirs AS (SELECT batch AS kept_batch, ordinal >> 32 AS kept, path, content_sha256 FROM files),
counted AS (
    SELECT d.batch, d.ordinal, r.files AS files, k.files AS kept_files,
        (SELECT count(*) FROM mine m SEMI JOIN theirs t USING (kept_batch, kept, path, content_sha256)
         WHERE m.batch = d.batch AND m.ordinal = d.ordinal) AS shared
    FROM dropped d JOIN repositories r ON r.batch = d.batch AND r.ordinal = d.ordinal
    JOIN repositories k ON k.batch = d.kept_batch AND k.ordinal = d.kept
)
SELECT (SELECT count(*) FROM dropped), (SELECT count(*) FROM dropped WHERE NOT coalesce(is_kept, FALSE)),
    (SELECT count(*) FROM counted WHERE NOT (files = kept_files AND files = shared))
"""
_OVERLAPS = """
WITH kept_files AS (
    SELECT f.batch, f.ordinal >> 32 AS place, f.content_sha256 AS content, any_value(f.bytes) AS bytes
    FROM files f JOIN (SELECT batch, ordinal FROM passed WHERE keep) p USING (batch, ordinal) GROUP BY ALL
), counted AS (
    SELECT d.batch, d.ordinal, any_value(d.score) AS score, sum(m.bytes) AS bytes, count(*) AS contents,
        coalesce(sum(m.bytes) FILTER (t.content IS NOT NULL), 0) AS shared_bytes,
        count(t.content) AS shared_contents
    FROM dropped d JOIN kept_files m ON m.batch = d.batch AND m.place = d.ordinal
    LEFT JOIN kept_files t ON t.batch = d.kept_batch AND t.place = d.kept AND t.content = m.content
    GROUP BY d.batch, d.ordinal
)
SELECT (SELECT count(*) FROM dropped), (SELECT count(*) FROM dropped WHERE NOT coalesce(is_kept, FALSE)),
    (SELECT count(*) FROM dropped) - (SELECT count(*) FROM counted WHERE shared_bytes / bytes >= $overlap
        AND shared_contents / contents >= $contents AND shared_contents >= $shared),
    (SELECT count(*) FROM counted WHERE abs(score - shared_bytes / bytes) > 1e-9)
"""
_COPIES = """
WITH copies AS (
    SELECT bool_or(coalesce(k.content_sha256 = f.content_sha256 AND k.language = f.language AND v.keep, FALSE)) AS held
    FROM judged d JOIN files f USING (batch, ordinal)
    LEFT JOIN files k ON k.doc_id = json_extract_string(d.evidence, '$.same_content')
    LEFT JOIN kept v ON v.batch = k.batch AND v.ordinal = k.ordinal
    WHERE NOT d.keep GROUP BY d.batch, d.ordinal
)
SELECT count(*), count(*) FILTER (NOT held) FROM copies
"""
_SURVIVORS = """
WITH kept_files AS (
    SELECT f.batch, f.ordinal >> 32 AS ordinal, count(*) AS files, sum(f.bytes) AS bytes
    FROM files f JOIN (SELECT batch, ordinal FROM passed WHERE keep) p USING (batch, ordinal) GROUP BY ALL
), expected AS (
    SELECT r.batch, r.ordinal, r.doc_id, k.files, k.bytes FROM repositories r JOIN kept_files k USING (batch, ordinal)
    SEMI JOIN (SELECT batch, ordinal FROM exact WHERE keep) USING (batch, ordinal)
    SEMI JOIN (SELECT batch, ordinal FROM near WHERE keep) USING (batch, ordinal)
    SEMI JOIN (SELECT batch, ordinal FROM quality WHERE keep) USING (batch, ordinal)
)
SELECT (SELECT count(*) FROM expected), (SELECT count(*) FROM corpus),
    (SELECT count(*) FROM expected ANTI JOIN corpus USING (batch, ordinal, doc_id, files, bytes)),
    (SELECT count(*) FROM corpus ANTI JOIN expected USING (batch, ordinal, doc_id, files, bytes))
"""


def _connect(lake: Lake, settings: Settings) -> duckdb.DuckDBPyConnection:
    return connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)


def _prepare(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str, batches: Sequence[str]) -> list[str]:
    """The table `dropped`, with what each repository was dropped for; returns the batches where either of them is.

    An exact duplicate may name one that is a near duplicate in turn; a near duplicate names one that nothing drops.
    """
    connection.register("judged", scan(lake, verdicts("repositories", name), batches))
    connection.register("all_exact", scan(lake, verdicts("repositories", "exact_duplicates")))
    connection.register("all_near", scan(lake, verdicts("repositories", "near_duplicates")))
    connection.register("repositories", scan(lake, REPOSITORIES, [each.key for each in list_batches(lake)]))
    connection.register("batches", scan(lake, BATCHES))
    connection.execute(_DROPPED.format(kept_by="all_near" if name == "near_duplicates" else "all_exact"))
    found = connection.execute("SELECT batch FROM dropped UNION SELECT kept_batch FROM dropped").fetchall()
    return [row[0] for row in found if row[0] is not None]


def trees_are_equal(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """Each repository dropped as an exact duplicate has the same paths and contents as the kept one that it names."""
    with _connect(lake, settings) as connection:
        holding = _prepare(connection, lake, "exact_duplicates", batches)
        connection.register("files", scan(lake, FILES, holding))
        dropped, not_kept, unequal = connection.execute(_TREES).fetchone() or (0, 0, 0)
    numbers = {"dropped": dropped, "named_is_not_kept": not_kept, "unequal": unequal}
    return Outcome(not (not_kept or unequal), numbers)


def overlaps_hold(
    lake: Lake, settings: Settings, policy: RepositoryDuplicatesPolicy, batches: Sequence[str]
) -> Outcome:
    """Each repository dropped as a near duplicate names a kept one and shares with it what the policy asks for."""
    limits = {"overlap": policy.overlap, "contents": policy.contents_overlap, "shared": policy.shared_contents}
    with _connect(lake, settings) as connection:
        holding = _prepare(connection, lake, "near_duplicates", batches)
        connection.register("files", scan(lake, FILES, holding))
        connection.register("passed", scan(lake, verdicts("files", "rules"), holding))
        row = connection.execute(_OVERLAPS, limits).fetchone()
    dropped, not_kept, below, differs = row or (0, 0, 0, 0)
    numbers = {
        "dropped": dropped,
        "named_is_not_kept": not_kept,
        "below_threshold": below,
        "overlap_differs": differs,
    }
    return Outcome(not (not_kept or below or differs), numbers)


def dropped_files_are_kept_elsewhere(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """Each file dropped with its repository names one that goes on, with the same content in the same language."""
    table = verdicts("files", "repository_duplicates")
    with _connect(lake, settings) as connection:
        connection.register("judged", scan(lake, table, batches))
        connection.register("repositories", scan(lake, REPOSITORIES, [each.key for each in list_batches(lake)]))
        found = connection.execute(
            "SELECT DISTINCT r.batch FROM repositories r JOIN judged d ON d.related_doc_id = r.doc_id WHERE NOT d.keep"
        ).fetchall()
        holding = [row[0] for row in found]
        connection.register("files", scan(lake, FILES, sorted({*batches, *holding})))
        connection.register("kept", scan(lake, table, holding))
        dropped, lost = connection.execute(_COPIES).fetchone() or (0, 0)
    return Outcome(not lost, {"dropped": dropped, "without_a_kept_copy": lost})


def repositories_are_accounted_for(lake: Lake, settings: Settings, batches: Sequence[str]) -> Outcome:
    """The repository-level corpus holds every repository that all filters keep and of which the rules keep a file."""
    with _connect(lake, settings) as connection:
        for name, table in (
            ("files", FILES),
            ("passed", verdicts("files", "rules")),
            ("repositories", REPOSITORIES),
            ("exact", verdicts("repositories", "exact_duplicates")),
            ("near", verdicts("repositories", "near_duplicates")),
            ("quality", verdicts("repositories", "quality")),
            ("corpus", REPOSITORY_LEVEL),
        ):
            connection.register(name, scan(lake, table, batches))
        expected, held, missing, extra = connection.execute(_SURVIVORS).fetchone() or (0, 0, 0, 0)
    numbers = {"expected": expected, "held": held, "missing": missing, "extra": extra}
    return Outcome(expected == held and not (missing or extra), numbers)
