"""Run a command and measure what its whole process tree costs, phase by phase. Linux, standard library only.

The command says where a phase ends by `mark(name, facts)`. CPU time is exact and not sampled: it is the sum of what
living descendants and the children they waited for have used, and of the descendants that were waited for here; this
process makes itself the reaper of orphans, so workers of a fork server that outlives its parent are counted too. Peak
memory is sampled. What belongs here: measuring, and printing tables. What does not: what is measured.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

_PREFIX = "@phase "
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36
_SAMPLE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase of a command.

    Attributes:
        name: as given to `mark`.
        wall: seconds.
        cpu: CPU seconds of the process tree.
        peak_pss: most memory of the tree at once, in bytes; a page that several processes share counts once.
        foreign: CPU seconds that the rest of the machine used meanwhile.
        facts: as given to `mark`.
    """

    name: str
    wall: float
    cpu: float
    peak_pss: int
    foreign: float
    facts: dict[str, Any] = field(default_factory=dict)


def mark(name: str, **facts: Any) -> None:  # noqa: ANN401 - anything JSON has
    """Called by the measured command: the phase `name` ends here."""
    print(_PREFIX + json.dumps({"name": name, "facts": facts}), flush=True)


def run(command: Sequence[object]) -> list[Phase]:
    """Run a command, each part as `str`, and return its phases in order; what it prints besides goes to standard error.

    Raises:
        RuntimeError: it failed.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1):
        raise OSError(ctypes.get_errno(), "cannot become the reaper of orphans")
    phases: list[Phase] = []
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with _Sampler() as sampler:
        before = _Snapshot.take()
        for line in process.stdout:
            if not line.startswith(_PREFIX):
                sys.stderr.write(line)
                continue
            now = _Snapshot.take()
            told = json.loads(line.removeprefix(_PREFIX))
            phases.append(now.since(before, told["name"], sampler.restart(), told["facts"]))
            before = now
    code = process.wait()
    _wait_for_orphans()
    if code:
        raise RuntimeError(f"exit code {code}: {' '.join(map(str, command))[:300]}")
    return phases


def _wait_for_orphans() -> None:
    """Fork servers end a moment after the process they served."""
    with suppress(ChildProcessError):
        while True:
            os.wait()


@dataclass(frozen=True, slots=True)
class _Snapshot:
    wall: float
    cpu: float
    machine: float

    @classmethod
    def take(cls) -> _Snapshot:
        reaped = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = reaped.ru_utime + reaped.ru_stime + sum(_cpu_of(pid) for pid in _descendants())
        own = resource.getrusage(resource.RUSAGE_SELF)
        return cls(time.monotonic(), cpu, _machine_cpu() - own.ru_utime - own.ru_stime)

    def since(self, before: _Snapshot, name: str, peak_pss: int, facts: dict[str, Any]) -> Phase:
        cpu = self.cpu - before.cpu
        foreign = max(0.0, self.machine - before.machine - cpu)
        return Phase(name, self.wall - before.wall, cpu, peak_pss, foreign, facts)


def _machine_cpu() -> float:
    """CPU seconds of all processes since boot: all columns of /proc/stat but idle, I/O wait and guests."""
    user, nice, system, _, _, *others = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(others)) / _TICKS


def _stat(pid: int) -> list[str]:
    """/proc/PID/stat from the state on: the name before it may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def _cpu_of(pid: int) -> float:
    """CPU seconds of a process and of the children it has waited for; 0 if it is gone."""
    try:
        return sum(map(int, _stat(pid)[11:15])) / _TICKS
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _descendants() -> Iterator[int]:
    stack = [os.getpid()]
    while stack:
        parent = stack.pop()
        try:
            # A child belongs to the thread that started it.
            lists = [task.joinpath("children").read_text() for task in Path(f"/proc/{parent}/task").iterdir()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for pid in map(int, " ".join(lists).split()):
            yield pid
            stack.append(pid)


class _Sampler:
    """Watches the memory of the tree in a thread."""

    def __init__(self) -> None:
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def restart(self) -> int:
        """The peak since the last call, and begin anew."""
        peak, self._peak = max(self._peak, _pss()), 0
        return peak

    def _watch(self) -> None:
        pause = _SAMPLE_SECONDS
        while not self._stop.wait(pause):
            started = time.thread_time()
            self._peak = max(self._peak, _pss())
            # Adding up the pages of large processes costs the kernel time: at most a tenth of a core.
            pause = max(_SAMPLE_SECONDS, 10 * (time.thread_time() - started))


def _pss() -> int:
    total = 0
    for pid in _descendants():
        with suppress(OSError, IndexError):
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += int(rollup.split("\nPss:", 1)[1].split(None, 1)[0]) << 10
    return total


def machine() -> str:
    """Date and machine in words."""
    model = next(
        (line.split(": ", 1)[1] for line in Path("/proc/cpuinfo").read_text().split("\n") if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    today = datetime.now(UTC).date().isoformat()
    return f"{today}, {cores} cores, {model}, {memory:.0f} GiB, Python {platform.python_version()}"


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table, the first column to the left and the others to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(columns, *rows, strict=True)]
    for row in (columns, ["-" * (widths[0]), *("-" * (width - 1) + ":" for width in widths[1:])], *rows):
        first, *others = row
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        print(f"| {' | '.join(cells)} |")
    print(flush=True)


def prepare_peers(folder: Path) -> Path:
    """The interpreter of a virtual environment in `folder` that has what peers.txt pins; made if it is not there."""
    pins = Path(__file__).with_name("peers.txt")
    python, stamp = folder / "bin" / "python", folder / "installed.txt"
    if not stamp.is_file() or stamp.read_text() != pins.read_text():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", pins], check=True, stdout=sys.stderr)
        stamp.write_text(pins.read_text())
    return python
