"""The partition sets. A partition is a batch: minutes of work, never a shard of one."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from seed_platform.batches import CRAWL, REPOSITORIES, Batch

repository_batches = dg.DynamicPartitionsDefinition(name="repository_batches")
"""Batches of repositories, in order of arrival; the lake's table `batches` is what they are taken from."""

crawl_batches = dg.DynamicPartitionsDefinition(name="crawl_batches")
"""Batches of crawled pages, in order of arrival."""

PARTITIONS = {REPOSITORIES: repository_batches, CRAWL: crawl_batches}
"""The partition set of each kind of batch."""


def put_in_order(instance: dg.DagsterInstance, batches: Sequence[Batch]) -> None:
    """Make the instance's partitions the lake's batches in order of arrival, whatever a person did to them in the UI.

    `batches` are all of the lake's; each kind has a set of its own.

    A range of partitions goes by the order in which they were added, so one that was added again would stand last.
    Materializations belong to keys and are not lost.
    """
    for kind, partitions in PARTITIONS.items():
        name = partitions.name or ""
        wanted = [batch.key for batch in batches if batch.kind == kind]
        known = list(instance.get_dynamic_partitions(name))
        if known != wanted[: len(known)]:
            for key in known:
                instance.delete_dynamic_partition(name, key)
            known = []
        if wanted[len(known) :]:
            instance.add_dynamic_partitions(name, wanted[len(known) :])


def missing_partitions(instance: dg.DagsterInstance, batches: Sequence[Batch]) -> list[Batch]:
    """Batches that the instance has no partition of yet, in order of arrival."""
    known = {kind: set(instance.get_dynamic_partitions(each.name or "")) for kind, each in PARTITIONS.items()}
    return [batch for batch in batches if batch.kind in known and batch.key not in known[batch.kind]]
