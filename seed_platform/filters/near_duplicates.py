"""Near duplicates: which document of several similar ones is kept, given how similar they truly are.

What belongs here: the decision, as pure functions over arrays. What does not: finding the pairs worth comparing
(`minhash.py`, `steps/near_duplicates.py`).

Documents are taken in order of arrival. One is dropped if it resembles, at or above the threshold, a document that is
*kept*; it is compared with no other. So no chain of neighbours can remove a document that resembles nothing kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each document that was compared with a kept one: the most similar kept one.

    Arrays of equal length, ordered by `ordinal`. `other` is the index of the pair in the arrays given to `decide`.
    """

    ordinal: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]
    pair: npt.NDArray[np.int64]
    dropped: npt.NDArray[np.bool_]


def decide(
    ordinals: npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    others_are_mine: npt.NDArray[np.bool_],
    similarity: Callable[[int], float],
    threshold: float,
) -> Nearest:
    """Go through the documents of a batch in order and drop those that resemble a kept one.

    Args:
        ordinals: the later document of each pair, ascending.
        others: the earlier document: an ordinal of this batch, or of an earlier batch, where it is known to be kept.
        others_are_mine: whether the earlier document belongs to this batch.
        similarity: true Jaccard similarity of the pair of that number; asked only where the earlier one is kept, since
            most pairs are of copies among each other and reading two texts costs more than all else here.
        threshold: least similarity at which the later document is dropped.

    Returns:
        The nearest kept document of each that has one among its pairs; of equally near ones, the earliest pair.
    """
    dropped: set[int] = set()
    found: list[tuple[int, float, int, bool]] = []
    bounds = [*np.flatnonzero(np.diff(ordinals, prepend=-1)).tolist(), len(ordinals)]
    for start, end in pairwise(bounds):
        best, best_pair = -1.0, -1
        for pair in range(start, end):
            if others_are_mine[pair] and int(others[pair]) in dropped:
                continue
            value = similarity(pair)
            if value > best:
                best, best_pair = value, pair
        if best_pair < 0:
            continue
        ordinal = int(ordinals[start])
        if best >= threshold:
            dropped.add(ordinal)
        found.append((ordinal, best, best_pair, best >= threshold))
    ordinal_column, similarities, pair_column, flags = zip(*found, strict=True) if found else ((), (), (), ())
    return Nearest(
        np.array(ordinal_column, dtype=np.int64),
        np.array(similarities, dtype=np.float64),
        np.array(pair_column, dtype=np.int64),
        np.array(flags, dtype=np.bool_),
    )


def text_buffer(texts: pl.Series) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The UTF-8 bytes of all texts and the texts + 1 offsets between them, as views: no text is copied or decoded."""
    array = texts.to_arrow(compat_level=pl.CompatLevel.oldest())
    array = array.cast(pa.large_string()) if array.type != pa.large_string() else array
    _, offset_buffer, data_buffer = array.buffers()
    if data_buffer is None:
        return np.empty(0, dtype=np.uint8), np.zeros(len(array) + 1, dtype=np.int64)
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return np.frombuffer(data_buffer, dtype=np.uint8), offsets


def text_bytes(texts: pl.Series) -> list[npt.NDArray[np.uint8]]:
    """The UTF-8 bytes of each text, as views of one buffer."""
    data, offsets = text_buffer(texts)
    return [data[start:end] for start, end in pairwise(offsets)]
