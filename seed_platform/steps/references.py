"""Reference sets: read when they are added, and again whenever how sources are read has changed.

What belongs here: bringing them up to date. What does not: comparing with them (`near_duplicates.py`).
"""

from __future__ import annotations

from seed_platform.steps.base import Context
from seed_platform.steps.freshness import Done, Flow, bring_up_to_date, load_records


def read_references(context: Context, flow: Flow) -> list[Done]:
    """Read the reference sets of `flow` that are not read, or not as they would be now."""
    outstanding = flow.unread(load_records(context.lake))
    return [bring_up_to_date(context, flow, step, batch) for batch, step in outstanding]
