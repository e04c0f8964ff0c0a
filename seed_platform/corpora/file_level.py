"""The file-level corpus: the text of every document that the table `corpora/file_level` names.

The table holds which documents, not their text: that is stored once, in `files`, and joined when it is read. What
belongs here: from chosen documents to text. What does not: choosing them (`steps/select.py`), writing files
(`export.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILE_LEVEL, FILES


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The documents of the file-level corpus with their text, in order of arrival, a bounded frame at a time.

    Columns: text, doc_id, batch, repository, revision, path, language, bytes, content_sha256.
    """
    columns = ["ordinal", "doc_id", "repository", "revision", "path", "language", "bytes", "content_sha256", "content"]
    for batch in batches:
        chosen = lake.column(FILE_LEVEL, ["ordinal"], batch=batch.key)["ordinal"].sort()
        for part in lake.parts(FILES, batch=batch.key):
            if chosen.filter(chosen.is_between(part.first, part.last)).is_empty():
                continue
            for group in lake.read(FILES, part, columns):
                kept = group.filter(pl.col("ordinal").is_in(chosen.implode()))
                if not kept.is_empty():
                    yield kept.select(
                        pl.col("content").alias("text"), "doc_id", pl.lit(batch.key).alias("batch"), *columns[2:-1]
                    )


FILE_LEVEL_CORPUS = Corpus(
    name="file_level",
    chosen=FILE_LEVEL,
    texts=(FILES,),
    documents=documents,
    noun="source files",
    grouped_by="language",
    columns=(
        ("text", "the file's text"),
        ("doc_id", "its id: `seed why DOC_ID` tells its story"),
        ("batch, repository, revision, path", "where it came from"),
        ("language, bytes, content_sha256", "what it is; the hash is of the bytes as they arrived"),
    ),
    licence="The files keep the licences of the repositories they came from.",
)
