import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from pydantic import ValidationError

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.filters.base import VERDICT_COLUMNS
from seed_platform.filters.commit_gate import COLUMNS, judge

SCHEMA = {
    "ordinal": pl.Int64, "doc_id": pl.String, "source": pl.String, "stars": pl.Int64, "forks": pl.Int64,
    "commits": pl.Int64, "first_committed_at": pl.Datetime("us", "UTC"), "committed_at": pl.Datetime("us", "UTC"),
}  # fmt: skip
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
GOOD = {
    "ordinal": 7, "doc_id": "r", "source": "git", "stars": 100, "forks": 10, "commits": 100,
    "first_committed_at": FIRST, "committed_at": FIRST + timedelta(days=100),
}  # fmt: skip


def verdict(policy: CommitGatePolicy | None = None, **facts: object) -> dict[str, object]:
    frame = pl.DataFrame([{**GOOD, **facts}], schema=SCHEMA)
    return judge(frame, policy or CommitGatePolicy()).row(0, named=True)


def test_a_repository_that_just_reaches_all_four_thresholds_passes_with_its_facts_as_evidence():
    found = verdict()
    assert {**found, "evidence": None} == {
        **dict.fromkeys(VERDICT_COLUMNS), "ordinal": 7, "doc_id": "r", "keep": True,
    }  # fmt: skip
    assert json.loads(str(found["evidence"])) == {
        "stars": {"value": 100, "least": 100},
        "forks": {"value": 10, "least": 10},
        "commits": {"value": 100, "least": 100},
        "active_days": {"value": 100, "least": 100},
    }
    assert set(COLUMNS) == set(SCHEMA)


@pytest.mark.parametrize(
    ("facts", "reason", "score"),
    [
        ({"stars": 99}, "too_few_stars", 99),
        ({"forks": 9}, "too_few_forks", 9),
        ({"commits": 99}, "too_few_commits", 99),
        ({"committed_at": FIRST + timedelta(days=100, seconds=-1)}, "too_short_activity", 99),
        # Clocks that ran backwards are no activity.
        ({"committed_at": FIRST - timedelta(days=400)}, "too_short_activity", -400),
        ({"commits": None}, "unknown_commits", None),
        ({"first_committed_at": None}, "unknown_active_days", None),
        ({"stars": 1, "forks": 1, "commits": 1}, "too_few_stars", 1),
        ({"stars": None, "forks": 9}, "too_few_forks", 9),
        ({"source": "archive"}, "no_history", None),
        ({"source": "folder", "stars": 1, "commits": None}, "no_history", None),
    ],
)
def test_the_first_fact_that_fails_is_the_reason(facts: dict[str, object], reason: str, score: float | None):
    found = verdict(**facts)
    assert (found["keep"], found["reason"], found["score"]) == (False, reason, score)


@pytest.mark.parametrize(
    ("unknown", "reason"),
    [(("stars",), "unknown_stars"), (("forks",), "unknown_forks"), (("stars", "forks"), "unknown_stars_forks")],
)
def test_waived_facts_may_be_unknown_and_the_verdict_says_so(unknown: tuple[str, ...], reason: str):
    facts = dict.fromkeys(unknown)
    found = verdict(**facts)
    assert (found["keep"], found["reason"]) == (True, reason)
    assert json.loads(str(found["evidence"]))[unknown[0]] == {"value": "unknown", "least": {"stars": 100, "forks": 10}[unknown[0]]}  # fmt: skip  # noqa: E501
    strict = verdict(CommitGatePolicy(waive_unknown=()), **facts)
    assert (strict["keep"], strict["reason"]) == (False, f"unknown_{unknown[0]}")


def test_every_repository_has_one_verdict_in_the_order_given():
    rows = [{**GOOD, "ordinal": number, "stars": number} for number in (300, 5, 100)]
    found = judge(pl.DataFrame(rows, schema=SCHEMA), CommitGatePolicy())
    assert found["ordinal"].to_list() == [300, 5, 100]
    assert found["keep"].to_list() == [True, False, True]
    nothing = judge(pl.DataFrame(schema=SCHEMA), CommitGatePolicy())
    assert dict(nothing.schema) == VERDICT_COLUMNS


def test_a_policy_that_waives_what_the_gate_does_not_ask_is_an_error():
    with pytest.raises(ValidationError):
        CommitGatePolicy.model_validate({"waive_unknown": ["watchers"]})
    with pytest.raises(ValidationError, match="twice"):
        CommitGatePolicy(waive_unknown=("stars", "stars"))
