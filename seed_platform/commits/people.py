"""The people behind commits: names and addresses become hashes, and bots are told from people.

What belongs here: what a name or an address says. What does not: where they stand in a commit (`objects.py`). Neither
is stored anywhere: a person is the same hash wherever the same address is used, which is all that statistics need.
"""

from __future__ import annotations

import hashlib
import re

from seed_platform.commits.objects import Person

_DIGEST_BYTES = 16

_FORGE_ADDRESS = re.compile(r"\d+\+(.+@users\.noreply\.)")
"""GitHub's private addresses have had a number before the name since 2017; without it they mean the same account."""

_BOT_NAME = re.compile(r"(?i:\[bot\]|(?:^|[\s._-])(?:ro)?bot)$|[a-z]Bot$")
"""A name that says so: "dependabot[bot]", "pyup-bot", "k8s-ci-robot", "Weblate Bot", "TagBot"; not "Talbot"."""

_BOTS = frozenset(
    {
        "allcontributors",
        "bors",
        "codecov",
        "dependabot",
        "dependabot-preview",
        "depfu",
        "github actions",
        "github-actions",
        "gitlab ci",
        "greenkeeper",
        "hosted weblate",
        "jenkins",
        "mergify",
        "pre-commit",
        "pre-commit-ci",
        "read the docs",
        "renovate",
        "scala steward",
        "semantic-release",
        "transifex",
        "travis ci",
        "weblate",
    }
)
"""Names under which services commit that do not call themselves a bot, in lower case."""

_BOT_ADDRESSES = frozenset({"action@github.com", "actions@github.com", "bot@renovateapp.com", "support@dependabot.com"})


def person_id(person: Person, key: bytes = b"") -> str:
    """The hash that stands for a person: BLAKE2b of the normalised address, 16 bytes in hex.

    Without an address the name is hashed instead. Addresses are few enough to be tried one by one, so only a secret
    `key` (up to 64 bytes) keeps the hash from being turned back.
    """
    address = _address(person)
    identity = f"address:{address}" if address else f"name:{' '.join(_text(person.name).casefold().split())}"
    return hashlib.blake2b(identity.encode(), digest_size=_DIGEST_BYTES, key=key).hexdigest()


def is_bot(person: Person) -> bool:
    """Whether a program commits under this name or address.

    A name that ends in the word "bot" is one even after a space; the few people whose family name is Bot are mistaken.
    """
    name = _text(person.name).strip()
    address = _address(person)
    account = address.partition("@")[0]
    return (
        name.lower() in _BOTS
        or address in _BOT_ADDRESSES
        or _BOT_NAME.search(name) is not None
        or _BOT_NAME.search(account) is not None
    )


def _address(person: Person) -> str:
    address = "".join(_text(person.address).casefold().split())
    return _FORGE_ADDRESS.sub(r"\1", address, count=1)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
