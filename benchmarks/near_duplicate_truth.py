"""The true similarity of all pairs of documents, by brute force and in a way of its own.

Shingles are the texts themselves, in Python sets, found by `re` on the definition: a word is a maximal run of ASCII
letters, digits, underscores and non-ASCII characters, a shingle so many consecutive words, and a text of fewer words
(but at least one) is one shingle. No hash of ours, no sampling, no candidates: shingle by shingle, the documents that
have it are counted with each other. What belongs here: what is true. What does not: what the platform said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Ratios = npt.NDArray[np.float64]

_WORD = re.compile(r"[0-9A-Za-z_\u0080-\U0010ffff]+")


def shingles_of(text: str, width: int) -> set[str]:
    """The distinct shingles of a text, words joined by a space, which no word has."""
    words = _WORD.findall(text)
    if len(words) < width:
        return {" ".join(words)} if words else set()
    return {" ".join(words[start : start + width]) for start in range(len(words) - width + 1)}


class Truth:
    """Exact Jaccard similarities between all of `texts`; memory is 4 bytes for each pair and the shingles once.

    Attributes:
        vocabulary: the distinct shingles of all texts.
        ids: for each text the places of its shingles in the vocabulary, ascending.
    """

    def __init__(self, texts: Sequence[str], width: int) -> None:
        places: dict[str, int] = {}
        owners: list[list[int]] = []
        self.ids: list[Numbers] = []
        for number, text in enumerate(texts):
            mine = []
            for shingle in shingles_of(text, width):
                place = places.setdefault(shingle, len(owners))
                if place == len(owners):
                    owners.append([])
                owners[place].append(number)
                mine.append(place)
            self.ids.append(np.sort(np.array(mine, dtype=np.int64)))
        self.vocabulary = list(places)
        self._shared = np.zeros((len(texts), len(texts)), dtype=np.int32)
        # Most shingles share their list of documents with others, so a list is counted once with its weight.
        for documents, weight in Counter(map(tuple, owners)).items():
            if len(documents) > 1:
                index = np.array(documents)
                self._shared[index[:, None], index] += weight
        self._sizes = np.array([len(each) for each in self.ids], dtype=np.int64)

    def jaccard(self, one: Numbers | int, other: Numbers | int) -> Ratios:
        """The similarity of documents `one` with documents `other`, element by element; 0 if both have no shingle."""
        one, other = np.broadcast_arrays(np.asarray(one), np.asarray(other))
        shared = self._shared[one, other].astype(np.int64)
        union = self._sizes[one] + self._sizes[other] - shared
        return np.asarray(np.divide(shared, union, out=np.zeros(shared.shape), where=union > 0))

    def to_earlier(self, document: int) -> Ratios:
        """Its similarity to each document before it."""
        return self.jaccard(document, np.arange(document))

    def pairs(self) -> tuple[Numbers, Numbers, Ratios]:
        """All pairs that share a shingle: the earlier document, the later one, their similarity."""
        later, earlier = np.nonzero(np.tril(self._shared, -1))
        return earlier, later, self.jaccard(earlier, later)
