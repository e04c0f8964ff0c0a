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

from seed_platform.assets import commits, github, high_quality, long_context, quality, reports, web
from seed_platform.assets.resources import EngineResource, LakeResource, RefusingIOManager
from seed_platform.assets.step_assets import COMMIT_WALKS, COMMITS, FILES, REPOSITORIES, key_of
from seed_platform.automation.partitions import put_in_order
from seed_platform.batches import REFERENCES, Batch, find_batch, list_batches
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.locks import only_run
from seed_platform.lake.schemas import HIGH_QUALITY, LONG_CONTEXT
from seed_platform.lake.storage import Storage
from seed_platform.settings import Settings
from seed_platform.steps import code_relevance, quality_model
from seed_platform.steps.base import Context, Step
from seed_platform.steps.freshness import load_records
from seed_platform.steps.lines import LINES, WHOLE_CORPORA, Line
from seed_platform.steps.models import models
from seed_platform.steps.references import read_references
from seed_platform.steps.whole import WHOLE_LAKE, Whole

_PROJECT = Path(__file__).resolve().parents[2]
_ASSETS = [*github.ASSETS, quality.file_quality_model, *commits.ASSETS, *web.ASSETS]
_MODELS = {code_relevance.MODEL: web.code_relevance_model, quality_model.MODEL: quality.file_quality_model}
"""The asset of each model."""
_CORPORA = {HIGH_QUALITY.name: high_quality.high_quality, LONG_CONTEXT.name: long_context.long_context}
"""The asset of each corpus of the whole lake."""
_READ_TOGETHER = {FILES: REPOSITORIES, COMMITS: COMMIT_WALKS, web.PAGES: web.CRAWL_FILES}
"""Assets that one step makes two of: the one that is called as the step, and the other."""
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
    batches = [each for each in list_batches(lake.lake(), kind=None) if each.kind != REFERENCES]
    if not batches:
        raise UsageError("no batch has arrived yet: seed batch add repositories PATH_OR_URL …")
    wanted = _Wanted(_selected(select), find_batch(batches, batch) if batch is not None else None)
    chooses = select is None and batch is None
    if not any(_outstanding(lake, line, wanted) for line in LINES) and not (chooses and _outstanding_corpora(lake)):
        return Launched([])
    prepare_home(settings)
    computed: list[tuple[str, str]] = []
    with only_run(lake.lake().storage, "launch"), dg.DagsterInstance.get() as instance:
        put_in_order(instance, batches)
        for line in LINES:
            computed += _compute(lake, line, wanted, instance)
        # They are of all batches: part of them would be other corpora.
        if chooses:
            for corpus in _outstanding_corpora(lake):
                _run(lake, instance, [_CORPORA[corpus.table.name]])
                computed.append((WHOLE_LAKE, corpus.table.name))
    return Launched(computed)


def _outstanding_corpora(lake: LakeResource) -> list[Whole]:
    """The corpora of the whole lake that are to be chosen anew."""
    return [each for each in WHOLE_CORPORA if each.is_outstanding(lake.lake(), lake.curation_policy())]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which results are wanted: of these steps, and of all batches or of `last` and the earlier ones of its kind."""

    steps: Sequence[Step]
    last: Batch | None

    def __contains__(self, result: tuple[Batch, Step]) -> bool:
        batch, step = result
        asked = self.last is None or (batch.kind == self.last.kind and batch.arrival <= self.last.arrival)
        return asked and step in self.steps


def _outstanding(lake: LakeResource, line: Line, wanted: _Wanted) -> list[tuple[Batch, Step]]:
    flow = line.flow(lake.lake(), lake.curation_policy(), lake.settings())
    return [each for each in flow.outstanding(load_records(lake.lake())) if each in wanted]


def _compute(lake: LakeResource, line: Line, wanted: _Wanted, instance: dg.DagsterInstance) -> list[tuple[str, str]]:
    """Compute what is wanted and outstanding of one line of work."""
    todo = _outstanding(lake, line, wanted)
    if not todo:
        return []
    computed = _read_references(lake, line)
    judged_by_models = line.that_need_models()
    first = [each for each in todo if each[1] not in judged_by_models]
    _materialize(lake, instance, first)
    computed += [(batch.key, step.name) for batch, step in first]
    if len(first) < len(todo):
        # Only now is there anything to train them on, and only then is it known what is outstanding.
        _train_what_is_missing(lake, instance, line)
        rest = [each for each in _outstanding(lake, line, wanted) if each[1] in judged_by_models]
        _materialize(lake, instance, rest)
        computed += [(batch.key, step.name) for batch, step in rest]
    left = _outstanding(lake, line, wanted)
    if left:
        batch, step = left[0]
        raise WorkError(f"{len(left)} results were not computed, such as {step.name} of batch {batch.key}")
    return computed


def _read_references(lake: LakeResource, line: Line) -> list[tuple[str, str]]:
    settings, policy = lake.settings(), lake.curation_policy()
    context = Context(lake.lake(), EngineResource().engine(settings), settings, policy, uuid.uuid4().hex)
    return [
        (done.report.batch, done.report.step)
        for done in read_references(context, line.flow(lake.lake(), policy, settings))
    ]


def _train_what_is_missing(lake: LakeResource, instance: dg.DagsterInstance, line: Line) -> None:
    """Train the models of a line that there are none of yet, or for which there were too few documents."""
    known = models(lake.lake())
    for name in sorted({name for step in line.steps for name in step.models}):
        if name not in known or known[name].path is None:
            _run(lake, instance, [_MODELS[name]])


def follow_register(settings: Settings) -> None:
    """Make the partitions of the lake's Dagster instance those of its register."""
    prepare_home(settings)
    with dg.DagsterInstance.get() as instance:
        put_in_order(instance, list_batches(LakeResource(root=settings.lake).lake(), kind=None))


def _selected(select: str | None) -> list[Step]:
    steps = [step for line in LINES for step in line.steps]
    if select is None:
        return steps
    try:
        chosen = dg.AssetSelection.from_string(select).upstream().resolve(_ASSETS)
    except dg.DagsterError as error:
        raise UsageError(f"--select {select!r} is not an asset selection: {str(error).splitlines()[0]}") from error
    selected = [step for step in steps if key_of(step) in chosen]
    if not selected:
        known = ", ".join(key_of(step).to_user_string() for step in steps)
        raise UsageError(f"--select {select!r} selects nothing; there are: {known}")
    return selected


def _materialize(lake: LakeResource, instance: dg.DagsterInstance, todo: Sequence[tuple[Batch, Step]]) -> None:
    if not todo:
        return
    keys = {key_of(step) for _, step in todo}
    for read, beside in _READ_TOGETHER.items():
        if read in keys:
            keys.add(beside)
    arrivals = sorted((each for each, _ in todo), key=lambda each: each.arrival)
    # One run over the range: a run per batch costs about 2.3 s before any work. Batches inside the range that are up to
    # date are looked at and passed over.
    tags = {
        "dagster/asset_partition_range_start": arrivals[0].key,
        "dagster/asset_partition_range_end": arrivals[-1].key,
    }
    _run(lake, instance, _ASSETS, selection=dg.AssetSelection.assets(*keys), tags=tags)
    pictures = [report for corpus, report in reports.OF_CORPORA.items() if corpus in keys]
    if pictures:
        _run(lake, instance, pictures)


def _run(
    lake: LakeResource,
    instance: dg.DagsterInstance,
    assets: Sequence[dg.AssetsDefinition],
    *,
    selection: dg.AssetSelection | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    result = dg.materialize(
        assets,
        selection=selection,
        instance=instance,
        resources={"lake": lake, "engine": EngineResource(), "io_manager": RefusingIOManager()},
        tags=tags,
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
