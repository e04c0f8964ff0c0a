"""A directory tree as text, in full or down to the depth that fits.

What belongs here: paths in, indented lines out. What does not: where paths come from (`snapshot.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from seed_platform.commits.quoting import quoted
from seed_platform.sources.base import display_path


class DirectoryTree:
    """The tree of sorted paths: one line for each folder ("name/") and file, two spaces for each level above it."""

    def __init__(self, paths: Sequence[bytes]) -> None:
        self._lines: list[str] = []
        self._depths: list[int] = []
        open_folders: list[bytes] = []
        # A separator below all other bytes keeps a folder's files together.
        for path in sorted(path.replace(b"/", b"\0") for path in paths):
            *folders, name = path.split(b"\0")
            if folders != open_folders:
                self._open(open_folders, folders)
                open_folders = folders
            self._add(len(folders), name, "")
        self._bytes = [0] * (max(self._depths, default=-1) + 1)
        for depth, line in zip(self._depths, self._lines, strict=True):
            self._bytes[depth] += len(line) if line.isascii() else len(line.encode())

    def _open(self, before: Sequence[bytes], folders: Sequence[bytes]) -> None:
        shared = 0
        while shared < min(len(folders), len(before)) and folders[shared] == before[shared]:
            shared += 1
        for depth in range(shared, len(folders)):
            self._add(depth, folders[depth], "/")

    def _add(self, depth: int, name: bytes, end: str) -> None:
        self._depths.append(depth)
        self._lines.append(f"{'  ' * depth}{quoted(display_path(name))}{end}\n")

    def fitting(self, max_bytes: int) -> tuple[str, bool]:
        """As deep a tree as fits, and whether something is missing. If not even the top level fits, its first lines."""
        deepest, size = -1, 0
        while deepest + 1 < len(self._bytes) and size + self._bytes[deepest + 1] <= max_bytes:
            deepest += 1
            size += self._bytes[deepest]
        if deepest + 1 == len(self._bytes):
            return "".join(self._lines), False
        if deepest >= 0:
            pairs = zip(self._depths, self._lines, strict=True)
            return "".join(line for depth, line in pairs if depth <= deepest), True
        shown, size = [], 0
        for depth, line in zip(self._depths, self._lines, strict=True):
            if depth == 0:
                size += len(line.encode())
                if size > max_bytes:
                    break
                shown.append(line)
        return "".join(shown), True
