"""The inbox: a folder or prefix into which crawl segments are delivered, each a folder of WARC files.

A segment is complete when the file `_SUCCESS` is in its folder, which whoever delivers it writes last. What belongs
here: which segments are complete. What does not: registering them (`automation/sensors.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seed_platform.crawl.locations import s3
from seed_platform.errors import UsageError

MARKER = "_SUCCESS"
_S3 = "s3://"


@dataclass(frozen=True, slots=True)
class Segment:
    """A complete segment: the name of its folder, and where that is."""

    name: str
    location: str


def complete_segments(inbox: str) -> list[Segment]:
    """The complete segments of an inbox, by name.

    Raises:
        UsageError: there is no such folder.
    """
    if inbox.startswith(_S3):
        root = inbox.rstrip("/")
        found = [f"{_S3}{key}" for key in s3(root).glob(f"{root}/*/{MARKER}")]
        return sorted((Segment(path.split("/")[-2], path.rpartition("/")[0] + "/") for path in found), key=_by_name)
    folder = Path(inbox)
    if not folder.is_dir():
        raise UsageError(f"the inbox {inbox} is no folder (setting crawl_inbox)")
    complete = (each.parent for each in folder.glob(f"*/{MARKER}"))
    return sorted((Segment(each.name, str(each)) for each in complete), key=_by_name)


def _by_name(segment: Segment) -> str:
    return segment.name
