"""Postings and runs against plain sorting and dictionaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.indexes.postings import PARTITIONS, partition, positions, reference, rows_of, sort
from seed_platform.indexes.runs import RunFile, lookup, read_run, write_run
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


@pytest.mark.parametrize("stored", [1, 4])
@pytest.mark.parametrize("asking", [1, 2, 8])
def test_a_lookup_finds_each_key_with_its_first_postings_whatever_the_ranges(tmp_path: Path, stored: int, asking: int):
    storage, chance = Storage(str(tmp_path)), np.random.default_rng(stored)
    # Crowded keys run over the ends of blocks.
    keys = np.sort(np.concatenate([chance.integers(0, 2**64, 30_000, dtype=np.uint64), np.full(9000, 2**62 + 5, "u8")]))
    references = reference(3, np.arange(len(keys)))
    files = []
    for shard in range(stored):
        mine = (keys >> np.uint64(32)) * np.uint64(stored) >> np.uint64(32) == shard
        path = f"{shard}.run"
        write_run(storage, path, keys[mine], references[mine])
        files.append(RunFile(path, shard, stored, int(mine.sum())))
    wanted = np.sort(np.concatenate([keys[::1500], keys[:3], chance.integers(0, 2**64, 50, dtype=np.uint64)]))
    first = {int(key): int(place) for place, key in reversed(list(enumerate(keys)))}
    found: dict[int, int] = {}
    for shard in range(asking):
        mine = wanted[(wanted >> np.uint64(32)) * np.uint64(asking) >> np.uint64(32) == shard]
        overlapping = [file for file in files if file.overlaps(shard, asking)]
        for places, there, others in lookup(storage, overlapping, mine):
            for key, place in zip(mine.tolist(), places.tolist(), strict=True):
                if place >= 0:
                    found[key] = int(rows_of(others[place : place + 1])[0])
                    run = int((there[place : place + 32] == key).sum())
                    assert run == min(32, int((keys == np.uint64(key)).sum()))
    assert found == {key: first[key] for key in set(wanted.tolist()) & set(first)}
    together = [
        read_run(storage, file, shard, asking)[0]
        for shard in range(asking)
        for file in files
        if file.overlaps(shard, asking) and stored <= asking
    ]
    if together:
        assert (np.concatenate(together) == keys).all()
