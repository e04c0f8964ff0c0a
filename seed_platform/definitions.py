"""All that Dagster loads, on one page: assets with their checks, sensors, resources.

A builder with overrides, so that tests and the command line build variants. It does no I/O: the lake is opened when an
asset runs. What belongs here: assembly. What does not: the implementation of anything assembled.
"""

from __future__ import annotations

import dagster as dg

from seed_platform.assets import commits, github, high_quality, long_context, quality, reports, web
from seed_platform.assets.resources import EngineResource, LakeResource, RefusingIOManager
from seed_platform.automation.schedules import crawl_refresh, crawl_refresh_job
from seed_platform.automation.sensors import batch_arrivals, crawl_arrivals


def build_definitions(*, lake: LakeResource | None = None, engine: EngineResource | None = None) -> dg.Definitions:
    """The definitions, with the lake and the engine of the settings unless others are given."""
    return dg.Definitions(
        assets=[
            *github.ASSETS,
            quality.file_quality_model,
            *commits.ASSETS,
            *web.ASSETS,
            high_quality.high_quality,
            long_context.long_context,
            *reports.OF_CORPORA.values(),
        ],
        jobs=[crawl_refresh_job],
        schedules=[crawl_refresh],
        sensors=[
            batch_arrivals,
            crawl_arrivals,
            dg.AutomationConditionSensorDefinition(
                "outstanding_work",
                target=dg.AssetSelection.all(),
                default_status=dg.DefaultSensorStatus.STOPPED,
                description="Turn on to have every new batch computed as it arrives.",
            ),
        ],
        resources={
            "lake": lake or LakeResource(),
            "engine": engine or EngineResource(),
            "io_manager": RefusingIOManager(),
        },
        # One process per run: steps bring their own worker processes.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
