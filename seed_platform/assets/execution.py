"""How every partitioned asset runs: bring its step up to date for each batch of the run, report, check.

What belongs here: the bridge between a step and Dagster's events. What does not: which assets there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext

import dagster as dg

from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.batches import find_batch
from seed_platform.errors import SeedError
from seed_platform.lake.lake import Lake
from seed_platform.lineage.checks import Outcome
from seed_platform.policy import load_policy
from seed_platform.progress import is_listening, listen
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Report, Step
from seed_platform.steps.freshness import Done, Flow, bring_up_to_date, load_records, withdraw
from seed_platform.steps.lines import line_with

Check = Callable[[Lake, Settings, list[str]], Outcome]


def run_step(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource, step: Step
) -> dict[str, Done]:
    """Bring `step` up to date for every batch of this run, in order of arrival; metadata goes on each partition."""
    work, flow = _prepare(context, lake, engine, step)
    wanted = sorted((find_batch(flow.batches, key) for key in context.partition_keys), key=lambda each: each.arrival)
    done: dict[str, Done] = {}
    for batch in wanted:
        try:
            with nullcontext() if is_listening() else listen(_RunLog(context.log)):
                done[batch.key] = bring_up_to_date(work, flow, step, batch)
        except SeedError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        context.log.info("%s", _summary(done[batch.key]))
        for key in context.selected_asset_keys:
            context.add_asset_metadata(metadata=metadata(done[batch.key]), asset_key=key, partition_key=batch.key)
    return done


def run_check(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    engine: EngineResource,
    step: Step,
    check: Check,
) -> Outcome:
    """Ask `check` of the batches of this run; if it fails, their results of `step` are outstanding again."""
    outcome = check(lake.lake(), lake.settings(), list(context.partition_keys))
    if not outcome.passed:
        work, flow = _prepare(context, lake, engine, step)
        for key in context.partition_keys:
            withdraw(work, step, find_batch(flow.batches, key))
    return outcome


def current_batches(lake: Lake, settings: Settings, step: Step) -> list[str]:
    """The batches whose result of `step` is up to date."""
    flow = line_with(step).flow(lake, load_policy(settings.policy), settings)
    return flow.up_to_date(load_records(lake), step)


def work_of(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> Context:
    """What steps run with in a run of Dagster's."""
    settings = lake.settings()
    return Context(lake.lake(), engine.engine(settings), settings, lake.curation_policy(), context.run_id)


def _prepare(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource, step: Step
) -> tuple[Context, Flow]:
    work = work_of(context, lake, engine)
    return work, line_with(step).flow(work.lake, work.policy, work.settings)


class _RunLog:
    """Tells a run's log when a piece of work starts and ends; never per document, since each line is a database row."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._work: list[tuple[str, int, float]] = []

    def begin(self, label: str, total: int) -> int:
        self._log.info("%s: %d to do", label, total)
        self._work.append((label, total, time.monotonic()))
        return len(self._work) - 1

    def advance(self, handle: int, units: int) -> None:
        pass

    def end(self, handle: int) -> None:
        label, total, started = self._work[handle]
        self._log.info("%s: %d in %.1f s", label, total, time.monotonic() - started)


def _summary(done: Done) -> str:
    report: Report = done.report
    what = "computed" if done.computed else "up to date"
    dropped = ", ".join(f"{tally.documents} {reason}" for reason, tally in sorted(report.dropped.items())) or "none"
    return f"{report.batch} {what}: seen {report.seen.documents}, kept {report.kept.documents}, dropped {dropped}"


def _rows(report: Report) -> int:
    """Rows of the step's table: a verdict for each document seen; elsewhere what was kept."""
    return report.seen.documents if report.step.startswith("verdicts/") else report.kept.documents


def metadata(done: Done) -> dict[str, dg.MetadataValue]:
    """What a partition shows in the UI: numbers only, since Dagster plots them over partitions and time."""
    report = done.report
    values: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(_rows(report)),
        "seen": dg.MetadataValue.int(report.seen.documents),
        "kept": dg.MetadataValue.int(report.kept.documents),
        "kept_ratio": dg.MetadataValue.float(round(report.kept.documents / max(report.seen.documents, 1), 4)),
        "bytes_seen": dg.MetadataValue.int(report.seen.bytes),
        "bytes_kept": dg.MetadataValue.int(report.kept.bytes),
        "seconds": dg.MetadataValue.float(report.seconds),
        "computed": dg.MetadataValue.bool(done.computed),
    }
    if report.seconds > 0:
        values["documents_per_second"] = dg.MetadataValue.float(round(report.seen.documents / report.seconds, 1))
        values["megabytes_per_second"] = dg.MetadataValue.float(round(report.seen.bytes / 1e6 / report.seconds, 2))
    for prefix, tallies in (("dropped", report.dropped), ("noted", report.noted)):
        for reason, tally in sorted(tallies.items()):
            values[f"{prefix}/{reason}"] = dg.MetadataValue.int(tally.documents)
    for name, number in sorted(report.figures.items()):
        values[name] = dg.MetadataValue.int(number)
    for reason, number in sorted(report.failures.items()):
        values[f"rejected/{reason}"] = dg.MetadataValue.int(number)
    return values
