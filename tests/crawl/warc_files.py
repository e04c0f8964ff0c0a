"""WARC files made for tests: records, and the three ways to put them into a file."""

from __future__ import annotations

import gzip
import io
import random

import zstandard

from seed_platform.crawl.warc import Capture, CrawlLimits, Refusal, read_captures

COMPRESSIONS = ("gzip", "zstd", "plain")
LIMITS = CrawlLimits(max_record_bytes=1 << 20)
END = b"\r\n\r\n"


def http(body: bytes, *headers: str, status: str = "200 OK", content_type: str | None = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Type: {content_type}"] if content_type else [])]
    return "\r\n".join(lines).encode() + END + body


def record(
    block: bytes,
    *headers: str,
    kind: str = "response",
    url: str = "http://a.example/",
    length: str | None = "",
    newline: str = "\r\n",
) -> bytes:
    """A record; `length` replaces the true Content-Length, and None leaves it out."""
    lines = [
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: {url}",
        "WARC-Record-ID: <urn:uuid:0b5a>",
        "WARC-Date: 2025-02-01T10:00:00Z",
        "Content-Type: application/http; msgtype=response",
        *headers,
        *([] if length is None else [f"Content-Length: {length or len(block)}"]),
    ]
    return newline.join([*lines, "", ""]).encode() + block + END


def page(number: int, size: int = 400) -> bytes:
    """Text that compresses as pages do, and differs from every other number's."""
    rng = random.Random(number)
    words = " ".join(
        rng.choice(["alpha", "beta", "gamma", "delta", "print(x)", str(rng.random())]) for _ in range(size)
    )
    return f"<html><body><h1>Page {number}</h1><p>{words}</p></body></html>".encode()


def pages(count: int, size: int = 400) -> list[bytes]:
    return [record(http(page(i, size)), url=f"http://a.example/{i}") for i in range(count)]


def compress(data: bytes, compression: str) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, mtime=0)
    if compression == "zstd":
        return zstandard.ZstdCompressor(write_checksum=True).compress(data)
    return data


def warc(records: list[bytes], compression: str = "gzip") -> tuple[bytes, list[int]]:
    """A file with one member per record: its bytes, and where each member begins, then where the file ends."""
    members = [compress(one, compression) for one in records]
    offsets = [0]
    for member in members:
        offsets.append(offsets[-1] + len(member))
    return b"".join(members), offsets


def read(data: bytes, limits: CrawlLimits = LIMITS) -> list[Capture | Refusal]:
    """Everything in a file; its bytes are accounted for without gaps or overlaps."""
    items = list(read_captures(io.BytesIO(data), limits))
    assert sum(item.length for item in items) == len(data)
    return items


def captures(items: list[Capture | Refusal]) -> list[Capture]:
    return [item for item in items if isinstance(item, Capture)]


def reasons(items: list[Capture | Refusal]) -> list[str]:
    return [item.reason for item in items if isinstance(item, Refusal)]
