"""A WARC file as a sequence of captures and refusals: gzip, zstd or plain, and however damaged.

Here: the walk over members and their records, and the account of every byte of the file. Not here: the formats, each
of which has a module of its own, and where the file comes from (`locations`).

Members are inflated one by one rather than through FastWARC's iterator, which ends at the first damaged member,
accepts a cut last record as whole and drops records whose headers end in LF alone or exceed its limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from seed_platform.crawl.captures import Capture, CrawlLimits, Refusal, Refused
from seed_platform.crawl.members import Codec, Damage, Gzip, Member, PlainMember
from seed_platform.crawl.payload import read_page
from seed_platform.crawl.records import (
    Flaw,
    Record,
    has_long_uri,
    has_record,
    only_record,
    read_records,
    shown_uri,
    target_uri,
)
from seed_platform.crawl.window import Window
from seed_platform.crawl.zstd_frames import Zstd

__all__ = ["Capture", "CrawlLimits", "Refusal", "read_captures"]

_TYPES = {"warcinfo", "request", "metadata", "revisit", "resource", "conversion", "continuation"}
_SLACK = 1 << 20
_MAX_READ_AGAIN = 8
"""How many times the bytes of a file are read again for damage, so that overlapping members cost linear work."""


def read_captures(stream: BinaryIO, limits: CrawlLimits) -> Iterator[Capture | Refusal]:
    """Yield the HTML responses of a WARC file and a refusal for everything else, in the order of the file.

    Records that are never pages come at the end, counted: one refusal "skipped_<type>" per type, "skipped_other" for
    types that the format does not know. The lengths of all that is yielded add up to the size of the file.

    Memory: a few times `limits.max_record_bytes`, whatever the size of the file. `stream` is read once, front to end;
    errors of reading it (`OSError`) are not caught.
    """
    window = Window(stream, max_held=limits.max_record_bytes + _SLACK)
    skipped: dict[str, list[int]] = {}
    for item in _walk(window, limits):
        if isinstance(item, Refusal) and item.reason.startswith("skipped_"):
            count = skipped.setdefault(item.reason, [item.offset, 0, 0])
            count[1] += 1
            count[2] += item.length
        else:
            yield item
    for reason, (offset, number, length) in skipped.items():
        yield Refusal(offset, reason, str(number), length=length)


def _walk(window: Window, limits: CrawlLimits) -> Iterator[Capture | Refusal]:
    if not window.get(0, 1):
        yield Refusal(0, "empty_file")
        return
    codec = _detect(window, limits)
    if codec is None:
        for item in read_records(PlainMember(window, 0), limits):
            yield _outcome(item, item.start, item.end - item.start, limits)
        return
    yield from _members(window, codec, limits)


def _members(window: Window, codec: Codec, limits: CrawlLimits) -> Iterator[Capture | Refusal]:
    """What is in the members of a compressed file, and a refusal for every stretch that is none."""
    offset = 0
    read_again = 0
    while window.get(offset, 1):
        window.hold = offset
        size = codec.skippable(window, offset)
        if size:
            yield Refusal(offset, "skipped_frame", length=size)
            offset += size
            continue
        member = codec.open(window, offset)
        try:
            content = member.read()
            record = only_record(content, limits) if member.ended else None
            if record:
                yield _outcome(record, offset, member.position - offset, limits)
            else:
                yield from _member_items(member, content, limits)
            offset = member.position
        except Damage as damage:
            # What the damaged member seemed to hold may be the members after it: search from its second byte, unless
            # a file made for it has had too much of that.
            begin = max(offset + 1, window.start)
            read_again += max(0, member.position - begin)
            if read_again > limits.max_record_bytes + _MAX_READ_AGAIN * window.end:
                begin = max(begin, member.position)
            found = codec.next_member(window, begin)
            end = window.end if found is None else found
            # A member that runs to the end of the file although others follow is not cut but damaged.
            reason = "damaged_member" if found and damage.reason == "truncated_record" else damage.reason
            yield Refusal(offset, reason, f"{end - offset} bytes: {damage.detail}", length=end - offset)
            offset = end


def _detect(window: Window, limits: CrawlLimits) -> Codec | None:
    """How the file is compressed; None for plain. If its beginning is damaged, the first record decides."""
    head = window.get(0, 4)
    codecs: tuple[Codec, ...] = (Gzip(limits), Zstd(limits))
    if head.startswith(b"\x1f\x8b"):
        return codecs[0]
    if head == b"\x28\xb5\x2f\xfd" or head[1:] == b"\x2a\x4d\x18":
        return codecs[1]
    if head != b"WARC" and not has_record(window.get(0, limits.max_record_bytes)):
        for codec in codecs:
            # A window of its own, so that the search does not move on the one that is read.
            if codec.next_member(window.peek(limits.max_record_bytes), 0) is not None:
                return codec
    return None


def _member_items(member: Member, begun: bytes, limits: CrawlLimits) -> Iterator[Capture | Refusal]:
    """What is in a compressed member, of which `begun` was read. Raises `Damage`; what was yielded before is sound."""
    last = False
    for item in read_records(member, limits, begun):
        last = item.last
        yield _outcome(item, member.offset, member.position - member.offset if last else 0, limits)
    if not last:
        yield Refusal(member.offset, "empty_member", length=member.position - member.offset)


def _outcome(item: Record | Flaw, offset: int, length: int, limits: CrawlLimits) -> Capture | Refusal:
    if isinstance(item, Flaw):
        return Refusal(offset, item.reason, item.detail, item.url, length)
    kind = item.fields.text(b"warc-type").lower()
    if kind != "response":
        return Refusal(offset, f"skipped_{kind if kind in _TYPES else 'other'}", length=length)
    try:
        return _capture(item, offset, length, limits)
    except Refused as refused:
        return Refusal(offset, refused.reason, refused.detail, shown_uri(item.fields), length)


def _capture(record: Record, offset: int, length: int, limits: CrawlLimits) -> Capture:
    """The page in a response record. Raises `Refused`."""
    fields = record.fields
    url = target_uri(fields)
    if not url:
        raise Refused("bad_header", "no WARC-Target-URI")
    if has_long_uri(fields):
        raise Refused("bad_url", f"{len(url)} characters")
    block_type = fields.text(b"content-type").lower()
    if block_type and not block_type.startswith("application/http"):
        raise Refused("not_http", block_type[:80])
    truncated = fields.get(b"warc-truncated")
    if truncated is not None:
        raise Refused("truncated_payload", truncated[:80].decode("latin-1"))
    page = read_page(record.block, limits)
    record_id = fields.text(b"warc-record-id").strip("<>").removeprefix("urn:uuid:")
    captured_at = _time(fields.text(b"warc-date"))
    return Capture(url, record_id, captured_at, offset, length, page.status, page.html, page.size, page.encoding)


def _time(value: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
