"""Records and members made to exhaust memory are refused while they stream."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import time
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest
import zstandard
from warc_files import COMPRESSIONS, LIMITS, captures, compress, http, page, pages, read, reasons, record

from seed_platform.crawl.warc import CrawlLimits, read_captures

MIB = 1 << 20


class Stream(io.RawIOBase):
    """Bytes that are made while they are read and never held as a whole."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)

    def readable(self):
        return True

    def read(self, size: int = -1, /):  # noqa: ARG002
        return next(self._parts, b"")


def noise(mebibytes: int):
    """Text that does not compress away, one MiB at a time."""
    block = b"".join(page(i, 500) for i in range(300))[:MIB]
    assert len(block) == MIB
    return (block[i % MIB :] + block[: i % MIB] for i in range(0, mebibytes * 7919, 7919))


def streamed(parts: Iterable[bytes], compression: str) -> Iterable[bytes]:
    """The parts as one member."""
    if compression == "plain":
        return parts
    packer = zlib.compressobj(1, wbits=31) if compression == "gzip" else zstandard.ZstdCompressor(1).compressobj()
    return (piece for part in (*parts, None) if (piece := packer.flush() if part is None else packer.compress(part)))


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_record_of_100_mb_is_refused_without_being_held(compression: str):
    header = record(b"", length=str(100 * MIB)).removesuffix(b"\r\n\r\n")
    large = streamed(itertools.chain([header], noise(100), [b"\r\n\r\n"]), compression)
    before, after = (compress(one, compression) for one in pages(2))
    stream = Stream(itertools.chain([before], large, [after]))
    tracemalloc.start()
    try:
        items = list(read_captures(stream, LIMITS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item.html for item in captures(items)] == [page(0).decode(), page(1).decode()]
    assert reasons(items) == ["too_large"]
    assert peak < 12 * MIB


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("length", ["", "300"])
def test_a_bomb_is_refused_without_being_unpacked(compression: str, length: str | None):
    block = http(b" " * 50 * MIB)
    bomb = compress(record(block, length=length or str(len(block))), compression)
    before, after = (compress(one, compression) for one in pages(2))
    del block
    tracemalloc.start()
    try:
        items = read(before + bomb + after)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [item.html for item in captures(items)] == [page(0).decode(), page(1).decode()]
    assert "bomb" in reasons(items)
    assert peak < 12 * MIB


def test_a_small_page_of_blanks_is_no_bomb():
    text = b"<p>" + b" " * (MIB // 2)
    assert len(captures(read(gzip.compress(record(http(text)))))) == 1


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_the_largest_admitted_record_is_read_and_one_byte_more_is_too_large(compression: str):
    fits, exceeds = http(page(1, 100)), http(page(1, 100) + b" ")
    limits = CrawlLimits(max_record_bytes=len(fits))
    data = b"".join(compress(record(block), compression) for block in (fits, exceeds, fits))
    items = read(data, limits)
    assert len(captures(items)) == 2
    assert reasons(items) == ["too_large"]


def test_members_that_each_run_on_through_all_that_follow_cost_linear_work():
    def stored(size: int) -> bytes:
        return b"\0" + struct.pack("<HH", size, size ^ 0xFFFF)

    # The last block of each member swallows the beginning of the next, so that all of them run to the end of the file.
    begin = b"\x1f\x8b\x08" + bytes(7) + stored(5) + b"WARC/"
    data = (begin + stored(len(begin))) * 40_000
    before = time.process_time()
    items = read(data)
    assert time.process_time() - before < 10
    assert set(reasons(items)) <= {"damaged_member", "truncated_record"}


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_memory_does_not_grow_with_the_file(compression: str):
    # The same members again and again, so that the test holds no more of the file than the reader does.
    one = compress(b"".join(pages(20)), compression)
    count = 20 * MIB // len(one) if compression == "plain" else 100
    tracemalloc.start()
    try:
        found = sum(1 for item in read_captures(Stream(one for _ in range(count)), LIMITS))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == 20 * count
    assert peak < 6 * MIB
