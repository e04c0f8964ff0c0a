"""Which block of a page has its main content.

Decided from elements, classes and roles, and from how much of the page's text a block has; the thresholds are shares of
that. A block that leaves code out is never chosen. What belongs here: choosing one row of the tree. What does not: the
words that classes are made of (`names`), and what is dropped within the block (`boilerplate`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.names import ID, KINDS
from seed_platform.extraction.scanning import BLOCK_WORDS, ID_SHIFT, inner
from seed_platform.extraction.tree import (
    FLAGS,
    LAST,
    LINKED,
    PARENT,
    PRE_SIZE,
    PROSE,
    SIZE,
    TAG,
    Nodes,
)

_MAIN_SHARE = 0.3
_ARTICLE_SHARE = 0.6
_CONTENT_SHARE = 0.7
_SHORT = 80
_HEADING_LEVELS = 3
_HEADING_SHARE = 1.1


def elements(*chosen_names: str) -> npt.NDArray[np.bool_]:
    """Which elements, by number, are among some."""
    chosen = np.zeros(len(names.NAMES), dtype=np.bool_)
    chosen[[ID[name] for name in chosen_names]] = True
    return chosen


# Elements whose ids name a part of a page's layout; elsewhere ids are made of headings.
_LAYOUT = elements("div", "ul", "ol", "aside", "header", "footer", "td", "table", "form", "nav", "main")
# Elements whose classes tell nothing of layout.
_PLAIN = elements(
    "html", "body", "code", "pre", "dt", "em", "strong", "i", "b", "kbd", "samp", "tt", "h1", "h2", "h3", "main"
)
_ARTICLE, _MAIN = ID["article"], ID["main"]


@inner
def words_of(nodes: Nodes, row: int) -> int:
    """What class, role and, where it counts, id say of an element."""
    flags, tag = nodes[row, FLAGS], nodes[row, TAG]
    if _PLAIN[tag]:
        return flags & ~(names.BOILERPLATE | names.MINOR)
    if _LAYOUT[tag] and not flags & names.SECTION:
        flags |= (flags >> ID_SHIFT) & BLOCK_WORDS
    return flags & ((1 << ID_SHIFT) - 1)


@inner
def own(nodes: Nodes, row: int) -> int:
    """Bytes of text outside links."""
    return nodes[row, SIZE] - nodes[row, LINKED]


@inner
def _largest(nodes: Nodes, region: int, tag: int, flag: int) -> int:
    """The block in a region that has most text, of those with an element name or a flag; -1 if there is none."""
    best, most = -1, 0
    for row in range(region + 1, nodes[region, LAST]):
        if KINDS[nodes[row, TAG]] & names.BLOCK == 0 or own(nodes, row) <= most:
            continue
        if nodes[row, TAG] == tag or (words_of(nodes, row) & (flag | names.BOILERPLATE) == flag and flag):
            best, most = row, own(nodes, row)
    return best


@inner
def _content(nodes: Nodes, region: int) -> int:
    """The innermost block called content that has most of a region's text; the region itself if there is none."""
    best = region
    for row in range(region + 1, nodes[region, LAST]):
        words = words_of(nodes, row)
        if (
            words & names.CONTENT
            and not words & (names.BOILERPLATE | names.MINOR)
            and KINDS[nodes[row, TAG]] & names.BLOCK
            and nodes[row, PROSE] >= _CONTENT_SHARE * nodes[region, PROSE]
            and own(nodes, row) >= _CONTENT_SHARE * own(nodes, region)
        ):
            best = row
    return best


@inner
def _with_heading(nodes: Nodes, root: int, region: int) -> int:
    """The block itself, or one around it that has the heading above it and little else."""
    above = root
    for _ in range(_HEADING_LEVELS):
        if above == region:
            break
        above = nodes[above, PARENT]
        if own(nodes, above) > _HEADING_SHARE * own(nodes, root) + _SHORT:
            break
        for row in range(above + 1, root):
            if KINDS[nodes[row, TAG]] & names.HEADING and nodes[row, SIZE] > 0:
                return above
    return root


@njit(cache=True, nogil=True)
def find_root(nodes: Nodes, body: int) -> int:
    """The row of the block that has the main content: never one that leaves code out."""
    root = body
    found = _largest(nodes, root, _MAIN, names.MAIN)
    if found >= 0 and own(nodes, found) >= _MAIN_SHARE * own(nodes, root):
        root = found
    found = _largest(nodes, root, _ARTICLE, 0)
    if found >= 0 and own(nodes, found) >= _ARTICLE_SHARE * own(nodes, root):
        root = found
    root = _with_heading(nodes, _content(nodes, root), root)
    while root != body and nodes[root, PRE_SIZE] < nodes[body, PRE_SIZE]:
        root = nodes[root, PARENT]
    return root
