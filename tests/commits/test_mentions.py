"""People in commit messages become the hashes that stand for them, and nothing else changes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.commits.mentions import without_people
from seed_platform.commits.objects import Person
from seed_platform.commits.people import person_id

_ADA = "person-" + person_id(Person(b"", b"ada@example.org", None))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Fix it\n\nSigned-off-by: Ada L. <ada@example.org>\n", f"Fix it\n\nSigned-off-by: {_ADA}\n"),
        ("Fix it\n\nCo-Authored-By: Ada <Ada@Example.org>", f"Fix it\n\nCo-Authored-By: {_ADA}"),
        ("Fix it\n\nCC: Ada <ada@example.org>", f"Fix it\n\nCC: {_ADA}"),
        ("Ask <ada@example.org> or ada@example.org.", f"Ask {_ADA} or {_ADA}."),
        (
            "Fix it\n\nReviewed-by: Ada Lovelace",
            f"Fix it\n\nReviewed-by: person-{person_id(Person(b'Ada Lovelace', b'', None))}",
        ),
    ],
)
def test_trailers_and_addresses_become_hashes(message: str, expected: str):
    assert without_people(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "Use @decorator and a@b",
        "Clone git@example.org:team/project.git",
        "Update lark@1.1.9 to 1.2",
        "Sort entries by name: a stand-by: list\nSee https://example.org/@ada",
        "Follow-up to #12\n\nBy hand: nothing",
    ],
)
def test_what_names_nobody_stays(message: str):
    assert without_people(message) == message


def test_a_key_makes_other_hashes():
    message = "Signed-off-by: Ada <ada@example.org>"
    assert without_people(message, b"secret") != without_people(message)


@given(st.text(max_size=200))
def test_any_message_is_done_once_and_for_all(message: str):
    once = without_people(message)
    assert without_people(once) == once


def test_a_hostile_message_costs_linear_time():
    started = time.process_time()
    without_people("a-" * 50_000 + "by:" + " <" * 50_000 + "@" + ".a" * 50_000)
    assert time.process_time() - started < 5
