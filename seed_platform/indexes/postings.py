"""Postings, compiled: pairs (key, reference) sorted by key, and what two lists of them have in common.

Keys are 64-bit hashes, evenly spread. A reference says which document: `arrival << 32 | row`, so references ascend in
order of arrival. What belongs here: kernels over arrays. What does not: files (`runs.py`) or what keys mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import int64, njit, uint64

Keys = npt.NDArray[np.uint64]
References = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]

ROW_BITS = 32
PARTITIONS = 256
"""Pieces by highest byte that a document list is cut into, and so the most shards that work on it at once."""

_PER_BUCKET = 8
_LARGE_BUCKET = 64


def reference(arrival: int, rows: Numbers) -> References:
    """References to documents of one batch."""
    return (np.uint64(arrival) << np.uint64(ROW_BITS)) | rows.astype(np.uint64)


def rows_of(references: References) -> Numbers:
    """The rows of documents in their batches."""
    return (references & np.uint64((1 << ROW_BITS) - 1)).astype(np.int64)


@njit(cache=True, nogil=True)
def _partition(keys: Keys, rows: Numbers, bounds: Numbers, keys_out: Keys, rows_out: Numbers) -> None:
    counts = np.zeros(PARTITIONS + 1, dtype=np.int64)
    for i in range(len(keys)):
        counts[(keys[i] >> uint64(56)) + uint64(1)] += 1
    for part in range(PARTITIONS):
        counts[part + 1] += counts[part]
    bounds[:] = counts
    for i in range(len(keys)):
        part = keys[i] >> uint64(56)
        keys_out[counts[part]] = keys[i]
        rows_out[counts[part]] = rows[i]
        counts[part] += 1


def partition(keys: Keys, rows: Numbers) -> tuple[Numbers, Keys, Numbers]:
    """Bring postings into the order of their highest byte, otherwise as they were; (257) bounds, keys, rows."""
    bounds = np.empty(PARTITIONS + 1, dtype=np.int64)
    keys_out, rows_out = np.empty_like(keys), np.empty_like(rows)
    _partition(keys, rows, bounds, keys_out, rows_out)
    return bounds, keys_out, rows_out


@njit(cache=True, nogil=True)
def _sort(keys: Keys, refs: References, low: np.uint64, bits: int, keys_out: Keys, refs_out: References) -> None:
    """Into buckets of a few, by the bits that tell them apart, and then each bucket by insertion."""
    count = len(keys)
    buckets, used = 2, 1
    while buckets * _PER_BUCKET < count and used < bits:
        buckets *= 2
        used += 1
    shift = uint64(bits - used)
    bounds = np.zeros(buckets + 1, dtype=np.int64)
    for i in range(count):
        bounds[int64((keys[i] - low) >> shift) + 1] += 1
    for bucket in range(buckets):
        bounds[bucket + 1] += bounds[bucket]
    for i in range(count):
        bucket = int64((keys[i] - low) >> shift)
        keys_out[bounds[bucket]] = keys[i]
        refs_out[bounds[bucket]] = refs[i]
        bounds[bucket] += 1
    start = 0
    for bucket in range(buckets):
        end = bounds[bucket]
        if end - start > _LARGE_BUCKET:
            order = np.argsort(keys_out[start:end], kind="mergesort")
            keys_out[start:end] = keys_out[start:end][order]
            refs_out[start:end] = refs_out[start:end][order]
        else:
            for i in range(start + 1, end):
                key, ref = keys_out[i], refs_out[i]
                j = i
                while j > start and keys_out[j - 1] > key:
                    keys_out[j], refs_out[j] = keys_out[j - 1], refs_out[j - 1]
                    j -= 1
                keys_out[j], refs_out[j] = key, ref
        start = end


def sort(keys: Keys, refs: References, shard: int, shards: int) -> tuple[Keys, References]:
    """Postings of one of `shards` equal ranges of keys, by key; those of equal keys stay in the order given."""
    bits = 64 - (shards - 1).bit_length()
    keys_out, refs_out = np.empty_like(keys), np.empty_like(refs)
    low = np.uint64(shard << bits) if shards > 1 else np.uint64(0)
    _sort(keys, refs, low, bits, keys_out, refs_out)
    return keys_out, refs_out


@njit(cache=True, nogil=True)
def positions(keys: Keys, wanted: Keys, found: Numbers) -> None:
    """For each of `wanted` (sorted) the place of the first of `keys` (sorted) that equals it, or -1."""
    i = 0
    for j in range(len(wanted)):
        while i < len(keys) and keys[i] < wanted[j]:
            i += 1
        found[j] = i if i < len(keys) and keys[i] == wanted[j] else -1
