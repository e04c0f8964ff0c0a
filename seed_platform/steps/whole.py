"""Corpora that are chosen from all batches at once: whether one is up to date, and choosing it.

A corpus with shares, or one that is found by learning from all that is there, cannot be made batch by batch. Its result
is one table for the whole lake, up to date when it was made of the results that are there now. What belongs here: that
contract. What does not: any one choice (`long_context.py`, `high_quality.py`).
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from seed_platform.lake.lake import Lake
from seed_platform.lake.locks import only_run
from seed_platform.lake.schemas import MATERIALIZATIONS, Table
from seed_platform.policy import Policy
from seed_platform.steps.base import Context, Report
from seed_platform.steps.freshness import Record, load_records

WHOLE_LAKE = "_all"
"""What stands in the place of a batch where a result is of all batches; no batch can have this name."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A corpus of the whole lake.

    Attributes:
        table: what it publishes, unpartitioned.
        version: of the choice.
        made_of: tables of the steps whose results it is made of.
        sections: of the policy that it depends on.
        choose: makes and publishes it; its report's batch is `WHOLE_LAKE`.
    """

    table: Table
    version: str
    made_of: tuple[Table, ...]
    sections: tuple[str, ...]
    choose: Callable[[Context], Report]

    def fingerprint(self, policy: Policy, records: Mapping[tuple[str, str], Record]) -> str:
        """Hash of all that the result depends on, in hex."""
        names = {table.name for table in self.made_of}
        made = sorted((step, batch, record.fingerprint) for (step, batch), record in records.items() if step in names)
        told = [self.version, [getattr(policy, section).digest() for section in self.sections], made]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()

    def is_outstanding(self, lake: Lake, policy: Policy) -> bool:
        """Whether what it is made of has changed since it was made; not if there is nothing to make it of."""
        records = load_records(lake)
        known = records.get((self.table.name, WHOLE_LAKE))
        names = {table.name for table in self.made_of}
        if known is None and not any(step in names for step, _ in records):
            return False
        return known is None or known.fingerprint != self.fingerprint(policy, records)

    def withdraw(self, context: Context) -> None:
        """Forget the result: before it is replaced, or because a check of it failed."""
        context.lake.publish(MATERIALIZATIONS, [], context.commit, batch=WHOLE_LAKE, step=self.table.name)

    def without(self, context: Context, batch: str) -> None:
        """Take a batch that is removed out of the result, which is outstanding afterwards."""
        lake = context.lake
        if lake.open(self.table) is None:
            return
        self.withdraw(context)
        with lake.writer(self.table) as writer:
            for part in lake.parts(self.table):
                for rows in lake.read(self.table, part, self.table.columns.names):
                    writer.write(rows.filter(pl.col("batch") != batch))
        lake.publish(self.table, writer.parts, context.commit)

    def bring_up_to_date(self, context: Context) -> Report:
        """Choose from what is published, publish and record the result, unless it is up to date."""
        lake, policy = context.lake, context.policy
        with only_run(lake.storage, "work"):
            records = load_records(lake)
            wanted = self.fingerprint(policy, records)
            known = records.get((self.table.name, WHOLE_LAKE))
            if known is not None and known.fingerprint == wanted:
                return known.report
            if known is not None:
                # Else a run killed before it records would leave this result under the old fingerprint.
                self.withdraw(context)
            started = time.monotonic()
            report = self.choose(context)
            report.seconds = round(time.monotonic() - started, 3)
            row = {"fingerprint": wanted, "run_id": context.run_id, "finished_at": datetime.now(UTC)}
            with lake.writer(MATERIALIZATIONS, batch=WHOLE_LAKE, step=self.table.name) as writer:
                writer.write(pl.DataFrame([{**row, "report": report.to_json()}]))
            names = {"batch": WHOLE_LAKE, "step": self.table.name}
            lake.publish(MATERIALIZATIONS, writer.parts, context.commit, **names)
        return report
