"""Assets of the file-level flow: repositories and files as they arrived, verdicts on files, the file-level corpus.

Every asset body is a few lines: the work is in `steps/`. What belongs here: keys, groups, checks, descriptions.
"""

from collections.abc import Iterator

import dagster as dg

from seed_platform.assets.execution import Check, run_check, run_step
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.automation.conditions import when_outstanding
from seed_platform.automation.partitions import repository_batches
from seed_platform.lake.lake import Lake
from seed_platform.lineage import checks
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps import exact_duplicates, judge, near_duplicates
from seed_platform.steps.base import Step
from seed_platform.steps.flow import FILE_LEVEL_CORPUS, FILTERS, READ

FILES = dg.AssetKey(["github", "files"])
REPOSITORIES = dg.AssetKey(["github", "repositories"])
FILE_LEVEL = dg.AssetKey(["corpora", "file_level"])

REQUIRES = {
    "rules": judge.RULES.requires,
    "exact_duplicates": exact_duplicates.REQUIRES,
    "near_duplicates": near_duplicates.REQUIRES,
    "syntax": judge.SYNTAX.requires,
}
_KINDS = {"rules": "polars", "exact_duplicates": "duckdb", "near_duplicates": "numba", "syntax": "treesitter"}
_OWNERS = ["team:data"]


def key_of(step: Step) -> dg.AssetKey:
    """The asset of a step: as the table, except that files live under their source."""
    return FILES if step is READ else dg.AssetKey(step.name.split("/"))


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            key,
            group_name="github",
            kinds={"deltalake"},
            owners=_OWNERS,
            code_version=READ.version,
            description=description,
            partitions_def=repository_batches,
            automation_condition=when_outstanding(),
        )
        for key, description in (
            (REPOSITORIES, "One document per repository: origin, revision, licence files, stars and forks if known."),
            (FILES, "One document per file, with its text, as it arrived. " + READ.described),
        )
    ],
    check_specs=[dg.AssetCheckSpec("files_are_accounted_for", asset=FILES, blocking=True)],
    backfill_policy=dg.BackfillPolicy.single_run(),
    name="read_repositories",
)
def read_repositories(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Read the sources of each batch."""
    run_step(context, lake, engine, READ)
    outcome = run_check(context, lake, engine, READ, checks.files_are_accounted_for)
    yield dg.MaterializeResult(asset_key=REPOSITORIES)
    yield dg.MaterializeResult(asset_key=FILES, check_results=[_result("files_are_accounted_for", outcome)])


def _result(name: str, outcome: checks.Outcome) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=outcome.passed, check_name=name, metadata=dict(outcome.numbers))


def _step_asset(step: Step, *, group: str, kind: str, check_name: str, check: Check) -> dg.AssetsDefinition:
    """An asset that runs `step` and then asks `check` of what was published."""

    @dg.asset(
        key=key_of(step),
        deps=[FILES if name == READ.name else dg.AssetKey(name.split("/")) for name in step.inputs],
        partitions_def=repository_batches,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=when_outstanding(),
        check_specs=[dg.AssetCheckSpec(check_name, asset=key_of(step), blocking=True)],
        group_name=group,
        kinds={kind, "deltalake"},
        owners=_OWNERS,
        code_version=step.version,
        description=step.described,
    )
    def run(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        run_step(context, lake, engine, step)
        outcome = run_check(context, lake, engine, step, check)
        return dg.MaterializeResult(check_results=[_result(check_name, outcome)])

    return run


def _conserved(name: str) -> Check:
    return lambda lake, settings, batches: checks.conserved(lake, settings, name, REQUIRES[name], batches)


verdict_assets = [
    _step_asset(step, group="verdicts", kind=_KINDS[name], check_name="verdicts_are_conserved", check=_conserved(name))
    for name, step in FILTERS.items()
]


def _unique_where_asked(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    """A policy that leaves out exact duplicates may keep the same content twice."""
    if "exact_duplicates" not in load_policy(settings.policy).file_level.filters:
        return checks.Outcome(passed=True, numbers={})
    return checks.content_is_unique(lake, settings, batches)


file_level = _step_asset(
    FILE_LEVEL_CORPUS,
    group="corpora",
    kind="polars",
    check_name="no_two_documents_share_content",
    check=_unique_where_asked,
)
