"""`seed batch remove` and `seed reference remove`: they ask, hold the lake's locks, and say what is left to do.

What belongs here: what the two commands share. What does not: the removal itself (`steps/remove.py`).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.markup import escape

from seed_platform import console
from seed_platform.batches import REFERENCES, Batch, list_batches
from seed_platform.cli_options import context_of, outstanding
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.locks import only_run
from seed_platform.lake.storage import Storage
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.steps.lines import line_of
from seed_platform.steps.remove import left_out_for, remove_batch

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")

_COMMANDS = {
    "repositories": ("batch", "seed batch"),
    "crawl": ("batch", "seed batch"),
    "references": ("reference set", "seed reference"),
}


def remove(settings: Settings, name: str, kind: str, *, yes: bool) -> None:
    """Remove the batch `name` of `kind`, or of another kind that the same command is for.

    Raises:
        UsageError: there is none, or nobody can be asked and `yes` is not given.
        WorkError: the user said no, or another run is at work.
    """
    context = context_of(settings)
    batch = _find(context.lake, name, kind)
    what, _ = _COMMANDS[kind]
    if not yes:
        _ask(f"Remove the {what} {name} ({len(batch.sources)} sources) from {context.lake.root}?")
    # Both: nothing may be launched, and no step of a run that was launched elsewhere may be at work.
    with (
        only_run(context.lake.storage, "launch"),
        only_run(context.lake.storage, "work"),
        console.Bars() as bars,
        listen(bars),
    ):
        left_out = left_out_for(context, batch)
        remove_batch(context, line_of(batch.kind).steps, batch)
        if kind != REFERENCES:
            _follow(settings)
    console.out.print(f"{what} [bold]{name}[/] removed")
    for spec in left_out:
        told = f"{spec} was left out of a later batch because it was in {name}; it can be added again"
        console.err.print(f"[yellow]note[/] {escape(told)}", soft_wrap=True)
    left = outstanding(settings)
    if left:
        batches = len({each.key for each, _ in left})
        console.out.print(f"{len(left)} results of {batches} batches are outstanding; next: seed run")


def _find(lake: Lake, name: str, kind: str) -> Batch:
    known = list_batches(lake, kind=None)
    found = next((batch for batch in known if batch.key == name), None)
    what, command = _COMMANDS[kind]
    if found is None:
        there = ", ".join(batch.key for batch in known if _COMMANDS[batch.kind] == _COMMANDS[kind]) or "none yet"
        raise UsageError(f"no {what} is called {name!r} (there are: {there}); see `{command} list`"[:600])
    if _COMMANDS[found.kind] != _COMMANDS[kind]:
        other, theirs = _COMMANDS[found.kind]
        raise UsageError(f"{name!r} is a {other}: {theirs} remove {name}")
    return found


def _ask(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked here; add --yes to remove it without a question")
    if not click.confirm(question, err=True):
        raise WorkError("nothing was removed")


def _follow(settings: Settings) -> None:
    """Let Dagster's partitions follow, where there is an instance; one made later takes them from the register."""
    storage = Storage(settings.lake)
    if "DAGSTER_HOME" in os.environ or (not storage.is_s3 and (Path(storage.root) / "_dagster").is_dir()):
        from seed_platform.automation.launch import follow_register  # noqa: PLC0415 - imports Dagster

        follow_register(settings)
