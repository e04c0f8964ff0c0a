"""Runs: sorted postings of accepted documents in the lake, a file per range of keys, looked up without reading all.

What belongs here: writing a range, and finding given keys. Every file has a *fence*, the first key of each of its
blocks, so that a lookup reads the blocks that may have what it wants and no other: its cost follows what is asked, not
what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from seed_platform.indexes.arrays import BLOCK, ArrayFile, write_arrays
from seed_platform.indexes.postings import Keys, Numbers, References, positions
from seed_platform.lake.storage import Storage

_PER_BLOCK = BLOCK // 8
_BLOCKS_AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class RunFile:
    """The postings of a run in the range `shard` of `shards` equal ranges of keys; `shards` is a power of two."""

    path: str
    shard: int
    shards: int
    rows: int


def overlapping(run: Sequence[RunFile], shard: int, shards: int) -> Sequence[RunFile]:
    """The files of a run, which is all of them in order, that have keys of another range; both numbers are powers of 2.

    Counted and not searched for: a large run has tens of thousands of files, and as many tasks ask.
    """
    return run[shard * len(run) // shards : -(-(shard + 1) * len(run) // shards)]


def write_run(storage: Storage, path: str, keys: Keys, references: References) -> int:
    """Write sorted postings; returns the file's size in bytes."""
    return write_arrays(storage, path, {"fence": keys[::_PER_BLOCK], "keys": keys, "references": references})


def read_run(storage: Storage, file: RunFile, shard: int, shards: int) -> tuple[Keys, References]:
    """The postings of a file that are in a range of keys; of the rest, two blocks at most are read."""
    with ArrayFile(storage, file.path) as arrays:
        start, stop = 0, arrays.rows("keys")
        if file.shards < shards:
            fence = arrays.read("fence")
            low, high = _range(shard, shards)
            start, stop = _place(arrays, fence, low), _place(arrays, fence, high)
        return arrays.read("keys", start, stop), arrays.read("references", start, stop)


def _range(shard: int, shards: int) -> tuple[int, int]:
    """The least key of a range, and of the range after it."""
    bits = 64 - (shards - 1).bit_length()
    return shard << bits, (shard + 1) << bits


def _place(file: ArrayFile, fence: Keys, key: int) -> int:
    """The place of the first posting whose key is not less."""
    rows = file.rows("keys")
    if not rows or key >= 1 << 64:
        return rows
    block = max(int(np.searchsorted(fence, np.uint64(key))) - 1, 0)
    keys = file.read("keys", block * _PER_BLOCK, min((block + 1) * _PER_BLOCK, rows))
    return block * _PER_BLOCK + int(np.searchsorted(keys, np.uint64(key)))


@dataclass(frozen=True, slots=True)
class Found:
    """Postings that have some of the keys that were looked up.

    Attributes:
        asked: which of those keys.
        places: of each of them, where in `keys` its first posting is; -1 if there is none.
        keys: of the postings, ascending; those of one key are the first of it in their run, `_PER_BLOCK` at most.
        references: of the postings.
    """

    asked: slice
    places: Numbers
    keys: Keys
    references: References


def lookup(storage: Storage, files: Sequence[RunFile], keys: Keys) -> Iterator[Found]:
    """Find `keys` (sorted) in `files`, `_BLOCKS_AT_ONCE` blocks at a time; yields where any is found."""
    for each in files:
        low, high = _range(each.shard, each.shards)
        start = int(np.searchsorted(keys, np.uint64(low)))
        stop = int(np.searchsorted(keys, np.uint64(high))) if high < 1 << 64 else len(keys)
        if start == stop:
            continue
        with ArrayFile(storage, each.path) as file:
            fence = file.read("fence")
            if not len(fence):
                continue
            # No key up to the fence of a block begins after the block before it.
            cuts = np.searchsorted(keys[start:stop], fence[_BLOCKS_AT_ONCE::_BLOCKS_AT_ONCE], side="right") + start
            for asked in map(slice, [start, *cuts.tolist()], [*cuts.tolist(), stop]):
                if asked.stop > asked.start and (found := _find(file, fence, keys, asked)) is not None:
                    yield found


def _find(file: ArrayFile, fence: Keys, keys: Keys, asked: slice) -> Found | None:
    wanted = keys[asked]
    # A key equal to a fence may begin in the block before it.
    first = np.maximum(np.searchsorted(fence, wanted, side="left") - 1, 0)
    last = np.maximum(np.searchsorted(fence, wanted, side="right") - 1, 0)
    blocks = _distinct(np.sort(np.concatenate([first, np.minimum(last, first + 1)])))
    starts = blocks * _PER_BLOCK
    stored = file.gather("keys", starts, np.minimum(starts + _PER_BLOCK, file.rows("keys")))
    found = np.empty(len(wanted), dtype=np.int64)
    positions(stored, wanted, found)
    matched = _distinct(found[found >= 0])
    if not len(matched):
        return None
    # So many stand together in the file too: either the key ends in its first block, or the next one was read as well.
    sizes = np.minimum(np.searchsorted(stored, stored[matched], side="right") - matched, _PER_BLOCK)
    rows = starts[matched // _PER_BLOCK] + matched % _PER_BLOCK
    references = file.gather("references", rows, rows + sizes)
    places = np.where(found >= 0, (np.cumsum(sizes) - sizes)[np.searchsorted(matched, found)], -1)
    return Found(asked, places, np.repeat(stored[matched], sizes), references)


def _distinct(ascending: Numbers) -> Numbers:
    return ascending[np.flatnonzero(np.diff(ascending, prepend=-1))]
