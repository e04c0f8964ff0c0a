"""Near duplicates: which pairs of documents are worth comparing, and which of several similar ones is kept.

What belongs here: decisions, as pure functions over arrays. What does not: signatures (`minhash.py`), and where arrays
come from (`steps/near_duplicates.py`).

Documents are taken in order of arrival. One is dropped if it resembles, at or above the threshold, a document that is
*kept*; it is compared with no other. So no chain of neighbours can remove a document that resembles nothing kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, uint64

from seed_platform.filters.minhash import equal_bytes
from seed_platform.filters.shingles import Hashes, shared
from seed_platform.indexes.postings import Keys, Numbers, References

VERSION = "3"

BUCKET = 32
"""Documents of one bucket that a later one is compared with: a band that half of the corpus shares costs no square."""

_DEVIATIONS = 3.5
_CAPACITY = 1 << 18
_ROWS = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)

Sketches = npt.NDArray[np.uint8]


def worth_verifying(threshold: float, permutations: int) -> float:
    """The least estimated similarity at which a pair is verified: 3.5 standard deviations below the threshold.

    The estimate is the share of `permutations` independent values that agree. Less than one in a thousand pairs at the
    threshold is estimated lower.
    """
    return max(0.0, threshold - _DEVIATIONS * float(np.sqrt(threshold * (1 - threshold) / permutations)))


@njit(cache=True, nogil=True)
def _within(  # noqa: PLR0913, PLR0917 - resumes at `start`, since its answer has no bound
    keys: Keys, rows: Numbers, sketches: Sketches, width: int, least: int, start: int, bucket: int, out: References
) -> tuple[int, int]:
    count = 0
    first = start
    while first > 0 and keys[first - 1] == keys[start]:
        first -= 1
    for i in range(start, len(keys)):
        if keys[i] != keys[first]:
            first = i
        if count + bucket > len(out):
            return i, count
        for j in range(first, min(i, first + bucket)):
            if equal_bytes(sketches, rows[i] * width, sketches, rows[j] * width, width) >= least:
                out[count] = (uint64(rows[i]) << uint64(32)) | uint64(rows[j])
                count += 1
    return len(keys), count


def pairs_within(keys: Keys, rows: Numbers, sketches: Sketches, least: int) -> References:
    """Pairs of a batch that share a key and are alike enough by their sketches: later row << 32 | earlier row, sorted.

    Args:
        keys: sorted.
        rows: the document of each key, below 2^32; ascending among equal keys.
        sketches: (documents, permutations).
        least: as `minhash.least_equal` gives it.
    """
    flat, width = sketches.reshape(-1), sketches.shape[1]
    out = np.empty(_CAPACITY, dtype=np.uint64)
    found: list[References] = [np.empty(0, dtype=np.uint64)]
    start = 0
    while start < len(keys):
        start, count = _within(keys, rows, flat, width, least, start, BUCKET, out)
        found.append(_distinct(out[:count]))
    return _distinct(np.concatenate(found))


def _distinct(values: References) -> References:
    """Sorted, without repeats. `np.unique` hashes first, which takes five times as long here."""
    values = np.sort(values)
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if len(values) else values


@njit(cache=True, nogil=True)
def _across(  # noqa: PLR0913, PLR0917 - resumes at `start`, since its answer has no bound
    keys: Keys,
    rows: Numbers,
    places: Numbers,
    other_keys: Keys,
    others: References,
    start: int,
    bucket: int,
    out_rows: Numbers,
    out_others: References,
) -> tuple[int, int]:
    count = 0
    for i in range(start, len(keys)):
        if count + bucket > len(out_rows):
            return i, count
        j = places[i]
        while 0 <= j < min(len(other_keys), places[i] + bucket) and other_keys[j] == keys[i]:
            out_rows[count], out_others[count] = rows[i], others[j]
            count += 1
            j += 1
    return len(keys), count


def pairs_across(
    keys: Keys, rows: Numbers, places: Numbers, other_keys: Keys, others: References
) -> Iterator[tuple[Numbers, References]]:
    """Pairs of a batch's documents with others that share a key, in bounded pieces without repeats.

    Args:
        keys: of the batch, sorted.
        rows: the document of each key.
        places: the place in `other_keys` of the first that equals each key, or -1.
        other_keys: sorted.
        others: the document of each.
    """
    out_rows, out_others = np.empty(_CAPACITY, dtype=np.int64), np.empty(_CAPACITY, dtype=np.uint64)
    start = 0
    while start < len(keys):
        start, count = _across(keys, rows, places, other_keys, others, start, BUCKET, out_rows, out_others)
        if count:
            yield unique_pairs(out_rows[:count], out_others[:count])


def unique_pairs(rows: Numbers, others: References) -> tuple[Numbers, References]:
    """Pairs in order, without repeats."""
    order = np.lexsort((others, rows))
    rows, others = rows[order], others[order]
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (rows[1:] != rows[:-1]) | (others[1:] != others[:-1])
    return rows[new], others[new]


@njit(cache=True, nogil=True)
def _alike(
    rows: Numbers, sketches: Sketches, places: Numbers, others: Sketches, width: int, least: int
) -> npt.NDArray[np.bool_]:
    found = np.empty(len(rows), dtype=np.bool_)
    for i in range(len(rows)):
        found[i] = equal_bytes(sketches, rows[i] * width, others, places[i] * width, width) >= least
    return found


def alike(rows: Numbers, sketches: Sketches, places: Numbers, others: Sketches, least: int) -> npt.NDArray[np.bool_]:
    """Whether sketch `rows[i]` of `sketches` and sketch `places[i]` of `others` share `least` bytes, for each i."""
    return _alike(rows, sketches.reshape(-1), places, others.reshape(-1), sketches.shape[1], least)


@njit(cache=True, nogil=True)
def components(later: Numbers, earlier: Numbers, documents: int) -> Numbers:
    """The least row of the component of each of `documents` rows, given the pairs that link them."""
    parent = np.arange(documents)
    for i in range(len(later)):
        a, b = later[i], earlier[i]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        parent[max(a, b)] = min(a, b)
    for row in range(documents):
        parent[row] = parent[parent[row]]
    return parent


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each document that was compared with a kept one: the most similar kept one.

    Arrays of equal length, ordered by `row`. `other` refers to that document, and of equally similar ones to the first
    that arrived. `similarity` is the true Jaccard similarity of the two sets of shingles, `containment` the share of
    the document's own shingles that the other one has.
    """

    row: Numbers
    other: References
    similarity: npt.NDArray[np.float64]
    containment: npt.NDArray[np.float64]
    dropped: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


@njit(cache=True, nogil=True)
def _decide(  # noqa: PLR0913, PLR0917 - one loop over all pairs
    rows: Numbers,
    mine: Numbers,
    others: Numbers,
    other_rows: Numbers,
    bounds: Numbers,
    values: Hashes,
    threshold: float,
    dropped: npt.NDArray[np.bool_],
    best: npt.NDArray[np.float64],
    contained: npt.NDArray[np.float64],
    pair: Numbers,
) -> int:
    found = 0
    i = 0
    while i < len(rows):
        row = rows[i]
        own = values[bounds[mine[i]] : bounds[mine[i] + 1]]
        best[found], pair[found] = -1.0, -1
        while i < len(rows) and rows[i] == row:
            if other_rows[i] < 0 or not dropped[other_rows[i]]:
                other = values[bounds[others[i]] : bounds[others[i] + 1]]
                common = shared(own, other)
                similarity = common / max(1, len(own) + len(other) - common)
                if similarity > best[found]:
                    best[found], contained[found], pair[found] = similarity, common / max(1, len(own)), i
            i += 1
        if pair[found] >= 0:
            dropped[row] = best[found] >= threshold
            found += 1
    return found


def decide(  # noqa: PLR0913, PLR0917 - parallel arrays
    rows: Numbers,
    references: References,
    other_rows: Numbers,
    mine: Numbers,
    others: Numbers,
    bounds: Numbers,
    values: Hashes,
    threshold: float,
    dropped: npt.NDArray[np.bool_],
) -> Nearest:
    """Go through pairs in order and drop the documents that resemble a kept one.

    Args:
        rows: the later document of each pair, ascending.
        references: the earlier document of each pair, ascending for each row.
        other_rows: its row if it belongs to this batch; -1 if it is of an earlier one, where it is known to be kept.
        mine: place of the later document's set.
        others: place of the earlier document's set.
        bounds: where each set begins in `values`, and where the last one ends.
        values: sets of shingle hashes, each sorted.
        threshold: least similarity at which the later document is dropped.
        dropped: by row; what earlier calls decided, and where this one writes what it decides.
    """
    size = len(np.unique(rows))
    best, contained = np.empty(size + 1, dtype=np.float64), np.zeros(size + 1, dtype=np.float64)
    pair = np.empty(size + 1, dtype=np.int64)
    count = _decide(rows, mine, others, other_rows, bounds, values, threshold, dropped, best, contained, pair)
    chosen = pair[:count]
    return Nearest(rows[chosen], references[chosen], best[:count], contained[:count], best[:count] >= threshold)
