"""Batches: the unit of arrival. Adding one pins its sources and gives it the next arrival number, in one commit.

What belongs here: the register of what has arrived. What does not: reading it (`steps/read.py`). The arrival number
decides which of two duplicates is kept, so two processes that add batches at once must never get the same one: the
number is a Delta application transaction, and whoever commits it second starts over.

A batch is of repositories, of a crawl, or a reference set: what others are compared with and what is in no corpus
itself. All are numbered and named in one register; what has arrived as the one has not arrived as the other.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError

from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import BATCHES, REJECTIONS
from seed_platform.progress import track
from seed_platform.sources.base import Limits, PinnedSource, SourceError, display_path
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.sources.locations import slug, without_credentials

REPOSITORIES, CRAWL, REFERENCES = "repositories", "crawl", "references"
"""The kinds of batches."""

KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
"""What a batch may be called: Dagster's UI and selection syntax break on other characters (dagster#15105, #32183)."""

PASSING_REASONS = frozenset({"unreachable", "pip_failed", "authentication_required", "reader_crash"})
"""Why a source could not be read that may be over the next time; any other reason lies in the pinned source itself."""

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

    def arrangement(self) -> str:
        """Hash of what documents get from the batch beside its sources: their places, and what is said of them.

        The fingerprint leaves that out, so that the same sources in another order are the same batch.
        """
        told = [[source.identity(), source.metadata, source.rejected] for source in self.sources]
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Unread:
    """A source that was pinned and then could not be read. `place` is its place among the batch's sources."""

    batch: str
    place: int
    spec: str
    reason: str
    detail: str | None

    @property
    def passing(self) -> bool:
        """Whether adding the source again may help."""
        return self.reason in PASSING_REASONS


@dataclass(frozen=True, slots=True)
class Added:
    """What `add` did: the batch that holds the sources, and whether it is new."""

    batch: Batch
    new: bool


def list_batches(lake: Lake, *, kind: str | None = REPOSITORIES) -> list[Batch]:
    """The batches of a kind, or of any if `kind` is None, in order of arrival."""
    delta = lake.open(BATCHES)
    return [] if delta is None else _batches_in(delta, kind)


def fingerprints(lake: Lake) -> dict[str, str]:
    """Of every batch of any kind, by key: what is asked often, without the sources."""
    delta = lake.open(BATCHES)
    rows = [] if delta is None else delta.to_pyarrow_table(columns=["batch", "fingerprint"]).to_pylist()
    return {row["batch"]: row["fingerprint"] for row in rows}


def _batches_in(delta: DeltaTable, kind: str | None = None) -> list[Batch]:
    rows = pl.DataFrame(delta.to_pyarrow_table()).sort("arrival")
    if kind is not None:
        rows = rows.filter(pl.col("kind") == kind)
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


def unread_sources(lake: Lake, batches: Iterable[Batch]) -> list[Unread]:
    """The sources of `batches` that failed when they were read, by batch and place; nothing of them is in the lake.

    Those rejected when they were added, which reading only repeats, are not among them.
    """
    pinned = {
        (batch.key, place) for batch in batches for place, source in enumerate(batch.sources) if source.rejected is None
    }
    delta = lake.open(REJECTIONS) if pinned else None
    if delta is None:
        return []
    # Filtered here and not by the dataset: it takes a bound that was never recorded (all but the ordinal's) for a bound
    # of null, which no row satisfies.
    dataset = delta.to_pyarrow_dataset(partitions=[("batch", "in", sorted({key for key, _ in pinned}))])
    rows = (
        row
        for chunk in dataset.to_batches(columns=["batch", "ordinal", "path", "spec", "reason", "detail"])
        for row in pl.DataFrame(pa.Table.from_batches([chunk]))
        .filter(pl.col("path").is_null())
        .drop("path")
        .iter_rows()
    )
    found = (Unread(*row) for row in rows)
    whole = (each for each in found if (each.batch, each.place) in pinned)
    return sorted(whole, key=lambda each: (each.batch, each.place))


def pin_sources(
    specs: Sequence[str], limits: Limits, metadata: Mapping[str, Mapping[str, Any]], *, kind: str = REPOSITORIES
) -> list[BatchSource]:
    """Look up the revision of every spec, in order; what cannot be found is kept as a rejection.

    A source given twice counts once. `metadata` maps repository names, origins or specs to facts about them. Data sets
    are sources of batches of `kind` "references" only.
    """
    sources: dict[str, BatchSource] = {}
    with track("looking up revisions", len(specs)) as progress:
        for spec in specs:
            source = _pin(spec, limits, metadata, datasets=kind == REFERENCES)
            sources.setdefault(source.identity(), source)
            progress.advance()
    return list(sources.values())


def _pin(
    spec: str, limits: Limits, metadata: Mapping[str, Mapping[str, Any]], *, datasets: bool = False
) -> BatchSource:
    try:
        pinned = source_of(kind_of(spec, datasets=datasets)).pin(spec, limits)
    except SourceError as error:
        shown = display_path(os.fsencode(without_credentials(spec)))
        unread = PinnedSource(spec=shown, kind="", locator=shown, repository=shown, origin="", revision="")
        return BatchSource(unread, rejected=(error.reason, error.detail))
    facts = (metadata.get(name) for name in (pinned.repository, pinned.origin, pinned.spec, spec))
    return BatchSource(pinned, metadata=dict(next((found for found in facts if found), {})))


def add_batch(
    lake: Lake, sources: Sequence[BatchSource], *, name: str | None = None, kind: str = REPOSITORIES
) -> Added:
    """Register a batch of pinned sources; adding the same ones again changes nothing.

    A repository revision that an earlier batch holds is recorded as rejected ("already_arrived") and not read again; a
    reference set holds all that it is given, since another one may be removed. No batch holds a source that failed when
    the batch was read. If one failed for one of `PASSING_REASONS`, the same sources again are a new batch, with those
    that failed to be read.

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
        alike = [batch for batch in known if batch.kind == kind]
        holder, to_retry = _holders(lake, alike, sources)
        same, own = _same_batch(alike, fingerprint, to_retry)
        if same is not None:
            return Added(same, new=False)
        batch = _next_batch(known, sources, holder if kind != REFERENCES else {}, own, name, kind)
        if _commit(delta, batch):
            return Added(batch, new=True)
    raise WorkError("could not register the batch: others kept arriving first; run it again")


def _holders(
    lake: Lake, known: Sequence[Batch], sources: Sequence[BatchSource]
) -> tuple[dict[str, str], frozenset[str]]:
    """The batch that holds each of `sources` that one holds, by doc_id, and the batches that need a second try.

    Those are batches with a source that no batch holds by now: it failed for a passing reason, or it was left out
    because it was in a batch that has been removed.
    """
    wanted = {source.pinned.doc_id for source in sources if source.rejected is None}
    having = [batch for batch in known if any(source.pinned.doc_id in wanted for source in batch.sources)]
    unread = {(each.batch, each.place): each for each in unread_sources(lake, having)}
    holder: dict[str, str] = {}
    failed: list[tuple[str, str]] = []
    tried = {source.pinned.doc_id for batch in having for source in batch.sources if source.rejected is None}
    for batch in having:
        for place, source in enumerate(batch.sources):
            if source.pinned.doc_id not in wanted:
                continue
            if source.rejected is not None:
                if source.pinned.doc_id not in tried:
                    failed.append((batch.key, source.pinned.doc_id))
                continue
            failure = unread.get((batch.key, place))
            if failure is None:
                holder[source.pinned.doc_id] = batch.key
            elif failure.passing:
                failed.append((batch.key, source.pinned.doc_id))
    return holder, frozenset(key for key, doc_id in failed if doc_id not in holder)


def _same_batch(known: Sequence[Batch], fingerprint: str, to_retry: frozenset[str]) -> tuple[Batch | None, str]:
    """The batch that the same sources are already, if any, and else the fingerprint of the one that they become.

    A second try has a fingerprint of its own, made from the first one's, so that it is found like any other.
    """
    by_fingerprint = {batch.fingerprint: batch for batch in known}
    while (same := by_fingerprint.get(fingerprint)) is not None and same.key in to_retry:
        fingerprint = hashlib.sha256(f"again\n{fingerprint}".encode()).hexdigest()
    return same, fingerprint


def _next_batch(
    known: Sequence[Batch],
    sources: Sequence[BatchSource],
    holder: Mapping[str, str],
    fingerprint: str,
    name: str | None,
    kind: str,
) -> Batch:
    marked = tuple(
        BatchSource(source.pinned, source.metadata, ("already_arrived", f"in batch {holder[source.pinned.doc_id]}"))
        if source.rejected is None and source.pinned.doc_id in holder
        else source
        for source in sources
    )
    if all(source.rejected is not None for source in marked):
        places = sorted({holder[source.pinned.doc_id] for source in sources if source.pinned.doc_id in holder})
        raise UsageError(f"nothing new: these sources arrived before, in batch {', '.join(places)}")
    arrival = known[-1].arrival + 1 if known else 1
    if name is not None and any(batch.key == name for batch in known):
        raise UsageError(f"a batch or reference set is called {name!r} already; choose another name")
    first = next(source for source in marked if source.rejected is None)
    return Batch(
        key=name or f"{arrival:05d}-{slug(first.pinned.repository) or 'batch'}",
        arrival=arrival,
        kind=kind,
        fingerprint=fingerprint,
        sources=marked,
        created_at=datetime.now(UTC),
    )


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


def remove_from_register(lake: Lake, batch: Batch) -> None:
    """Take a batch out of the register. The next batch to arrive may get its number if it was the last one.

    Raises:
        WorkError: the commit kept conflicting.
    """
    for _ in range(_ATTEMPTS):
        delta = lake.open(BATCHES)
        if delta is None or batch.key not in fingerprints(lake):
            return
        # In the same application as `_commit`, so that of an addition and a removal at once one has to start over.
        properties = CommitProperties(
            custom_metadata={"removed": batch.key}, app_transactions=[Transaction("arrival", batch.arrival)]
        )
        with suppress(CommitFailedError):
            delta.delete(f"batch = '{batch.key}'", commit_properties=properties)
            return
    raise WorkError(f"could not remove batch {batch.key}: others kept arriving first; run it again")


def _source_to_json(source: BatchSource) -> dict[str, Any]:
    return {"pinned": asdict(source.pinned), "metadata": source.metadata, "rejected": source.rejected}


def _source_from_json(value: dict[str, Any]) -> BatchSource:
    rejected = value["rejected"]
    return BatchSource(PinnedSource(**value["pinned"]), value["metadata"], tuple(rejected) if rejected else None)


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Facts about repositories from a JSON Lines file: one object a line, with "repository" and what is known of it.

    "stars", "forks", "commits", and "committed_at" or "pushed_at" have a meaning; whatever else there is is kept.

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
        for count in ("stars", "forks", "commits"):
            number_given = value.get(count, 0)
            if type(number_given) is not int or not 0 <= number_given < 1 << 63:
                raise UsageError(f"{path}: line {number}: {count} is not a whole number")
        for moment in ("committed_at", "pushed_at"):
            if moment in value and parse_moment(value[moment]) is None:
                raise UsageError(f"{path}: line {number}: {moment} is not a date as 2024-05-01T12:00:00Z")
        found[value.pop("repository")] = value
    return found


def parse_moment(value: object) -> datetime | None:
    """A date and time of ISO 8601, in UTC where it names no zone; None if it is no such text."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
