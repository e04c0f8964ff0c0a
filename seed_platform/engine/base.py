"""What a step needs of an engine: run one function over many tasks, each in a process that may die.

What belongs here: the contract. Implementations (this machine's processes, a cluster) are modules beside it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from seed_platform.errors import WorkError

MAX_KILLS = 3
"""How often the worker of one task may be killed from outside before the run gives up."""

_OWN_SIGNALS = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGABRT,
        signal.SIGILL,
        signal.SIGFPE,
        signal.SIGPROF,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Death:
    """A worker process ended without an answer: a crash, or a limit of the kernel's.

    `signal` is the number of the signal that ended it, or None if it left by itself with `exit_code`.
    """

    exit_code: int

    @property
    def signal(self) -> int | None:
        """The signal that ended the process, if one did."""
        return -self.exit_code if self.exit_code < 0 else None

    @property
    def own_fault(self) -> bool:
        """Whether what the process was doing ended it: a crash, a timer of its own, or leaving by `exit`.

        Any other signal comes from outside (the kernel short of memory, a container that stops, a person) and says
        nothing about the document.
        """
        return self.signal is None or self.signal in _OWN_SIGNALS

    @property
    def cause(self) -> str:
        """The name of the signal, or the exit code, for a person."""
        if self.signal is None:
            return f"exit code {self.exit_code}"
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"SIG{self.signal}"


def count_kill(kills: int, death: Death, what: str) -> int:
    """`kills` and one more death from outside of one task's worker, which was doing `what`.

    Raises:
        WorkError: it was the `MAX_KILLS`-th.
    """
    if kills + 1 >= MAX_KILLS:
        raise WorkError(f"{what} was killed by {death.cause} {MAX_KILLS} times; is there enough memory?")
    return kills + 1


OnDeath = Callable[[Task, Death], Task | None]
"""What to do when the worker of a task died: the task to run instead, or None to give it up without a result."""


class Engine(Protocol):
    """Runs independent tasks."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""
        ...

    def run(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        on_death: OnDeath[Task] | None = None,
    ) -> Iterator[tuple[Task, Result]]:
        """Run `function` on every task and yield (task, result) as they finish, in any order.

        Args:
            function: a module-level function; it must give the same result for the same task wherever it runs.
            tasks: picklable values.
            on_death: asked when the process of a task dies. Without it a death is an error.

        Raises:
            WorkError: a worker died and `on_death` was not given.
            Exception: whatever `function` raised, with the worker's traceback as a note.
        """
        ...
