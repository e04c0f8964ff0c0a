"""The zstd frames of a WARC file, one per record, each read block by block.

Here: the frame format (RFC 8878) as far as it takes to know where a frame ends and how much a step may give. Not here:
decompression itself, which is the zstandard package's. A frame is fed a few blocks at a time because a block of 4 bytes
may stand for 128 KiB and the package has no other bound on what one call returns.

A file may begin with a skippable frame that holds the dictionary of all others (the IIPC's "WARC compression with
Zstandard" proposal).
"""

from __future__ import annotations

from typing import ClassVar

import zstandard

from seed_platform.crawl.captures import CrawlLimits
from seed_platform.crawl.members import Damage, check_ratio
from seed_platform.crawl.window import Window

MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE_TAIL = b"\x2a\x4d\x18"
_DICTIONARY_MAGIC = b"\x5d" + _SKIPPABLE_TAIL
_HEADER_MAX = 18
_BLOCK_MAX = 128 << 10
_BLOCKS_PER_PIECE = 8
_RLE, _RESERVED = 1, 3
_MIN_WINDOW = 8 << 20


class ZstdMember:
    """One zstd frame. Its checksum is verified where it has one."""

    may_be_cut: ClassVar[bool] = False

    def __init__(
        self, window: Window, offset: int, decompressor: zstandard.ZstdDecompressor, limits: CrawlLimits
    ) -> None:
        self.offset = offset
        self.position = offset
        self._window = window
        self._limits = limits
        self._decompressor = decompressor
        self._object: zstandard.ZstdDecompressionObj | None = None
        self._checksum = False
        self._last = False
        self._produced = 0

    @property
    def ended(self) -> bool:
        """See `Member.ended`."""
        return self._last

    def read(self) -> bytes:
        """See `Member.read`."""
        while not self._last:
            try:
                piece = self._step()
            except zstandard.ZstdError as error:
                raise Damage("damaged_member", str(error)) from None
            self._produced += len(piece)
            check_ratio(self._produced, self.position - self.offset, self._limits)
            if piece:
                return piece
        return b""

    def _step(self) -> bytes:
        begin = self.position
        if self._object is None:
            self._open()
        for _ in range(_BLOCKS_PER_PIECE):
            self._pass_block()
            if self._last:
                break
        data = self._window.get(begin, self.position - begin)
        if len(data) < self.position - begin:
            self.position = begin + len(data)
            raise Damage("truncated_record", "the file ends inside a zstd frame")
        if self._object is None:
            raise Damage("damaged_member", "no zstd frame")
        piece = self._object.decompress(data)
        if self._object.eof != self._last:
            raise Damage("damaged_member", "the frame does not end with its last block")
        return piece

    def _open(self) -> None:
        head = self._window.get(self.position, _HEADER_MAX)
        try:
            size = zstandard.frame_header_size(head)
            parameters = zstandard.get_frame_parameters(head)
        except (zstandard.ZstdError, ValueError) as error:
            cut = len(head) < _HEADER_MAX and MAGIC.startswith(head[:4])
            raise Damage("truncated_record" if cut else "damaged_member", str(error)) from None
        self._checksum = parameters.has_checksum
        self._object = self._decompressor.decompressobj()
        self.position += size

    def _pass_block(self) -> None:
        """Move `position` past the next block, and past the checksum after the last one."""
        head = self._window.get(self.position, 3)
        if len(head) < 3:
            raise Damage("truncated_record", "the file ends inside a zstd frame")
        value = int.from_bytes(head, "little")
        self._last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
        if kind == _RESERVED or size > _BLOCK_MAX:
            raise Damage("damaged_member", "not a zstd block")
        self.position += 3 + (1 if kind == _RLE else size)
        if self._last and self._checksum:
            self.position += 4


class Zstd:
    """zstd: one frame per record, or one for the whole file."""

    def __init__(self, limits: CrawlLimits) -> None:
        self._limits = limits
        self._dictionary: zstandard.ZstdCompressionDict | None = None
        self._decompressor = self._new_decompressor()

    def open(self, window: Window, offset: int) -> ZstdMember:
        """See `Codec.open`."""
        return ZstdMember(window, offset, self._decompressor, self._limits)

    def skippable(self, window: Window, offset: int) -> int:
        """See `Codec.skippable`. A dictionary at the beginning of the file is kept for the frames after it.

        A frame larger than a record may be is taken for damage: its length is nothing to rely on.
        """
        head = window.get(offset, 8)
        size = int.from_bytes(head[4:], "little")
        if len(head) < 8 or head[1:4] != _SKIPPABLE_TAIL or head[0] >> 4 != 5 or size > self._limits.max_record_bytes:
            return 0
        data = window.get(offset + 8, size)
        if len(data) < size:
            return 0
        if offset == 0 and head[:4] == _DICTIONARY_MAGIC:
            self._use_dictionary(data)
        return 8 + size

    def next_member(self, window: Window, offset: int) -> int | None:
        """See `Codec.next_member`."""
        at = window.find(MAGIC, offset)
        while at is not None:
            try:
                if ZstdMember(window, at, self._decompressor, self._limits).read().startswith(b"WARC/"):
                    return at
            except Damage:
                pass
            at = window.find(MAGIC, at + 1)
        return None

    def _use_dictionary(self, data: bytes) -> None:
        try:
            if data.startswith(MAGIC):
                limit = self._limits.max_record_bytes
                data = zstandard.ZstdDecompressor(max_window_size=_MIN_WINDOW).decompress(data, max_output_size=limit)
            self._dictionary = zstandard.ZstdCompressionDict(data)
        except (zstandard.ZstdError, ValueError):
            return
        self._decompressor = self._new_decompressor()

    def _new_decompressor(self) -> zstandard.ZstdDecompressor:
        window_size = max(_MIN_WINDOW, self._limits.max_record_bytes)
        return zstandard.ZstdDecompressor(dict_data=self._dictionary, max_window_size=window_size)
