"""Imported by the fork server only: calls each compiled kernel once, so that workers start with all of them loaded.

Loading them from numba's cache costs each process of each stage about 0.3 s. What belongs here: the calls, with the
types that the steps call with.
"""

from __future__ import annotations

import numpy as np

from seed_platform.filters.minhash import permutations, sign_texts
from seed_platform.filters.near_duplicates import alike, components, decide, pairs_across, pairs_within
from seed_platform.indexes.arrays import copy_ranges
from seed_platform.indexes.postings import partition, positions, sort


def _load() -> None:
    text = np.frombuffer(b"a few words to be read", dtype=np.uint8)
    numbers = np.zeros(1, dtype=np.int64)
    signed = sign_texts(text, np.array([0, len(text)]), numbers, 2, permutations(64, 1), 8)
    _, keys, rows = partition(signed.keys.ravel(), np.zeros(signed.keys.size, dtype=np.int64))
    keys, references = sort(keys, rows.view(np.uint64), 0, 1)
    rows = references.view(np.int64)
    positions(keys, keys, np.empty(len(keys), dtype=np.int64))
    mapped = signed.sketches.copy()
    mapped.flags.writeable = False  # another type to the compiler
    pairs_within(keys, rows, mapped, 1)
    list(pairs_across(keys, rows, rows, keys, references))
    alike(numbers, mapped, numbers, signed.sketches, 1)
    components(numbers, numbers, 1)
    dropped = np.zeros(1, dtype=np.bool_)
    decide(numbers, references[:1], numbers - 1, numbers, numbers, signed.bounds, signed.sets, 0.5, dropped)
    copy_ranges(text.copy(), numbers, numbers, 1, np.empty(0, dtype=np.uint8), 0)


_load()
