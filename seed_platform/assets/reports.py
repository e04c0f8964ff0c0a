"""Report assets: unpartitioned, because a picture on each partition would fill the event log (26 kB each, measured)."""

import base64
from collections.abc import Callable

import dagster as dg
import duckdb

from seed_platform.assets.commits import COMMITS_CORPUS as COMMITS
from seed_platform.assets.github import FILE_LEVEL
from seed_platform.assets.resources import LakeResource
from seed_platform.assets.web import WEB
from seed_platform.lake.query import open_views
from seed_platform.lineage.commits import commit_funnel
from seed_platform.lineage.funnel import Funnel, funnel
from seed_platform.lineage.pages import web_funnel
from seed_platform.lineage.plots import funnel_figure
from seed_platform.policy import Policy
from seed_platform.steps.page_flow import VERDICT_TABLES

Count = Callable[[duckdb.DuckDBPyConnection, Policy], Funnel]


def _funnel_asset(corpus: dg.AssetKey, count: Count, description: str) -> dg.AssetsDefinition:
    """A report that counts the funnel of a corpus over all batches, and draws it."""

    @dg.asset(
        key=dg.AssetKey(["reports", f"{corpus.path[-1]}_funnel"]),
        deps=[dg.AssetDep(corpus, partition_mapping=dg.AllPartitionMapping())],
        group_name="reports",
        kinds={"duckdb"},
        owners=["team:data"],
        automation_condition=dg.AutomationCondition.eager(),
        description=description,
    )
    def report(lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        settings = lake.settings()
        connection = open_views(
            lake.lake(), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=settings.workers
        )
        counted = count(connection, lake.curation_policy())
        connection.close()
        picture = base64.b64encode(funnel_figure(counted)).decode()
        return dg.MaterializeResult(
            metadata={
                "funnel": dg.MetadataValue.md(f"![funnel](data:image/png;base64,{picture})"),
                "dropped": dg.MetadataValue.md(_table(counted)),
                "seen": counted.documents.seen,
                "kept": counted.documents.kept,
                "outstanding": counted.documents.outstanding,
                "kept_bytes": counted.bytes.kept,
                "kept_tokens_estimated": counted.tokens(counted.bytes.kept),
            }
        )

    return report


def _table(counted: Funnel) -> str:
    rows = [
        f"| {name} | {reason} | {number:,} | {counted.bytes.dropped[name][reason] / 1e6:,.1f} |"
        for name, reasons in counted.documents.dropped.items()
        for reason, number in reasons.items()
    ]
    return "\n".join(["| filter | reason | documents | MB |", "| --- | --- | ---: | ---: |", *rows])


file_level_funnel = _funnel_asset(
    FILE_LEVEL,
    lambda connection, policy: funnel(connection, policy.file_level),
    "What was seen, what each filter dropped and why, what the file-level corpus keeps, over all batches.",
)
web_funnel_report = _funnel_asset(
    WEB,
    lambda connection, policy: web_funnel(connection, policy.web),
    "What was seen, what each filter dropped and why, what the web corpus keeps, over all batches.",
)

commits_funnel = _funnel_asset(
    COMMITS,
    lambda connection, policy: commit_funnel(connection, policy.commit_samples),
    "What was seen, what each filter dropped and why, what the commit corpus keeps, over all batches.",
)

OF_CORPORA: dict[dg.AssetKey, dg.AssetsDefinition] = {
    FILE_LEVEL: file_level_funnel,
    COMMITS: commits_funnel,
    WEB: web_funnel_report,
}
"""The report of each corpus that has one."""
