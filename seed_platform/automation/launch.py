"""Bring what is outstanding up to date through Dagster, in this process, recorded in the same instance the UI shows.

What belongs here: choosing assets and partitions and starting the run. What does not: what is outstanding
(`steps.freshness`) or the work itself.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from seed_platform.assets import github, reports
from seed_platform.assets.resources import EngineResource, LakeResource, RefusingIOManager
from seed_platform.automation.partitions import put_in_order
from seed_platform.batches import REFERENCES, Batch, find_batch, list_batches
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.locks import only_run
from seed_platform.lake.storage import Storage
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Step
from seed_platform.steps.flow import STEPS
from seed_platform.steps.freshness import Flow, load_records
from seed_platform.steps.references import read_references

_PROJECT = Path(__file__).resolve().parents[2]
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class Launched:
    """What was computed: (batch or reference set, step) pairs; empty if everything was up to date."""

    computed: list[tuple[str, str]]


def deployment_file(name: str) -> Path:
    """`dagster.yaml` or `workspace.yaml` of this project. Raises `UsageError` outside a checkout."""
    path = _PROJECT / name
    if not path.is_file():
        raise UsageError(f"{name} is not beside the package; run from a checkout, or set DAGSTER_HOME to your own")
    return path


def prepare_home(settings: Settings) -> Path:
    """Point DAGSTER_HOME at the instance of this lake, made on first use; one that is set already is left alone.

    Raises:
        UsageError: the lake is on S3, where an instance cannot live, and DAGSTER_HOME is not set.
    """
    if "DAGSTER_HOME" in os.environ:
        return Path(os.environ["DAGSTER_HOME"])
    storage = Storage(settings.lake)
    if storage.is_s3:
        raise UsageError("a lake on S3 needs DAGSTER_HOME: a local folder with your dagster.yaml")
    home = Path(storage.root) / "_dagster"
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(deployment_file("dagster.yaml"), home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def launch(settings: Settings, *, batch: str | None = None, select: str | None = None) -> Launched:
    """Compute what is outstanding: all of it, or what `batch` and the assets `select` need.

    Args:
        settings: the deployment.
        batch: name of a batch; earlier ones that it is compared with are included.
        select: a Dagster asset selection, e.g. "verdicts/files/syntax"; what it depends on is included.

    Raises:
        UsageError: an unknown batch or selection, or no batch at all.
        WorkError: a step failed.
    """
    lake = LakeResource(root=settings.lake, policy=str(settings.policy or ""))
    batches = list_batches(lake.lake())
    if not batches:
        raise UsageError("no batch has arrived yet: seed batch add repositories PATH_OR_URL …")
    steps = _selected(select)
    last = find_batch(batches, batch) if batch is not None else batches[-1]
    references = list_batches(lake.lake(), kind=REFERENCES)
    flow = Flow(STEPS, batches, load_policy(settings.policy), settings, references=references)
    todo = [
        (each, step)
        for each, step in flow.outstanding(load_records(lake.lake()))
        if each.arrival <= last.arrival and step in steps
    ]
    read: list[tuple[str, str]] = []
    if todo:
        prepare_home(settings)
        with only_run(lake.lake().storage, "launch"):
            context = Context(
                lake.lake(), EngineResource().engine(settings), settings, lake.curation_policy(), uuid.uuid4().hex
            )
            read = [(done.report.batch, done.report.step) for done in read_references(context, flow)]
            _materialize(lake, batches, todo)
    wanted = [(each.key, step.name) for each, step in todo]
    still = {(each.key, step.name) for each, step in flow.outstanding(load_records(lake.lake()))}
    left = [pair for pair in wanted if pair in still]
    if left:
        raise WorkError(f"{len(left)} results were not computed, such as {left[0][1]} of batch {left[0][0]}")
    return Launched([*read, *wanted])


def follow_register(settings: Settings) -> None:
    """Make the partitions of the lake's Dagster instance those of its register."""
    prepare_home(settings)
    with dg.DagsterInstance.get() as instance:
        put_in_order(instance, list_batches(LakeResource(root=settings.lake).lake()))


def _selected(select: str | None) -> list[Step]:
    if select is None:
        return list(STEPS)
    try:
        chosen = dg.AssetSelection.from_string(select).upstream().resolve(github.ASSETS)
    except dg.DagsterError as error:
        raise UsageError(f"--select {select!r} is not an asset selection: {str(error).splitlines()[0]}") from error
    steps = [step for step in STEPS if github.key_of(step) in chosen]
    if not steps:
        known = ", ".join(github.key_of(step).to_user_string() for step in STEPS)
        raise UsageError(f"--select {select!r} selects nothing; there are: {known}")
    return steps


def _materialize(lake: LakeResource, batches: Sequence[Batch], todo: Sequence[tuple[Batch, Step]]) -> None:
    keys = {github.key_of(step) for _, step in todo}
    if github.FILES in keys:
        keys.add(github.REPOSITORIES)
    arrivals = [each for each, _ in todo]
    with dg.DagsterInstance.get() as instance:
        put_in_order(instance, batches)
        result = dg.materialize(
            github.ASSETS,
            selection=dg.AssetSelection.assets(*keys),
            instance=instance,
            resources={"lake": lake, "engine": EngineResource(), "io_manager": RefusingIOManager()},
            # One run over the range: a run per batch costs about 2.3 s before any work. Batches inside the range that
            # are up to date are looked at and passed over.
            tags={
                "dagster/asset_partition_range_start": min(arrivals, key=lambda each: each.arrival).key,
                "dagster/asset_partition_range_end": max(arrivals, key=lambda each: each.arrival).key,
            },
            run_config=_QUIET,
            raise_on_error=False,
        )
        if result.success and github.FILE_LEVEL in keys:
            result = dg.materialize(
                [reports.file_level_funnel],
                instance=instance,
                resources={"lake": lake, "io_manager": RefusingIOManager()},
                run_config=_QUIET,
                raise_on_error=False,
            )
        if not result.success:
            raise WorkError(_cause(result))


def _cause(result: dg.ExecuteInProcessResult) -> str:
    """What failed, in one line: a check if one did, since the step that it blocks fails with it."""
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            numbers = ", ".join(f"{name} {value.value}" for name, value in check.metadata.items())
            return f"check {check.check_name} of {check.asset_key.to_user_string()} failed: {numbers}{_see(result)}"
    for event in result.get_step_failure_events():
        failure = event.step_failure_data
        described = failure.user_failure_data.description if failure.user_failure_data else None
        error = failure.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
            raise KeyboardInterrupt
        return f"{event.step_key}: {described or (error.message.strip() if error else 'no message')}{_see(result)}"
    return f"the run failed{_see(result)}"


def _see(result: dg.ExecuteInProcessResult) -> str:
    return f" (run {result.run_id}; `seed ui` shows its log)"
