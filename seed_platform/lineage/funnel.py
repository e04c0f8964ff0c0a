"""The funnel of a corpus: what was seen, what each filter dropped and why, what is kept.

The documents of the repository-level corpus are repositories, and their bytes are those of all their files.

A document is counted once, under the first filter of the policy that drops it. Those that no filter has dropped and
some filter has not judged are outstanding. So seen = dropped + kept + outstanding, in documents and in bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from seed_platform.lake.query import fetch_rows
from seed_platform.policy import FileLevelPolicy
from seed_platform.steps.select import REPOSITORY_LEVEL_FILTERS

_ASKED = "({0} IN (SELECT batch FROM batches WHERE kind = '{1}') AND ($all OR {0} IN (SELECT unnest($batches))))"
"""SQL: whether a row is of the batches asked for, of one kind. Reference sets are in no corpus, and so in no funnel."""


@dataclass(slots=True)
class Flow:
    """One quantity through the funnel."""

    seen: int = 0
    kept: int = 0
    outstanding: int = 0
    dropped: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, outcome: str, reason: str | None, amount: int) -> None:
        """Count `amount` that ended in `outcome`: "kept", "outstanding", or the filter that dropped it."""
        self.seen += amount
        if outcome == "kept":
            self.kept += amount
        elif outcome == "outstanding":
            self.outstanding += amount
        else:
            reasons = self.dropped.setdefault(outcome, {})
            reasons[str(reason)] = reasons.get(str(reason), 0) + amount

    def to_json(self) -> dict[str, Any]:
        """As printed by `seed funnel --json`."""
        return {"seen": self.seen, "kept": self.kept, "outstanding": self.outstanding, "dropped": self.dropped}


@dataclass(frozen=True, slots=True)
class Funnel:
    """The funnel of one corpus over the batches asked for.

    `languages` maps a language (see `grouped_by`; "" for none) to its own flows of documents and bytes;
    `rejected` counts what never became a document, by reason.
    """

    corpus: str
    filters: tuple[str, ...]
    bytes_per_token: float
    documents: Flow
    bytes: Flow
    languages: dict[str, tuple[Flow, Flow]]
    rejected: dict[str, int]

    def tokens(self, size: int) -> int:
        """Estimated tokens of `size` bytes of text."""
        return round(size / self.bytes_per_token)

    def to_json(self) -> dict[str, Any]:
        """As printed by `seed funnel --json`: every key is stable."""
        return {
            "corpus": self.corpus,
            "documents": self.documents.to_json(),
            "bytes": self.bytes.to_json(),
            "tokens_estimated": {"seen": self.tokens(self.bytes.seen), "kept": self.tokens(self.bytes.kept)},
            "languages": {
                language: {
                    "documents": {"seen": documents.seen, "kept": documents.kept},
                    "bytes": {"seen": sizes.seen, "kept": sizes.kept},
                    "tokens_estimated": {"seen": self.tokens(sizes.seen), "kept": self.tokens(sizes.kept)},
                }
                for language, (documents, sizes) in self.languages.items()
            },
            "rejected": self.rejected,
        }


def grouped_by(corpus: str) -> str:
    """What the documents of a corpus are counted by."""
    return {"web": "category", "commits": "repository"}.get(corpus, "language")


def funnel(connection: duckdb.DuckDBPyConnection, policy: FileLevelPolicy, batches: list[str] | None = None) -> Funnel:
    """The funnel of the file-level corpus; `connection` has the lake's views."""
    source = Source("repositories", "file", "files d", "d.language", "d.bytes")
    return funnel_over(connection, "file_level", source, policy.filters, policy.bytes_per_token, batches)


@dataclass(frozen=True, slots=True)
class Source:
    """Whose funnel it is.

    Attributes:
        batches: the kind of batch.
        verdicts: the kind of document that filters judge.
        documents: SQL: the documents, as d, with what is joined to them.
        group: SQL: what they are counted by; None if by nothing.
        size: SQL: the bytes of one.
        rejected: SQL: which rows of `rejections` are told.
    """

    batches: str
    verdicts: str
    documents: str
    group: str | None
    size: str
    rejected: str = "TRUE"


def funnel_over(
    connection: duckdb.DuckDBPyConnection,
    corpus: str,
    source: Source,
    filters: Sequence[str],
    bytes_per_token: float,
    batches: list[str] | None,
) -> Funnel:
    """The funnel of a corpus of documents that `filters` keep, in this order; `connection` has the lake's views."""
    joins, outcomes, reasons = [], [], []
    for number, name in enumerate(filters):
        joins.append(
            f"LEFT JOIN (SELECT batch, ordinal, keep, reason FROM verdicts WHERE kind = '{source.verdicts}' "
            f"AND filter = '{name}') v{number} ON v{number}.batch = d.batch AND v{number}.ordinal = d.ordinal"
        )
        outcomes.append(f"WHEN NOT v{number}.keep THEN '{name}'")
        reasons.append(f"WHEN NOT v{number}.keep THEN v{number}.reason")
    judged = " AND ".join(f"v{number}.keep" for number in range(len(filters))) or "TRUE"
    query = f"""
        SELECT coalesce({source.group or "NULL"}, '') AS grouped,
            CASE {" ".join(outcomes)} WHEN {judged} THEN 'kept' ELSE 'outstanding' END AS outcome,
            CASE {" ".join(reasons)} END AS reason,
            count(*) AS documents, sum({source.size})::BIGINT AS bytes
        FROM {source.documents} {" ".join(joins)} WHERE {_ASKED.format("d.batch", source.batches)}
        GROUP BY ALL ORDER BY documents DESC, grouped, outcome, reason
    """  # filter names come from the policy, which knows only the flow's own
    parameters = {"all": batches is None, "batches": batches or []}
    documents, sizes = Flow(), Flow()
    groups: dict[str, tuple[Flow, Flow]] = {}
    for row in fetch_rows(connection.execute(query, parameters)):
        reason = None if row["reason"] is None else str(row["reason"])
        mine = groups.setdefault(str(row["grouped"]), (Flow(), Flow()))
        for flow, amount in zip((documents, sizes, *mine), 2 * (row["documents"], row["bytes"]), strict=True):
            flow.add(str(row["outcome"]), reason, int(str(amount)))
    for flow in (documents, sizes):
        flow.dropped = {name: flow.dropped[name] for name in filters if name in flow.dropped}
    rejected = _rejected(connection, source.batches, parameters, source.rejected)
    ordered = dict(sorted(groups.items(), key=lambda item: (-item[1][1].kept, -item[1][1].seen, item[0])))
    known = ordered if source.group is not None else {}
    return Funnel(corpus, tuple(filters), bytes_per_token, documents, sizes, known, rejected)


def _rejected(
    connection: duckdb.DuckDBPyConnection, kind: str, parameters: dict[str, Any], condition: str
) -> dict[str, int]:
    """What never became a document in the batches asked for of one kind, by reason; `parameters` are a funnel's."""
    rows = connection.execute(
        f"SELECT reason, count(*) FROM rejections WHERE {_ASKED.format('batch', kind)} AND {condition} "
        "GROUP BY 1 ORDER BY 2 DESC, 1",
        parameters,
    ).fetchall()
    return dict(rows)


def repository_funnel(
    connection: duckdb.DuckDBPyConnection, policy: FileLevelPolicy, batches: list[str] | None = None
) -> Funnel:
    """The funnel of the repository-level corpus, which has no languages; `connection` has the lake's views."""
    source = Source("repositories", "repository", "repositories d", None, "d.bytes", rejected="path IS NULL")
    filters, ratio = REPOSITORY_LEVEL_FILTERS, policy.bytes_per_token
    return funnel_over(connection, "repository_level", source, filters, ratio, batches)
