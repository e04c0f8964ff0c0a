"""What elements of prose become in Markdown."""

from __future__ import annotations

import pytest
from markup import article

from seed_platform.extraction import Extraction, extract


def _lines(inner: str) -> list[str]:
    """The lines between the two paragraphs of prose of an article."""
    return extract(article(inner)).text.split("\n")[2:-2]


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<h2>One <em>two</em><br>three</h2>", ["## One two three"]),
        ('<h3 id="x">Name<a class="headerlink" href="#x" title="Permalink">¶</a></h3>', ["### Name"]),
        ('<h3><a class="anchor" aria-hidden="true" href="#x"><svg></svg></a>Name<a href="#x">#</a></h3>', ["### Name"]),
        ('<h2><a class="anchor" href="#x">The whole heading is a link to itself, as on GitHub</a></h2>',
         ["## The whole heading is a link to itself, as on GitHub"]),
        ("<p>a\n  b&nbsp;c<br>d &lt;e&gt; &amp;amp; &copy;\u00ad\u200bf</p>", ["a b c", "d <e> &amp; ©f"]),
        ("<p>See <a href='https://example.org/x'>the <b>manual</b></a>.</p>", ["See the manual."]),
        ("<p>Run <code>ls  -l</code>, <kbd>Ctrl</kbd> or <samp>``</samp>.</p>", ["Run `ls -l`, `Ctrl` or ``` `` ```."]),
        ("<p><code>a`b</code> <code>module.</code><code>name</code><code></code></p>", ["``a`b`` `module.name`"]),
        ("<p>x<sup>2</sup> H<sub>2</sub>O note<sup><a href='#f'>[1]</a></sup></p>", ["x^2 H_2O note[1]"]),
        ("<ul><li>a</li><li>b<ol><li>c<p>d</p></li><li>e</li></ol></li></ul>",
         ["- a", "- b", "  1. c", "", "     d", "", "  2. e"]),
        ("<ul><li><p>a</p></li><li><p>b</p></li></ul>", ["- a", "", "- b"]),
        ("<blockquote><p>a</p><p>b</p></blockquote>", ["> a", "", "> b"]),
        ("<dl><dt>term</dt><dd>what it is</dd><dt>next</dt><dd>more</dd></dl>",
         ["term", ": what it is", "", "next", ": more"]),
        ("<details><summary>More</summary><p>inside</p></details>", ["More", "", "inside"]),
        ("<p>a<img src='x.png' alt='a picture'>b</p>", ["ab"]),
        ("<p>a<br><br>b</p>", ["a", "", "b"]),
    ],
)  # fmt: skip
def test_an_element_becomes_its_markdown(html: str, markdown: list[str]) -> None:
    assert _lines(html) == markdown


def test_a_table_with_the_same_cells_in_each_row_is_a_grid() -> None:
    html = (
        "<table><thead><tr><th>Name</th><th>Use</th></tr></thead><tbody><tr><td><code>a|b</code></td><td>x\n|\ny</td></tr>"
        "<tr><td></td><td><p>one</p><p>two</p></td></tr><tr><td></td><td></td></tr></tbody></table>"
    )
    assert _lines(html) == ["| Name | Use |", "| --- | --- |", "| `a\\|b` | x \\| y |", "|  | one two |"]


def test_a_table_that_is_no_grid_has_a_line_for_each_row() -> None:
    html = "<table><tr><td colspan=2>All</td></tr><tr><td>a</td><td>b</td></tr></table>"
    assert _lines(html) == ["All", "a | b"]


def test_a_table_that_lays_out_a_page_leaves_no_trace() -> None:
    html = "<table><tr><td><h2>Left</h2><p>a</p></td><td><ul><li>b</li></ul></td></tr></table>"
    assert _lines(html) == ["## Left", "", "a", "", "- b"]


def test_facts_count_what_is_in_the_text_and_what_is_in_the_page() -> None:
    before = '<nav><a href="/">Home</a></nav>'
    inner = '<p><a href="/x">näher</a> <code>é</code></p><pre>ab\n</pre><form><input><input></form>'
    extraction = extract(article(inner, before=before, title=" A &amp;\n <b>  "))
    assert extraction.title == "A & <b>"
    assert extraction.language == "en"
    assert extraction.explicit
    assert (extraction.link_bytes, extraction.code_bytes, extraction.code_blocks) == (6, 5, 1)
    assert {name: extraction.counts[name] for name in ("a", "input", "form", "p", "pre", "nav", "table")} == {
        "a": 2, "input": 2, "form": 1, "p": 3, "pre": 1, "nav": 1, "table": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "language"),
    [('lang="de"', "de"), ("lang=PT-br", "pt"), ('xml:lang="fr"', "fr"), ("lang=", None), ("lang=x", None), ("", None)],
)
def test_the_declared_language_has_two_letters(attributes: str, language: str | None) -> None:
    assert extract(f"<html {attributes}><body><p>text").language == language


def test_a_page_without_code_is_not_explicit() -> None:
    assert not extract(article("<pre>  </pre><code></code>")).explicit


def test_the_same_page_gives_the_same_extraction() -> None:
    page = article("<h2>a</h2><pre>b</pre><table><tr><td>c</td><td>d</td></tr></table>")
    first: Extraction = extract(page)
    assert all(extract(page) == first for _ in range(3))


def test_lists_and_quotations_of_any_depth_are_written() -> None:
    page = "<ol><li>" * 50 + "<blockquote>" * 50 + "deep" + "</blockquote>" * 50 + "</li></ol>" * 50
    last = _lines(page)[-1]
    assert last.startswith("> > > >  ")
    assert last.endswith(". deep")
