"""What is told of one document, whatever kind it is of.

What belongs here: the shape of a story, and the parts that all kinds have. What does not: finding a document (`why.py`,
`pages.py`), or how its story looks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from seed_platform.lake.query import fetch_rows


@dataclass(frozen=True, slots=True)
class Story:
    """All that is known of one document.

    Attributes:
        doc_id: its id; None for an entry that was rejected before it became a document.
        kept: whether the corpus holds it; None while a filter has not judged it, and for what is in a reference set.
        document: where it came from and what it is; for a repository also `kept_repository`, what is kept instead.
            `reference_set` names the set that it belongs to, if it is in one and in no batch of repositories.
        repository: the repository it belongs to, if it is a file, with verdicts of its own.
        verdicts: what each filter said, in the policy's order; `related` names the document compared with.
        duplicates: documents that were dropped because of this one: (how many, some of them).
        matches: how many documents the given name matches.
    """

    doc_id: str | None
    kept: bool | None
    document: dict[str, Any]
    repository: dict[str, Any] | None
    verdicts: list[dict[str, Any]]
    duplicates: tuple[int, list[str]]
    matches: int = 1

    def to_json(self) -> dict[str, Any]:
        """As printed by `seed why --json`: every key is stable."""
        return {
            "doc_id": self.doc_id,
            "kept": self.kept,
            "document": self.document,
            "repository": self.repository,
            "verdicts": self.verdicts,
            "duplicates": {"count": self.duplicates[0], "examples": self.duplicates[1]},
            "matches": self.matches,
        }


def rejection_story(connection: duckdb.DuckDBPyConnection, condition: str, values: Mapping[str, str]) -> Story | None:
    """What never became a document, if there is such an entry; `condition` is SQL over `rejections` r, `batches` b."""
    rows = fetch_rows(
        connection.execute(
            f"SELECT r.* FROM rejections r JOIN batches b USING (batch) WHERE {condition} ORDER BY b.arrival DESC",
            dict(values),
        )
    )
    if not rows:
        return None
    return Story(None, False, {"kind": "rejection", **rows[0]}, None, [], (0, []), len(rows))  # noqa: FBT003 - kept


def verdicts_on(
    connection: duckdb.DuckDBPyConnection,
    kind: str,
    document: Mapping[str, Any],
    filters: Sequence[str],
    place: Callable[[str], str | None],
) -> list[dict[str, Any]]:
    """What each filter said of a document, in the order of `filters`; `place` names what it was compared with."""
    rows = fetch_rows(
        connection.execute(
            "SELECT filter, keep, reason, score, related_doc_id, evidence, filter_version, run_id FROM verdicts "
            "WHERE kind = $kind AND batch = $batch AND ordinal = $ordinal",
            {"kind": kind, "batch": document["batch"], "ordinal": document["ordinal"]},
        )
    )
    order = {name: number for number, name in enumerate(filters)}
    rows.sort(key=lambda row: order.get(str(row["filter"]), len(order)))
    for row in rows:
        row["evidence"] = json.loads(str(row["evidence"])) if row["evidence"] is not None else None
        row["related"] = place(str(row["related_doc_id"])) if row["related_doc_id"] is not None else None
    return rows


def is_kept(verdicts: Sequence[Mapping[str, Any]], filters: Sequence[str]) -> bool | None:
    """Whether all `filters` keep a document; None while one that could drop it has not judged it."""
    judged = {verdict["filter"]: verdict["keep"] for verdict in verdicts}
    wanted = [judged.get(name) for name in filters]
    return False if False in wanted else (None if None in wanted else True)
