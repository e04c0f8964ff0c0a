"""Make the samples of the commit corpus from the commits that all filters keep (PAPER §3).

A task goes through neighbouring commits of one repository, oldest first, so that each snapshot is told apart from the
last and only what differs is read. A commit that gives no sample has a verdict that says why. What belongs here: moving
data. What does not: what a sample is (`commits/sample.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl
import pyarrow as pa

from seed_platform.batches import Batch, BatchSource
from seed_platform.commits.relevance import Relevance
from seed_platform.commits.rows import changes_from_json
from seed_platform.commits.sample import CommitView, NoSample, Sample, build_sample
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import TreeSnapshot
from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.filters.base import as_verdicts
from seed_platform.lake.lake import Lake, Part, PartWriter
from seed_platform.lake.schemas import COMMIT_SAMPLES, COMMITS, verdicts
from seed_platform.progress import track
from seed_platform.sources.base import Limits, SourceError
from seed_platform.sources.kinds import git_repository
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import count, passing, stamp
from seed_platform.steps.read import FILES_PER_REPOSITORY, limits_of

VERSION = "1"
NAME = "sample"
TABLE = verdicts("commits", NAME)
REQUIRES = ("rules", "exact_duplicates", "near_duplicates")

_COMMITS_PER_TASK = 500
_COLUMNS = [
    "ordinal", "doc_id", "repository", "sha", "message", "parent_tree", "changes", "bytes", "omitted", "content"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Task:
    """Commits `ordinals` (ascending) of one repository."""

    lake: Lake
    batch: str
    source: BatchSource
    ordinals: tuple[int, ...]
    policy: CommitSamplePolicy
    policy_hash: str
    run_id: str
    limits: Limits
    cache: str
    cache_bytes: int
    attempt: Attempt


@dataclass(slots=True)
class _Made:
    samples: list[Part] = field(default_factory=list)
    verdicts: list[Part] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report(step="", batch=""))


def make_samples(context: Context, batch: Batch) -> Report:
    """Make the samples of one batch; publish them and the verdicts that say which commits gave none.

    Raises:
        WorkError: a repository cannot be read any more; nothing is replaced.
    """
    lake = context.lake
    scratch = lake.storage.scratch(f"samples-{batch.key}")
    tasks = list(_tasks(context, batch))
    report = Report(step=COMMIT_SAMPLES.name, batch=batch.key)
    samples: list[Part] = []
    judged: list[Part] = []
    with track(f"samples {batch.key}", sum(len(task.ordinals) for task in tasks)) as progress:
        for task, made in context.engine.run(_make, tasks, on_death=_skip_the_killer):
            samples += made.samples
            judged += made.verdicts
            report.merge(made.report)
            progress.advance(len(task.ordinals))
    lake.publish(TABLE, judged, context.commit, batch=batch.key)
    lake.publish(COMMIT_SAMPLES, samples, context.commit, batch=batch.key)
    lake.storage.drop_scratch(scratch.name)
    return report


def _tasks(context: Context, batch: Batch) -> Iterator[_Task]:
    storage = context.lake.storage
    kept = passing(context.lake, batch.key, REQUIRES, kind="commits")
    assert kept is not None  # noqa: S101 - filters are asked
    grouped = pl.DataFrame({"ordinal": kept}).with_columns(place=pl.col("ordinal") // FILES_PER_REPOSITORY)
    for (place,), group in grouped.group_by("place", maintain_order=True):
        ordinals = group["ordinal"].to_list()
        for start in range(0, len(ordinals), _COMMITS_PER_TASK):
            mine = tuple(ordinals[start : start + _COMMITS_PER_TASK])
            yield _Task(
                lake=context.lake,
                batch=batch.key,
                source=batch.sources[int(str(place))],
                ordinals=mine,
                policy=context.policy.commit_samples,
                policy_hash=context.policy.digest(),
                run_id=context.run_id,
                limits=limits_of(context.settings),
                cache=str(storage.scratch("downloads")),
                cache_bytes=context.settings.snapshot_cache_bytes,
                attempt=Attempt(storage.scratch(f"samples-{batch.key}") / f"{mine[0]}.{context.run_id}"),
            )


def _skip_the_killer(task: _Task, death: Death) -> _Task:
    return replace(task, attempt=task.attempt.after(death, f"a maker of samples of {task.source.pinned.spec}"))


def _make(task: _Task) -> _Made:
    made = _Made()
    lake = task.lake
    with (
        task.attempt.journal() as journal,
        lake.writer(COMMIT_SAMPLES, batch=task.batch) as samples,
        lake.writer(TABLE, batch=task.batch) as judged,
    ):
        maker = _Maker(task, journal)
        wanted = pl.Series("ordinal", task.ordinals)
        for part in lake.parts(COMMITS, batch=task.batch):
            if part.last < task.ordinals[0] or part.first > task.ordinals[-1]:
                continue
            for group in lake.read_arrow(COMMITS, part, _COLUMNS, ordinals=wanted.to_numpy()):
                commits = pl.DataFrame(group).filter(pl.col("ordinal").is_in(wanted.implode()))
                if not commits.is_empty():
                    _write(task, commits, maker, samples, judged, made.report)
    made.samples, made.verdicts = samples.parts, judged.parts
    return made


def _write(
    task: _Task, commits: pl.DataFrame, maker: _Maker, samples: PartWriter, judged: PartWriter, report: Report
) -> None:
    reasons: list[str | None] = []
    details: list[str | None] = []
    for row in commits.iter_rows(named=True):
        found = maker.sample(row)
        if isinstance(found, Sample):
            samples.write(pa.Table.from_pylist([_row(row, found, task.policy_hash)], schema=COMMIT_SAMPLES.columns))
        reasons.append(found.reason if isinstance(found, NoSample) else None)
        details.append(found.detail if isinstance(found, NoSample) and found.detail else None)
    told = commits.select("ordinal", "doc_id").with_columns(
        reason=pl.Series(reasons, dtype=pl.String), detail=pl.Series(details, dtype=pl.String)
    )
    evidence = pl.when(pl.col("detail").is_not_null()).then(pl.struct("detail").struct.json_encode())
    rows = as_verdicts(told.with_columns(keep=pl.col("reason").is_null(), evidence=evidence))
    count(report, rows, commits["bytes"])
    judged.write(stamp(rows, VERSION, task.run_id))


class _Maker:
    """Makes samples of one repository's commits, oldest first."""

    def __init__(self, task: _Task, journal: Journal) -> None:
        self._task = task
        self._journal = journal
        self._relevance = Relevance(task.policy, task.cache_bytes)
        try:
            self._repository = git_repository(task.source.pinned, task.limits, task.cache)
        except SourceError as error:
            # Its commits are in the lake: verdicts that say so would take the place of the samples that they gave.
            raise WorkError(
                f"the repository {task.source.pinned.spec} cannot be read again ({error.reason}: {error.detail}); "
                "the lake is unchanged"
            ) from error

    def sample(self, row: dict[str, Any]) -> Sample | NoSample:
        """The sample of a row of the table `commits`, or why there is none."""
        if row["ordinal"] in self._task.attempt.dead:
            return NoSample("reader_crash")
        if row["parent_tree"] is None:
            return NoSample("root_commit")
        self._journal.start(row["ordinal"])
        view = CommitView(row["message"], changes_from_json(row["changes"]), row["content"], row["omitted"])
        snapshot = TreeSnapshot(self._repository, row["parent_tree"])
        found = build_sample(view, snapshot, self._relevance, self._task.policy)
        self._journal.finish(row["ordinal"], b"")
        return found


def _row(row: dict[str, Any], sample: Sample, policy_hash: str) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("ordinal", "doc_id", "repository", "sha")},
        "tokens": sample.tokens,
        "context_tokens": sample.context_tokens,
        "target_offset": sample.target_offset,
        "relevant": list(sample.relevant),
        "truncated": list(sample.truncated),
        "bytes": len(sample.text.encode()),
        "policy_hash": policy_hash,
        "content": sample.text,
    }


def samples_of(lake: Lake, batch: str, ordinals: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Rows of the corpus with these ordinals."""
    wanted = pl.Series("ordinal", sorted(ordinals))
    for part in lake.parts(COMMIT_SAMPLES, batch=batch):
        for group in lake.read_arrow(COMMIT_SAMPLES, part, COMMIT_SAMPLES.columns.names, ordinals=wanted.to_numpy()):
            yield from pl.DataFrame(group).filter(pl.col("ordinal").is_in(wanted.implode())).iter_rows(named=True)
