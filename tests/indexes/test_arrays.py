"""Index files: what is written comes back, and nothing that was altered does."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.indexes.arrays import BLOCK, ArrayFile, DamagedIndexError, write_arrays
from seed_platform.lake.storage import Storage

_NAME = "index_files/some/file.segment"


def _everything(storage: Storage) -> dict[str, object]:
    with ArrayFile(storage, _NAME) as file:
        return {name: file.read(name).tolist() for name in ("wide", "numbers", "none")}


def _write(storage: Storage, rows: int) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(rows)
    arrays = {
        "wide": chance.integers(0, 256, (rows, 3), dtype=np.uint8),
        "none": np.empty((0, 7), dtype=np.uint32),
        "numbers": chance.integers(0, 1 << 60, rows),
    }
    assert write_arrays(storage, _NAME, arrays) == Path(storage.uri(_NAME)).stat().st_size
    return arrays


@pytest.mark.parametrize("rows", [0, 1, 1000, BLOCK // 8, BLOCK // 8 + 1, 40_000])
def test_arrays_come_back_whole_and_by_ranges(tmp_path: Path, rows: int):
    storage = Storage(str(tmp_path))
    arrays = _write(storage, rows)
    with ArrayFile(storage, _NAME) as file:
        for name, array in arrays.items():
            assert file.rows(name) == len(array)
            assert (file.read(name) == array).all()
            for start, stop in ((0, 0), (0, 1), (rows // 3, rows // 2), (rows - 1, rows), (rows, rows)):
                if 0 <= start <= stop <= len(array):
                    assert (file.read(name, start, stop) == array[start:stop]).all()


@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_gathered_ranges_are_the_slices_one_after_the_other(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    storage = Storage(str(tmp_path_factory.mktemp("gather")))
    rows = 30_000
    arrays = _write(storage, rows)
    starts = np.array(sorted(data.draw(st.lists(st.integers(0, rows), max_size=20))), dtype=np.int64)
    stops = np.minimum(starts + data.draw(st.integers(0, 9000)), rows)
    with ArrayFile(storage, _NAME) as file:
        for name in ("wide", "numbers"):
            pieces = [arrays[name][a:b] for a, b in zip(starts, stops, strict=True)]
            expected = np.concatenate(pieces) if pieces else arrays[name][:0]
            assert (file.gather(name, starts, stops) == expected).all()


def test_a_read_that_gives_less_than_was_asked_for_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    storage, pread = Storage(str(tmp_path)), os.pread
    arrays = _write(storage, 40_000)
    # As the kernel does beyond 2 GiB.
    monkeypatch.setattr(os, "pread", lambda handle, size, position: pread(handle, min(size, 1000), position))
    with ArrayFile(storage, _NAME) as file:
        for name, array in arrays.items():
            assert (file.read(name) == array).all()
        assert (file.read("numbers", 10_001, 30_003) == arrays["numbers"][10_001:30_003]).all()


def test_what_was_read_is_an_array_of_its_own_no_larger_than_what_was_asked_for(tmp_path: Path):
    storage = Storage(str(tmp_path))
    arrays = _write(storage, 1 << 20)  # 8 MiB
    with ArrayFile(storage, _NAME) as file:
        few = file.read("numbers", 5000, 5003)
        assert few.base is None
        assert (few == arrays["numbers"][5000:5003]).all()
        tracemalloc.start()
        try:
            file.read("numbers")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < arrays["numbers"].nbytes * 1.3


def test_a_missing_file_is_damage_and_not_an_empty_answer(tmp_path: Path):
    with pytest.raises(DamagedIndexError, match="is missing"):
        ArrayFile(Storage(str(tmp_path)), _NAME)


def test_every_altered_byte_is_noticed(tmp_path: Path):
    storage = Storage(str(tmp_path))
    _write(storage, 40)
    path = Path(storage.uri(_NAME))
    whole = path.read_bytes()
    expected = _everything(storage)
    unnoticed = []
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            # Padding between arrays is nobody's data.
            assert _everything(storage) == expected
            unnoticed.append(place)
        except DamagedIndexError:
            pass
    assert len(unnoticed) < 3 * 64
    path.write_bytes(whole)
    assert _everything(storage) == expected


def test_a_file_cut_anywhere_or_with_more_at_its_end_is_noticed(tmp_path: Path):
    storage = Storage(str(tmp_path))
    _write(storage, 40)
    path = Path(storage.uri(_NAME))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(DamagedIndexError):
            _everything(storage)
    path.write_bytes(whole + b"\0")
    with pytest.raises(DamagedIndexError):
        _everything(storage)


def test_nothing_is_left_under_the_name_if_writing_fails(tmp_path: Path):
    storage = Storage(str(tmp_path))
    with pytest.raises(TypeError):
        write_arrays(storage, _NAME, {"good": np.arange(3), "bad": np.array([object()])})
    with pytest.raises(DamagedIndexError, match="is missing"):
        ArrayFile(storage, _NAME)
