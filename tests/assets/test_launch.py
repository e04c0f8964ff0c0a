"""Launching what is outstanding: the order of partitions, one run at a time, checks that fail."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from support import lake_of, make_repository, python_source, settings_of

from seed_platform.automation.launch import launch, prepare_home
from seed_platform.automation.partitions import repository_batches
from seed_platform.batches import add_batch, pin_sources
from seed_platform.errors import WorkError
from seed_platform.lineage import checks
from seed_platform.lineage.checks import Outcome
from seed_platform.settings import Settings
from seed_platform.steps.flow import (
    FILE_LEVEL_CORPUS,
    READ,
    RULES,
)
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.read import limits_of


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("DAGSTER_HOME")
    settings = settings_of(str(tmp_path / "lake"))
    for number, name in enumerate(("first", "second")):
        make_repository(tmp_path / name, {"a.py": python_source(number, 20)})
        add_batch(lake_of(settings), pin_sources([str(tmp_path / name)], limits_of(settings), {}), name=name)
    yield settings
    monkeypatch.delenv("DAGSTER_HOME", raising=False)


def test_partitions_added_in_another_order_are_computed_all_the_same(settings: Settings):
    prepare_home(settings)
    with dg.DagsterInstance.get() as instance:
        instance.add_dynamic_partitions(repository_batches.name or "", ["second", "not-of-this-lake", "first"])
    steps = REPOSITORY_LINE.making(FILE_LEVEL_CORPUS.tables[0])
    computed = launch(settings, select=FILE_LEVEL_CORPUS.name).computed
    assert sorted(computed) == sorted((batch, step.name) for batch in ("first", "second") for step in steps)
    assert launch(settings, select=FILE_LEVEL_CORPUS.name).computed == []


def test_a_second_run_on_the_same_lake_is_told_to_wait(settings: Settings):
    with (lake_of(settings).storage.scratch("locks") / "launch").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(WorkError, match="another run is working on"):
            launch(settings)
    assert launch(settings, batch="first", select=RULES.name).computed == [("first", READ.name), ("first", RULES.name)]


def test_a_result_whose_check_failed_is_outstanding_again(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    broken = Outcome(passed=False, numbers={"missing": 3})
    monkeypatch.setattr(checks, "_accounted_for", lambda *_: broken)
    with pytest.raises(WorkError, match="files_are_accounted_for of github/files failed: missing 3"):
        launch(settings, select=RULES.name)
    monkeypatch.undo()
    assert len(launch(settings, select=RULES.name).computed) == 2 * len((READ, RULES))
