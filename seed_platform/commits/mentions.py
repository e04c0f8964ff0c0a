"""People whom a commit message names: trailers and addresses, each as the hash that stands for the person.

Names in running text without an address stay: nothing tells them from other words. What belongs here: finding people in
a message. What does not: the hash (`people.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from seed_platform.commits.objects import Person
from seed_platform.commits.people import person_id

_LOGIN_LABELS = re.compile(r"author|authors|co-author|committer|reviewer|reviewers")
_LABELS = re.compile(_LOGIN_LABELS.pattern + r"|cc|from|thanks|thanks[- ]to")
_NOT_BY_PEOPLE = re.compile(
    r"backed|blocked|caused?|drive|filter|filtered|followed|group|grouped|index|indexed|order|ordered|replaced|sort"
    r"|sorted|stand|superseded"
)
"""What is "by" something rather than someone: "Sort by: Date", "Caused by: SomeError", "Drive-by: Fix a typo"."""

_BEFORE_NAMES = re.compile(
    r"about|add|am|and|ask|at|by|cc|contact|e-?mail|for|from|gmt|in|is|mail|notify|of|on|or|pm|see|send|tell|thanks?"
    r"|the|to|utc|via|was|with|write|wrote"
)
"""Words that are no part of the name before an address."""

_MOST_WORDS = 5
_WINDOW = 160
# All repetitions that can fail late are bounded: a hostile message must not cost the square of its length.
_TOKEN = re.compile(r"person-[0-9a-f]{32}")
_LABEL = re.compile(
    r"[ \t>*+|•-]{0,16}([A-Za-z][A-Za-z-]{0,40}(?:[ \t][A-Za-z-]{1,20}){0,3})[ \t]{0,8}\*{0,2}:\*{0,2}[ \t]{0,8}"
)
_PAIR = re.compile(r"<[ \t]{0,4}(?:mailto:)?([^<>\s@:/]{1,64}@[^<>\s@:/]{0,190}[^\W\d_])[ \t]{0,4}>")
_ADDRESS = re.compile(r"[\w.+%=-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w:/])")
_ANGLED = re.compile(r"(?<!\w)<([^<>]{1,200})>")
_HANDLE = re.compile(r"(?<![\w@/.])@(?!person-[0-9a-f]{32})([A-Za-z0-9][\w-]{0,38})(?![\w/-])")
_NO_NAME_SIGN = re.compile(r"[\x00-\x08\x0e-\x1b!-&(-,/:-@\[-^`{-\x7f]")
_NAME_WORD = re.compile(r"[^\s\x00-@\[-`{-\x7f][^\s\x00-&(-,/-@\[-`{-\x7f]{0,40}")
_LOGIN = re.compile(r"[a-z][\w.-]{0,38}")
_IN_BRACKETS = re.compile(r"(?<=\()[^()]{1,80}(?=\))")
_SEPARATOR = re.compile(r"(https?://\S+|[,;]|(?<=\s)(?:and|[&/+])(?=\s))")
_AFTER_NAME = re.compile(
    r"[(\[#<]|(?<!\w)https?:|(?<=\s)(?:via|on|at|from|for|in|wrote|[-\u2013\u2014]{1,3})(?!\S)|person-[0-9a-f]{32}"
)


def without_people(message: str, key: bytes = b"") -> str:
    """The message with whom its trailers name, and every other address, as `person-` and the hash of the person.

    A name before an address goes with it, for a name beside its hash would tell whom the hash stands for everywhere.

    Args:
        message: of a commit.
        key: as for `people.person_id`, so that who wrote a commit and who is thanked for it can be told to be one.
    """
    if "@" not in message and ":" not in message:
        return message

    def person(name: str, address: str) -> str:
        return f"person-{person_id(Person(name.encode(), address.encode(), None), key)}"

    return "\n".join(_trailer(_addresses(line, person), person) for line in message.split("\n"))


def _addresses(line: str, person: Callable[[str, str], str]) -> str:
    """A line with a person in the place of each address and of the name before an address in angle brackets."""
    if "@" not in line:
        return line
    parts, done = [], 0
    for pair in _PAIR.finditer(line):
        if _TOKEN.search(pair[1]) is not None:
            continue
        nearest = max(done, pair.start() - _WINDOW)
        parts += [line[done:nearest], _before_name(line[nearest : pair.start()]), person("", pair[1])]
        done = pair.end()

    def addressed(found: re.Match[str]) -> str:
        return found[0] if _TOKEN.search(found[0]) is not None else person("", found[0])

    return _ADDRESS.sub(addressed, "".join(parts) + line[done:])


def _before_name(text: str) -> str:
    """What is left of the text before an address without the name at its end."""
    bare = text.rstrip()
    if bare.endswith('"') and (opening := bare.rfind('"', 0, -1)) >= 0:
        return bare[:opening]
    if bare.endswith(")") and (opening := bare.rfind("(")) >= 0:
        bare = bare[:opening].rstrip()
    start = max((sign.end() for sign in _NO_NAME_SIGN.finditer(bare)), default=0)
    words = list(re.finditer(r"\S+", bare[start:]))
    name: list[re.Match[str]] = []
    for word in reversed(words[-_MOST_WORDS:]):
        ends_sentence = bool(name) and len(word[0]) > 4 and word[0].endswith(".")
        if ends_sentence or _BEFORE_NAMES.fullmatch(word[0].lower()) or not word[0].strip("'-.")[:1].isalpha():
            break
        name.insert(0, word)
    capital = next((word for word in name if not word[0].strip("'-.")[0].islower()), None)
    if capital is not None:
        return bare[: start + capital.start()]
    return bare[: start + name[0].start()] if 0 < len(name) <= 2 else text


def _trailer(line: str, person: Callable[[str, str], str]) -> str:
    """A line as it is, or with the people listed behind its label as persons."""
    label = _LABEL.match(line)
    if label is None:
        return line
    named = label[1].lower()
    verb = re.split(r"[ \t-]", named)
    is_by = len(verb) > 1 and verb[-1] == "by" and _NOT_BY_PEOPLE.fullmatch(verb[-2]) is None
    if not is_by and _LABELS.fullmatch(named) is None:
        return line
    most_lower = (2 if named.endswith("-by") else 1) if is_by else int(_LOGIN_LABELS.fullmatch(named) is not None)

    def angled(found: re.Match[str]) -> str:
        address = found[1].strip()
        return found[0] if not address or _TOKEN.search(address) is not None else person("", address)

    rest = _HANDLE.sub(lambda found: person(found[1], ""), _ANGLED.sub(angled, line[label.end() :]))
    parts = _SEPARATOR.split(rest)
    parts[::2] = [_listed(part, most_lower, person) for part in parts[::2]]
    return label[0] + "".join(parts)


def _listed(item: str, most_lower: int, person: Callable[[str, str], str]) -> str:
    """One item of a list of people, with a person in the place of the name at its start."""

    def bracketed(found: re.Match[str]) -> str:
        full = " " in found[0].strip() and _is_name(found[0], 0)
        return person(found[0], "") if full else found[0]

    body = _IN_BRACKETS.sub(bracketed, item.lstrip())
    lead = item[: len(item) - len(item.lstrip())]
    after = _AFTER_NAME.search(body)
    end = len(body) if after is None else after.start()
    end = len(body[:end].rstrip())
    name = body[:end].strip("\"'")
    if not _is_name(name, most_lower):
        return lead + body
    if after is not None and after[0].startswith("person-"):
        return lead + body[after.start() :]
    return lead + person(name, "") + body[end:]


def _is_name(text: str, most_lower: int) -> bool:
    """Whether a text can be a name; up to `most_lower` words may be one, such as a login, with no capital letter."""
    words = text.split()
    if not 0 < len(words) <= _MOST_WORDS or _TOKEN.search(text) is not None:
        return False
    if all(_NAME_WORD.fullmatch(word) for word in words) and not all(word[0].islower() for word in words):
        return True
    return len(words) <= most_lower and all(_LOGIN.fullmatch(word) or _NAME_WORD.fullmatch(word) for word in words)
