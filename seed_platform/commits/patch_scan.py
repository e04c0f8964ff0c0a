r"""The lines of patches, compiled: what each line is, and two digests of a patch's text.

Lines end with "\n" only. Lines of a hunk are told by its counts, never by how they look: a removed line "-- x" reads
"--- x". What belongs here: bytes in, numbers and bytes out. What does not: paths in quotes, hunks as objects, columns
(`patches.py`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]

NOISE, FILE, HEADER, OLD_PATH, NEW_PATH, HUNK, CONTEXT, ADDED, REMOVED, NO_NEWLINE = range(10)
"""What a line is. FILE is "diff --git …", HEADER what follows it up to the paths; NOISE is what does not tell changes
apart, such as ids of blobs, similarities and text around the patch."""

# For functions that only compiled ones call: without what Python would call them by, which takes time to compile.
_inner = njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _literal(text: bytes) -> Bytes:
    return np.frombuffer(text, dtype=np.uint8).copy()


_DIFF, _OLD, _NEW, _AT = _literal(b"diff --git "), _literal(b"--- "), _literal(b"+++ "), _literal(b"@@ -")
_INDEX, _SIMILAR, _DISSIMILAR = _literal(b"index "), _literal(b"similarity index "), _literal(b"dissimilarity index ")
_RENAMED, _COPIED, _NOTHING = _literal(b"rename to "), _literal(b"copy to "), _literal(b"/dev/null")
_LF, _CR, _TAB, _SPACE, _PLUS, _MINUS, _COMMA, _SLASH, _ZERO, _QUOTE, _BACKSLASH = b'\n\r\t +-,/0"\\'
_A, _B = b"ab"
_MOST = 1 << 40


@_inner
def _starts(text: Bytes, start: int, end: int, wanted: Bytes) -> bool:
    if end - start < len(wanted):
        return False
    same = True
    for i in range(len(wanted)):
        same = same and text[start + i] == wanted[i]
    return same


@_inner
def _line_end(text: Bytes, start: int, end: int) -> int:
    r"""Where the line that begins at `start` ends: its "\n", or `end`."""
    while start < end and text[start] != _LF:
        start += 1
    return start


@_inner
def _count(text: Bytes, at: int, end: int) -> tuple[int, int]:
    """The number of lines of a range "12,3" or "12" at `at`, -1 if there is none; and where the range ends."""
    value, digits = 0, 0
    while at < end and _ZERO <= text[at] <= _ZERO + 9:
        value, digits, at = min(value * 10 + text[at] - _ZERO, _MOST), digits + 1, at + 1
    if digits == 0:
        return -1, at
    if at == end or text[at] != _COMMA:
        return 1, at
    value, digits, at = 0, 0, at + 1
    while at < end and _ZERO <= text[at] <= _ZERO + 9:
        value, digits, at = min(value * 10 + text[at] - _ZERO, _MOST), digits + 1, at + 1
    return (value if digits else -1), at


@_inner
def _counts(text: Bytes, start: int, end: int) -> tuple[int, int]:
    """How many old and new lines the hunk has that the line "@@ -1,2 +3,4 @@" opens; -1 if it is no such line."""
    if not _starts(text, start, end, _AT):
        return -1, -1
    old, at = _count(text, start + len(_AT), end)
    if old < 0 or at + 2 >= end or text[at] != _SPACE or text[at + 1] != _PLUS:
        return -1, -1
    new, _ = _count(text, at + 2, end)
    return (old, new) if new >= 0 else (-1, -1)


@_inner
def _outside(text: Bytes, start: int, stop: int, end: int, before: int) -> int:
    """What the line `text[start:stop]` is that belongs to no hunk, behind a line that is `before`."""
    if _starts(text, start, stop, _DIFF):
        return FILE
    if _starts(text, start, stop, _OLD) and _starts(text, min(stop + 1, end), end, _NEW):
        return OLD_PATH
    if before == OLD_PATH:
        return NEW_PATH
    if before >= CONTEXT and stop > start and text[start] == _BACKSLASH:
        return NO_NEWLINE
    noise = _starts(text, start, stop, _INDEX) or _starts(text, start, stop, _SIMILAR)
    if noise or _starts(text, start, stop, _DISSIMILAR) or stop == start:
        return NOISE
    return HEADER


@njit(cache=True, nogil=True)
def scan(text: Bytes, start: int, end: int, kinds: Bytes, starts: Offsets) -> int:
    """Write what each line of `text[start:end]` is and where it begins; returns how many lines.

    `kinds` and `starts` have an entry more than there are lines; the last of `starts` is where a next line would be.
    """
    lines = 0
    old = new = 0
    before, in_header, in_file = NOISE, False, False
    at = start
    while at < end:
        stop = _line_end(text, at, end)
        first = text[at] if stop > at else _SPACE
        kind = NOISE
        if old > 0 or new > 0:
            if first == _SPACE and old > 0 and new > 0:
                kind, old, new = CONTEXT, old - 1, new - 1
            elif first == _PLUS and new > 0:
                kind, new = ADDED, new - 1
            elif first == _MINUS and old > 0:
                kind, old = REMOVED, old - 1
            elif first == _BACKSLASH:
                kind = NO_NEWLINE
            else:  # the patch was cut or edited
                old = new = 0
        if kind == NOISE:
            opened = _counts(text, at, stop) if in_file else (-1, -1)
            if opened[0] >= 0:
                kind, old, new, in_header = HUNK, opened[0], opened[1], False
            else:
                kind = _outside(text, at, stop, end, before)
                if kind in (FILE, OLD_PATH):
                    in_header = in_file = True
                elif kind == HEADER and not in_header:
                    kind = NOISE
        kinds[lines], starts[lines], before = kind, at, kind
        lines += 1
        at = stop + 1
    starts[lines] = at
    return lines


@_inner
def _path_range(text: Bytes, kinds: Bytes, starts: Offsets, line: int, lines: int) -> tuple[int, int]:
    """Where the path stands of the file whose header begins at `line`: the new one, for a deletion the old one."""
    low = high = 0
    named = False
    first = line
    while line < lines and kinds[line] < HUNK and (line == first or kinds[line] != FILE):
        start, stop = starts[line], starts[line + 1] - 1
        kind = kinds[line]
        if kind == FILE and not named:
            # "a/x b/x": both halves are equal where no other line names the path.
            low, high = start + len(_DIFF), start + len(_DIFF) + (stop - start - len(_DIFF)) // 2
        elif kind == HEADER and _starts(text, start, stop, _RENAMED):
            low, high, named = start + len(_RENAMED), stop, True
        elif kind == HEADER and _starts(text, start, stop, _COPIED):
            low, high, named = start + len(_COPIED), stop, True
        elif (kind == OLD_PATH or (kind == NEW_PATH and not _starts(text, start + 4, stop, _NOTHING))) and not named:
            low, high = start + 4, start + 4
            while high < stop and text[high] != _TAB:
                high += 1
            if kind == OLD_PATH and _starts(text, low, high, _NOTHING):
                high = low
        line += 1
        if kind == NEW_PATH:
            break
    quote = 1 if high > low and text[low] == _QUOTE else 0
    at = low + quote
    if not named and high - at > 2 and text[at + 1] == _SLASH and (text[at] == _A or text[at] == _B):
        low += 2
    return low, high


@_inner
def _write_changes(text: Bytes, kinds: Bytes, starts: Offsets, lines: int, out: Bytes, place: int) -> int:
    """Write each file's path and then its added and removed lines to `out` at `place`; returns where they end."""
    in_header = False
    for line in range(lines):
        kind = kinds[line]
        opens = kind == FILE or (kind == OLD_PATH and not in_header)
        if kind == FILE:
            in_header = True
        elif kind == HUNK:
            in_header = False
        if opens:
            low, high = _path_range(text, kinds, starts, line, lines)
        elif kind in (ADDED, REMOVED):
            low, high = starts[line], starts[line + 1] - 1
        else:
            continue
        for at in range(low, high):  # faster than a slice, which is made anew for every line
            out[place + at - low] = text[at]
        if opens and low >= 2 and text[low - 2] == _QUOTE and text[low - 1] in (_A, _B):
            out[place] = _QUOTE  # in place of the slash: the prefix of a path in quotes stands inside them
        place += high - low
        out[place] = _LF
        place += 1
    return place


@_inner
def _write_identity(text: Bytes, kinds: Bytes, starts: Offsets, lines: int, out: Bytes, place: int) -> int:
    """Write each file's header and the lines of its hunks without whitespace, a line feed between two files."""
    begin, in_header = place, False
    for line in range(lines):
        kind = kinds[line]
        if kind in (NOISE, HUNK, NO_NEWLINE):
            in_header = in_header and kind != HUNK
            continue
        if kind == FILE or (kind == OLD_PATH and not in_header):
            if place > begin:
                out[place] = _LF
                place += 1
            in_header = kind == FILE
        for at in range(starts[line], starts[line + 1] - 1):
            byte = text[at]
            if byte not in (_SPACE, _TAB, _LF, _CR):
                out[place] = byte
                place += 1
    return place


@njit(cache=True, nogil=True)
def digest(text: Bytes, offsets: Offsets, most_lines: int, identity: bool, out: Bytes, ends: Offsets) -> None:  # noqa: FBT001 - compiled
    """Write one digest of each patch `text[offsets[i]:offsets[i + 1]]` to `out`, and where each ends to `ends[i + 1]`.

    Either its changes, each file's path and then its added and removed lines, or its identity: each file's header and
    the lines of its hunks, all without whitespace, a line feed between two files. A digest is at most a byte longer
    than its patch. No patch may have more than `most_lines` lines.
    """
    kinds = np.empty(most_lines + 1, dtype=np.uint8)
    starts = np.empty(most_lines + 1, dtype=np.int64)
    place = 0
    ends[0] = 0
    for row in range(len(offsets) - 1):
        lines = scan(text, offsets[row], offsets[row + 1], kinds, starts)
        if identity:
            place = _write_identity(text, kinds, starts, lines, out, place)
        else:
            place = _write_changes(text, kinds, starts, lines, out, place)
        ends[row + 1] = place
