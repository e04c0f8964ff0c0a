import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.sources.text import decode

MARKS = {
    "utf-8-bom": ("utf-8", codecs.BOM_UTF8),
    "utf-16-le": ("utf-16-le", codecs.BOM_UTF16_LE),
    "utf-16-be": ("utf-16-be", codecs.BOM_UTF16_BE),
    "utf-32-le": ("utf-32-le", codecs.BOM_UTF32_LE),
    "utf-32-be": ("utf-32-be", codecs.BOM_UTF32_BE),
}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(texts.filter(lambda text: not text.startswith("\ufeff")))
def test_utf8_text_without_nul_comes_back_unchanged(text: str):
    assert decode(text.encode()) == (text, "utf-8")


@pytest.mark.parametrize("encoding", MARKS)
@given(text=texts)
def test_text_behind_a_byte_order_mark_comes_back_without_the_mark(encoding: str, text: str):
    codec, mark = MARKS[encoding]
    assert decode(mark + text.encode(codec)) == (text, encoding)


@given(st.binary() | st.tuples(st.sampled_from([mark for _, mark in MARKS.values()]), st.binary()).map(b"".join))
def test_any_bytes_get_a_known_encoding_and_text_only_without_nul_or_surrogate(content: bytes):
    text, encoding = decode(content)
    assert encoding in {"utf-8", *MARKS, "binary", "unknown"}
    assert (text is None) == (encoding in {"binary", "unknown"})
    if text is not None:
        assert "\0" not in text
        text.encode("utf-8")  # raises on a lone surrogate
    if encoding == "binary":
        assert b"\0" in content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ("", "utf-8")),
        (codecs.BOM_UTF8, ("", "utf-8-bom")),
        (b"\x7fELF\0\0", (None, "binary")),
        (b"caf\xe9", (None, "unknown")),
        (b"\xed\xa0\x80", (None, "unknown")),  # a surrogate written as UTF-8
        (codecs.BOM_UTF8 + b"a\0", (None, "binary")),
        (codecs.BOM_UTF8 + b"\xff", (None, "unknown")),
        (codecs.BOM_UTF16_LE + b"a\0b", (None, "binary")),  # cut in the middle of a character
        (codecs.BOM_UTF16_LE + b"\x00\xd8", (None, "binary")),  # half a surrogate pair
        ("a\0".encode("utf-16"), (None, "binary")),
        ("int main;".encode("utf-16-le"), (None, "binary")),  # no mark
    ],
)
def test_odd_files(content: bytes, expected: tuple[str | None, str]):
    assert decode(content) == expected
