"""Bytes to text: which of the encodings that source code is stored in a file has, and its text.

What belongs here: the decision, from the bytes alone, whether a file is text. What does not: whether the text is worth
keeping (`filters/`), and guessing at legacy encodings, which cannot be told apart with certainty and are reported as
"unknown" instead.
"""

from __future__ import annotations

import codecs

# The UTF-32 mark of little-endian text begins with the UTF-16 one, so it is tried first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "utf-8-bom"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16-be"),
)
_MARK_STARTS = frozenset(mark[0] for mark, _, _ in _BYTE_ORDER_MARKS)


def decode(content: bytes) -> tuple[str | None, str]:
    """The text of a file and the encoding it was in.

    Args:
        content: the whole file.

    Returns:
        (text, encoding). The encoding is "utf-8"; "utf-8-bom", "utf-16-le", "utf-16-be", "utf-32-le" or "utf-32-be" if
        the file begins with that byte order mark, which the text then lacks; "binary" if it holds a NUL and is none
        of these; "unknown" if it is none of these and holds no NUL. For the last two the text is None. A text never
        holds a NUL or a lone surrogate.
    """
    if content and content[0] in _MARK_STARTS:
        for mark, codec, encoding in _BYTE_ORDER_MARKS:
            if content.startswith(mark):
                text = _decoded(content[len(mark) :], codec)
                if text is not None and "\0" not in text:
                    return text, encoding
    if b"\0" in content:
        return None, "binary"
    text = _decoded(content, "utf-8")
    return text, "unknown" if text is None else "utf-8"


def _decoded(content: bytes, codec: str) -> str | None:
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        return None
