"""What steps over whole repositories share: tasks of neighbouring repositories, and reading them one after the other.

A task reads the rows of its repositories in one pass over each table, whose data files the step looks up once for all
its tasks: to read each repository by itself decodes a row group as often as there are repositories in it. What belongs
here: which rows belong to which repository. What does not: what is done with them (`dependencies.py`,
`repository_sequences.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, REPOSITORIES, Table, verdicts
from seed_platform.steps.judge import VerdictParts, overlapping
from seed_platform.steps.read import FILES_PER_REPOSITORY

RULES = verdicts("files", "rules")

_BYTES_PER_TASK = 32 << 20

Ordinals = npt.NDArray[np.int64]


def bounds(place: int) -> tuple[int, int]:
    """The first and last ordinal that a file of a repository can have; no repository has so many that one has it."""
    return place * FILES_PER_REPOSITORY, (place + 1) * FILES_PER_REPOSITORY - 1


@dataclass(frozen=True, slots=True)
class Run:
    """Repositories of one batch that lie near each other, for one task.

    Attributes:
        places: of the repositories in the batch, ascending.
        tables: what is read of them, each with the data files that have rows of the places' range.
    """

    lake: Lake
    batch: str
    places: tuple[int, ...]
    tables: VerdictParts

    def rows(self, table: Table, columns: Sequence[str]) -> Iterator[tuple[int, Iterator[pl.DataFrame]]]:
        """Each place, in order, with its rows as bounded frames in order; `columns` beside ordinal.

        Frames of one repository must be read before the next is asked for.
        """
        found = groupby(self._slices(table, columns), key=itemgetter(0))
        known = next(found, None)
        for place in self.places:
            if known is not None and known[0] == place:
                yield place, (frame for _, frame in known[1])
                known = next(found, None)
            else:
                yield place, iter(())

    def _slices(self, table: Table, columns: Sequence[str]) -> Iterator[tuple[int, pl.DataFrame]]:
        wanted = set(self.places)
        for group in self._groups(table, columns):
            owners = group["ordinal"].to_numpy() // FILES_PER_REPOSITORY
            starts = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
            for start, stop in zip(starts, [*starts[1:], len(owners)], strict=True):
                place = int(owners[start])
                if place in wanted:
                    yield place, group.slice(start, stop - start)

    def ordinals(self, table: Table, condition: pl.Expr) -> Ordinals:
        """The ordinals, ascending, of the rows for which `condition` holds; 8 bytes of memory each."""
        groups = self._groups(table, condition.meta.root_names())
        found = [group.filter(condition)["ordinal"].to_numpy() for group in groups]
        return np.sort(np.concatenate([np.empty(0, dtype=np.int64), *found]))

    def _groups(self, table: Table, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        first, last = bounds(self.places[0])[0], bounds(self.places[-1])[1]
        parts = next(parts for each, parts in self.tables if each.name == table.name)
        for part in parts:
            yield from self.lake.read(table, part, ["ordinal", *columns], first=first, last=last)


def of_place(ordinals: Ordinals, place: int) -> Ordinals:
    """Those of `ordinals`, which are ascending, that a repository's files have."""
    first, last = bounds(place)
    start, stop = np.searchsorted(ordinals, [first, last + 1])
    return ordinals[start:stop]


def in_runs(lake: Lake, batch: str, places: Sequence[int], tables: Sequence[Table]) -> list[Run]:
    """The repositories `places` in runs that read about `_BYTES_PER_TASK` of files each, or one repository.

    What lies between the repositories of a run is read as well, and counts.
    """
    sizes = lake.column(REPOSITORIES, ["ordinal", "bytes"], batch=batch).sort("ordinal")
    ends = dict(zip(sizes["ordinal"].to_list(), sizes["bytes"].cum_sum().to_list(), strict=True))
    before = dict(zip(sizes["ordinal"].to_list(), (sizes["bytes"].cum_sum() - sizes["bytes"]).to_list(), strict=True))
    runs: list[list[int]] = []
    for place in sorted(places):
        if runs and ends[place] - before[runs[-1][0]] <= _BYTES_PER_TASK:
            runs[-1].append(place)
        else:
            runs.append([place])
    where = tuple((table, tuple(lake.parts(table, batch=batch))) for table in (FILES, RULES, *tables))
    return [Run(lake, batch, tuple(run), overlapping(where, bounds(run[0])[0], bounds(run[-1])[1])) for run in runs]
