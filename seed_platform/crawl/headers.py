"""Header fields as WARC and HTTP write them: "Name: value" lines.

Here: finding a field. Not here: what the fields mean.
"""

from __future__ import annotations

import re

BLANK_LINE = re.compile(rb"\n\r?\n")
"""The end of a header, whether its lines end in CR LF, as they should, or in LF."""

_FOLDED = re.compile(rb"\r?\n[ \t]+")


class Fields:
    """The fields of one header. They are searched when asked for: most fields of most records never are."""

    __slots__ = ("_lower", "_text")

    def __init__(self, header: bytes) -> None:
        """`header` is its first line (version or status), the fields after it and the blank line at the end."""
        if b"\n " in header or b"\n\t" in header:
            header = _FOLDED.sub(b" ", header)
        self._text = header
        self._lower = header.lower()

    def get(self, name: bytes) -> bytes | None:
        """The value of the first field `name`, which is given in lower case; stripped. None if there is none."""
        at = self._lower.find(b"\n%b:" % name)
        if at < 0:
            return None
        begin = at + len(name) + 2
        return self._text[begin : self._text.find(b"\n", begin)].strip()

    def text(self, name: bytes) -> str:
        """The value as text; "" if there is none."""
        return (self.get(name) or b"").decode("utf-8", "replace")
