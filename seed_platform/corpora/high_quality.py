"""The high-quality corpus: the text of every file that the table `corpora/high_quality` names.

What belongs here: from chosen files to text. What does not: finding them (`steps/high_quality.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, HIGH_QUALITY

_COLUMNS = ["batch", "ordinal", "doc_id", "repository", "path", "language", "source", "round", "probability", "score"]


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The files of the high-quality corpus with their text, in order of arrival, a bounded frame at a time.

    Columns: text, batch, doc_id, repository, path, language, source, round, probability, score.

    Raises:
        WorkError: a file that was chosen is no longer there.
    """
    chosen = lake.column(HIGH_QUALITY, _COLUMNS)
    for batch in batches:
        mine = chosen.filter(pl.col("batch") == batch.key).sort("ordinal")
        if mine.is_empty():
            continue
        left = mine.height
        for part in lake.parts(FILES, batch=batch.key):
            columns = ["ordinal", "doc_id", "content"]
            for group in lake.read_arrow(FILES, part, columns, ordinals=mine["ordinal"].to_numpy()):
                texts = pl.DataFrame(group).rename({"content": "text"})
                joined = mine.join(texts, on=["ordinal", "doc_id"], how="inner", maintain_order="left")
                left -= joined.height
                if not joined.is_empty():
                    yield joined.select("text", "batch", *_COLUMNS[2:])
        if left:
            raise WorkError(f"{left} files of high_quality are not in batch {batch.key} any more: seed run")


HIGH_QUALITY_CORPUS = Corpus(
    name="high_quality",
    chosen=HIGH_QUALITY,
    texts=(FILES,),
    documents=documents,
    noun="source files",
    grouped_by="source",
    columns=(
        ("text", "the file's text"),
        ("batch, doc_id, repository, path, language", "where it came from: `seed why DOC_ID` tells its story"),
        ("source", "what kind of file it is"),
        ("round, probability", "which round found it, 0 for a seed, and how sure its classifier was"),
        ("score", "of the scorer of files, 0 to 10"),
    ),
    licence="The files keep the licences of the repositories they came from.",
)
