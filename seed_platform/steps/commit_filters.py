"""The filter that judges commits one by one, as steps run it.

What belongs here: which columns it reads. What does not: the judgement (`filters/commit_rules.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.commits.policy import CommitRulesPolicy
from seed_platform.engine.journal import Journal
from seed_platform.filters import commit_rules
from seed_platform.lake.schemas import COMMITS
from seed_platform.section import Section
from seed_platform.steps.judge import DocumentFilter


def _judge_rules(commits: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    del journal
    assert isinstance(policy, CommitRulesPolicy)  # noqa: S101 - the section of this filter
    return commit_rules.judge(commits, policy)


RULES = DocumentFilter(COMMITS, "rules", "commit_rules", commit_rules.VERSION, (), commit_rules.COLUMNS, _judge_rules)
