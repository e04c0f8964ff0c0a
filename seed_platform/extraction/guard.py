"""What a page would cost to parse, estimated before it is: how deep its elements nest, how many nodes come of it.

Parsers follow the HTML Standard, which makes some short pages expensive: elements that are never closed have to be
searched again and again, and unclosed formatting elements are opened anew in every block (13.2.4.3). What belongs here:
the estimate, one pass over the bytes that is linear whatever they are. What does not: limits, and parsing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.names import ELEMENTS, ID, KINDS
from seed_platform.extraction.scanning import Bytes, add_byte, find, inner, look_up
from seed_platform.extraction.tree import Numbers

_LESS, _MORE, _SLASH, _BANG, _QUESTION, _DASH = 60, 62, 47, 33, 63, 45
_BUCKETS = 4096
_IMPLIED_SEARCH = 16
_SAME = 3  # formatting elements with the same attributes that are opened anew
_SVG, _MATH = ID["svg"], ID["math"]


@inner
def _skip_raw(text: Bytes, position: int, first: int) -> int:
    """The next "</" followed by the letter `first`, in lower case or upper."""
    size = len(text)
    while position + 2 < size:
        position = find(text, position, size, _LESS)
        if position + 2 < size and text[position + 1] == _SLASH and (text[position + 2] | 32) == first:
            return position
        position += 1
    return size


@inner
def _skip_comment(text: Bytes, position: int) -> int:
    """The position after what begins with "<!" or "<?"."""
    size = len(text)
    if position + 3 < size and text[position + 2] == _DASH and text[position + 3] == _DASH:
        position += 4
        while position < size:
            position = find(text, position, size, _MORE)
            if position >= size or (text[position - 1] == _DASH and text[position - 2] == _DASH):
                return position + 1
            position += 1
        return size
    return find(text, position, size, _MORE) + 1


@inner
def _pop(stack: Numbers, depth: int, tag: int, opened: Numbers) -> int:
    """Close the last open element of a name and all within it; returns the depth left."""
    while depth > 0:
        depth -= 1
        top = stack[depth]
        opened[top] -= 1
        if top == tag:
            break
    return depth


@inner
def _close_implied(stack: Numbers, depth: int, tag: int, opened: Numbers) -> int:
    """Close the last open element of the same name, if none is between that would keep it open."""
    for i in range(1, min(depth, _IMPLIED_SEARCH) + 1):
        top = stack[depth - i]
        if top == tag:
            return _pop(stack, depth, tag, opened)
        if top < len(KINDS) and KINDS[top] & names.SCOPE:
            break
    return depth


@inner
def _format(active: Numbers, count: int, tag: int, key: int) -> int:
    """One more formatting element, unless as many of the same attributes are open as are opened anew."""
    same = 0
    for i in range(count):
        same += active[i, 0] == tag and active[i, 1] == key
    if same < _SAME and count < len(active):
        active[count, 0] = tag
        active[count, 1] = key
        return count + 1
    return count


@inner
def _unformat(active: Numbers, count: int, tag: int) -> int:
    """Close the last formatting element of a name."""
    for i in range(count - 1, -1, -1):
        if active[i, 0] == tag:
            for j in range(i, count - 1):
                active[j, 0] = active[j + 1, 0]
                active[j, 1] = active[j + 1, 1]
            return count - 1
    return count


@njit(cache=True, nogil=True)
def cost(  # noqa: PLR0912, PLR0915 - one pass over the bytes
    text: Bytes, stack: Numbers, opened: Numbers, active: Numbers
) -> tuple[int, int]:
    """Estimate the depth and the number of elements of a page.

    Args:
        text: the page.
        stack: scratch; as long as the depth that matters.
        opened: scratch, of `len(names.KINDS)` and `_BUCKETS` zeros for other names.
        active: scratch, (n, 2); as many formatting elements as matter.

    Returns:
        The greatest depth, at most `len(stack)`, at which the estimate stops; elements, among them those opened anew.
    """
    size = len(text)
    position = depth = deepest = elements = formatting = 0
    while position < size:
        position = find(text, position, size, _LESS)
        if position + 1 >= size:
            break
        following = text[position + 1]
        closing = following == _SLASH
        if following in (_BANG, _QUESTION):
            position = _skip_comment(text, position)
            continue
        name = position + 1 + closing
        letter = text[name] | 32 if name < size else 0
        if letter < 97 or letter > 122:
            position += 1
            continue
        key = np.int64(0)
        while name < size and text[name] > 32 and text[name] != _MORE and text[name] != _SLASH:
            byte = text[name]
            key = add_byte(key, byte + 32 if 65 <= byte <= 90 else byte)
            name += 1
        tag = look_up(ELEMENTS, key)
        kind = KINDS[tag]
        if tag == 0:
            tag = len(KINDS) + key % _BUCKETS
        after = name
        attributes = np.int64(0)
        while after < size and text[after] != _MORE:
            if kind & names.FORMATTING:
                attributes = add_byte(attributes, text[after])
            after += 1
        position = after + 1
        if closing:
            if kind & names.FORMATTING:
                formatting = _unformat(active, formatting, tag)
            if opened[tag] > 0:
                depth = _pop(stack, depth, tag, opened)
            if kind & names.CELL:
                formatting = 0
            continue
        elements += 1
        if kind & names.BLOCK:
            elements += formatting
        if kind & names.VOID:
            continue
        if kind & names.RAW:
            position = _skip_raw(text, position, letter)
            continue
        if text[after - 1] == _SLASH and (opened[_SVG] > 0 or opened[_MATH] > 0):
            continue
        if kind & names.CELL:
            formatting = 0
        if kind & names.IMPLIED and opened[tag] > 0:
            depth = _close_implied(stack, depth, tag, opened)
        if kind & names.FORMATTING:
            formatting = _format(active, formatting, tag, attributes)
        stack[depth] = tag
        opened[tag] += 1
        depth += 1
        deepest = max(deepest, depth)
        if depth == len(stack):
            break
    return deepest, elements


SCRATCH = len(KINDS) + _BUCKETS
