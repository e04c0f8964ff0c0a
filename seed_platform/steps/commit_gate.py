"""Judge which repositories' histories are worth reading: the gate of PAPER §3, as a step runs it.

What belongs here: moving data. What does not: the decision (`filters/commit_gate.py`).
"""

from __future__ import annotations

from seed_platform.batches import Batch
from seed_platform.filters import commit_gate
from seed_platform.lake.schemas import REPOSITORIES, verdicts
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp

NAME = "commit_gate"
TABLE = verdicts("repositories", NAME)
_COLUMNS = [*commit_gate.COLUMNS, "bytes"]


def judge_gate(context: Context, batch: Batch) -> Report:
    """Judge the repositories of one batch and publish the verdicts.

    Raises:
        WorkError: not every repository got a verdict; nothing is published.
    """
    report = Report(step=TABLE.name, batch=batch.key)
    found = context.lake.column(REPOSITORIES, _COLUMNS, batch=batch.key)
    judged = commit_gate.judge(found, context.policy.commit_gate)
    check_conservation(NAME, found["ordinal"], judged)
    count(report, judged, found["bytes"])
    with context.lake.writer(TABLE, batch=batch.key) as writer:
        writer.write(stamp(judged, commit_gate.VERSION, context.run_id))
    context.lake.publish(TABLE, writer.parts, context.commit, batch=batch.key)
    return report
