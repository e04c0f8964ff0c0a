"""The partition sets. A partition is a batch: minutes of work, never a shard of one."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg

from seed_platform.batches import Batch

repository_batches = dg.DynamicPartitionsDefinition(name="repository_batches")
"""Batches of repositories, in order of arrival; the lake's table `batches` is what they are taken from."""


def missing_partitions(instance: dg.DagsterInstance, batches: Sequence[Batch]) -> list[str]:
    """Keys of batches that the instance does not know yet, in order of arrival."""
    known = set(instance.get_dynamic_partitions(repository_batches.name or ""))
    return [batch.key for batch in batches if batch.key not in known]
