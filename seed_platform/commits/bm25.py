"""An inverted index with BM25 scores that documents join and leave one by one.

Postings lie in two parts: the *base*, sorted by term, and the *recent* ones, in the order of arrival, which are
scanned and merged into the base when there are many. A document that leaves is only marked; it can come back at no
cost until the next merge. What belongs here: arrays of terms in, scores out. What does not: files and snapshots
(`relevance.py`), and how text becomes terms (`terms.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from seed_platform.commits.terms import Hashes, Terms

Numbers = npt.NDArray[np.uint32]
Scores = npt.NDArray[np.float64]
Renumbering = npt.NDArray[np.int64]

_FEWEST_RECENT = 1 << 15
_MOST_RECENT = 1 << 18
"""Recent postings are scanned for each query (about 1 ms for 32,768 of them) and merged at a quarter of the base,
within these bounds."""


class Index:
    """Documents by slot, a small number that `add` gives out and `merge` may change."""

    def __init__(self) -> None:
        self._terms: Hashes = np.empty(0, np.uint64)
        self._starts = np.zeros(1, np.int64)
        self._slots: Numbers = np.empty(0, np.uint32)
        self._counts: Numbers = np.empty(0, np.uint32)
        self._recent_terms: Hashes = np.empty(_FEWEST_RECENT, np.uint64)
        self._recent_slots: Numbers = np.empty(_FEWEST_RECENT, np.uint32)
        self._recent_counts: Numbers = np.empty(_FEWEST_RECENT, np.uint32)
        self._recent = 0
        self._lengths = np.zeros(64, np.int64)
        self._sizes = np.zeros(64, np.int64)
        self._alive = np.zeros(64, np.bool_)
        self._next = 0
        self._live_documents = 0
        self._live_length = 0
        self._live_postings = 0

    @property
    def documents(self) -> int:
        """How many documents are in."""
        return self._live_documents

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        base = self._terms.nbytes + self._starts.nbytes + self._slots.nbytes + self._counts.nbytes
        recent = self._recent_terms.nbytes + self._recent_slots.nbytes + self._recent_counts.nbytes
        return base + recent + self._lengths.nbytes + self._sizes.nbytes + self._alive.nbytes

    def add(self, terms: Terms) -> int:
        """Take a document in; returns its slot."""
        slot, size = self._next, len(terms.hashes)
        self._next += 1
        if slot == len(self._lengths):
            for name in ("_lengths", "_sizes", "_alive"):
                setattr(self, name, _grown(getattr(self, name), slot + 1))
        self._lengths[slot] = terms.length
        self._sizes[slot] = size
        end = self._recent + size
        if end > len(self._recent_terms):
            for name in ("_recent_terms", "_recent_slots", "_recent_counts"):
                setattr(self, name, _grown(getattr(self, name), end))
        self._recent_terms[self._recent : end] = terms.hashes
        self._recent_slots[self._recent : end] = slot
        self._recent_counts[self._recent : end] = terms.counts
        self._recent = end
        self.restore(slot)
        return slot

    def restore(self, slot: int) -> None:
        """Take a document in again that was removed after the last merge."""
        self._count(slot, 1)

    def remove(self, slot: int) -> None:
        """Let a document go. Its slot stays its own until the next merge."""
        self._count(slot, -1)

    def _count(self, slot: int, sign: int) -> None:
        self._alive[slot] = sign > 0
        self._live_documents += sign
        self._live_length += sign * int(self._lengths[slot])
        self._live_postings += sign * int(self._sizes[slot])

    def wants_merge(self) -> bool:
        """Whether scans of recent postings, or those of documents that left, begin to cost."""
        base = len(self._slots)
        many = min(max(_FEWEST_RECENT, base // 4), _MOST_RECENT)
        return self._recent > many or base + self._recent > 2 * self._live_postings + _FEWEST_RECENT

    def merge(self) -> Renumbering:
        """Sort recent postings into the base and drop what left; returns each slot's new number, -1 for those gone."""
        alive = self._alive[: self._next]
        renumbered = np.where(alive, np.cumsum(alive) - 1, -1)
        kept = self._alive[self._slots]
        terms = np.repeat(self._terms, np.diff(self._starts))[kept]
        slots, counts = self._slots[kept], self._counts[kept]
        recent_kept = self._alive[self._recent_slots[: self._recent]]
        recent_terms = self._recent_terms[: self._recent][recent_kept]
        order = np.argsort(recent_terms, kind="stable")
        recent_terms = recent_terms[order]
        places = np.searchsorted(terms, recent_terms, side="right")
        terms = np.insert(terms, places, recent_terms)
        slots = np.insert(slots, places, self._recent_slots[: self._recent][recent_kept][order])
        self._counts = np.insert(counts, places, self._recent_counts[: self._recent][recent_kept][order])
        self._slots = renumbered[slots].astype(np.uint32)
        starts = np.flatnonzero(np.concatenate((np.ones(min(1, len(terms)), np.bool_), terms[1:] != terms[:-1])))
        self._terms = terms[starts]
        self._starts = np.append(starts, len(terms)).astype(np.int64)
        self._lengths, self._sizes = self._lengths[: self._next][alive], self._sizes[: self._next][alive]
        self._alive = np.ones(len(self._lengths), np.bool_)
        self._next = len(self._lengths)
        self._recent = 0
        for name in ("_recent_terms", "_recent_slots", "_recent_counts"):
            setattr(self, name, getattr(self, name)[:_FEWEST_RECENT].copy())
        return renumbered

    def scores(self, query: Terms, k1: float, b: float) -> Scores:
        """The BM25 score of every slot, 0 for documents that left.

        The variant of Lucene, exact lengths: the sum over the query's terms, repeats included, of
        ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 * (1 - b + b * length / mean length)). Kamphuis et al.,
        Which BM25 Do You Mean?, ECIR 2020. The sum is taken in the order of the query's terms, so that a score does not
        depend on how the index came about, not even in its last bit.
        """
        which, slots, counts = self._postings(query.hashes)
        live = self._alive[slots]
        which, slots, counts = which[live], slots[live], counts[live]
        order = np.argsort(which, kind="stable")
        which, slots, counts = which[order], slots[order], counts[order]
        found = np.bincount(which, minlength=len(query.hashes))
        weights = query.counts * np.log(1 + (self._live_documents - found + 0.5) / (found + 0.5))
        mean = max(1, self._live_length) / max(1, self._live_documents)
        norm = k1 * (1 - b + b * self._lengths[: self._next] / mean)
        shares = weights[which] * (counts / (counts + norm[slots]))
        return np.bincount(slots, shares, minlength=self._next).astype(np.float64, copy=False)

    def _postings(self, wanted: Hashes) -> tuple[Renumbering, Numbers, Numbers]:
        """All postings of terms: which of `wanted`, slot, count."""
        at = np.searchsorted(self._terms, wanted)
        known = np.flatnonzero(at < len(self._terms))
        known = known[self._terms[at[known]] == wanted[known]]
        spans = [(int(self._starts[i]), int(self._starts[i + 1])) for i in at[known]]
        recent = self._recent_terms[: self._recent]
        near = np.searchsorted(wanted, recent)
        hits = np.flatnonzero(near < len(wanted))
        hits = hits[wanted[near[hits]] == recent[hits]]
        which = np.concatenate((np.repeat(known, [stop - start for start, stop in spans]), near[hits]))
        slots = [self._slots[start:stop] for start, stop in spans]
        counts = [self._counts[start:stop] for start, stop in spans]
        return (
            which.astype(np.int64),
            np.concatenate((*slots, self._recent_slots[: self._recent][hits])),
            np.concatenate((*counts, self._recent_counts[: self._recent][hits])),
        )


def _grown(array: npt.NDArray[Any], least: int) -> npt.NDArray[Any]:
    """The same values in an array of at least `least` and at least twice as many."""
    larger = np.zeros(max(least, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger
