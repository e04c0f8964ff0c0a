"""Names inside a source: which of them must not be used as a path.

What belongs here: judgements about raw, '/'-separated names that someone else chose. What does not: paths of this
machine, and where the names come from.
"""

from __future__ import annotations

import re

_DRIVE = re.compile(rb"[A-Za-z]:")


def unsafe_path(raw: bytes) -> str | None:
    r"""Why the name `raw` could lead outside the folder it is in, on any system; None if it cannot.

    A backslash by itself is an ordinary character of a name; it is judged as a separator as well, since on Windows it
    is one.
    """
    if not raw:
        return "empty name"
    if b"\0" in raw:
        return "NUL in the name"
    if raw.startswith((b"/", b"\\")):
        return "absolute path"
    if _DRIVE.match(raw):
        return "drive letter"
    if b".." in raw and b".." in re.split(rb"[/\\]", raw):
        return "'..' in the path"
    return None


def normalized(raw: bytes) -> bytes:
    """`raw` without "." and empty components, so that `./a` and `a` are one name. Absolute names stay absolute."""
    if b"./" not in raw and b"//" not in raw and not raw.endswith((b"/", b"/.")):
        return raw
    root = b"/" if raw.startswith(b"/") else b""
    return root + b"/".join(part for part in raw.split(b"/") if part not in (b"", b"."))
