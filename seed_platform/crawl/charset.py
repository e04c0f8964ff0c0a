"""The bytes of a page as text.

Here: which character set a page is in, and decoding. Not here: HTTP headers beyond the label they give.

The order is that of the HTML standard ("determining the character encoding"): byte order mark, HTTP header, <meta> in
the first bytes, then detection. A declared set under which bytes break is believed only if no other guess breaks fewer.
"""

from __future__ import annotations

import codecs
import re
from itertools import chain

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from seed_platform.crawl.captures import Refused

_META_BYTES = 4096
_META = re.compile(rb"<meta\b[^>]{0,1024}?\bcharset\s*=\s*[\"']?\s*([A-Za-z0-9_.:\-]{1,40})", re.IGNORECASE)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_SUPERSETS = {"shift_jis": "cp932", "euc_kr": "cp949", "gbk": "gb18030", "big5": "big5hkscs"}
"""Python's codecs that cover what the HTML standard means by these labels."""

_REPLACEMENT = "\ufffd"
_MAX_REPLACED = 0.1
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f]")
_MAX_CONTROLS = 0.02


def decode_html(body: bytes, label: str | None) -> tuple[str, str]:
    """Decode a page: (text, Python's name of the character set).

    `label` is the charset of the HTTP header. Bytes that the set does not have become U+FFFD. Raises `Refused`
    "bad_encoding" if more than a tenth of the characters are.
    """
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return _accept(body[len(bom) :].decode(encoding, "replace"), encoding)
    declared = _codec(label) or _declared_in_page(body)
    encoding = declared or "utf-8"
    try:
        return body.decode(encoding), encoding
    except UnicodeDecodeError:
        return _accept(*_best(body, declared))


def _accept(text: str, encoding: str) -> tuple[str, str]:
    broken = text.count(_REPLACEMENT)
    if broken > _MAX_REPLACED * len(text):
        raise Refused("bad_encoding", f"{broken} of {len(text)} characters are not {encoding}")
    return text, encoding


def _codec(label: str | None) -> str | None:
    """Python's name for a label; None if it is missing or no character set of the HTML standard."""
    name = map_encoding_to_html5(label.strip(), fallback_utf8=False) if label else None
    return _SUPERSETS.get(name, name) if name else None


def _declared_in_page(body: bytes) -> str | None:
    match = _META.search(body, 0, _META_BYTES)
    encoding = _codec(match[1].decode("ascii")) if match else None
    # A <meta> that could be read as ASCII proves that the page is not UTF-16, whatever it says.
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding


def _best(body: bytes, declared: str | None) -> tuple[str, str]:
    """The first plausible reading among what is declared, UTF-8, what is detected and Windows-1252; else the first."""
    guesses = (declared, _declared_in_page(body), "utf-8", _codec(detect_encoding(body)), "cp1252")
    readings = ((body.decode(encoding, "replace"), encoding) for encoding in dict.fromkeys(guesses) if encoding)
    first = next(readings)
    return next((reading for reading in chain((first,), readings) if _plausible(*reading)), first)


def _plausible(text: str, encoding: str) -> bool:
    """Whether the set fits: a few broken bytes are a flaw of the page, but more than half of what is not ASCII is not.

    Windows-1252 gives nearly every byte a meaning, so it has to look like a western text too.
    """
    foreign = len(text) - len(text.encode("ascii", "ignore"))
    if encoding == "cp1252" and foreign > len(text) / 3:
        return False
    return text.count(_REPLACEMENT) <= foreign / 2 and len(_CONTROLS.findall(text)) <= _MAX_CONTROLS * len(text)
