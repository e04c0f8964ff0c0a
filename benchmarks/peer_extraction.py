"""trafilatura or resiliparse extracting pages; runs in the peers' environment.

    python benchmarks/peer_extraction.py trafilatura|resiliparse WARCS TEXTS

WARCS is a folder of WARC files, read with FastWARC; TEXTS gets a JSON line for each page: record id and text. Both are
asked for the main content only: trafilatura in its precision mode without comments, resiliparse with `main_content`.
What belongs here: these two libraries.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import trafilatura
from fastwarc.warc import ArchiveIterator, WarcRecordType
from measure import mark
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding


def pages(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Record id and HTML of each response."""
    for path in sorted(folder.glob("*.warc*")):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
                identifier = str(record.record_id).strip("<>").removeprefix("urn:uuid:")
                if "html" in (record.http_content_type or ""):
                    yield identifier, record.reader.read()


def by_trafilatura(html: str) -> str:
    """Main content without comments."""
    return trafilatura.extract(html, favor_precision=True, include_comments=False) or ""


def by_resiliparse(html: str) -> str:
    """Main content."""
    return str(extract_plain_text(html, main_content=True))


def main() -> None:
    """Extract all pages with one of the two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("peer", choices=("trafilatura", "resiliparse"))
    options.add_argument("warcs", type=Path)
    options.add_argument("texts", type=Path)
    given = options.parse_args()
    extract = by_trafilatura if given.peer == "trafilatura" else by_resiliparse
    extract("<html><body><p>text</p></body></html>")
    mark("start")
    size, texts = 0, []
    for identifier, body in pages(given.warcs):
        size += len(body)
        texts.append((identifier, extract(bytes_to_str(body, detect_encoding(body)))))
    mark("extract", pages=len(texts), bytes=size)
    with given.texts.open("w") as out:
        for identifier, text in texts:
            out.write(json.dumps([identifier, text]) + "\n")
    mark("write")


if __name__ == "__main__":
    main()
