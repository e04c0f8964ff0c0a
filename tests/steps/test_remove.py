"""Removing a batch: nothing of it is left, the others are as if it had never been there, and a kill leaves no half."""

from __future__ import annotations

import fcntl
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from calls import Seed, is_one_line
from flow_tables import LINE_TABLES, contents_of, line_rows_of, outcomes_of, work_on
from support import edited, lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.automation.launch import follow_register
from seed_platform.automation.partitions import repository_batches
from seed_platform.batches import Added, add_batch, list_batches, pin_sources, remove_from_register
from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.indexes.near_duplicates import folder_of
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import BATCHES, COMMIT_INDEX, MATERIALIZATIONS, NEAR_DUPLICATE_INDEX, Table
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps import remove
from seed_platform.steps.commit_flow import GATE
from seed_platform.steps.flow import READ, RULES
from seed_platform.steps.freshness import load_records
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.read import limits_of
from seed_platform.steps.remove import remove_batch

_INDEXES = (NEAR_DUPLICATE_INDEX, COMMIT_INDEX)
_POLICY = Policy(commit_gate=CommitGatePolicy(commits=0, active_days=0))
_STEPS = REPOSITORY_LINE.steps
_TEXT, _LIBRARY = python_source(1, 60), {f"lib/m{number}.py": python_source(20 + number, 20) for number in range(8)}
_FILES: dict[str, dict[str, str | bytes]] = {
    "first": {"a.py": _TEXT, **_LIBRARY, "own.py": python_source(2, 40)},
    "second": {"a_copy.py": _TEXT, "a_near.py": edited(python_source(2, 40), [20]), "own.py": python_source(3, 40)},
    "third": {**_LIBRARY, "near.py": edited(_TEXT, [30])},
}


def _remove(root: str, name: str) -> None:
    context, _, _ = work_on(root, _POLICY)
    remove_batch(context, _STEPS, next(each for each in list_batches(context.lake) if each.key == name))


def _outstanding(root: str) -> set[tuple[str, str]]:
    context, flow, _ = work_on(root, _POLICY)
    return {(batch.key, step.name) for batch, step in flow.outstanding(load_records(context.lake))}


def _tables(root: str, without: str = "") -> dict[str, list[dict[str, Any]]]:
    """All rows but those of one batch; not the indexes, which number batches by arrival."""
    return {name: [row for row in rows if row["batch"] != without] for name, rows in line_rows_of(root).items()}


def _run(root: str, *specs: Path, name: str | None = None) -> None:
    run_flow(root, [str(spec) for spec in specs], policy=_POLICY, name=name, workers=1, steps=_STEPS)


def _everything(root: str) -> tuple[dict[str, list[dict[str, Any]]], dict[str, list[dict[str, Any]]]]:
    """All rows, and those of files with the index."""
    return _tables(root), contents_of(root)


def _batches_of(lake: Lake, table: Table) -> set[str]:
    delta = lake.open(table)
    return set() if delta is None else set(pl.DataFrame(delta.to_pyarrow_table(columns=["batch"]))["batch"])


def _add(root: str, *specs: Path, name: str | None = None) -> Added:
    settings = settings_of(root)
    return add_batch(lake_of(settings), pin_sources([str(spec) for spec in specs], limits_of(settings), {}), name=name)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three repositories and the lake of their batches; tests that write take a copy of the lake."""
    folder = tmp_path_factory.mktemp("done")
    for name, files in _FILES.items():
        make_repository(folder / name, files)
        _run(str(folder / "lake"), folder / name, name=name)
    return folder


@pytest.fixture
def root(done: Path, tmp_path: Path) -> str:
    return str(shutil.copytree(done / "lake", tmp_path / "lake"))


def test_once_run_again_the_others_are_as_if_the_batch_had_never_arrived(done: Path, root: str, tmp_path: Path):
    before = outcomes_of(root)
    assert before["second/a_copy.py"] == "exact_duplicates: exact_duplicate"
    assert before["second/a_near.py"] == "near_duplicates: near_duplicate"
    _remove(root, "first")
    _run(root)
    after = outcomes_of(root)
    assert set(after) == {name for name in before if not name.startswith("first/")}
    assert (after["second/a_copy.py"], after["second/a_near.py"]) == ("kept", "kept")
    assert after["third/near.py"] == "near_duplicates: near_duplicate"
    never = str(tmp_path / "never")
    for name in ("second", "third"):
        _run(never, done / name, name=name)
    assert _tables(root) == _tables(never)


def test_only_later_batches_that_were_compared_with_it_are_outstanding(root: str):
    _remove(root, "second")
    left = _outstanding(root)
    alone = {step.name for step in (READ, RULES, GATE)}
    assert {batch for batch, _ in left} == {"third"}
    assert {step for _, step in left} == {step.name for step in _STEPS} - alone


def test_removing_the_last_batch_leaves_the_others_as_they_were(root: str):
    before = _tables(root, without="third")
    _remove(root, "third")
    assert _outstanding(root) == set()
    assert _tables(root) == before


def test_nothing_of_a_removed_batch_is_left(root: str):
    lake = lake_of(settings_of(root))
    assert all("first" in _batches_of(lake, table) for table in (BATCHES, MATERIALIZATIONS, *_INDEXES))
    assert all(lake.storage.list(f"{folder_of(index)}/first") for index in _INDEXES)
    (lake.storage.scratch("syntax-1-0-first") / "0.journal").touch()
    _remove(root, "first")
    for table in (*LINE_TABLES.values(), BATCHES, MATERIALIZATIONS):
        assert "first" not in _batches_of(lake, table)
    assert not any((Path(root) / folder_of(index) / "first").exists() for index in _INDEXES)
    assert not [path for path in (Path(root) / "_scratch").iterdir() if path.name.endswith("-first")]


@pytest.mark.parametrize("after", [0, len(_STEPS) + 1, 99])
def test_a_killed_removal_is_undone_by_a_run_or_done_by_another_removal(
    done: Path, root: str, monkeypatch: pytest.MonkeyPatch, after: int
):
    made = 0
    publish = Lake.publish

    def dying(*args: Any, **partition: str) -> None:  # noqa: ANN401 - as given
        nonlocal made
        if made == after:
            raise KeyboardInterrupt
        made += 1
        publish(*args, **partition)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lake, "publish", dying)
    monkeypatch.setattr(remove, "remove_from_register", die)  # for more than there are commits
    with pytest.raises(KeyboardInterrupt):
        _remove(root, "first")
    monkeypatch.undo()
    again = str(shutil.copytree(root, Path(root).with_name("again")))
    _remove(again, "first")
    assert [batch.key for batch in list_batches(Lake(again))] == ["second", "third"]
    assert all("first" not in _batches_of(Lake(again), table) for table in (*LINE_TABLES.values(), MATERIALIZATIONS))
    _run(root)
    assert _everything(root) == _everything(str(done / "lake"))


def test_a_batch_that_arrives_after_the_last_was_removed_may_have_its_number_and_its_name(root: str, done: Path):
    before = _everything(root)
    _remove(root, "third")
    added = _add(root, done / "third", name="third")
    assert (added.new, added.batch.arrival) == (True, 3)
    _run(root)
    assert _everything(root) == before


def test_numbers_of_batches_between_are_not_given_again(root: str, done: Path):
    _remove(root, "second")
    assert _add(root, done / "second", name="second").batch.arrival == 4


def test_what_was_left_out_for_the_removed_can_be_added_again(root: str, done: Path, tmp_path: Path):
    make_repository(tmp_path / "new", {"n.py": "x = 1\n"})
    both = _add(root, done / "first", tmp_path / "new", name="both")
    assert both.batch.sources[0].rejected == ("already_arrived", "in batch first")
    context, _, batches = work_on(root)
    assert remove.left_out_for(context, batches[0]) == [str(done / "first")]
    assert not _add(root, done / "first", tmp_path / "new").new
    _remove(root, "first")
    again = _add(root, done / "first", tmp_path / "new", name="again")
    assert again.new
    assert [source.rejected for source in again.batch.sources] == [None, ("already_arrived", "in batch both")]
    assert not _add(root, done / "first", tmp_path / "new").new


def test_live_batches_never_share_a_number_however_many_come_and_go_at_once(lake_root: str, tmp_path: Path):
    limits = limits_of(settings_of(lake_root))
    folders = [tmp_path / f"s{number:02d}" for number in range(16)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "a.py").write_text(f"x = {number}\n")
    barrier = threading.Barrier(4)

    def work(part: int) -> None:
        pinned = [pin_sources([str(folder)], limits, {}) for folder in folders[part::4]]
        barrier.wait()
        for number, sources in enumerate(pinned):
            added = add_batch(Lake(lake_root), sources)
            if number % 2:
                remove_from_register(Lake(lake_root), added.batch)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    batches = list_batches(Lake(lake_root))
    assert len(batches) == len({batch.arrival for batch in batches}) == len({batch.key for batch in batches}) == 8


def test_the_command_removes_a_batch_and_its_partition(seed: Seed, tmp_path: Path):
    for number, name in enumerate(("one", "two")):
        make_repository(tmp_path / name, {"a.py": _TEXT, "b.py": python_source(number, 30)})
        seed("batch", "add", "repositories", name, "--name", name)
    follow_register(Settings(lake=str(tmp_path / "lake")))
    home = str(tmp_path / "lake" / "_dagster")
    with dg.DagsterInstance.from_config(home) as instance:
        assert instance.get_dynamic_partitions(repository_batches.name or "") == ["one", "two"]
    assert is_one_line(seed("batch", "remove", "one"), 2, "--yes")
    assert is_one_line(seed("batch", "remove", "three", "--yes"), 2, "no batch is called 'three'", "one, two")
    assert is_one_line(seed("reference", "remove", "one", "--yes"), 2, "seed batch remove one")
    told = seed("batch", "remove", "one", "--yes")
    assert (told.code, "next: seed run" in told.out) == (0, True)
    with dg.DagsterInstance.from_config(home) as instance:
        assert instance.get_dynamic_partitions(repository_batches.name or "") == ["two"]
    assert [batch["batch"] for batch in seed("batch", "list", "--json").json] == ["two"]
    assert seed("batch", "remove", "two", "--yes").code == 0
    assert is_one_line(seed("run"), 2, "has no batch yet")


@pytest.mark.parametrize("lock", ["launch", "work"])
def test_a_removal_waits_for_no_run_and_disturbs_none(seed: Seed, root: str, lock: str):
    before = _everything(root)
    with (lake_of(settings_of(root)).storage.scratch("locks") / lock).open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert is_one_line(seed("batch", "remove", "first", "--yes", "--lake", root), 1, "another run is working on")
    assert _everything(root) == before
    assert _outstanding(root) == set()
