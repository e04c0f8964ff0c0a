"""Zip archives: members are independent, so a damaged one is a rejection and the others are read.

What belongs here: the zip format. What does not: limits and names (`archive_guard.py`).

Only stored and deflated members are read, which is what archives of source code use: the standard library's decoders of
the others unpack without a bound on memory.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, BinaryIO, cast

from seed_platform.sources.archive_guard import ArchiveGuard, Metered, Names
from seed_platform.sources.base import CHUNK, Rejection, SourceError, SourceFile, display_path, read_bounded

_DAMAGE = (zipfile.BadZipFile, EOFError, OSError, zlib.error, ValueError, NotImplementedError, RuntimeError)
"""What the standard library raises for damaged or unsupported members."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_MAX_TARGET = 4096

_END_RECORD: Callable[[BinaryIO], Sequence[Any] | None] = vars(zipfile)["_EndRecData"]
"""Finds the record that says where the directory is. It must be the one that the standard library's reader believes."""

_DIRECTORY_ENTRY = b"PK\x01\x02"
_ZIP64_END = b"PK\x06\x06"
_ZIP64_END_SIZE = 56 + 20

_MAX_ENTRY_BYTES = 512
"""Bytes of the directory for one entry, on average: 46, its name, and what else archivers note of it."""


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
        _check_directory(stream, guard.limits.max_archive_entries)
        archive = zipfile.ZipFile(stream)
    except (*_DAMAGE, OverflowError, IndexError) as error:
        raise SourceError("corrupt_archive", f"the zip directory is missing or damaged: {error}") from error
    with archive:
        for info in archive.infolist():
            guard.entry()
            item = _item(archive, info, guard, names)
            if item is not None:
                yield item


def _check_directory(stream: BinaryIO, max_entries: int) -> None:
    """Judge the directory before the standard library loads it whole: its entries are counted, not believed.

    Raises:
        SourceError: `archive_bomb`.
    """
    end = _END_RECORD(stream)
    if end is None:
        return
    signature, declared, size, location = end[0], end[4], end[5], end[9]
    if max(declared, size // _MAX_ENTRY_BYTES) > max_entries:
        raise SourceError("archive_bomb", f"a directory of {declared} entries and {size} bytes")
    stream.seek(max(0, location - size - (_ZIP64_END_SIZE if signature == _ZIP64_END else 0)))
    found, left, tail = 0, size, b""
    while left > 0 and (chunk := stream.read(min(left, CHUNK))):
        left -= len(chunk)
        found += (tail + chunk).count(_DIRECTORY_ENTRY)
        if found > max_entries:
            raise SourceError("archive_bomb", f"more than {max_entries} entries")
        tail = chunk[-len(_DIRECTORY_ENTRY) + 1 :]


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
