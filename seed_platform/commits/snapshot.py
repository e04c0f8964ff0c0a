"""The files of a repository as they were before a commit, and how they differ from those before another.

What belongs here: trees as lists of files, read by libgit2, and a set of files that follows along a history. What does
not: which files matter (`relevance.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pygit2

SUBMODULE = 0o160000
_REGULAR = 0o100000
_TYPE = 0o170000


class SnapshotError(Exception):
    """A snapshot whose list of files cannot be read, e.g. because a tree is missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a snapshot.

    Attributes:
        path: raw, '/'-separated, relative.
        oid: of the blob in hex; of a commit for a submodule.
        size: of a regular file in bytes; None for links, submodules, and blobs that are not there.
    """

    path: bytes
    oid: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """From one snapshot to another: paths that are gone or changed, then entries that are new or changed."""

    removed: tuple[bytes, ...]
    added: tuple[Entry, ...]


class Snapshot(Protocol):
    """The files at one point of a history."""

    def entries(self) -> Iterator[Entry]:
        """Every path, in the order of raw paths. Raises `SnapshotError`."""
        ...

    def read(self, oid: str) -> bytes:
        """The content of a regular file. Raises `KeyError` if it is not there."""
        ...

    def since(self, earlier: Snapshot | None) -> Difference:
        """How this differs from another of the same kind; None is one without files. Raises `SnapshotError`."""
        ...


class TreeSnapshot:
    """A git tree, by its id in hex. Comparing two skips folders that are equal."""

    def __init__(self, repository: pygit2.Repository, tree: str) -> None:
        self._repository = repository
        self.tree = tree

    def entries(self) -> Iterator[Entry]:
        """See `Snapshot`."""
        yield from sorted(self.since(None).added, key=lambda entry: entry.path)

    def read(self, oid: str) -> bytes:
        """See `Snapshot`."""
        try:
            return self._repository.odb.read(oid)[1]
        except (KeyError, pygit2.GitError) as error:
            raise KeyError(oid) from error

    def since(self, earlier: Snapshot | None) -> Difference:
        """See `Snapshot`. Raises `TypeError` if `earlier` is no tree."""
        if not isinstance(earlier, TreeSnapshot | None):
            raise TypeError(f"a tree cannot be compared with {type(earlier).__name__}")
        if earlier is not None and earlier.tree == self.tree:
            return Difference((), ())
        try:
            if earlier is None:
                # From this tree to an empty one: everything is on the old side.
                deltas = self._folder(self.tree).diff_to_tree().deltas
                return Difference((), tuple(self._entry(delta.old_file) for delta in deltas))
            deltas = self._folder(earlier.tree).diff_to_tree(self._folder(self.tree)).deltas
            removed, added = [], []
            for delta in deltas:
                if delta.status != pygit2.enums.DeltaStatus.ADDED:
                    removed.append(delta.old_file.raw_path)
                if delta.status != pygit2.enums.DeltaStatus.DELETED:
                    added.append(self._entry(delta.new_file))
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise SnapshotError(str(error)) from error
        return Difference(tuple(removed), tuple(added))

    def _folder(self, oid: str) -> pygit2.Tree:
        folder = self._repository[oid]
        if not isinstance(folder, pygit2.Tree):
            raise SnapshotError(f"{oid} is no tree")
        return folder

    def _entry(self, file: pygit2.DiffFile) -> Entry:
        oid = str(file.id)
        size = None
        if int(file.mode) & _TYPE == _REGULAR:
            try:
                size = self._repository.odb.read_header(file.id)[1]
            except (KeyError, pygit2.GitError):
                size = None
        return Entry(file.raw_path, oid, size)


class Files:
    """The paths of the snapshot that was last moved to."""

    def __init__(self) -> None:
        self.entries: dict[bytes, Entry] = {}
        self._at: Snapshot | None = None
        self._sorted: tuple[bytes, ...] | None = None

    def move_to(self, snapshot: Snapshot) -> Difference:
        """Become the files of `snapshot`; returns how they differ from those before.

        Raises `SnapshotError`, and then nothing has changed.
        """
        difference = snapshot.since(self._at)
        before = len(self.entries)
        new = [entry for entry in difference.added if entry.path not in self.entries]
        for path in difference.removed:
            del self.entries[path]
        for entry in difference.added:
            self.entries[entry.path] = entry
        if new or len(self.entries) != before:
            self._sorted = None
        self._at = snapshot
        return difference

    def paths(self) -> tuple[bytes, ...]:
        """All paths, ascending. The same object as long as no path comes or goes."""
        if self._sorted is None:
            self._sorted = tuple(sorted(self.entries))
        return self._sorted
