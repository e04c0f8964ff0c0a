"""Compiled helpers over the bytes of a page: names, their hashes, and what attributes say.

What belongs here: functions of a range of bytes, with no notion of a tree.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from seed_platform.extraction import names
from seed_platform.extraction.names import ATTRIBUTES, SLOTS, TOKENS, WORDS, Table

# For functions that only compiled ones call: without what Python would call them by, which takes time to compile.
inner = njit(cache=True, nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)

Bytes = npt.NDArray[np.uint8]

_FACTOR = np.int64(0x9E3779B1)
_MASK = np.int64((1 << 63) - 1)
_CAPITAL_A, _CAPITAL_Z, _LOWER_A, _LOWER_Z, _ZERO, _NINE = 65, 90, 97, 122, 48, 57
_QUOTE, _SPACE, _EQUALS, _MORE, _AMPERSAND, _SEMICOLON = 34, 32, 61, 62, 38, 59
ID_SHIFT = 16
BLOCK_WORDS = names.BOILERPLATE | names.MINOR | names.CONTENT | names.MAIN | names.REPLY | names.HEAD


@inner
def add_byte(value: int, byte: int) -> int:
    """One more byte of a name hashed."""
    mixed = ((value ^ np.int64(byte)) * _FACTOR) & _MASK
    return int(mixed ^ (mixed >> 29))


@inner
def look_up(table: Table, key: int) -> int:
    """The value of a hash, 0 if the table has none."""
    slot = key % SLOTS
    while table[slot, 0] != 0:
        if table[slot, 0] == key:
            return table[slot, 1]
        slot = (slot + 1) % SLOTS
    return 0


@inner
def find(text: Bytes, start: int, end: int, byte: int) -> int:
    """Where a byte first is in `text[start:end]`; `end` if nowhere."""
    while start < end and text[start] != byte:
        start += 1
    return start


@inner
def has(text: Bytes, start: int, end: int, wanted: Bytes) -> bool:
    """Whether `wanted` is in `text[start:end]`, in lower case there or not, spaces left out."""
    size = len(wanted)
    for i in range(start, end):
        at, j = i, 0
        while at < end and j < size:
            byte = text[at]
            if byte == _SPACE and j > 0:
                at += 1
                continue
            if _CAPITAL_A <= byte <= _CAPITAL_Z:
                byte += 32
            if byte != wanted[j]:
                break
            at += 1
            j += 1
        if j == size:
            return True
    return False


@inner
def words(text: Bytes, start: int, end: int, tokens: int) -> int:
    """What the value of a class, id or role attribute says, as bits of `names`.

    Args:
        text: the page.
        start: where the value begins.
        end: where it ends.
        tokens: 1 if names between spaces count too, 0 if only words do.
    """
    found = 0
    word = token = np.int64(0)
    before_capital = True
    for i in range(start, end + 1):
        byte = text[i] if i < end else _SPACE
        capital = _CAPITAL_A <= byte <= _CAPITAL_Z
        if capital:
            byte += 32
        letter = _LOWER_A <= byte <= _LOWER_Z or _ZERO <= byte <= _NINE
        if word != 0 and (not letter or (capital and not before_capital)):
            found |= look_up(WORDS, word)
            word = np.int64(0)
        before_capital = capital
        if letter:
            word = add_byte(word, byte)
        if byte > _SPACE:
            token = add_byte(token, byte)
        elif token != 0:
            if tokens:
                found |= look_up(TOKENS, token)
            token = np.int64(0)
    return found


def _bytes(text: bytes) -> Bytes:
    return np.frombuffer(text, dtype=np.uint8).copy()


_NONE = _bytes(b"display:none")
# Parts of the types of scripts that browsers run, or that are data for those, such as "application/ld+json".
_RUN = (_bytes(b"script"), _bytes(b"json"), _bytes(b"module"), _bytes(b"importmap"), _bytes(b"rules"), _bytes(b"babel"))


@inner
def attributes(text: Bytes, start: int, end: int) -> tuple[int, int]:
    """What the attributes at `start` say, and where the tag's ">" is.

    Attributes are serialized as ` name="value"`, with quotes in values escaped.
    """
    found = 0
    position = start
    while position < end and text[position] != _MORE:
        if text[position] == _SPACE:
            position += 1
            continue
        key = np.int64(0)
        begin = position
        while position < end and (text[position] != _EQUALS or position == begin) and text[position] != _MORE:
            key = add_byte(key, text[position])
            position += 1
        if position + 1 >= end or text[position] == _MORE:
            break
        value = position + 2
        position = find(text, value, end, _QUOTE)
        attribute = look_up(ATTRIBUTES, key)
        if attribute != 0:
            found |= _meaning(text, attribute, value, position)
        position += 1
    return found, position


@inner
def _is_run(text: Bytes, start: int, end: int) -> bool:
    """Whether a script of a type is one that browsers run."""
    found = False
    for part in _RUN:
        found |= has(text, start, end, part)
    return found


@inner
def _meaning(text: Bytes, attribute: int, start: int, end: int) -> int:  # noqa: PLR0911 - one for each attribute
    """What one attribute says."""
    if attribute == names.CLASS:
        return words(text, start, end, 1)
    if attribute == names.IDENTIFIER:
        # Shifted, since what an id says counts only where ids are not made of headings.
        return (words(text, start, end, 0) & BLOCK_WORDS) << ID_SHIFT
    if attribute in (names.ROLE, names.ITEMPROP):
        return words(text, start, end, 0) & BLOCK_WORDS
    if attribute == names.HREF:
        return names.LINK
    if attribute == names.HIDDEN_ATTRIBUTE:
        return names.HIDDEN
    if attribute == names.STYLE:
        return names.HIDDEN if has(text, start, end, _NONE) else 0
    if attribute == names.ARIA_HIDDEN:
        return names.HIDDEN if end - start == 4 and text[start] == 116 else 0
    if attribute == names.TYPE:
        return 0 if end == start or _is_run(text, start, end) else names.DATA
    # Of several rows or columns, unless it says "1".
    return 0 if end - start == 1 and text[start] == 49 else names.SPANNING
