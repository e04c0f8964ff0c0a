"""Pages as generators and highlighters write them, small; and reading the code out of Markdown."""

from __future__ import annotations

import re

_FENCED = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
PROSE = (
    "The reader waits for the next record and gives it back as soon as it is complete, which most programs want. "
    "If a record is damaged, the reader goes on behind it, so that one bad record does not cost the others. "
)


def blocks(markdown: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return [(match[2], match[3]) for match in _FENCED.finditer(markdown)]


def article(inner: str, *, before: str = "", after: str = "", title: str = "A page") -> str:
    """A page with some prose and the given content within it."""
    head = f'<!DOCTYPE html><html lang="en-GB"><head><meta charset="utf-8"><title>{title}</title></head>'
    return f"{head}<body>{before}<div class='content'><p>{PROSE}</p>{inner}<p>{PROSE}</p></div>{after}</body></html>"
