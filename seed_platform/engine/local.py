"""The local engine: processes on this machine, any of which may crash or be killed without the others noticing.

`concurrent.futures` gives up on every pending task when one worker dies ("broken pool"). Parsers that crash on hostile
input are ordinary here, so a death costs one task, and the step that owns the task says what happens next.
"""

from __future__ import annotations

import ctypes
import multiprocessing as mp
import os
import resource
import signal
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic

from seed_platform.engine.base import Death, OnDeath, Result, Task
from seed_platform.errors import WorkError

# A fork server: forking this process would copy its threads' locks (Polars, Arrow and Dagster all keep thread pools),
# and a fresh interpreter for each worker costs about a second of imports.
_context = mp.get_context("forkserver")
_preloaded = ["seed_platform.engine.preload"]
_context.set_forkserver_preload(_preloaded)

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEPT_FREE_BYTES = 64 << 20


def preload(*modules: str) -> None:
    """Have workers start with `modules` imported, else about a second each; only before the first worker starts."""
    _preloaded.extend(module for module in modules if module not in _preloaded)
    _context.set_forkserver_preload(_preloaded)


class LocalEngine:
    """Runs tasks in up to `workers` processes; each process runs many tasks, one at a time."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise ValueError(f"workers must be at least 1, not {workers}")
        self._workers = workers

    @property
    def workers(self) -> int:
        """How many tasks run at once."""
        return self._workers

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        on_death: OnDeath[Task] | None = None,
    ) -> Iterator[tuple[Task, Result]]:
        """See `Engine.run`. Leaving the iterator early ends the workers."""
        pending = deque(tasks)
        pool: list[_Worker[Task]] = []
        try:
            while pending or any(worker.task is not None for worker in pool):
                while pending and len(pool) < self._workers:
                    pool.append(_Worker(function))
                for worker in pool:
                    if worker.task is None and pending:
                        worker.give(pending.popleft())
                for worker in _ready(pool):
                    task, answer = worker.take()
                    if isinstance(answer, Death):
                        pool.remove(worker)
                        again = _after_death(function, task, answer, on_death)
                        if again is not None:
                            pending.appendleft(again)
                    else:
                        yield task, answer
        finally:
            for worker in pool:
                worker.stop()


def _after_death(function: Callable[..., Any], task: Task, death: Death, on_death: OnDeath[Task] | None) -> Task | None:
    if on_death is not None:
        return on_death(task, death)
    cause = f"signal {death.cause}" if death.signal else death.cause
    raise WorkError(f"a worker process of {function.__name__} died ({cause}) on task {task!r}"[:500])


def _ready(pool: Sequence[_Worker[Task]]) -> list[_Worker[Task]]:
    """The workers that have answered or died; waits until there is one."""
    busy = {worker.connection: worker for worker in pool if worker.task is not None}
    return [busy[connection] for connection in wait(list(busy)) if isinstance(connection, Connection)]


class _Worker(Generic[Task]):
    """One process and the task it is on."""

    def __init__(self, function: Callable[[Task], Any]) -> None:
        self.connection, theirs = _context.Pipe()
        self.process: BaseProcess = _context.Process(
            target=_serve, args=(function, theirs, os.getpid()), daemon=True, name=f"seed-{function.__name__}"
        )
        self.process.start()
        theirs.close()
        self.task: Task | None = None

    def give(self, task: Task) -> None:
        self.task = task
        # It may have died between two tasks; `take` finds out and reports it against this one.
        with suppress(BrokenPipeError):
            self.connection.send(task)

    def take(self) -> tuple[Task, Any]:
        """The task and its answer, or its `Death`. Raises what the function raised."""
        task = self.task
        if task is None:
            raise RuntimeError("took an answer from an idle worker")
        try:
            error, answer, trace = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return task, Death(self.process.exitcode or 0)
        self.task = None
        if error is not None:
            error.add_note(f"in a worker process:\n{trace}")
            raise error
        return task, answer

    def stop(self) -> None:
        self.connection.close()
        if self.task is not None:
            self.process.terminate()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(function: Callable[[Any], Any], connection: Connection, parent: int) -> None:
    """The worker's loop: tasks in, (error, result, traceback) out, until the pipe closes."""
    # Workers inherit the pipe by which the fork server learns that the main process is gone; while one holds it open,
    # the fork server, and with it every worker, would outlive a killed run.
    os.close(forkserver._forkserver._forkserver_alive_fd)  # type: ignore[attr-defined]  # noqa: SLF001 - no public name
    # A grammar that crashes must not leave a core file wherever the user happens to be.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _die_with(parent)
    _keep_freed_memory()
    # The terminal sends Ctrl-C to the whole group; the parent decides what becomes of its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        answer: tuple[Exception | None, Any, str]
        try:
            answer = (None, function(task), "")
        except Exception as error:  # noqa: BLE001 - every error goes to the parent, which raises it
            answer = (error, None, traceback.format_exc())
        try:
            connection.send(answer)
        except BrokenPipeError:
            return
        except Exception as error:  # noqa: BLE001 - an answer or error that cannot be pickled
            told = WorkError(f"{function.__name__} gave what cannot be sent: {error!r}")
            connection.send((told, None, answer[2]))


def _keep_freed_memory() -> None:
    """Have the allocator keep some freed memory: to get the same arrays anew for each row group costs a tenth more."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _KEPT_FREE_BYTES // 2)
            mallopt(_M_TRIM_THRESHOLD, _KEPT_FREE_BYTES)


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when the run's main process ends, however it ends.

    The fork server is the direct parent, and it ends when the main process does.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
