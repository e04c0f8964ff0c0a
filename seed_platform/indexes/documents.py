"""What the near-duplicate index keeps of each document: identity, sketch, set of shingles; read for any documents.

A *segment* is one index file, made of one data file of `files`; it holds the documents of consecutive rows of a batch.
What belongs here: finding and reading what is kept of given documents. What does not: making segments (`steps/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from seed_platform.indexes.arrays import Array, ArrayFile
from seed_platform.indexes.postings import ROW_BITS, Numbers, References
from seed_platform.lake.storage import Storage

Hashes = npt.NDArray[np.uint32]

_OPEN_FILES = 64


@dataclass(frozen=True, slots=True)
class Segment:
    """Where the documents of rows [first, first + rows) of the batch with number `arrival` are."""

    path: str
    arrival: int
    first: int
    rows: int

    @property
    def reference(self) -> int:
        """Of its first document."""
        return self.arrival << ROW_BITS | self.first


@dataclass(frozen=True, slots=True)
class Places:
    """Where the documents of many segments are: the reference of each one's first document, ascending, and its file.

    Made once for a batch and sent to its tasks: a large lake has very many segments.
    """

    starts: References
    paths: tuple[str, ...]

    @classmethod
    def of(cls, segments: Iterable[Segment]) -> Places:
        """The places of these segments, in any order."""
        ordered = sorted(segments, key=lambda segment: segment.reference)
        starts = np.array([segment.reference for segment in ordered], dtype=np.uint64)
        return cls(starts, tuple(segment.path for segment in ordered))


class Documents:
    """The documents of many segments, by reference. Files are opened as they are needed, and few at a time."""

    def __init__(self, storage: Storage, places: Places) -> None:
        self._storage = storage
        self._places = places
        self._open: dict[str, ArrayFile] = {}

    def _file(self, path: str) -> ArrayFile:
        if path not in self._open:
            if len(self._open) >= _OPEN_FILES:
                self._open.pop(next(iter(self._open))).close()
            self._open[path] = ArrayFile(self._storage, path)
        return self._open[path]

    def _located(self, references: References) -> list[tuple[str, slice, Numbers]]:
        """The files that have the documents, which of `references` each has, and their rows in it."""
        numbers = np.searchsorted(self._places.starts, references, side="right") - 1
        found = []
        for number in np.unique(numbers).tolist():
            where = slice(*np.searchsorted(numbers, [number, number + 1]).tolist())
            rows = (references[where] - self._places.starts[number]).astype(np.int64)
            found.append((self._places.paths[number], where, rows))
        return found

    def take(self, name: str, references: References) -> Array:
        """The rows of an array for documents in ascending order."""
        pieces = [self._file(path).gather(name, rows, rows + 1) for path, _, rows in self._located(references)]
        return np.concatenate(pieces) if pieces else np.empty(0)

    def set_sizes(self, references: References) -> Numbers:
        """How many shingles each of the documents has, which are in ascending order."""
        sizes = np.empty(len(references), dtype=np.int64)
        for path, where, rows in self._located(references):
            starts, stops = self._set_bounds(path, rows)
            sizes[where] = stops - starts
        return sizes

    def _set_bounds(self, path: str, rows: Numbers) -> tuple[Numbers, Numbers]:
        bounds = self._file(path).gather("bounds", rows, rows + 2).reshape(-1, 2)
        return bounds[:, 0], bounds[:, 1]

    def sets(self, references: References) -> tuple[Numbers, Hashes]:
        """The sets of documents in ascending order: where each begins and the last one ends, and all values."""
        sizes: list[npt.NDArray[np.int64]] = [np.zeros(1, dtype=np.int64)]
        values: list[Hashes] = [np.empty(0, dtype=np.uint32)]
        for path, _, rows in self._located(references):
            starts, stops = self._set_bounds(path, rows)
            sizes.append(stops - starts)
            values.append(self._file(path).gather("sets", starts, stops))
        return np.cumsum(np.concatenate(sizes)), np.concatenate(values)

    def close(self) -> None:
        """Give the files back."""
        for file in self._open.values():
            file.close()
        self._open.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
