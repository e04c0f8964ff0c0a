"""Read the commits that are new in the repositories of a batch (PAPER §3).

A repository is walked from its pinned revision to the tips that earlier walks of the same origin began at, so one that
comes again costs its new commits. Walks are listed first, 20 bytes a commit, in scratch, those of one origin in turn;
then tasks of a few thousand commits read them, of one long history as of many short ones. What belongs here: turning
commits into rows. What does not: git (`commits/`), and judging commits (`filters/commit_rules.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from seed_platform.batches import PASSING_REASONS, Batch, BatchSource
from seed_platform.commits.changes import CommitLimits, read_commit
from seed_platform.commits.rows import row_of, unreadable_row
from seed_platform.commits.walk import new_commits
from seed_platform.engine.base import Death, count_kill
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.query import scan
from seed_platform.lake.schemas import COMMIT_WALKS, COMMITS
from seed_platform.progress import track
from seed_platform.settings import Settings
from seed_platform.sources.base import Limits, Rejection, SourceError
from seed_platform.sources.kinds import git_repository
from seed_platform.sources.locations import split_revision
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.base import Context, Report
from seed_platform.steps.commit_gate import TABLE as GATE
from seed_platform.steps.read import limits_of, publish_rows

VERSION = "1"

_MAY_PASS = (PASSING_REASONS | {"missing_path"}) - {"reader_crash"}
"""Why a walk failed that may be over the next time. The path was there when the batch was pinned: it may come back."""

_SOURCE_SHIFT = 32
_SHA_BYTES = 20
_COMMITS_PER_TASK = 2000
_ROW_BYTES = 500
"""What a row costs beside its patch and its list of paths."""


def commit_limits_of(settings: Settings) -> CommitLimits:
    """The limits that commits are read under."""
    return CommitLimits(max_patch_bytes=settings.max_patch_bytes, max_commit_paths=settings.max_commit_paths)


@dataclass(frozen=True, slots=True)
class _Walk:
    """One repository to walk: `shas` is the file of its new commits, of `commits` of them once it has been walked.

    `seen` are the tips that it ended at.
    """

    place: int
    source: BatchSource
    shas: Path
    limits: Limits
    cache: str
    seen: tuple[str, ...] = ()
    commits: int = 0
    unknown: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    failed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _Origin:
    """The repositories of one origin, to be walked in turn: each ends where those before it began.

    `seen` are tips of walks of earlier batches, `gaps` the commits that those lacked.
    """

    walks: tuple[_Walk, ...]
    seen: tuple[str, ...]
    gaps: tuple[str, ...]
    kills: int = 0


@dataclass(frozen=True, slots=True)
class _Slice:
    """The commits `first` … `first + number - 1` of one walk."""

    walk: _Walk
    first: int
    number: int


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    slices: tuple[_Slice, ...]
    limits: CommitLimits
    key: bytes
    attempt: Attempt


@dataclass(slots=True)
class _Read:
    """What one task gives back: data files, and how many commits and bytes of patches they hold, by why omitted."""

    parts: list[Part] = field(default_factory=list)
    omitted: Counter[str | None] = field(default_factory=Counter)
    bytes: int = 0


def read_commits(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Read the new commits of the batch's repositories and publish commits and walks.

    Raises:
        WorkError: a repository that an earlier run walked cannot be walked any more, or one cannot for a reason that
            may pass; nothing is replaced.
    """
    storage = context.lake.storage
    scratch = storage.scratch(f"commits-{batch.key}")
    origins = _plan(context, batch, earlier, scratch)
    walked: list[_Walk] = []
    with track(f"walking {batch.key}", sum(len(origin.walks) for origin in origins)) as progress:
        for origin, walks in context.engine.run(_walk, origins, on_death=_walk_again):
            walked += walks
            progress.advance(len(origin.walks))
    walked.sort(key=lambda walk: walk.place)
    _refuse_loss(context.lake, batch, walked)
    read = _Read()
    tasks = [
        _Task(
            lake=context.lake,
            batch=batch.key,
            slices=slices,
            limits=commit_limits_of(context.settings),
            key=context.settings.person_key.get_secret_value().encode(),
            attempt=Attempt(scratch / f"{number}.{context.run_id}"),
        )
        for number, slices in enumerate(_in_slices(walked))
    ]
    with track(f"commits {batch.key}", sum(walk.commits for walk in walked)) as progress:
        for task, result in context.engine.run(_read_task, tasks, on_death=_skip_the_killer):
            read.parts += result.parts
            read.omitted += result.omitted
            read.bytes += result.bytes
            progress.advance(sum(each.number for each in task.slices))
    # Walks last: they say what was read before (`_refuse_loss`), which holds only once the commits are there.
    context.lake.publish(COMMITS, read.parts, context.commit, batch=batch.key)
    publish_rows(context, batch, COMMIT_WALKS, [_row(walk) for walk in walked])
    storage.drop_scratch(scratch.name)
    return _report(batch, walked, read)


def _plan(context: Context, batch: Batch, earlier: Sequence[Batch], scratch: Path) -> list[_Origin]:
    """The repositories that the gate keeps by origin, each with the tips that walks of earlier batches began at."""
    kept = context.lake.column(GATE, ["ordinal", "keep"], batch=batch.key).filter("keep")["ordinal"].to_list()
    tips, gaps = _walked(context.lake, earlier)
    cache = str(context.lake.storage.scratch("downloads"))
    walks: dict[str, list[_Walk]] = {}
    for place in sorted(kept):
        source = batch.sources[place]
        walk = _Walk(place, source, scratch / f"{place}.shas", limits_of(context.settings), cache)
        walks.setdefault(source.pinned.origin, []).append(walk)
    return [
        _Origin(tuple(mine), tuple(tips.get(origin, ())), tuple(sorted(gaps.get(origin, ()))))
        for origin, mine in walks.items()
    ]


def _walked(lake: Lake, batches: Sequence[Batch]) -> tuple[dict[str, dict[str, None]], dict[str, set[str]]]:
    """Where walks of earlier batches began, by origin, in order of arrival and each once; and what the last lacked."""
    place = {each.key: number for number, each in enumerate(batches)}
    columns = ["batch", "ordinal", "origin", "tip", "missing", "reason"]
    rows = scan(lake, COMMIT_WALKS, list(place)).to_table(columns=columns).to_pylist()
    tips: dict[str, dict[str, None]] = {}
    gaps: dict[str, dict[str, set[str]]] = {}
    for row in sorted(rows, key=lambda row: (place[row["batch"]], row["ordinal"])):
        if row["reason"] is None and row["tip"] not in row["missing"]:
            tips.setdefault(row["origin"], {})[row["tip"]] = None
        gaps.setdefault(row["origin"], {}).setdefault(row["batch"], set()).update(row["missing"])
    return tips, {origin: list(missing.values())[-1] for origin, missing in gaps.items()}


def _walk(task: _Origin) -> list[_Walk]:
    """List the new commits of each repository of an origin into its file, none twice."""
    seen, gaps = task.seen, task.gaps
    told: set[bytes] = set()
    walked = []
    for walk in task.walks:
        tip = walk.source.pinned.revision
        try:
            repository = git_repository(walk.source.pinned, walk.limits, walk.cache)
        except SourceError as error:
            walked.append(replace(walk, seen=seen, failed=(error.reason, error.detail)))
            continue
        # Where clocks were wrong a walk finds commits behind `seen` again: what this batch has told is left out.
        found = new_commits(repository, tip, seen, gaps).without(told)
        walk.shas.write_bytes(found.shas)
        walked.append(replace(walk, seen=seen, commits=len(found), unknown=found.unknown, missing=found.missing))
        # What is behind the gaps is told by one walk; the others end where it began.
        gaps = ()
        if tip not in found.missing:
            seen = tuple(dict.fromkeys((*seen, tip)))
        if walk is not task.walks[-1]:
            told.update(found)
    if gaps:
        walked[-1] = replace(walked[-1], missing=gaps)
    return walked


def _walk_again(task: _Origin, death: Death) -> _Origin:
    what = f"the walk of {', '.join(walk.source.pinned.spec for walk in task.walks)}"[:300]
    if death.own_fault:
        raise WorkError(f"{what} died ({death.cause}); the lake is unchanged, run it again")
    return replace(task, kills=count_kill(task.kills, death, what))


def _in_slices(walks: Sequence[_Walk]) -> Iterator[tuple[_Slice, ...]]:
    """All commits in order, in groups of at most `_COMMITS_PER_TASK`."""
    group: list[_Slice] = []
    room = _COMMITS_PER_TASK
    for walk in walks:
        first = 0
        while first < walk.commits:
            number = min(room, walk.commits - first)
            group.append(_Slice(walk, first, number))
            first += number
            room -= number
            if not room:
                yield tuple(group)
                group, room = [], _COMMITS_PER_TASK
    if group:
        yield tuple(group)


def _skip_the_killer(task: _Task, death: Death) -> _Task:
    """The commit that kills its reader is recorded as unreadable, and the task starts over."""
    what = f"a reader of commits of {task.slices[0].walk.source.pinned.spec}"
    return replace(task, attempt=task.attempt.after(death, what))


def _read_task(task: _Task) -> _Read:
    result = _Read()
    with task.attempt.journal() as journal, task.lake.writer(COMMITS, batch=task.batch) as writer:
        for each in task.slices:
            rows: list[dict[str, Any]] = []
            size = 0
            for row in _rows(task, each, journal):
                result.omitted[row["omitted"]] += 1
                result.bytes += row["bytes"]
                rows.append(row)
                size += _ROW_BYTES + row["bytes"] + len(row["changes"])
                if size >= task.lake.row_group_bytes:
                    writer.write(_table(rows, each.walk))
                    rows, size = [], 0
            writer.write(_table(rows, each.walk))
    result.parts = writer.parts
    return result


def _rows(task: _Task, each: _Slice, journal: Journal) -> Iterator[dict[str, Any]]:
    """The rows of the commits of a slice."""
    pinned = each.walk.source.pinned
    repository = git_repository(pinned, each.walk.limits, each.walk.cache)
    with each.walk.shas.open("rb") as file:
        file.seek(each.first * _SHA_BYTES)
        shas = file.read(each.number * _SHA_BYTES)
    for place in range(each.number):
        sha = shas[place * _SHA_BYTES : (place + 1) * _SHA_BYTES].hex()
        ordinal = (each.walk.place << _SOURCE_SHIFT) + each.first + place
        if ordinal in task.attempt.dead:
            yield unreadable_row(sha, ordinal, pinned.origin)
            continue
        journal.start(ordinal)
        record = read_commit(repository, sha, task.limits, task.key)
        if isinstance(record, Rejection):
            yield unreadable_row(sha, ordinal, pinned.origin)
        else:
            yield row_of(record, ordinal, pinned.origin, task.key)
        journal.finish(ordinal, b"")


def _table(rows: list[dict[str, Any]], walk: _Walk) -> pa.Table:
    named = {"repository_id": walk.source.pinned.doc_id, "repository": walk.source.pinned.repository}
    return pa.Table.from_pylist([{**row, **named} for row in rows], schema=COMMITS.columns)


def _row(walk: _Walk) -> dict[str, Any]:
    pinned = walk.source.pinned
    reason, detail = walk.failed or (None, None)
    return {
        "ordinal": walk.place,
        "doc_id": pinned.doc_id,
        "repository": pinned.repository,
        "origin": pinned.origin,
        "branch": split_revision(pinned.spec)[1] or "HEAD",
        "tip": pinned.revision,
        "seen": list(walk.seen),
        "unknown": list(walk.unknown),
        "missing": list(walk.missing),
        "commits": walk.commits,
        "reason": reason,
        "detail": detail,
    }


def _refuse_loss(lake: Lake, batch: Batch, walked: Sequence[_Walk]) -> None:
    """A repository walked before must not turn into a failure since it has moved, nor one for now into one for ever."""
    before = lake.column(COMMIT_WALKS, ["doc_id", "reason"], batch=batch.key)
    known = set(before.filter(before["reason"].is_null())["doc_id"])
    failed = [(walk.source.pinned, walk.failed[0]) for walk in walked if walk.failed is not None]
    lost = "; ".join(f"{pinned.spec}: {reason}" for pinned, reason in failed if pinned.doc_id in known)
    if lost:
        raise WorkError(
            f"the history of batch {batch.key} was read before and cannot be read again ({lost}); the lake is unchanged"
        )
    passing = "; ".join(f"{pinned.spec}: {reason}" for pinned, reason in failed if reason in _MAY_PASS)
    if passing:
        raise WorkError(
            f"the history of batch {batch.key} cannot be read now ({passing}); the lake is unchanged, run it again"
        )


def _report(batch: Batch, walked: Sequence[_Walk], read: _Read) -> Report:
    report = Report(step=COMMITS.name, batch=batch.key)
    number = sum(read.omitted.values())
    report.seen.add(number, read.bytes)
    report.kept.add(number, read.bytes)
    report.failures = dict(sorted(Counter(walk.failed[0] for walk in walked if walk.failed is not None).items()))
    report.figures = {
        "repositories": len(walked),
        "rewritten_histories": sum(1 for walk in walked if walk.unknown),
        "missing_parents": sum(len(walk.missing) for walk in walked),
        **{f"without_patch_{reason}": count for reason, count in sorted(read.omitted.items(), key=str) if reason},
    }
    return report
