"""Memory is bounded by settings and not by the batch.

A worker holds a few times `row_group_bytes` of text, whatever the size of its data file; the main process holds the
list of data files and DuckDB's `query_memory_bytes`; what grows with a batch is 8 bytes per file where a step asks
which files another filter keeps, and in the near-duplicate step 16 bytes per pair that is verified, and what is made of
them once. Sources are read one file at a time, each at most `max_content_bytes`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from support import python_source

from seed_platform.steps.base import Step
from seed_platform.steps.flow import EXACT_DUPLICATES, NEAR_DUPLICATES, READ, STEPS

MIB = 1 << 20
GROWTH = 40 * MIB

_WORK = """
import sys
from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context
from seed_platform.steps.flow import STEPS
from seed_platform.steps.freshness import Flow, bring_up_to_date
from seed_platform.steps.near_duplicates import index
from seed_platform.steps.read import limits_of

if __name__ == "__main__":
    source, root, first, last, part_bytes = sys.argv[1:]
    settings = Settings(lake=root, workers=1, query_memory_bytes=64 << 20)
    index._PER_SHARD = 1 << 13
    lake = Lake(root, row_group_bytes=int(part_bytes) // 4, part_bytes=int(part_bytes))
    add_batch(lake, pin_sources([source], limits_of(settings), {}))
    flow = Flow(STEPS, list_batches(lake), Policy(), Settings())
    context = Context(lake, LocalEngine(1), settings, Policy(), "run")
    for step in STEPS[int(first) : int(last) + 1]:
        print(bring_up_to_date(context, flow, step, flow.batches[0]).report.seen.bytes)
"""


def _large_files(folder: Path, size: int) -> None:
    text = python_source(1, 700)
    for number in range(size // len(text)):
        (folder / f"m{number:05d}.py").write_text(f"number = {number}\n{text}")


def _near_copies(folder: Path, count: int) -> None:
    """One family: each file shares most of its bands with all the others."""
    text = python_source(1, 30)
    for number in range(count):
        (folder / f"m{number:05d}.py").write_text(f"{text}number = {number}\n")


def _short_texts(folder: Path, count: int) -> None:
    for number in range(count):
        words = (f"{'abcdefghij'[number * each % 10]}{number * each % 9973}" for each in (1, 3, 7, 11, 13, 17))
        (folder / f"m{number:05d}.py").write_text(f"n{number} = {' + '.join(words)}\n")


def _high_water(process: psutil.Process) -> int:
    """The kernel's own record of the most memory a process had, in bytes; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _peaks(folder: Path, size: int, first: Step, last: Step, part_bytes: int) -> tuple[int, int]:
    """The most memory that the main process and any of its workers had over the steps from `first` to `last`."""
    source, script = folder / f"source{size}", folder / "work.py"
    script.write_text(_WORK)
    arguments = [source, folder / f"lake{size}", STEPS.index(first), STEPS.index(last), part_bytes]
    started = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(script), *map(str, arguments)], stdout=subprocess.PIPE
    )
    main, main_peak, worker_peak = psutil.Process(started.pid), 0, 0
    while started.poll() is None:
        main_peak = max(main_peak, _high_water(main))
        worker_peak = max([worker_peak, *map(_high_water, _workers(main))])
        time.sleep(0.02)
    told, _ = started.communicate()
    assert started.returncode == 0
    seen = [int(line) for line in told.split()]
    assert len(seen) == STEPS.index(last) + 1 - STEPS.index(first)
    assert min(seen) >= 0.95 * sum(path.stat().st_size for path in source.iterdir())
    assert worker_peak
    return main_peak, worker_peak


def _workers(main: psutil.Process) -> list[psutil.Process]:
    """What the fork server made; it compiles what it imports, which takes more than workers do."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [worker for server in main.children() for worker in server.children()]
    return []


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's record in /proc")
@pytest.mark.parametrize(
    ("generate", "sizes", "first", "last", "part_bytes"),
    [
        (_large_files, (20 * MIB, 120 * MIB), READ, EXACT_DUPLICATES, 4 * MIB),
        (_near_copies, (1500, 9000), NEAR_DUPLICATES, NEAR_DUPLICATES, MIB),
        (_short_texts, (2500, 15_000), NEAR_DUPLICATES, NEAR_DUPLICATES, MIB // 8),
    ],
)
def test_a_batch_six_times_as_large_takes_no_more_memory(
    tmp_path: Path,
    generate: Callable[[Path, int], None],
    sizes: tuple[int, int],
    first: Step,
    last: Step,
    part_bytes: int,
):
    peaks = []
    for size in sizes:
        (tmp_path / f"source{size}").mkdir()
        generate(tmp_path / f"source{size}", size)
        if first is not READ:
            # In processes of their own: parsers alone take more than what this is about.
            _peaks(tmp_path, size, READ, STEPS[STEPS.index(first) - 1], part_bytes)
        peaks.append(_peaks(tmp_path, size, first, last, part_bytes))
    growth = {name: after - before for name, before, after in zip(("main", "worker"), *peaks, strict=True)}
    told = f"MiB of the main process and of workers: {[[peak // MIB for peak in each] for each in peaks]}"
    assert max(growth.values()) < GROWTH, told
