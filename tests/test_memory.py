"""Memory is bounded by settings and not by the batch.

A worker holds a few times `row_group_bytes` of text, whatever the size of its data file; the main process holds the
list of data files and DuckDB's `query_memory_bytes`; what grows with a batch is 8 bytes per file where a step asks
which files another filter keeps. Sources are read one file at a time, each at most `max_content_bytes`.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from support import python_source

MIB = 1 << 20
SMALL, LARGE = 20 * MIB, 120 * MIB
GROWTH = 40 * MIB

_WORK = """
import sys
from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context
from seed_platform.steps.flow import EXACT_DUPLICATES, STEPS
from seed_platform.steps.freshness import Flow, bring_up_to_date
from seed_platform.steps.read import limits_of

if __name__ == "__main__":
    source, root = sys.argv[1:]
    settings = Settings(lake=root, workers=1, row_group_bytes=1 << 20, part_bytes=4 << 20, query_memory_bytes=64 << 20)
    lake = Lake(root, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)
    add_batch(lake, pin_sources([source], limits_of(settings), {}))
    flow = Flow(STEPS, list_batches(lake), Policy(), Settings())
    context = Context(lake, LocalEngine(1), settings, Policy(), "run")
    for step in STEPS[: STEPS.index(EXACT_DUPLICATES) + 1]:
        print(bring_up_to_date(context, flow, step, flow.batches[0]).report.seen.bytes)
"""


def _generate(folder: Path, size: int) -> None:
    folder.mkdir()
    text = python_source(1, 700)
    for number in range(size // len(text)):
        (folder / f"m{number:05d}.py").write_text(f"number = {number}\n{text}")


def _high_water(process: psutil.Process) -> int:
    """The kernel's own record of the most memory a process had, in bytes; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _peaks(folder: Path, size: int) -> tuple[int, int]:
    """The most memory that the main process and any of its workers had over a batch of `size` bytes."""
    source, script = folder / f"source{size}", folder / "work.py"
    _generate(source, size)
    script.write_text(_WORK)
    started = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), str(source), str(folder / f"lake{size}")], stdout=subprocess.PIPE
    )
    main, main_peak, worker_peak = psutil.Process(started.pid), 0, 0
    while started.poll() is None:
        main_peak = max(main_peak, _high_water(main))
        worker_peak = max([worker_peak, *map(_high_water, main.children(recursive=True))])
        time.sleep(0.02)
    told, _ = started.communicate()
    assert started.returncode == 0
    seen = [int(line) for line in told.split()]
    assert len(seen) == 6
    assert min(seen) >= size - MIB
    return main_peak, worker_peak


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's record in /proc")
def test_a_batch_six_times_as_large_takes_no_more_memory(tmp_path: Path):
    small, large = _peaks(tmp_path, SMALL), _peaks(tmp_path, LARGE)
    growth = {name: after - before for name, before, after in zip(("main", "worker"), small, large, strict=True)}
    told = f"MiB at 20 MB {[peak // MIB for peak in small]}, at 120 MB {[peak // MIB for peak in large]}"
    assert max(growth.values()) < GROWTH, told
