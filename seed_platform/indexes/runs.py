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


@dataclass(frozen=True, slots=True)
class RunFile:
    """The postings of a run in the range `shard` of `shards` equal ranges of keys; `shards` is a power of two."""

    path: str
    shard: int
    shards: int
    rows: int

    def overlaps(self, shard: int, shards: int) -> bool:
        """Whether it has keys of another range."""
        return self.shard * shards < (shard + 1) * self.shards and shard * self.shards < (self.shard + 1) * shards


def write_run(storage: Storage, path: str, keys: Keys, references: References) -> int:
    """Write sorted postings; returns the file's size in bytes."""
    return write_arrays(storage, path, {"fence": keys[::_PER_BLOCK], "keys": keys, "references": references})


def read_run(storage: Storage, file: RunFile, shard: int, shards: int) -> tuple[Keys, References]:
    """The postings of a file that are in a range of keys."""
    with ArrayFile(storage, file.path) as arrays:
        keys, references = arrays.read("keys"), arrays.read("references")
    if file.shards >= shards:
        return keys, references
    width = 1 << (64 - (shards - 1).bit_length())
    low, high = shard * width, (shard + 1) * width
    start = int(np.searchsorted(keys, np.uint64(low)))
    stop = int(np.searchsorted(keys, np.uint64(high))) if high < 1 << 64 else len(keys)
    return keys[start:stop], references[start:stop]


def lookup(storage: Storage, files: Sequence[RunFile], keys: Keys) -> Iterator[tuple[Numbers, Keys, References]]:
    """Find `keys` (sorted) in each of `files`.

    Yields, for each file that has any: the place of the first posting of each key or -1, and the postings that were
    read, their keys and references; those with the same key stand together and in order.
    """
    for each in files:
        with ArrayFile(storage, each.path) as file:
            fence = file.read("fence")
            if not len(fence):
                continue
            # A key equal to a fence may begin in the block before it.
            first = np.maximum(np.searchsorted(fence, keys, side="left") - 1, 0)
            last = np.maximum(np.searchsorted(fence, keys, side="right") - 1, 0)
            blocks = np.unique(np.concatenate([first, np.minimum(last, first + 1)]))
            starts = blocks * _PER_BLOCK
            stops = np.minimum(starts + _PER_BLOCK, file.rows("keys"))
            found = np.empty(len(keys), dtype=np.int64)
            stored = file.gather("keys", starts, stops)
            positions(stored, keys, found)
            if (found >= 0).any():
                yield found, stored, file.gather("references", starts, stops)
