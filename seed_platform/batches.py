"""Batches: the unit of arrival. Adding one pins its sources and gives it the next arrival number, in one commit.

What belongs here: the register of what has arrived. What does not: reading it (`steps/read.py`). The arrival number
decides which of two duplicates is kept, so two processes that add batches at once must never get the same one: the
number is a Delta application transaction, and whoever commits it second starts over.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import BATCHES
from seed_platform.progress import track
from seed_platform.sources.base import Limits, PinnedSource, SourceError, display_path
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.sources.locations import without_credentials

KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
"""What a batch may be called: Dagster's UI and selection syntax break on other characters (dagster#15105, #32183)."""

_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class BatchSource:
    """One source of a batch. `rejected` is (reason, detail) if it could not be pinned or arrived before."""

    pinned: PinnedSource
    metadata: dict[str, Any] = field(default_factory=dict)
    rejected: tuple[str, str] | None = None

    def identity(self) -> str:
        """What makes two sources the same: the pinned repository, or the failure."""
        return self.pinned.doc_id if self.rejected is None else f"{self.pinned.spec}\0{self.rejected[0]}"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that has arrived."""

    key: str
    arrival: int
    kind: str
    fingerprint: str
    sources: tuple[BatchSource, ...]
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did: the batch that holds the sources, and whether it is new."""

    batch: Batch
    new: bool


def list_batches(lake: Lake) -> list[Batch]:
    """All batches in order of arrival."""
    delta = lake.open(BATCHES)
    return [] if delta is None else _batches_in(delta)


def _batches_in(delta: DeltaTable) -> list[Batch]:
    rows = pl.DataFrame(delta.to_pyarrow_table()).sort("arrival")
    return [
        Batch(
            key=row["batch"],
            arrival=row["arrival"],
            kind=row["kind"],
            fingerprint=row["fingerprint"],
            sources=tuple(_source_from_json(source) for source in json.loads(row["sources"])),
            created_at=row["created_at"],
        )
        for row in rows.iter_rows(named=True)
    ]


def find_batch(batches: Sequence[Batch], name: str) -> Batch:
    """The batch called `name`. Raises `UsageError` that lists what there is."""
    for batch in batches:
        if batch.key == name:
            return batch
    known = ", ".join(batch.key for batch in batches[-10:]) or "none yet"
    raise UsageError(f"no batch is called {name!r} (there are: {known}); see `seed batch list`")


def pin_sources(specs: Sequence[str], limits: Limits, metadata: Mapping[str, Mapping[str, Any]]) -> list[BatchSource]:
    """Look up the revision of every spec, in order; what cannot be found is kept as a rejection.

    A source given twice counts once. `metadata` maps repository names, origins or specs to facts about them.
    """
    sources: dict[str, BatchSource] = {}
    with track("looking up revisions", len(specs)) as progress:
        for spec in specs:
            source = _pin(spec, limits, metadata)
            sources.setdefault(source.identity(), source)
            progress.advance()
    return list(sources.values())


def _pin(spec: str, limits: Limits, metadata: Mapping[str, Mapping[str, Any]]) -> BatchSource:
    try:
        pinned = source_of(kind_of(spec)).pin(spec, limits)
    except SourceError as error:
        shown = display_path(os.fsencode(without_credentials(spec)))
        unread = PinnedSource(spec=shown, kind="", locator=shown, repository=shown, origin="", revision="")
        return BatchSource(unread, rejected=(error.reason, error.detail))
    facts = (metadata.get(name) for name in (pinned.repository, pinned.origin, pinned.spec, spec))
    return BatchSource(pinned, metadata=dict(next((found for found in facts if found), {})))


def add_batch(
    lake: Lake, sources: Sequence[BatchSource], *, name: str | None = None, kind: str = "repositories"
) -> Added:
    """Register a batch of pinned sources; adding the same ones again changes nothing.

    A repository revision that an earlier batch holds is recorded as rejected ("already_arrived") and not read again.

    Raises:
        UsageError: the name is malformed or taken, no source can be read, or all arrived before under another name.
    """
    if name is not None and not KEY_PATTERN.fullmatch(name):
        raise UsageError(f"a batch name is lower-case letters, digits, '_', '.', '-' (up to 100), not {name!r}")
    failed = [source for source in sources if source.rejected is not None]
    if len(failed) == len(sources):
        reasons = "; ".join(f"{source.pinned.spec}: {source.rejected[1]}" for source in failed if source.rejected)
        raise UsageError(f"none of the sources can be read: {reasons}"[:600])
    fingerprint = hashlib.sha256("\n".join(sorted(source.identity() for source in sources)).encode()).hexdigest()
    for _ in range(_ATTEMPTS):
        delta = lake.open(BATCHES, create=True)
        assert delta is not None  # noqa: S101 - create=True
        known = _batches_in(delta)
        same = next((batch for batch in known if batch.fingerprint == fingerprint), None)
        if same is not None:
            return Added(same, new=False)
        batch = _next_batch(known, sources, fingerprint, name, kind)
        if _commit(delta, batch):
            return Added(batch, new=True)
    raise WorkError("could not register the batch: others kept arriving first; run it again")


def _next_batch(
    known: Sequence[Batch], sources: Sequence[BatchSource], fingerprint: str, name: str | None, kind: str
) -> Batch:
    holder = {source.pinned.doc_id: batch.key for batch in known for source in batch.sources if source.rejected is None}
    marked = tuple(
        BatchSource(source.pinned, source.metadata, ("already_arrived", f"in batch {holder[source.pinned.doc_id]}"))
        if source.rejected is None and source.pinned.doc_id in holder
        else source
        for source in sources
    )
    if all(source.rejected is not None for source in marked):
        places = sorted({holder[source.pinned.doc_id] for source in sources if source.pinned.doc_id in holder})
        raise UsageError(f"nothing new: these repositories arrived before, in batch {', '.join(places)}")
    arrival = known[-1].arrival + 1 if known else 1
    if name is not None and any(batch.key == name for batch in known):
        raise UsageError(f"a batch with other sources is called {name!r} already; give another --name")
    first = next(source for source in marked if source.rejected is None)
    return Batch(
        key=name or f"{arrival:05d}-{_slug(first.pinned.repository)}",
        arrival=arrival,
        kind=kind,
        fingerprint=fingerprint,
        sources=marked,
        created_at=datetime.now(UTC),
    )


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-.")[:60] or "batch"


def _commit(delta: DeltaTable, batch: Batch) -> bool:
    """Append the batch; False if another process took its arrival number.

    `delta` must be as it was when the number was chosen: Delta reports a conflict with later commits only.
    """
    row = pl.DataFrame(
        {
            "batch": [batch.key],
            "arrival": [batch.arrival],
            "kind": [batch.kind],
            "fingerprint": [batch.fingerprint],
            "sources": [json.dumps([_source_to_json(source) for source in batch.sources])],
            "created_at": [batch.created_at],
        }
    )
    try:
        write_deltalake(
            delta,
            row.to_arrow().cast(BATCHES.full_schema),
            mode="append",
            commit_properties=CommitProperties(
                custom_metadata={"batch": batch.key}, app_transactions=[Transaction("arrival", batch.arrival)]
            ),
        )
    except CommitFailedError:
        return False
    return True


def _source_to_json(source: BatchSource) -> dict[str, Any]:
    return {"pinned": asdict(source.pinned), "metadata": source.metadata, "rejected": source.rejected}


def _source_from_json(value: dict[str, Any]) -> BatchSource:
    rejected = value["rejected"]
    return BatchSource(PinnedSource(**value["pinned"]), value["metadata"], tuple(rejected) if rejected else None)


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Facts about repositories from a JSON Lines file: one object a line, with "repository" and e.g. "stars", "forks".

    Raises:
        UsageError: names the line that is not such an object.
    """
    found: dict[str, dict[str, Any]] = {}
    try:
        # Not splitlines(): JSON strings may hold the other line separators of Unicode as they are.
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the metadata {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise UsageError(f"{path}: line {number}: not JSON: {error.msg}") from error
        if not isinstance(value, dict) or not isinstance(value.get("repository"), str):
            raise UsageError(f'{path}: line {number}: needs an object with "repository", a name')
        for count in ("stars", "forks"):
            number_given = value.get(count, 0)
            if type(number_given) is not int or not 0 <= number_given < 1 << 63:
                raise UsageError(f"{path}: line {number}: {count} is not a whole number")
        found[value.pop("repository")] = value
    return found
