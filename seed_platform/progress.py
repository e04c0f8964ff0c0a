"""Progress of long work, told to whoever listens: a terminal's bars, a run's log, or nobody.

Steps announce their tasks through `track`; they never know who is watching.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Somebody who watches."""

    def begin(self, label: str, total: int) -> int:
        """A piece of work of `total` units starts; returns a handle for it."""
        ...

    def advance(self, handle: int, units: int) -> None:
        """Some units are done."""
        ...

    def end(self, handle: int) -> None:
        """The work is over, however it ended."""
        ...


_listener: ContextVar[Listener | None] = ContextVar("seed_progress_listener", default=None)


@contextmanager
def listen(listener: Listener) -> Iterator[None]:
    """Report progress to `listener` inside this block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def is_listening() -> bool:
    """Whether somebody watches already."""
    return _listener.get() is not None


class Tracker:
    """Counts the units of one piece of work."""

    def __init__(self, listener: Listener | None, handle: int) -> None:
        self._listener, self._handle = listener, handle

    def advance(self, units: int = 1) -> None:
        """Some units are done."""
        if self._listener is not None:
            self._listener.advance(self._handle, units)


@contextmanager
def track(label: str, total: int) -> Iterator[Tracker]:
    """Announce `total` units of work named `label`; nothing to do is not worth announcing."""
    listener = _listener.get() if total else None
    handle = listener.begin(label, total) if listener is not None else 0
    try:
        yield Tracker(listener, handle)
    finally:
        if listener is not None:
            listener.end(handle)
