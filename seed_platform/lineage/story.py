"""What is told of one document, whatever kind it is of.

What belongs here: the shape of a story. What does not: finding one (`why.py`, `pages.py`), or how it looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
