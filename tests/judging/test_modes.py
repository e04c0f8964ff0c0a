from __future__ import annotations

import json
import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judge_server import settings_for

from seed_platform.errors import UsageError
from seed_platform.judging.endpoint import Api, Mode
from seed_platform.judging.modes import check_mode, fill, read, request, tokens
from seed_platform.judging.rubrics import load_rubric

URL = "http://localhost:1/v1"
MODES: tuple[Mode, ...] = get_args(Mode)


def answered(text: object, finish: str = "stop") -> object:
    return {"choices": [{"message": {"content": text}, "finish_reason": finish}]}


def listed(*pairs: tuple[object, object]) -> object:
    """A chat completion with the probabilities of its first token."""
    top = [{"token": token, "logprob": logprob} for token, logprob in pairs]
    return {"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}, "finish_reason": "length"}]}


def completed(table: object) -> object:
    """The same as plain completions have it."""
    return {"choices": [{"text": "x", "logprobs": {"top_logprobs": [table]}, "finish_reason": "length"}]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {
        "finish_reason": JSON,
        "message": st.dictionaries(st.sampled_from(["content", "refusal"]), JSON),
        "logprobs": st.dictionaries(
            st.sampled_from(["content", "top_logprobs"]),
            st.lists(
                st.dictionaries(st.sampled_from(["top_logprobs", "Yes", "7"]), JSON | st.just([{"token": "Yes"}])),
                max_size=2,
            ),
        ),
    }
)


@settings(max_examples=60)
@given(mode=st.sampled_from(MODES), data=JSON | st.fixed_dictionaries({"choices": st.lists(NEARLY | JSON, max_size=2)}))
def test_whatever_a_server_sends_there_is_a_score_in_range_or_a_reason(mode: Mode, data: object):
    reading = read(mode, data)
    assert (reading.score is None) != (reading.reason is None)
    assert reading.score is None or 0 <= reading.score <= 10


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({}, "empty"),
        ({"choices": []}, "empty"),
        ({"choices": {"0": 1}}, "empty"),
        (answered(None), "empty"),
        (answered("  \n"), "empty"),
        (answered(["Rating: [[5]]"]), "empty"),
        (answered("I cannot help with that."), "unparsable"),
        (answered("", "content_filter"), "refused"),
        ({"choices": [{"message": {"content": None, "refusal": "I will not."}, "finish_reason": "stop"}]}, "refused"),
        (answered("First thought: Rating: [[9]], but then", "length"), "cut_off"),
        (answered("Rating: [[42]]"), "out_of_range"),
    ],
)
def test_a_reply_without_a_rating_is_rejected_for_what_it_is(data: object, reason: str):
    assert read("rating", data).reason == reason


def test_plain_completions_are_read_like_chat():
    assert read("rating", {"choices": [{"text": "Fine. Rating: [[6]]", "finish_reason": "stop"}]}).score == 6


def test_the_schema_mode_takes_the_rating_and_the_reason():
    reading = read("schema", answered('{"explanation": "Neat.", "rating": 8}'))
    assert (reading.score, reading.explanation) == (8.0, "Neat.")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Neat.\nRating: [[8]]", "unparsable"),
        ('```json\n{"explanation": "", "rating": 8}\n```', "unparsable"),
        ('{"explanation": "", "rating": "8"}', "unparsable"),
        ('{"explanation": "", "rating": true}', "unparsable"),
        ('{"explanation": "", "rating": 7.5}', "unparsable"),
        ('{"explanation": null, "rating": 8}', "unparsable"),
        ('{"rating": 8}', "unparsable"),
        ('{"explanation": "", "rating": 8, "confidence": 1}', "unparsable"),
        ('[{"explanation": "", "rating": 8}]', "unparsable"),
        ('{"explanation": "", "rating": 8', "unparsable"),
        ("[" * 100_000, "unparsable"),
        ('{"explanation": "", "rating": -1}', "out_of_range"),
        ('{"explanation": "", "rating": 11}', "out_of_range"),
    ],
)
def test_the_schema_mode_takes_nothing_that_the_schema_does_not_allow(answer: str, reason: str):
    reading = read("schema", answered(answer))
    assert (reading.score, reading.reason) == (None, reason)


def test_the_expectation_weighs_digits_by_their_probability_and_joins_their_spellings():
    reading = read("expected", listed(("7", math.log(0.4)), (" 7", math.log(0.2)), ("4", math.log(0.3)), ("The", -3.0)))
    assert reading.score == pytest.approx((7 * 0.6 + 4 * 0.3) / 0.9)
    assert "digits 0-9" in reading.explanation


def test_the_expectation_ignores_masked_tokens_and_cannot_express_ten():
    reading = read("expected", listed(("9", 0.0), ("10", -0.1), ("3", -9999.0)))
    assert reading.score == pytest.approx(9.0)


def test_a_model_that_is_not_about_to_give_a_digit_gives_no_expectation():
    assert read("expected", listed(("The", math.log(0.8)), ("7", math.log(0.2)))).reason == "unparsable"


@pytest.mark.parametrize("mode", ["expected", "yes_no"])
@pytest.mark.parametrize(
    "data",
    [
        answered("Rating: [[9]]"),
        listed(),
        listed(("Yes", None), ("7", float("nan")), (7, -1.0), ("No", True)),
        completed(None),
        {"choices": [{"logprobs": None}]},
    ],
)
def test_a_server_without_log_probabilities_is_refused_in_the_modes_that_need_them(mode: Mode, data: object):
    assert read(mode, data).reason == "no_logprobs"


def test_yes_against_no_is_a_logistic_of_their_log_probabilities_over_all_spellings():
    pairs = (("Yes", math.log(0.3)), (" yes", math.log(0.3)), ("No", math.log(0.2)), ("Maybe", math.log(0.1)))
    reading = read("yes_no", listed(*pairs))
    assert reading.score == pytest.approx(10 * 0.6 / 0.8)
    assert "a probability, not a grade" in reading.explanation
    assert read("yes_no", completed(dict(pairs))).score == pytest.approx(reading.score)


def test_an_answer_that_is_not_listed_has_at_most_the_least_probability_listed():
    reading = read("yes_no", listed(("No", math.log(0.9)), ("Well", math.log(0.05))))
    assert reading.score == pytest.approx(10 * 0.05 / 0.95)
    assert read("yes_no", listed(("Well", -0.1))).reason == "unparsable"


@pytest.mark.parametrize("logprob", [-9999.0, -(10**400), float("-inf"), 10**400])
def test_probabilities_beyond_all_bounds_are_no_error(logprob: float):
    score = read("yes_no", listed(("Yes", logprob), ("No", -0.5))).score
    assert score is not None
    assert 0 <= score <= 10


@pytest.mark.parametrize("api", get_args(Api))
@pytest.mark.parametrize("mode", MODES)
def test_a_request_holds_the_prompt_and_what_the_mode_needs(mode: Mode, api: Api):
    chosen = settings_for(URL, mode=mode, api=api, max_tokens=77)
    path, body = request(chosen, "na\u00efve \ud800?")
    sent = json.loads(body)
    assert path == ("chat/completions" if api == "chat" else "completions")
    assert (sent["messages"][0]["content"] if api == "chat" else sent["prompt"]) == "na\u00efve \ud800?"
    assert sent["temperature"] == 0
    assert sent["max_tokens"] == (1 if mode in {"expected", "yes_no"} else 77)
    assert ("logprobs" in sent) == (mode in {"expected", "yes_no"})
    assert ("response_format" in sent) == (mode == "schema")


@pytest.mark.parametrize("mode", MODES)
def test_a_prompt_keeps_to_its_limit_with_what_the_mode_adds(mode: Mode):
    rubric = load_rubric("code_question" if mode == "yes_no" else "code_quality", "1")
    prompt = fill(settings_for(URL, mode=mode, max_prompt_chars=6000), rubric, "line\n" * 5000, "Python")
    assert prompt.truncated
    assert 5900 < len(prompt.text) <= 6000


def test_modes_and_rubrics_that_do_not_fit_are_refused_before_anything_is_asked():
    for mode, name in (("yes_no", "code_quality"), ("rating", "code_question")):
        with pytest.raises(UsageError, match=r"code_\w+-1"):
            check_mode(settings_for(URL, mode=mode), load_rubric(name, "1"))
    with pytest.raises(UsageError, match="no room"):
        check_mode(settings_for(URL, max_prompt_chars=1000), load_rubric("code_quality", "1"))


@pytest.mark.parametrize("used", [None, {}, {"prompt_tokens": True}, {"prompt_tokens": -1}, {"prompt_tokens": 1 << 40}])
def test_token_counts_that_make_no_sense_are_zero(used: object):
    assert tokens({"usage": used}) == (0, 0)
