"""The gate of the commit corpus: is a repository known and lived-in enough that its commits are worth learning from.

What belongs here: the four thresholds of PAPER §3, and what happens where a fact is unknown. What does not: where the
facts come from (the sources' history, a batch's metadata).
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.filters.base import as_verdicts

VERSION = "1"
"""Of this filter: raised when the verdict on some repository changes under the same policy."""

COLUMNS = ("ordinal", "doc_id", "source", "stars", "forks", "commits", "first_committed_at", "committed_at")
"""The columns of a repository that this filter reads."""

_TOO_LITTLE = {
    "stars": "too_few_stars",
    "forks": "too_few_forks",
    "commits": "too_few_commits",
    "active_days": "too_short_activity",
}
"""The facts, in the order in which a drop is attributed to them."""


def judge(repositories: pl.DataFrame, policy: CommitGatePolicy) -> pl.DataFrame:
    """The verdicts of the gate on `repositories`.

    Args:
        repositories: `COLUMNS`, one row a repository; all but the first three may be null, which is unknown.
        policy: thresholds, and what may be unknown.

    Returns:
        Verdicts, one row a repository, in the order given. `reason` is "no_history" for what is not a git repository,
        or the first fact that fails: "too_few_stars", "too_few_forks", "too_few_commits", "too_short_activity"
        (`score`: the number) or "unknown_" and the fact's name. A repository that is kept for all that is known has the
        reason "unknown_" and the names of the waived facts, such as "unknown_stars_forks"; else null. `evidence` says
        each fact ("unknown" where it is) and its threshold: {"stars": {"value": 12, "least": 100}, …}.
    """
    days = (pl.col("committed_at") - pl.col("first_committed_at")).dt.total_days()
    facts = repositories.select(*COLUMNS).with_columns(active_days=days)
    decided = [_decide(row, policy) for row in facts.iter_rows(named=True)]
    schema = {"keep": pl.Boolean, "reason": pl.String, "score": pl.Float64, "evidence": pl.String}
    return as_verdicts(pl.concat([facts, pl.DataFrame(decided, schema=schema, orient="row")], how="horizontal"))


def _decide(facts: dict[str, Any], policy: CommitGatePolicy) -> tuple[bool, str | None, float | None, str]:
    """`keep`, `reason`, `score` and `evidence` of one repository."""
    least = {name: getattr(policy, name) for name in _TOO_LITTLE}
    told = {
        name: {"value": "unknown" if facts[name] is None else facts[name], "least": least[name]} for name in _TOO_LITTLE
    }
    evidence = json.dumps(told)
    if facts["source"] != "git":
        return False, "no_history", None, evidence
    unknown = [name for name in _TOO_LITTLE if facts[name] is None]
    for name, reason in _TOO_LITTLE.items():
        if facts[name] is None:
            if name not in policy.waive_unknown:
                return False, f"unknown_{name}", None, evidence
        elif facts[name] < least[name]:
            return False, reason, float(facts[name]), evidence
    return True, f"unknown_{'_'.join(unknown)}" if unknown else None, None, evidence
