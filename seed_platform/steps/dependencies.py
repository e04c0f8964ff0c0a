"""Which files of a repository depend on which, for the repositories that are no copies (PAPER §2).

A task reads the files of a run of repositories once, keeps what each says of its imports, and resolves them at the end
of each repository. What belongs here: moving data, and files and repositories that kill what reads them. What does not:
languages (`dependencies/`).
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from posixpath import basename

import polars as pl

from seed_platform.batches import Batch
from seed_platform.dependencies.base import Facts
from seed_platform.dependencies.graph import CONFIGURATIONS, RESOLVERS, Failure, file_facts, resolver_of
from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.lake.lake import Part
from seed_platform.lake.schemas import DEPENDENCIES, FILES
from seed_platform.progress import track
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.base import Context, Report
from seed_platform.steps.repository_quality import REQUIRES, kept_repositories
from seed_platform.steps.repository_tasks import RULES, Run, bounds, in_runs, of_place

VERSION = "1"

_MAX_BYTES = 1 << 20
"""Larger files are not parsed; few are written by hand."""
_CPU_SECONDS = 10.0
_CPU_SECONDS_TO_RESOLVE = 60.0
"""For all files of a repository."""
_MAX_EDGES = 2_000_000
"""Of one repository. Names that are declared and used in every file are an edge for each pair of files."""


@dataclass(frozen=True, slots=True)
class _Task:
    run: Run
    attempt: Attempt


@dataclass(slots=True)
class _Found:
    parts: list[Part] = field(default_factory=list)
    figures: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class _Repository:
    """What is known of a repository's files, by path."""

    ordinals: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Facts] = field(default_factory=dict)
    configurations: dict[str, bytes] = field(default_factory=dict)


def find_dependencies(context: Context, batch: Batch) -> Report:
    """Find the dependencies inside each repository of one batch and publish them."""
    lake = context.lake
    scratch = lake.storage.scratch(f"dependencies-{batch.key}")
    places = kept_repositories(lake, batch.key, REQUIRES).to_list()
    tasks = [
        _Task(run, Attempt(scratch / f"{run.places[0]}.{context.run_id}"))
        for run in in_runs(lake, batch.key, places, [])
    ]
    found = _Found()
    with track(f"dependencies {batch.key}", len(places)) as progress:
        for task, result in context.engine.run(_find, tasks, on_death=_skip_the_killer):
            found.parts += result.parts
            found.figures += result.figures
            progress.advance(len(task.run.places))
    lake.publish(DEPENDENCIES, found.parts, context.commit, batch=batch.key)
    lake.storage.drop_scratch(scratch.name)
    report = Report(step=DEPENDENCIES.name, batch=batch.key, figures=dict(found.figures))
    report.seen.add(found.figures["files"], found.figures["bytes"])
    report.kept.add(found.figures["files"], found.figures["bytes"])
    return report


def _skip_the_killer(task: _Task, death: Death) -> _Task:
    """A file that kills its parser and a repository that kills its resolver have no edges, and the task starts over."""
    return replace(task, attempt=task.attempt.after(death, f"a reader of dependencies of batch {task.run.batch}"))


def _find(task: _Task) -> _Found:
    found, run = _Found(), task.run
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    kept = run.ordinals(RULES, pl.col("keep"))
    with task.attempt.journal() as journal, run.lake.writer(DEPENDENCIES, batch=run.batch) as writer:
        for place, frames in run.rows(FILES, ["path", "language", "bytes", "content"]):
            wanted = set(of_place(kept, place).tolist())
            repository = _read(frames, wanted, task.attempt.dead, journal, found.figures)
            edges = _edges(repository, place, task.attempt.dead, journal, found.figures)
            found.figures["edges"] += edges.height
            writer.write(edges)
    found.parts = writer.parts
    return found


def _read(
    frames: Iterable[pl.DataFrame], wanted: set[int], dead: frozenset[int], journal: Journal, figures: Counter[str]
) -> _Repository:
    """What the files of one repository say."""
    read = _Repository()
    for group in frames:
        for ordinal, path, language, size, content in group.iter_rows():
            if path in read.ordinals:
                # Bytes that are not UTF-8 may be shown as a path that another file really has: no import means it.
                figures["files_whose_path_looks_like_another"] += 1
                continue
            read.ordinals[path] = ordinal
            if content is None or size > _MAX_BYTES:
                continue
            if basename(path) in CONFIGURATIONS:
                read.configurations[path] = content.encode()
            if ordinal in wanted and resolver_of(language) is not None:
                figures["files"] += 1
                figures["bytes"] += size
                if ordinal in dead:
                    figures["files_that_kill_their_parser"] += 1
                    continue
                with _survivable(journal, ordinal, _CPU_SECONDS):
                    said = file_facts(path, language, content.encode())
                if isinstance(said, Failure):
                    figures[f"failures_of_{said.resolver}"] += 1
                elif said is not None:
                    read.facts[path] = said
    return read


@contextmanager
def _survivable(journal: Journal, ordinal: int, seconds: float) -> Iterator[None]:
    """Record that what is done here may kill the process, and kill it after so many seconds of processor time."""
    journal.start(ordinal)
    # A loop in a grammar's C code can only be ended from outside, by the default action of a signal.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    journal.finish(ordinal, b"")


def _edges(
    repository: _Repository, place: int, dead: frozenset[int], journal: Journal, figures: Counter[str]
) -> pl.DataFrame:
    """The rows of one repository."""
    # In the journal a repository as a whole stands under an ordinal that none of its files has.
    whole = bounds(place)[1]
    pairs: dict[str, list[int]] = {"ordinal": [], "dependency": []}
    if whole in dead:
        figures["repositories_that_kill_their_resolver"] += 1
    elif repository.facts:
        with _survivable(journal, whole, _CPU_SECONDS_TO_RESOLVE):
            _resolve(repository, pairs, figures)
    schema = {"ordinal": pl.Int64, "dependency": pl.Int64}
    return pl.DataFrame(pairs, schema=schema).unique().sort("ordinal", "dependency")


def _resolve(repository: _Repository, pairs: Mapping[str, list[int]], figures: Counter[str]) -> None:
    """Add users and their dependencies to `pairs`, language by language, up to `_MAX_EDGES`.

    As `repository_edges` does, which holds all edges however many there are. The figure edges_over_limit is the number
    of repositories that have more.
    """
    ordinals, paths = repository.ordinals, frozenset(repository.ordinals)
    users, dependencies = pairs["ordinal"], pairs["dependency"]
    for resolver in RESOLVERS:
        facts = {path: said for path, said in sorted(repository.facts.items()) if said.language in resolver.languages}
        texts = sorted(repository.configurations.items())
        own = {path: text for path, text in texts if basename(path) in resolver.configurations}
        try:
            for edge in resolver.edges(facts, own, paths) if facts else ():
                if len(users) == _MAX_EDGES:
                    figures["edges_over_limit"] += 1
                    return
                user, dependency = ordinals[edge.user], ordinals[edge.dependency]
                users.append(user)
                dependencies.append(dependency)
        except Exception:  # noqa: BLE001 - the other languages' edges stay; the failure is counted by its name
            figures[f"failures_of_{type(resolver).__name__}"] += 1
