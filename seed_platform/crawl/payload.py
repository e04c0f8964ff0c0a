"""The HTTP response in a record's block: whether it is a page, and its body.

Here: status line, headers, and the decision what counts as HTML. Not here: the WARC format (`records`), codings of the
body (`codings`) and character sets (`charset`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seed_platform.crawl.captures import CrawlLimits, Refused
from seed_platform.crawl.charset import decode_html
from seed_platform.crawl.codings import undo_chunked, undo_content_codings
from seed_platform.crawl.headers import BLANK_LINE, Fields

_MAX_HEADER = 256 << 10
_STATUS = re.compile(rb"\s*HTTP/\d(?:\.\d)?[ \t]+(\d{3})\b[^\n]*\n")
_LENGTH = re.compile(r"\d{1,18}")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([^\s\"';,]+)", re.IGNORECASE)
_HTML_TYPES = {"text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml"}
_UNSAID_TYPES = {"", "*/*", "unknown/unknown", "application/unknown"}
"""What the MIME sniffing standard treats as no type at all."""

_SNIFFED_BYTES = 1024
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->|<\?xml.*?\?>)*"
    rb"<(?:!doctype\s+html|html|head|body|title|meta|script|style|iframe|h1|div|font|table|a|br|p)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_BINARY = (b"%PDF-", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x7fELF", b"RIFF")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML response: HTTP status, text, bytes of the body without codings, character set."""

    status: int
    html: str
    size: int
    encoding: str


def read_page(block: bytes, limits: CrawlLimits) -> Page:
    """The page in an HTTP response. Raises `Refused` if there is none, with the reason."""
    status, fields, begin = _read_head(block)
    _check_status(status)
    media_type, _, parameters = fields.text(b"content-type").partition(";")
    media_type = media_type.strip().lower()
    if media_type not in _HTML_TYPES and media_type not in _UNSAID_TYPES:
        raise Refused("not_html", media_type[:80])
    body = _read_body(block[begin:], fields, limits)
    if not body or body.isspace():
        raise Refused("empty_body", f"{len(body)} bytes")
    _check_content(body, said=media_type in _HTML_TYPES)
    charset = _CHARSET.search(parameters)
    html, encoding = decode_html(body, charset[1] if charset else None)
    return Page(status, html, len(body), encoding)


def _read_head(block: bytes) -> tuple[int, Fields, int]:
    """Status, header fields, and where the body begins. Interim responses (1xx) are passed over."""
    at = 0
    while True:
        line = _STATUS.match(block, at)
        if not line:
            raise Refused("not_http", block[at : at + 40].decode("latin-1").partition("\n")[0].strip())
        end = BLANK_LINE.search(block, line.end() - 1, at + _MAX_HEADER)
        if not end:
            raise Refused("bad_http_header", f"no end of the HTTP header within {min(len(block), _MAX_HEADER)} bytes")
        if line[1][:1] != b"1":
            break
        at = end.end()
    return int(line[1]), Fields(block[at : end.end()]), end.end()


def _read_body(body: bytes, fields: Fields, limits: CrawlLimits) -> bytes:
    """The body without its codings."""
    chunked = "chunked" in fields.text(b"transfer-encoding").lower()
    codings = fields.text(b"content-encoding")
    if chunked:
        body = undo_chunked(body)
    if codings:
        return undo_content_codings(body, codings, limits)
    length = fields.text(b"content-length")
    # The length of a coded body says nothing of one that was stored decoded.
    if not chunked and _LENGTH.fullmatch(length) and int(length) > len(body):
        raise Refused("truncated_payload", f"{length} bytes announced, {len(body)} there")
    return body


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise Refused("redirect", str(status))
    if status == 206:
        raise Refused("truncated_payload", "206: a part of the page")
    if not 200 <= status < 300:
        raise Refused("http_error", str(status))


def _check_content(body: bytes, *, said: bool) -> None:
    """Raise `Refused` unless the body can be HTML; `said` is whether its Content-Type says that it is."""
    if body.startswith(_BINARY):
        raise Refused("not_html", "the body is in a binary format")
    if not said and not _HTML_START.match(body, 0, _SNIFFED_BYTES):
        raise Refused("not_html", "no Content-Type, and no HTML")
