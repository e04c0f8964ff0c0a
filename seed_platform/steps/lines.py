"""The lines of work: for each kind of batch, the steps that its batches go through, and the flow of a lake's batches.

What belongs here: the list of lines. What does not: steps (`flow.py`, `commit_flow.py`,
`page_flow.py`) and what is outstanding
(`freshness.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from seed_platform.batches import CRAWL, REFERENCES, REPOSITORIES, list_batches
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import Table
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Step
from seed_platform.steps.commit_flow import COMMIT_STEPS
from seed_platform.steps.flow import STEPS
from seed_platform.steps.freshness import Flow
from seed_platform.steps.high_quality import HIGH_QUALITY_CORPUS
from seed_platform.steps.long_context import LONG_CONTEXT_CORPUS
from seed_platform.steps.models import model_ids
from seed_platform.steps.page_flow import PAGE_STEPS


@dataclass(frozen=True, slots=True)
class Line:
    """A kind of batch, and the steps that its batches go through."""

    kind: str
    steps: tuple[Step, ...]

    def that_need_models(self) -> set[Step]:
        """The steps that a trained model judges in, and those that depend on them."""
        found: set[Step] = set()
        for step in self.steps:  # each comes after its inputs
            if step.models or any(each.name in step.inputs for each in found):
                found.add(step)
        return found

    def making(self, table: Table) -> set[Step]:
        """The steps that a table is made by: the one that publishes it, and what that depends on."""
        needed = {step.name for step in self.steps if table in step.tables}
        found: set[Step] = set()
        for step in reversed(self.steps):  # each comes after its inputs
            if step.name in needed:
                found.add(step)
                needed |= set(step.inputs)
        return found

    def flow(self, lake: Lake, policy: Policy, settings: Settings) -> Flow:
        """Everything that decides what should exist of this line in the lake."""
        compared = any(step.references for step in self.steps)
        return Flow(
            self.steps,
            list_batches(lake, kind=self.kind),
            policy,
            settings,
            references=list_batches(lake, kind=REFERENCES) if compared else (),
            models=model_ids(lake),
        )


REPOSITORY_LINE = Line(REPOSITORIES, (*STEPS, *COMMIT_STEPS))
CRAWL_LINE = Line(CRAWL, PAGE_STEPS)
LINES = (REPOSITORY_LINE, CRAWL_LINE)

WHOLE_CORPORA = (HIGH_QUALITY_CORPUS, LONG_CONTEXT_CORPUS)
"""The corpora that are chosen from all batches at once, each after what it is made of."""


def line_with(step: Step) -> Line:
    """The line that a step is part of."""
    return next(line for line in LINES if step in line.steps)


def line_of(kind: str) -> Line:
    """The line of a kind of batch; reference sets go the way of repositories."""
    return CRAWL_LINE if kind == CRAWL else REPOSITORY_LINE
