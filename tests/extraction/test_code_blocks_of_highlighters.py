# ruff: noqa: E501 - markup as generators write it
"""Code as highlighters and generators of documentation mark it up comes out as it was written."""

from __future__ import annotations

import time

import pytest
from markup import article, blocks

from seed_platform.extraction import extract

_CODE = "def f(x):\n\n    return x < 3 and 'a&b'\n"
_ESCAPED = _CODE.replace("&", "&amp;").replace("<", "&lt;")
_LINES = _ESCAPED.splitlines()
_NUMBERED = range(1, len(_LINES) + 1)
_TOKENS = (
    '<span class="k">def</span> <span class="nf">f</span><span class="p">(</span><span class="n">x</span>'
    '<span class="p">):</span>\n\n    <span class="k">return</span> <span class="n">x</span> <span class="o">&lt;</span> '
    '<span class="mi">3</span> <span class="ow">and</span> <span class="s1">\'a&amp;b\'</span>\n'
)

_MARKUP = {
    "sphinx": (
        f'<div class="highlight-python3 notranslate"><div class="highlight"><pre><span></span>{_TOKENS}</pre></div></div>',
        "python3",
    ),
    "pygments table": (
        '<div class="highlight-python"><table class="highlighttable"><tbody><tr><td class="linenos"><div class="linenodiv">'
        f'<pre><span class="normal">1</span>\n<span class="normal">2</span>\n<span class="normal">3</span></pre></div></td>'
        f'<td class="code"><div class="highlight"><pre><span></span>{_TOKENS}</pre></div></td></tr></tbody></table></div>',
        "python",
    ),
    "pygments inline": (
        '<div class="codehilite language-python"><pre><span></span><code>'
        + "".join(f'<span class="linenos">{n}</span>{line}\n' for n, line in zip(_NUMBERED, _LINES, strict=True))
        + "</code></pre></div>",
        "python",
    ),
    "highlight.js": (f'<pre><code class="hljs language-python">{_TOKENS}</code></pre>', "python"),
    "highlight.js, old": (f'<pre><code class="hljs python">{_TOKENS}</code></pre>', "python"),
    "highlight.js line numbers": (
        '<pre><code class="language-python hljs"><table class="hljs-ln"><tbody>'
        + "".join(
            f'<tr><td class="hljs-ln-line hljs-ln-numbers" data-line-number="{n}"><div class="hljs-ln-n">{n}</div></td>'
            f'<td class="hljs-ln-line hljs-ln-code">{line}</td></tr>'
            for n, line in zip(_NUMBERED, _LINES, strict=True)
        )
        + "</tbody></table></code></pre>",
        "python",
    ),
    "prism": (
        f'<pre class="line-numbers language-python"><code class="language-python">{_TOKENS}<span aria-hidden="true" '
        'class="line-numbers-rows"><span></span><span></span><span></span></span></code></pre>',
        "python",
    ),
    "github readme": (
        f'<div class="highlight highlight-source-python"><pre>{_TOKENS}</pre><div class="zeroclipboard-container">'
        '<clipboard-copy aria-label="Copy"><svg><path d="M0"></path></svg></clipboard-copy></div></div>',
        "python",
    ),
    "github file": (
        '<table class="highlight tab-size js-file-line-container"><tbody>'
        + "".join(
            f'<tr><td id="L{n}" class="blob-num js-line-number" data-line-number="{n}"></td>'
            f'<td id="LC{n}" class="blob-code blob-code-inner js-file-line">{line}</td></tr>'
            for n, line in zip(_NUMBERED, _LINES, strict=True)
        )
        + "</tbody></table>",
        "",
    ),
    "mkdocs": (
        '<div class="language-python highlight"><pre><span></span><code><button class="md-clipboard" title="Copy">Copy'
        f"</button>{_TOKENS}</code></pre></div>",
        "python",
    ),
    "docusaurus": (
        '<div class="language-python codeBlockContainer_x"><div class="codeBlockContent_y"><pre tabindex="0" class="prism-code '
        'language-python"><code class="codeBlockLines_z">'
        + "".join(
            f'<span class="token-line" style="color:#393A34"><span class="token plain">{line}</span><br></span>'
            for line in _LINES
        )
        + '</code></pre><div class="buttonGroup"><button type="button">Copy</button></div></div></div>',
        "python",
    ),
    "rustdoc": (
        '<div class="example-wrap"><pre class="src-line-numbers"><a href="#1" id="1">1</a>\n<a href="#2" id="2">2</a>\n</pre>'
        f'<pre class="rust"><code>{_TOKENS}</code></pre></div>',
        "rust",
    ),
    "rouge": (
        '<div class="language-python highlighter-rouge"><div class="highlight"><pre class="highlight"><code><table '
        'class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">1\n2\n3\n</pre></td><td '
        f'class="rouge-code"><pre>{_TOKENS}</pre></td></tr></tbody></table></code></pre></div></div>',
        "python",
    ),
    "hugo": (
        '<div class="highlight"><div class="chroma"><table class="lntable"><tr><td class="lntd"><pre class="chroma"><code>'
        '<span class="lnt">1\n</span><span class="lnt">2\n</span><span class="lnt">3\n</span></code></pre></td>'
        f'<td class="lntd"><pre class="chroma"><code class="language-python" data-lang="python">{_TOKENS}</code></pre></td>'
        "</tr></table></div></div>",
        "python",
    ),
    "hexo": (
        '<figure class="highlight python"><table><tr><td class="gutter"><pre><span class="line">1</span><br><span '
        'class="line">2</span><br><span class="line">3</span><br></pre></td><td class="code"><pre>'
        + "".join(f'<span class="line">{line}</span><br>' for line in _LINES)
        + "</pre></td></tr></table></figure>",
        "python",
    ),
    "a div for each line": (
        '<pre data-lang="python">'
        + "".join(f'<div class="line">{line or chr(10)}</div>' for line in _LINES)
        + "</pre>",
        "python",
    ),
    "syntaxhighlighter": (f'<pre class="brush: python; gutter: false">{_ESCAPED}</pre>', "python"),
    "data attribute": (f'<pre data-language="python">{_ESCAPED}</pre>', "python"),
    "javadoc": (f'<div class="block"><pre><code>{_ESCAPED}</code></pre></div>', ""),
    "wordpress": (
        f'<pre class="wp-block-code"><code lang="python" class="language-python">{_ESCAPED}</code></pre>',
        "python",
    ),
}


@pytest.mark.parametrize("name", _MARKUP)
def test_code_comes_out_as_written_with_its_language(name: str) -> None:
    markup, language = _MARKUP[name]
    extraction = extract(article(markup))
    assert blocks(extraction.text) == [(language, _CODE)]
    assert extraction.code_blocks == 1
    assert extraction.code_bytes >= len(_CODE.encode()) - 1
    assert extraction.explicit


def test_a_fence_is_longer_than_any_run_of_backticks_within() -> None:
    code = "```python\n````\nx\n"
    assert blocks(extract(article(f"<pre>{code}</pre>")).text) == [("", code)]


def test_prose_that_looks_like_a_fence_opens_none() -> None:
    extraction = extract(article("<p>```</p><pre>x = 1\n</pre><p>~~~ y</p>"))
    assert blocks(extraction.text) == [("", "x = 1\n")]


def test_code_within_lists_tables_and_quotations_begins_at_the_margin() -> None:
    code = "if x:\n    y()\n"
    markup = (
        f"<ol><li>First<pre>{code}</pre></li><li><pre>{code}</pre></li></ol><blockquote><pre>{code}</pre></blockquote>"
        f"<table><tr><td>a</td><td><pre>{code}</pre></td></tr></table><h2>Head <pre>{code}</pre></h2>"
    )
    assert blocks(extract(article(markup)).text) == [("", code)] * 5


def test_an_embed_that_keeps_its_code_for_readers_without_scripts_is_code() -> None:
    markup = "<noscript><pre>x = 1\n</pre></noscript><noscript><p>Please enable scripts</p></noscript>"
    extraction = extract(article(markup))
    assert blocks(extraction.text) == [("", "x = 1\n")]
    assert "enable scripts" not in extraction.text


def test_lines_of_a_block_that_is_no_pre_are_kept() -> None:
    extraction = extract(article("<div><code>a = 1<br>b&nbsp;= 2<br></code></div>"))
    assert blocks(extraction.text) == [("", "a = 1\nb = 2\n")]


def test_a_line_end_of_the_source_beside_a_br_is_no_second_line_end() -> None:
    markup = "<p><code>a = 1<br />\n&nbsp;b = 2<br />\n<br />\nc = 3\n<br />d = 4</code></p>"
    assert blocks(extract(article(markup)).text) == [("", "a = 1\n b = 2\n\nc = 3\nd = 4\n")]
    assert blocks(extract(article("<pre>a<br>\nb</pre>")).text) == [("", "a\n\nb\n")]


@pytest.mark.parametrize("element", ["code", "tt", "samp"])
@pytest.mark.parametrize(
    "around", ["{}", "words<br>{}<br>words", "<p>words:<br><b>{}</b></p>", "<h2>words</h2> {}<p>x</p>"]
)
def test_inline_code_of_several_lines_with_these_for_itself_is_a_block(element: str, around: str) -> None:
    markup = around.format(f"<{element}>a = 1<br>&nbsp; b = 2<br>\n</{element}>")
    assert blocks(extract(article(markup)).text) == [("", "a = 1\n  b = 2\n")]


@pytest.mark.parametrize(
    ("markup", "line"),
    [
        ("<p>Type <tt>a<br>b</tt></p>", "Type `a b`"),
        ("<p><i><tt>a<br>b</tt></i> is it</p>", "`a b` is it"),
        ("<p><code>a<br></code><br>is it</p>", "`a`"),
        ("<tt>a<br>b<div>c<br>d</div>is it</tt><p>e</p>", "c"),
        (
            "<table><tr><td><tt>a<br>b</tt><br>x</td><td>c</td></tr><tr><td>d</td><td>e</td></tr></table>",
            "| `a b` x | c |",
        ),
    ],
)
def test_inline_code_within_a_line_or_a_table_stays_inline(markup: str, line: str) -> None:
    extraction = extract(article(markup))
    assert extraction.code_blocks == 0
    assert line in extraction.text.split("\n")


def test_code_in_a_script_that_is_not_run_is_code_if_it_is_within_a_pre() -> None:
    code = 'if (a < b && c)\n    print("&lt;</b>");\n'
    kept = (f"<![CDATA[\n{code}]]>", f"\n{code}", f" <![CDATA[{code}]]>\n")
    for inner in kept:
        markup = f'<pre><script type="syntaxhighlighter" class="brush: js; gutter: false">{inner}</script></pre>'
        extraction = extract(article(markup))
        assert blocks(extraction.text) == [("js", code)]
        assert extraction.explicit
    assert "zz" not in extract(article('<script type="syntaxhighlighter">zz</script>')).text


@pytest.mark.parametrize(
    "kind", ["", ' type=""', ' type="Text/JavaScript"', " type=module", ' type="application/ld+json"']
)
def test_a_script_that_is_run_is_no_code_of_the_page(kind: str) -> None:
    assert blocks(extract(article(f"<pre>x = 1\n<script{kind}>run()</script></pre>")).text) == [("", "x = 1\n")]


def test_many_lines_of_inline_code_cost_linear_work() -> None:
    markup = "<span>" + "<tt>a<br>b</tt><i></i> " * 30_000 + "</span>" + "<br><tt>a<br>b</tt>" * 1_000
    before = time.process_time()
    extraction = extract(article(markup))
    assert time.process_time() - before < 5
    assert extraction.code_blocks == 1_000


def test_code_in_boilerplate_is_kept_and_what_is_around_it_is_not() -> None:
    markup = '<div class="sidebar"><ul><li><a href="/">Home</a></li></ul><pre>x = 1\n</pre></div>'
    assert blocks(extract(article("", after=markup)).text) == [("", "x = 1\n")]


def test_a_block_of_code_within_inline_code_ends_it() -> None:
    extraction = extract(
        article("<p><code>a <code>x\ny\nz\n</code></code> b</p><code>c <div><code>1\n2\n3</code></div></code>")
    )
    assert len(blocks(extraction.text)) == extraction.code_blocks


def test_code_after_a_table_of_spaces_keeps_its_fence() -> None:
    spaces = "<table><tr><td>&nbsp;</td><td>&nbsp;</td><td>&nbsp;</td></tr><tr><td colspan=3>x</td></tr></table>"
    assert blocks(extract(article(f"<pre>x\n</pre>{spaces}")).text) == [("", "x\n")]
