"""A page as a flat tree: one row of numbers for each element and each run of text, in document order.

The parser's own serialization is read: balanced, with entities written one way. Reading it once, compiled, is many
times faster than asking the parser for one node after another. What belongs here: the rows and sums over subtrees.
What does not: which of them are the main content.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.names import ELEMENTS, ID, KINDS
from seed_platform.extraction.scanning import Bytes, add_byte, attributes, find, inner, look_up

Nodes = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]

# Columns. Sizes are in bytes of text that are no white space.
TAG = 0
PARENT = 1
LAST = 2  # the row after the subtree
START = 3  # of the text, or of the attributes
END = 4
FLAGS = 5  # what class and other attributes say
SIZE = 6
LINKED = 7  # of it, within links
PRE_SIZE = 8  # of it, within <pre>
CODE_SIZE = 9  # of it, within inline code
LINKS = 10  # how many
LETTERS = 11  # of SIZE, letters and bytes beyond ASCII
INNER = 12  # kinds of the elements within, as bits
STATE = 13
PROSE = 14  # of SIZE, within runs of text of some length outside links and code
COLUMNS = 15

# States.
KEPT, DROPPED = 0, 1

# What is known of the page as a whole.
TITLE_START, TITLE_END, ROOT_START, ROOT_END, BODY, EXPLICIT, FACTS = range(7)

_LESS, _MORE, _SLASH, _BANG, _SPACE, _DASH, _QUESTION = 60, 62, 47, 33, 32, 45, 63
_AMPERSAND, _N, _B, _SEMICOLON = 38, 110, 98, 59
_TITLE, _HTML, _BODY, _A, _SCRIPT = (ID[name] for name in ("title", "html", "body", "a", "script"))
_CDATA = np.frombuffer(b"<![CDATA[", dtype=np.uint8).copy()
_BRACKET, _NEWLINE = 93, 10
_PROSE_LENGTH = 60
# A block's own kind and these tell a row above what it contains.
_TOLD = names.BLOCK | names.HEADING | names.PRE | names.LIST | names.BREAK | names.CELL | names.ROW | names.FRAME


@inner
def _measure(text: Bytes, start: int, end: int) -> tuple[int, int]:
    """How many bytes are no white space, and how many are letters."""
    size = letters = 0
    for i in range(start, end):
        byte = text[i]
        size += byte > _SPACE
        lower = byte | 32
        letters += (97 <= lower <= 122) or byte >= 128
        if byte == _AMPERSAND and i + 5 < end and text[i + 1] == _N and text[i + 2] == _B and text[i + 5] == _SEMICOLON:
            # A space that is no place for a line to end; its bytes are counted after it.
            size -= 6
            letters -= 4
    return size, letters


@inner
def _raw_end(text: Bytes, start: int, name: int, length: int) -> int:
    """Where the end tag of an element with raw content begins; `name` is where its name is."""
    size = len(text)
    while start < size:
        start = find(text, start, size, _LESS)
        if start + 2 + length > size:
            return size
        if text[start + 1] == _SLASH:
            same = True
            for i in range(length):
                same &= text[start + 2 + i] == text[name + i]
            if same:
                return start
        start += 1
    return size


@inner
def _without_wrapper(text: Bytes, start: int, end: int) -> tuple[int, int]:
    """The text of a script without a CDATA section's marks around it, and without the line end it begins with."""
    first, last = start, end
    while first < end and text[first] <= _SPACE:
        first += 1
    while last > first and text[last - 1] <= _SPACE:
        last -= 1
    size = len(_CDATA)
    if last - first >= size + 3 and text[last - 1] == _MORE and text[last - 2] == text[last - 3] == _BRACKET:
        marked = True
        for i in range(size):
            marked &= text[first + i] == _CDATA[i]
        if marked:
            start, end = first + size, last - 3
    if start < end and text[start] == _NEWLINE:
        start += 1
    return start, end


@inner
def _after_markup(text: Bytes, position: int) -> int:
    """The position after the comment, document type or instruction at `position`."""
    size = len(text)
    if position + 3 < size and text[position + 2] == _DASH and text[position + 3] == _DASH:
        i = position + 4
        while i + 2 < size and not (text[i] == _DASH and text[i + 1] == _DASH and text[i + 2] == _MORE):
            i += 1
        return i + 3
    return find(text, position, size, _MORE) + 1


@inner
def _add_text(  # noqa: PLR0913, PLR0917
    text: Bytes, nodes: Nodes, row: int, parent: int, start: int, end: int, inside: Numbers
) -> None:
    """Write the row of a run of text; `inside` counts the open links, <pre> and inline code."""
    size, letters = _measure(text, start, end)
    for column in range(COLUMNS):
        nodes[row, column] = 0
    nodes[row, PARENT] = parent
    nodes[row, LAST] = row + 1
    nodes[row, START] = start
    nodes[row, END] = end
    nodes[row, SIZE] = size
    nodes[row, LETTERS] = letters
    if inside[0] > 0:
        nodes[row, LINKED] = size
    if inside[1] > 0:
        nodes[row, PRE_SIZE] = size
    elif inside[2] > 0:
        nodes[row, CODE_SIZE] = size
    elif inside[0] == 0 and size >= _PROSE_LENGTH:
        nodes[row, PROSE] = size


@inner
def _note(facts: Numbers, tag: int, text: Bytes, name_end: int, end: int) -> None:
    """Remember where the page's title and the attributes of its root are."""
    if tag == _TITLE and facts[TITLE_END] < 0:
        facts[TITLE_START] = end + 1
        facts[TITLE_END] = find(text, end + 1, len(text), _LESS)
    elif tag == _HTML and facts[ROOT_END] < 0:
        facts[ROOT_START] = name_end
        facts[ROOT_END] = end


@inner
def _count_inside(inside: Numbers, tag: int, change: int) -> None:
    """One more or one less open element of the kinds that text is told apart by."""
    kind = KINDS[tag]
    if tag == _A:
        inside[0] += change
    if kind & names.PRE:
        inside[1] += change
    if kind & names.CODE:
        inside[2] += change
    if kind & names.UNSEEN:
        inside[3] += change


@njit(cache=True, nogil=True)
def build(  # noqa: PLR0912, PLR0915 - one pass over the bytes
    text: Bytes, nodes: Nodes, stack: npt.NDArray[np.int32], counts: Numbers, facts: Numbers
) -> int:
    """Write the rows of a page.

    Args:
        text: the serialization, UTF-8.
        nodes: rows to write; room for twice as many as there are "<", and one.
        stack: scratch, (depth, 2); its length is the depth that is possible.
        counts: by element, how many there are; added to.
        facts: written.

    Returns:
        How many rows, or -1 if elements are nested too deep.
    """
    facts[:] = -1
    inside = np.zeros(4, dtype=np.int64)
    size = len(text)
    depth = row = position = 0
    parent = -1
    while position < size:
        tag_start = find(text, position, size, _LESS)
        if tag_start > position and parent >= 0 and inside[3] == 0:
            _add_text(text, nodes, row, parent, position, tag_start, inside)
            row += 1
        if tag_start + 1 >= size:
            break
        following = text[tag_start + 1]
        if following in (_BANG, _QUESTION):
            position = _after_markup(text, tag_start)
            continue
        if following == _SLASH:
            position = find(text, tag_start, size, _MORE) + 1
            if depth > 0:
                depth -= 1
                _count_inside(inside, stack[depth, 1], -1)
                if stack[depth, 0] >= 0:
                    nodes[parent, LAST] = row
                    parent = nodes[parent, PARENT]
            continue
        key = np.int64(0)
        name_end = tag_start + 1
        while name_end < size and text[name_end] != _SPACE and text[name_end] != _MORE:
            key = add_byte(key, text[name_end])
            name_end += 1
        tag = max(look_up(ELEMENTS, key), names.OTHER)
        flags, end = attributes(text, name_end, size)
        counts[tag] += 1
        if tag == _A and not flags & names.LINK:
            tag = names.OTHER  # an anchor, which may hold anything if it is never closed
        kind = KINDS[tag]
        _note(facts, tag, text, name_end, end)
        position = end + 1
        # Some highlighters have authors put code into a script that is not run, so that "<" needs no escape.
        is_code = tag == _SCRIPT and inside[1] > 0 and flags & names.DATA
        seen = is_code or not kind & names.UNSEEN
        created = inside[3] == 0 and seen and (not kind & names.VOID or kind & (names.BREAK | names.BLOCK))
        if created:
            for column in range(COLUMNS):
                nodes[row, column] = 0
            nodes[row, TAG] = tag
            nodes[row, PARENT] = parent
            nodes[row, LAST] = row + 1
            nodes[row, START] = name_end
            nodes[row, END] = end
            nodes[row, FLAGS] = flags
            nodes[row, LINKS] = tag == _A
            if tag == _BODY and facts[BODY] < 0:
                facts[BODY] = row
            row += 1
        if kind & names.VOID:
            continue
        if kind & names.RAW:
            end = _raw_end(text, position, tag_start + 1, name_end - tag_start - 1)
            if created and end > position:
                _count_inside(inside, tag, 1)
                if is_code:
                    _add_text(text, nodes, row, row - 1, *_without_wrapper(text, position, end), inside)
                else:
                    _add_text(text, nodes, row, row - 1, position, end, inside)
                _count_inside(inside, tag, -1)
                row += 1
                nodes[row - 2, LAST] = row
            position = find(text, end, size, _MORE) + 1
            continue
        if depth == len(stack):
            return -1
        stack[depth, 0] = row - 1 if created else -1
        stack[depth, 1] = tag
        _count_inside(inside, tag, 1)
        depth += 1
        if created:
            parent = row - 1
    while parent >= 0:
        nodes[parent, LAST] = row
        parent = nodes[parent, PARENT]
    _sum(nodes, row, facts)
    return row


@inner
def _sum(nodes: Nodes, count: int, facts: Numbers) -> None:
    """Add what subtrees hold to the rows above them."""
    facts[EXPLICIT] = 0
    for row in range(count - 1, -1, -1):
        kind = KINDS[nodes[row, TAG]]
        if nodes[row, SIZE] > 0 and (kind & (names.CODE | names.PRE) or nodes[row, FLAGS] & names.HIGHLIGHTED):
            facts[EXPLICIT] = 1
        parent = nodes[row, PARENT]
        if parent < 0:
            continue
        for column in range(SIZE, LETTERS + 1):
            nodes[parent, column] += nodes[row, column]
        nodes[parent, PROSE] += nodes[row, PROSE]
        nodes[parent, INNER] |= nodes[row, INNER] | (kind & _TOLD)
