"""Tests of hashing persons and recognising bots."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.commits.objects import Person
from seed_platform.commits.people import is_bot, person_id


def person(name: str, address: str) -> Person:
    return Person(name.encode(), address.encode(), 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (person("Ada", "ada@example.org"), person("A. Lovelace", " ADA@Example.org ")),
        (person("x", "123+ada@users.noreply.github.com"), person("y", "ada@users.noreply.github.com")),
        (person("Ada  Lovelace", ""), person("ada lovelace", " ")),
        (Person(b"x", b"j\xfcrgen@b.c", 1), Person(b"y", b"j\xfcrgen@b.c", None)),
    ],
)
def test_the_same_person_has_the_same_hash(one: Person, other: Person):
    assert person_id(one) == person_id(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (person("Ada", "ada@example.org"), person("Ada", "ada@example.com")),
        (person("ada@example.org", ""), person("x", "ada@example.org")),
        (person("x", "123+ada@example.org"), person("y", "ada@example.org")),
        (person("", ""), person("a", "")),
    ],
)
def test_different_persons_have_different_hashes(one: Person, other: Person):
    assert person_id(one) != person_id(other)


def test_a_key_changes_every_hash():
    ada = person("Ada", "ada@example.org")
    assert len({person_id(ada), person_id(ada, b"k"), person_id(ada, b"l")}) == 3


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_a_person_whose_hash_shows_nothing(name: bytes, address: bytes):
    who = Person(name, address, None)
    assert re.fullmatch("[0-9a-f]{32}", person_id(who))
    assert is_bot(who) in {True, False}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com"),
        ("renovate", "bot@renovateapp.com"),
        ("Someone", "41898282+github-actions[bot]@users.noreply.github.com"),
        ("pyup-bot", "github@pyup.io"),
        ("Kubernetes Robot", "k@example.org"),
        ("k8s-ci-robot", "k@example.org"),
        ("Weblate Bot", "w@example.org"),
        ("TagBot", "t@example.org"),
        ("GitHub Actions", "x@example.org"),
        ("x", "action@github.com"),
        ("x", "release-bot@example.org"),
    ],
)
def test_bots_are_recognised(name: str, address: str):
    assert is_bot(person(name, address))


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Sophie Talbot", "talbot@example.org"),
        ("Abbot", "abbot@example.org"),
        ("Robotics Lab", "lab@robot.example.org"),
        ("Ada", "ada@bot.example.org"),
        ("GitHub", "noreply@github.com"),
        ("", ""),
    ],
)
def test_people_are_not_taken_for_bots(name: str, address: str):
    assert not is_bot(person(name, address))
