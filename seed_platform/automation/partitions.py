"""The partition sets. A partition is a batch: minutes of work, never a shard of one."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from seed_platform.batches import Batch

repository_batches = dg.DynamicPartitionsDefinition(name="repository_batches")
"""Batches of repositories, in order of arrival; the lake's table `batches` is what they are taken from."""


def put_in_order(instance: dg.DagsterInstance, batches: Sequence[Batch]) -> None:
    """Make the instance's partitions the lake's batches in order of arrival, whatever a person did to them in the UI.

    A range of partitions goes by the order in which they were added, so one that was added again would stand last.
    Materializations belong to keys and are not lost.
    """
    name = repository_batches.name or ""
    wanted = [batch.key for batch in batches]
    known = list(instance.get_dynamic_partitions(name))
    if known != wanted[: len(known)]:
        for key in known:
            instance.delete_dynamic_partition(name, key)
        known = []
    if wanted[len(known) :]:
        instance.add_dynamic_partitions(name, wanted[len(known) :])


def missing_partitions(instance: dg.DagsterInstance, batches: Sequence[Batch]) -> list[str]:
    """Keys of batches that the instance does not know yet, in order of arrival."""
    known = set(instance.get_dynamic_partitions(repository_batches.name or ""))
    return [batch.key for batch in batches if batch.key not in known]
