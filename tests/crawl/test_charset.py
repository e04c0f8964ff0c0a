"""Character sets: declared rightly, declared wrongly, and not at all."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.crawl.captures import Refused
from seed_platform.crawl.charset import decode_html

RUSSIAN = "<p>Привет, мир! Как дела сегодня утром? Всё хорошо, спасибо.</p>" * 10
JAPANESE = "<p>日本語のテキストです。これはテストのための文章です。</p>" * 10
FRENCH = "<p>Le café fermé, à Noël déjà.</p>" * 10


@pytest.mark.parametrize(
    ("text", "codec", "label", "used"),
    [
        (RUSSIAN, "koi8-r", "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", " Windows-1251 ", "cp1251"),
        (JAPANESE, "cp932", "shift_jis", "cp932"),
        (JAPANESE, "euc_jp", "EUC-JP", "euc_jp"),
        (FRENCH, "cp1252", "ISO-8859-1", "cp1252"),
        (FRENCH, "utf-16-le", "utf-16", "utf-16-le"),
        ("汉字" * 50, "gb18030", "gb2312", "gb18030"),
    ],
)
def test_the_charset_of_the_http_header_is_used(text: str, codec: str, label: str | None, used: str):
    assert decode_html(text.encode(codec), label) == (text, used)


@pytest.mark.parametrize("bom", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_wins_over_the_header_and_is_not_part_of_the_text(bom: str):
    assert decode_html(RUSSIAN.encode(bom), "koi8-r")[0] == RUSSIAN


@pytest.mark.parametrize(
    "meta",
    [
        "<meta charset=windows-1251>",
        '<META CHARSET="Windows-1251" />',
        "<meta http-equiv='Content-Type' content='text/html; charset=windows-1251'>",
    ],
)
def test_the_charset_of_the_page_is_used_where_the_header_has_none(meta: str):
    text = f"<html><head>{meta}</head>{RUSSIAN}"
    assert decode_html(text.encode("cp1251"), None) == (text, "cp1251")
    assert decode_html(text.encode("cp1251"), "no-such-charset") == (text, "cp1251")


def test_the_header_wins_over_the_page():
    text = f"<meta charset=windows-1251>{RUSSIAN}"
    assert decode_html(text.encode("koi8-r"), "koi8-r")[0] == text


def test_a_meta_that_says_utf16_in_ascii_means_utf8():
    text = f"<meta charset=utf-16>{RUSSIAN}"
    assert decode_html(text.encode(), None) == (text, "utf-8")


@pytest.mark.parametrize(("text", "codec"), [(RUSSIAN, "cp1251"), (JAPANESE, "shift_jis"), (FRENCH, "cp1252")])
@pytest.mark.parametrize("label", [None, "utf-8"])
def test_an_undeclared_or_wrongly_declared_charset_is_detected(text: str, codec: str, label: str | None):
    assert decode_html(text.encode(codec), label)[0] == text


def test_a_few_broken_bytes_are_replaced():
    body = RUSSIAN.encode() + b"\xff\xfe" + JAPANESE.encode()
    text, encoding = decode_html(body, "utf-8")
    assert encoding == "utf-8"
    assert text == RUSSIAN + "\ufffd\ufffd" + JAPANESE


@pytest.mark.parametrize("label", [None, "utf-8", "euc-jp"])
def test_a_page_of_mostly_broken_bytes_is_refused(label: str | None):
    with pytest.raises(Refused) as caught:
        decode_html(b"<html>" + random.Random(1).randbytes(20_000), label)
    assert caught.value.reason == "bad_encoding"


@given(st.binary(max_size=500), st.sampled_from([None, "", "utf-8", "utf-16", "gbk", "x-user-defined", "é"]))
def test_no_body_raises_anything_but_a_refusal(body: bytes, label: str | None):
    with contextlib.suppress(Refused):
        text, encoding = decode_html(body, label)
        text.encode()
        assert encoding
