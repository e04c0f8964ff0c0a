"""Run a filter that judges documents one by one: a task per data file, verdicts beside the documents in the same order.

What belongs here: feeding a filter the documents it asks for and checking that it answers for each of them exactly
once. What does not: any filter's own judgement (`filters/`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.batches import Batch
from seed_platform.engine.base import Death, count_kill
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.filters import rules, syntax
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.schemas import FILES, verdicts
from seed_platform.policy import RulesPolicy, Section, SyntaxPolicy
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report

ALL_ORDINALS = (0, (1 << 63) - 1)

VerdictParts = tuple[tuple[str, tuple[Part, ...]], ...]
"""Names of filters, each with data files of its verdicts."""


@dataclass(frozen=True, slots=True)
class FileFilter:
    """A filter that judges each file by itself.

    Attributes:
        name: as in the policy and in verdicts.
        version: of its judgement.
        requires: filters whose verdict must be "keep" before this one looks at a document.
        columns: of `files` that it reads.
        judge: a frame of those columns in, verdict columns out, row for row; runs in a worker process.
        describe_death: what to record for the document that killed the process; None if nothing should.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    columns: tuple[str, ...]
    judge: Callable[[pl.DataFrame, Section, Journal], pl.DataFrame]
    describe_death: Callable[[Death], bytes] | None = None


def _judge_rules(files: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    del journal
    assert isinstance(policy, RulesPolicy)  # noqa: S101 - the section of this filter's name
    return rules.judge(files, policy)


def _judge_syntax(files: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    assert isinstance(policy, SyntaxPolicy)  # noqa: S101 - the section of this filter's name
    return syntax.judge(files, policy, journal)


RULES = FileFilter("rules", rules.VERSION, (), rules.COLUMNS, _judge_rules)
SYNTAX = FileFilter(
    "syntax",
    syntax.VERSION,
    ("rules", "repository_duplicates", "exact_duplicates"),
    syntax.COLUMNS,
    _judge_syntax,
    syntax.describe_death,
)
_FILTERS = {each.name: each for each in (RULES, SYNTAX)}


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    filter_name: str
    part: Part
    required: VerdictParts
    policy: Section
    run_id: str
    journal: Path
    kills: int = 0


def judge_batch(context: Context, batch: Batch, file_filter: FileFilter) -> Report:
    """Judge the files of one batch and publish the verdicts.

    Raises:
        WorkError: the filter did not answer for each document exactly once; nothing is published.
    """
    lake = context.lake
    policy: Section = getattr(context.policy, file_filter.name)
    # What an earlier attempt found is taken over only if it was found by the same code under the same policy.
    scratch = lake.storage.scratch(f"{file_filter.name}-{file_filter.version}-{policy.digest()[:16]}-{batch.key}")
    parts = lake.parts(FILES, batch=batch.key)
    required = verdict_parts(lake, batch.key, file_filter.requires)
    tasks = [
        _Task(
            lake=lake,
            batch=batch.key,
            filter_name=file_filter.name,
            part=part,
            required=overlapping(required, part.first, part.last),
            policy=policy,
            run_id=context.run_id,
            journal=scratch / f"{Path(part.path).stem}.journal",
        )
        for part in parts
    ]
    report = Report(step=verdicts("files", file_filter.name).name, batch=batch.key)
    written: list[Part] = []
    with track(f"{file_filter.name} {batch.key}", sum(part.rows for part in parts)) as progress:
        for task, (task_parts, task_report) in context.engine.run(_judge_task, tasks, on_death=_quarantine_the_killer):
            written += task_parts
            report.merge(task_report)
            progress.advance(task.part.rows)
    lake.publish(verdicts("files", file_filter.name), written, context.commit, batch=batch.key)
    lake.storage.drop_scratch(scratch.name)
    return report


def _quarantine_the_killer(task: _Task, death: Death) -> _Task:
    """The document that killed the process gets its verdict, and the task runs again, skipping what was done.

    A process killed from outside says nothing about its document: the task runs again without a verdict.
    """
    describe = _FILTERS[task.filter_name].describe_death
    with Journal(task.journal) as journal:
        killer = journal.interrupted()
        if not death.own_fault:
            place = "" if killer is None else f", at the document with ordinal {killer}"
            what = f"a {task.filter_name} worker on {task.part.path} of batch {task.batch}{place}"
            return replace(task, kills=count_kill(task.kills, death, what))
        if killer is None or describe is None:
            raise WorkError(f"a {task.filter_name} worker died outside any document ({death.cause})")
        journal.quarantine(killer, describe(death))
    return task


def _judge_task(task: _Task) -> tuple[list[Part], Report]:
    file_filter = _FILTERS[task.filter_name]
    journal = Journal(task.journal)
    wanted = passing_in(task.lake, task.required, task.part.first, task.part.last)
    report = Report(step="", batch=task.batch)
    columns = tuple(dict.fromkeys(("ordinal", "bytes", *file_filter.columns)))
    with task.lake.writer(verdicts("files", task.filter_name), batch=task.batch) as writer:
        for group in task.lake.read(FILES, task.part, columns):
            files = group if wanted is None else group.filter(pl.col("ordinal").is_in(wanted.implode()))
            if files.is_empty():
                continue
            judged = file_filter.judge(files, task.policy, journal)
            check_conservation(task.filter_name, files["ordinal"], judged)
            count(report, judged, files["bytes"])
            writer.write(stamp(judged, file_filter.version, task.run_id))
    return writer.parts, report


def passing(
    lake: Lake, batch: str, requires: tuple[str, ...], first: int = ALL_ORDINALS[0], last: int = ALL_ORDINALS[1]
) -> pl.Series | None:
    """Sorted ordinals in [first, last] of the batch's files that every filter in `requires` keeps.

    None stands for all files. Costs 8 bytes of memory per file in the range, whatever the files' size.
    """
    return passing_in(lake, verdict_parts(lake, batch, requires), first, last)


def verdict_parts(lake: Lake, batch: str, requires: tuple[str, ...]) -> VerdictParts:
    """Where the verdicts of the filters in `requires` are: looked up once for the many tasks of a step."""
    return tuple((name, tuple(lake.parts(verdicts("files", name), batch=batch))) for name in requires)


def overlapping(parts: VerdictParts, first: int, last: int) -> VerdictParts:
    """Those that have verdicts on ordinals in [first, last]."""
    return tuple(
        (name, tuple(part for part in mine if part.last >= first and part.first <= last)) for name, mine in parts
    )


def passing_in(
    lake: Lake, parts: VerdictParts, first: int = ALL_ORDINALS[0], last: int = ALL_ORDINALS[1]
) -> pl.Series | None:
    """`passing` for verdicts that are in known places."""
    kept: npt.NDArray[np.int64] | None = None
    for name, mine in overlapping(parts, first, last):
        found = [np.empty(0, dtype=np.int64)]
        for part in mine:
            table = verdicts("files", name)
            for group in lake.read_arrow(table, part, ["ordinal", "keep"], first=first, last=last):
                ordinals = group.column("ordinal").to_numpy()
                keep = group.column("keep").to_numpy()
                found.append(ordinals[keep & (ordinals >= first) & (ordinals <= last)])
        passed = np.sort(np.concatenate(found))
        kept = passed if kept is None else kept[np.isin(kept, passed, assume_unique=True)]
    return None if kept is None else pl.Series("ordinal", kept)


def check_conservation(name: str, given: pl.Series, judged: pl.DataFrame) -> None:
    """One verdict for each document, in order, and a reason for each drop. Raises `WorkError` otherwise."""
    if not given.equals(judged["ordinal"], check_names=False):
        raise WorkError(f"filter {name} answered for {judged.height} documents of {given.len()}; nothing is published")
    if judged.filter(pl.col("keep").is_null() | (~pl.col("keep") & pl.col("reason").is_null())).height:
        raise WorkError(f"filter {name} dropped a document without a reason; nothing is published")


def count(report: Report, judged: pl.DataFrame, sizes: pl.Series) -> None:
    """Add verdicts to a report; `sizes` are the documents' bytes, row for row."""
    report.count(
        judged.select("keep", "reason", sizes.alias("bytes"))
        .group_by("keep", "reason")
        .agg(pl.len().alias("documents"), pl.col("bytes").sum())
        .iter_rows(named=True)
    )


def stamp(judged: pl.DataFrame, version: str, run_id: str) -> pl.DataFrame:
    """Verdict columns with the filter's version and the run."""
    return judged.with_columns(pl.lit(version).alias("filter_version"), pl.lit(run_id).alias("run_id"))
