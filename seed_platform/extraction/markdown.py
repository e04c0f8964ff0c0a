"""The kept part of a tree as Markdown.

What belongs here: what each element means for the text. What does not: how text is written (`writer`), which rows are
kept (`main_content`), and code (`code_blocks`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction import writer as w
from seed_platform.extraction.code_blocks import LISTING, fence, write_code
from seed_platform.extraction.names import ID, KINDS
from seed_platform.extraction.scanning import Bytes, inner
from seed_platform.extraction.tables import (
    COLUMNS,
    FIELDS,
    LAYOUT,
    ROWS,
    SHAPE,
    close_cell,
    close_row,
    open_cell,
    open_row,
    shape,
)
from seed_platform.extraction.tree import DROPPED, END, INNER, LAST, SIZE, START, STATE, TAG, Nodes, Numbers

_A, _BR, _UL, _OL, _LI, _BLOCKQUOTE, _TABLE, _SUP, _SUB, _DD, _H1, _DT = (
    ID[name] for name in ("a", "br", "ul", "ol", "li", "blockquote", "table", "sup", "sub", "dd", "h1", "dt")
)
_SCRIPT_LENGTH = 12
_CARET, _UNDERSCORE = 94, 95

# What else than text is written for one row of the tree: prefixes, marks, and the line below the head of a table.
_ROOM = 2 * w.PREFIX + 8 * 40


@inner
def _open_list(state: Numbers, lists: Numbers, tag: int) -> None:
    w.break_line(state, 1 if state[w.LISTS] else 2)
    if state[w.MARKER] == w.ITEM:
        # An item that begins with a list has no text of its own to put its marker before.
        state[w.MARKER] = w.NO_MARKER
    if state[w.LISTS] < w.LIST_DEPTH:
        lists[state[w.LISTS], w.NUMBER] = tag == _OL
        lists[state[w.LISTS], w.WIDTH] = 3 if tag == _OL else 2
        lists[state[w.LISTS], 2] = 0
    state[w.LISTS] += 1


@inner
def _open_item(state: Numbers, lists: Numbers) -> None:
    w.break_line(state, 1)
    if state[w.LISTS] == 0:
        return
    last = lists[min(state[w.LISTS], w.LIST_DEPTH) - 1]
    if last[w.NUMBER]:
        # The first item has number one already.
        last[w.NUMBER] += last[2]
        last[2] = 1
    state[w.MARKER] = w.ITEM


@inner
def _open_inline(nodes: Nodes, row: int, state: Numbers) -> None:
    tag = nodes[row, TAG]
    if tag == _A:
        state[w.LINKS] += 1
    elif KINDS[tag] & names.CODE and not nodes[row, INNER] & names.BLOCK:
        state[w.CODES] += 1
    elif tag == _BR:
        if state[w.CODES]:
            state[w.SPACE] = 1
        else:
            w.break_line(state, min(2, state[w.BREAK] + 1))
    elif (tag in (_SUP, _SUB)) and nodes[row, SIZE] <= _SCRIPT_LENGTH and not state[w.CODES]:
        state[w.SCRIPT] = _CARET if tag == _SUP else _UNDERSCORE


@inner
def _open(nodes: Nodes, row: int, state: Numbers, lists: Numbers, table: Numbers, out: Bytes) -> None:
    """Begin an element that is neither code nor a table."""
    tag, kind = nodes[row, TAG], KINDS[nodes[row, TAG]]
    if not kind & names.BLOCK:
        _open_inline(nodes, row, state)
        return
    if kind & names.ROW:
        open_row(state, table, out, lists)
    elif kind & names.CELL:
        open_cell(nodes, row, state, table, out)
    elif kind & names.LIST:
        _open_list(state, lists, tag)
    elif tag == _LI:
        _open_item(state, lists)
    elif kind & names.HEADING:
        w.break_line(state, 2)
        state[w.MARKER] = w.NO_MARKER if state[w.MARKER] == w.DEFINITION else state[w.MARKER]
        if not state[w.FLAT] and nodes[row, SIZE] > 0:
            state[w.HEADING] = tag - _H1 + 1
            state[w.FLAT] = 2
    elif tag == _DD:
        w.break_line(state, 1)
        state[w.MARKER] = w.DEFINITION
    elif state[w.MARKER] == w.NO_MARKER:
        w.break_line(state, 2)
        if tag == _BLOCKQUOTE and not state[w.FLAT]:
            state[w.QUOTES] += 1
    elif tag == _BLOCKQUOTE and not state[w.FLAT]:
        state[w.QUOTES] += 1


@inner
def _close(nodes: Nodes, row: int, state: Numbers, lists: Numbers, table: Numbers, out: Bytes) -> None:  # noqa: PLR0912
    """End an element."""
    tag, kind = nodes[row, TAG], KINDS[nodes[row, TAG]]
    if not kind & names.BLOCK:
        if tag == _A:
            state[w.LINKS] -= 1
        elif kind & names.CODE and not nodes[row, INNER] & names.BLOCK:
            state[w.CODES] -= 1
            if state[w.CODES] == 0:
                w.close_code(out, state)
        elif tag in (_SUP, _SUB):
            state[w.SCRIPT] = 0
    elif kind & names.ROW:
        close_row(state, table, out, lists)
    elif kind & names.CELL:
        close_cell(state, table, out)
    elif kind & names.LIST:
        state[w.LISTS] -= 1
        state[w.MARKER] = w.NO_MARKER
        w.break_line(state, 1 if state[w.LISTS] else 2)
    elif tag == _LI:
        state[w.MARKER] = w.NO_MARKER
        w.break_line(state, 1)
    elif tag == _DT:
        w.break_line(state, 1)
    elif kind & names.HEADING:
        if state[w.FLAT] == 2:
            state[w.FLAT] = 0
            state[w.HEADING] = 0
        w.break_line(state, 2)
    else:
        if tag == _DD:
            state[w.MARKER] = w.NO_MARKER
        elif tag == _BLOCKQUOTE and not state[w.FLAT]:
            state[w.QUOTES] -= 1
        if state[w.MARKER] == w.NO_MARKER:
            w.break_line(state, 2)


@inner
def _open_element(nodes: Nodes, row: int, state: Numbers, lists: Numbers, table: Numbers, out: Bytes) -> None:
    if nodes[row, TAG] != _TABLE:
        _open(nodes, row, state, lists, table, out)
        return
    w.break_line(state, 2)
    table[SHAPE], table[COLUMNS] = LAYOUT, 0
    if not state[w.FLAT] and state[w.MARKER] == w.NO_MARKER:
        table[SHAPE], table[COLUMNS] = shape(nodes, row)
    table[ROWS] = 0


@inner
def _close_element(nodes: Nodes, row: int, state: Numbers, lists: Numbers, table: Numbers, out: Bytes) -> None:
    if nodes[row, TAG] != _TABLE:
        _close(nodes, row, state, lists, table, out)
        return
    # A table within another makes both of them layout, so nothing has to be restored.
    table[SHAPE] = LAYOUT
    w.break_line(state, 2)


@inner
def _write_listing(  # noqa: PLR0913, PLR0917 - scratch belongs to the caller
    text: Bytes, nodes: Nodes, row: int, information: Bytes, state: Numbers, out: Bytes, stack: npt.NDArray[np.int32]
) -> None:
    """Write a block of code between fences, at the beginning of a line whatever is around it."""
    w.close_code(out, state)
    before = state[w.POSITION]
    start = before + 2 if before else 0
    end = write_code(text, nodes, row, out, start, stack)
    if end == start:
        return
    if before:
        out[before] = out[before + 1] = 10
    state[w.CODE_BYTES] += end - start
    state[w.CODE_BLOCKS] += 1
    state[w.POSITION] = fence(out, start, end, information)
    state[w.TAIL] = -1
    state[w.MARKER] = w.NO_MARKER
    state[w.SPACE] = 0
    state[w.BREAK] = 2


@njit(cache=True, nogil=True)
def write(  # noqa: PLR0912, PLR0913, PLR0917 - one pass over the rows; scratch belongs to the caller
    text: Bytes,
    nodes: Nodes,
    root: int,
    informations: Bytes,
    bounds: Numbers,
    state: Numbers,
    out: Bytes,
    stack: npt.NDArray[np.int32],
) -> bool:
    """Write the block at `root` as Markdown.

    Args:
        text: the page.
        nodes: its tree, with blocks of code marked.
        root: the row to write.
        informations: the languages of the blocks of code, one after another.
        bounds: where each begins, and where the last ends.
        state: of the text; see `writer`.
        out: where to write.
        stack: scratch, (depth, 2), as deep as the tree.

    Returns:
        Whether `out` had room for everything.
    """
    lists = np.zeros((w.LIST_DEPTH, 3), dtype=np.int64)
    table = np.zeros(FIELDS, dtype=np.int64)
    opened = np.empty(len(stack), dtype=np.int32)
    depth = blocks = 0
    row = root
    end = nodes[root, LAST]
    while row <= end:
        while depth > 0 and nodes[opened[depth - 1], LAST] <= row:
            depth -= 1
            if state[w.POSITION] + _ROOM > len(out):
                return False
            _close_element(nodes, opened[depth], state, lists, table, out)
        if row == end:
            break
        if nodes[row, STATE] == DROPPED:
            row = nodes[row, LAST]
            continue
        needed = _ROOM
        listing = nodes[row, STATE] == LISTING
        if nodes[row, TAG] == 0:
            needed += 2 * (nodes[row, END] - nodes[row, START])
        elif listing:
            # The text, a byte for each row, and two fences longer than any run in it.
            following = nodes[row, LAST]
            last = nodes[following - 1]
            needed += 4 * (last[END] - nodes[row, END]) + 2 * (following - row)
            needed += bounds[blocks + 1] - bounds[blocks]
        elif KINDS[nodes[row, TAG]] & names.CODE:
            needed += 4 * (nodes[nodes[row, LAST] - 1, END] - nodes[row, END])
        if state[w.POSITION] + needed > len(out):
            return False
        if nodes[row, TAG] == 0:
            w.write_text(text, nodes[row, START], nodes[row, END], out, state, lists)
            row += 1
        elif listing:
            information = informations[bounds[blocks] : bounds[blocks + 1]]
            _write_listing(text, nodes, row, information, state, out, stack)
            blocks += 1
            row = nodes[row, LAST]
        else:
            if nodes[row, SIZE] == 0 and (KINDS[nodes[row, TAG]] & names.ROW or nodes[row, TAG] == _TABLE):
                row = nodes[row, LAST]
                continue
            _open_element(nodes, row, state, lists, table, out)
            opened[depth] = row
            depth += 1
            row += 1
    if state[w.TAIL] >= 0:
        state[w.POSITION] = state[w.TAIL]
    return True
