"""Files of named arrays in the lake, whose every block has a checksum that is verified whenever it is read.

An index file is derived from tables: one that is missing, cut short or altered is reported (`DamagedIndexError`) and
made anew by whoever owns it, never believed. What belongs here: arrays in and out. What does not: what they mean.

Layout: 8 bytes of magic, the length of the header and its checksum (64 bits each, little-endian), the header as JSON,
the checksum (XXH3, 64 bits) of each block of `BLOCK` bytes of each array, then the arrays, each from a multiple of 64
bytes.
"""

from __future__ import annotations

import json
import os
import struct
import uuid
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import xxhash
from numba import njit

from seed_platform.errors import WorkError
from seed_platform.lake.storage import Storage

Array = npt.NDArray[Any]

BLOCK = 1 << 15
"""Bytes that are read and verified together: a document's shingles are a tenth of it, a bucket of postings less."""

_AT_ONCE = 32 * BLOCK
_MAGIC = b"SEEDIDX1"
_PREFIX = struct.Struct("<8sQQ")
_ALIGNMENT = 64
_NO_CHECKS = np.empty(0, dtype=np.uint64)


class DamagedIndexError(WorkError):
    """An index file is missing, cut short or altered; `path` is relative to the lake's root."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"index file {path}: {what}")
        self.path, self.what = path, what

    def __reduce__(self) -> tuple[type[DamagedIndexError], tuple[str, str]]:
        return DamagedIndexError, (self.path, self.what)


def write_arrays(storage: Storage, path: str, arrays: Mapping[str, Array]) -> int:
    """Write `arrays` to the file `path` of the lake, whole or not at all; returns its size in bytes."""
    data = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    checks = {name: _checks(array) for name, array in data.items()}
    all_checks = np.concatenate([*checks.values(), _NO_CHECKS])
    described = {name: [array.dtype.str, array.shape] for name, array in data.items()}
    header = json.dumps({"arrays": described, "checks": _digest(all_checks.tobytes())}).encode()
    prefix = _PREFIX.pack(_MAGIC, len(header), _digest(header))
    position = 0
    # A name of its own until it is whole; an object on S3 appears when it is closed.
    partial = path if storage.is_s3 else f"{path}.{uuid.uuid4().hex}.partial"
    with storage.open(partial, "wb") as file:
        for piece in (prefix, header, all_checks.tobytes()):
            position += file.write(piece)
        for array in data.values():
            position += file.write(b"\0" * (-position % _ALIGNMENT))
            file.write(_bytes(array).data)
            position += array.nbytes
    if not storage.is_s3:
        Path(storage.uri(partial)).replace(storage.uri(path))
    return position


def _digest(data: bytes | memoryview) -> int:
    return xxhash.xxh3_64_intdigest(data)


def _bytes(array: Array) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


def _checks(array: Array) -> npt.NDArray[np.uint64]:
    view = _bytes(array).data
    starts = range(0, len(view), BLOCK)
    return np.array([_digest(view[start : start + BLOCK]) for start in starts], dtype=np.uint64)


class ArrayFile:
    """A file of arrays, read by ranges of rows.

    Raises:
        DamagedIndexError: on opening, if it is missing or its header is not whole; on reading, if a block is not as it
            was written.
    """

    def __init__(self, storage: Storage, path: str) -> None:
        self.path = path
        try:
            self._handle = os.open(storage.local_copy(path), os.O_RDONLY)
        except FileNotFoundError as error:
            raise DamagedIndexError(path, "is missing") from error
        try:
            self._read_header()
        except BaseException:
            self.close()
            raise

    def _read_header(self) -> None:
        prefix = self._bytes_at(0, _PREFIX.size)
        if len(prefix) < _PREFIX.size or not prefix.startswith(_MAGIC):
            raise DamagedIndexError(self.path, "is no index file")
        _, length, digest = _PREFIX.unpack(prefix)
        header = self._bytes_at(_PREFIX.size, min(length, 1 << 20))
        if len(header) != length or _digest(header) != digest:
            raise DamagedIndexError(self.path, "has an altered header")
        described = json.loads(header)
        self._places: dict[str, tuple[np.dtype[Any], tuple[int, ...], int, int]] = {}
        blocks = 0
        for name, (dtype, shape) in described["arrays"].items():
            self._places[name] = (np.dtype(dtype), tuple(shape), 0, blocks)
            blocks += -(-_size(np.dtype(dtype), shape) // BLOCK)
        checks = self._bytes_at(_PREFIX.size + length, blocks * 8)
        if len(checks) != blocks * 8 or _digest(checks) != described["checks"]:
            raise DamagedIndexError(self.path, "has altered checksums")
        self._checks = np.frombuffer(checks, dtype=np.uint64).tolist()
        position = _PREFIX.size + length + blocks * 8
        for name, (kind, shape, _, first) in self._places.items():
            position += -position % _ALIGNMENT
            self._places[name] = (kind, shape, position, first)
            position += _size(kind, shape)
        if os.fstat(self._handle).st_size != position:
            raise DamagedIndexError(self.path, f"has {os.fstat(self._handle).st_size} bytes instead of {position}")

    def rows(self, name: str) -> int:
        """How many rows the array has."""
        return self._places[name][1][0]

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Array:
        """Rows [start, stop) of the array, all by default."""
        kind, shape, _, _ = self._places[name]
        row = _size(kind, shape[1:])
        stop = shape[0] if stop is None else stop
        out = np.empty((max(stop - start, 0), *shape[1:]), dtype=kind)
        if not len(out):
            return out
        target = _bytes(out)
        begin, end = start * row, stop * row
        # Piece by piece into an array of its own: neither twice in memory, nor more than what was asked for.
        for low in range(begin // BLOCK * BLOCK, end, _AT_ONCE):
            high = min(low + _AT_ONCE, -(-end // BLOCK) * BLOCK, shape[0] * row)
            data = np.frombuffer(self._verified(name, low, high), dtype=np.uint8)
            mine = slice(max(low, begin), min(high, end))
            target[mine.start - begin : mine.stop - begin] = data[mine.start - low : mine.stop - low]
        return out

    def _verified(self, name: str, low: int, high: int) -> memoryview:
        """Bytes [low, high) of the array, which are whole blocks."""
        _, _, position, first = self._places[name]
        view = memoryview(self._bytes_at(position + low, high - low))
        if len(view) != high - low:
            raise DamagedIndexError(self.path, "is cut short")
        for number in range(low // BLOCK, -(-high // BLOCK)):
            block = view[number * BLOCK - low : (number + 1) * BLOCK - low]
            if _digest(block) != self._checks[first + number]:
                raise DamagedIndexError(self.path, f"has altered bytes in {name}")
        return view

    def _bytes_at(self, position: int, size: int) -> bytes:
        """`size` bytes of the file, fewer only where it ends: one read may give less, and never more than 2 GiB."""
        data = os.pread(self._handle, size, position)
        while len(data) < size and (more := os.pread(self._handle, size - len(data), position + len(data))):
            data += more
        return data

    def gather(self, name: str, starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]) -> Array:
        """The rows of many ranges, one after the other; `starts` ascend. Neighbouring blocks are read together."""
        kind, shape, _, _ = self._places[name]
        row = _size(kind, shape[1:])
        out = np.empty((int((stops - starts).sum()), *shape[1:]), dtype=kind)
        # A gap of more than a block between two ranges ends a read.
        gaps = np.flatnonzero(starts[1:] * row > np.maximum.accumulate(stops)[:-1] * row + BLOCK) + 1
        edges = [0, *gaps.tolist(), len(starts)] if len(starts) else []
        place = 0
        for first, last in pairwise(edges):
            low = int(starts[first])
            data = self.read(name, low, int(stops[first:last].max()))
            ranges = starts[first:last] - low, stops[first:last] - low
            place += copy_ranges(data.view(np.uint8).reshape(-1), *ranges, row, out.view(np.uint8).reshape(-1), place)
        return out

    def verify(self) -> None:
        """Read everything once. Raises `DamagedIndexError` as reading does."""
        for name, (kind, shape, _, _) in self._places.items():
            rows = max(1, _AT_ONCE // max(1, _size(kind, shape[1:])))
            for start in range(0, shape[0], rows):
                self.read(name, start, min(start + rows, shape[0]))

    def close(self) -> None:
        """Give the file back."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@njit(cache=True, nogil=True)
def copy_ranges(
    data: npt.NDArray[np.uint8],
    starts: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
    row: int,
    out: npt.NDArray[np.uint8],
    place: int,
) -> int:
    """Copy ranges of rows of `row` bytes to `out` from its byte `place` on; returns how many bytes."""
    start = place
    for i in range(len(starts)):
        size = (stops[i] - starts[i]) * row
        out[place : place + size] = data[starts[i] * row : stops[i] * row]
        place += size
    return place - start


def _size(kind: np.dtype[Any], shape: Sequence[int]) -> int:
    size = kind.itemsize
    for length in shape:
        size *= length
    return size
