"""MinHash over word shingles, compiled: the kernels that near-duplicate detection spends its time in.

What belongs here: text in, numbers out, with no notion of documents, batches or verdicts. Signatures have the values
of `datasketch.MinHash` (scheme "affine32") for the same shingle hashes and seed, so its users can read our index.

A *word* is a maximal run of ASCII letters, digits, underscores and non-ASCII bytes of the UTF-8 text. A *shingle* is
`width` consecutive words; a text of fewer words, but at least one, is one shingle. A text without words has none, and
resembles nothing.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from numba import njit, uint32, uint64

Hashes = npt.NDArray[np.uint32]

_WORD_BYTE = np.zeros(256, dtype=np.bool_)
for _low, _high in ((ord("0"), ord("9")), (ord("A"), ord("Z")), (ord("a"), ord("z")), (ord("_"), ord("_")), (128, 255)):
    _WORD_BYTE[_low : _high + 1] = True

# FNV-1a for words; an odd constant with well-spread bits for the polynomial over word hashes.
_FNV_OFFSET = np.uint64(0xCBF29CE484222325)
_FNV_PRIME = np.uint64(0x100000001B3)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 1024


@njit(cache=True, nogil=True)
def _shingle_hashes(text: npt.NDArray[np.uint8], is_word: npt.NDArray[np.bool_], width: int, out: Hashes) -> int:
    """Write the hash of each shingle of `text` to `out`, in order, repeats included; returns how many."""
    ring = np.zeros(width, dtype=np.uint64)
    # BASE^width, which the oldest word of the window has been multiplied with when it leaves.
    leaving = uint64(1)
    for _ in range(width):
        leaving *= _BASE
    rolling = uint64(0)
    words = 0
    count = 0
    word = _FNV_OFFSET
    inside = False
    size = len(text)
    for i in range(size + 1):
        byte = text[i] if i < size else np.uint8(32)
        if is_word[byte]:
            word = (word ^ uint64(byte)) * _FNV_PRIME
            inside = True
        elif inside:
            slot = words % width
            rolling = rolling * _BASE + word - leaving * ring[slot]
            ring[slot] = word
            words += 1
            if words >= width:
                out[count] = _finish(rolling)
                count += 1
            word = _FNV_OFFSET
            inside = False
    if 0 < words < width:
        out[0] = _finish(rolling)
        count = 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _finish(h: np.uint64) -> np.uint32:
    """Spread 64 bits and keep the upper 32."""
    h ^= h >> uint64(32)
    h *= uint64(0xD6E8FEB86659FD93)
    h ^= h >> uint64(32)
    return uint32(h >> uint64(16))


@njit(cache=True, nogil=True, inline="always")
def _mix(h: np.uint32) -> np.uint32:
    """The 32-bit finalizer of MurmurHash3, which datasketch applies before its permutations."""
    h = uint32(h ^ (h >> uint32(16)))
    h = uint32(h * uint32(0x85EBCA6B))
    h = uint32(h ^ (h >> uint32(13)))
    h = uint32(h * uint32(0xC2B2AE35))
    return uint32(h ^ (h >> uint32(16)))


@njit(cache=True, nogil=True)
def _signature(shingles: Hashes, a: Hashes, b: Hashes, out: Hashes) -> None:
    """The least value of each permutation over the shingles, into `out`; all ones if there are none."""
    out[:] = uint32(0xFFFFFFFF)
    block = np.empty(_BLOCK, dtype=np.uint32)
    for start in range(0, len(shingles), _BLOCK):
        size = min(_BLOCK, len(shingles) - start)
        for i in range(size):
            block[i] = _mix(shingles[start + i])
        for k in range(len(a)):
            # A reduction over the block vectorizes; the block stays in the first-level cache for all permutations.
            least = out[k]
            factor, offset = a[k], b[k]
            for i in range(size):
                value = uint32(factor * block[i] + offset)
                least = min(least, value)
            out[k] = least


@njit(cache=True, nogil=True)
def _band_hashes(signature: Hashes, rows: int, out: npt.NDArray[np.int64]) -> None:
    """One 64-bit hash for each band of `rows` signature values."""
    for band in range(len(out)):
        h = uint64(band + 1) * _BASE
        for row in range(rows):
            h = (h ^ uint64(signature[band * rows + row])) * _FNV_PRIME
            h ^= h >> uint64(29)
        out[band] = np.int64(h * _BASE)


@njit(cache=True, nogil=True)
def _intersection(a: Hashes, b: Hashes) -> int:
    """How many values two sorted arrays without repeats share."""
    i = j = shared = 0
    while i < len(a) and j < len(b):
        x, y = a[i], b[j]
        if x == y:
            shared += 1
        i += x <= y
        j += y <= x
    return shared


@cache
def permutations(count: int, seed: int) -> tuple[Hashes, Hashes]:
    """The factors and offsets of `count` permutations, the ones `datasketch.MinHash(num_perm=count, seed=seed)` has."""
    chance = np.random.RandomState(seed)  # the legacy generator, whose stream never changes
    halves = chance.randint(0, 1 << 31, count, dtype=np.uint32)
    offsets = chance.randint(0, 1 << 32, count, dtype=np.uint32)
    # An odd factor is what makes x -> factor * x + offset a permutation of 32-bit numbers.
    return halves * np.uint32(2) + np.uint32(1), offsets


def shingle_hashes(text: npt.NDArray[np.uint8], width: int) -> Hashes:
    """The 32-bit hashes of the shingles of a text's UTF-8 bytes, in order of appearance, repeats included."""
    out = np.empty(len(text) // 2 + 1, dtype=np.uint32)
    return out[: _shingle_hashes(text, _WORD_BYTE, width, out)]


def shingle_set(text: npt.NDArray[np.uint8], width: int) -> Hashes:
    """The distinct shingle hashes, sorted."""
    return np.unique(shingle_hashes(text, width))


def signature(shingles: Hashes, count: int, seed: int) -> Hashes:
    """The MinHash signature of a set of shingle hashes: `count` values."""
    out = np.empty(count, dtype=np.uint32)
    _signature(shingles, *permutations(count, seed), out)
    return out


def band_hashes(values: Hashes, rows: int) -> npt.NDArray[np.int64]:
    """One hash per band of `rows` consecutive signature values; values beyond the last whole band are not used."""
    out = np.empty(len(values) // rows, dtype=np.int64)
    _band_hashes(values, rows, out)
    return out


def jaccard(a: Hashes, b: Hashes) -> float:
    """The Jaccard similarity of two sorted sets; 0 if both are empty."""
    shared = _intersection(a, b)
    union = len(a) + len(b) - shared
    return shared / union if union else 0.0
