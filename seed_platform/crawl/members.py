"""The compressed members of a WARC file, each read piece by piece: gzip members, and a plain file as one.

Here: one member's bytes in, its content out, and where the next one begins after damage. Not here: zstd frames
(`zstd_frames`) and the records inside the content (`records`).
"""

from __future__ import annotations

import zlib
from typing import ClassVar, Protocol

from seed_platform.crawl.captures import RATIO_FLOOR, CrawlLimits
from seed_platform.crawl.window import Window

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_RESERVED_FLAGS = 0xE0
_INPUT = 1 << 14
_PIECE = 1 << 20
_PROBE = 1 << 10


class Damage(Exception):  # noqa: N818 - the state of a member, not a failure of the program
    """The rest of a member cannot be had: `reason` is a stable name, `detail` one line."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Member(Protocol):
    """A stretch of the file that decompresses on its own.

    Attributes:
        offset: where it begins in the file.
        position: file offset of the first byte not yet used; the end of the member once it ended.
        may_be_cut: whether a file that ends too early looks like one that does not.
    """

    offset: int
    position: int
    may_be_cut: ClassVar[bool]

    @property
    def ended(self) -> bool:
        """Whether all of the content was given, and verified as far as the format allows."""
        ...

    def read(self) -> bytes:
        """The next piece of content, at most about 1 MiB; b"" after the verified end. Raises `Damage`."""
        ...


class Codec(Protocol):
    """One way to compress a WARC file."""

    def open(self, window: Window, offset: int) -> Member:
        """The member that begins at `offset`. Damage shows when it is read."""
        ...

    def skippable(self, window: Window, offset: int) -> int:
        """Bytes of a frame at `offset` that has no content; 0 if there is none."""
        ...

    def next_member(self, window: Window, offset: int) -> int | None:
        """Offset of the next member at or after `offset` whose content begins as a WARC record does."""
        ...


def check_ratio(produced: int, consumed: int, limits: CrawlLimits) -> None:
    """Raise `Damage` "bomb" if `consumed` bytes gave implausibly many."""
    if produced > RATIO_FLOOR and produced > limits.max_ratio * consumed:
        raise Damage("bomb", f"{produced} bytes out of {consumed}")


class GzipMember:
    """One gzip member; its checksum and length are verified before it counts as ended."""

    may_be_cut: ClassVar[bool] = False

    def __init__(self, window: Window, offset: int, limits: CrawlLimits) -> None:
        self.offset = offset
        self.position = offset
        self._window = window
        self._limits = limits
        self._inflate = zlib.decompressobj(wbits=31)
        self._produced = 0

    @property
    def ended(self) -> bool:
        """See `Member.ended`."""
        return self._inflate.eof

    def read(self) -> bytes:
        """See `Member.read`."""
        inflate = self._inflate
        while not inflate.eof:
            data = self._window.get(self.position, _INPUT)
            if not data:
                raise Damage("truncated_record", "the file ends inside a gzip member")
            try:
                piece = inflate.decompress(data, _PIECE)
            except zlib.error as error:
                raise Damage("damaged_member", str(error)) from None
            # Input that is left over is given again from the window, so nothing is copied back and forth.
            self.position += len(data) - len(inflate.unused_data) - len(inflate.unconsumed_tail)
            self._produced += len(piece)
            check_ratio(self._produced, self.position - self.offset, self._limits)
            if piece:
                return piece
        return b""


class Gzip:
    """gzip: one member per record, or one for the whole file."""

    def __init__(self, limits: CrawlLimits) -> None:
        self._limits = limits

    def open(self, window: Window, offset: int) -> GzipMember:
        """See `Codec.open`."""
        return GzipMember(window, offset, self._limits)

    def skippable(self, window: Window, offset: int) -> int:  # noqa: ARG002
        """Gzip has no skippable frames."""
        return 0

    def next_member(self, window: Window, offset: int) -> int | None:
        """See `Codec.next_member`."""
        at = window.find(_GZIP_MAGIC, offset)
        while at is not None and not _begins_record(window.get(at, _PROBE)):
            at = window.find(_GZIP_MAGIC, at + 1)
        return at


def _begins_record(data: bytes) -> bool:
    """Whether `data` is the beginning of a gzip member whose content begins with "WARC/"."""
    if len(data) < 4 or data[3] & _GZIP_RESERVED_FLAGS:
        return False
    try:
        return zlib.decompressobj(wbits=31).decompress(data, 5) == b"WARC/"
    except zlib.error:
        return False


class PlainMember:
    """A file without compression, from `offset` to its end."""

    may_be_cut: ClassVar[bool] = True

    def __init__(self, window: Window, offset: int) -> None:
        self.offset = offset
        self.position = offset
        self.ended = False
        self._window = window

    def read(self) -> bytes:
        """See `Member.read`."""
        piece = self._window.get(self.position, _PIECE)
        self.position += len(piece)
        self.ended = not piece
        self._window.hold = self.position
        return piece
