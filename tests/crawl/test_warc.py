"""WARC files as they should be, and as writers other than Common Crawl's make them."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import zstandard
from warc_files import COMPRESSIONS, captures, http, page, pages, read, reasons, record, warc

from seed_platform.crawl.warc import Capture, CrawlLimits, Refusal, read_captures


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_response_comes_out_with_its_text_and_provenance(compression: str):
    data, offsets = warc(pages(5), compression)
    items = read(data)
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(5)]
    assert reasons(items) == []
    first = items[0]
    assert isinstance(first, Capture)
    assert (first.url, first.record_id, first.status, first.encoding) == ("http://a.example/0", "0b5a", 200, "utf-8")
    assert first.captured_at == datetime(2025, 2, 1, 10, tzinfo=UTC)
    assert first.size == len(page(0))
    assert [item.offset for item in items] == offsets[:-1]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_record_can_be_read_again_alone_from_its_offset_and_length(compression: str):
    data, _ = warc(pages(6), compression)
    for item in captures(read(data)):
        (again,) = captures(read(data[item.offset : item.offset + item.length]))
        assert (again.html, again.url, again.size) == (item.html, item.url, item.size)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_file_that_is_one_single_member_gives_all_its_records(compression: str):
    data, _ = warc([b"".join(pages(40))], compression)
    items = read(data)
    assert [item.html for item in captures(items)] == [page(i).decode() for i in range(40)]
    assert {item.offset for item in items} == {0}
    assert [item.length for item in items] == [0] * 39 + [len(data)]


def test_a_stream_that_gives_few_bytes_at_a_time_makes_no_difference():
    class Trickle(io.BytesIO):
        def read(self, size: int = -1, /):
            return super().read(min(size, 7) if size >= 0 else 7)

    for compression in COMPRESSIONS:
        data, _ = warc(pages(3, 50), compression)
        assert list(read_captures(Trickle(data), CrawlLimits())) == read(data)


def test_records_that_are_never_pages_are_counted_once_per_type():
    kinds = ["warcinfo", "request", "response", "request", "metadata", "revisit", "resource", "experiment"]
    items = read(warc([record(http(page(1)), kind=kind) for kind in kinds])[0])
    assert len(captures(items)) == 1
    counts = {item.reason: item.detail for item in items if isinstance(item, Refusal)}
    assert counts == {
        "skipped_warcinfo": "1",
        "skipped_request": "2",
        "skipped_metadata": "1",
        "skipped_revisit": "1",
        "skipped_resource": "1",
        "skipped_other": "1",
    }


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_headers_whose_lines_end_in_lf_alone_are_read(compression: str):
    lines = [record(http(page(i)), newline="\n") for i in range(3)]
    assert [item.html for item in captures(read(warc(lines, compression)[0]))] == [page(i).decode() for i in range(3)]


def test_header_names_in_any_case_folded_lines_and_bracketed_urls_are_read():
    one = record(http(page(1)), url="<http://a.example/x>").replace(b"WARC-Type: response", b"warc-TYPE:\r\n  response")
    (item,) = captures(read(warc([one])[0]))
    assert item.url == "http://a.example/x"


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_header_over_64_kib_is_refused_by_name_and_costs_no_other_record(compression: str):
    records = pages(3)
    records[1] = record(http(page(1)), "X-Padding: " + "x" * 70_000)
    items = read(warc(records, compression)[0])
    assert [item.html for item in captures(items)] == [page(0).decode(), page(2).decode()]
    assert reasons(items) == ["header_too_large"]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("length", ["10", "2000000000", "9999", "-5", "12x", "", None])
def test_a_wrong_content_length_costs_that_record_alone(compression: str, length: str | None):
    records = pages(4)
    records[1] = record(http(page(1)), length=length) if length != "" else record(http(page(1)), length=" ")
    items = read(warc(records, compression)[0])
    assert [item.html for item in captures(items)] == [page(i).decode() for i in (0, 2, 3)]
    assert reasons(items) == ["wrong_content_length"]


def test_a_page_that_quotes_a_warc_record_stays_whole():
    quoting = b"<pre>\r\n\r\n" + pages(1)[0] + b"</pre>" + page(7)
    for compression in COMPRESSIONS:
        items = read(warc([record(http(quoting)), *pages(2)], compression)[0])
        assert captures(items)[0].html == quoting.decode()
        assert len(items) == 3


def test_empty_files_files_of_other_formats_and_empty_members_are_named():
    assert reasons(read(b"")) == ["empty_file"]
    assert reasons(read(b"\r\n\r\n")) == ["not_warc"]
    assert reasons(read(b"%PDF-1.4 " + bytes(range(256)) * 5000)) == ["not_warc"]
    assert reasons(read(gzip.compress(b"just text"))) == ["not_warc"]
    assert reasons(read(gzip.compress(b""))) == ["empty_member"]
    assert reasons(read(b"\x1f\x8b")) == ["truncated_record"]
    assert reasons(read(b"\x28\xb5")) == ["not_warc"]
    assert reasons(read(gzip.compress(b"")[:-4] + b"oops")) == ["damaged_member"]


def test_zstd_files_with_a_dictionary_in_a_skippable_frame_are_read():
    dictionary = zstandard.train_dictionary(4096, pages(200, 40))
    compressor = zstandard.ZstdCompressor(dict_data=dictionary, write_checksum=True)
    for stored in (dictionary.as_bytes(), zstandard.ZstdCompressor().compress(dictionary.as_bytes())):
        head = b"\x5d\x2a\x4d\x18" + struct.pack("<I", len(stored)) + stored
        items = read(head + b"".join(compressor.compress(one) for one in pages(4)))
        assert [item.html for item in captures(items)] == [page(i).decode() for i in range(4)]
        assert reasons(items) == ["skipped_frame"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: one.replace(b"application/http; msgtype=response", b"text/dns"), "not_http"),
        (lambda one: one.replace(b"WARC-Target-URI", b"X-Target-URI"), "bad_header"),
        (lambda one: one.replace(b"WARC-Type", b"WARC-Tipe"), "bad_header"),
        (lambda one: one.replace(b"WARC-Date", b"WARC-Truncated: length\r\nWARC-Date"), "truncated_payload"),
        (lambda one: one.replace(b"HTTP/1.1", b"GOPHER/1"), "not_http"),
    ],
)
def test_a_record_that_is_no_page_has_a_named_reason(change: Callable[[bytes], bytes], reason: str):
    items = read(warc([change(pages(1)[0]), *pages(1)])[0])
    assert reasons(items) == [reason]
    assert len(captures(items)) == 1


def test_a_record_with_an_endless_url_is_refused_and_names_its_beginning():
    longest = "http://a.example/" + "a" * ((8 << 10) - len("http://a.example/"))
    records = [record(http(page(1)), url=url) for url in (longest, longest + "a")]
    items = read(warc([*records, record(b"no HTTP", url=longest + "a")])[0])
    assert [item.url for item in captures(items)] == [longest]
    assert reasons(items) == ["bad_url", "bad_url"]
    assert [item.url for item in items if isinstance(item, Refusal)] == [longest[:200]] * 2
