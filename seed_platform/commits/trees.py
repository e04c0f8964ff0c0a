"""The paths at which two trees differ.

What belongs here: comparing trees, within bounds. What does not: comparing contents (`changes.py`). Trees are compared
here rather than by libgit2 because a few kilobytes of shared subtrees stand for billions of files: the comparison must
end when enough is known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pygit2
from pygit2.enums import FileMode, ObjectType

from seed_platform.sources.git_tree import GIT_ERRORS

_ENTRY = re.compile(rb"[0-7]{5,6} [^\0]+\0.{20}", re.DOTALL)

_MAX_ENTRIES = 250_000
"""Differing entries, folders included, that are looked at: up to two seconds."""

_MAX_TREE_BYTES = 64 << 20
_MAX_PATH = 4096
"""Bytes; no system has longer paths, and a chain of folders has no other end."""

_KINDS = {
    FileMode.TREE >> 12: FileMode.TREE,
    FileMode.LINK >> 12: FileMode.LINK,
    FileMode.COMMIT >> 12: FileMode.COMMIT,
}


class TreeError(Exception):
    """A tree that is missing or damaged; the text names it."""


@dataclass(slots=True)
class Difference:
    """One path that is not the same in both trees, or two if a file was renamed.

    Attributes:
        path: after; before, for a deletion. Raw.
        old_id: 20 bytes; None if it is not in the old tree.
        old_mode: one of `FileMode`; 0 if it is not in the old tree.
        new_id: as `old_id`.
        new_mode: as `old_mode`.
        old_path: where a renamed file was; else None. The comparison of trees knows no renames.
        old_bytes: size of the content; 0 if there is none, and until it is looked up.
        new_bytes: as `old_bytes`.
    """

    path: bytes
    old_id: bytes | None = None
    old_mode: int = 0
    new_id: bytes | None = None
    new_mode: int = 0
    old_path: bytes | None = None
    old_bytes: int = 0
    new_bytes: int = 0

    @property
    def changes_type(self) -> bool:
        """Whether it is a file in one tree and a link or a submodule in the other."""
        return bool(self.old_mode and self.new_mode) and self.old_mode >> 12 != self.new_mode >> 12


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """How two trees differ.

    Attributes:
        first: the first differing paths in byte order, as many as asked for.
        count: of all of them.
        complete: False if the comparison was given up, and so `count` says too little.
    """

    first: list[Difference]
    count: int
    complete: bool


def compare_trees(odb: pygit2.Odb, old: bytes | None, new: bytes, limit: int) -> TreeChanges:
    """The paths of files, links and submodules that differ, the first `limit` of them in full.

    Raises:
        TreeError: a tree cannot be read.
    """
    first: list[Difference] = []
    count = looked_at = 0
    stack = [Difference(b"", old, FileMode.TREE if old else 0, new, FileMode.TREE)] if old != new else []
    while stack:
        entry = stack.pop()
        looked_at += 1
        if looked_at > _MAX_ENTRIES or len(entry.path) > _MAX_PATH:
            return TreeChanges(first, count, complete=False)
        if FileMode.TREE in (entry.old_mode, entry.new_mode):
            below = _differences(odb, entry)
            if below is None:
                return TreeChanges(first, count, complete=False)
            stack.extend(below)
            continue
        count += 1
        if len(first) < limit:
            first.append(entry)
    return TreeChanges(first, count, complete=True)


def _differences(odb: pygit2.Odb, folder: Difference) -> list[Difference] | None:
    """What differs directly in a folder, last path first; None if the folder is too large."""
    old, new = _entries(odb, folder.old_id), _entries(odb, folder.new_id)
    if old is None or new is None:
        return None
    found: dict[bytes, Difference] = {}
    # Sorted, so that of two entries with one name it is always the same that counts.
    for path, mode, oid in _parsed(folder.path, sorted(old - new)):
        found[path] = Difference(path, oid, mode)
    for path, mode, oid in _parsed(folder.path, sorted(new - old)):
        entry = found.setdefault(path, Difference(path))
        entry.new_id, entry.new_mode = oid, mode
    # Entries that differ in how a mode is written, as early versions of git did, are no change.
    changed = [each for each in found.values() if (each.old_id, each.old_mode) != (each.new_id, each.new_mode)]
    changed.sort(key=lambda each: each.path, reverse=True)
    return changed


def _entries(odb: pygit2.Odb, tree: bytes | None) -> set[bytes] | None:
    """The entries of a tree as git writes them; None if it is too large to look at."""
    if tree is None:
        return set()
    try:
        kind, data = odb.read(pygit2.Oid(raw=tree))
    except GIT_ERRORS as error:
        raise TreeError(f"tree {tree.hex()} is missing or damaged") from error
    if len(data) > _MAX_TREE_BYTES:
        return None
    entries = _ENTRY.findall(data)
    if kind != ObjectType.TREE or sum(map(len, entries)) != len(data):
        raise TreeError(f"tree {tree.hex()} is not a tree")
    return set(entries)


def _parsed(prefix: bytes, entries: list[bytes]) -> Iterator[tuple[bytes, int, bytes]]:
    """(path, mode, id) of each entry. The path of a folder ends in "/": git sorts by it, and no file has the same."""
    for entry in entries:
        digits, _, name = entry[:-21].partition(b" ")
        mode = int(digits, 8)
        kind = _KINDS.get(mode >> 12)
        if kind is None:
            kind = FileMode.BLOB_EXECUTABLE if mode & 0o100 else FileMode.BLOB
        slash = b"/" if kind == FileMode.TREE else b""
        yield prefix + name + slash, int(kind), entry[-20:]
