"""The one condition under which the graph asks for work by itself."""

from __future__ import annotations

import dagster as dg


def when_outstanding() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """A batch is asked for when it is missing or an input of it was updated, once its inputs are there.

    The asset itself decides whether anything changed (`steps.freshness`), so an update that changes nothing costs one
    look at the register. The sensor that evaluates this is off until somebody turns it on.
    """
    return dg.AutomationCondition.eager().with_label("when_outstanding")
