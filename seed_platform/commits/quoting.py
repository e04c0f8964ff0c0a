r"""Paths in double quotes, as git writes those that hold odd characters (`core.quotePath=false`).

What belongs here: quoting and its inverse. What does not: where paths stand in a patch.
"""

from __future__ import annotations

import re

_LETTERS = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_ESCAPES = {chr(code): f"\\{letter}" for letter, code in _LETTERS.items()}
_ODD = re.compile(r'[\x00-\x1f\x7f"\\]')
_ESCAPED = re.compile(rb'\\([0-7]{1,3}|[abtnvfr"\\])')
QUOTED = r'"(?:[^"\\\n]|\\.)*"'
"""A pattern for text in quotes."""


def quoted(path: str) -> str:
    r"""The path, in quotes and escaped if it holds control characters, quotes or backslashes."""
    if not _ODD.search(path):
        return path
    return '"' + _ODD.sub(lambda match: _ESCAPES.get(match[0]) or f"\\{ord(match[0]):03o}", path) + '"'


def unquoted(text: str) -> str:
    """The path that `quoted`, or git, wrote so. Raises `ValueError` if its bytes are not UTF-8."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    return _ESCAPED.sub(_byte, text[1:-1].encode()).decode()


def _byte(match: re.Match[bytes]) -> bytes:
    escape = match[1].decode()
    return bytes([_LETTERS[escape] if escape in _LETTERS else int(escape, 8) & 0xFF])
