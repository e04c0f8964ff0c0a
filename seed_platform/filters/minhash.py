"""MinHash, compiled: signatures, the bands that find candidates, and sketches that estimate similarity.

Signatures have the values of `datasketch.MinHash` (scheme "affine32") for the same shingle hashes and seed, so its
users can make theirs from the sets in our index. What belongs here: sets and texts in, numbers out, with no notion of
batches or verdicts. What does not: shingles (`shingles.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types, uint8, uint32, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from seed_platform.filters.shingles import BASE, Bounds, Bytes, Hashes, distinct, hash_shingles

Keys = npt.NDArray[np.uint64]

_FNV_PRIME = np.uint64(0x100000001B3)
_BLOCK = 1024
_VECTOR = 64
_TILE = 32


@njit(cache=True, nogil=True, inline="always")
def _mix(h: np.uint32) -> np.uint32:
    """The 32-bit finalizer of MurmurHash3, which datasketch applies before its permutations."""
    h = uint32(h ^ (h >> uint32(16)))
    h = uint32(h * uint32(0x85EBCA6B))
    h = uint32(h ^ (h >> uint32(13)))
    h = uint32(h * uint32(0xC2B2AE35))
    return uint32(h ^ (h >> uint32(16)))


@intrinsic
def _tile(typing_context, mixed, count, a, b, out, first):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001, PLR0913, PLR0917
    """The least value of 32 permutations from `first` on over the first `count` of `mixed`, into the same of `out`.

    The least values stay in registers while the shingles pass by; as a loop over permutations that reduces over
    shingles, numba's compiler vectorizes it too, and is a quarter slower.
    """

    def generate(context, builder, signature_, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        vector = ir.VectorType(ir.IntType(32), _TILE)
        nothing = ir.Constant(vector, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), _TILE), [0] * _TILE)

        def data(number: int) -> Any:  # noqa: ANN401 - an instruction of LLVM
            return context.make_array(signature_.args[number])(context, builder, arguments[number]).data

        def at(number: int) -> Any:  # noqa: ANN401 - an instruction of LLVM
            return builder.bitcast(builder.gep(data(number), [arguments[5]]), vector.as_pointer())

        factors, offsets, start = (builder.load(at(number)) for number in (2, 3, 4))
        for each in (factors, offsets, start):
            each.align = 4
        least = cgutils.alloca_once(builder, vector)
        builder.store(start, least)
        shingles = data(0)
        with cgutils.for_range(builder, arguments[1]) as loop:
            one = builder.insert_element(
                nothing, builder.load(builder.gep(shingles, [loop.index])), ir.Constant(ir.IntType(32), 0)
            )
            value = builder.add(builder.mul(builder.shuffle_vector(one, nothing, zeros), factors), offsets)
            known = builder.load(least)
            builder.store(builder.select(builder.icmp_unsigned("<", value, known), value, known), least)
        builder.store(builder.load(least), at(4)).align = 4
        return context.get_dummy_value()

    return types.none(mixed, types.int64, a, b, out, types.int64), generate


@njit(cache=True, nogil=True)
def _signature(shingles: Hashes, a: Hashes, b: Hashes, out: Hashes) -> None:
    """The least value of each permutation over the shingles, into `out`; all ones if there are none."""
    out[:] = uint32(0xFFFFFFFF)
    block = np.empty(_BLOCK, dtype=np.uint32)
    for start in range(0, len(shingles), _BLOCK):
        size = min(_BLOCK, len(shingles) - start)
        # The block stays in the first-level cache for all permutations.
        for i in range(size):
            block[i] = _mix(shingles[start + i])
        whole = len(a) // _TILE * _TILE
        for first in range(0, whole, _TILE):
            _tile(block, size, a, b, out, first)
        for k in range(whole, len(a)):
            for i in range(size):
                out[k] = min(out[k], uint32(a[k] * block[i] + b[k]))


@njit(cache=True, nogil=True)
def _band_keys(signature: Hashes, rows: int, out: Keys) -> None:
    """One 64-bit hash for each band of `rows` signature values."""
    for band in range(len(out)):
        h = uint64(band + 1) * BASE
        for row in range(rows):
            h = (h ^ uint64(signature[band * rows + row])) * _FNV_PRIME
            h ^= h >> uint64(29)
        out[band] = h * BASE


@cache
def permutations(count: int, seed: int) -> tuple[Hashes, Hashes]:
    """The factors and offsets of `count` permutations, the ones `datasketch.MinHash(num_perm=count, seed=seed)` has."""
    chance = np.random.RandomState(seed)  # the legacy generator, whose stream never changes
    halves = chance.randint(0, 1 << 31, count, dtype=np.uint32)
    offsets = chance.randint(0, 1 << 32, count, dtype=np.uint32)
    # An odd factor is what makes x -> factor * x + offset a permutation of 32-bit numbers.
    return halves * np.uint32(2) + np.uint32(1), offsets


def signature(shingles: Hashes, count: int, seed: int) -> Hashes:
    """The MinHash signature of a set of shingle hashes: `count` values."""
    out = np.empty(count, dtype=np.uint32)
    _signature(shingles, *permutations(count, seed), out)
    return out


def band_keys(values: Hashes, rows: int) -> Keys:
    """One hash per band of `rows` consecutive signature values; values beyond the last whole band are not used."""
    out = np.empty(len(values) // rows, dtype=np.uint64)
    _band_keys(values, rows, out)
    return out


@dataclass(frozen=True, slots=True)
class Signed:
    """What is kept of many texts.

    Attributes:
        bounds: (texts + 1) where each text's set begins in `sets`, and where the last one ends.
        sets: the distinct shingle hashes of each text, sorted, one text after the other.
        sketches: (texts, permutations) the lowest byte of each signature value.
        keys: (texts, bands) band hashes; undefined for a text without shingles.
    """

    bounds: Bounds
    sets: Hashes
    sketches: npt.NDArray[np.uint8]
    keys: Keys


@njit(cache=True, nogil=True)
def _sign(  # noqa: PLR0913, PLR0917 - the inner loop over texts of `sign_texts`
    data: Bytes,
    offsets: Bounds,
    chosen: Bounds,
    width: int,
    a: Hashes,
    b: Hashes,
    rows: int,
    bounds: Bounds,
    sets: Hashes,
    sketches: npt.NDArray[np.uint8],
    keys: Keys,
) -> None:
    longest = 0
    for i in chosen:
        longest = max(longest, offsets[i + 1] - offsets[i])
    tail, edges = np.empty(_VECTOR, dtype=np.uint8), np.empty(longest + 1, dtype=np.int64)
    words = np.empty(longest // 2 + 1, dtype=np.uint64)
    shingles = np.empty(longest // 2 + 1, dtype=np.uint32)
    table = np.empty(5 * (longest // 2 + 1) + 2 * _VECTOR, dtype=np.uint32)
    values = np.empty(len(a), dtype=np.uint32)
    bounds[0] = 0
    for k in range(len(chosen)):
        start, size = offsets[chosen[k]], offsets[chosen[k] + 1] - offsets[chosen[k]]
        count = hash_shingles(data, start, size, width, tail, edges, words, shingles)
        found = distinct(shingles, count, table, sets[bounds[k] :]) if count > 0 else 0
        bounds[k + 1] = bounds[k] + found
        _signature(sets[bounds[k] : bounds[k + 1]], a, b, values)
        for p in range(len(a)):
            sketches[k, p] = uint8(values[p])
        _band_keys(values, rows, keys[k])


def sign_texts(
    data: Bytes, offsets: Bounds, chosen: Bounds, width: int, permutation: tuple[Hashes, Hashes], rows: int
) -> Signed:
    """Walk once over the chosen ones of many texts.

    Args:
        data: the texts' UTF-8 bytes, one after the other.
        offsets: where each text begins, and where the last one ends: texts + 1 numbers.
        chosen: which texts, ascending.
        width: words in a shingle.
        permutation: as `permutations` gives it.
        rows: signature values in a band.
    """
    count = len(permutation[0])
    most = int(((offsets[chosen + 1] - offsets[chosen]) // 2 + 2).sum())
    bounds = np.empty(len(chosen) + 1, dtype=np.int64)
    sets = np.empty(most, dtype=np.uint32)
    sketches = np.empty((len(chosen), count), dtype=np.uint8)
    keys = np.empty((len(chosen), count // rows), dtype=np.uint64)
    _sign(data, offsets, chosen, width, *permutation, rows, bounds, sets, sketches, keys)
    return Signed(bounds, sets[: bounds[-1]].copy(), sketches, keys)


@intrinsic
def _equal64(typing_context, one, i, other, j):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG001
    """How many of the 64 bytes of `one` at `i` are those of `other` at `j`."""

    def generate(context, builder, signature_, arguments):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        vector = ir.VectorType(ir.IntType(8), _VECTOR)

        def load(array: int, position: int) -> Any:  # noqa: ANN401 - an instruction of LLVM
            data = context.make_array(signature_.args[array])(context, builder, arguments[array]).data
            value = builder.load(builder.bitcast(builder.gep(data, [arguments[position]]), vector.as_pointer()))
            value.align = 1
            return value

        equal = builder.icmp_unsigned("==", load(0, 1), load(2, 3))
        return builder.ctpop(builder.bitcast(equal, ir.IntType(64)))

    return types.uint64(one, types.uint64, other, types.uint64), generate


@njit(cache=True, nogil=True)
def equal_bytes(one: Bytes, i: int, other: Bytes, j: int, size: int) -> int:
    """How many of `size` bytes from `one[i]` on are the same as those from `other[j]` on."""
    count = 0
    whole = size // _VECTOR * _VECTOR
    for k in range(0, whole, _VECTOR):
        count += _equal64(one, uint64(i + k), other, uint64(j + k))
    for k in range(whole, size):
        count += one[i + k] == other[j + k]
    return count


def least_equal(permutation_count: int, similarity: float) -> int:
    """How many bytes two sketches share at least where the estimated Jaccard similarity is `similarity` or more.

    Two different signature values have the same lowest byte with a chance of 1 in 256.
    """
    return int(np.ceil(permutation_count * (similarity + (1 - similarity) / 256)))
