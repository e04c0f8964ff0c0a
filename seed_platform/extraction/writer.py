"""Writing Markdown into a buffer: line breaks, prefixes of lists and quotations, spaces, inline code.

What belongs here: the state of a text that is being written, and the changes to it. What does not: the tree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from seed_platform.extraction.code_blocks import entity, longest_run
from seed_platform.extraction.scanning import Bytes, inner
from seed_platform.extraction.tree import Numbers

# The state of the text.
POSITION = 0
BREAK = 1  # line ends to write before more text: 0, 1, or 2 for an empty line
SPACE = 2  # whether white space was read since
QUOTES = 3  # open quotations
LISTS = 4  # open lists
MARKER = 5  # whether a list's marker is to be written, or a definition's
HEADING = 6  # the level of a heading that is to be written
FLAT = 7  # no line ends: within a heading, or a cell
PIPES = 8  # whether "|" has to be escaped
SCRIPT = 9  # the sign for a raised or lowered text that is to be written
LINKS = 10  # open links
CODES = 11  # open elements of inline code
CODE_START = 12  # where inline code began, -1 if none has
CODE_BEFORE = 13  # where the last inline code began, with its backticks
CODE_AFTER = 14  # where it ended
CODE_TEXT = 15  # where its text began
CODE_LENGTH = 16  # how long that is
TAIL = 17  # where the headings begin after which there is no text yet, -1 if there is
LINK_BYTES = 18
CODE_BYTES = 19
CODE_BLOCKS = 20
FIELDS = 21

# Deeper lists and quotations are written as if they were not as deep.
LIST_DEPTH = 8
QUOTE_DEPTH = 4
# The most that `begin` writes: two line ends, prefixes, a marker, a heading's.
PREFIX = 64 + 4 * LIST_DEPTH + 2 * QUOTE_DEPTH

# List columns: the number of the next item, 0 for a list without numbers; the width of its markers.
NUMBER, WIDTH = 0, 1
NO_MARKER, ITEM, DEFINITION = 0, 1, 2
# Longer inline code is not moved to be continued, since that would take time that grows with its square.
_REOPENED = 1000

_NEWLINE, _SPACE, _BACKTICK, _TILDE, _HASH, _PIPE, _BACKSLASH = 10, 32, 96, 126, 35, 124, 92
_AMPERSAND, _DASH, _MORE, _DOT, _COLON, _BRACKET, _ZERO = 38, 45, 62, 46, 58, 91, 48


@inner
def put(out: Bytes, state: Numbers, byte: int) -> None:
    """Write one byte."""
    out[state[POSITION]] = byte
    state[POSITION] += 1


@inner
def break_line(state: Numbers, lines: int) -> None:
    """End the line, and the paragraph if `lines` is 2, before more text is written."""
    if state[FLAT]:
        state[SPACE] = 1
    else:
        state[BREAK] = max(state[BREAK], lines)
        state[SPACE] = 0


@inner
def _put_marker(out: Bytes, state: Numbers, lists: Numbers) -> None:
    """Write the marker of the list item or definition that begins."""
    if state[MARKER] == DEFINITION:
        put(out, state, _COLON)
        put(out, state, _SPACE)
        return
    number = lists[min(state[LISTS], LIST_DEPTH) - 1, NUMBER]
    if number == 0:
        put(out, state, _DASH)
        put(out, state, _SPACE)
        return
    divisor = 1
    while number // divisor >= 10:
        divisor *= 10
    while divisor > 0:
        put(out, state, _ZERO + number // divisor % 10)
        divisor //= 10
    put(out, state, _DOT)
    put(out, state, _SPACE)


@inner
def _put_indent(out: Bytes, state: Numbers, lists: Numbers) -> None:
    """Write what a line begins with: signs of quotations, spaces for lists, the marker."""
    for _ in range(min(state[QUOTES], QUOTE_DEPTH)):
        put(out, state, _MORE)
        put(out, state, _SPACE)
    outer = min(state[LISTS], LIST_DEPTH) - (state[MARKER] == ITEM)
    for i in range(outer):
        for _ in range(lists[i, WIDTH]):
            put(out, state, _SPACE)
    if state[MARKER] != NO_MARKER:
        _put_marker(out, state, lists)
        state[MARKER] = NO_MARKER
    if state[HEADING]:
        if state[LISTS] == 0:
            for _ in range(state[HEADING]):
                put(out, state, _HASH)
            put(out, state, _SPACE)
        state[HEADING] = 0


@inner
def begin(out: Bytes, state: Numbers, lists: Numbers) -> bool:
    """Write what is due before more text; returns whether a line begins."""
    starts = state[BREAK] > 0 or state[POSITION] == 0
    if starts:
        if state[HEADING] == 0:
            state[TAIL] = -1
        elif state[TAIL] < 0:
            state[TAIL] = state[POSITION]
        if state[POSITION] > 0:
            for _ in range(state[BREAK]):
                put(out, state, _NEWLINE)
        state[BREAK] = 0
        state[SPACE] = 0
        _put_indent(out, state, lists)
    elif state[SPACE]:
        if out[state[POSITION] - 1] != _SPACE:
            put(out, state, _SPACE)
        state[SPACE] = 0
    elif state[SCRIPT]:
        put(out, state, state[SCRIPT])
    state[SCRIPT] = 0
    return starts


@inner
def _reopen_code(out: Bytes, state: Numbers) -> None:
    """Inline code directly after inline code goes on: two backticks that meet would mean something else."""
    text, before, size = state[CODE_TEXT], state[CODE_BEFORE], state[CODE_LENGTH]
    for i in range(size):
        out[before + i] = out[text + i]
    state[POSITION] = before + size
    state[CODE_START] = before
    state[CODE_BYTES] -= size


@inner
def _open_code(out: Bytes, state: Numbers) -> None:
    if state[POSITION] != state[CODE_AFTER]:
        state[CODE_START] = state[POSITION]
    elif state[CODE_LENGTH] <= _REOPENED:
        _reopen_code(out, state)
    else:
        put(out, state, _SPACE)
        state[CODE_START] = state[POSITION]


@inner
def close_code(out: Bytes, state: Numbers) -> None:
    """Put backticks around the inline code that ends here: more than there are in any run within it."""
    start, end = state[CODE_START], state[POSITION]
    state[CODE_START] = -1
    if start < 0 or end == start:
        return
    run = longest_run(out, start, end)
    ticks = run + 1
    padded = int(out[start] == _BACKTICK or out[end - 1] == _BACKTICK)
    shift = ticks + padded
    for i in range(end - 1, start - 1, -1):
        out[i + shift] = out[i]
    for i in range(ticks):
        out[start + i] = _BACKTICK
        out[end + shift + padded + i] = _BACKTICK
    if padded:
        out[start + ticks] = _SPACE
        out[end + shift] = _SPACE
    state[POSITION] = end + 2 * shift
    state[CODE_BEFORE], state[CODE_AFTER] = start, state[POSITION]
    state[CODE_TEXT], state[CODE_LENGTH] = start + shift, end - start
    state[CODE_BYTES] += end - start


@inner
def _is_fence(text: Bytes, i: int, end: int) -> bool:
    byte = text[i]
    return (byte in (_BACKTICK, _TILDE)) and i + 2 < end and text[i + 1] == byte and text[i + 2] == byte


@inner
def _invisible(text: Bytes, i: int, end: int) -> int:
    """How many bytes the character at `i` has if it is one without width: a soft hyphen, a zero-width space, a mark."""
    if text[i] == 0xC2 and i + 1 < end and text[i + 1] == 0xAD:
        return 2
    if text[i] == 0xE2 and i + 2 < end and text[i + 1] == 0x80 and text[i + 2] == 0x8B:
        return 3
    if text[i] == 0xEF and i + 2 < end and text[i + 1] == 0xBB and text[i + 2] == 0xBF:
        return 3
    return 0


@inner
def write_text(  # noqa: PLR0912 - one branch a kind of byte
    text: Bytes, start: int, end: int, out: Bytes, state: Numbers, lists: Numbers
) -> None:
    """Write a run of prose: white space becomes one space, entities characters.

    `out` has room for twice the run, and `PREFIX`.
    """
    position = start
    linked = state[POSITION]
    inked = False
    while position < end:
        byte = text[position]
        length = 1
        if byte == _AMPERSAND:
            character, length = entity(text, position, end)
            if character:
                byte = _SPACE if character == 160 else character
        if byte <= _SPACE:
            state[SPACE] = 1
            position += length
            continue
        if byte >= 0xC2:
            skipped = _invisible(text, position, end)
            if skipped:
                position += skipped
                continue
        if state[BREAK] or state[SPACE] or not inked:
            if state[SCRIPT] and byte == _BRACKET:
                state[SCRIPT] = 0
            starts = begin(out, state, lists)
            if state[CODES] and state[CODE_START] < 0:
                _open_code(out, state)
            elif starts and _is_fence(text, position, end):
                put(out, state, _BACKSLASH)
            if not inked:
                linked = state[POSITION]
            inked = True
        if byte == _PIPE and state[PIPES]:
            put(out, state, _BACKSLASH)
        put(out, state, byte)
        position += length
    if state[LINKS] and inked:
        state[LINK_BYTES] += max(0, state[POSITION] - linked)


def new_state() -> npt.NDArray[np.int64]:
    """The state of an empty text."""
    state = np.zeros(FIELDS, dtype=np.int64)
    state[[CODE_START, CODE_BEFORE, CODE_AFTER, TAIL]] = -1
    return state
