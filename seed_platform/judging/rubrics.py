"""Rubrics: what a judge is asked, as versioned files, and how its rating is read from its answer.

What belongs here: loading a rubric, filling it with a document, the form `Rating: [[X]]`. What does not: requests to a
server (`endpoint.py`), and the forms of answer that need one's structured output or probabilities (`modes.py`). A
rubric's file never changes meaning: a changed rubric is a new version beside the old one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

from seed_platform.errors import UsageError

LOWEST, HIGHEST = 0.0, 10.0
"""Of every rating (PAPER §1.2: the zero-score policy makes the range 0-10 although the prompt says 1 to 10)."""

_LANGUAGE = re.compile(r"\{(?:LANGUAGE|CATEGORY)\}")
_RATING = re.compile(r"Rating:\s*\[\[(\d+(?:\.\d+)?)\]\]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rubric filled with a document.

    Attributes:
        text: what the judge is asked.
        truncated: whether the document's end is missing from it.
    """

    text: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Rating:
    """What a judge said: a score from 0 to 10 and the reason it gave before it."""

    score: float
    explanation: str


@dataclass(frozen=True, slots=True)
class Rubric:
    """A versioned question about one document.

    Attributes:
        name: such as "code_quality".
        version: raised with every change of the text.
        text: Markdown with the slot {CONTENT}, and {LANGUAGE} or {CATEGORY} where the question depends on them.

    Raises:
        UsageError: the text has no slot for the document, or several.
    """

    name: str
    version: str
    text: str

    def __post_init__(self) -> None:
        if self.text.count("{CONTENT}") != 1:
            raise UsageError(f"rubric {self.name}-{self.version} must have the slot {{CONTENT}} exactly once")

    @property
    def is_question(self) -> bool:
        """Whether Yes or No answers it, and not a rating."""
        return self.name.endswith("_question")

    def prompt(self, content: str, *, language: str, max_chars: int) -> Prompt:
        """This rubric about one document, cut to fit; slots inside the document are left alone.

        Args:
            content: the document's text.
            language: what fills {LANGUAGE} or {CATEGORY}: a file's language, a page's site category.
            max_chars: most characters of the whole prompt.

        Raises:
            UsageError: the rubric alone is longer than that.
        """
        before, after = _around(self.text, language)
        room = max_chars - len(before) - len(after)
        shown = content if len(content) <= room else _cut(content, room)
        if not shown and content:
            raise UsageError(f"rubric {self.name}-{self.version} leaves no room in prompts of {max_chars} characters")
        return Prompt(f"{before}{shown}{after}", truncated=shown is not content)


@lru_cache(maxsize=1024)
def _around(text: str, language: str) -> tuple[str, str]:
    """What stands before and after the document; what is filled in is never searched for slots."""
    before, after = (_LANGUAGE.sub(lambda _: language, part) for part in text.split("{CONTENT}"))
    return before, after


def _cut(content: str, room: int) -> str:
    """The start of a text in `room` characters with a mark where it ends; empty if not even the mark fits.

    The cut is at the last line end, unless that would leave less than half of what fits, as in a minified file.
    """
    mark = f"\n[cut here: {len(content)} characters in all]\n"
    start = content[: max(0, room - len(mark))]
    if not start:
        return ""
    line_end = start.rfind("\n")
    return (start[:line_end] if line_end * 2 >= len(start) else start) + mark


@cache
def load_rubric(name: str, version: str) -> Rubric:
    """A rubric that the package ships.

    Raises:
        UsageError: there is none of that name and version.
    """
    shipped = {each.name: each for each in files("seed_platform.judging").joinpath("rubrics").iterdir()}
    found = shipped.get(f"{name}-{version}.md")
    if found is None:
        known = ", ".join(sorted(each.removesuffix(".md") for each in shipped))
        raise UsageError(f"there is no rubric {name}-{version}; there are {known}")
    return Rubric(name, version, found.read_text(encoding="utf-8").rstrip("\n"))


def parse_rating(answer: str) -> Rating | None:
    """The last rating in a judge's answer, or None where it has none that counts (`why_no_rating` tells why).

    Only the answer is read, never the prompt. A judge may quote a rating that stands in the document; where an answer
    has several that differ, the last one counts only if the answer ends with it, as the rubrics demand.
    """
    found = list(_RATING.finditer(answer))
    if not found or _is_ambiguous(answer, found):
        return None
    score = float(found[-1][1])
    return Rating(score, answer[: found[-1].start()].strip()) if LOWEST <= score <= HIGHEST else None


def why_no_rating(answer: str) -> str:
    """Why `parse_rating` gives none: "unparsable", "ambiguous" or "out_of_range"."""
    found = list(_RATING.finditer(answer))
    if not found:
        return "unparsable"
    return "ambiguous" if _is_ambiguous(answer, found) else "out_of_range"


def _is_ambiguous(answer: str, found: list[re.Match[str]]) -> bool:
    ends_with_it = not answer[found[-1].end() :].strip(" \t\r\n*_`")
    return len({float(each[1]) for each in found}) > 1 and not ends_with_it
