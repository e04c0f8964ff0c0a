"""People whom a commit message names: trailers and addresses, each as the hash that stands for the person.

Names in running text stay: nothing tells them from other words. What belongs here: finding people in a message. What
does not: the hash (`people.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from seed_platform.commits.objects import Person
from seed_platform.commits.people import person_id

_LABELS = frozenset({"cc", "from", "author", "committer", "thanks", "thanks-to"})
_MOST_NAME = 80
# All repetitions are bounded: a hostile message must not cost the square of its length.
_LABEL = re.compile(r"[ \t]{0,8}([A-Za-z-]{1,40})[ \t]{0,8}:[ \t]{0,8}")
_WITH_ADDRESS = re.compile(r"([^<>]{0,200})<([^<>]{0,200})>")
_ADDRESS = re.compile(r"(<?)([\w.+%=-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})(?![\w:/])(>?)")


def without_people(message: str, key: bytes = b"") -> str:
    """The message with whom its trailers name, and every other address, as `person-` and the hash of the person.

    Args:
        message: of a commit.
        key: as for `people.person_id`, so that who wrote a commit and who is thanked for it can be told to be one.
    """
    if "@" not in message and "-by" not in message.lower():
        return message

    def person(name: str, address: str) -> str:
        return f"person-{person_id(Person(name.encode(), address.encode(), None), key)}"

    def addressed(found: re.Match[str]) -> str:
        bare = (found[1], found[3]) == ("<", ">")
        return person("", found[2]) if bare else found[1] + person("", found[2]) + found[3]

    lines = [_trailer(line, person) for line in message.split("\n")]
    return "\n".join(_ADDRESS.sub(addressed, line) if "@" in line else line for line in lines)


def _trailer(line: str, person: Callable[[str, str], str]) -> str:
    """A line as it is, or with a person in the place of the name and address behind its label."""
    label = _LABEL.match(line)
    if label is None:
        return line
    is_by = label[1].lower().endswith("-by")
    if not is_by and label[1].lower() not in _LABELS:
        return line
    rest = line[label.end() :]
    addressed = _WITH_ADDRESS.match(rest)
    if addressed is not None:
        return label[0] + person(addressed[1], addressed[2].strip()) + rest[addressed.end() :]
    name = rest.strip()
    is_name = is_by and 0 < len(name) <= _MOST_NAME and not any(sign in name for sign in "<>@#:/")
    if not is_name or name.startswith("person-"):
        return line
    return label[0] + person(name, "")
