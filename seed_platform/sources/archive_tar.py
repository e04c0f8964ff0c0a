"""Tar archives, read as a stream: one member after the other, nothing is unpacked to disk or looked at twice.

What belongs here: the tar format and its compressions. What does not: limits and names (`archive_guard.py`).

The standard library's reader takes a damaged header for the end of the archive, skips forward by whatever size a member
declares, and reads header extensions whole. Here damage is reported, skipping ends with the data, and extensions are
bounded.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO, cast

import pyarrow as pa

from seed_platform.sources.archive_guard import ArchiveGuard, Metered, Names
from seed_platform.sources.base import CHUNK, Rejection, SourceError, SourceFile, display_path, read_bounded

_MAX_HEADER = 64 << 10
"""Bytes of extended headers of one member; long names and attributes are far shorter."""

_MAX_XZ_MEMORY = 128 << 20
"""Bytes that a decoder of xz may take: the strongest preset needs 65 MiB. That of zstd has the same limit built in."""

_BUFFER = 64 << 10
"""How much the tar reader takes from the decompressor at once."""

_END_OF_ARCHIVE: type[tarfile.HeaderError] = vars(tarfile)["EOFHeaderError"]
"""Raised for a block of zeros. The standard library has had it since tarfile exists, and does not document it."""

_DAMAGE = (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, OverflowError, IndexError)
"""What the standard library and pyarrow raise for damaged data."""

_OUT_OF_MEMORY = ("Memory usage limit exceeded", "requires too much memory for decoding")
"""What the decoders of xz and zstd say of a dictionary or a window beyond their limits."""


def read_tar(stream: BinaryIO, magic: bytes, guard: ArchiveGuard, names: Names) -> Iterator[SourceFile | Rejection]:
    """Yield the files of a tar archive up to its end, or up to where it is damaged, which is then the last rejection.

    Args:
        stream: the archive, at its start.
        magic: its first bytes, which tell the compression.
        guard: counts what it unpacks to.
        names: decides which names are used.

    Raises:
        SourceError: `corrupt_archive` if it is damaged before its first file, `archive_bomb`.
    """
    found = False
    try:
        for item in _items(_decompressed(stream, magic), guard, names):
            found = True
            yield item
    except _DAMAGE as error:
        if any(sign in str(error) for sign in _OUT_OF_MEMORY):
            raise SourceError("archive_bomb", f"needs too much memory to be unpacked: {error}") from error
        detail = " ".join(f"{type(error).__name__}: {error}".split())
        if not found:
            raise SourceError("corrupt_archive", f"neither a tar nor a zip archive, or damaged: {detail}") from error
        yield Rejection("", "corrupt_archive", f"damaged; what follows is lost: {detail}")


class _Member(tarfile.TarInfo):
    """A member whose damaged header is an error."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> _Member:
        """Read the next header; the end-of-archive marker is the only way to an end without an error."""
        try:
            member = super().fromtarfile(archive)
        except _END_OF_ARCHIVE:
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error
        if member.size < 0:
            raise tarfile.ReadError("negative size")
        return member


class _Budget:
    """Passes counts on to the guard, and bounds what may be read between two grants, unless None is granted."""

    def __init__(self, guard: ArchiveGuard) -> None:
        self._guard = guard
        self._left: int | None = None

    def grant(self, size: int | None) -> None:
        self._left = size

    def spend(self, count: int) -> None:
        self._guard.unpacked(count)
        if self._left is not None:
            self._left -= count
            if self._left < 0:
                raise SourceError("archive_bomb", f"the headers of one member are longer than {_MAX_HEADER} bytes")


def _decompressed(stream: BinaryIO, magic: bytes) -> Callable[[int], bytes]:
    """A function that reads up to so many bytes of what `stream` unpacks to.

    It is `read1` where there is one: `read` loses what it has gathered when it comes upon damage.
    """
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream, mode="rb").read1
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(stream).read1
    if magic.startswith(b"\xfd7zXZ\x00"):
        return _Xz(stream).read
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        unpacked = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), "zstd")
        return lambda size: bytes(unpacked.read(size))
    return stream.read


class _Xz:
    """The streams of an .xz file, one after the other: `lzma.LZMAFile`, with a bound on the decoder's memory."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = self._next_decoder()

    @staticmethod
    def _next_decoder() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_MEMORY)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, none only at the end."""
        while True:
            if self._decoder.eof:
                packed = self._behind_padding(self._decoder.unused_data)
                if not packed:
                    return b""
                self._decoder = self._next_decoder()
            else:
                packed = self._stream.read(_BUFFER) if self._decoder.needs_input else b""
                if not packed and self._decoder.needs_input:
                    raise EOFError("the compressed data ends before its end marker")
            unpacked = self._decoder.decompress(packed, size)
            if unpacked:
                return unpacked

    def _behind_padding(self, packed: bytes) -> bytes:
        """What follows a stream, less the zeros that may fill it up; none at the end of the file."""
        while not (found := packed.lstrip(b"\0")):
            packed = self._stream.read(_BUFFER)
            if not packed:
                break
        return found


def _items(read: Callable[[int], bytes], guard: ArchiveGuard, names: Names) -> Iterator[SourceFile | Rejection]:
    budget = _Budget(guard)
    metered = Metered(read, budget.spend)
    budget.grant(_MAX_HEADER + _BUFFER)
    with tarfile.open(fileobj=metered, mode="r|", bufsize=_BUFFER, tarinfo=_Member) as archive:
        while (member := archive.next()) is not None:
            budget.grant(None)
            guard.entry()
            item = _item(archive, member, guard, names)
            if item is not None:
                yield item
            _skip_rest(archive)
            # The reader remembers every member for random access, which a stream has no use for.
            vars(archive)["members"].clear()
            budget.grant(_MAX_HEADER + _BUFFER)
    budget.grant(None)
    # The checksum of a compressed stream stands at its end, behind the archive's own end.
    while metered.read(CHUNK):
        pass


def _item(
    archive: tarfile.TarFile, member: tarfile.TarInfo, guard: ArchiveGuard, names: Names
) -> SourceFile | Rejection | None:
    path = names.path(member.name.encode("utf-8", "surrogateescape"))
    if member.isdir():
        return None
    rejection = _not_a_file(member, display_path(path)) or names.problem(path)
    if rejection is not None:
        return rejection
    body = cast("IO[bytes]", archive.extractfile(member))
    content, size, sha256 = read_bounded(body, guard.limits.max_content_bytes)
    return SourceFile(path=path, size=size, content=content, sha256=sha256)


def _not_a_file(member: tarfile.TarInfo, shown: str) -> Rejection | None:
    if member.issym() or member.islnk():
        target = display_path(member.linkname.encode("utf-8", "surrogateescape"))
        return Rejection(shown, "symlink" if member.issym() else "hardlink", target)
    if member.issparse():
        return Rejection(shown, "special_file", "sparse file")
    return None if member.isreg() else Rejection(shown, "special_file", f"type {member.type!r}")


def _skip_rest(archive: tarfile.TarFile) -> None:
    """Read up to the next header. The reader's own skipping counts up to the declared size even where no data is left.

    Raises:
        tarfile.ReadError: the data ends before that.
    """
    stream = cast("Any", archive.fileobj)
    while (left := archive.offset - stream.tell()) > 0:
        if not stream.read(min(left, CHUNK)):
            raise tarfile.ReadError("unexpected end of data")
