"""Sensors discover; the graph's conditions ask for work."""

import dagster as dg

from seed_platform.assets.resources import LakeResource
from seed_platform.automation.partitions import missing_partitions, repository_batches
from seed_platform.batches import list_batches

_PER_TICK = 200
"""Partitions added in one tick, so that a tick stays far below Dagster's 60 s (PostHog#46632)."""


@dg.sensor(
    name="batch_arrivals",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a partition of every batch that was added to the lake. Launches nothing.",
)
def batch_arrivals(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Compare the lake's register with the partitions and add what is missing."""
    missing = missing_partitions(context.instance, list_batches(lake.lake()))[:_PER_TICK]
    if not missing:
        return dg.SkipReason("no batch has arrived since")
    return dg.SensorResult(dynamic_partitions_requests=[repository_batches.build_add_request(missing)])
