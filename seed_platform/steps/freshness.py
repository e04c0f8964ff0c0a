"""What is outstanding: a result is up to date if all that it depends on is as it was when the result was published.

The fingerprint of a step's result for a batch covers the step's version, the policy sections it reads, the batch's
sources, its inputs' fingerprints and, for steps that compare with earlier batches, the result before it. It is computed
from the register and the policy alone, so asking what is outstanding reads no data. What belongs here: deciding and
recording. What does not: the work (`Step.run`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from seed_platform.batches import Batch
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.locks import only_run
from seed_platform.lake.schemas import MATERIALIZATIONS
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report, Step


@dataclass(frozen=True, slots=True)
class Record:
    """What was published last for a step and a batch."""

    fingerprint: str
    run_id: str
    report: Report


@dataclass(frozen=True, slots=True)
class Done:
    """The result of bringing one step of one batch up to date; `computed` is False if it already was."""

    report: Report
    fingerprint: str
    computed: bool


class Flow:
    """The steps, the batches in order of arrival, and the policy: everything that decides what should exist."""

    def __init__(self, steps: Sequence[Step], batches: Sequence[Batch], policy: Policy, settings: Settings) -> None:
        self.steps = {step.name: step for step in steps}
        self.batches = list(batches)
        self._policy = policy
        self._limits = settings.digest_of_limits()
        self._known: dict[tuple[str, str], str] = {}
        self._place = {batch.key: number for number, batch in enumerate(self.batches)}

    def earlier(self, batch: Batch) -> list[Batch]:
        """The batches that arrived before."""
        return self.batches[: self._place[batch.key]]

    def fingerprint(self, step: Step, batch: Batch) -> str:
        """Hash of all that the result of `step` for `batch` depends on, in hex."""
        key = (step.name, batch.key)
        if key not in self._known:
            # From the first batch on, so that a long chain of comparisons is a loop and not a recursion.
            for each in [*self.earlier(batch), batch] if step.compares else [batch]:
                if (step.name, each.key) not in self._known:
                    self._known[step.name, each.key] = self._compute(step, each)
        return self._known[key]

    def _compute(self, step: Step, batch: Batch) -> str:
        before = self.earlier(batch)[-1:] if step.compares else []
        depends_on = {
            "step": [step.name, step.version],
            "policy": [getattr(self._policy, section).digest() for section in step.sections],
            "batch": [batch.key, batch.fingerprint],
            "inputs": [self.fingerprint(self.steps[name], batch) for name in step.inputs],
            "limits": None if step.inputs else self._limits,
            "before": [self.fingerprint(step, each) for each in before],
        }
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()

    def outstanding(self, records: dict[tuple[str, str], Record]) -> list[tuple[Batch, Step]]:
        """What has to be computed, batches in order of arrival, steps after their inputs."""
        return [
            (batch, step)
            for batch in self.batches
            for step in self.steps.values()
            if not _matches(records, step, batch, self.fingerprint(step, batch))
        ]


def _matches(records: dict[tuple[str, str], Record], step: Step, batch: Batch, fingerprint: str) -> bool:
    record = records.get((step.name, batch.key))
    return record is not None and record.fingerprint == fingerprint


def load_records(lake: Lake) -> dict[tuple[str, str], Record]:
    """Everything that was published, by (step, batch)."""
    delta = lake.open(MATERIALIZATIONS)
    if delta is None:
        return {}
    rows = pl.DataFrame(delta.to_pyarrow_table(columns=["batch", "step", "fingerprint", "run_id", "report"]))
    return {
        (row["step"], row["batch"]): Record(row["fingerprint"], row["run_id"], Report.from_json(row["report"]))
        for row in rows.iter_rows(named=True)
    }


def bring_up_to_date(context: Context, flow: Flow, step: Step, batch: Batch) -> Done:
    """Compute and record one step of one batch, unless it is up to date.

    Raises:
        WorkError: an input of this batch, or an earlier batch that it is compared with, is outstanding itself.
    """
    records = load_records(context.lake)
    fingerprint = flow.fingerprint(step, batch)
    if _matches(records, step, batch, fingerprint):
        return Done(records[step.name, batch.key].report, fingerprint, computed=False)
    needed = [(flow.steps[name], batch) for name in step.inputs]
    needed += [(step, each) for each in flow.earlier(batch)] if step.compares else []
    _require(records, flow, needed, f"{step.name} of batch {batch.key}")
    with only_run(context.lake.storage, "work"):
        if (step.name, batch.key) in records:
            withdraw(context, step, batch)
        started = time.monotonic()
        report = step.run(context, batch, flow.earlier(batch))
        report.seconds = round(time.monotonic() - started, 3)
        _record(context, step, batch, fingerprint, report)
    return Done(report, fingerprint, computed=True)


def _require(
    records: dict[tuple[str, str], Record], flow: Flow, needed: Iterable[tuple[Step, Batch]], what: str
) -> None:
    for step, batch in needed:
        if not _matches(records, step, batch, flow.fingerprint(step, batch)):
            raise WorkError(f"{what} needs {step.name} of batch {batch.key}, which is outstanding: seed run")


def withdraw(context: Context, step: Step, batch: Batch) -> None:
    """Forget a result: before it is replaced, or because a check of it failed.

    Else a run killed between publishing and recording would leave new rows under the old fingerprint, and going back to
    the old policy would take them for its own.
    """
    context.lake.publish(MATERIALIZATIONS, [], context.commit, batch=batch.key, step=step.name)


def _record(context: Context, step: Step, batch: Batch, fingerprint: str, report: Report) -> None:
    row = pl.DataFrame(
        {
            "fingerprint": [fingerprint],
            "run_id": [context.run_id],
            "finished_at": [datetime.now(UTC)],
            "report": [report.to_json()],
        }
    )
    with context.lake.writer(MATERIALIZATIONS, batch=batch.key, step=step.name) as writer:
        writer.write(row)
    context.lake.publish(MATERIALIZATIONS, writer.parts, context.commit, batch=batch.key, step=step.name)
