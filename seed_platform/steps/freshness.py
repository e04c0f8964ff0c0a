"""What is outstanding: a result is up to date if all that it depends on is as it was when the result was published.

The fingerprint of a step's result for a batch covers the step's version, the policy sections it reads, the batch's
sources with their places and metadata, its inputs' fingerprints, for steps that compare with earlier batches the result
before it, for those that compare with the reference sets which there are, and the models that judge. It is computed
from the registers and the policy alone, so asking what is outstanding reads no data. What belongs here: deciding and
recording. What does not: the work (`Step.run`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

import polars as pl

from seed_platform.batches import REFERENCES, Batch, fingerprints, list_batches
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.locks import only_run
from seed_platform.lake.schemas import MATERIALIZATIONS
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report, Step
from seed_platform.steps.models import model_ids


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
    """The steps, the batches in order of arrival, and the policy: everything that decides what should exist.

    `references` are the reference sets in order of arrival. They are read like any batch; no other step is for them.
    `models` are the ids of the trained models, by name.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        batches: Sequence[Batch],
        policy: Policy,
        settings: Settings,
        *,
        references: Sequence[Batch] = (),
        models: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.steps = {step.name: step for step in steps}
        self.batches = list(batches)
        self.references = list(references)
        self._policy = policy
        self._settings = settings
        self.models = models
        self._known: dict[tuple[str, str], str] = {}
        self._arrangements: dict[str, str] = {}
        self._place = {batch.key: number for number, batch in enumerate(self.batches)}

    def earlier(self, batch: Batch) -> list[Batch]:
        """The batches that arrived before; none for a reference set."""
        return self.batches[: self._place.get(batch.key, 0)]

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
            "batch": [batch.key, batch.fingerprint, self._arrangement(batch)],
            "inputs": [self.fingerprint(self.steps[name], batch) for name in step.inputs],
            "limits": self._settings.digest_of(step.limits) if step.limits else None,
            "before": [self.fingerprint(step, each) for each in before],
        }
        if step.references:
            depends_on["references"] = [[each.key, each.fingerprint] for each in self.references]
        if step.models:
            depends_on["models"] = [[name, self.models.get(name)] for name in step.models]
        return hashlib.sha256(json.dumps(depends_on, sort_keys=True).encode()).hexdigest()

    def _arrangement(self, batch: Batch) -> str:
        if batch.key not in self._arrangements:
            self._arrangements[batch.key] = batch.arrangement()
        return self._arrangements[batch.key]

    def up_to_date(self, records: dict[tuple[str, str], Record], step: Step) -> list[str]:
        """The batches whose result of `step` is as it should be."""
        return [each.key for each in self.batches if _matches(records, step, each, self.fingerprint(step, each))]

    def outstanding(self, records: dict[tuple[str, str], Record]) -> list[tuple[Batch, Step]]:
        """What has to be computed, batches in order of arrival, steps after their inputs."""
        return [
            (batch, step)
            for batch in self.batches
            for step in self.steps.values()
            if not _matches(records, step, batch, self.fingerprint(step, batch))
        ]

    def unread(self, records: dict[tuple[str, str], Record]) -> list[tuple[Batch, Step]]:
        """The reference sets that have to be read before any step that compares with them, and the steps that do."""
        return [
            (batch, step)
            for batch in self.references
            for step in self.steps.values()
            if not step.inputs and not _matches(records, step, batch, self.fingerprint(step, batch))
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
        WorkError: an input, for this batch or another one that it is compared with, is outstanding itself, or the
            batches are others than when `flow` was made.
    """
    records = load_records(context.lake)
    fingerprint = flow.fingerprint(step, batch)
    if _matches(records, step, batch, fingerprint):
        return Done(records[step.name, batch.key].report, fingerprint, computed=False)
    with only_run(context.lake.storage, "work"):
        # Under the lock, which whoever removes a batch or adds a reference set holds as well.
        _require_register(context.lake, flow, step, batch)
        _require_models(context.lake, flow, step)
        records = load_records(context.lake)
        _require(records, flow, _needed(flow, step, batch), f"{step.name} of batch {batch.key}")
        if (step.name, batch.key) in records:
            withdraw(context, step, batch)
        started = time.monotonic()
        report = step.run(context, batch, flow.earlier(batch))
        report.seconds = round(time.monotonic() - started, 3)
        _record(context, step, batch, fingerprint, report)
    return Done(report, fingerprint, computed=True)


def _needed(flow: Flow, step: Step, batch: Batch) -> list[tuple[Step, Batch]]:
    """The results that a step for a batch looks at."""
    needed = [(flow.steps[name], batch) for name in step.inputs]
    if step.compares:
        # Its inputs too: it may look at those of earlier batches, and they may be another policy's by now.
        names = (step.name, *step.inputs)
        needed += [(flow.steps[name], each) for each in flow.earlier(batch) for name in names]
    if step.references:
        read = [each for each in flow.steps.values() if not each.inputs]
        needed += [(each, reference) for reference in flow.references for each in read]
    return needed


def _require_register(lake: Lake, flow: Flow, step: Step, batch: Batch) -> None:
    """A result is of the batches that its fingerprint names: none of them has been removed since, nor a set added."""
    compared = [*(flow.earlier(batch) if step.compares else []), *(flow.references if step.references else []), batch]
    known = fingerprints(lake)
    missing = [each.key for each in compared if known.get(each.key) != each.fingerprint]
    if step.references:
        named = {each.key for each in flow.references}
        missing += [each.key for each in list_batches(lake, kind=REFERENCES) if each.key not in named]
    if missing:
        raise WorkError(f"batch {missing[0]} was added or removed while this ran: seed run again")


def _require_models(lake: Lake, flow: Flow, step: Step) -> None:
    """A result is of the models that its fingerprint names."""
    if step.models:
        known = model_ids(lake)
        for name in step.models:
            if known.get(name) != flow.models.get(name):
                raise WorkError(f"the model {name} was trained while this ran: seed run again")


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
