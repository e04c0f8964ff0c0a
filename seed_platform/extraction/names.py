"""The names that HTML and its authors use: elements, their kinds, and the words of classes that tell what a block is.

What belongs here: tables of names as arrays for compiled code. What does not: decisions about a page.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.int32]

# Kinds of elements, as bits.
VOID = 1  # never has content
RAW = 2  # its content is serialized as it is, without entities
UNSEEN = 4  # its content is no text of the page
BLOCK = 8
HEADING = 16
CODE = 32  # inline code
PRE = 64
LIST = 128
BREAK = 256
CELL = 512
ROW = 1024
FRAME = 2048  # content around the main content: nav, footer, aside ...
FORMATTING = 4096  # reopened in the next block if not closed (HTML Standard 13.2.4.3)
SCOPE = 8192  # ends the search for an open element to close (HTML Standard 13.2.4.2)
IMPLIED = 16384  # closed by the next of its kind


def _each(value: int, elements: str) -> dict[str, int]:
    """The value for each of some names between spaces."""
    return dict.fromkeys(elements.split(), value)


_RAW_UNSEEN = RAW | UNSEEN
_ELEMENTS: dict[str, int] = {
    **_each(VOID, "area base br col embed hr img input link meta source track wbr param frame"),
    **_each(_RAW_UNSEEN, "script style iframe noembed noframes"),
    **_each(UNSEEN, "head title template svg object canvas audio video select button textarea datalist map dialog"),
    **_each(BLOCK, "html body div section article main address blockquote details summary dl figure figcaption"),
    **_each(BLOCK, "hgroup fieldset legend center form menu search caption"),
    **_each(BLOCK | FRAME, "nav aside footer header noscript"),
    **_each(BLOCK | IMPLIED, "p dt dd"),
    "li": BLOCK | IMPLIED,
    **_each(BLOCK | HEADING, "h1 h2 h3 h4 h5 h6"),
    **_each(BLOCK | LIST | SCOPE, "ul ol"),
    "table": BLOCK | SCOPE,
    "tr": BLOCK | ROW | IMPLIED,
    **_each(BLOCK | CELL | IMPLIED, "td th"),
    **_each(BLOCK | PRE, "pre listing"),
    **_each(BLOCK | PRE | RAW, "xmp plaintext"),
    **_each(CODE, "samp kbd"),
    **_each(CODE | FORMATTING, "code tt"),
    **_each(FORMATTING, "a b big em font i nobr s small strike strong u"),
    **_each(0, "thead tbody tfoot span time label sup sub frameset math option"),
}
_ELEMENTS["br"] |= BREAK
_ELEMENTS["hr"] |= BLOCK
_ELEMENTS["noscript"] = BLOCK | FRAME
_ELEMENTS["option"] = IMPLIED
for _name in ("dl", "blockquote", "object", "button", "caption", "html"):
    _ELEMENTS[_name] |= SCOPE

# 0 is a run of text, 1 an element that is not in the table.
TEXT, OTHER = 0, 1
NAMES: tuple[str, ...] = ("", "?", *_ELEMENTS)
ID: dict[str, int] = {name: number for number, name in enumerate(NAMES)}
KINDS: Kinds = np.array([0, 0, *_ELEMENTS.values()], dtype=np.int32)

# What a class, an id or another attribute says of an element, as bits.
BOILERPLATE = 1  # navigation and other parts of the site
MINOR = 2  # parts about the article: who wrote it, who shares it
CONTENT = 4
HIDDEN = 8
GUTTER = 16  # line numbers beside code
HIGHLIGHTED = 32  # made by a syntax highlighter
LISTING = 64  # a block of code that is no <pre>
PERMALINK = 128
SPANNING = 256  # a cell of several rows or columns
MAIN = 512
COPY = 1024  # copies the code beside it
SECTION = 2048  # an id that was made of a heading
LINK = 4096  # goes somewhere
REPLY = 8192  # what readers wrote
HEAD = 16384  # of a page or of its main content
DATA = 32768  # a script of a type that browsers do not run

# Whole tokens of class attributes.
_TOKENS: dict[str, int] = {
    **_each(
        GUTTER,
        "linenos linenodiv lineno linenumber line-number line-numbers linenumbers line-numbers-rows hljs-ln-numbers "
        "hljs-ln-n hljs-ln-line-numbers blob-num src-line-nums src-line-numbers gutter rouge-gutter lnt ln "
        "code-line-number react-line-number lineno-container rouge-linenos crayon-nums gl",
    ),
    **_each(PERMALINK, "headerlink permalink hash-link header-anchor anchor anchorjs-link heading-anchor"),
    **_each(PERMALINK, "anchor-link headeranchor heading-link direct-link section-link doc-anchor"),
    **_each(COPY, "copybtn copy-button btn-copy copy-btn copy-code copy clipboard btn-clipboard"),
    **_each(COPY, "code-copy copy-code-button copybutton clipboard-copy zeroclipboard-container md-clipboard"),
    **_each(LISTING | HIGHLIGHTED, "js-file-line-container syntaxhighlighter codemirror-code"),
    **_each(HIGHLIGHTED, "hljs highlight highlighttable codehilite prettyprint chroma rouge prism shiki"),
    **_each(HIGHLIGHTED, "sourcecode prettyprinted mw-highlight token-line js-file-line blob-code"),
    **_each(SECTION, "section level1 level2 level3 sect1 sect2 sect3"),
    **_each(BOILERPLATE, "hatnote visually-hidden sr-only screen-reader-text visuallyhidden noprint no-print"),
    **_each(BOILERPLATE, "navheader navfooter table-of-contents skip-link md-header md-tabs sub-nav bottom-nav"),
    **_each(BOILERPLATE, "test-arrow hideme out-of-band srclink"),
    **_each(MINOR, "post-meta entry-meta article-meta post-info post-footer entry-footer article-footer"),
    **_each(MINOR, "post-nav post-tags post-categories tag-list cat-links tags-links author-bio byline"),
    **_each(MINOR, "posted-on post-date post-author read-more more-link"),
}
# Words of class, id and role attributes: letters and digits between other characters or before a capital.
_WORDS: dict[str, int] = {
    **_each(BOILERPLATE, "nav navbar navigation navigator sidebar sidenav sidemenu sidebars topnav breadcrumb"),
    **_each(BOILERPLATE, "breadcrumbs crumbs crumb pagination pager paginator footer masthead topbar toolbar menu"),
    **_each(BOILERPLATE, "menus menubar navmenu submenu dropdown cookie cookies consent gdpr popup modal banner"),
    **_each(BOILERPLATE, "advert advertisement advertising ads adsense sponsor sponsored promo newsletter"),
    **_each(BOILERPLATE, "subscribe subscription signup login signin skip skiplink toc tableofcontents"),
    **_each(BOILERPLATE, "sphinxsidebar sphinxsidebarwrapper contentinfo complementary searchbox searchform"),
    **_each(BOILERPLATE, "toctree toctreewrapper offcanvas hamburger sitemap colophon copyright headerbar"),
    **_each(BOILERPLATE, "prevnext nextprev navlinks navfooter navheader bottomnav quicklinks backlinks"),
    **_each(MINOR, "links disqus respond share sharing social sharedaddy"),
    **_each(MINOR, "addthis addtoany sociable related recommended recommendations similar widget widgets"),
    **_each(MINOR, "byline author avatar signature votes vote jp tagcloud postmetadata metadata"),
    **_each(CONTENT, "content article entry post story document markdown bodytext prose body"),
    **_each(CONTENT, "articlebody postbody maincontent docs documentation"),
    **_each(REPLY, "comments comment commentlist reply replies"),
    "main": MAIN,
    "header": HEAD,
    "highlight": HIGHLIGHTED,
    "highlighter": HIGHLIGHTED,
    "syntaxhighlighter": HIGHLIGHTED,
    "hljs": HIGHLIGHTED,
    "codehilite": HIGHLIGHTED,
}

SLOTS = 8192
_MASK = (1 << 63) - 1
_FACTOR = 0x9E3779B1


def hash_of(name: str) -> int:
    """The hash of a lower-case name; compiled code computes the same byte by byte."""
    value = 0
    for byte in name.encode():
        value = ((value ^ byte) * _FACTOR) & _MASK
        value ^= value >> 29
    return value


def _table(names: dict[str, int]) -> Table:
    """Hash and value of each name, at the slot that its hash gives or the next free one."""
    table = np.zeros((SLOTS, 2), dtype=np.int64)
    for name, value in names.items():
        key = hash_of(name)
        slot = key % SLOTS
        while table[slot, 0]:
            slot = (slot + 1) % SLOTS
        table[slot] = key, value
    return table


ELEMENTS: Table = _table({name: number for name, number in ID.items() if number > OTHER})
TOKENS: Table = _table(_TOKENS)
WORDS: Table = _table(_WORDS)

# Attributes that are read, by number.
ATTRIBUTE_NAMES = (
    "class",
    "id",
    "role",
    "hidden",
    "style",
    "aria-hidden",
    "colspan",
    "rowspan",
    "itemprop",
    "href",
    "type",
)
CLASS, IDENTIFIER, ROLE, HIDDEN_ATTRIBUTE, STYLE, ARIA_HIDDEN, COLSPAN, ROWSPAN, ITEMPROP, HREF, TYPE = range(1, 12)
ATTRIBUTES: Table = _table({name: number for number, name in enumerate(ATTRIBUTE_NAMES, start=1)})
