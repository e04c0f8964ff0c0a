"""What every command of `seed` has in common: which lake, which policy, JSON or text.

What belongs here: options and what they open. What does not: any command (`cli.py`, `cli_look.py`, …).
"""

from __future__ import annotations

import functools
import tomllib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from seed_platform.batches import REFERENCES, Batch, list_batches
from seed_platform.engine.local import LocalEngine
from seed_platform.errors import UsageError
from seed_platform.lake.lake import Lake
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Step
from seed_platform.steps.freshness import Flow, load_records
from seed_platform.steps.lines import LINES, Line

Command = Callable[..., None]


def lake_option(command: Command) -> Command:
    """`--lake ROOT` and `--policy FILE`, handed on as `settings`."""

    @click.option("--lake", metavar="ROOT", help="The lake: a folder or s3://bucket/prefix. [SEED_LAKE, else ./lake]")
    @click.option("--policy", metavar="FILE", type=click.Path(path_type=Path), help="Curation policy. [SEED_POLICY]")
    @functools.wraps(command)
    def with_settings(*args: Any, lake: str | None, policy: Path | None, **options: Any) -> None:  # noqa: ANN401
        given = {name: value for name, value in (("lake", lake), ("policy", policy)) if value is not None}
        try:
            settings = Settings(**given)  # type: ignore[arg-type]
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"setting {name} (SEED_{name.upper()} or seed.toml): {first['msg']}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"seed.toml is not TOML: {error}") from error
        return command(*args, settings=settings, **options)

    return with_settings


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document with stable keys.")


def lake_of(settings: Settings) -> Lake:
    """The lake that the settings name."""
    return Lake(settings.lake, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)


def existing_lake(settings: Settings) -> Lake:
    """The lake, which has a batch. Raises `UsageError` if it has none."""
    lake = lake_of(settings)
    if all(each.kind == REFERENCES for each in list_batches(lake, kind=None)):
        raise UsageError(f"{lake.root} has no batch yet: seed batch add repositories PATH_OR_URL … (or give --lake)")
    return lake


def context_of(settings: Settings) -> Context:
    """What work outside Dagster runs with; it has a run id of its own."""
    lake, engine = lake_of(settings), LocalEngine(settings.workers)
    return Context(lake, engine, settings, load_policy(settings.policy), uuid.uuid4().hex)


def flow_of(settings: Settings, line: Line) -> Flow:
    """Everything that decides what should exist of a line of work in the lake."""
    return line.flow(lake_of(settings), load_policy(settings.policy), settings)


def outstanding(settings: Settings) -> list[tuple[Batch, Step]]:
    """The results that have to be computed, of repositories and then of crawls."""
    records = load_records(lake_of(settings))
    return [each for line in LINES for each in flow_of(settings, line).outstanding(records)]
