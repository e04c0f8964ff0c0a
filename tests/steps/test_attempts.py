"""Tasks whose worker dies are tried again without the document they died of; deaths from outside are counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flow_tables import rows_of, work_on
from support import git, lake_of, make_repository, run_flow, settings_of

from seed_platform.commits.changes import CommitLimits, CommitRecord
from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.engine.base import MAX_KILLS, Death, OnDeath
from seed_platform.engine.local import LocalEngine
from seed_platform.errors import WorkError
from seed_platform.lake.schemas import COMMITS, verdicts
from seed_platform.lineage.structure_checks import commits_are_accounted_for
from seed_platform.policy import Policy
from seed_platform.sources.base import Rejection
from seed_platform.steps import read_commits
from seed_platform.steps.attempts import Attempt
from seed_platform.steps.commit_flow import COMMIT_STEPS, READ_COMMITS
from seed_platform.steps.flow import READ
from seed_platform.steps.freshness import bring_up_to_date

POLICY = Policy(commit_gate=CommitGatePolicy(commits=0, active_days=0))


@dataclass(frozen=True)
class _Job:
    """Documents 0 … 9; the worker ends by `number` at those in `deadly`, which it notes in `marks`."""

    attempt: Attempt
    marks: Path
    deadly: tuple[int, ...]
    number: int = signal.SIGSEGV
    outside: bool = False


def _work(job: _Job) -> list[int]:
    done = []
    with job.attempt.journal() as journal:
        for document in range(10):
            if document in job.attempt.dead:
                continue
            if not job.outside:
                journal.start(document)
            if document in job.deadly:
                (job.marks / f"{document}.{len(list(job.marks.iterdir()))}").touch()
                os.kill(os.getpid(), job.number)
            if not job.outside:
                journal.finish(document, b"")
            done.append(document)
    return done


def _again(job: _Job, death: Death) -> _Job:
    return replace(job, attempt=job.attempt.after(death, "the worker of the test"))


@pytest.fixture
def job(tmp_path: Path) -> _Job:
    """A job that nothing kills."""
    (tmp_path / "marks").mkdir()
    return _Job(Attempt(tmp_path / "task"), tmp_path / "marks", ())


def test_a_task_is_tried_again_without_each_document_that_it_died_of(job: _Job):
    [(last, done)] = LocalEngine(1).run(_work, [replace(job, deadly=(3, 7))], on_death=_again)
    assert done == [0, 1, 2, 4, 5, 6, 8, 9]
    assert (last.attempt.dead, last.attempt.kills) == (frozenset({3, 7}), 0)
    assert sorted(path.name for path in job.marks.iterdir()) == ["3.0", "7.1"], "each document was tried once"


def test_a_task_that_is_killed_from_outside_blames_no_document_and_gives_up(job: _Job):
    killed = replace(job, deadly=(3,), number=signal.SIGKILL)
    with pytest.raises(WorkError, match=rf"the worker of the test was killed by SIGKILL {MAX_KILLS} times"):
        list(LocalEngine(1).run(_work, [killed], on_death=_again))
    assert len(list(job.marks.iterdir())) == MAX_KILLS


def test_a_kill_from_outside_is_counted_beside_the_documents_that_died(job: _Job):
    with job.attempt.journal() as journal:
        journal.start(4)
    killed = job.attempt.after(Death(-signal.SIGTERM), "a test")
    assert (killed.dead, killed.kills) == (frozenset(), 1)
    with killed.journal() as journal:
        assert journal.interrupted() is None, "what the killed attempt had begun is not blamed for a later death"
        journal.start(5)
    crashed = killed.after(Death(-signal.SIGSEGV), "a test")
    assert (crashed.dead, crashed.kills) == (frozenset({5}), 1)


@pytest.mark.parametrize("exit_code", [-signal.SIGSEGV, 9], ids=["signal", "exit code"])
def test_a_death_outside_any_document_is_an_error_that_says_of_what(tmp_path: Path, exit_code: int):
    attempt = Attempt(tmp_path / "task")
    with attempt.journal() as journal:
        journal.start(1)
        journal.finish(1, b"")
    with pytest.raises(WorkError, match=f"a test died outside any document \\({Death(exit_code).cause}\\)"):
        attempt.after(Death(exit_code), "a test")


def test_a_worker_that_dies_outside_any_document_ends_the_run(job: _Job):
    with pytest.raises(WorkError, match=r"the worker of the test died outside any document \(SIGABRT\)"):
        list(
            LocalEngine(1).run(_work, [replace(job, deadly=(3,), number=signal.SIGABRT, outside=True)], on_death=_again)
        )


def _read_or_die(repository: Any, sha: str, limits: CommitLimits, key: bytes) -> CommitRecord | Rejection:  # noqa: ANN401 - pygit2's
    """Reads a commit, unless its message says that it is deadly."""
    if "deadly" in repository[sha].message:
        os.kill(os.getpid(), signal.SIGSEGV)
    return _REALLY_READ(repository, sha, limits, key)


_REALLY_READ = read_commits.read_commit


def _with_a_deadly_library(job: tuple[Callable[[Any], Any], Any]) -> Any:  # noqa: ANN401 - whatever the function gives
    function, task = job
    read_commits.read_commit = _read_or_die  # type: ignore[assignment]
    return function(task)


@dataclass(frozen=True)
class _DeadlyLibrary:
    """Real worker processes, whose library crashes on some commits."""

    workers: int = 1

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, on_death: OnDeath[Any] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        def again(job: tuple[Callable[[Any], Any], Any], death: Death) -> tuple[Callable[[Any], Any], Any]:
            assert on_death is not None
            return function, on_death(job[1], death)

        jobs = [(function, task) for task in tasks]
        for job, result in LocalEngine(1).run(_with_a_deadly_library, jobs, on_death=again):
            yield job[1], result


def test_a_commit_that_kills_its_reader_is_unreadable_and_costs_no_other(tmp_path: Path, lake_root: str):
    made = {}
    for number, message in enumerate(("Write a first line", "A deadly line", "Another line", "A deadly end", "Last")):
        make_repository(tmp_path / "deadly", {"a.txt": "line\n" * (number + 1)})
        git(tmp_path / "deadly", "commit", "-q", "--amend", "-m", message)
        made[git(tmp_path / "deadly", "rev-parse", "HEAD")] = message
    run_flow(lake_root, [str(tmp_path / "deadly")], policy=POLICY, name="only", workers=1, steps=(READ,))
    context, flow, [batch] = work_on(lake_root, POLICY)
    for step in COMMIT_STEPS:
        on_trial = replace(context, engine=_DeadlyLibrary()) if step is READ_COMMITS else context
        done = bring_up_to_date(on_trial, flow, step, batch)
        if step is READ_COMMITS:
            assert done.report.figures["without_patch_unreadable"] == 2
    lake = lake_of(settings_of(lake_root))
    commits = rows_of(lake, COMMITS)
    assert commits["sha"].to_list() == list(made)
    unread = commits.filter(pl.col("omitted") == "unreadable")["sha"].to_list()
    assert [made[sha] for sha in unread] == ["A deadly line", "A deadly end"]
    judged = rows_of(lake, verdicts("commits", "rules"))["reason"].to_list()
    assert [reason == "unreadable" for reason in judged] == [False, True, False, True, False]
    assert commits_are_accounted_for(lake, settings_of(lake_root), ["only"]).passed
