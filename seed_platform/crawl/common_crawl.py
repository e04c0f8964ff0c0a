"""Common Crawl: which WARC files a crawl has, by its list of paths, and those of some of its segments.

What belongs here: the layout of Common Crawl's bucket. What does not: reading WARC files.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from seed_platform.crawl.locations import read_bytes
from seed_platform.errors import UsageError
from seed_platform.sources.base import Limits, SourceError

_CRAWL = re.compile(r"CC-MAIN-\d{4}-\d{2}|CC-NEWS/\d{4}/\d{2}")
_SEGMENT = re.compile(r"/segments/([^/]+)/warc/")
_MOST_LIST_BYTES = 64 << 20
_MOST_PATHS_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Range:
    """A range [start, stop) of a list, as `START:STOP` says it; without a stop, to the end."""

    start: int
    stop: int | None

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read `3`, `0:3` or `10:`. Raises `UsageError` for anything else."""
        match = re.fullmatch(r"(\d{1,9})(?:(:)(\d{0,9}))?", text)
        if not match:
            raise UsageError(f"a range is START:STOP, such as 0:3, or one number, not {text!r}")
        start = int(match[1])
        if match[2] is None:
            return cls(start, start + 1)
        stop = int(match[3]) if match[3] else None
        if stop is not None and stop <= start:
            raise UsageError(f"{text!r} is an empty range")
        return cls(start, stop)


def warc_urls(root: str, crawl: str, segments: Range, files: Range | None, limits: Limits) -> list[str]:
    """URLs of the WARC files of some segments of a crawl, in the order of its list.

    Args:
        root: where Common Crawl is, `https://…` or `s3://…`, without a slash at the end.
        crawl: such as CC-MAIN-2025-05.
        segments: which of its segments, sorted by name.
        files: which of each segment's files; all if None.
        limits: as for any source.

    Raises:
        UsageError: the crawl's name is malformed, or nothing is in the ranges.
        SourceError: its list of paths cannot be had.
    """
    if not _CRAWL.fullmatch(crawl):
        raise UsageError(f"a crawl is named like CC-MAIN-2025-05, not {crawl!r}")
    by_segment: dict[str, list[str]] = {}
    for path in _paths(f"{root}/crawl-data/{crawl}/warc.paths.gz", limits):
        match = _SEGMENT.search(path)
        by_segment.setdefault(match[1] if match else "", []).append(path)
    chosen = sorted(by_segment)[segments.start : segments.stop]
    wanted = files or Range(0, None)
    urls = [f"{root}/{path}" for segment in chosen for path in by_segment[segment][wanted.start : wanted.stop]]
    if not urls:
        raise UsageError(f"{crawl} has {len(by_segment)} segments; nothing is in the range asked for")
    return urls


def _paths(url: str, limits: Limits) -> list[str]:
    packed = read_bytes(url, limits, _MOST_LIST_BYTES)
    text = b""
    while packed:  # each member of a file of several
        unpacking = zlib.decompressobj(wbits=31)
        try:
            text += unpacking.decompress(packed, _MOST_PATHS_BYTES - len(text) + 1)
        except zlib.error as error:
            raise SourceError("damaged_archive", f"{url} is not gzip: {error}") from error
        if len(text) > _MOST_PATHS_BYTES:
            raise SourceError("too_large", f"{url} unpacks to over {_MOST_PATHS_BYTES} bytes")
        if not unpacking.eof:
            raise SourceError("damaged_archive", f"{url} ends in the middle of its gzip stream")
        packed = unpacking.unused_data
    return [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
