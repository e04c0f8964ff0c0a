"""Postings and runs against plain sorting and dictionaries."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.indexes import arrays, runs
from seed_platform.indexes.arrays import BLOCK
from seed_platform.indexes.postings import PARTITIONS, partition, positions, reference, rows_of, sort
from seed_platform.indexes.runs import RunFile, lookup, overlapping, read_run, write_run
from seed_platform.lake.storage import Storage

_KEYS = st.lists(st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**63, 2**64 - 1])), max_size=200)


def _keys(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@settings(deadline=None, max_examples=100)
@given(values=_KEYS)
def test_partitions_hold_what_their_highest_byte_says_in_the_order_given(values: list[int]):
    keys = _keys(values)
    bounds, found, rows = partition(keys, np.arange(len(keys)))
    assert (found == keys[rows]).all()
    for part in range(PARTITIONS):
        mine = rows[bounds[part] : bounds[part + 1]]
        assert mine.tolist() == np.flatnonzero(keys >> np.uint64(56) == part).tolist()


@settings(deadline=None, max_examples=100)
@given(values=_KEYS, bits=st.integers(0, 8), data=st.data())
def test_sorting_a_range_of_keys_is_a_stable_sort(values: list[int], bits: int, data: st.DataObject):
    shard = data.draw(st.integers(0, (1 << bits) - 1))
    keys = _keys(values) if bits == 0 else (_keys(values) >> np.uint64(bits)) | np.uint64(shard << (64 - bits))
    found, rows = sort(keys, np.arange(len(keys), dtype=np.uint64), shard, 1 << bits)
    order = np.argsort(keys, kind="stable")
    assert (found == keys[order]).all()
    assert rows.tolist() == order.tolist()


def test_a_key_that_most_postings_have_is_sorted_as_well():
    chance = np.random.default_rng(1)
    keys = np.where(chance.random(20_000) < 0.9, chance.integers(5, 7, 20_000), chance.integers(0, 1 << 63, 20_000))
    found, rows = sort(keys.astype(np.uint64), np.arange(len(keys), dtype=np.uint64), 0, 1)
    assert rows.tolist() == np.argsort(keys, kind="stable").tolist()
    assert (np.diff(found.astype(np.float64)) >= 0).all()


@settings(deadline=None, max_examples=100)
@given(values=_KEYS, wanted=_KEYS)
def test_positions_are_those_of_the_first_equal_key(values: list[int], wanted: list[int]):
    keys, asked = np.sort(_keys(values)), np.sort(_keys(wanted + values[:5]))
    found = np.empty(len(asked), dtype=np.int64)
    positions(keys, asked, found)
    listed = keys.tolist()
    assert found.tolist() == [listed.index(key) if key in listed else -1 for key in asked.tolist()]


def test_references_order_documents_by_arrival_and_then_by_row():
    made = [reference(arrival, np.array([0, 5, 2**32 - 1])) for arrival in (1, 2, 70_000)]
    together = np.concatenate(made)
    assert (np.diff(together.astype(object)) > 0).all()
    assert rows_of(together).tolist() == [0, 5, 2**32 - 1] * 3


def _stored(storage: Storage, keys: np.ndarray, shards: int) -> list[RunFile]:
    """A run of these keys (sorted) in as many files; references count the postings."""
    references = reference(3, np.arange(len(keys)))
    files = []
    for shard in range(shards):
        mine = _in_range(keys, shard, shards)
        path = f"{shard}-of-{shards}.run"
        write_run(storage, path, keys[mine], references[mine])
        files.append(RunFile(path, shard, shards, int(mine.sum())))
    return files


def _in_range(keys: np.ndarray, shard: int, shards: int) -> np.ndarray:
    return (keys >> np.uint64(32)) * np.uint64(shards) >> np.uint64(32) == shard


def _crowded(seed: int, count: int) -> np.ndarray:
    """Sorted keys, some so often that they run over the ends of blocks, and the least and the greatest there are."""
    chance = np.random.default_rng(seed)
    several = [chance.integers(0, 2**64, count, dtype=np.uint64), np.full(9000, 2**62 + 5, "u8")]
    return np.sort(np.concatenate([*several, _keys([0, 0, 2**63 - 1, 2**63, 2**64 - 1, 2**64 - 1])]))


@pytest.mark.parametrize("at_once", [1, 128])
@pytest.mark.parametrize("stored", [1, 4, 512])
@pytest.mark.parametrize("asking", [1, 2, 8])
def test_a_lookup_finds_each_key_with_its_first_postings_whatever_the_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: int, asking: int, at_once: int
):
    monkeypatch.setattr(runs, "_BLOCKS_AT_ONCE", at_once)
    storage, chance = Storage(str(tmp_path)), np.random.default_rng(stored)
    keys = _crowded(stored, 30_000)
    files = _stored(storage, keys, stored)
    wanted = np.sort(
        np.concatenate([keys[::1500], keys[:3], keys[-1:], chance.integers(0, 2**64, 50, dtype=np.uint64)])
    )
    first = {int(key): int(place) for place, key in reversed(list(enumerate(keys)))}
    found: dict[int, int] = {}
    for shard in range(asking):
        mine = wanted[_in_range(wanted, shard, asking)]
        for some in lookup(storage, overlapping(files, shard, asking), mine):
            assert len(some.keys) == len(some.references)
            for key, place in zip(mine[some.asked].tolist(), some.places.tolist(), strict=True):
                if place >= 0:
                    count = int((some.keys[place : place + 32] == key).sum())
                    assert count == min(32, int((keys == np.uint64(key)).sum()))
                    rows = rows_of(some.references[place : place + count]).tolist()
                    assert rows == list(range(rows[0], rows[0] + count))
                    found[key] = rows[0]
    assert found == {key: first[key] for key in set(wanted.tolist()) & set(first)}


@pytest.mark.parametrize("stored", [1, 4, 1024])
@pytest.mark.parametrize("asking", [1, 8, 1024])
def test_the_ranges_of_a_run_are_its_postings_each_once_whatever_the_ranges(tmp_path: Path, stored: int, asking: int):
    storage, keys = Storage(str(tmp_path)), _crowded(7, 60_000)
    files = _stored(storage, keys, stored)
    if stored > asking:
        overlapped = [overlapping(files, shard, asking) for shard in range(asking)]
        assert [file for each in overlapped for file in each] == files
        asking = stored
    pieces = [
        read_run(storage, file, shard, asking) for shard in range(asking) for file in overlapping(files, shard, asking)
    ]
    assert (np.concatenate([found for found, _ in pieces]) == keys).all()
    assert (rows_of(np.concatenate([references for _, references in pieces])) == np.arange(len(keys))).all()
    assert all(array.base is None for piece in pieces for array in piece)


def _bytes_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many bytes index files have given since the last call."""
    sizes: list[int] = []
    pread = os.pread

    def counted(handle: int, size: int, position: int) -> bytes:
        sizes.append(size)
        return pread(handle, size, position)

    def told() -> int:
        total = sum(sizes)
        sizes.clear()
        return total

    monkeypatch.setattr(arrays.os, "pread", counted)
    return told


def test_what_is_read_of_a_run_is_what_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    storage, chance = Storage(str(tmp_path)), np.random.default_rng(2)
    keys = np.sort(chance.integers(0, 2**64, 1 << 18, dtype=np.uint64))
    (file,) = _stored(storage, keys, 1)
    told = _bytes_read(monkeypatch)
    strangers = np.sort(chance.integers(0, 2**64, 1 << 12, dtype=np.uint64))
    assert not list(lookup(storage, [file], strangers))
    assert told() < 1.1 * keys.nbytes  # of every block the keys, and none of the references
    one = keys[1000:1001]
    assert [rows_of(found.references).tolist() for found in lookup(storage, [file], one)] == [[1000]]
    assert told() < 4 * BLOCK
    read_run(storage, file, 77, 256)
    assert told() < 2 * (keys.nbytes // 256 + 4 * BLOCK)
    assert not list(lookup(storage, _stored(storage, keys, 8), keys[:0]))
    assert told() == 0  # files without any key in their range are not even opened


def test_the_memory_of_a_lookup_does_not_depend_on_the_file(tmp_path: Path):
    storage, chance = Storage(str(tmp_path)), np.random.default_rng(2)

    def peak(count: int) -> int:
        keys = np.sort(chance.integers(0, 2**64, count, dtype=np.uint64))
        (file,) = _stored(storage, keys, 1)
        wanted = keys[:: count >> 14].copy()
        tracemalloc.start()
        try:
            assert sum(int((found.places >= 0).sum()) for found in lookup(storage, [file], wanted)) == len(wanted)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1 << 15)  # compiles
    assert peak(1 << 22) < 1.5 * peak(1 << 20)
