"""Zip archives: members are independent, so a damaged one is a rejection and the others are read.

What belongs here: the zip format. What does not: limits and names (`archive_guard.py`).

Only stored and deflated members are read, which is what archives of source code use: the standard library's decoders of
the others unpack without a bound on memory.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

from seed_platform.sources.archive_guard import ArchiveGuard, Metered, Names
from seed_platform.sources.base import Rejection, SourceError, SourceFile, display_path, read_bounded

_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, zlib.error, ValueError, NotImplementedError, RuntimeError)
"""What the standard library raises for damaged or unsupported members."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_MAX_TARGET = 4096


def read_zip(stream: BinaryIO, magic: bytes, guard: ArchiveGuard, names: Names) -> Iterator[SourceFile | Rejection]:
    """Yield the files of a zip archive in the order of its directory.

    Args:
        stream: the archive.
        magic: not needed here; every format's reader is called in the same way.
        guard: counts what it unpacks to.
        names: decides which names are used.

    Raises:
        SourceError: `corrupt_archive` if the directory cannot be read, `archive_bomb`.
    """
    del magic
    try:
        archive = zipfile.ZipFile(stream)
    except (*_DAMAGE, OverflowError, IndexError) as error:
        raise SourceError("corrupt_archive", f"the zip directory is missing or damaged: {error}") from error
    with archive:
        for info in archive.infolist():
            guard.entry()
            item = _item(archive, info, guard, names)
            if item is not None:
                yield item


def _item(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, guard: ArchiveGuard, names: Names
) -> SourceFile | Rejection | None:
    raw = _raw_name(info)
    path = names.path(raw)
    if raw.endswith(b"/"):
        return None
    is_link = _file_type(info) == stat.S_IFLNK
    rejection = _unreadable(info, display_path(path)) or (None if is_link else names.problem(path))
    if rejection is not None:
        return rejection
    try:
        with archive.open(info) as member:
            body = cast("IO[bytes]", Metered(member.read, guard.unpacked))
            if is_link:
                return Rejection(display_path(path), "symlink", display_path(body.read(_MAX_TARGET)))
            content, size, sha256 = read_bounded(body, guard.limits.max_content_bytes)
    except _DAMAGE as error:
        return Rejection(display_path(path), "corrupt_member", " ".join(str(error).split()))
    return SourceFile(path=path, size=size, content=content, sha256=sha256)


def _unreadable(info: zipfile.ZipInfo, shown: str) -> Rejection | None:
    if info.flag_bits & _ENCRYPTED:
        return Rejection(shown, "encrypted")
    if info.compress_type not in _READABLE:
        return Rejection(shown, "unsupported_compression", f"method {info.compress_type}")
    if _file_type(info) not in (0, stat.S_IFREG, stat.S_IFLNK):
        return Rejection(shown, "special_file", f"mode {info.external_attr >> 16:o}")
    return None


def _file_type(info: zipfile.ZipInfo) -> int:
    """The Unix file type, 0 where the archive was made on a system that has none."""
    return stat.S_IFMT(info.external_attr >> 16)


def _raw_name(info: zipfile.ZipInfo) -> bytes:
    """The member's name as it stands in the archive; the standard library's decoding of it can be undone."""
    name = info.orig_filename
    return name.encode("utf-8" if info.flag_bits & _UTF8_NAME else "cp437", "surrogateescape")
