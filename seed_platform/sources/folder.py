"""A plain folder as a source: every regular file under it, as it is now.

What belongs here: walking a folder. What does not: checkouts, whose commits are read instead (`git.py`). Symlinks are
never followed, so a walk stays inside the folder and ends. The revision is a digest of all paths and contents; a folder
that changes between being added and being read is an error, since a batch must mean the same files whenever it is read.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from seed_platform.sources.base import (
    MAX_READ_BYTES,
    Limits,
    PinnedSource,
    Rejection,
    SourceError,
    SourceFile,
    display_path,
    display_text,
    read_bounded,
)
from seed_platform.sources.locations import absolute, local_name

VERSION_CONTROL = frozenset({b".git", b".hg", b".svn"})
"""Names of what version control keeps for itself, at any depth: not files of the project."""

_REASONS = {
    errno.EACCES: "permission_denied",
    errno.EPERM: "permission_denied",
    errno.ENOENT: "vanished",
    errno.ENOTDIR: "vanished",
    errno.ELOOP: "symlink",
}


class FolderSource:
    """Reads a folder in byte order of the paths."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Read the folder once for its digest.

        Raises:
            SourceError: `missing_path`, `permission_denied`, `unsupported_source`.
        """
        root = absolute(Path(spec))
        digest = _Digest()
        for item in _walk(os.fsencode(root), limits):
            digest.add(item)
        name = local_name(root)
        return PinnedSource(
            spec=display_text(spec),
            kind="folder",
            locator=str(root),
            repository=name,
            origin=f"local/{name}",
            revision=digest.hex(),
        )

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield the folder's files.

        Raises:
            SourceError: as `pin`, and at the end `changed_since_added` if the digest is not the pinned one.
        """
        del cache
        digest = _Digest()
        for item in _walk(os.fsencode(source.locator), limits):
            digest.add(item)
            yield item
        if digest.hex() != source.revision:
            raise SourceError("changed_since_added", f"{source.locator} is not as it was when it was added")


class _Digest:
    """SHA-256 over (path, SHA-256 of the content) of the files, in the order of the walk, which is sorted."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def add(self, item: SourceFile | Rejection) -> None:
        if isinstance(item, SourceFile):
            self._sha256.update(len(item.path).to_bytes(8, "little") + item.path + bytes.fromhex(item.sha256))

    def hex(self) -> str:
        return self._sha256.hexdigest()


def _walk(root: bytes, limits: Limits) -> Iterator[SourceFile | Rejection]:
    """Every entry under `root`, depth first, in byte order of the full paths."""
    try:
        stack = [iter(_entries(root))]
    except OSError as error:
        raise _root_error(root, error) from error
    while stack:
        entry = next(stack[-1], None)
        if entry is None:
            stack.pop()
            continue
        path = entry.path[len(root.rstrip(b"/")) + 1 :]
        try:
            if entry.name in VERSION_CONTROL:
                yield Rejection(display_path(path), "version_control_folder")
            elif entry.is_dir(follow_symlinks=False):
                stack.append(iter(_entries(entry.path)))
            else:
                yield _leaf(path, entry, limits)
        except OSError as error:
            yield _unreadable(path, error)


def _entries(folder: bytes) -> list[os.DirEntry[bytes]]:
    """The entries of a folder; a subfolder sorts as if its name ended in '/', which puts full paths in byte order."""
    with os.scandir(folder) as found:
        return sorted(found, key=lambda entry: entry.name + b"/" * entry.is_dir(follow_symlinks=False))


def _leaf(path: bytes, entry: os.DirEntry[bytes], limits: Limits) -> SourceFile | Rejection:
    """Read one entry that is not a folder.

    Raises:
        OSError: it cannot be opened or read.
    """
    if entry.is_symlink():
        return Rejection(
            display_path(path), "symlink", display_path(os.fsencode(Path(os.fsdecode(entry.path)).readlink()))
        )
    if not entry.is_file(follow_symlinks=False):
        return Rejection(display_path(path), "special_file")
    # What the name stands for may have changed since the folder was listed: a symlink must not be followed, a fifo must
    # not be waited for.
    descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with io.FileIO(descriptor) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Rejection(display_path(path), "special_file")
        if status.st_size > MAX_READ_BYTES:
            return Rejection(display_path(path), "too_large_to_read", f"{status.st_size} bytes")
        content, size, sha256 = read_bounded(stream, limits.max_content_bytes)
    return SourceFile(path=path, size=size, content=content, sha256=sha256)


def _unreadable(path: bytes, error: OSError) -> Rejection:
    reason = _REASONS.get(error.errno or 0, "unreadable")
    return Rejection(display_path(path), reason, error.strerror or type(error).__name__)


def _root_error(root: bytes, error: OSError) -> SourceError:
    name = display_path(root)
    if error.errno == errno.ENOENT:
        return SourceError("missing_path", f"{name} does not exist")
    if error.errno == errno.ENOTDIR:
        return SourceError("unsupported_source", f"{name} is not a folder")
    return SourceError("permission_denied", f"{name}: {error.strerror}")
