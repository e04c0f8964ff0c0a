"""Blocks of code: which rows of the tree are some, and their text, exactly.

Text within is taken as it is. Highlighters put each token, each line or each line number into elements of its own: rows
of tables and other blocks end a line where the text itself does not, and what was marked as line numbers is left out.
What belongs here: code between its fences. What does not: prose, and the names of languages.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.names import ID, KINDS
from seed_platform.extraction.scanning import Bytes, inner
from seed_platform.extraction.tree import (
    DROPPED,
    END,
    FLAGS,
    INNER,
    LAST,
    PARENT,
    PRE_SIZE,
    SIZE,
    START,
    STATE,
    TAG,
    Nodes,
)

LISTING = 2  # the state of a row that is written as a block of code

_NEWLINE, _BACKTICK, _AMPERSAND, _SPACE = 10, 96, 38, 32
_CODE, _BR, _TR = (ID[name] for name in ("code", "br", "tr"))
_LINES = np.zeros(len(names.NAMES), dtype=np.bool_)
_LINES[[ID[name] for name in ("div", "p", "li", "tr", "section", "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd")]] = (
    True
)
_SOME_LINES = 2


@inner
def entity(text: Bytes, position: int, end: int) -> tuple[int, int]:
    """The character that the "&" at `position` begins, 0 if it is no entity, and how long that is.

    A serialization has four: &amp; &lt; &gt; and &nbsp;, for which 160 is returned.
    """
    left = end - position
    if left >= 4 and text[position + 2] == 116 and text[position + 3] == 59:
        if text[position + 1] == 108:
            return 60, 4
        if text[position + 1] == 103:
            return 62, 4
    if left >= 5 and text[position + 1] == 97 and text[position + 2] == 109 and text[position + 3] == 112:
        return 38, 5
    if left >= 6 and text[position + 1] == 110 and text[position + 2] == 98 and text[position + 5] == 59:
        return 160, 6
    return 0, 1


@inner
def _has_lines(nodes: Nodes, row: int) -> bool:
    """Whether an element has a <br> between two texts."""
    ended = seen = False
    for child in range(row + 1, nodes[row, LAST]):
        if nodes[child, TAG] == _BR:
            ended = seen
        elif nodes[child, TAG] == 0 and nodes[child, SIZE] > 0:
            if ended:
                return True
            seen = True
    return False


@inner
def _begins_line(nodes: Nodes, row: int) -> bool:
    """Whether no text is before an element on its line."""
    while True:
        above = nodes[row, PARENT]
        before = row - 1
        while before > above:
            while nodes[before, PARENT] != above:
                before = nodes[before, PARENT]
            if nodes[before, TAG] == _BR or KINDS[nodes[before, TAG]] & names.BLOCK:
                return True
            if nodes[before, SIZE] > 0:
                return False
            before -= 1
        if above < 0 or KINDS[nodes[above, TAG]] & names.BLOCK:
            return True
        row = above


@inner
def _ends_line(nodes: Nodes, row: int) -> bool:
    """Whether no text is after an element on its line."""
    while True:
        above = nodes[row, PARENT]
        if above < 0:
            return True
        after = nodes[row, LAST]
        while after < nodes[above, LAST]:
            if nodes[after, TAG] == _BR or KINDS[nodes[after, TAG]] & names.BLOCK:
                return True
            if nodes[after, SIZE] > 0:
                return False
            after = nodes[after, LAST]
        if KINDS[nodes[above, TAG]] & names.BLOCK:
            return True
        row = above


@inner
def _stands_alone(nodes: Nodes, row: int) -> bool:
    """Whether an element has its lines for itself. Within cells it has not: a block would undo the table."""
    block = nodes[row, PARENT]
    while block > 0 and not KINDS[nodes[block, TAG]] & names.BLOCK:
        block = nodes[block, PARENT]
    if block >= 0 and KINDS[nodes[block, TAG]] & names.CELL:
        return False
    return _begins_line(nodes, row) and _ends_line(nodes, row)


@inner
def _is_listing(nodes: Nodes, row: int, text: Bytes) -> bool:
    """Whether an element is a block of code."""
    tag, kind = nodes[row, TAG], KINDS[nodes[row, TAG]]
    if kind & names.PRE:
        return nodes[row, SIZE] > 0
    if nodes[row, PRE_SIZE] > 0 or nodes[row, SIZE] == 0:
        return False
    if nodes[row, FLAGS] & names.LISTING:
        return True
    # Inline code with blocks in it was never closed.
    is_inline = kind & names.CODE and not nodes[row, INNER] & names.BLOCK
    if is_inline and nodes[row, INNER] & names.BREAK and _has_lines(nodes, row) and _stands_alone(nodes, row):
        return True
    if tag != _CODE or nodes[nodes[row, PARENT], SIZE] != nodes[row, SIZE]:
        return False
    return nodes[row, INNER] & (names.BREAK | names.BLOCK) != 0 or _has_line_ends(nodes, row, text)


@inner
def _has_line_ends(nodes: Nodes, row: int, text: Bytes) -> bool:
    """Whether the text of an element has several line ends."""
    lines = 0
    for child in range(row + 1, nodes[row, LAST]):
        if nodes[child, TAG] == 0:
            for i in range(nodes[child, START], nodes[child, END]):
                lines += text[i] == _NEWLINE
    return lines >= _SOME_LINES


@njit(cache=True, nogil=True)
def find_listings(nodes: Nodes, root: int, text: Bytes, rows: npt.NDArray[np.int32]) -> int:
    """Mark the blocks of code within `root`, write their rows to `rows`, and return how many; at most `len(rows)`."""
    count = 0
    row = root
    while row < nodes[root, LAST] and count < len(rows):
        if nodes[row, STATE] == DROPPED:
            row = nodes[row, LAST]
        elif nodes[row, TAG] != 0 and _is_listing(nodes, row, text):
            nodes[row, STATE] = LISTING
            rows[count] = row
            count += 1
            row = nodes[row, LAST]
        else:
            row += 1
    return count


@inner
def _copy(text: Bytes, start: int, end: int, kind: int, out: Bytes, position: int) -> int:
    """Write a run of text with entities resolved; returns the position after it."""
    raw, exact = kind & names.RAW != 0, kind & names.PRE != 0
    i = start
    while i < end:
        byte = text[i]
        if byte != _AMPERSAND or raw:
            out[position] = byte
            position += 1
            i += 1
            continue
        character, length = entity(text, i, end)
        if character == 160 and exact:
            out[position] = 0xC2
            out[position + 1] = 0xA0
            position += 2
        else:
            out[position] = _SPACE if character == 160 else (character if character else byte)
            position += 1
        i += length
    return position


@inner
def _close(nodes: Nodes, row: int, first: int, out: Bytes, begin: int, position: int) -> tuple[int, bool]:
    """End an element within code; returns the position, and whether a line has to end before more text."""
    if nodes[row, TAG] == _TR:
        # A row is a line even if nothing is in it.
        if position == first or out[position - 1] != _NEWLINE:
            out[position] = _NEWLINE
            position += 1
        return position, False
    return position, position > begin and out[position - 1] != _NEWLINE


@inner
def write_code(text: Bytes, nodes: Nodes, block: int, out: Bytes, begin: int, stack: npt.NDArray[np.int32]) -> int:
    """Write the text of a block of code at `begin`; returns the position after it, `begin` if it has no text.

    Args:
        text: the page.
        nodes: its tree.
        block: the row of the block.
        out: room for as many bytes as the block has in `text`, and one for each of its rows.
        begin: where to write.
        stack: scratch, (depth, 2), as deep as the tree.
    """
    position = begin
    depth = 0
    line_ends = False
    visible = False
    broken = wrapped = False
    kind = KINDS[nodes[block, TAG]]
    row = block + 1
    end = nodes[block, LAST]
    while row <= end:
        while depth > 0 and nodes[stack[depth - 1, 0], LAST] <= row:
            depth -= 1
            position, ends = _close(nodes, stack[depth, 0], stack[depth, 1], out, begin, position)
            line_ends |= ends
        if row == end:
            break
        tag = nodes[row, TAG]
        if nodes[row, STATE] == DROPPED:
            row = nodes[row, LAST]
            continue
        if position > begin and out[position - 1] != _NEWLINE:
            own_line = tag == 0 and text[nodes[row, START]] == _NEWLINE
            if _LINES[tag] or (line_ends and tag <= names.OTHER and not own_line):
                out[position] = _NEWLINE
                position += 1
                line_ends = False
        if tag == 0:
            start, stop = nodes[row, START], nodes[row, END]
            # Outside <pre> the line end of the source beside a <br> is no other line.
            if broken and start < stop and text[start] == _NEWLINE:
                start += 1
            before = position
            raw = KINDS[nodes[nodes[row, PARENT], TAG]] & names.RAW
            position = _copy(text, start, stop, kind | raw, out, position)
            visible |= nodes[row, SIZE] > 0
            line_ends = broken = False
            wrapped = not kind & names.PRE and position > before and out[position - 1] == _NEWLINE
        elif tag == _BR:
            if not wrapped:
                out[position] = _NEWLINE
                position += 1
            line_ends = wrapped = False
            broken = not kind & names.PRE
        elif _LINES[tag]:
            stack[depth, 0] = row
            stack[depth, 1] = position
            depth += 1
        row += 1
    return position if visible else begin


@inner
def longest_run(out: Bytes, start: int, end: int) -> int:
    """The length of the longest run of backticks."""
    longest = run = 0
    for i in range(start, end):
        run = run + 1 if out[i] == _BACKTICK else 0
        longest = max(longest, run)
    return longest


@inner
def fence(out: Bytes, start: int, end: int, information: Bytes) -> int:
    """Put fences around the code in `out[start:end]`; returns the position after them.

    `out` has room for the information and two fences longer than any run of backticks, with line ends.
    """
    length = max(3, longest_run(out, start, end) + 1)
    before = length + len(information) + 1
    for i in range(end - 1, start - 1, -1):
        out[i + before] = out[i]
    for i in range(length):
        out[start + i] = _BACKTICK
    for i in range(len(information)):
        out[start + length + i] = information[i]
    out[start + before - 1] = _NEWLINE
    position = end + before
    if out[position - 1] != _NEWLINE:
        out[position] = _NEWLINE
        position += 1
    for i in range(length):
        out[position + i] = _BACKTICK
    return position + length
