"""What steps over whole repositories share: tasks of neighbouring repositories, and reading one's files in order.

What belongs here: which rows belong to which repository. What does not: what is done with them
(`dependencies.py`, `repository_sequences.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, REPOSITORIES
from seed_platform.steps.judge import passing
from seed_platform.steps.read import FILES_PER_REPOSITORY

_BYTES_PER_TASK = 32 << 20


def in_tasks(lake: Lake, batch: str, places: Sequence[int]) -> list[tuple[int, ...]]:
    """The repositories `places` in order, in runs of about `_BYTES_PER_TASK` of files or one repository."""
    sizes = dict(lake.column(REPOSITORIES, ["ordinal", "bytes"], batch=batch).iter_rows())
    tasks: list[tuple[int, ...]] = []
    run: list[int] = []
    size = 0
    for place in sorted(places):
        if run and size + sizes[place] > _BYTES_PER_TASK:
            tasks.append(tuple(run))
            run, size = [], 0
        run.append(place)
        size += sizes[place]
    return [*tasks, tuple(run)] if run else tasks


def bounds(place: int) -> tuple[int, int]:
    """The first and last ordinal that a file of a repository can have."""
    return place * FILES_PER_REPOSITORY, (place + 1) * FILES_PER_REPOSITORY - 1


def files_of(lake: Lake, batch: str, place: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """The rows of a repository's files, in order, a bounded frame at a time; `columns` beside ordinal."""
    first, last = bounds(place)
    for part in lake.parts(FILES, batch=batch):
        if part.last < first or part.first > last:
            continue
        for group in lake.read(FILES, part, ["ordinal", *columns], first=first, last=last):
            mine = group.filter(pl.col("ordinal").is_between(first, last))
            if not mine.is_empty():
                yield mine


def kept_by_rules(lake: Lake, batch: str, place: int) -> pl.Series:
    """The ordinals of a repository's files that the rules keep, ascending."""
    kept = passing(lake, batch, ("rules",), *bounds(place))
    assert kept is not None  # noqa: S101 - one filter is asked
    return kept
