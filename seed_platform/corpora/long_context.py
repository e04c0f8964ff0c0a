"""The long-context corpus: the text of every document that the table `corpora/long_context` names.

What belongs here: from chosen documents to text, each by the corpus that it is from. What does not: choosing them
(`steps/long_context.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.corpora.repository_level import texts_of
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import COMMIT_SAMPLES, FILES, LONG_CONTEXT, PAGES, REPOSITORY_SEQUENCES, Table

_COLUMNS = ["source", "batch", "ordinal", "doc_id", "name", "tokens", "step"]


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The documents of the long-context corpus, by source and in order of arrival, a bounded frame at a time.

    Columns: text, source, batch, doc_id, name, tokens, step.

    Raises:
        WorkError: a document that was chosen is no longer there.
    """
    chosen = lake.column(LONG_CONTEXT, _COLUMNS)
    for source, read in _READERS.items():
        for batch in batches:
            mine = chosen.filter((pl.col("source") == source) & (pl.col("batch") == batch.key)).sort("ordinal")
            if mine.is_empty():
                continue
            left = mine.height
            for texts in read(lake, batch.key, mine["ordinal"]):
                joined = mine.join(texts, on=["ordinal", "doc_id"], how="inner", maintain_order="left")
                left -= joined.height
                yield joined.select("text", "source", "batch", "doc_id", "name", "tokens", "step")
            if left:
                raise WorkError(f"{left} documents of long_context are not in batch {batch.key} any more: seed run")


def _of(table: Table) -> Callable[[Lake, str, pl.Series], Iterator[pl.DataFrame]]:
    """How the contents of some documents of a table are read: frames of ordinal, doc_id and text."""

    def read(lake: Lake, batch: str, ordinals: pl.Series) -> Iterator[pl.DataFrame]:
        wanted = ordinals.to_numpy()
        for part in lake.parts(table, batch=batch):
            if part.last < wanted[0] or part.first > wanted[-1]:
                continue
            for group in lake.read_arrow(table, part, ["ordinal", "doc_id", "content"], ordinals=wanted):
                mine = pl.DataFrame(group).filter(pl.col("ordinal").is_in(ordinals.implode()))
                if not mine.is_empty():
                    yield mine.rename({"content": "text"})

    return read


def _sequences(lake: Lake, batch: str, ordinals: pl.Series) -> Iterator[pl.DataFrame]:
    columns = [field.name for field in REPOSITORY_SEQUENCES.columns]
    chosen = lake.column(REPOSITORY_SEQUENCES, columns, batch=batch)
    for texts in texts_of(lake, batch, chosen.filter(pl.col("ordinal").is_in(ordinals.implode()))):
        yield texts.join(chosen.select("doc_id", "ordinal"), on="doc_id").select("ordinal", "doc_id", "text")


_READERS: dict[str, Callable[[Lake, str, pl.Series], Iterator[pl.DataFrame]]] = {
    "files": _of(FILES),
    "pages": _of(PAGES),
    "repositories": _sequences,
    "commits": _of(COMMIT_SAMPLES),
}

LONG_CONTEXT_CORPUS = Corpus(
    name="long_context",
    chosen=LONG_CONTEXT,
    texts=(FILES, PAGES, REPOSITORY_SEQUENCES, COMMIT_SAMPLES),
    documents=documents,
    noun="documents",
    grouped_by="source",
    columns=(
        ("text", "a long file, a long page, a packed repository, or a commit sample"),
        ("source", "files, pages, repositories or commits"),
        ("batch, doc_id, name", "where it came from: `seed why DOC_ID` tells the story of a file, page or commit"),
        ("tokens, step", "estimated length, and the context length of the training step that it is for"),
    ),
    licence="The documents keep the licences and terms of where they came from.",
)
