"""The records inside the content of a WARC member, whatever their headers say of their length.

Here: the WARC record format (ISO 28500), what is wrong with a record, and how to find the next one. Not here:
compression (`members`) and what is inside a record's block (`payload`).

A record is given out only once what follows it was seen to be right: the two line ends that close a record, the
verified end of its member, or the beginning of the next record. That is what catches a Content-Length that is too small
or too large.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seed_platform.crawl.captures import CrawlLimits, Refused
from seed_platform.crawl.headers import BLANK_LINE, Fields
from seed_platform.crawl.members import Member

_MAX_HEADER = 64 << 10
_NEWLINES = re.compile(rb"[\r\n]*")
_LENGTH = re.compile(rb"\d{1,18}")
_MAX_URL = 8 << 10
_SHOWN_URL = 200

_RECORD = re.compile(rb"WARC/1\.\d\r?\n(?:[!-9;-~]+:[^\n]{0,4096}\n){0,16}?(?i:warc-type)[ \t]*:")
"""The beginning of a record where none is expected: bounded, so that searching for it stays linear."""

_LOOK_AHEAD = 16 << 10


@dataclass(slots=True)
class Record:
    """A whole record. `start` and `end` are content offsets; `last` says that its member ends after it."""

    start: int
    end: int
    last: bool
    fields: Fields
    block: bytes


@dataclass(frozen=True, slots=True)
class Flaw:
    """A stretch of content that is no whole record; offsets and `last` as for a record."""

    start: int
    end: int
    last: bool
    reason: str
    detail: str
    url: str | None


def target_uri(fields: Fields) -> str:
    """WARC-Target-URI as text; "" if it is missing."""
    return fields.text(b"warc-target-uri").strip("<> \t")


def has_long_uri(fields: Fields) -> bool:
    """Whether WARC-Target-URI has more bytes than servers take in a request line."""
    return len(fields.get(b"warc-target-uri") or b"") > _MAX_URL


def shown_uri(fields: Fields) -> str | None:
    """WARC-Target-URI of a record that is refused: only its beginning if it is too long; None if it is missing."""
    uri = target_uri(fields)
    return (uri[:_SHOWN_URL] if has_long_uri(fields) else uri) or None


def has_record(content: bytes) -> bool:
    """Whether a WARC record begins anywhere in `content`."""
    return _RECORD.search(content) is not None


def only_record(content: bytes, limits: CrawlLimits) -> Record | None:
    """The record that fills `content`, the whole of a member, to its last byte: what nearly every member holds.

    None if there is anything else to it, which is then for `read_records` to say.
    """
    match = BLANK_LINE.search(content, 0, _MAX_HEADER)
    if match is None or not content.startswith(b"WARC/") or not content.endswith(b"\r\n\r\n"):
        return None
    fields = Fields(content[: match.end()])
    length = fields.get(b"content-length") or b""
    if fields.get(b"warc-type") is None or not _LENGTH.fullmatch(length):
        return None
    end = match.end() + int(length)
    if end != len(content) - 4 or int(length) > limits.max_record_bytes:
        return None
    return Record(0, len(content), last=True, fields=fields, block=content[match.end() : end])


def read_records(member: Member, limits: CrawlLimits, begun: bytes = b"") -> Iterator[Record | Flaw]:
    """Yield what is in the content of `member`, in order and without gaps; `begun` is what was read of it before.

    A record that the content ends in is "truncated_record" if the member can be cut without showing it, as a plain
    file can, and has a wrong Content-Length otherwise. Raises `Damage` as the member does.
    """
    content = _Content(member, begun)
    while (item := _next(content, limits)) is not None:
        yield item


class _Content:
    """The content of a member from content offset `start` on, as far as it was read: `data` from `at` on."""

    __slots__ = ("_member", "_origin", "at", "data", "ended", "may_be_cut")

    def __init__(self, member: Member, begun: bytes) -> None:
        self.data = begun
        self.at = 0
        self.ended = False
        self.may_be_cut = member.may_be_cut
        self._origin = 0
        self._member = member

    @property
    def start(self) -> int:
        return self._origin + self.at

    @property
    def at_end(self) -> bool:
        return self.ended and self.at == len(self.data)

    def need(self, size: int) -> bool:
        """Whether there are `size` bytes from `at` on, which are then in `data`."""
        have = len(self.data) - self.at
        if have >= size or self.ended:
            return have >= size
        # Empty pieces stay out: joining a single one copies nothing.
        pieces = [self.data[self.at :]] if have else []
        while have < size:
            piece = self._member.read()
            if not piece:
                self.ended = True
                break
            have += len(piece)
            pieces.append(piece)
        self._origin += self.at
        self.at = 0
        self.data = b"".join(pieces)
        return have >= size

    def begins(self, prefix: bytes, offset: int = 0) -> bool:
        return self.data.startswith(prefix, self.at + offset)

    def drop(self, size: int) -> None:
        self.at += size

    def end_of_newlines(self, offset: int) -> int:
        """Where the line ends at `offset` are over; at least 5 bytes more are there unless the content ends."""
        while True:
            match = _NEWLINES.match(self.data, self.at + offset)
            offset = match.end() - self.at if match else offset
            if offset < len(self.data) - self.at or not self.need(offset + 1):
                self.need(offset + 5)
                return offset

    def seek_record(self, offset: int, until: int | None = None) -> bool:
        """Drop everything up to the next record at or after `offset`, or up to content offset `until`, or the end.

        Returns whether it stopped at a record. Holds no more than a few pieces.
        """
        self.drop(offset)
        while True:
            match = _RECORD.search(self.data, self.at)
            if match and (until is None or self._origin + match.start() < until):
                self.at = match.start()
                return True
            if until is not None and self._origin + len(self.data) >= until:
                self.at = until - self._origin
                return False
            if self.ended:
                self.at = len(self.data)
                return False
            # A record that began within the look-ahead may not have matched for lack of bytes.
            self.at = max(self.at, len(self.data) - _LOOK_AHEAD)
            self.need(len(self.data) - self.at + 1)


def _next(content: _Content, limits: CrawlLimits) -> Record | Flaw | None:
    begin = content.start
    if not content.need(5) or not content.begins(b"WARC/"):
        # Line ends before the first record are part of it; those after a record were passed with it.
        content.drop(content.end_of_newlines(0))
        if content.at_end:
            blank = content.start > begin
            return _flaw(content, begin, "not_warc", "nothing but line ends", Fields(b"")) if blank else None
    fields = Fields(b"")
    try:
        size, fields = _read_header(content)
        length = _content_length(fields)
        if length > limits.max_record_bytes:
            return _pass_over(content, begin, size, length, fields)
        end = _end_of_record(content, size, length)
    except Refused as refused:
        content.seek_record(1)
        return _flaw(content, begin, refused.reason, refused.detail, fields)
    block = content.data[content.at + size : content.at + size + length]
    content.drop(end)
    return Record(begin, content.start, content.at_end, fields, block)


def _flaw(content: _Content, begin: int, reason: str, detail: str, fields: Fields) -> Flaw:
    return Flaw(begin, content.start, content.at_end, reason, detail, shown_uri(fields))


def _read_header(content: _Content) -> tuple[int, Fields]:
    """The size of the header at the front of `content`, with its blank line, and its fields."""
    if not content.begins(b"WARC/"):
        raise Refused("not_warc", "no WARC record begins here")
    match = BLANK_LINE.search(content.data, content.at, content.at + _MAX_HEADER)
    if not match:
        whole = content.need(_MAX_HEADER)
        match = BLANK_LINE.search(content.data, content.at, content.at + _MAX_HEADER)
        if not match:
            reason = "header_too_large" if whole else "bad_header"
            raise Refused(reason, f"no end of the WARC header within {_MAX_HEADER} bytes")
    return match.end() - content.at, Fields(content.data[content.at : match.end()])


def _content_length(fields: Fields) -> int:
    if fields.get(b"warc-type") is None:
        raise Refused("bad_header", "no WARC-Type")
    value = fields.get(b"content-length")
    if value is None:
        raise Refused("wrong_content_length", "missing")
    if not _LENGTH.fullmatch(value):
        raise Refused("wrong_content_length", value[:80].decode("utf-8", "backslashreplace"))
    return int(value)


def _end_of_record(content: _Content, size: int, length: int) -> int:
    """Where the record at the front of `content` and the line ends after it are over; raises `Refused` if it lies."""
    if not content.need(size + length):
        cut = content.may_be_cut and not _RECORD.search(content.data, content.at + 1)
        reason = "truncated_record" if cut else "wrong_content_length"
        raise Refused(reason, f"{length} bytes announced, {len(content.data) - content.at - size} there")
    end = content.end_of_newlines(size + length)
    # The two line ends that the format asks for speak for a record when the beginning of the next one is damaged.
    if content.begins(b"\r\n\r\n", size + length):
        return end
    if end < len(content.data) - content.at and not content.begins(b"WARC/", end):
        raise Refused("wrong_content_length", f"{length} bytes announced, and no record begins after them")
    return end


def _pass_over(content: _Content, begin: int, size: int, length: int, fields: Fields) -> Flaw:
    """Skip a record that is too large without holding it.

    A record that begins inside of it is believed over the length: nothing that was passed over can be had back.
    """
    until = content.start + size + length
    if content.seek_record(size, until):
        reason, detail = "wrong_content_length", f"{length} bytes announced, and a record begins within them"
    elif content.start < until:
        reason = "truncated_record" if content.may_be_cut else "wrong_content_length"
        detail = f"{length} bytes announced, {length - (until - content.start)} there"
    else:
        reason, detail = "too_large", f"{length} bytes"
        content.drop(content.end_of_newlines(0))
        if not content.at_end and not content.begins(b"WARC/"):
            reason, detail = "wrong_content_length", f"{length} bytes announced, and no record begins after them"
            content.seek_record(0)
    return _flaw(content, begin, reason, detail, fields)
