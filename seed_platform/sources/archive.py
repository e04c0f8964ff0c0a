"""Source archives: tar (plain, gzip, bzip2, xz, zstd) and zip (also .whl and .jar), read without unpacking to disk.

What belongs here: the archive as a source, and what both formats share: which format it is, how much it may unpack to,
which names it may use. What does not: the formats themselves (`archive_tar.py`, `archive_zip.py`).

An archive is hostile until read: it may unpack to more than any disk holds, name files outside itself, or end in the
middle. What it unpacks to is measured as it is read; the sizes that it declares are not believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from seed_platform.sources.archive_guard import ArchiveGuard, Names
from seed_platform.sources.archive_tar import read_tar
from seed_platform.sources.archive_zip import read_zip
from seed_platform.sources.base import CHUNK, Limits, PinnedSource, Rejection, SourceError, SourceFile, display_text
from seed_platform.sources.locations import absolute

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".zip", ".whl", ".jar")
"""Endings of file names that are taken for archives."""

_ZIP_MAGICS = (b"PK\x03\x04", b"PK\x05\x06")


class ArchiveSource:
    """Reads an archive's files in the order they have in it; paths stay as they are, less "." components."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Take the file's SHA-256 as the revision.

        Raises:
            SourceError: `missing_path`, `permission_denied`.
        """
        del limits
        path = absolute(Path(spec))
        with open_archive(path) as stream:
            digest = sha256_of(stream)
        suffix = next((end for end in sorted(SUFFIXES, key=len, reverse=True) if path.name.lower().endswith(end)), "")
        name = display_text(path.name)
        return PinnedSource(
            spec=display_text(spec),
            kind="archive",
            locator=str(path),
            repository=name[: len(name) - len(suffix)] or name,
            origin=f"local/{name}",
            revision=digest,
        )

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield the archive's files.

        Raises:
            SourceError: as `pin`; `changed_since_added`; and as `read_archive`.
        """
        del cache
        with open_archive(Path(source.locator)) as stream:
            if sha256_of(stream) != source.revision:
                raise SourceError("changed_since_added", f"{source.locator} is not the file that was added")
            yield from read_archive(stream, limits)


def read_archive(stream: BinaryIO, limits: Limits, top_folder: str | None = None) -> Iterator[SourceFile | Rejection]:
    """Yield the files of the archive in `stream`, whose format is told by its first bytes.

    Args:
        stream: a seekable binary file.
        limits: what it may unpack to, and how much of one file is kept.
        top_folder: drop the folder that the first entry is in from every path, if its name is `top_folder` followed by
            a version ("flask" drops "Flask-3.0.0/").

    Raises:
        SourceError: `corrupt_archive` if nothing can be read, `archive_bomb` once a limit is passed.
    """
    packed = stream.seek(0, 2)
    stream.seek(0)
    magic = stream.read(8)
    stream.seek(0)
    guard = ArchiveGuard(limits, packed)
    names = Names(top_folder)
    reader = read_zip if magic.startswith(_ZIP_MAGICS) else read_tar
    yield from reader(stream, magic, guard, names)


def open_archive(path: Path) -> BinaryIO:
    """Open an archive.

    Raises:
        SourceError: `missing_path`, `permission_denied`.
    """
    try:
        return path.open("rb")
    except PermissionError as error:
        raise SourceError("permission_denied", f"{path}: {error.strerror}") from error
    except OSError as error:
        raise SourceError("missing_path", f"{path}: {error.strerror}") from error


def sha256_of(stream: BinaryIO) -> str:
    """SHA-256 of a whole file, in hex; leaves it at its start."""
    digest = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
    stream.seek(0)
    return digest.hexdigest()
