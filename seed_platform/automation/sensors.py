"""Sensors discover; the graph's conditions ask for work."""

import dagster as dg

from seed_platform.assets.resources import LakeResource
from seed_platform.automation.partitions import PARTITIONS, missing_partitions
from seed_platform.batches import CRAWL, Batch, add_batch, list_batches
from seed_platform.crawl.arrivals import pin_crawl
from seed_platform.crawl.inbox import Segment, complete_segments
from seed_platform.errors import SeedError
from seed_platform.sources.base import display_text
from seed_platform.sources.locations import slug
from seed_platform.steps.read import limits_of

_PER_TICK = 200
"""Partitions added in one tick, so that a tick stays far below Dagster's 60 s (PostHog#46632)."""

_SEGMENTS_PER_TICK = 5


@dg.sensor(
    name="batch_arrivals",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a partition of every batch that was added to the lake. Launches nothing.",
)
def batch_arrivals(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Compare the lake's register with the partitions and add what is missing."""
    missing = missing_partitions(context.instance, list_batches(lake.lake(), kind=None))[:_PER_TICK]
    if not missing:
        return dg.SkipReason("no batch has arrived since")
    requests = [
        partitions.build_add_request([batch.key for batch in missing if batch.kind == kind])
        for kind, partitions in PARTITIONS.items()
        if any(batch.kind == kind for batch in missing)
    ]
    return dg.SensorResult(dynamic_partitions_requests=requests)


@dg.sensor(
    name="crawl_arrivals",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a batch of every complete segment in the inbox (setting crawl_inbox), once. Launches nothing.",
)
def crawl_arrivals(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult | dg.SkipReason:
    """Register the complete segments that have not become a batch yet, a few in a tick."""
    settings = lake.settings()
    if not settings.crawl_inbox:
        return dg.SkipReason("no inbox: set SEED_CRAWL_INBOX, or crawl_inbox in seed.toml, to a folder or s3:// prefix")
    batches = {batch.key: batch for batch in list_batches(lake.lake(), kind=None)}
    complete = complete_segments(settings.crawl_inbox)
    new = [each for each in complete if not _is_of(each, batches.get(slug(each.name)))]
    # From where the last tick ended, so that segments that fail again and again leave the others their turn.
    new.sort(key=lambda each: (each.name <= (context.cursor or ""), each.name))
    added: list[str] = []
    failed: list[str] = []
    for segment in new[:_SEGMENTS_PER_TICK]:
        context.update_cursor(segment.name)
        try:
            sources = pin_crawl([segment.location], limits_of(settings))
            added.append(add_batch(lake.lake(), sources, name=slug(segment.name), kind=CRAWL).batch.key)
        except SeedError as error:
            # One segment that cannot be had, or whose files arrived under another name, does not hold up the others.
            failed.append(f"{segment.name}: {error}")
            context.log.warning("%s", failed[-1])
    if not added:
        return dg.SkipReason("; ".join(failed) if failed else "no complete segment has arrived since")
    missing = [batch.key for batch in missing_partitions(context.instance, list_batches(lake.lake(), kind=CRAWL))]
    return dg.SensorResult(dynamic_partitions_requests=[PARTITIONS[CRAWL].build_add_request(missing)])


def _is_of(segment: Segment, batch: Batch | None) -> bool:
    """Whether `batch`, which has the segment's name, was made of it: another segment or a user may have taken it."""
    return batch is not None and any(
        source.pinned.spec.rstrip("/").rpartition("/")[2] == display_text(segment.name) for source in batch.sources
    )
