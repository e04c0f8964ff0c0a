"""What every archive is held to, whatever its format: how much it may unpack to, and which names it may use.

What belongs here: counting and naming. What does not: formats, and reading.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable

from seed_platform.sources.base import Limits, Rejection, SourceError, display_path
from seed_platform.sources.paths import normalized, unsafe_path

RATIO_FLOOR = 10_000_000
"""Bytes that may be unpacked before the ratio is looked at: a small archive of repetitive text may pack very well."""


class ArchiveGuard:
    """Counts what one archive has unpacked to so far.

    Args:
        limits: the bounds.
        packed: the archive's own size in bytes.
    """

    def __init__(self, limits: Limits, packed: int) -> None:
        self.limits = limits
        self._packed = max(packed, 1)
        self._entries = 0
        self._bytes = 0

    def entry(self) -> None:
        """Count one entry.

        Raises:
            SourceError: `archive_bomb`.
        """
        self._entries += 1
        if self._entries > self.limits.max_archive_entries:
            raise SourceError("archive_bomb", f"more than {self.limits.max_archive_entries} entries")

    def unpacked(self, count: int) -> None:
        """Count `count` bytes that came out of decompression.

        Raises:
            SourceError: `archive_bomb`.
        """
        self._bytes += count
        if self._bytes > self.limits.max_archive_bytes:
            raise SourceError("archive_bomb", f"unpacks to more than {self.limits.max_archive_bytes} bytes")
        if self._bytes > RATIO_FLOOR and self._bytes > self._packed * self.limits.max_archive_ratio:
            raise SourceError(
                "archive_bomb", f"unpacks to more than {self.limits.max_archive_ratio:g} times its packed size"
            )


class Metered(io.RawIOBase):
    """A readable stream over `read` that reports every chunk to `count` as it is read.

    Args:
        read: returns up to so many bytes, none only at the end.
        count: is told the size of each chunk, and may raise to stop the reading.
    """

    def __init__(self, read: Callable[[int], bytes], count: Callable[[int], None]) -> None:
        super().__init__()
        self._read = read
        self._count = count

    def readable(self) -> bool:
        """Always."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        chunk = self._read(size)
        self._count(len(chunk))
        return chunk


class Names:
    """Decides which names of an archive are used: safe ones, each once.

    Args:
        top_folder: see `archive.read_archive`.
    """

    def __init__(self, top_folder: str | None) -> None:
        self._prefix = None if top_folder is None else _folded(top_folder.encode())
        self._top: bytes | None = None
        self._seen: set[bytes] = set()

    def path(self, raw: bytes) -> bytes:
        """The path that the entry named `raw` has in the repository, before any judgement."""
        name = normalized(raw)
        if self._prefix is not None and self._top is None:
            first = name.partition(b"/")[0]
            self._top = first + b"/" if _folded(first).startswith(self._prefix + b"-") else b""
        return name.removeprefix(self._top) if self._top else name

    def problem(self, path: bytes) -> Rejection | None:
        """Why an entry that would be a file at `path` cannot be used; None if it can, and then the path is taken."""
        unsafe = unsafe_path(path)
        if unsafe:
            return Rejection(display_path(path), "unsafe_path", unsafe)
        if path in self._seen:
            return Rejection(display_path(path), "duplicate_path", "the archive has this path more than once")
        self._seen.add(path)
        return None


def _folded(name: bytes) -> bytes:
    """The name as package indexes compare it: lower case, runs of `-`, `_` and `.` as one `-`."""
    return re.sub(rb"[-_.]+", b"-", name).lower()
