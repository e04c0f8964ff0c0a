"""Pages that are hostile, broken or empty have a named outcome, and cost no more than their size."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import PROSE, article, blocks

from seed_platform.extraction import ExtractionLimits, extract

_SEED = article(
    '<h2>Head<a href="#h">#</a></h2><ul><li>a<table><tr><td class="linenos"><pre>1</pre></td><td><pre>int x;'
    "<span>&lt;</span></pre></td></tr></table></li></ul><code>a`b</code><!-- c --><script>if (a < b) '</div>'</script>"
)
_MANY = 100_000
_PIECES = (
    "<pre> </pre> <code> </code> <table> <tr> <td> </td> </table> <li> <ul> </ul> <br> <p> <h2> </h2> <a> </a> "
    "<plaintext> <xmp> <svg> <math> <template> <select> <frameset> <body> <textarea> <sup> <dl> <dd> <blockquote> "
    "</blockquote> ``` | &lt; x <noscript> <iframe> <!-- --> <![CDATA[ <? class=linenos "
)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("", "empty_page"),
        (" \n ", "empty_page"),
        ("<p></p>", "empty_page"),
        ("<html><head><title>t</title></head><frameset><frame src=a></frameset></html>", "frameset"),
        ("<body><div id=root></div><noscript>Enable JavaScript.</noscript><script>x()</script></body>", "script_only"),
        (f"<body><nav>{PROSE}</nav><nav><a href=x>{PROSE}</a></nav></body>", None),
        (f"<body><footer><a href=x>{PROSE}</a></footer></body>", "no_content"),
        ("<div>" * _MANY, "too_deep"),
        ("<b><p>" * _MANY, "empty_page"),
        ("<a href=x><div>" * _MANY, "too_deep"),
        ("<table><tr><td>" * _MANY, "too_deep"),
        ("<div></b>" * _MANY, "too_deep"),
        ("<x-y>" * _MANY, "too_deep"),
        ("<svg>" * _MANY, "too_deep"),
        ("<p>" + "".join(f"<b id={n}>" for n in range(200)) + "<p>x" * _MANY, "too_many_nodes"),
        ("<i>x</i>" * 500_001, "too_many_nodes"),
        ("x" * ((16 << 20) + 1), "too_many_bytes"),
        ("ü" * ((8 << 20) + 1), "too_many_bytes"),
    ],
)
def test_an_outcome_without_text_is_named(page: str, reason: str | None) -> None:
    extract(_SEED)  # compiles, the first time
    started = time.process_time()
    extraction = extract(page)
    assert extraction.reason == reason
    assert bool(extraction.text) == (reason is None)
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "page",
    [
        "<code>a</code>" * 200_000,
        "<code>" * 900 + "x<br>" * 100_000,
        "<code>" + "`x" * 100_000 + "</code>",
        "<p><a href=x>" + "#<i>" * 300 + "</i>" * 300,
        "<table><tr>" + "<td>x" * 200_000,
        "<table><tr><td>" * 300 + "x",
        "<ul><li>" * 450 + "x" * 1000,
        "<blockquote>" * 900 + "x<p>" * 10_000,
        "<pre>" + "<div>" * 900 + "x\n" * 100_000,
        "<pre>" + "`" * 100_000,
        "<div class='" + "a " * 1_000_000 + "'>x",
        "<div " + "a=b " * 100_000 + ">x",
        "<h1>" * 100_000 + "x",
        "<!--" * 100_000,
        "<script>" * 100_000,
        "&nbsp;" * 300_000 + "x",
        "<" * 1_000_000,
        "</p>" * 400_000,
        "<dl><dd>" * 400 + "x",
        "<form><article><main>" * 300 + "x",
        "<select><option>" * 10_000,
        "<sup>2" * 900,
    ],
    ids=lambda page: page[:24],
)
def test_a_large_page_takes_time_in_proportion_to_its_size(page: str) -> None:
    extract(_SEED)  # compiles, the first time
    started = time.process_time()
    extraction = extract(page)
    assert time.process_time() - started < 10
    assert bool(extraction.text) == (extraction.reason is None)


@pytest.mark.parametrize(
    "unclosed", ["<p>", "<li>", "<td>", "<font color=red>", "<br>", "<img>", "</div>", "<option>", "<dd>"]
)
def test_tags_that_authors_leave_open_are_no_depth(unclosed: str) -> None:
    assert PROSE.split()[0] in extract(article(f"{unclosed}x " * 300)).text
    assert extract(article(f"<p>x{unclosed}</p>" * 5000)).reason is None


def test_limits_are_counts() -> None:
    page = article("<i>x</i>" * 50)
    assert extract(page, ExtractionLimits(max_nodes=40)).reason == "too_many_nodes"
    assert extract(page, ExtractionLimits(max_bytes=100)).reason == "too_many_bytes"
    assert extract(page, ExtractionLimits(max_depth=2)).reason == "too_deep"
    assert extract(page, ExtractionLimits(max_nodes=100, max_bytes=2000, max_depth=10)).reason is None


@pytest.mark.parametrize("cut", range(0, len(_SEED), 7))
def test_a_truncated_page_raises_nothing(cut: int) -> None:
    extract(_SEED[:cut])


def test_a_garbled_page_raises_nothing() -> None:
    source = random.Random(5)
    for _ in range(300):
        page = list(_SEED)
        for _ in range(source.randrange(1, 60)):
            page[source.randrange(len(page))] = source.choice("<>/\"'=& -!?`|\x00\x1f\ud800é\n\ta")
        extract("".join(page))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(_PIECES.split()), max_size=60))
def test_any_order_of_tags_raises_nothing_and_fences_are_balanced(pieces: list[str]) -> None:
    extraction = extract(" ".join(pieces))
    assert len(blocks(extraction.text)) == extraction.code_blocks


# What a parser changes before anyone sees it: line ends, null characters, and halves of characters.
_CHARACTERS = st.characters(exclude_categories=("Cs", "Cc"))
_CODE = st.text(st.one_of(st.sampled_from("`\n \t<>&|#~'\"a1\xa0"), _CHARACTERS), min_size=1).filter(str.strip)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\xa0", "&nbsp;")


@settings(max_examples=200, deadline=None)
@given(code=_CODE, cuts=st.lists(st.integers(0, 80), max_size=6), wrapped=st.booleans())
def test_any_code_comes_out_identical(code: str, cuts: list[int], *, wrapped: bool) -> None:
    bounds = [0, *sorted({min(cut, len(code)) for cut in cuts}), len(code)]
    pieces = [_escape(code[start:end]) for start, end in pairwise(bounds)]
    inner = "".join(f'<span class="k{n}">{piece}</span>' if n % 2 else piece for n, piece in enumerate(pieces))
    # The first line end after <pre> is no text.
    markup = f"<pre>\n{inner}</pre>" if not wrapped else f'<pre>\n<code class="language-x">{inner}</code></pre>'
    text = extract(article(markup)).text
    ends = code if code.endswith("\n") else code + "\n"
    fence = text[text.index("```") :].split("\n", 1)[0].rstrip("x")
    start = text.index("\n", text.index(fence)) + 1
    assert text[start:].startswith(ends + fence + "\n")
