"""Which blocks within the main content are none of it: navigation, sharing, notices, lists of links, line numbers.

Decided from elements, classes, roles, and the share of text that is links. A block that contains code is never dropped
as a whole, nor is one that has much of the text. What belongs here: marking rows of the tree. What does not: the words
that classes are made of (`names`), and choosing the main content (`main_content`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.main_content import elements, own, words_of
from seed_platform.extraction.names import ID, KINDS
from seed_platform.extraction.scanning import add_byte, inner
from seed_platform.extraction.tree import (
    CODE_SIZE,
    DROPPED,
    END,
    FLAGS,
    INNER,
    LAST,
    LETTERS,
    LINKED,
    LINKS,
    PARENT,
    PRE_SIZE,
    SIZE,
    START,
    STATE,
    TAG,
    Nodes,
)

_FRAME_SHARE = 0.5
_MINOR_SHARE = 0.3
_DISCUSSION_SHARE = 0.35
_DENSE = 0.7
_DENSE_CODE = 0.9
_SHORT = 80
_COPY_LENGTH = 24
_PREVIOUS, _PREV, _NEXT = (names.hash_of(word) for word in ("previous", "prev", "next"))
_PERMALINK_LENGTH = 32


_DENSE_TAGS = elements(
    "div",
    "ul",
    "ol",
    "table",
    "tr",
    "td",
    "p",
    "section",
    "dl",
    "form",
    "center",
    "menu",
    "header",
    "tbody",
    "details",
)
_HEADER, _ASIDE, _A, _FORM, _TD, _NOSCRIPT, _DETAILS = (
    ID[name] for name in ("header", "aside", "a", "form", "td", "noscript", "details")
)


@inner
def _is_gutter(nodes: Nodes, row: int) -> bool:
    """Whether an element holds the line numbers of code beside it."""
    if nodes[row, LETTERS] > 0:
        return False
    if nodes[row, FLAGS] & names.GUTTER:
        return True
    following = nodes[row, LAST]
    return (
        nodes[row, TAG] == _TD
        and nodes[row, PRE_SIZE] > 0
        and following < nodes[nodes[row, PARENT], LAST]
        and nodes[following, LETTERS] > 0
        and nodes[following, PRE_SIZE] > 0
    )


@inner
def _is_link_block(nodes: Nodes, row: int) -> bool:
    """Whether a block is little more than links; names of functions that link to them are text up to a higher share."""
    size, linked, links = nodes[row, SIZE], nodes[row, LINKED], nodes[row, LINKS]
    dense = _DENSE_CODE if nodes[row, CODE_SIZE] > size // 3 else _DENSE
    listed = nodes[row, TAG] == _DETAILS and size - linked <= _COPY_LENGTH  # a name for a list of links
    if (linked < dense * size and not listed) or not _DENSE_TAGS[nodes[row, TAG]]:
        return False
    return links >= 3 or (links == 2 and size < _SHORT)


@inner
def _replies(nodes: Nodes, root: int) -> int:
    """Bytes of text outside links in what readers wrote."""
    found = 0
    row = root + 1
    while row < nodes[root, LAST]:
        if nodes[row, TAG] != 0 and words_of(nodes, row) & names.REPLY and KINDS[nodes[row, TAG]] & names.BLOCK:
            found += own(nodes, row)
            row = nodes[row, LAST]
        else:
            row += 1
    return found


@inner
def _drops_here(nodes: Nodes, row: int, total: int, replies: int) -> bool:  # noqa: PLR0911 - one line a rule
    """Whether an element without code is no main content.

    `total` is the text of the whole, without links; `replies` is how much of it readers wrote.
    """
    tag, outside = nodes[row, TAG], own(nodes, row)
    words, kind = words_of(nodes, row), KINDS[tag]
    if words & names.PERMALINK and tag == _A:
        return nodes[row, SIZE] <= _PERMALINK_LENGTH
    if words & names.COPY and nodes[row, SIZE] <= _COPY_LENGTH:
        return True
    if tag == _NOSCRIPT:
        return True
    if outside > _FRAME_SHARE * total:
        return False
    if words & names.HIDDEN or words & names.BOILERPLATE:
        return True
    if kind & names.FRAME:
        if tag == _HEADER:
            return not nodes[row, INNER] & names.HEADING
        return tag != _ASIDE or nodes[row, LINKED] > nodes[row, SIZE] // 3
    if words & names.REPLY and replies < _DISCUSSION_SHARE * total and outside < _MINOR_SHARE * total:
        return True
    if words & names.MINOR and outside < _MINOR_SHARE * total:
        return not (nodes[row, INNER] & names.HEADING and words & names.CONTENT)
    if words & names.HEAD and outside < _MINOR_SHARE * total:
        # A heading that is a link names the site.
        return not nodes[row, INNER] & names.HEADING or 2 * nodes[row, LINKED] > nodes[row, SIZE]
    if tag == _FORM:
        return outside < _MINOR_SHARE * total
    return _is_link_block(nodes, row)


@inner
def _is_symbol(nodes: Nodes, row: int, text: npt.NDArray[np.uint8]) -> bool:
    """Whether a link's text is a sign for a link to where it stands, such as a pilcrow."""
    size = nodes[row, SIZE]
    if nodes[row, TAG] != _A or size > 4 or size == 0:
        return False
    for child in range(row + 1, nodes[row, LAST]):
        if nodes[child, TAG] == 0 and nodes[child, SIZE] > 0:
            for i in range(nodes[child, START], nodes[child, END]):
                byte = text[i]
                if byte > 32:
                    # "#", or the first byte of a pilcrow or a section sign, or of a pictograph.
                    pilcrow = byte == 0xC2 and text[i + 1] in (0xB6, 0xA7)
                    return (byte == 35 and size == 1) or pilcrow or byte == 0xF0 or (byte == 0xEF and size == 3)
    return False


@inner
def _turns_page(nodes: Nodes, row: int, text: npt.NDArray[np.uint8]) -> bool:
    """Whether a block is a link to the page before or after."""
    size = nodes[row, SIZE]
    if not KINDS[nodes[row, TAG]] & names.BLOCK or size > _SHORT or 2 * nodes[row, LINKED] < size or size == 0:
        return False
    for child in range(row + 1, nodes[row, LAST]):
        if nodes[child, TAG] == 0 and nodes[child, SIZE] > 0:
            start, end = nodes[child, START], nodes[child, END]
            while text[start] <= 32:
                start += 1
            key = np.int64(0)
            while start < end and 97 <= text[start] | 32 <= 122:
                key = add_byte(key, text[start] | 32)
                start += 1
            return key in (_PREVIOUS, _PREV, _NEXT)
    return False


@njit(cache=True, nogil=True)
def prune(nodes: Nodes, root: int, text: npt.NDArray[np.uint8]) -> None:
    """Mark what is no main content within the block at `root`."""
    total = own(nodes, root)
    replies = _replies(nodes, root)
    end = nodes[root, LAST]
    row = root + 1
    while row < end:
        tag = nodes[row, TAG]
        if tag == 0:
            row += 1
            continue
        in_code = nodes[row, PRE_SIZE] > 0
        if (
            _is_gutter(nodes, row)
            or _is_symbol(nodes, row, text)
            or _turns_page(nodes, row, text)
            or (not in_code and _drops_here(nodes, row, total, replies))
        ):
            nodes[row, STATE] = DROPPED
            row = nodes[row, LAST]
        elif KINDS[tag] & names.PRE:
            _prune_code(nodes, row)
            row = nodes[row, LAST]
        else:
            row += 1


@inner
def _prune_code(nodes: Nodes, block: int) -> None:
    """Mark line numbers and buttons within a block of code."""
    row = block + 1
    while row < nodes[block, LAST]:
        flags = nodes[row, FLAGS]
        copy = flags & names.COPY and nodes[row, SIZE] <= _COPY_LENGTH
        if nodes[row, TAG] != 0 and ((flags & names.GUTTER and nodes[row, LETTERS] == 0) or copy):
            nodes[row, STATE] = DROPPED
            row = nodes[row, LAST]
        else:
            row += 1
