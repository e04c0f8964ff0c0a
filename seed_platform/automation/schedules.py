"""Schedules: work at a time of day, for those who do not want it at the moment of arrival. All are off until turned on.

What belongs here: when. What does not: what is outstanding (`steps.freshness`).
"""

from __future__ import annotations

import dagster as dg

from seed_platform.assets import web
from seed_platform.assets.resources import LakeResource
from seed_platform.automation.partitions import crawl_batches
from seed_platform.steps.code_relevance import MODEL
from seed_platform.steps.freshness import load_records
from seed_platform.steps.lines import CRAWL_LINE
from seed_platform.steps.models import models

crawl_refresh_job = dg.define_asset_job(
    "crawl_refresh_job",
    selection=dg.AssetSelection.assets(*web.ASSETS),
    partitions_def=crawl_batches,
    description="Brings crawl batches up to date, from reading to the web corpus, and trains the model of relevance.",
)


@dg.schedule(
    name="crawl_refresh",
    job=crawl_refresh_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Turn on to have every crawl batch that is outstanding computed at night.",
)
def crawl_refresh(context: dg.ScheduleEvaluationContext, lake: LakeResource) -> dg.RunRequest | dg.SkipReason:
    """One run over the range of outstanding batches, in order of arrival, since later are compared with earlier.

    It trains the models that there are none of; to train others anew would make everything outstanding every night.
    """
    known = set(context.instance.get_dynamic_partitions(crawl_batches.name or ""))
    flow = CRAWL_LINE.flow(lake.lake(), lake.curation_policy(), lake.settings())
    outstanding = dict.fromkeys(batch.key for batch, _ in flow.outstanding(load_records(lake.lake())))
    wanted = [key for key in outstanding if key in known]
    if not wanted:
        return dg.SkipReason("everything is up to date")
    known_model = models(lake.lake()).get(MODEL)
    trains = known_model is None or known_model.path is None
    keys = [key for each in web.ASSETS if trains or each is not web.code_relevance_model for key in each.keys]
    return dg.RunRequest(
        run_key=f"{context.scheduled_execution_time:%Y-%m-%d}",
        asset_selection=keys,
        tags={
            "dagster/asset_partition_range_start": wanted[0],
            "dagster/asset_partition_range_end": wanted[-1],
        },
    )
