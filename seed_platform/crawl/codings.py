"""HTTP's transfer and content codings, undone within limits.

Here: chunked, gzip, deflate, br and zstd on one body. Not here: which of them a response says it has, beyond their
names. A body that is not in the coding it claims is returned as it is: crawlers that store the decoded body often keep
the header.
"""

from __future__ import annotations

import io
import zlib

import zstandard
from fastwarc.stream_io import BrotliReader

from seed_platform.crawl.captures import RATIO_FLOOR, CrawlLimits, Refused

_MAX_CODINGS = 4
_MAX_CHUNK_LINE = 1 << 10
_HEX = b"0123456789abcdefABCDEF"
_MARKUP_SPACE = b"\xef\xbb\xbf \t\r\n\f"
_ZSTD_WINDOW = 8 << 20
_STEP = 1 << 18


def undo_chunked(body: bytes) -> bytes:
    """The body without chunked transfer coding. Raises `Refused` "truncated_payload" if it ends before its last chunk.

    A body whose first line is no chunk size is returned as it is.
    """
    parts: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\n", at, at + _MAX_CHUNK_LINE)
        size = body[at:end].split(b";", 1)[0].strip() if end >= 0 else b""
        if not size or len(size) > 16 or size.strip(_HEX):
            if not parts:
                return body
            raise Refused("truncated_payload", f"no chunk size at byte {at} of the body")
        length = int(size, 16)
        if length == 0:
            return b"".join(parts)
        parts.append(body[end + 1 : end + 1 + length])
        if len(parts[-1]) < length:
            raise Refused("truncated_payload", f"{length} bytes of a chunk announced, {len(parts[-1])} there")
        at = end + 1 + length
        at += 2 if body.startswith(b"\r\n", at) else 1 if body.startswith(b"\n", at) else 0


def undo_content_codings(body: bytes, codings: str, limits: CrawlLimits) -> bytes:
    """The body without the content codings of a Content-Encoding header.

    Raises `Refused`: "bomb", "too_large", "damaged_payload", "truncated_payload" or "unknown_coding".
    """
    names = [name for part in codings.lower().split(",") if (name := part.strip()) not in {"", "identity", "none"}]
    if len(names) > _MAX_CODINGS:
        raise Refused("bomb", f"{len(names)} content codings")
    for name in reversed(names):
        body = _undo(body, name, limits)
    return body


def _undo(body: bytes, name: str, limits: CrawlLimits) -> bytes:
    if name in {"gzip", "x-gzip"}:
        return _inflate(body, 31, limits) if body.startswith(b"\x1f\x8b") else body
    if name == "zstd":
        return _zstd(body, limits) if body.startswith(b"\x28\xb5\x2f\xfd") else body
    # The others have no magic number, but their first byte is hardly ever that of markup. Names that are none, such as
    # that of a character set, are in headers of pages that were never coded.
    if body.lstrip(_MARKUP_SPACE).startswith(b"<"):
        return body
    if name not in {"deflate", "br"}:
        raise Refused("unknown_coding", name[:80])
    if name == "br":
        return _brotli(body, limits)
    has_zlib_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _inflate(body, 15 if has_zlib_header else -15, limits)


def _check(produced: int, consumed: int, limits: CrawlLimits) -> None:
    if produced > RATIO_FLOOR and produced > limits.max_ratio * consumed:
        raise Refused("bomb", f"a payload of {consumed} bytes gives {produced} and more")
    if produced > limits.max_record_bytes:
        raise Refused("too_large", f"a payload of {consumed} bytes gives {produced} and more")


def _inflate(body: bytes, wbits: int, limits: CrawlLimits) -> bytes:
    out = bytearray()
    rest = body
    # A gzip body may have several members.
    while rest:
        inflate = zlib.decompressobj(wbits=wbits)
        while rest and not inflate.eof:
            try:
                out += inflate.decompress(rest, _STEP)
            except zlib.error as error:
                raise Refused("damaged_payload", str(error)) from None
            rest = inflate.unconsumed_tail
            _check(len(out), len(body), limits)
        if not inflate.eof:
            raise Refused("truncated_payload", "the compressed body ends early")
        rest = inflate.unused_data if inflate.unused_data.startswith(b"\x1f\x8b") else b""
    return bytes(out)


def _zstd(body: bytes, limits: CrawlLimits) -> bytes:
    out = bytearray()
    decompressor = zstandard.ZstdDecompressor(max_window_size=max(_ZSTD_WINDOW, limits.max_record_bytes))
    with decompressor.stream_reader(body, read_across_frames=True) as reader:
        try:
            while piece := reader.read(_STEP):
                out += piece
                _check(len(out), len(body), limits)
        except zstandard.ZstdError as error:
            raise Refused("damaged_payload", str(error)) from None
    size = zstandard.get_frame_parameters(body).content_size
    if size < zstandard.CONTENTSIZE_UNKNOWN and len(out) < size:
        raise Refused("truncated_payload", f"{size} bytes announced, {len(out)} there")
    return bytes(out)


def _brotli(body: bytes, limits: CrawlLimits) -> bytes:
    out = bytearray()
    reader = BrotliReader(io.BytesIO(body))
    try:
        while piece := reader.read(_STEP):
            out += piece
            _check(len(out), len(body), limits)
    except (OSError, ValueError) as error:
        raise Refused("damaged_payload", str(error)) from None
    return bytes(out)
