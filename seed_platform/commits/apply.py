r"""Unified patches in git's form, read exactly and applied byte for byte.

Lines end at "\n" and nowhere else, so that carriage returns, form feeds and other separators stay where they are. What
belongs here: the text of a patch in, files out. What does not: what a patch means to filters (`patches.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seed_platform.commits.quoting import QUOTED, unquoted

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_QUOTED_NAMES = re.compile(f"({QUOTED}|a/.*) ({QUOTED}|b/.*)")
_FILE = "diff --git "
_NO_NEWLINE = "\\ "


class PatchError(ValueError):
    """Text that is no such patch, or a patch that does not fit the files it is applied to."""


@dataclass(frozen=True, slots=True)
class Hunk:
    r"""Changed lines with their surroundings.

    Attributes:
        old_start: as in the header: the first old line, from 1; the line before, if there are no old lines.
        lines: (sign, text): " " for both sides, "-" for old, "+" for new; the text with its "\n", if it has one.
    """

    old_start: int
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What a patch does to one file.

    Attributes:
        path: after; before, for a deletion.
        old_path: before, if it differs.
        kind: "add", "delete", "rename" (changed as well or not), "mode" (nothing else) or "modify".
        hunks: in the order of the file.
        text: this file's part of the patch, as it was written.
    """

    path: str
    old_path: str | None
    kind: str
    hunks: tuple[Hunk, ...]
    text: str


def parse_changes(patch: str) -> tuple[FileChange, ...]:
    """The files of a patch, in order. Raises `PatchError`. A binary file's change has no hunks."""
    lines = patch.split("\n")
    if lines.pop() != "":
        raise PatchError("the last line has no end")
    files = []
    at = 0
    while at < len(lines):
        if not lines[at].startswith(_FILE):
            raise PatchError(f"line {at + 1} begins no file")
        start = at
        at += 1
        header = {}
        while at < len(lines) and not lines[at].startswith((_FILE, "@@ ")):
            for key in ("old mode", "new file", "deleted file", "rename from", "rename to"):
                if lines[at].startswith(f"{key} "):
                    header[key] = lines[at][len(key) + 1 :]
            at += 1
        hunks = []
        while at < len(lines) and lines[at].startswith("@@ "):
            hunk, at = _hunk(lines, at)
            hunks.append(hunk)
        text = "".join(f"{line}\n" for line in lines[start:at])
        files.append(_file(lines[start], header, tuple(hunks), text))
    return tuple(files)


def _file(first: str, header: Mapping[str, str], hunks: tuple[Hunk, ...], text: str) -> FileChange:
    if "rename from" in header and "rename to" in header:
        old, new = unquoted(header["rename from"]), unquoted(header["rename to"])
        return FileChange(new, old, "rename", hunks, text)
    kind = "modify" if hunks or "old mode" not in header else "mode"
    kind = "add" if "new file" in header else "delete" if "deleted file" in header else kind
    return FileChange(_name(first.removeprefix(_FILE)), None, kind, hunks, text)


def _name(names: str) -> str:
    """The name in "a/NAME b/NAME", which is the same twice and so needs no marks where it ends."""
    if names.startswith('"'):
        match = _QUOTED_NAMES.fullmatch(names)
        pair = (unquoted(match[1]), unquoted(match[2])) if match else ("", "")
    else:
        half = len(names) // 2
        pair = (names[:half], names[half + 1 :])
    if not (pair[0].startswith("a/") and pair[1].startswith("b/") and pair[0][2:] == pair[1][2:]):
        raise PatchError(f"not the same name twice: {names}")
    return pair[0][2:]


def _hunk(lines: Sequence[str], at: int) -> tuple[Hunk, int]:
    """The hunk whose header is at `at`, and where the next thing begins. Its own counts say where it ends."""
    match = _HUNK.match(lines[at])
    if not match:
        raise PatchError(f"line {at + 1} is no hunk header")
    old, new = (1 if match[i] is None else int(match[i]) for i in (2, 4))
    body: list[tuple[str, str]] = []
    at += 1
    while old > 0 or new > 0:
        sign = lines[at][:1] if at < len(lines) else ""
        if sign == "\\" and body:
            body[-1] = _without_end(body[-1])
        elif sign in {" ", "-", "+"}:
            body.append((sign, f"{lines[at][1:]}\n"))
            old -= sign != "+"
            new -= sign != "-"
        else:
            raise PatchError(f"line {at + 1} is not in its hunk")
        at += 1
    if at < len(lines) and lines[at].startswith(_NO_NEWLINE):
        body[-1] = _without_end(body[-1])
        at += 1
    return Hunk(int(match[1]), tuple(body)), at


def _without_end(line: tuple[str, str]) -> tuple[str, str]:
    return line[0], line[1].removesuffix("\n")


def apply_changes(target: Sequence[FileChange], before: Mapping[str, bytes]) -> dict[str, bytes | None]:
    """The content after, of every path that the changes name; None where there is no file any more.

    Args:
        target: changes of text files, each relative to `before`.
        before: content by path, of at least the files that are modified, renamed or deleted.

    Raises:
        PatchError: if a file is missing, or its lines are not those that the change expects.
    """
    after: dict[str, bytes | None] = {}
    for change in target:
        if change.kind == "delete" or change.old_path is not None:
            after[change.old_path or change.path] = None
    for change in target:
        old_path = change.old_path or change.path
        if change.kind != "add" and old_path not in before:
            raise PatchError(f"no file {old_path}")
        content = patched(b"" if change.kind == "add" else before[old_path], change.hunks)
        if change.kind != "delete":
            after[change.path] = content
        elif content:
            raise PatchError(f"{old_path} is not deleted whole")
    return after


def patched(content: bytes, hunks: Sequence[Hunk]) -> bytes:
    """`content` with the hunks applied, each exactly where it says. Raises `PatchError`."""
    lines = list(_lines(content))
    parts: list[bytes] = []
    at = 0
    for hunk in hunks:
        has_old = any(sign != "+" for sign, _ in hunk.lines)
        start = hunk.old_start - 1 if has_old else hunk.old_start
        if not at <= start <= len(lines):
            raise PatchError(f"a hunk at line {hunk.old_start} of a file of {len(lines)} lines")
        parts += lines[at:start]
        at = start
        for sign, text in hunk.lines:
            line = text.encode()
            if sign != "+":
                if at >= len(lines) or lines[at] != line:
                    raise PatchError(f"line {at + 1} is not what the hunk expects")
                at += 1
            if sign != "-":
                parts.append(line)
    parts += lines[at:]
    return b"".join(parts)


def _lines(content: bytes) -> Iterator[bytes]:
    """The lines with their ends."""
    start = 0
    while start < len(content):
        end = content.find(b"\n", start) + 1 or len(content)
        yield content[start:end]
        start = end
