"""Tables: which of them can be written as Markdown, which as lines, and which are layout.

What belongs here: the shape of a table in the tree, and what is written between cells. What does not: what is in them.
"""

from __future__ import annotations

from seed_platform.extraction import names
from seed_platform.extraction import writer as w
from seed_platform.extraction.code_blocks import LISTING
from seed_platform.extraction.names import ID, KINDS
from seed_platform.extraction.scanning import Bytes, inner
from seed_platform.extraction.tree import DROPPED, FLAGS, INNER, LAST, PRE_SIZE, SIZE, STATE, TAG, Nodes, Numbers

LAYOUT, GRID, LINES = 0, 1, 2

# Fields of a table that is being written: how, how many columns it has, how many rows and cells are written.
SHAPE, COLUMNS, ROWS, CELLS = range(4)
FIELDS = 4

_TABLE = ID["table"]
_PIPE, _DASH, _SPACE = 124, 45, 32
_MOST_COLUMNS = 40
_MOST_TEXT = 1000


@inner
def shape(nodes: Nodes, table: int) -> tuple[int, int]:
    """How a table is written, and how many columns it has.

    GRID: every row has the same cells, at least two, each of them a few words. LINES: some rows have several cells.
    LAYOUT: anything else, and tables that hold code, headings, lists or tables.
    """
    if nodes[table, PRE_SIZE] > 0 or nodes[table, INNER] & (names.HEADING | names.LIST):
        return LAYOUT, 0
    rows = columns = cells = 0
    regular = True
    row = table + 1
    end = nodes[table, LAST]
    while row <= end:
        tag = nodes[row, TAG] if row < end else 0
        if row < end and (nodes[row, STATE] == DROPPED or nodes[row, SIZE] == 0) and not KINDS[tag] & names.CELL:
            row = nodes[row, LAST]
            continue
        if tag == _TABLE or (row < end and nodes[row, STATE] == LISTING):
            return LAYOUT, 0
        if row == end or KINDS[tag] & names.ROW:
            if cells > 0:
                regular &= columns in (0, cells)
                columns = max(columns, cells)
                rows += 1
            cells = 0
        elif KINDS[tag] & names.CELL and nodes[row, STATE] != DROPPED:
            cells += 1
            regular &= not nodes[row, FLAGS] & names.SPANNING
            if nodes[row, SIZE] > _MOST_TEXT:
                return LAYOUT, 0
        row += 1
    if columns < 2 or columns > _MOST_COLUMNS:
        return LAYOUT, 0
    return (GRID if regular and rows >= 2 else LINES), columns


@inner
def open_row(state: Numbers, table: Numbers, out: Bytes, lists: Numbers) -> None:
    """Begin a row."""
    if table[SHAPE] == LAYOUT:
        w.break_line(state, 1)
        return
    table[CELLS] = 0
    state[w.FLAT] = 0
    w.break_line(state, 1 if table[ROWS] else 2)
    table[ROWS] += 1
    if table[SHAPE] == GRID:
        w.begin(out, state, lists)
        w.put(out, state, _PIPE)
        state[w.PIPES] = 1
    state[w.FLAT] = 1


@inner
def close_row(state: Numbers, table: Numbers, out: Bytes, lists: Numbers) -> None:
    """End a row; the first of a grid is its head."""
    if table[SHAPE] == LAYOUT:
        w.break_line(state, 1)
        return
    state[w.FLAT] = 0
    state[w.PIPES] = 0
    w.break_line(state, 1)
    if table[SHAPE] == GRID and table[ROWS] == 1:
        w.begin(out, state, lists)
        for _ in range(table[COLUMNS]):
            w.put(out, state, _PIPE)
            w.put(out, state, _SPACE)
            for _ in range(3):
                w.put(out, state, _DASH)
            w.put(out, state, _SPACE)
        w.put(out, state, _PIPE)
        w.break_line(state, 1)


@inner
def open_cell(nodes: Nodes, row: int, state: Numbers, table: Numbers, out: Bytes) -> None:
    """Begin a cell."""
    if table[SHAPE] == LAYOUT:
        w.break_line(state, 2)
    elif table[SHAPE] == GRID:
        w.put(out, state, _SPACE)
        state[w.SPACE] = 0
    elif nodes[row, SIZE] > 0:
        if table[CELLS] and state[w.BREAK] == 0:
            w.put(out, state, _SPACE)
            w.put(out, state, _PIPE)
            state[w.SPACE] = 1
        table[CELLS] += 1


@inner
def close_cell(state: Numbers, table: Numbers, out: Bytes) -> None:
    """End a cell."""
    if table[SHAPE] == GRID:
        w.put(out, state, _SPACE)
        w.put(out, state, _PIPE)
        state[w.SPACE] = 0
    elif table[SHAPE] == LAYOUT:
        w.break_line(state, 2)
