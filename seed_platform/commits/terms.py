"""Terms of code and prose for search: identifiers, whole and in parts, as hashes, compiled.

An *identifier* is a maximal run of ASCII letters, digits, underscores and bytes beyond ASCII that is not all
underscores. Its parts end at underscores, before a capital that follows a small letter or digit (`readFile`), and
before the last of several capitals that a small letter follows (`HTTPServer`: `http`, `server`). Its terms are the
whole, and the parts unless the whole is the only one, ASCII letters made small. Bytes beyond ASCII count as small
letters. What belongs here: text in, hashes and their counts out. What does not: scores (`bm25.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit, uint8, uint64

Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.uint32]

# FNV-1a, 64 bits, with a last mix because its low bits differ more than its high ones.
_OFFSET = np.uint64(0xCBF29CE484222325)
_PRIME = np.uint64(0x100000001B3)
_MIX = np.uint64(0xD6E8FEB86659FD93)

_NONE, _UNDERSCORE, _DIGIT, _SMALL, _CAPITAL = range(5)


def _classes() -> npt.NDArray[np.uint8]:
    """What each byte is to an identifier."""
    classes = np.full(256, _NONE, np.uint8)
    classes[128:] = _SMALL
    classes[ord("a") : ord("z") + 1] = _SMALL
    classes[ord("A") : ord("Z") + 1] = _CAPITAL
    classes[ord("0") : ord("9") + 1] = _DIGIT
    classes[ord("_")] = _UNDERSCORE
    return classes


_CLASSES = _classes()


@dataclass(frozen=True, slots=True)
class Terms:
    """The distinct terms of a text, ascending by hash, how often each occurs, and how many there are in all."""

    hashes: Hashes
    counts: Counts
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.hashes.nbytes + self.counts.nbytes


@njit(cache=True, nogil=True, inline="always")
def _mixed(h: np.uint64) -> np.uint64:
    h = (h ^ (h >> uint64(32))) * _MIX
    return h ^ (h >> uint64(32))


@njit(cache=True, nogil=True)
def _hash_terms(text: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8], out: Hashes) -> int:
    """Write the hash of every term of `text`, repeats included, to `out` (len(text) + 1); returns how many."""
    found = 0
    i = 0
    end = len(text)
    while i < end:
        if classes[text[i]] == _NONE:
            i += 1
            continue
        start = i
        first = found
        whole = part = _OFFSET
        in_part = 0
        before = _NONE
        while i < end:
            kind = classes[text[i]]
            if kind == _NONE:
                break
            inner = kind == _CAPITAL and (
                before in (_SMALL, _DIGIT) or (before == _CAPITAL and i + 1 < end and classes[text[i + 1]] == _SMALL)
            )
            if in_part and (inner or kind == _UNDERSCORE):
                out[found] = _mixed(part)
                found += 1
                part = _OFFSET
                in_part = 0
            byte = uint64(text[i] | uint8(32) if kind == _CAPITAL else text[i])
            whole = (whole ^ byte) * _PRIME
            if kind != _UNDERSCORE:
                part = (part ^ byte) * _PRIME
                in_part += 1
            before = kind
            i += 1
        if in_part:
            out[found] = _mixed(part)
            found += 1
        # A lone part as long as the identifier is the identifier.
        if found > first + 1 or (found == first + 1 and in_part != i - start):
            out[found] = _mixed(whole)
            found += 1
    return found


def terms_of(text: bytes) -> Terms:
    """The terms of a text and their counts. Any bytes are a text."""
    out = np.empty(len(text) + 1, np.uint64)
    length = int(_hash_terms(np.frombuffer(text, np.uint8), _CLASSES, out))
    ordered = np.sort(out[:length])
    if length == 0:
        return Terms(ordered, np.empty(0, np.uint32), 0)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    counts = np.diff(starts, append=length).astype(np.uint32)
    return Terms(ordered[starts], counts, length)


def joined(a: Terms, b: Terms) -> Terms:
    """The terms of two texts together."""
    hashes = np.concatenate((a.hashes, b.hashes))
    counts = np.concatenate((a.counts, b.counts))
    order = np.argsort(hashes, kind="stable")
    hashes, counts = hashes[order], counts[order]
    if not len(hashes):
        return a
    starts = np.flatnonzero(np.concatenate(([True], hashes[1:] != hashes[:-1])))
    return Terms(hashes[starts], np.add.reduceat(counts, starts).astype(np.uint32), a.length + b.length)
