"""What is known of a repository: where it came from, whether it is a copy, and the one that is kept instead.

What belongs here: questions about repositories over the lake's views, for `why.py`. What does not: files, and how
answers look (`console.py`).
"""

from __future__ import annotations

import json
import re
from typing import Any

import duckdb

from seed_platform.lake.query import fetch_rows
from seed_platform.lineage.story import is_kept
from seed_platform.steps.select import REPOSITORY_LEVEL_FILTERS

FILTERS = (*REPOSITORY_LEVEL_FILTERS, "commit_gate")
"""The filters over repositories, in the order in which they are told; the last is for the commit corpus alone."""
_COPIES = ("exact_duplicates", "near_duplicates")

_FACTS = """
SELECT r.batch, r.ordinal, r.doc_id, r.repository, r.origin, r.revision, r.source, r.spec, r.license_files, r.stars,
    r.forks, r.commits, r.committed_at, r.files, r.bytes, r.rejected,
    CASE WHEN b.kind = 'references' THEN r.batch END AS reference_set
FROM repositories r JOIN batches b USING (batch) WHERE {condition}
ORDER BY reference_set IS NOT NULL, b.arrival DESC, r.ordinal
"""
_NAMED = r"({0}.repository = $name OR {0}.repository LIKE $suffix ESCAPE '\')"
_LEAST_LIKENESS = 0.8
_SHOWN = 10


def named(table: str) -> str:
    """SQL: whether a row of `table` belongs to the repository that the parameters of `naming` name."""
    return _NAMED.format(table)


def naming(name: str) -> dict[str, str]:
    """Parameters for `named`: a repository is named by all of its name or by the part behind the last '/'."""
    escaped = re.sub(r"([%_\\])", r"\\\1", name)
    return {"name": name, "suffix": f"%/{escaped}"}


def find(connection: duckdb.DuckDBPyConnection, name: str, revision: str) -> list[dict[str, Any]]:
    """The repositories called `name` whose revision starts with `revision`, the last to arrive first."""
    condition = f"{named('r')} AND starts_with(r.revision, $revision)"
    return _found(connection, condition, {**naming(name), "revision": revision})


def by_id(connection: duckdb.DuckDBPyConnection, doc_id: str) -> dict[str, Any] | None:
    """The repository with that id, if there is one."""
    return next(iter(_found(connection, "r.doc_id = $id", {"id": doc_id})), None)


def _found(connection: duckdb.DuckDBPyConnection, condition: str, values: dict[str, str]) -> list[dict[str, Any]]:
    return fetch_rows(connection.execute(_FACTS.format(condition=condition), values))


def title(facts: dict[str, Any]) -> str:
    """NAME@REVISION, the revision cut to 12 characters."""
    return f"{facts['repository']}@{facts['revision'][:12]}"


def judged(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any]) -> dict[str, Any]:
    """A repository's facts with what became of it.

    Adds `verdicts`; `kept`, whether the repository-level corpus holds it, None while a filter has not judged it;
    `kept_files`, how many of its files the rules keep; for a copy `kept_repository`, the one that is kept instead;
    `history`, what was read of it; and `sequences`, what it became in its corpus.
    """
    where = {"batch": facts["batch"], "ordinal": facts["ordinal"]}
    rows = fetch_rows(
        connection.execute(
            "SELECT filter, keep, reason, score, related_doc_id, evidence, filter_version, run_id FROM verdicts "
            "WHERE kind = 'repository' AND batch = $batch AND ordinal = $ordinal",
            where,
        )
    )
    rows.sort(key=lambda row: FILTERS.index(str(row["filter"])))
    for row in rows:
        related = None if row["related_doc_id"] is None else by_id(connection, str(row["related_doc_id"]))
        row["evidence"] = json.loads(str(row["evidence"])) if row["evidence"] is not None else None
        row["related"] = title(related) if related else None
    counted = connection.execute(
        "SELECT count(*), count(*) FILTER (keep) FROM verdicts WHERE kind = 'file' AND filter = 'rules' "
        "AND batch = $batch AND ordinal >> 32 = $ordinal",
        where,
    ).fetchone()
    judged_files, kept_files = counted or (0, 0)
    known = {key: value for key, value in facts.items() if key != "ordinal"}
    return {
        **known,
        "kept_files": kept_files if judged_files == facts["files"] else None,
        "kept": is_kept(rows, REPOSITORY_LEVEL_FILTERS),
        "history": _history(connection, where),
        "sequences": _sequences(connection, facts),
        "kept_repository": _instead(connection, rows),
        "verdicts": rows,
    }


def _history(connection: duckdb.DuckDBPyConnection, where: dict[str, Any]) -> dict[str, Any] | None:
    """The walk of its commits; None if there was none. `samples` is how many of them are in the commit corpus."""
    rows = fetch_rows(
        connection.execute(
            "SELECT w.branch, w.tip, w.seen, w.unknown, w.missing, w.commits, w.reason, w.detail, "
            "(SELECT count(*) FROM commit_samples s WHERE s.batch = w.batch AND s.ordinal >> 32 = w.ordinal) samples "
            "FROM commit_walks w WHERE w.batch = $batch AND w.ordinal = $ordinal",
            where,
        )
    )
    return rows[0] if rows else None


def _sequences(connection: duckdb.DuckDBPyConnection, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The sequences that it was cut into; None if it is in no corpus."""
    rows = fetch_rows(
        connection.execute(
            "SELECT count(*) AS sequences, sum(tokens)::BIGINT AS tokens, max(tokens) AS longest, sum(edges)::BIGINT "
            "AS edges, sum(edges_inside)::BIGINT AS edges_inside, sum(edges_respected)::BIGINT AS edges_respected "
            "FROM repository_sequences WHERE batch = $batch AND repository_id = $id",
            {"batch": facts["batch"], "id": facts["doc_id"]},
        )
    )
    return rows[0] if rows and rows[0]["sequences"] else None


def _instead(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What is kept instead of a copy, and the overlap with it.

    What it is an exact copy of may be a near duplicate itself: then the one that is kept instead of that.
    """
    verdict = next((row for row in rows if not row["keep"] and row["filter"] in _COPIES), None)
    if verdict is None:
        return None
    doc_id, overlap = verdict["related_doc_id"], 1.0 if verdict["score"] is None else verdict["score"]
    if verdict["filter"] == "exact_duplicates":
        further = connection.execute(
            "SELECT related_doc_id, score FROM verdicts WHERE kind = 'repository' AND filter = 'near_duplicates' "
            "AND doc_id = $id AND NOT keep",
            {"id": doc_id},
        ).fetchone()
        doc_id, overlap = further or (doc_id, overlap)
    facts = by_id(connection, doc_id)
    return {"doc_id": doc_id, "name": title(facts) if facts else None, "overlap": overlap}


def dropped_for(connection: duckdb.DuckDBPyConnection, doc_id: str, most: int) -> tuple[int, list[str]]:
    """How many repositories were dropped as copies of this one, and the names of up to `most` of them."""
    rows = connection.execute(
        "SELECT doc_id FROM verdicts WHERE kind = 'repository' AND related_doc_id = $id AND NOT keep "
        "ORDER BY batch, ordinal",
        {"id": doc_id},
    ).fetchall()
    some = [by_id(connection, row[0]) for row in rows[:most]]
    return len(rows), [title(facts) for facts in some if facts]


def unknown(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """One line for a name that no repository has, with names that look like it."""
    near = connection.execute(
        "WITH names AS (SELECT DISTINCT repository AS name FROM repositories), likened AS (SELECT name, greatest("
        "jaro_winkler_similarity(lower(name), lower($name)), "
        "jaro_winkler_similarity(lower(regexp_extract(name, '[^/]*$')), lower($name))) AS likeness FROM names) "
        "SELECT name FROM likened WHERE likeness >= $least ORDER BY likeness DESC, name LIMIT 3",
        {"name": name, "least": _LEAST_LIKENESS},
    ).fetchall()
    some = connection.execute(f"SELECT DISTINCT repository FROM repositories ORDER BY 1 LIMIT {_SHOWN + 1}").fetchall()
    names = [row[0] for row in some[:_SHOWN]] + (["…"] if len(some) > _SHOWN else [])
    hint = f"; did you mean {', '.join(row[0] for row in near)}?" if near else ""
    return f"no repository is called {name!r}{hint} (there are: {', '.join(names) or 'none yet'})"
