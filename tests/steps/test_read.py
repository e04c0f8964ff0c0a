"""Reading the sources of a batch: what fails, dies or is interrupted costs its own rows and nobody else's."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flow_tables import contents_of, rows_of, work_on
from support import lake_of, python_source, run_flow, settings_of

from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.engine.base import Death, OnDeath
from seed_platform.engine.journal import Journal
from seed_platform.engine.local import LocalEngine
from seed_platform.errors import WorkError
from seed_platform.lake.lake import Commit, Lake, Part
from seed_platform.lake.schemas import FILES, REJECTIONS, REPOSITORIES, Table
from seed_platform.settings import Settings
from seed_platform.steps import read
from seed_platform.steps.base import Step
from seed_platform.steps.flow import READ, SYNTAX
from seed_platform.steps.freshness import bring_up_to_date


def _folder(path: Path, files: dict[str, str]) -> str:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return str(path)


def _add(settings: Settings, specs: Sequence[str]) -> None:
    add_batch(lake_of(settings), pin_sources(specs, read.limits_of(settings), {}), name="only")


def test_six_hundred_broken_sources_in_one_task_are_rejections_and_each_is_read_once(lake_root: str, tmp_path: Path):
    specs = [_folder(tmp_path / "first", {"a.py": "a = 1\n"})]
    for number in range(600):
        (tmp_path / f"{number}.tar.gz").write_bytes(b"\x1f\x8b\x08\0not gzip %d" % number)
        specs.append(str(tmp_path / f"{number}.tar.gz"))
    specs.append(_folder(tmp_path / "last", {"b.py": "b = 1\n"}))
    settings = settings_of(lake_root)
    _add(settings, specs)
    [batch] = list_batches(lake_of(settings))
    task = read._Task(
        lake=lake_of(settings),
        batch="only",
        sources=tuple(enumerate(batch.sources)),
        limits=read.limits_of(settings),
        cache=tmp_path / "cache",
        scratch=tmp_path,
    )
    result = read._read_task(task)
    assert [row["ordinal"] for row in result.rejections] == list(range(1, 601))
    assert {row["reason"] for row in result.rejections} == {"corrupt_archive"}
    assert [(part.first, part.last, part.rows) for part in result.parts] == [(0, 601 << 32, 2)]
    # A record of 13 bytes when a source starts and one when it ends.
    assert [path.stat().st_size for path in tmp_path.glob("*.journal")] == [602 * 2 * 13]


def test_a_source_of_many_row_groups_that_fails_at_its_end_leaves_no_row(
    lake_root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SEED_ROW_GROUP_BYTES", str(1 << 20))
    monkeypatch.setenv("SEED_PART_BYTES", str(1 << 20))
    large = {f"{n}.py": f"x = '{n}{'a' * 700_000}'\n" for n in range(5)}
    files = [large if number in (1, 3, 4) else {"a.py": f"a = {number}\n", "b.py": ""} for number in range(6)]
    specs = [_folder(tmp_path / f"source{number}", texts) for number, texts in enumerate(files)]
    _add(settings_of(lake_root), specs)
    (tmp_path / "source3" / "4.py").write_text("changed")
    run_flow(lake_root, [], workers=1)
    lake = lake_of(settings_of(lake_root))
    expected = [
        (number << 32) + place for number, texts in enumerate(files) if number != 3 for place in range(len(texts))
    ]
    assert rows_of(lake, FILES)["ordinal"].to_list() == expected
    assert lake.column(FILES, ["ordinal"], batch="only")["ordinal"].to_list() == expected
    parts = lake.parts(FILES, batch="only")
    assert all(part.last < after.first for part, after in pairwise(parts))
    assert rows_of(lake, REJECTIONS).select("ordinal", "reason").rows() == [(3, "changed_since_added")]
    assert rows_of(lake, REPOSITORIES)["ordinal"].to_list() == [0, 1, 2, 4, 5]


@dataclass(frozen=True)
class _DeadAtOnce:
    """An engine whose workers die before they begin."""

    workers: int = 1

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, on_death: OnDeath[Any] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        del function
        assert on_death is not None
        for task in tasks:
            yield task, on_death(task, Death(-signal.SIGSEGV))


def test_what_a_killed_run_left_started_is_not_blamed_for_a_later_death(lake_root: str, tmp_path: Path):
    _add(settings_of(lake_root), [_folder(tmp_path / "good", {"a.py": "a = 1\n"})])
    context, _, [batch] = work_on(lake_root)
    with Journal(context.lake.storage.scratch(f"read-{batch.key}") / "0.0.journal") as journal:
        journal.start(0)
    with pytest.raises(WorkError, match=r"died outside any source \(SIGSEGV\)"):
        read.read_batch(replace(context, engine=_DeadAtOnce()), batch)


class _Interrupted(Lake):
    """A lake whose process is stopped at the publication after `left` others."""

    left = 0

    def publish(self, table: Table, parts: Sequence[Part], commit: Commit, **partition: str) -> None:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        super().publish(table, parts, commit, **partition)


@pytest.mark.parametrize("published", [0, 1, 2])
def test_a_run_killed_while_it_publishes_does_not_block_a_batch_whose_source_is_gone_since(
    lake_root: str, tmp_path: Path, published: int
):
    spec = _folder(tmp_path / "fragile", {"a.py": "a = 1\n"})
    _add(settings_of(lake_root), [spec])
    context, _, [batch] = work_on(lake_root)
    stopping = _Interrupted(lake_root)
    stopping.left = published
    with pytest.raises(KeyboardInterrupt):
        read.read_batch(replace(context, lake=stopping), batch)
    (Path(spec) / "a.py").write_text("changed")
    read.read_batch(context, batch)
    assert rows_of(context.lake, FILES).height == rows_of(context.lake, REPOSITORIES).height == 0
    assert rows_of(context.lake, REJECTIONS)["reason"].to_list() == ["changed_since_added"]


@dataclass(frozen=True)
class _Killed:
    """A task whose worker ends by `number` the first `times` times, in the middle of the first document or source."""

    marks: Path
    times: int
    number: int
    function: Callable[[Any], Any]
    task: Any


def _die_or_work(job: _Killed) -> Any:  # noqa: ANN401 - whatever the function gives
    deaths = len(list(job.marks.iterdir()))
    if deaths < job.times:
        (job.marks / str(deaths)).touch()
        with Journal(job.task.journal) as journal:
            journal.start(0)
        os.kill(os.getpid(), job.number)
    return job.function(job.task)


@dataclass(frozen=True)
class _Disturbed:
    """Real worker processes, the first ones of which are killed."""

    marks: Path
    times: int
    number: int
    workers: int = 1

    def run(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, on_death: OnDeath[Any] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        def again(job: _Killed, death: Death) -> _Killed:
            assert on_death is not None
            return replace(job, task=on_death(job.task, death))

        jobs = [_Killed(self.marks, self.times, self.number, function, task) for task in tasks]
        for job, result in LocalEngine(1).run(_die_or_work, jobs, on_death=again):
            yield job.task, result


def _disturb(lake_root: str, step_name: str, disturbed: _Disturbed) -> None:
    context, flow, [batch] = work_on(lake_root)
    for step in flow.steps.values():
        on_trial = replace(context, engine=disturbed) if step.name == step_name else context
        bring_up_to_date(on_trial, flow, step, batch)


@pytest.fixture
def spec(tmp_path: Path) -> str:
    (tmp_path / "marks").mkdir()
    return _folder(tmp_path / "project", {"a.py": python_source(1, 30), "b.py": "def f(:\n", "c.py": "c = 1\n"})


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("step", [READ, SYNTAX], ids=lambda step: step.name)
def test_workers_killed_from_outside_change_no_row(
    lake_root: str,
    tmp_path: Path,
    spec: str,
    step: Step,
    number: signal.Signals,
):
    other = str(tmp_path / "undisturbed")
    run_flow(other, [spec], name="only", workers=1)
    _add(settings_of(lake_root), [spec])
    _disturb(lake_root, step.name, _Disturbed(tmp_path / "marks", 2, number))
    assert len(list((tmp_path / "marks").iterdir())) == 2
    assert contents_of(lake_root) == contents_of(other)


@pytest.mark.parametrize(("step", "what"), [(READ, "the reader of .*project"), (SYNTAX, "a syntax worker on .*")])
def test_a_task_killed_from_outside_three_times_ends_the_step_and_says_what_was_killed(
    lake_root: str,
    tmp_path: Path,
    spec: str,
    step: Step,
    what: str,
):
    _add(settings_of(lake_root), [spec])
    with pytest.raises(WorkError, match=rf"{what} was killed by SIGKILL 3 times; is there enough memory\?"):
        _disturb(lake_root, step.name, _Disturbed(tmp_path / "marks", 9, signal.SIGKILL))
    assert len(list((tmp_path / "marks").iterdir())) == 3


def test_a_reader_that_crashes_by_itself_costs_its_source(lake_root: str, tmp_path: Path, spec: str):
    _add(settings_of(lake_root), [spec, _folder(tmp_path / "beside", {"d.py": "d = 1\n"})])
    context, _, [batch] = work_on(lake_root)
    read.read_batch(replace(context, engine=_Disturbed(tmp_path / "marks", 1, signal.SIGSEGV)), batch)
    rejected = rows_of(context.lake, REJECTIONS).select("spec", "reason", "detail").rows()
    assert rejected == [(spec, "reader_crash", "the reader's process died (SIGSEGV)")]
    assert rows_of(context.lake, FILES).select(pl.col("repository").unique()).rows() == [("beside",)]
