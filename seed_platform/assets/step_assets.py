"""An asset for a step: the same few lines for each, with the checks that are asked of what it published.

What belongs here: making assets, and their keys. What does not: which there are (`github.py`, `web.py`).
"""

from collections.abc import Iterator

import dagster as dg

from seed_platform.assets.execution import Check, run_check, run_step
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.automation.conditions import when_outstanding
from seed_platform.automation.partitions import PARTITIONS
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import DEPENDENCIES
from seed_platform.lineage import checks
from seed_platform.lineage.checks import Outcome
from seed_platform.settings import Settings
from seed_platform.steps.base import Step
from seed_platform.steps.commit_flow import READ_COMMITS
from seed_platform.steps.flow import READ
from seed_platform.steps.lines import line_with

OWNERS = ["team:data"]
FILES = dg.AssetKey(["github", "files"])
REPOSITORIES = dg.AssetKey(["github", "repositories"])
COMMITS = dg.AssetKey(["github", "commits"])
COMMIT_WALKS = dg.AssetKey(["github", "commit_walks"])
_DEPENDENCIES = dg.AssetKey(["github", "dependencies"])
_UNDER_SOURCE = {READ.name: FILES, READ_COMMITS.name: COMMITS, DEPENDENCIES.name: _DEPENDENCIES}


def key_of(step: Step) -> dg.AssetKey:
    """The asset of a step: as the table, except that what is read of repositories lives under its source."""
    return _key(step.name)


def _key(name: str) -> dg.AssetKey:
    """The asset of the table `name`."""
    return _UNDER_SOURCE.get(name, dg.AssetKey(name.split("/")))


def check_result(name: str, outcome: Outcome) -> dg.AssetCheckResult:
    """The outcome of a check, for Dagster."""
    return dg.AssetCheckResult(passed=outcome.passed, check_name=name, metadata=dict(outcome.numbers))


def _inputs(step: Step) -> list[dg.AssetDep]:
    """What a step reads, as assets: reading makes two, and only what is about repositories looks at the first."""
    about_repositories = "repositor" in step.name or step.name == DEPENDENCIES.name
    read = [FILES, REPOSITORIES] if about_repositories else [FILES]
    others = [_key(name) for name in step.inputs if name != READ.name]
    models = [dg.AssetKey(["models", name]) for name in step.models]
    return [dg.AssetDep(key) for key in (*(read if READ.name in step.inputs else []), *others, *models)]


def step_asset(step: Step, *, group: str, kind: str, asked: dict[str, Check]) -> dg.AssetsDefinition:
    """An asset that runs `step` and then asks the checks `asked`, by name, of what was published."""

    @dg.asset(
        key=key_of(step),
        deps=_inputs(step),
        partitions_def=PARTITIONS[line_with(step).kind],
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=when_outstanding(),
        check_specs=[dg.AssetCheckSpec(name, asset=key_of(step), blocking=True) for name in asked],
        group_name=group,
        kinds={kind, "deltalake"},
        owners=OWNERS,
        code_version=step.version,
        description=step.described,
    )
    def run(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        run_step(context, lake, engine, step)
        outcomes = {name: run_check(context, lake, engine, step, check) for name, check in asked.items()}
        return dg.MaterializeResult(check_results=[check_result(name, outcome) for name, outcome in outcomes.items()])

    return run


def read_asset(
    step: Step, *, group: str, name: str, described: dict[dg.AssetKey, str], check_name: str, check: Check
) -> dg.AssetsDefinition:
    """An asset that reads what arrived: several tables by one step, of which the last is checked.

    `described` has the description of each table's asset.
    """
    checked = list(described)[-1]

    @dg.multi_asset(
        specs=[
            dg.AssetSpec(
                key,
                group_name=group,
                kinds={"deltalake"},
                owners=OWNERS,
                code_version=step.version,
                description=description,
                deps=_inputs(step),
                partitions_def=PARTITIONS[line_with(step).kind],
                automation_condition=when_outstanding(),
            )
            for key, description in described.items()
        ],
        check_specs=[dg.AssetCheckSpec(check_name, asset=checked, blocking=True)],
        backfill_policy=dg.BackfillPolicy.single_run(),
        name=name,
    )
    def read(
        context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        run_step(context, lake, engine, step)
        result = check_result(check_name, run_check(context, lake, engine, step, check))
        for key in described:
            yield dg.MaterializeResult(asset_key=key, check_results=[result] if key == checked else [])

    return read


def conserved(name: str, requires: tuple[str, ...], kind: str = "files") -> dict[str, Check]:
    """The check that a filter over documents of `kind` has one verdict for each of those that `requires` keep."""

    def ask(lake: Lake, settings: Settings, batches: list[str]) -> Outcome:
        return checks.conserved(lake, settings, name, requires, batches, kind)

    return {"verdicts_are_conserved": ask}
