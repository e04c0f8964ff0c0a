"""What an exported corpus is: where its documents come from, and what its card says of them.

What belongs here: the contract. What does not: any one corpus, and files (`export.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from seed_platform.batches import Batch
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import Table


@dataclass(frozen=True, slots=True)
class Corpus:
    """One corpus that can be exported.

    Attributes:
        name: as users call it.
        chosen: the table of the documents that are in it.
        texts: the tables that have their texts.
        documents: frames with the text and the columns of the card, in order of arrival, each of bounded size.
        noun: what a document is, in the plural.
        grouped_by: the column that the card counts documents by.
        columns: (column, meaning) for the card.
        licence: what the card says of it.
    """

    name: str
    chosen: Table
    texts: tuple[Table, ...]
    documents: Callable[[Lake, Sequence[Batch]], Iterator[pl.DataFrame]]
    noun: str
    grouped_by: str
    columns: tuple[tuple[str, str], ...]
    licence: str
