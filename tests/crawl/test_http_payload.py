"""HTTP responses in records: codings, statuses and types."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from warc_files import http, page

from seed_platform.crawl.captures import CrawlLimits, Refused
from seed_platform.crawl.codings import undo_chunked
from seed_platform.crawl.payload import read_page

LIMITS = CrawlLimits(max_record_bytes=1 << 20)
HTML = page(1)


def chunked(body: bytes, size: int = 100, last: bytes = b"0\r\n\r\n") -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + last


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


def zstd_unsized(body: bytes) -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(body) + packer.flush()


CODINGS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("gzip", lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:])),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("br", brotli.compress),
    ("zstd", zstandard.ZstdCompressor().compress),
    ("zstd", zstd_unsized),
    ("gzip, BR", lambda body: brotli.compress(gzip.compress(body))),
    ("identity", bytes),
]


def refusal(block: bytes, limits: CrawlLimits = LIMITS) -> str:
    with pytest.raises(Refused) as caught:
        read_page(block, limits)
    return caught.value.reason


@pytest.mark.parametrize(("name", "code"), CODINGS)
def test_content_codings_are_undone(name: str, code: Callable[[bytes], bytes]):
    result = read_page(http(code(HTML), f"Content-Encoding: {name}"), LIMITS)
    assert (result.html, result.size) == (HTML.decode(), len(HTML))


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_body_that_was_stored_decoded_under_its_old_headers_is_read_as_it_is(name: str):
    block = http(HTML, f"Content-Encoding: {name}", "Transfer-Encoding: chunked")
    assert read_page(block, LIMITS).html == HTML.decode()


@pytest.mark.parametrize("name", ["UTF-8", "aws-chunked", "UTF-8, gzip"])
def test_a_page_under_the_name_of_a_coding_that_is_none_is_read_as_it_is(name: str):
    assert read_page(http(b"\n" + HTML, f"Content-Encoding: {name}"), LIMITS).html == "\n" + HTML.decode()


def test_a_body_shorter_than_its_length_is_truncated_unless_it_was_stored_decoded():
    longer = f"Content-Length: {len(HTML) + 1}"
    assert refusal(http(HTML, longer)) == "truncated_payload"
    for headers in (
        [f"Content-Length: {len(HTML)}"],
        [f"Content-Length: {len(HTML) - 1}"],
        ["Content-Length: many"],
        [longer, "Content-Encoding: gzip"],
        [longer, "Transfer-Encoding: chunked"],
    ):
        assert read_page(http(HTML, *headers), LIMITS).size == len(HTML)


def test_chunked_and_compressed_bodies_are_undone_in_order():
    block = http(chunked(gzip.compress(HTML)), "Content-Encoding: gzip", "Transfer-Encoding: chunked")
    assert read_page(block, LIMITS).html == HTML.decode()


@given(st.binary(max_size=300), st.integers(1, 50))
def test_undoing_chunks_gives_back_any_body(body: bytes, size: int):
    assert undo_chunked(chunked(body, size)) == body


@pytest.mark.parametrize("last", [b"", b"5\r\nab", b"zz\r\n", b"-1\r\n"])
def test_a_chunked_body_without_its_end_is_truncated(last: bytes):
    assert refusal(http(chunked(HTML, last=last), "Transfer-Encoding: chunked")) == "truncated_payload"


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("gzip", gzip.compress(HTML)[:-20], "truncated_payload"),
        ("gzip", gzip.compress(HTML)[:50] + bytes(64) + gzip.compress(HTML)[114:], "damaged_payload"),
        ("deflate", b"\xff" * 50, "damaged_payload"),
        ("br", b"\xff" * 50, "damaged_payload"),
        ("br", brotli.compress(HTML)[:-20], "damaged_payload"),
        ("zstd", zstandard.ZstdCompressor().compress(HTML)[:-20], "truncated_payload"),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\xff" * 40, "damaged_payload"),
        ("compress", b"\x1f\x9d", "unknown_coding"),
        ("gzip,gzip,gzip,gzip,gzip", b"", "bomb"),
    ],
)
def test_a_compressed_body_that_cannot_be_undone_has_a_named_reason(name: str, body: bytes, reason: str):
    assert refusal(http(body, f"Content-Encoding: {name}")) == reason


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_body_that_gives_too_much_is_a_bomb_or_too_large(name: str):
    code = dict(CODINGS)[name] if name != "gzip" else gzip.compress
    assert refusal(http(code(bytes(8 << 20)), f"Content-Encoding: {name}")) in {"bomb", "too_large"}
    small = CrawlLimits(max_record_bytes=1000)
    assert refusal(http(code(HTML), f"Content-Encoding: {name}"), small) == "too_large"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("301 Moved", "redirect"),
        ("304 Not Modified", "redirect"),
        ("404 Not Found", "http_error"),
        ("503", "http_error"),
        ("999 Go away", "http_error"),
        ("206 Partial Content", "truncated_payload"),
    ],
)
def test_statuses_that_give_no_page_have_named_reasons(status: str, reason: str):
    assert refusal(http(HTML, status=status)) == reason


def test_interim_responses_are_passed_over_and_http2_status_lines_are_read():
    block = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200\r\nContent-Type: text/html\r\n\r\n" + HTML
    assert read_page(block, LIMITS).html == HTML.decode()


def test_http_headers_whose_lines_end_in_lf_alone_are_read():
    result = read_page(b"HTTP/1.0 200 OK\ncontent-type: Text/HTML; Charset='latin1'\n\n\xe9", LIMITS)
    assert (result.html, result.encoding) == ("é", "cp1252")


@pytest.mark.parametrize(
    ("content_type", "body", "outcome"),
    [
        ("text/html", b"no tags at all", "html"),
        ("TEXT/HTML;charset=utf-8", HTML, "html"),
        ("application/xhtml+xml", b"<?xml version='1.0'?><html xmlns=''/>", "html"),
        (None, b"\n<!-- x --><!DOCTYPE html><p>a", "html"),
        ("", b"<HTML><body>", "html"),
        (None, b"plain words", "not_html"),
        (None, b'{"a": 1}', "not_html"),
        (None, b"<?xml version='1.0'?><rss>", "not_html"),
        ("text/plain", HTML, "not_html"),
        ("application/json", HTML, "not_html"),
        ("image/png", b"\x89PNG", "not_html"),
        ("text/html", b"%PDF-1.7 ...", "not_html"),
    ],
)
def test_html_is_what_its_type_says_or_its_beginning_where_there_is_no_type(
    content_type: str | None, body: bytes, outcome: str
):
    block = http(body, content_type=content_type)
    if outcome == "html":
        assert read_page(block, LIMITS).size == len(body)
    else:
        assert refusal(block) == outcome


def test_blocks_that_are_no_http_and_headers_without_end_have_named_reasons():
    assert refusal(b"") == "not_http"
    assert refusal(b"20250101 a.example 1.2.3.4\n") == "not_http"
    assert refusal(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n") == "bad_http_header"
    assert refusal(b"HTTP/1.1 100 Continue\r\n\r\n") == "not_http"
    assert refusal(http(b"")) == "empty_body"
    assert refusal(http(b" \r\n")) == "empty_body"


@given(st.binary(max_size=400))
def test_no_block_raises_anything_but_a_refusal(tail: bytes):
    for head in (b"", b"HTTP/1.1 200 OK\r\n", http(b"", "Content-Encoding: deflate", "Transfer-Encoding: chunked")):
        with contextlib.suppress(Refused):
            read_page(head + tail, LIMITS)
