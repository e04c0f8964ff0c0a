"""The flow of commits, on one page: every step, what it reads and what it publishes (PAPER §3).

What belongs here: the list. What does not: any step's work.
"""

from __future__ import annotations

from seed_platform.filters import commit_gate as gate_filter
from seed_platform.lake.query import VerdictTable
from seed_platform.lake.schemas import COMMIT_INDEX, COMMIT_SAMPLES, COMMIT_WALKS, COMMITS, Table
from seed_platform.steps import (
    commit_filters,
    commit_gate,
    commit_samples,
    exact_duplicates,
    judge,
    near_duplicates,
    read_commits,
)
from seed_platform.steps.base import Step
from seed_platform.steps.flow import READ

GATE = Step(
    name=commit_gate.TABLE.name,
    version=gate_filter.VERSION,
    inputs=(READ.name,),
    compares=False,
    sections=("commit_gate",),
    run=lambda context, batch, _: commit_gate.judge_gate(context, batch),
    tables=(commit_gate.TABLE,),
    described="Repositories whose histories are worth reading: stars, forks, commits, days of activity.",
)
READ_COMMITS = Step(
    name=COMMITS.name,
    version=read_commits.VERSION,
    inputs=(READ.name, GATE.name),
    compares=True,
    sections=(),
    run=read_commits.read_commits,
    tables=(COMMITS, COMMIT_WALKS),
    described="The commits that are new in the repositories of the batch, with what each of them changed.",
    limits=("max_patch_bytes", "max_commit_paths", "person_key"),
)
COMMIT_RULES = Step(
    name=commit_filters.RULES.table.name,
    version=commit_filters.RULES.version,
    inputs=(READ_COMMITS.name,),
    compares=False,
    sections=("commit_rules",),
    run=lambda context, batch, _: judge.judge_batch(context, batch, commit_filters.RULES),
    tables=(commit_filters.RULES.table,),
    described="No merges, programs, mechanical or trivial changes, and no message that says nothing.",
)
COMMIT_EXACT_DUPLICATES = Step(
    name=exact_duplicates.SAME_CHANGE.table.name,
    version=exact_duplicates.VERSION,
    inputs=(READ_COMMITS.name, COMMIT_RULES.name),
    compares=True,
    sections=(),
    run=lambda context, batch, earlier: exact_duplicates.find_exact_duplicates(
        context, batch, earlier, exact_duplicates.SAME_CHANGE
    ),
    tables=(exact_duplicates.SAME_CHANGE.table,),
    described="Commits that make the same change as an earlier one: cherry-picks, and what forks have in common.",
)
COMMIT_NEAR_DUPLICATES = Step(
    name=near_duplicates.COMMIT_CHANGES.table.name,
    version=near_duplicates.VERSION,
    inputs=(READ_COMMITS.name, COMMIT_RULES.name, COMMIT_EXACT_DUPLICATES.name),
    compares=True,
    sections=("commit_near_duplicates",),
    run=lambda context, batch, earlier: near_duplicates.find_near_duplicates(
        context, batch, earlier, near_duplicates.COMMIT_CHANGES
    ),
    tables=(near_duplicates.COMMIT_CHANGES.table, COMMIT_INDEX),
    described="Commits whose changed lines truly resemble those of a kept one, such as backports.",
)
COMMIT_CORPUS = Step(
    name=COMMIT_SAMPLES.name,
    version=commit_samples.VERSION,
    inputs=(READ_COMMITS.name, COMMIT_RULES.name, COMMIT_EXACT_DUPLICATES.name, COMMIT_NEAR_DUPLICATES.name),
    compares=False,
    sections=("commit_samples",),
    run=lambda context, batch, _: commit_samples.make_samples(context, batch),
    tables=(COMMIT_SAMPLES, commit_samples.TABLE),
    described="The commit corpus: message, README, tree and relevant files before the commit, then what it changed.",
)

COMMIT_STEPS: tuple[Step, ...] = (
    GATE,
    READ_COMMITS,
    COMMIT_RULES,
    COMMIT_EXACT_DUPLICATES,
    COMMIT_NEAR_DUPLICATES,
    COMMIT_CORPUS,
)
"""In an order in which each comes after its inputs."""

COMMIT_FILTERS: dict[str, Table] = {
    table.name.rsplit("/", 1)[1]: table
    for table in (
        COMMIT_RULES.tables[0],
        COMMIT_EXACT_DUPLICATES.tables[0],
        COMMIT_NEAR_DUPLICATES.tables[0],
        commit_samples.TABLE,
    )
}
"""The verdicts on commits, in the order in which a drop is attributed; the last is of the making of samples."""

VERDICT_TABLES: tuple[VerdictTable, ...] = (
    VerdictTable("repository", commit_gate.NAME, commit_gate.TABLE),
    *(VerdictTable("commit", name, table) for name, table in COMMIT_FILTERS.items()),
)
"""What the view `verdicts` has of them."""
