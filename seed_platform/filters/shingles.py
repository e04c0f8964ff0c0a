"""Shingles of texts, compiled: words, their hashes, the sets of shingle hashes, and how alike two sets are.

A *word* is a maximal run of ASCII letters, digits, underscores and non-ASCII bytes of the UTF-8 text. A *shingle* is
`width` consecutive words; a text of fewer words, but at least one, is one shingle. A text without words has none, and
resembles nothing. What belongs here: text in, sets out, with no notion of documents or verdicts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import int64, njit, types, uint8, uint32, uint64
from numba.cpython.unsafe.numbers import trailing_zeros
from numba.extending import intrinsic

Hashes = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]
Bytes = npt.NDArray[np.uint8]
Bounds = npt.NDArray[np.int64]

# Odd constants with well-spread bits: one for the polynomial over words, one for mixing.
BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_VECTOR = 64
_SLACK = 64


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


@intrinsic
def _word_mask(typing_context, array, position):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001
    """Which of the 64 bytes of `array` at `position` belong to words, the first in the lowest bit."""

    def generate(context, builder, signature_, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        data = context.make_array(signature_.args[0])(context, builder, arguments[0]).data
        vector = ir.VectorType(ir.IntType(8), _VECTOR)

        def constant(value: int) -> ir.Constant:
            return ir.Constant(vector, [value] * _VECTOR)

        text = builder.load(builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer()))
        text.align = 1
        letter = builder.icmp_unsigned("<", builder.sub(builder.or_(text, constant(32)), constant(97)), constant(26))
        digit = builder.icmp_unsigned("<", builder.sub(text, constant(48)), constant(10))
        underscore = builder.icmp_unsigned("==", text, constant(95))
        beyond_ascii = builder.icmp_unsigned(">=", text, constant(128))
        word = builder.or_(builder.or_(letter, digit), builder.or_(underscore, beyond_ascii))
        return builder.bitcast(word, ir.IntType(64))

    return types.uint64(array, types.uint64), generate


@njit(cache=True, nogil=True)
def _word_bounds(text: Bytes, start: int, size: int, tail: Bytes, bounds: Bounds) -> int:
    """Write where each word of `text[start : start + size]` begins and ends to `bounds`; returns how many words.

    `tail` is scratch of 64 bytes, for the end of the text, beyond which a load may leave the buffer.
    """
    changes = 0
    before = uint64(0)
    for base in range(start, start + size - _VECTOR + 1, _VECTOR):
        mask = _word_mask(text, uint64(base))
        edges = mask ^ ((mask << uint64(1)) | before)
        before = mask >> uint64(63)
        while edges:
            bounds[changes] = base + int64(trailing_zeros(edges))
            changes += 1
            edges &= edges - uint64(1)
    left = size % _VECTOR
    base = start + size - left
    for i in range(_VECTOR):
        tail[i] = text[base + i] if i < left else uint8(0)
    mask = _word_mask(tail, uint64(0))
    edges = mask ^ ((mask << uint64(1)) | before)
    while edges:
        bounds[changes] = base + int64(trailing_zeros(edges))
        changes += 1
        edges &= edges - uint64(1)
    return changes >> 1


@njit(cache=True, nogil=True, inline="always")
def _word_hash(text: Bytes, start: np.uint64, end: np.uint64) -> np.uint64:
    """A 64-bit hash of the bytes `text[start:end]`, eight at a time."""
    left = end - start
    h = left * BASE
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


@njit(cache=True, nogil=True, inline="always")
def _finish(h: np.uint64) -> np.uint32:
    """Spread 64 bits and keep 32 from the middle; never the largest value, so that `distinct` may add one."""
    h ^= h >> uint64(32)
    h *= _MIX
    h ^= h >> uint64(32)
    return min(uint32(h >> uint64(16)), uint32(0xFFFFFFFE))


@njit(cache=True, nogil=True)
def hash_shingles(  # noqa: PLR0913, PLR0917 - scratch arrays belong to the caller, who has many texts
    text: Bytes, start: int, size: int, width: int, tail: Bytes, bounds: Bounds, words: Words, out: Hashes
) -> int:
    """Write the hash of each shingle of `text[start : start + size]` to `out`, repeats included; returns how many.

    Scratch: `tail` 64 bytes, `bounds` size + 1, `words` size // 2 + 1; `out` has size // 2 + 1.
    """
    count = _word_bounds(text, start, size, tail, bounds)
    if count == 0:
        return 0
    for k in range(count):
        words[k] = _word_hash(text, uint64(bounds[2 * k]), uint64(bounds[2 * k + 1]))
    # BASE^width, which the oldest word of the window has been multiplied with when it leaves.
    leaving = uint64(1)
    for _ in range(width):
        leaving *= BASE
    rolling = uint64(0)
    for k in range(min(count, width)):
        rolling = rolling * BASE + words[k]
    out[0] = _finish(rolling)
    for k in range(width, count):
        rolling = rolling * BASE + words[k] - leaving * words[k - width]
        out[k - width + 1] = _finish(rolling)
    return max(1, count - width + 1)


@njit(cache=True, nogil=True)
def distinct(values: Hashes, count: int, table: Hashes, out: Hashes) -> int:
    """Write the first `count` of `values`, sorted and without repeats, to `out`; returns how many are left.

    Hashes are spread evenly, so each is put near its final place in a table twice as large and moved a step or two.
    Scratch: `table` has 5 * count + 2 * 64 entries; `out` is another array, of count + 1 values.
    """
    bits = 1
    while (1 << bits) < 2 * count:
        bits += 1
    end = (1 << bits) + _SLACK
    table[:end] = 0
    for j in range(count):
        place = int64(values[j] >> uint32(32 - bits))
        # One more than the value, since 0 is an empty entry. Entries ascend, so a larger one makes room and moves on.
        entry = uint32(values[j] + uint32(1))
        while True:
            there = table[place]
            if there == 0:
                table[place] = entry
                break
            if there == entry:
                break
            if there > entry:
                table[place] = entry
                entry = there
            place += 1
            if place == end:
                table[end : end + _SLACK] = 0
                end += _SLACK
    found = 0
    for place in range(end):
        # Without a branch, which would be guessed wrong at every other entry.
        out[found] = uint32(table[place] - uint32(1))
        found += table[place] != 0
    return found


@njit(cache=True, nogil=True)
def shared(a: Hashes, b: Hashes) -> int:
    """How many values two sorted arrays without repeats share."""
    i = j = count = 0
    while i < len(a) and j < len(b):
        x, y = a[i], b[j]
        if x == y:
            count += 1
        i += x <= y
        j += y <= x
    return count


def shingle_hashes(text: Bytes, width: int) -> Hashes:
    """The 32-bit hashes of the shingles of a text's UTF-8 bytes, in order of appearance, repeats included."""
    size = len(text)
    out = np.empty(size // 2 + 1, dtype=np.uint32)
    tail, bounds = np.empty(_VECTOR, dtype=np.uint8), np.empty(size + 1, dtype=np.int64)
    words = np.empty(size // 2 + 1, dtype=np.uint64)
    return out[: hash_shingles(text, 0, size, width, tail, bounds, words, out)]


def shingle_set(text: Bytes, width: int) -> Hashes:
    """The distinct shingle hashes, sorted."""
    return np.unique(shingle_hashes(text, width))


def jaccard(a: Hashes, b: Hashes) -> float:
    """The Jaccard similarity of two sorted sets; 0 if both are empty."""
    common = shared(a, b)
    union = len(a) + len(b) - common
    return common / union if union else 0.0
