"""What can be counted on a page: named numbers in [0, 1] from its address, its title, its elements and its Markdown.

What belongs here: measures, each with one name, and the language of the prose. What does not: what they mean for a
category or a score (`categories.py`, `quality.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import numpy as np
import numpy.typing as npt
import py3langid

from seed_platform.pages.marks import HOST_MARKS, PATH_MARKS, PHRASES, TITLE_MARKS
from seed_platform.pages.urls import host_of, normalize

Vector = npt.NDArray[np.float64]

_FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)(?:^\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"`[^`\n]*`")
_MARKUP = re.compile(r"^[ \t]*(?:#{1,6}|[-*+]|\d+[.)]|>)[ \t]+|\]\([^)\n]*\)|[|*_\[\]]+", re.MULTILINE)

SAMPLE_HEAD = 4000
"""Characters from the start of a page in which phrases are counted ..."""
SAMPLE_TAIL = 1500
"""... and from its end, where comments and answers are."""
LANGUAGE_SAMPLE = 500
"""Characters of prose that the language is told from."""
LANGUAGE_MINIMUM = 20
"""Letters without which no language is told."""

_COUNTED = (
    "article",
    "time",
    "blockquote",
    "form",
    "input",
    "img",
    "iframe",
    "dl",
    "table",
    "li",
    "p",
    "pre",
    "code",
    "a",
)
_TEXT = (
    "code_share", "code_blocks", "inline_code", "headings", "list_lines", "table_lines", "quote_lines", "short_lines",
    "questions", "exclamations", "first_person", "second_person", "dates", "prices", "calls", "length",
)  # fmt: skip
_ADDRESS = ("is_root", "depth", "dated", "dated_by_month", "versioned", "numbered", "slug", "query")
NAMES: tuple[str, ...] = (
    *(f"host:{name}" for name in HOST_MARKS),
    *(f"path:{name}" for name in PATH_MARKS),
    *(f"title:{name}" for name in TITLE_MARKS),
    *(f"url:{name}" for name in _ADDRESS),
    *(f"tags:{name}" for name in _COUNTED),
    *(f"text:{name}" for name in _TEXT),
    *(f"says:{name}" for name in PHRASES),
)
"""Of the features, in the order of the vectors."""

_FIRST_PERSON = frozenset({"i", "i'm", "i've", "i'd", "my", "me", "we", "our", "i'll"})
_SECOND_PERSON = frozenset({"you", "your", "you'll", "you're", "you've", "let's"})
_DATE = re.compile(
    r"\b(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.]\d{1,2}\b|\b\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d\b"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? (?:19|20)\d\d\b"
    r"|\b\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (?:19|20)\d\d\b|(?:19|20)\d\d年"
)
_PRICE = re.compile(r"[$€£¥₹] ?\d|\d ?(?:€|£|eur\b|usd\b|zł|kr\b|\u0440\u0443\u0431)")
_CALL = re.compile(r"[a-z_0-9]\(")
_VERSION = re.compile(r"/(?:v?\d+\.\d+(?:\.[\dx]+)?|latest|stable|current|master|main|dev)(?:/|$)")
_DAY = re.compile(r"/(?:19|20)\d\d[/-]?(?:0[1-9]|1[0-2])[/-]?(?:[0-2]\d|3[01])(?:[/-]|$)")
_MONTH = re.compile(r"/(?:19|20)\d\d(?:/(?:0?[1-9]|1[0-2]|[a-z]{3}))?/")
_NUMBER = re.compile(r"\d{4,}")


def without_code(text: str) -> str:
    """`text` (Markdown) without fenced blocks and inline code."""
    return _INLINE.sub(" ", _FENCED.sub("\n", text)) if "`" in text or "~~~" in text else text


def prose_language(text: str) -> str | None:
    """The two-letter language of the prose of `text` (Markdown), by py3langid; None if there is too little prose."""
    head = without_code(text[: LANGUAGE_SAMPLE * 8])
    sample = _MARKUP.sub(" ", head)[:LANGUAGE_SAMPLE]
    if sum(map(str.isalpha, sample)) < LANGUAGE_MINIMUM:
        return None
    return str(py3langid.classify(sample)[0])


def features(url: str, counts: Mapping[str, int], title: str | None, text: str) -> Vector:
    """The features of one page; shape (features,), each in [0, 1], in the order of `NAMES`.

    Args:
        url: its address.
        counts: of the elements of its whole tree, by name; names that lack count zero.
        title: of its head.
        text: its main content as Markdown.
    """
    parts = _parts(url)
    values = _marked(parts, (title or "").lower())
    values += _of_address(parts)
    sample = text if len(text) <= SAMPLE_HEAD + SAMPLE_TAIL else text[:SAMPLE_HEAD] + "\n" + text[-SAMPLE_TAIL:]
    lower = sample.lower()
    words = lower.split()
    total = max(len(words), 1)
    page_words = max(total * len(text) / max(len(sample), 1), 50.0)
    values += [_saturated(counts.get(name, 0) / page_words, 0.05) for name in _COUNTED]
    values += _of_text(text, sample, lower, words)
    values += [_saturated(sum(map(lower.count, phrases)), 2.0) for phrases in PHRASES.values()]
    return np.array(values)


def _parts(url: str) -> SplitResult:
    """The parts of an address as `normalize` spells it; empty ones if it is none."""
    return urlsplit(normalize(url) if host_of(url) else "")


def _marked(parts: SplitResult, title: str) -> list[float]:
    """Whether host, path and title match their marks."""
    host, path = parts.netloc, parts.path.lower()
    found = [float(mark.search(host) is not None) for mark in HOST_MARKS.values()]
    # Queries count as a part of the path: viewtopic.php?t=1, index.php?product=2.
    found += [float(mark.search(f"{path}?{parts.query}") is not None) for mark in PATH_MARKS.values()]
    found += [float(mark.search(title) is not None) for mark in TITLE_MARKS.values()]
    return found


def _of_address(parts: SplitResult) -> list[float]:
    """The shape of the address."""
    path = parts.path.lower()
    last = path.rpartition("/")[2]
    return [
        float(path in {"", "/"}),
        min(path.rstrip("/").count("/") / 8, 1.0),
        float(_DAY.search(path) is not None),
        float(_MONTH.search(path) is not None),
        float(_VERSION.search(path) is not None),
        float(_NUMBER.search(last) is not None),
        min((last.count("-") + last.count("_")) / 6, 1.0),
        float(bool(parts.query)),
    ]


def _of_text(text: str, sample: str, lower: str, words: list[str]) -> list[float]:
    """The form of the text."""
    total = max(len(words), 1)
    code = sum(match.end() - match.start() for match in _FENCED.finditer(text)) if "```" in text else 0
    lines = [line for line in sample.split("\n") if line.strip()]
    count = max(len(lines), 1)
    starts = [line.lstrip()[:2] for line in lines]

    def lines_starting(marks: tuple[str, ...]) -> float:
        return sum(start.startswith(marks) for start in starts) / count

    return [
        code / max(len(text), 1),
        _saturated(text.count("\n```") / 2, 3.0),
        _saturated((sample.count("`") - 6 * sample.count("\n```") / 2) / 2 / total, 0.02),
        _saturated(lines_starting(("#",)), 0.1),
        lines_starting(("- ", "* ", "+ ", "•", "1.", "2.", "3.")),
        lines_starting(("|",)),
        lines_starting((">",)),
        sum(len(line) < 40 for line in lines) / count,
        _saturated((lower.count("?") + lower.count("\uff1f")) / total, 0.01),
        _saturated((lower.count("!") + lower.count("\uff01")) / total, 0.01),
        _saturated(sum(map(_FIRST_PERSON.__contains__, words)) / total, 0.02),
        _saturated(sum(map(_SECOND_PERSON.__contains__, words)) / total, 0.02),
        _saturated(len(_DATE.findall(lower[:1000] + lower[-1000:])), 2.0),
        _saturated(len(_PRICE.findall(lower)), 3.0),
        _saturated(len(_CALL.findall(lower)) / total, 0.01),
        min(math.log10(max(len(text), 1)) / 5, 1.0),
    ]


def _saturated(value: float, half: float) -> float:
    """`value` >= 0 in [0, 1): 0.5 where it is `half`, so that one long page cannot outweigh all else."""
    return max(value, 0.0) / (max(value, 0.0) + half)
