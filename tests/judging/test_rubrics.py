from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.errors import UsageError
from seed_platform.judging.rubrics import Rubric, load_rubric, parse_rating, why_no_rating
from seed_platform.pages.categories import Category

RATED = ("code_quality", "page_quality", "commit_quality")


@pytest.mark.parametrize("name", RATED)
def test_a_shipped_rubric_asks_for_the_form_that_is_parsed_and_ends_with_the_document(name: str):
    rubric = load_rubric(name, "1")
    text = rubric.prompt("THE DOCUMENT", language="Python", max_chars=20_000).text
    assert text.startswith(f"# {name.replace('_', ' ').capitalize()}, version 1\n")
    assert "Rating: [[X]]" in text
    assert text.endswith("THE DOCUMENT")
    assert text.index("The rating is 0") < text.index("rate from 1 to 10")
    assert "{" not in text
    assert not rubric.is_question


def test_the_question_ends_where_yes_or_no_is_the_next_token():
    rubric = load_rubric("code_question", "1")
    assert rubric.is_question
    assert rubric.prompt("x = 1\n", language="Go", max_chars=1000).text.endswith("\nAnswer:")


def test_the_page_rubric_says_what_counts_for_every_category():
    text = load_rubric("page_quality", "1").text
    assert all(f"\n| {category} |" in text for category in get_args(Category))
    assert "**qa**" in load_rubric("page_quality", "1").prompt("x", language="qa", max_chars=20_000).text


@pytest.mark.parametrize("name", ["code_qualities", "../rubrics/code_quality", "", "code_quality-1.md\0"])
def test_a_rubric_that_does_not_exist_is_refused_with_the_names_of_those_that_do(name: str):
    with pytest.raises(UsageError, match="code_quality-1"):
        load_rubric(name, "1")


@pytest.mark.parametrize("text", ["no slot", "{CONTENT} and {CONTENT}"])
def test_a_rubric_has_one_place_for_the_document(text: str):
    with pytest.raises(UsageError, match="exactly once"):
        Rubric("r", "1", text)


def test_slots_inside_a_document_or_its_language_are_left_alone():
    rubric = Rubric("r", "1", "{LANGUAGE}: {CONTENT} ({CATEGORY})")
    prompt = rubric.prompt("{LANGUAGE} \\1 {CONTENT}", language="{CONTENT}", max_chars=100)
    assert prompt.text == "{CONTENT}: {LANGUAGE} \\1 {CONTENT} ({CONTENT})"
    assert not prompt.truncated


def test_a_long_document_is_cut_at_a_line_end_and_the_cut_is_marked():
    rubric = Rubric("r", "1", "before {CONTENT} after")
    prompt = rubric.prompt("line of text\n" * 100, language="C", max_chars=200)
    assert prompt.truncated
    shown, mark = prompt.text.split("\n[cut here: 1300 characters in all]\n")
    assert shown.endswith("line of text")
    assert mark == " after"


def test_a_document_of_one_endless_line_is_cut_within_it_and_not_at_its_heading():
    rubric = Rubric("r", "1", "{CONTENT}")
    prompt = rubric.prompt("/*! licence */\n" + "x" * 10_000, language="JavaScript", max_chars=500)
    assert prompt.truncated
    assert prompt.text.count("x") > 400


def test_a_limit_that_the_rubric_alone_exceeds_is_refused():
    with pytest.raises(UsageError, match="no room"):
        load_rubric("code_quality", "1").prompt("x" * 1000, language="C", max_chars=900)


@given(content=st.text(max_size=400), limit=st.integers(80, 500))
def test_a_prompt_is_never_longer_than_its_limit_and_whole_unless_it_says_so(content: str, limit: int):
    prompt = Rubric("r", "1", "<<{CONTENT}>>").prompt(content, language="C", max_chars=limit)
    assert len(prompt.text) <= limit
    assert prompt.truncated == (prompt.text != f"<<{content}>>")
    assert prompt.truncated == (len(content) + 4 > limit)


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("Good.\nRating: [[7]]", 7),
        ("Rating:[[0]]", 0),
        ("**Rating:  [[10]]**", 10),
        ("Rating: [[6.5]] as I said", 6.5),
        ("The file claims Rating: [[10]], which is absurd.\nRating: [[2]]", 2),
        ("Rating: [[3]]\nOn reflection:\nRating: [[4]]\n", 4),
        ("Rating: [[4]] and again Rating: [[4]].", 4),
    ],
)
def test_the_last_rating_of_an_answer_counts(answer: str, score: float):
    rating = parse_rating(answer)
    assert rating is not None
    assert rating.score == score


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("", "unparsable"),
        ("Rating: 7", "unparsable"),
        ("Rating: [[X]]", "unparsable"),
        ("Rating: [[-1]]", "unparsable"),
        ("Rating: [[7/10]]", "unparsable"),
        ("Rating: [[1", "unparsable"),
        ("rating: [[7]]", "unparsable"),
        ("Rating: [[\u0667]]", "unparsable"),
        ("Rating: [[11]]", "out_of_range"),
        ("Rating: [[10.01]]", "out_of_range"),
        ("Rating: [[5]]\nRating: [[100]]", "out_of_range"),
        (f"Rating: [[{'9' * 400}]]", "out_of_range"),
        ("Rating: [[2]]. I ignore the line 'Rating: [[10]]' in the file.", "ambiguous"),
    ],
)
def test_an_answer_without_a_rating_that_counts_has_a_reason_and_no_score(answer: str, reason: str):
    assert parse_rating(answer) is None
    assert why_no_rating(answer) == reason


def test_the_explanation_is_what_stands_before_the_rating():
    rating = parse_rating("Short and clear.\n\nRating: [[8]]\n")
    assert rating is not None
    assert rating.explanation == "Short and clear."


@given(st.text(alphabet="Rating: [0123456789.]\n", max_size=60))
def test_whatever_the_answer_a_score_is_in_range(answer: str):
    rating = parse_rating(answer)
    assert rating is None or 0 <= rating.score <= 10
