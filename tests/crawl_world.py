"""A small crawl made for tests: pages of every fate in two WARC files, and pages to train a model on."""

from __future__ import annotations

import gzip
import random
import uuid
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from support import edited, python_source

from seed_platform.pages.categories import CATEGORIES
from seed_platform.policy import Policy

CODE = python_source(1, 30) + "\n\n\tif a<b and 'x'  :  # a tab, two  spaces, & a mark   \n        return [\n]\n"
_PROSE = ("river", "stone", "garden", "window", "letter", "morning", "table", "silver", "winter", "bridge", "story")
_CODING = ("function", "compiler", "variable", "method", "loop", "string", "parser", "library", "module", "stack")
EVERY_QUALITY = {name: {"threshold": 0.0, "rate": 1.0} for name in CATEGORIES}
POLICY = Policy.model_validate({"site_quality": {"categories": EVERY_QUALITY}})
"""The defaults, but for the quality of a page, which depends on its looks and not on what these tests plant."""
TRAINING = Policy.model_validate(
    {
        "site_quality": {"categories": EVERY_QUALITY},
        "code_relevance": {"min_pages": 12, "dim": 45, "epoch": 10},
    }
)
"""Trains on a few pages, in little time."""


def prose(seed: int, words: int = 60, vocabulary: Sequence[str] = _PROSE) -> str:
    """Sentences that no other seed shares."""
    chance = random.Random(seed)
    told = [f"{chance.choice(vocabulary)} {chance.choice(vocabulary)}{seed}x{n}" for n in range(words // 2)]
    return ". ".join(" ".join(told[n : n + 5]).capitalize() for n in range(0, len(told), 5)) + "."


def about_code(seed: int) -> str:
    """Sentences about code."""
    return prose(seed, vocabulary=_CODING)


def page(text: str, code: str | None = None, title: str = "A page") -> str:
    """An HTML page with a paragraph for each line of `text`, and a code block."""
    paragraphs = "".join(f"<p>{escape(line)}</p>" for line in text.split("\n"))
    block = "" if code is None else f'<pre><code class="language-python">{escape(code, quote=False)}</code></pre>'
    head = f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title></head>"
    return f"{head}<body><main><h1>{escape(title)}</h1>{paragraphs}{block}</main></body></html>"


def record(
    url: str,
    body: str | bytes,
    *,
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    kind: str = "response",
) -> bytes:
    """One WARC record, with an id made of its URL and body."""
    raw = body if isinstance(body, bytes) else body.encode()
    head = "GET / HTTP/1.1" if kind == "request" else f"HTTP/1.1 {status}\r\nContent-Type: {content_type}"
    block = head.encode() + b"\r\n\r\n" + raw
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind} {url} {len(raw)} {hash_of(raw)}")
    lines = (
        "WARC/1.0",
        f"WARC-Type: {kind}",
        f"WARC-Target-URI: {url}",
        f"WARC-Record-ID: <urn:uuid:{name}>",
        "WARC-Date: 2025-02-01T10:00:00Z",
        "Content-Type: application/http",
        f"Content-Length: {len(block)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + block + b"\r\n\r\n"


def hash_of(raw: bytes) -> str:
    """A short name of some bytes."""
    return uuid.uuid5(uuid.NAMESPACE_OID, raw.hex()).hex[:8]


def member(one: bytes) -> bytes:
    """A record compressed on its own, as crawlers do."""
    return gzip.compress(one, mtime=0)


def damaged(packed: bytes) -> bytes:
    """A member that cannot be decompressed; as long as it was."""
    middle = len(packed) // 2
    return packed[:middle] + b"\xff" * 24 + packed[middle + 24 :]


def write(path: Path, members: Iterable[bytes]) -> Path:
    """A WARC file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(members))
    return path


GUIDE = page(prose(1), CODE, "Guide")
PLAIN = prose(2, 120)
_NEAR = "\n".join(line.replace("stone", "rock", 1) for line in PLAIN.split("\n"))
SITE = "https://docs.example/"
FIRST: dict[str, tuple[str, str]] = {
    f"{SITE}guide": (GUIDE, "kept"),
    "http://www.docs.example/guide/?utm_source=news": (page(prose(3)), "url_duplicates: url_duplicate"),
    f"{SITE}copy": (GUIDE, "exact_duplicates: exact_duplicate"),
    f"{SITE}plain": (page(PLAIN), "kept"),
    f"{SITE}near": (page(_NEAR), "near_duplicates: near_duplicate"),
    f"{SITE}edited": (page(prose(4, 20), edited(CODE, [3])), "kept"),
    f"{SITE}short": (page("Three words only"), "rules: too_few_words"),
    f"{SITE}nothing": ("<html><body><script>let a = 1</script></body></html>", "rules: script_only"),
    f"{SITE}lost": (page("Error 404: page not found on this server, please go back"), "rules: error_page"),
}
"""By URL: the page, and what becomes of it."""
SECOND: dict[str, tuple[str, str]] = {
    "https://docs.example:443/guide#top": (page(prose(5)), "url_duplicates: url_duplicate"),
    "https://mirror.example/guide": (GUIDE, "exact_duplicates: exact_duplicate"),
    "https://mirror.example/near": (page(_NEAR + "\nAnd more."), "near_duplicates: near_duplicate"),
    "https://mirror.example/own": (page(prose(6), "x = 1\n"), "kept"),
    "https://mirror.example/own-plain": (page(prose(7)), "kept"),
}
REFUSED = {
    f"{SITE}moved": (record(f"{SITE}moved", "", status="301 Moved"), "redirect"),
    f"{SITE}gone": (record(f"{SITE}gone", "gone", status="410 Gone"), "http_error"),
    f"{SITE}logo.png": (record(f"{SITE}logo.png", b"\x89PNG", content_type="image/png"), "not_html"),
    f"{SITE}void": (record(f"{SITE}void", ""), "empty_body"),
}
"""Records of the first file that are no pages, by URL, and why."""
SKIPPED = [record(f"{SITE}guide", "", kind="request"), record(f"{SITE}guide", "a: b", kind="metadata")]


def world(folder: Path) -> list[Path]:
    """The two files."""
    first = [
        *SKIPPED,
        *(record(url, html) for url, (html, _) in FIRST.items()),
        *(each for each, _ in REFUSED.values()),
    ]
    second = [record(url, html) for url, (html, _) in SECOND.items()]
    return [
        write(folder / "one.warc.gz", map(member, first)),
        write(folder / "two.warc.gz", map(member, second)),
    ]


def training_pages(count: int = 30) -> dict[str, str]:
    """For each of `count` hosts, by URL: a page that marks code, one about code that does not, and one of prose."""
    pages = {}
    for number in range(count):
        host = f"https://site{number}.example/"
        pages[f"{host}api"] = page(about_code(1000 + number), f"x = {number}\n")
        pages[f"{host}notes"] = page(about_code(2000 + number))
        pages[f"{host}story"] = page(prose(3000 + number))
        pages[f"{host}tale"] = page(prose(4000 + number))
    return pages


def crawl_of(path: Path, pages: dict[str, str]) -> Path:
    """A WARC file of these pages."""
    return write(path, (member(record(url, html)) for url, html in pages.items()))
