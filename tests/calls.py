"""Calls of the `seed` command in this process; the fixture `seed` makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """How a call ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        """What it printed, if it ended well."""
        assert self.code == 0, self.err
        return json.loads(self.out)


Seed = Callable[..., Outcome]


def is_one_line(outcome: Outcome, code: int, *words: str) -> bool:
    """Whether the call ended in one line for a person; progress of the work before it may stand above."""
    assert outcome.code == code
    assert outcome.out == ""
    *progress, line = outcome.err.splitlines()
    assert all("━" in shown for shown in progress)
    assert line.startswith("seed: ")
    for word in words:
        assert word in line
    return True
