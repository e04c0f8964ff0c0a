"""What near duplicates are looked for among: files, pages or commits, each with its own policy and filters.

What belongs here: the three. What does not: looking.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from seed_platform.commits.patches import changed_lines_of
from seed_platform.indexes.near_duplicates import folder_of
from seed_platform.lake.schemas import COMMIT_INDEX, COMMITS, FILES, NEAR_DUPLICATE_INDEX, PAGES, Table, verdicts
from seed_platform.policy import NearDuplicatesPolicy, Policy

NAME = "near_duplicates"
"""Of the filter."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The documents that a batch of one kind has.

    Attributes:
        documents: their table, which has the columns doc_id, bytes and content.
        kind: of their verdicts: "files", "pages" or "commits".
        section: of the policy.
        requires: filters whose verdict must be "keep" before a document is looked at.
        references: whether they are compared with the reference sets.
        index: the table of their index; batches that have two kinds of documents need two.
        compared: what is compared of a column of contents, if that is not the whole: text for text.
    """

    documents: Table
    kind: str
    section: str
    requires: tuple[str, ...]
    references: bool
    index: Table = NEAR_DUPLICATE_INDEX
    compared: Callable[[pa.ChunkedArray], pa.ChunkedArray] | None = None

    @property
    def table(self) -> Table:
        """The verdicts."""
        return verdicts(self.kind, NAME)

    @property
    def folder(self) -> str:
        """Where the files of its index are."""
        return folder_of(self.index)

    def texts(self, contents: pa.ChunkedArray) -> pa.ChunkedArray:
        """What is compared of a column of contents."""
        return contents if self.compared is None else self.compared(contents)

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


def _changed_lines(patches: pa.ChunkedArray) -> pa.ChunkedArray:
    lines = changed_lines_of(pl.Series("", patches)).to_arrow()
    return pa.chunked_array([lines.cast(pa.large_string())])


COMMIT_CHANGES = Subject(
    COMMITS,
    "commits",
    "commit_near_duplicates",
    ("rules", "exact_duplicates"),
    references=False,
    index=COMMIT_INDEX,
    # Of a small change most of the patch is context, which two changes to one place have in common.
    compared=_changed_lines,
)
