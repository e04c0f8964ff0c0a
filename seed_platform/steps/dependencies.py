"""Which files of a repository depend on which, for the repositories that are no copies (PAPER §2).

A task reads the files of a run of repositories once, keeps what each says of its imports, and resolves them at the end
of each repository. What belongs here: moving data, and files that kill a parser. What does not: languages
(`dependencies/`).
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from seed_platform.batches import Batch
from seed_platform.dependencies.base import Facts
from seed_platform.dependencies.graph import CONFIGURATIONS, Failure, file_facts, repository_edges, resolver_of
from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.schemas import DEPENDENCIES
from seed_platform.progress import track
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.base import Context, Report
from seed_platform.steps.repository_quality import REQUIRES, kept_repositories
from seed_platform.steps.repository_tasks import files_of, in_tasks, kept_by_rules

VERSION = "1"

_MAX_BYTES = 1 << 20
"""Larger files are not parsed; few are written by hand."""
_CPU_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Task:
    lake: Lake
    batch: str
    places: tuple[int, ...]
    attempt: Attempt


@dataclass(slots=True)
class _Found:
    parts: list[Part] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)


def find_dependencies(context: Context, batch: Batch) -> Report:
    """Find the dependencies inside each repository of one batch and publish them."""
    lake = context.lake
    scratch = lake.storage.scratch(f"dependencies-{batch.key}")
    places = kept_repositories(lake, batch.key, REQUIRES).to_list()
    tasks = [
        _Task(lake, batch.key, run, Attempt(scratch / f"{run[0]}.{context.run_id}"))
        for run in in_tasks(lake, batch.key, places)
    ]
    found = _Found()
    with track(f"dependencies {batch.key}", len(places)) as progress:
        for task, result in context.engine.run(_find, tasks, on_death=_skip_the_killer):
            found.parts += result.parts
            found.figures += result.figures
            progress.advance(len(task.places))
    lake.publish(DEPENDENCIES, found.parts, context.commit, batch=batch.key)
    lake.storage.drop_scratch(scratch.name)
    report = Report(step=DEPENDENCIES.name, batch=batch.key, figures=dict(found.figures))
    report.seen.add(found.figures["files"], found.figures["bytes"])
    report.kept.add(found.figures["files"], found.figures["bytes"])
    return report


def _skip_the_killer(task: _Task, death: Death) -> _Task:
    """The file that kills its parser has no dependencies, and the task starts over."""
    return replace(task, attempt=task.attempt.after(death, f"a reader of dependencies of batch {task.batch}"))


def _find(task: _Task) -> _Found:
    found = _Found()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with task.attempt.journal() as journal, task.lake.writer(DEPENDENCIES, batch=task.batch) as writer:
        for place in task.places:
            edges = _edges(task, place, journal, found.figures)
            found.figures["edges"] += edges.height
            writer.write(edges)
    found.parts = writer.parts
    return found


def _edges(task: _Task, place: int, journal: Journal, figures: Counter[str]) -> pl.DataFrame:
    """The rows of one repository."""
    wanted = set(kept_by_rules(task.lake, task.batch, place))
    ordinals: dict[str, int] = {}
    facts: dict[str, Facts] = {}
    configurations: dict[str, bytes] = {}
    for group in files_of(task.lake, task.batch, place, ["path", "language", "bytes", "content"]):
        for ordinal, path, language, size, content in group.iter_rows():
            ordinals[path] = ordinal
            if content is None or size > _MAX_BYTES:
                continue
            if path.rsplit("/", 1)[-1] in CONFIGURATIONS:
                configurations[path] = content.encode()
            if ordinal in wanted and resolver_of(language) is not None:
                figures["files"] += 1
                figures["bytes"] += size
                if ordinal in task.attempt.dead:
                    figures["files_that_kill_their_parser"] += 1
                    continue
                said = _facts(ordinal, path, language, content.encode(), journal)
                if isinstance(said, Failure):
                    figures[f"failures_of_{said.resolver}"] += 1
                elif said is not None:
                    facts[path] = said
    return _rows(facts, configurations, ordinals, figures)


def _facts(ordinal: int, path: str, language: str, source: bytes, journal: Journal) -> Facts | Failure | None:
    journal.start(ordinal)
    # A loop in a grammar's C code can only be ended from outside, by the default action of a signal.
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS)
    said = file_facts(path, language, source)
    signal.setitimer(signal.ITIMER_PROF, 0)
    journal.finish(ordinal, b"")
    return said


def _rows(
    facts: Mapping[str, Facts], configurations: Mapping[str, bytes], ordinals: Mapping[str, int], figures: Counter[str]
) -> pl.DataFrame:
    resolved = repository_edges(facts, configurations, frozenset(ordinals))
    figures.update(f"failures_of_{failure.resolver}" for failure in resolved.failures)
    pairs = [(ordinals[edge.user], ordinals[edge.dependency]) for edge in resolved.edges]
    schema = {"ordinal": pl.Int64, "dependency": pl.Int64}
    return pl.DataFrame(pairs, schema=schema, orient="row").unique().sort("ordinal", "dependency")
