"""The text of one document as it stands in its corpus: a file, a page, a commit sample, a packed repository.

What belongs here: from a story to its text. What does not: which document a name means (`why.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import polars as pl

from seed_platform.corpora.repository_level import texts_of
from seed_platform.errors import UsageError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import REPOSITORY_SEQUENCES
from seed_platform.lineage.story import Story

_CONTENT = {"file": "files", "page": "pages", "commit": "commit_samples"}
"""The view that has the text of each kind of document."""


def texts(lake: Lake, connection: duckdb.DuckDBPyConnection, story: Story) -> Iterator[tuple[str, str]]:
    """(title, text) of a document; of a repository, of each of its sequences.

    Raises:
        UsageError: it has no text: it was dropped, or never read.
    """
    document = story.document
    if document["kind"] == "repository":
        yield from _sequences(lake, story)
        return
    row = None
    if document["kind"] in _CONTENT:
        row = connection.execute(
            f"SELECT content FROM {_CONTENT[document['kind']]} WHERE doc_id = $id AND batch = $batch",
            {"id": story.doc_id, "batch": document["batch"]},
        ).fetchone()
    if row is None or row[0] is None:
        raise UsageError(f"there is no text of this {document['kind']}; seed why says why")
    yield str(document.get("path") or document.get("url") or document.get("sha")), row[0]


def _sequences(lake: Lake, story: Story) -> Iterator[tuple[str, str]]:
    batch = str(story.document["batch"])
    columns = [field.name for field in REPOSITORY_SEQUENCES.columns]
    chosen = lake.column(REPOSITORY_SEQUENCES, columns, batch=batch)
    mine = chosen.filter(pl.col("repository_id") == story.doc_id)
    if mine.is_empty():
        raise UsageError("this repository is not in the repository-level corpus; seed why says why")
    for frame in texts_of(lake, batch, mine):
        for row in frame.iter_rows(named=True):
            title = f"sequence {row['sequence'] + 1} of {row['sequences']}: {len(row['paths'])} files"
            yield f"{title}, {row['tokens']:,} tokens", row["text"]
