"""The ways to obtain a rating from a language model: what is sent for each, and how its answer is read.

- "rating": the model writes a reason and `Rating: [[X]]`.
- "schema": it writes JSON under a schema that the server enforces. Servers that do not know the option answer with free
  text and no error, so the JSON is always validated.
- "expected": the expectation over the probabilities of the digits 0-9 as the first token. "10" is two tokens for most
  models, so **10 cannot be expressed**: scores end at 9.
- "yes_no": not a grade but the probability of Yes against No on one question, times 10: one prefill, no decoding. It is
  for small models, whose written grades carry no information.

What belongs here: request bodies, and the reading of untrusted JSON. What does not: the transport (`endpoint.py`) and
the rubrics' own form of rating (`rubrics.py`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Final

from seed_platform.errors import UsageError
from seed_platform.judging.endpoint import JudgeSettings, Mode
from seed_platform.judging.rubrics import HIGHEST, LOWEST, Prompt, Rubric, parse_rating, why_no_rating

REQUEST_VERSION: Final = "1"
"""Raised when the same document under the same rubric is asked about, or an answer is read, in another way."""

TOP_LOGPROBS: Final = 20
"""The most that servers give."""

MIN_DIGIT_MASS: Final = 0.5
"""Less probability than this on digits, and the model was about to say something else than a rating."""

MAX_EXPLANATION_CHARS: Final = 2000

_DIGITS: Final = frozenset("0123456789")
_TAILS: dict[Mode, str] = {
    "rating": "",
    "schema": (
        "\n\nAnswer with one JSON object in place of the form above: first explanation (one or two sentences that give "
        "the main reason), then rating (a whole number from 0 to 10)."
    ),
    "expected": (
        "\n\nAnswer with the rating only, in place of the form above: one digit from 0 to 9, and 9 for a 10.\nRating:"
    ),
    "yes_no": "",
}
_SCHEMA = {
    "type": "object",
    "properties": {
        "explanation": {"type": "string"},
        "rating": {"type": "integer", "enum": list(range(int(LOWEST), int(HIGHEST) + 1))},
    },
    "required": ["explanation", "rating"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says: a score from 0 to 10, or the reason why there is none."""

    score: float | None
    reason: str | None
    explanation: str = ""


def check_mode(settings: JudgeSettings, rubric: Rubric) -> None:
    """Refuses a mode that does not fit the rubric, and a rubric that does not fit the prompt's length.

    Raises:
        UsageError: the one or the other.
    """
    if (settings.mode == "yes_no") != rubric.is_question:
        kind = "is a question for yes_no" if rubric.is_question else "asks for a rating, not for Yes or No"
        raise UsageError(f"rubric {rubric.name}-{rubric.version} {kind}; the mode is {settings.mode}")
    # With a longer name of a language than any, so that no document of the run can fail at this.
    fill(settings, rubric, "x" * settings.max_prompt_chars, "x" * 200)


def fill(settings: JudgeSettings, rubric: Rubric, content: str, language: str) -> Prompt:
    """The prompt of a document in the mode of the settings, at most `max_prompt_chars` long."""
    tail = _TAILS[settings.mode]
    prompt = rubric.prompt(content, language=language, max_chars=settings.max_prompt_chars - len(tail))
    return Prompt(prompt.text + tail, prompt.truncated)


def request(settings: JudgeSettings, prompt: str) -> tuple[str, bytes]:
    """The path below the base URL and the JSON that asks about a prompt."""
    reads_logprobs = settings.mode in {"expected", "yes_no"}
    chat = settings.api == "chat"
    body: dict[str, object] = {
        "model": settings.model,
        "temperature": settings.temperature,
        "max_tokens": 1 if reads_logprobs else settings.max_tokens,
    }
    body |= {"messages": [{"role": "user", "content": prompt}]} if chat else {"prompt": prompt}
    if reads_logprobs:
        body |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS} if chat else {"logprobs": TOP_LOGPROBS}
    if settings.mode == "schema":
        form = {"name": "judgement", "strict": True, "schema": _SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return "chat/completions" if chat else "completions", json.dumps(body).encode()


def read(mode: Mode, data: object) -> Reading:
    """The reading of a reply.

    Reasons: "empty" (no choice, or no text in it), "refused", "cut_off" (the answer did not end within its tokens),
    "unparsable", "ambiguous", "out_of_range", "no_logprobs".
    """
    choice = _at(data, "choices", 0)
    if not isinstance(choice, dict):
        return Reading(None, "empty")
    refusal = _at(choice, "message", "refusal")
    if choice.get("finish_reason") == "content_filter" or (isinstance(refusal, str) and refusal):
        return Reading(None, "refused", refusal[:MAX_EXPLANATION_CHARS] if isinstance(refusal, str) else "")
    if mode in {"expected", "yes_no"}:
        return _read_probabilities(mode, choice)
    return _read_text(mode, choice)


def tokens(data: object) -> tuple[int, int]:
    """Prompt and completion tokens that a reply says were used; 0 where it does not say."""
    used = (_at(data, "usage", name) for name in ("prompt_tokens", "completion_tokens"))
    prompt, completion = (value if type(value) is int and 0 <= value < 1 << 31 else 0 for value in used)
    return prompt, completion


def _read_probabilities(mode: Mode, choice: dict[str, object]) -> Reading:
    found = _first_token(choice)
    if not found:
        return Reading(None, "no_logprobs")
    return _expected(found) if mode == "expected" else _yes_no(found)


def _read_text(mode: Mode, choice: dict[str, object]) -> Reading:
    answer = _at(choice, "message", "content") if "message" in choice else choice.get("text")
    answer = answer if isinstance(answer, str) else ""
    if choice.get("finish_reason") == "length":
        # A rating before the cut may be a quotation or a first thought.
        return Reading(None, "cut_off", answer[:MAX_EXPLANATION_CHARS])
    if not answer.strip():
        return Reading(None, "empty")
    return _schema(answer) if mode == "schema" else _rating(answer)


def _rating(answer: str) -> Reading:
    rating = parse_rating(answer)
    if rating is None:
        return Reading(None, why_no_rating(answer), answer[:MAX_EXPLANATION_CHARS])
    return Reading(rating.score, None, rating.explanation[:MAX_EXPLANATION_CHARS])


def _schema(answer: str) -> Reading:
    shown = answer[:MAX_EXPLANATION_CHARS]
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return Reading(None, "unparsable", shown)
    if not isinstance(value, dict) or set(value) != {"explanation", "rating"}:
        return Reading(None, "unparsable", shown)
    rating, explanation = value["rating"], value["explanation"]
    # `type`, because True is an int to isinstance.
    if type(rating) is not int or not isinstance(explanation, str):
        return Reading(None, "unparsable", shown)
    if not LOWEST <= rating <= HIGHEST:
        return Reading(None, "out_of_range", shown)
    return Reading(float(rating), None, explanation[:MAX_EXPLANATION_CHARS])


def _expected(found: dict[str, float]) -> Reading:
    weights = {int(token): mass for token, mass in found.items() if token in _DIGITS}
    total = sum(weights.values())
    if total < MIN_DIGIT_MASS:
        return Reading(None, "unparsable", f"digits have a probability of {total:.3f} as the first token")
    score = sum(digit * mass for digit, mass in weights.items()) / total
    return Reading(score, None, f"expectation over the digits 0-9 as the first token; they have {total:.3f} of it")


def _yes_no(found: dict[str, float]) -> Reading:
    """The logistic of log P(Yes) - log P(No), times 10, which is P(Yes) / (P(Yes) + P(No)) times 10.

    An answer that is not among the tokens given has at most the probability of the least of them, and that is taken.
    """
    least = min(found.values())
    said = {word: sum(mass for token, mass in found.items() if token.lower() == word) for word in ("yes", "no")}
    if not any(said.values()):
        return Reading(None, "unparsable", "neither Yes nor No is among the likely first tokens")
    yes, no = (math.log(said[word] or least or math.ulp(0.0)) for word in ("yes", "no"))
    score = HIGHEST / (1.0 + math.exp(min(no - yes, 700.0)))
    return Reading(score, None, f"log P(Yes) - log P(No) is {yes - no:.3f}: a probability, not a grade")


def _first_token(choice: dict[str, object]) -> dict[str, float]:
    """Probabilities of the first token by its text without blanks; empty where the server gives none."""
    listed = _at(choice, "logprobs", "content", 0, "top_logprobs")
    pairs: list[tuple[object, Any]] = []
    if isinstance(listed, list):
        pairs = [(_at(each, "token"), _at(each, "logprob")) for each in listed]
    elif isinstance(table := _at(choice, "logprobs", "top_logprobs", 0), dict):
        pairs = list(table.items())
    found: dict[str, float] = {}
    for token, logprob in pairs:
        if isinstance(token, str) and _is_number(logprob):
            # Tokenizers have "Yes" and " Yes" apart; some servers give the blank as the sign that stands for it.
            word = token.strip(" \u0120\u2581")
            found[word] = found.get(word, 0.0) + math.exp(max(-1e4, min(0.0, logprob)))
    return found


def _is_number(value: object) -> bool:
    """Whether JSON has a number here: not True, and not NaN."""
    return type(value) is int or (type(value) is float and not math.isnan(value))


def _at(value: object, *path: str | int) -> Any:  # noqa: ANN401 - JSON, checked where it is used
    """What lies at a path of keys and positions in JSON, or None where nothing does."""
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
