"""The long-context corpus: one asset for the whole lake, since its shares are of all batches."""

import base64

import dagster as dg

from seed_platform.assets.execution import work_of
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.assets.step_assets import OWNERS, check_result, key_of
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import LONG_CONTEXT as TABLE
from seed_platform.lineage.checks import Outcome
from seed_platform.lineage.plots import length_figure
from seed_platform.steps.commit_flow import COMMIT_CORPUS
from seed_platform.steps.flow import FILE_LEVEL_CORPUS, SEQUENCES
from seed_platform.steps.long_context import LONG_CONTEXT_CORPUS
from seed_platform.steps.page_flow import WEB_CORPUS

LONG_CONTEXT = dg.AssetKey(TABLE.name.split("/"))
_SOURCES = [key_of(step) for step in (FILE_LEVEL_CORPUS, WEB_CORPUS, SEQUENCES, COMMIT_CORPUS)]


@dg.asset(
    key=LONG_CONTEXT,
    deps=[dg.AssetDep(key, partition_mapping=dg.AllPartitionMapping()) for key in _SOURCES],
    group_name="corpora",
    kinds={"duckdb", "deltalake"},
    owners=OWNERS,
    code_version=LONG_CONTEXT_CORPUS.version,
    automation_condition=dg.AutomationCondition.eager(),
    check_specs=[dg.AssetCheckSpec("shares_are_kept", asset=LONG_CONTEXT, blocking=True)],
    description="Long files and pages, packed repositories and commit samples, in the shares of the policy.",
)
def long_context(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Choose the corpus and draw how long its documents are."""
    work = work_of(context, lake, engine)
    report = LONG_CONTEXT_CORPUS.bring_up_to_date(work)
    connection = connect(work.lake, memory_bytes=work.settings.query_memory_bytes, threads=work.settings.workers)
    connection.register("long_context", scan(work.lake, TABLE))
    rows = connection.execute(
        "SELECT source, floor(log2(tokens) * 2)::BIGINT AS half_power, count(*), sum(tokens)::BIGINT FROM long_context "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    connection.close()
    picture = base64.b64encode(length_figure(rows)).decode()
    figures = report.figures
    taken = {name.removeprefix("tokens_of_"): each for name, each in figures.items() if name.startswith("tokens_of_")}
    outcome = Outcome(all(each <= figures[f"quota_of_{source}"] for source, each in taken.items()), taken)
    if not outcome.passed:
        LONG_CONTEXT_CORPUS.withdraw(work)
    return dg.MaterializeResult(
        metadata={
            "lengths": dg.MetadataValue.md(f"![lengths](data:image/png;base64,{picture})"),
            "seen": report.seen.documents,
            "kept": report.kept.documents,
            **report.figures,
        },
        check_results=[check_result("shares_are_kept", outcome)],
    )
