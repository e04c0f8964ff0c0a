# ruff: noqa: E501 - markup as generators write it
"""What surrounds an article is left out, whatever generated the page; the article never is."""

from __future__ import annotations

import pytest
from markup import PROSE, article

from seed_platform.extraction import extract

_MENU = "".join(f'<li><a href="/{n}">Topic number {n}</a></li>' for n in range(8))
_PARAGRAPHS = f"<p>{PROSE}</p>" * 3
_CODE = "<pre><code>x = 1\n</code></pre>"
_WORDS = ("Topic number", "Copyright", "cookies", "Share", "Skip to", "Next post", "Related", "Search")

_PAGES = {
    "sphinx": f"""<body><div class="related" role="navigation"><ul><li><a href="i">Topic number 1</a> |</li></ul></div>
        <div class="document"><div class="documentwrapper"><div class="bodywrapper"><div class="body" role="main">
        <section id="navigation"><h1>Navigation<a class="headerlink" href="#navigation">¶</a></h1>{_PARAGRAPHS}{_CODE}</section>
        </div></div></div><div class="sphinxsidebar" role="navigation"><div class="sphinxsidebarwrapper"><h3>Topic number</h3>
        <ul>{_MENU}</ul></div></div></div><div class="footer">&copy; Copyright 2020, the authors.</div></body>""",
    "mkdocs": f"""<body><a class="md-skip" href="#x">Skip to content</a><header class="md-header"><nav>Search</nav></header>
        <div class="md-container"><main class="md-main"><div class="md-sidebar"><nav class="md-nav"><ul>{_MENU}</ul></nav></div>
        <div class="md-content"><article class="md-content__inner"><h1>Navigation</h1>{_PARAGRAPHS}{_CODE}</article></div></main>
        </div><footer class="md-footer">Copyright</footer></body>""",
    "docusaurus": f"""<body><div class="skipToContent"><a href="#x">Skip to main content</a></div><nav class="navbar">
        <a href="/">Topic number 0</a></nav><div class="main-wrapper"><aside class="theme-doc-sidebar-container"><ul>{_MENU}</ul>
        </aside><main><article><nav class="breadcrumbs"><ul><li><a href="/">Topic number</a></li></ul></nav><div class="markdown">
        <header><h1>Navigation</h1></header>{_PARAGRAPHS}{_CODE}</div></article><nav class="pagination-nav"><a href="/n">Next post
        </a></nav></main></div><footer>Copyright</footer></body>""",
    "wordpress": f"""<body class="single has-sidebar"><div id="page"><header id="masthead"><p class="site-title"><a href="/">Topic
        number</a></p><ul class="menu">{_MENU}</ul></header><div id="primary"><main id="main"><article class="post"><header
        class="entry-header"><h1 class="entry-title">Navigation</h1></header><div class="entry-content">{_PARAGRAPHS}{_CODE}
        <div class="sharedaddy">Share this: <a href="/t">Twitter</a></div><div class="jp-relatedposts"><h3>Related</h3></div></div>
        </article><nav class="post-navigation"><a href="/n">Next post</a></nav></main></div><aside class="widget-area"><form
        class="search-form">Search</form></aside></div><div class="cookie-notice">We use cookies.</div></body>""",
    "javadoc": f"""<body><div class="topNav"><ul class="navList">{_MENU}</ul></div><div class="header"><h2 class="title">Navigation
        </h2></div><div class="contentContainer"><div class="description"><div class="block">{_PARAGRAPHS}</div>{_CODE}</div>
        </div><div class="bottomNav"><ul class="navList">{_MENU}</ul></div><p class="legalCopy"><small class="copyright">Copyright
        </small></p></body>""",
    "table layout": f"""<body><table><tr><td class="menu"><ul>{_MENU}</ul></td><td><h1>Navigation</h1>{_PARAGRAPHS}{_CODE}</td>
        </tr><tr><td colspan=2 id="footer">Copyright</td></tr></table></body>""",
    "docbook": f"""<body><div class="navheader"><table><tr><td><a href="p">Prev</a></td><th>Topic number</th></tr></table></div>
        <div class="sect1"><h1><a id="n"/>Navigation</h1><div class="toc"><dl>{_MENU}</dl></div>{_PARAGRAPHS}{_CODE}</div>
        <div class="navfooter"><a href="p">Next post</a></div></body>""",
}


@pytest.mark.parametrize("name", _PAGES)
def test_an_article_is_kept_and_what_surrounds_it_is_not(name: str) -> None:
    text = extract(f"<!DOCTYPE html><html><head><title>t</title></head>{_PAGES[name]}</html>").text
    assert text.count(PROSE.strip()) == 3
    assert "x = 1" in text
    assert "# Navigation" in text
    assert not [word for word in _WORDS if word in text]


def test_posts_of_a_forum_are_content() -> None:
    posts = "".join(
        f'<div class="post" id="p{n}"><p class="author"><a href="/u">user{n}</a></p><div class="content">Answer {n}: {PROSE}'
        f"</div></div>"
        for n in range(4)
    )
    page = f'<body><div class="navbar"><ul>{_MENU}</ul></div><div id="page-body">{posts}</div><div class="copyright">Copyright</div>'
    text = extract(page).text
    assert [n for n in range(4) if f"Answer {n}" in text] == [0, 1, 2, 3]
    assert "Topic number" not in text


def test_questions_and_answers_are_kept_with_their_code() -> None:
    answers = "".join(
        f'<div class="answer"><div class="votecell">12</div><div class="s-prose js-post-body"><p>Answer {n}: {PROSE}</p>'
        f"<pre><code>f({n})\n</code></pre></div></div>"
        for n in range(3)
    )
    page = (
        f'<body><header class="s-topbar">Search</header><div id="left-sidebar"><ul>{_MENU}</ul></div><div id="mainbar"><div '
        f'class="question"><div class="s-prose"><p>How? {PROSE}</p></div></div><div id="answers">{answers}</div></div></body>'
    )
    extraction = extract(page)
    assert extraction.code_blocks == 3
    assert extraction.text.startswith("How?")
    assert all(f"Answer {n}" in extraction.text for n in range(3))


def test_comments_of_an_article_are_left_out_and_a_discussion_is_kept() -> None:
    comments = '<div id="comments">' + "".join(
        f'<div class="comment"><p>Reader {n}: {PROSE}</p></div>' for n in range(6)
    )
    few = '<div id="comments"><div class="comment"><p>Reader 0: thanks</p></div></div>'
    assert "Reader" not in extract(article(_PARAGRAPHS, after=few)).text
    assert extract(article("", after=comments + "</div>")).text.count("Reader") == 6


def test_headings_of_what_is_left_out_at_the_end_are_left_out_too() -> None:
    text = extract(article(_CODE, after=f"<h2>Related posts</h2><ul>{_MENU}</ul>")).text
    assert "Related" not in text
    assert "Topic" not in text


def test_hidden_blocks_are_left_out_unless_they_hold_code() -> None:
    text = extract(article(f'<div style="display: none"><p>Gone</p></div><div hidden>{_CODE}</div>')).text
    assert "Gone" not in text
    assert "x = 1" in text
