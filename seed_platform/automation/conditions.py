"""The one condition under which the graph asks for work by itself."""

from __future__ import annotations

import dagster as dg


def when_never_made() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """For what is made by itself once only, when all that it is made of is there: a first model.

    One that failed is not tried again until somebody does.
    """
    is_due = dg.AutomationCondition.missing() & ~dg.AutomationCondition.any_deps_missing()
    is_idle = ~dg.AutomationCondition.in_progress() & ~dg.AutomationCondition.execution_failed()
    return (is_due & is_idle).with_label("when_never_made")


def when_outstanding() -> dg.AutomationCondition:  # type: ignore[type-arg]
    """A batch is asked for when it is missing or an input of it was updated, once its inputs are there.

    The asset itself decides whether anything changed (`steps.freshness`), so an update that changes nothing costs one
    look at the register. The sensor that evaluates this is off until somebody turns it on.
    """
    return dg.AutomationCondition.eager().with_label("when_outstanding")
