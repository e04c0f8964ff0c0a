"""The files of a commit, read straight from a repository's object database, without a checkout.

What belongs here: walking trees and loading blobs. What does not: finding the repository and the commit (`git.py`).
Trees come from strangers: names, modes and missing objects are judged one by one, and what a walk may cost is bounded,
because shared subtrees let a few kilobytes stand for billions of files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pygit2
from pygit2.enums import FileMode, ObjectType

from seed_platform.sources.base import (
    MAX_READ_BYTES,
    Limits,
    Rejection,
    SourceError,
    SourceFile,
    display_path,
)
from seed_platform.sources.paths import unsafe_path

GIT_ERRORS = (pygit2.GitError, KeyError, ValueError, OSError)
"""What pygit2 raises for an object or a reference that is missing or damaged."""

_MAX_TARGET = 4096
"""Bytes of a symlink's target that are read; no system follows longer ones."""


class TreeWalk:
    """One walk over the files of a commit, depth first in the order of git's trees, which is byte order of the paths.

    Args:
        repository: an open repository.
        limits: bounds; `max_archive_entries` and `max_archive_bytes` hold for the whole walk.
    """

    def __init__(self, repository: pygit2.Repository, limits: Limits) -> None:
        self._repository = repository
        self._odb = repository.odb
        self._limits = limits
        self._entries = 0
        self._bytes = 0

    def files(self, tree: pygit2.Tree) -> Iterator[SourceFile | Rejection]:
        """Yield every entry under `tree`.

        Raises:
            SourceError: `tree_bomb` once a bound of the limits is passed.
        """
        stack = [self._children(b"", tree)]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, Rejection):
                yield entry
            elif entry[1].filemode == FileMode.TREE:
                path, subtree = entry[0], self._repository.get(entry[1].id)
                if isinstance(subtree, pygit2.Tree):
                    stack.append(self._children(path + b"/", subtree))
                else:
                    yield _missing(path, entry[1].id)
            else:
                yield self._leaf(*entry)

    def _children(self, prefix: bytes, tree: pygit2.Tree) -> Iterator[tuple[bytes, pygit2.Object] | Rejection]:
        """The entries of one tree with their full paths; names that cannot be used become rejections."""
        seen: set[bytes] = set()
        for entry in tree:
            self._count_entry()
            name = entry.raw_name or b""
            path = prefix + name
            problem = "'/' in the name" if b"/" in name else unsafe_path(name if name != b"." else b"..")
            if problem:
                yield Rejection(display_path(path), "unsafe_path", problem)
            elif name in seen:
                yield Rejection(display_path(path), "duplicate_path", "the tree names it more than once")
            else:
                seen.add(name)
                yield path, entry

    def _count_entry(self) -> None:
        self._entries += 1
        if self._entries > self._limits.max_archive_entries:
            raise SourceError("tree_bomb", f"more than {self._limits.max_archive_entries} entries in the tree")

    def _leaf(self, path: bytes, entry: pygit2.Object) -> SourceFile | Rejection:
        if entry.filemode == FileMode.COMMIT:
            return Rejection(display_path(path), "submodule", str(entry.id))
        try:
            kind, size = self._odb.read_header(entry.id)
            if kind != ObjectType.BLOB:
                return _missing(path, entry.id)
            if entry.filemode == FileMode.LINK:
                target = self._odb.read(entry.id)[1] if size <= _MAX_TARGET else b"(too long)"
                return Rejection(display_path(path), "symlink", display_path(target))
            if size > MAX_READ_BYTES:
                return Rejection(display_path(path), "too_large_to_read", f"{size} bytes")
            content = self._odb.read(entry.id)[1]
        except GIT_ERRORS:
            return _missing(path, entry.id)
        self._bytes += size
        if self._bytes > self._limits.max_archive_bytes:
            raise SourceError("tree_bomb", f"more than {self._limits.max_archive_bytes} bytes in the tree's files")
        kept = content if size <= self._limits.max_content_bytes else None
        return SourceFile(path=path, size=size, content=kept, sha256=hashlib.sha256(content).hexdigest())


def _missing(path: bytes, oid: pygit2.Oid) -> Rejection:
    return Rejection(display_path(path), "missing_object", f"{oid} is missing or damaged")
