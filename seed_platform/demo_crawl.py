"""The demo's crawl: documentation that packages ship, wrapped into WARC files as a crawler writes them.

One record in the middle is damaged on purpose, to show that it costs nothing but itself. What belongs here: making
input. What does not: reading it (`crawl/`).
"""

from __future__ import annotations

import io
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from fastwarc.warc import WarcRecord, WarcRecordType

from seed_platform.crawl.locations import PAGE_SUFFIXES
from seed_platform.sources.base import Limits, SourceFile, display_path
from seed_platform.sources.kinds import kind_of, source_of

SITES = (
    ("pypi:sqlalchemy==2.0.30", "doc/", "https://docs.sqlalchemy.example/en/20/"),
    ("pypi:lxml==5.2.1", "doc/html/", "https://lxml.example/"),
    ("pypi:docutils==0.21.2", "docs/", "https://docutils.example/docs/"),
)
"""Packages, the folder in them that has HTML, and where the demo says that it was crawled."""

_DATE = "2024-04-20T12:00:00Z"
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122, of URLs


def write_crawl(destination: Path, limits: Limits, cache: Path) -> int:
    """Write one WARC file of all sites; returns how many pages it has, the damaged one included.

    Raises:
        SourceError: a package cannot be had.
    """
    members = [_member(url, html) for url, html in _pages(limits, cache)]
    middle = len(members) // 2
    damaged = bytearray(members[middle])
    damaged[len(damaged) // 2 : len(damaged) // 2 + 64] = bytes(64)
    members[middle] = bytes(damaged)
    destination.parent.mkdir(parents=True, exist_ok=True)
    destination.write_bytes(b"".join(members))
    return len(members)


def _pages(limits: Limits, cache: Path) -> Iterator[tuple[str, bytes]]:
    for spec, folder, base in SITES:
        source = source_of(kind_of(spec))
        for entry in source.read(source.pin(spec, limits), limits, str(cache)):
            if not isinstance(entry, SourceFile) or entry.content is None:
                continue
            path = display_path(entry.path)
            if path.startswith(folder) and path.lower().endswith(PAGE_SUFFIXES):
                yield base + quote(path.removeprefix(folder)), entry.content


def _member(url: str, html: bytes) -> bytes:
    """A response record, compressed on its own as crawlers do."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(html)}\r\n\r\n"
    record = WarcRecord()
    record.init_headers(record_type=WarcRecordType.response, record_urn=f"uuid:{uuid.uuid5(_NAMESPACE, url)}".encode())
    record.headers["WARC-Target-URI"] = url
    record.headers["WARC-Date"] = _DATE
    record.headers["Content-Type"] = "application/http; msgtype=response"
    record.set_bytes_content(head.encode() + html)
    plain = io.BytesIO()
    record.write(plain)
    compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
    return compressor.compress(plain.getvalue()) + compressor.flush()
