"""What reading a crawl gives: captures, refusals and the limits between them.

Here: the plain values that every module of the package shares. Not here: how they come about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class CrawlLimits:
    """How much one record may cost.

    Attributes:
        max_record_bytes: largest record block and largest decoded payload, in bytes.
        max_ratio: largest allowed content bytes per compressed byte, once `RATIO_FLOOR` content bytes are out.
    """

    max_record_bytes: int = 16 << 20
    max_ratio: float = 200.0


RATIO_FLOOR = 1 << 20
"""Content bytes below which no ratio makes a bomb: a page of blanks compresses a thousandfold and harms nobody."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One HTML response.

    Attributes:
        url: WARC-Target-URI.
        record_id: WARC-Record-ID without "<urn:uuid:" and ">".
        captured_at: WARC-Date; None where it is missing or unreadable.
        offset: where the record begins in the file; for compressed files, its gzip member or zstd frame.
        length: bytes of the file from `offset` to the next record. Where several records share one member, it is 0 for
            all of them but the last, which has the length of the member: none of them can be read alone.
        status: HTTP status.
        html: the body as text.
        size: bytes of the body without its transfer and content codings.
        encoding: Python's name of the character set that was used.
    """

    url: str
    record_id: str
    captured_at: datetime | None
    offset: int
    length: int
    status: int
    html: str
    size: int
    encoding: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A part of the file that is no page, or a count of records that are never pages (reason "skipped_<type>").

    Attributes:
        offset: as of a capture; of the first one for a count.
        reason: stable name.
        detail: one line for a person; the number of records for a count.
        url: WARC-Target-URI where it is known; the first 200 characters of one of more than 8 KiB.
        length: bytes of the file this accounts for. Over one file the lengths of all captures and refusals add up to
            its size.
    """

    offset: int
    reason: str
    detail: str = ""
    url: str | None = None
    length: int = 0


class Refused(Exception):  # noqa: N818 - an outcome, not an error
    """A record cannot be admitted: `reason` is a stable name, `detail` one line."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
