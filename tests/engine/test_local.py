import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from seed_platform.engine.base import Death
from seed_platform.engine.local import LocalEngine
from seed_platform.errors import WorkError


def square(number: int) -> int:
    time.sleep(0.5 if number == 0 else 0)
    return number * number


def die_on_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def leave_by_exit(number: int) -> int:
    os._exit(number)


def fail(number: int) -> int:
    raise LookupError(f"no such number: {number}")


def give_what_cannot_be_sent(number: int) -> object:
    return lambda: number


def note_pid_and_sleep(folder: str) -> None:
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


def first_is_quick(task: tuple[str, int]) -> int:
    folder, number = task
    (Path(folder) / str(os.getpid())).touch()
    if number:
        time.sleep(60)
    return number


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie whose parent has not asked for it yet has ended all the same.
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def pids_in(folder: Path, count: int, seconds: float = 30) -> list[int]:
    end = time.monotonic() + seconds
    while len(found := [int(path.name) for path in folder.iterdir()]) < count:
        assert time.monotonic() < end, f"only {len(found)} of {count} workers started"
        time.sleep(0.02)
    return found


def gone(pids: list[int], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_the_same_however_many_workers_there_are(workers: int):
    found = dict(LocalEngine(workers).run(square, range(20)))
    assert found == {number: number * number for number in range(20)}


def test_a_slow_task_does_not_hold_back_the_others():
    order = [task for task, _ in LocalEngine(2).run(square, range(6))]
    assert sorted(order) == list(range(6))
    assert order[0] != 0


def test_no_tasks_give_no_results():
    assert list(LocalEngine(2).run(square, [])) == []


def test_an_engine_without_workers_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        LocalEngine(0)


def test_a_dying_worker_costs_one_task():
    deaths: list[tuple[int, Death]] = []

    def give_up(task: int, death: Death) -> None:
        deaths.append((task, death))

    found = dict(LocalEngine(2).run(die_on_three, range(8), on_death=give_up))
    assert found == {number: number for number in range(8) if number != 3}
    assert deaths == [(3, Death(-signal.SIGSEGV))]
    assert deaths[0][1].signal == signal.SIGSEGV


def test_the_task_that_on_death_returns_runs_instead():
    found = dict(LocalEngine(2).run(die_on_three, range(8), on_death=lambda task, _: task + 100))
    assert found == {number: number for number in (0, 1, 2, 103, 4, 5, 6, 7)}


def test_a_worker_that_exits_by_itself_is_dead_without_a_signal():
    deaths: list[Death] = []
    assert list(LocalEngine(1).run(leave_by_exit, [5], on_death=lambda _, death: deaths.append(death))) == []
    assert deaths == [Death(5)]
    assert deaths[0].signal is None


def test_a_death_that_nobody_handles_is_an_error_that_names_signal_and_task():
    with pytest.raises(WorkError, match=r"die_on_three died \(signal SIGSEGV\) on task 3"):
        list(LocalEngine(1).run(die_on_three, [3]))


def test_an_error_carries_the_workers_traceback_as_a_note():
    with pytest.raises(LookupError, match="no such number: 4") as caught:
        list(LocalEngine(1).run(fail, [4]))
    assert "in a worker process" in caught.value.__notes__[0]
    assert "in fail" in caught.value.__notes__[0]


def test_an_answer_that_cannot_be_sent_is_an_error():
    with pytest.raises(WorkError, match="gave what cannot be sent"):
        list(LocalEngine(1).run(give_what_cannot_be_sent, [1]))


def test_leaving_the_iterator_early_ends_the_workers(tmp_path: Path):
    results = LocalEngine(2).run(first_is_quick, [(str(tmp_path), 0), (str(tmp_path), 1), (str(tmp_path), 2)])
    assert next(results) == ((str(tmp_path), 0), 0)
    workers = pids_in(tmp_path, 2)
    results.close()
    assert gone(workers)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_killing_the_parent_ends_the_workers(tmp_path: Path):
    program = (
        "import sys; from seed_platform.engine.local import LocalEngine; from test_local import note_pid_and_sleep\n"
        "if __name__ == '__main__':\n    list(LocalEngine(2).run(note_pid_and_sleep, [sys.argv[1]] * 2))"
    )
    script = tmp_path / "main.py"
    script.write_text(program)
    pids = tmp_path / "pids"
    pids.mkdir()
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, str(script), str(pids)], env=environment)
    workers = pids_in(pids, 2)
    parent.kill()
    parent.wait()
    assert gone(workers)


@pytest.mark.parametrize(
    ("exit_code", "own_fault", "cause"),
    [
        *((-number, True, number.name) for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGPROF)),
        *((-number, False, number.name) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)),
        (3, True, "exit code 3"),
        (-int(signal.SIGRTMIN) - 1, False, f"SIG{int(signal.SIGRTMIN) + 1}"),
    ],
)
def test_a_death_says_whether_it_came_from_outside(exit_code: int, own_fault: bool, cause: str):  # noqa: FBT001
    assert (Death(exit_code).own_fault, Death(exit_code).cause) == (own_fault, cause)
