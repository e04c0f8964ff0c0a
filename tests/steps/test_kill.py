"""`seed run` killed with SIGKILL at many moments and run again: the same rows as an undisturbed run, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from flow_tables import contents_of
from support import edited, lake_of, make_repository, python_source, settings_of

from seed_platform.batches import add_batch, pin_sources
from seed_platform.lake.schemas import MATERIALIZATIONS
from seed_platform.steps.read import limits_of

_POLL = 0.002
_AFTER_TABLES = ("files", "verdicts/files/syntax", "indexes/near_duplicates")
_AFTER_FRACTION = 0.3


@dataclass(frozen=True)
class Undisturbed:
    """What a run without disturbance left, and how many seconds it took."""

    specs: tuple[list[str], list[str]]
    contents: dict[str, list[dict[str, Any]]]
    seconds: float


def _start(root: str) -> subprocess.Popen[bytes]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SEED_", "DAGSTER_", "AWS_"))
    }
    return subprocess.Popen(
        [sys.executable, "-m", "seed_platform", "run", "--lake", root],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _run_to_the_end(root: str) -> str:
    process = _start(root)
    told, _ = process.communicate(timeout=120)
    assert process.returncode == 0, told.decode()
    return told.decode()


def _kill_when(root: str, moment: Callable[[], bool]) -> bool:
    """Start a run, kill its main process once it is the moment, and see that its workers end as well.

    Returns whether the run was still going on at that moment.
    """
    process = _start(root)
    watched = psutil.Process(process.pid)
    while not moment() and process.poll() is None:
        time.sleep(_POLL)
    running = process.poll() is None
    children = watched.children(recursive=True) if running else []
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert process.stdout is not None
    process.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=5)
    left = [each.cmdline() for each in alive if each.status() != psutil.STATUS_ZOMBIE]
    assert not left, "workers outlive the run that they belong to"
    return running


def _add(root: str, specs: tuple[list[str], list[str]]) -> None:
    settings = settings_of(root)
    for name, batch in zip(("first", "second"), specs, strict=True):
        add_batch(lake_of(settings), pin_sources(batch, limits_of(settings), {}), name=name)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Two batches of repositories with every kind of outcome, and the lake of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("kill")
    for number in range(4):
        files: dict[str, str | bytes] = {f"m{seed}.py": python_source(number * 7 + seed, 60) for seed in range(14)}
        files |= {f"near{seed}.py": edited(python_source(number * 7 + seed, 60), [3]) for seed in range(3)}
        make_repository(folder / f"project{number}", files | {"bad.py": f"def f{number}(:\n", "nul.py": b"\0"})
    specs = (
        [str(folder / "project0"), str(folder / "project1"), str(folder / "missing")],
        [str(folder / "project2"), str(folder / "project3")],
    )
    root = str(folder / "lake")
    _add(root, specs)
    started = time.monotonic()
    _run_to_the_end(root)
    return Undisturbed(specs, contents_of(root), time.monotonic() - started)


def _results_version(root: str) -> int:
    delta = lake_of(settings_of(root)).open(MATERIALIZATIONS)
    assert delta is not None
    return delta.version()


def test_killed_again_and_again_and_run_to_the_end_the_flow_gives_the_rows_of_an_undisturbed_run(
    tmp_path: Path, undisturbed: Undisturbed
):
    root = tmp_path / "lake"
    _add(str(root), undisturbed.specs)
    for table in _AFTER_TABLES:
        assert not (root / table).exists()
        assert _kill_when(str(root), (root / table).exists)
    end = time.monotonic() + _AFTER_FRACTION * undisturbed.seconds
    _kill_when(str(root), lambda: time.monotonic() >= end)
    _run_to_the_end(str(root))
    found = contents_of(str(root))
    for table, rows in undisturbed.contents.items():
        assert found[table] == rows, table
    version = _results_version(str(root))
    assert "everything is up to date" in _run_to_the_end(str(root))
    assert _results_version(str(root)) == version
