"""What near duplicates are looked for among: files or pages, each with a part of the policy and filters of its own.

What belongs here: the two. What does not: looking.
"""

from __future__ import annotations

from dataclasses import dataclass

from seed_platform.lake.schemas import FILES, PAGES, Table, verdicts
from seed_platform.policy import NearDuplicatesPolicy, Policy

NAME = "near_duplicates"
"""Of the filter."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The documents that a batch of one kind has.

    Attributes:
        documents: their table, which has the columns doc_id, bytes and content.
        kind: of their verdicts: "files" or "pages".
        section: of the policy.
        requires: filters whose verdict must be "keep" before a document is looked at.
        references: whether they are compared with the reference sets.
    """

    documents: Table
    kind: str
    section: str
    requires: tuple[str, ...]
    references: bool

    @property
    def table(self) -> Table:
        """The verdicts."""
        return verdicts(self.kind, NAME)

    def policy(self, policy: Policy) -> NearDuplicatesPolicy:
        """Its part of the policy."""
        found: NearDuplicatesPolicy = getattr(policy, self.section)
        return found


SOURCE_FILES = Subject(
    FILES,
    "files",
    "near_duplicates",
    # Syntax comes first, other than in the paper: else a broken old release of a file would be the one kept of it, and
    # then be dropped for its syntax, and no copy would be left.
    ("rules", "repository_duplicates", "exact_duplicates", "syntax"),
    references=True,
)
WEB_PAGES = Subject(
    PAGES, "pages", "page_near_duplicates", ("rules", "url_duplicates", "exact_duplicates"), references=False
)
