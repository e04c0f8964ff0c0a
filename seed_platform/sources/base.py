"""The interface of a source: pin it when it is added, read it when the batch runs.

A source is *pinned* when a batch is added: its revision is looked up once and recorded, so that a batch means the same
repositories whenever it is read. Reading yields files in a fixed order, with everything that is not a file (symlinks,
submodules, unsafe names, …) as a named rejection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol

from seed_platform.documents import repository_id

CHUNK = 1 << 20

MAX_READ_BYTES = 64 << 20
"""Files of git repositories and folders beyond this are rejected ("too_large_to_read") without being read at all.

libgit2 holds a blob whole, and its copy as Python bytes is held beside it.
"""

_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a source may cost; see the settings of the same names. Sizes in bytes, times in seconds."""

    max_content_bytes: int
    max_archive_bytes: int
    max_archive_ratio: float
    max_archive_entries: int
    connect_timeout: float


@dataclass(frozen=True, slots=True)
class PinnedSource:
    """A source whose revision is known, as recorded in the batch.

    Attributes:
        spec: what the user gave, credentials removed. Plain text, as are `repository` and `origin`.
        kind: "git", "folder", "archive", "package" or "dataset".
        locator: where to read: an absolute path, a URL, or name==version. A path that is not UTF-8 has its other bytes
            as lone surrogates (`os.fsdecode`), which JSON keeps and Arrow does not.
        repository: the name users know it by, e.g. "pallets/markupsafe", "flask".
        origin: a stable name of where it came from, independent of this machine where possible.
        revision: commit, version or content digest.
    """

    spec: str
    kind: str
    locator: str
    repository: str
    origin: str
    revision: str

    @property
    def doc_id(self) -> str:
        """The id of the repository document."""
        return repository_id(self.origin, self.revision)


class SourceError(Exception):
    """A source that cannot be read at all. `reason` is a stable name, `detail` one line for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        detail = display_text(" ".join(detail.split()))
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One regular file.

    `content` is None when the file is larger than `Limits.max_content_bytes`. `path` is the raw name, '/'-separated and
    relative.
    """

    path: bytes
    size: int
    content: bytes | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """Something in a source that is not a readable file: `reason` is a stable name, `detail` one line."""

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What the history of a revision says of a repository; None is unknown.

    `commits` is how many the revision can reach, itself included; `first_committed_at` is when the oldest was made.
    """

    commits: int | None = None
    committed_at: datetime | None = None
    first_committed_at: datetime | None = None


class Source(Protocol):
    """One kind of source: pins specs and reads what was pinned."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Look up the revision of `spec` as of now. Raises `SourceError` if it cannot be found."""
        ...

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield the files at the pinned revision, in a fixed order, never holding more than one in memory.

        `cache` is a folder inside the lake's scratch space for what must be downloaded. Raises `SourceError` if the
        source as a whole cannot be read, at any point of the iteration.
        """
        ...


def read_bounded(stream: IO[bytes], limit: int) -> tuple[bytes | None, int, str]:
    """Read `stream` to its end: (content or None if over `limit` bytes, size, SHA-256 in hex).

    Never holds more than `limit` bytes plus one chunk.
    """
    digest = hashlib.sha256()
    parts: list[bytes] | None = []
    size = 0
    while chunk := stream.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        if parts is not None:
            parts.append(chunk)
            if size > limit:
                parts = None
    return (None if parts is None else b"".join(parts)), size, digest.hexdigest()


def display_path(raw: bytes) -> str:
    r"""The path as text: UTF-8 where it is, bytes that are not shown as \xNN."""
    return raw.decode("utf-8", "backslashreplace")


def display_text(text: str) -> str:
    r"""Text of this machine, such as `os.fsdecode` gives, without lone surrogates: bytes that are not UTF-8 as \xNN."""
    shown = _ESCAPED_BYTE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text)
    return shown.encode("utf-8", "backslashreplace").decode("utf-8")
