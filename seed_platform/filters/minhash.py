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
from llvmlite import ir
from numba import int64, njit, types, uint8, uint32, uint64
from numba.extending import intrinsic

Hashes = npt.NDArray[np.uint32]
Bytes = npt.NDArray[np.uint8]

# Odd constants with well-spread bits: one for the polynomial over words, two for mixing.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FNV_PRIME = np.uint64(0x100000001B3)
_BLOCK = 1024


@intrinsic
def _load64(typing_context, array, position):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001
    """The 8 bytes of `array` at `position` as a little-endian number; numba itself has no unaligned load."""

    def generate(context, builder, signature_, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        data = context.make_array(signature_.args[0])(context, builder, arguments[0]).data
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(64).as_pointer())
        value = builder.load(pointer)
        value.align = 1
        return value

    return types.uint64(array, types.uint64), generate


@njit(cache=True, nogil=True)
def _word_bounds(text: Bytes, start: int, size: int, is_word: Bytes, bounds: npt.NDArray[np.int64]) -> int:
    """Write where each word of `text[start : start + size]` begins and ends to `bounds`; returns how many words.

    Two passes without branches: the first vectorizes, the second stores at each byte and moves on at each change.
    """
    for i in range(size):
        byte = text[start + i]
        letter = uint8(uint8(byte | uint8(32)) - uint8(97)) < uint8(26)
        digit = uint8(byte - uint8(48)) < uint8(10)
        is_word[i] = uint8(letter | digit | (byte == uint8(95)) | (byte >= uint8(128)))
    changes = uint64(0)
    before = uint8(0)
    for i in range(size):
        bounds[changes] = start + i
        changes += uint64(is_word[i] ^ before)
        before = is_word[i]
    if before:
        bounds[changes] = start + size
        changes += uint64(1)
    return int64(changes >> uint64(1))


@njit(cache=True, nogil=True, inline="always")
def _word_hash(text: Bytes, start: np.uint64, end: np.uint64) -> np.uint64:
    """A 64-bit hash of the bytes `text[start:end]`, eight at a time."""
    left = end - start
    h = left * _BASE
    while left > uint64(8):
        h = (h ^ _load64(text, start)) * _MIX
        h ^= h >> uint64(32)
        start += uint64(8)
        left -= uint64(8)
    if start + uint64(8) <= uint64(len(text)):
        last = _load64(text, start) & (uint64(0xFFFFFFFFFFFFFFFF) >> (uint64(64) - left * uint64(8)))
    else:  # a load would leave the buffer
        last = uint64(0)
        for i in range(left):
            last |= uint64(text[start + uint64(i)]) << (uint64(8) * uint64(i))
    h = (h ^ last) * _MIX
    return h ^ (h >> uint64(32))


@njit(cache=True, nogil=True)
def _shingle_hashes(  # noqa: PLR0913, PLR0917 - scratch arrays belong to the caller, who has many texts
    text: Bytes, start: int, size: int, width: int, is_word: Bytes, bounds: npt.NDArray[np.int64], out: Hashes
) -> int:
    """Write the hash of each shingle of `text[start : start + size]` to `out`, repeats included; returns how many."""
    words = _word_bounds(text, start, size, is_word, bounds)
    ring = np.zeros(width, dtype=np.uint64)
    # BASE^width, which the oldest word of the window has been multiplied with when it leaves.
    leaving = uint64(1)
    for _ in range(width):
        leaving *= _BASE
    rolling = uint64(0)
    slot = 0
    count = 0
    for k in range(words):
        word = _word_hash(text, uint64(bounds[2 * k]), uint64(bounds[2 * k + 1]))
        rolling = rolling * _BASE + word - leaving * ring[slot]
        ring[slot] = word
        slot = slot + 1 if slot + 1 < width else 0
        if k + 1 >= width:
            out[count] = _finish(rolling)
            count += 1
    if 0 < words < width:
        out[0] = _finish(rolling)
        count = 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _finish(h: np.uint64) -> np.uint32:
    """Spread 64 bits and keep 32 from the middle."""
    h ^= h >> uint64(32)
    h *= _MIX
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


def shingle_hashes(text: Bytes, width: int) -> Hashes:
    """The 32-bit hashes of the shingles of a text's UTF-8 bytes, in order of appearance, repeats included."""
    size = len(text)
    is_word, bounds = np.empty(size, dtype=np.uint8), np.empty(size + 1, dtype=np.int64)
    out = np.empty(size // 2 + 1, dtype=np.uint32)
    return out[: _shingle_hashes(text, 0, size, width, is_word, bounds, out)]


def shingle_set(text: Bytes, width: int) -> Hashes:
    """The distinct shingle hashes, sorted."""
    values = np.sort(shingle_hashes(text, width))
    return values[np.concatenate(([True], values[1:] != values[:-1]))] if len(values) else values


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


@njit(cache=True, nogil=True)
def _all_bands(  # noqa: PLR0913, PLR0917 - the inner loop over texts of `bands_of_texts`
    data: Bytes,
    offsets: npt.NDArray[np.int64],
    width: int,
    a: Hashes,
    b: Hashes,
    rows: int,
    found: npt.NDArray[np.bool_],
    bands: npt.NDArray[np.int64],
) -> None:
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    is_word, bounds = np.empty(longest, dtype=np.uint8), np.empty(longest + 1, dtype=np.int64)
    shingles = np.empty(longest // 2 + 1, dtype=np.uint32)
    values = np.empty(len(a), dtype=np.uint32)
    for i in range(len(offsets) - 1):
        count = _shingle_hashes(data, offsets[i], offsets[i + 1] - offsets[i], width, is_word, bounds, shingles)
        found[i] = count > 0
        if count > 0:
            _signature(shingles[:count], a, b, values)
            _band_hashes(values, rows, bands[i])


def bands_of_texts(
    data: Bytes, offsets: npt.NDArray[np.int64], width: int, permutation: tuple[Hashes, Hashes], rows: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """The band hashes of many texts in one call.

    Args:
        data: the texts' UTF-8 bytes, one after the other.
        offsets: where each text begins, and where the last one ends: texts + 1 numbers.
        width: words in a shingle.
        permutation: as `permutations` gives it.
        rows: signature values in a band.

    Returns:
        Which texts have any shingle, and their band hashes: (texts, bands), undefined for those that have none.
    """
    texts = len(offsets) - 1
    found = np.zeros(texts, dtype=np.bool_)
    bands = np.empty((texts, len(permutation[0]) // rows), dtype=np.int64)
    _all_bands(data, offsets, width, *permutation, rows, found, bands)
    return found, bands


def jaccard(a: Hashes, b: Hashes) -> float:
    """The Jaccard similarity of two sorted sets; 0 if both are empty."""
    shared = _intersection(a, b)
    union = len(a) + len(b) - shared
    return shared / union if union else 0.0
