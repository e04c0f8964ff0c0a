"""Report assets: unpartitioned, because a picture on each partition would fill the event log (26 kB each, measured)."""

import base64

import dagster as dg

from seed_platform.assets.github import FILE_LEVEL
from seed_platform.assets.resources import LakeResource
from seed_platform.lake.query import open_views
from seed_platform.lineage.funnel import Funnel, funnel
from seed_platform.lineage.plots import funnel_figure
from seed_platform.steps.flow import VERDICT_TABLES

FUNNEL = dg.AssetKey(["reports", "file_level_funnel"])


@dg.asset(
    key=FUNNEL,
    deps=[dg.AssetDep(FILE_LEVEL, partition_mapping=dg.AllPartitionMapping())],
    group_name="reports",
    kinds={"duckdb"},
    owners=["team:data"],
    automation_condition=dg.AutomationCondition.eager(),
    description="What was seen, what each filter dropped and why, what the file-level corpus keeps, over all batches.",
)
def file_level_funnel(lake: LakeResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Count the funnel and draw it."""
    settings = lake.settings()
    connection = open_views(
        lake.lake(), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=settings.workers
    )
    counted = funnel(connection, lake.curation_policy().file_level)
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


def _table(counted: Funnel) -> str:
    rows = [
        f"| {name} | {reason} | {number:,} | {counted.bytes.dropped[name][reason] / 1e6:,.1f} |"
        for name, reasons in counted.documents.dropped.items()
        for reason, number in reasons.items()
    ]
    return "\n".join(["| filter | reason | documents | MB |", "| --- | --- | ---: | ---: |", *rows])
