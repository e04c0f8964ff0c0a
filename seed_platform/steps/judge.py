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
from seed_platform.lake.schemas import FILES, Table, verdicts
from seed_platform.policy import RulesPolicy, SyntaxPolicy
from seed_platform.progress import track
from seed_platform.section import Section
from seed_platform.steps.base import Context, Report

ALL_ORDINALS = (0, (1 << 63) - 1)

VerdictParts = tuple[tuple[Table, tuple[Part, ...]], ...]
"""Tables of verdicts, each with some of its data files."""


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """A filter that judges each document by itself.

    Attributes:
        documents: the table of the documents that it judges: files or pages.
        name: as in verdicts.
        section: of the policy that it reads.
        version: of its judgement.
        requires: filters whose verdict must be "keep" before this one looks at a document.
        columns: of the documents that it reads.
        judge: a frame of those columns in, verdict columns out, row for row; runs in a worker process.
        describe_death: what to record for the document that killed the process; None if nothing should.
    """

    documents: Table
    name: str
    section: str
    version: str
    requires: tuple[str, ...]
    columns: tuple[str, ...]
    judge: Callable[[pl.DataFrame, Section, Journal], pl.DataFrame]
    describe_death: Callable[[Death], bytes] | None = None

    @property
    def kind(self) -> str:
        """Of its verdicts: "files" or "pages"."""
        return self.documents.name.rsplit("/", 1)[-1]

    @property
    def table(self) -> Table:
        """Its verdicts."""
        return verdicts(self.kind, self.name)


def _judge_rules(files: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    del journal
    assert isinstance(policy, RulesPolicy)  # noqa: S101 - the section of this filter's name
    return rules.judge(files, policy)


def _judge_syntax(files: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    assert isinstance(policy, SyntaxPolicy)  # noqa: S101 - the section of this filter's name
    return syntax.judge(files, policy, journal)


RULES = DocumentFilter(FILES, "rules", "rules", rules.VERSION, (), rules.COLUMNS, _judge_rules)
SYNTAX = DocumentFilter(
    FILES,
    "syntax",
    "syntax",
    syntax.VERSION,
    ("rules", "repository_duplicates", "exact_duplicates"),
    syntax.COLUMNS,
    _judge_syntax,
    syntax.describe_death,
)


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    document_filter: DocumentFilter
    part: Part
    required: VerdictParts
    policy: Section
    run_id: str
    journal: Path
    kills: int = 0


def judge_batch(
    context: Context, batch: Batch, document_filter: DocumentFilter, section: Section | None = None
) -> Report:
    """Judge the documents of one batch and publish the verdicts.

    `section` is what the filter reads in the place of its section of the policy: one that names a model, say.

    Raises:
        WorkError: the filter did not answer for each document exactly once; nothing is published.
    """
    lake = context.lake
    policy: Section = section or getattr(context.policy, document_filter.section)
    kind, name = document_filter.kind, document_filter.name
    # What an earlier attempt found is taken over only if it was found by the same code under the same policy.
    scratch = lake.storage.scratch(f"{kind}-{name}-{document_filter.version}-{policy.digest()[:16]}-{batch.key}")
    parts = lake.parts(document_filter.documents, batch=batch.key)
    required = verdict_parts(lake, batch.key, document_filter.requires, kind)
    tasks = [
        _Task(
            lake=lake,
            batch=batch.key,
            document_filter=document_filter,
            part=part,
            required=overlapping(required, part.first, part.last),
            policy=policy,
            run_id=context.run_id,
            journal=scratch / f"{Path(part.path).stem}.journal",
        )
        for part in parts
    ]
    report = Report(step=document_filter.table.name, batch=batch.key)
    written: list[Part] = []
    with track(f"{name} {batch.key}", sum(part.rows for part in parts)) as progress:
        for task, (task_parts, task_report) in context.engine.run(_judge_task, tasks, on_death=_quarantine_the_killer):
            written += task_parts
            report.merge(task_report)
            progress.advance(task.part.rows)
    lake.publish(document_filter.table, written, context.commit, batch=batch.key)
    lake.storage.drop_scratch(scratch.name)
    return report


def _quarantine_the_killer(task: _Task, death: Death) -> _Task:
    """The document that killed the process gets its verdict, and the task runs again, skipping what was done.

    A process killed from outside says nothing about its document: the task runs again without a verdict.
    """
    document_filter = task.document_filter
    describe, name = document_filter.describe_death, document_filter.name
    with Journal(task.journal) as journal:
        killer = journal.interrupted()
        if not death.own_fault:
            place = "" if killer is None else f", at the document with ordinal {killer}"
            what = f"a {name} worker on {task.part.path} of batch {task.batch}{place}"
            return replace(task, kills=count_kill(task.kills, death, what))
        if killer is None or describe is None:
            raise WorkError(f"a {name} worker died outside any document ({death.cause})")
        journal.quarantine(killer, describe(death))
    return task


def _judge_task(task: _Task) -> tuple[list[Part], Report]:
    document_filter = task.document_filter
    journal = Journal(task.journal)
    wanted = passing_in(task.lake, task.required, task.part.first, task.part.last)
    report = Report(step="", batch=task.batch)
    columns = tuple(dict.fromkeys(("ordinal", "bytes", *document_filter.columns)))
    with task.lake.writer(document_filter.table, batch=task.batch) as writer:
        for group in task.lake.read(document_filter.documents, task.part, columns):
            files = group if wanted is None else group.filter(pl.col("ordinal").is_in(wanted.implode()))
            if files.is_empty():
                continue
            judged = document_filter.judge(files, task.policy, journal)
            check_conservation(document_filter.name, files["ordinal"], judged)
            count(report, judged, files["bytes"])
            writer.write(stamp(judged, document_filter.version, task.run_id))
    return writer.parts, report


def passing(
    lake: Lake,
    batch: str,
    requires: tuple[str, ...],
    first: int = ALL_ORDINALS[0],
    last: int = ALL_ORDINALS[1],
    *,
    kind: str = "files",
) -> pl.Series | None:
    """Sorted ordinals in [first, last] of the batch's documents that every filter in `requires` keeps.

    None stands for all documents. Costs 8 bytes of memory per document in the range, whatever its size.
    """
    return passing_in(lake, verdict_parts(lake, batch, requires, kind), first, last)


def verdict_parts(lake: Lake, batch: str, requires: tuple[str, ...], kind: str = "files") -> VerdictParts:
    """Where the verdicts of the filters in `requires` are: looked up once for the many tasks of a step."""
    tables = [verdicts(kind, name) for name in requires]
    return tuple((table, tuple(lake.parts(table, batch=batch))) for table in tables)


def overlapping(parts: VerdictParts, first: int, last: int) -> VerdictParts:
    """Those that have verdicts on ordinals in [first, last]."""
    return tuple(
        (table, tuple(part for part in mine if part.last >= first and part.first <= last)) for table, mine in parts
    )


def passing_in(
    lake: Lake, parts: VerdictParts, first: int = ALL_ORDINALS[0], last: int = ALL_ORDINALS[1]
) -> pl.Series | None:
    """`passing` for verdicts that are in known places."""
    kept: npt.NDArray[np.int64] | None = None
    for table, mine in overlapping(parts, first, last):
        found = [np.empty(0, dtype=np.int64)]
        for part in mine:
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
