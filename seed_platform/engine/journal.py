"""A journal: what a task that may kill its own process has already done, kept in a file so that the next attempt knows.

What belongs here: recording, per document, that a dangerous call began and what it gave, and reading that back after a
death. What does not: what the results mean (the filter's), and whether a task runs again (the runner's).
"""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

_HEADER = struct.Struct("<cqI")
"""Kind of record, ordinal of the document, length in bytes of the result that follows."""

_START = b"S"
_FINISH = b"F"


class Journal:
    """An append-only file of (document started) and (document finished, with this result).

    Records go to the kernel at once and unbuffered, so they outlive the process by whatever signal it dies; they are
    not forced to disk, since after the death of the machine the task begins anew anyway. One process writes at a time.
    A journal belongs to one task under one policy and one version of the code: its path must name all three.
    """

    def __init__(self, path: Path) -> None:
        """Open the journal at `path`, or create it, and read what earlier attempts left.

        A torn last record is cut off.

        Raises:
            OSError: the file cannot be opened, read or written.
        """
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._results: dict[int, bytes] = {}
        self._started: int | None = None
        try:
            os.ftruncate(self._fd, self._replay(path.read_bytes()))
        except BaseException:
            self.close()
            raise

    def recall(self, ordinal: int) -> bytes | None:
        """The result that an earlier attempt, or this one, recorded for a document; None if it has none."""
        return self._results.get(ordinal)

    def start(self, ordinal: int) -> None:
        """Record that the dangerous call for a document begins."""
        self._append(_HEADER.pack(_START, ordinal, 0))
        self._started = ordinal

    def finish(self, ordinal: int, result: bytes) -> None:
        """Record the result of the call for a document."""
        self._append(_HEADER.pack(_FINISH, ordinal, len(result)) + result)
        self._results[ordinal] = result
        self._started = None

    def interrupted(self) -> int | None:
        """The document whose call was started and never finished; None if the death was between two calls."""
        return self._started

    def quarantine(self, ordinal: int, result: bytes) -> None:
        """Record a result on behalf of the call that died, so that the next attempt does not make it again."""
        self.finish(ordinal, result)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_fd"):
            self.close()

    def _replay(self, raw: bytes) -> int:
        """Take in the whole records of `raw`; the length in bytes that they make up."""
        position = 0
        while position + _HEADER.size <= len(raw):
            kind, ordinal, length = _HEADER.unpack_from(raw, position)
            end = position + _HEADER.size + length
            if kind not in (_START, _FINISH) or end > len(raw):
                break
            if kind == _START:
                self._started = ordinal
            else:
                self._results[ordinal] = raw[position + _HEADER.size : end]
                self._started = None
            position = end
        return position

    def _append(self, record: bytes) -> None:
        if os.write(self._fd, record) != len(record):
            raise OSError(errno.ENOSPC, "the journal's disk is full")
