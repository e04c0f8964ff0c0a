"""The contract of a step and the report it leaves behind.

What belongs here: types that all steps share. What does not: any one step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from seed_platform import __version__
from seed_platform.batches import Batch
from seed_platform.engine.base import Engine
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import Table
from seed_platform.policy import Policy
from seed_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """What a step runs with."""

    lake: Lake
    engine: Engine
    settings: Settings
    policy: Policy
    run_id: str

    @property
    def commit(self) -> Commit:
        """What the step's commits record."""
        return Commit(self.run_id, __version__, self.policy.digest())


@dataclass(slots=True)
class Tally:
    """Documents and bytes."""

    documents: int = 0
    bytes: int = 0

    def add(self, documents: int, size: int) -> None:
        """Count some more."""
        self.documents += documents
        self.bytes += size


@dataclass(slots=True)
class Report:
    """What a step did to one batch. `seen` = `kept` + all of `dropped`; `noted` counts kept documents with a reason.

    `failures` are entries that never became documents, by reason; `figures` are counts of a step's own. Bytes are sizes
    as arrived; seconds are wall clock.
    """

    step: str
    batch: str
    seen: Tally = field(default_factory=Tally)
    kept: Tally = field(default_factory=Tally)
    dropped: dict[str, Tally] = field(default_factory=dict)
    noted: dict[str, Tally] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    figures: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def count(self, rows: Iterable[Mapping[str, object]]) -> None:
        """Add rows with `keep`, `reason`, `documents` and `bytes`."""
        for row in rows:
            documents, size = int(str(row["documents"])), int(str(row["bytes"]))
            self.seen.add(documents, size)
            reason = row["reason"]
            if row["keep"]:
                self.kept.add(documents, size)
                if reason is not None:
                    self.noted.setdefault(str(reason), Tally()).add(documents, size)
            else:
                self.dropped.setdefault(str(reason), Tally()).add(documents, size)

    def merge(self, other: Report) -> None:
        """Add what another part of the same step counted."""
        for mine, theirs in ((self.seen, other.seen), (self.kept, other.kept)):
            mine.add(theirs.documents, theirs.bytes)
        for ours, others in ((self.dropped, other.dropped), (self.noted, other.noted)):
            for reason, tally in others.items():
                ours.setdefault(reason, Tally()).add(tally.documents, tally.bytes)
        for mine_, theirs_ in ((self.failures, other.failures), (self.figures, other.figures)):
            for name, number in theirs_.items():
                mine_[name] = mine_.get(name, 0) + number

    def to_json(self) -> str:
        """As stored in the table `materializations`."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report that `to_json` wrote."""
        value = json.loads(text)
        for name in ("seen", "kept"):
            value[name] = Tally(**value[name])
        for name in ("dropped", "noted"):
            value[name] = {reason: Tally(**tally) for reason, tally in value[name].items()}
        return cls(**value)


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the flow.

    Attributes:
        name: of the table it publishes, e.g. "verdicts/files/syntax".
        version: of what it computes; a new version makes every batch outstanding.
        inputs: names of the steps whose results of the same batch it reads.
        compares: True if the result also depends on this step's results for earlier batches.
        sections: names of the policy sections it depends on.
        run: computes one batch, given those that arrived before it, and publishes it; returns its report.
        tables: what it publishes, the table called `name` first.
        described: one sentence for the UI.
        references: True if the result also depends on the reference sets.
        models: names of the trained models that it depends on.
        limits: names of the settings that decide what it can read, and so which documents there are.
    """

    name: str
    version: str
    inputs: tuple[str, ...]
    compares: bool
    sections: tuple[str, ...]
    run: Callable[[Context, Batch, Sequence[Batch]], Report]
    tables: tuple[Table, ...]
    described: str
    references: bool = False
    models: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
