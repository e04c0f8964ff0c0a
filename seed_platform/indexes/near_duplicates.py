"""A near-duplicate index of a lake: which files there are for which batch, as the Delta table of its name says.

What belongs here: listing, publishing and naming. What does not: making the files (`steps/near_duplicates/index.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import polars as pl

from seed_platform.batches import Batch
from seed_platform.indexes.documents import Segment
from seed_platform.indexes.runs import RunFile
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.query import scan
from seed_platform.lake.schemas import COMMIT_INDEX, NEAR_DUPLICATE_INDEX, Table


def folder_of(table: Table) -> str:
    """Where files of an index are, a folder per batch: not in the table's own, whose cleaning would delete them."""
    return table.name.replace("indexes/", "index_files/", 1)


FOLDERS = tuple(folder_of(table) for table in (NEAR_DUPLICATE_INDEX, COMMIT_INDEX))
"""Those of all indexes."""


@dataclass(frozen=True, slots=True)
class BatchIndex:
    """The index of one batch: its documents, and the postings of those of them that were kept."""

    batch: str
    arrival: int
    segments: tuple[Segment, ...]
    run: tuple[RunFile, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """All of its files."""
        return (*(segment.path for segment in self.segments), *(file.path for file in self.run))


def segments_of(arrival: int, files: Sequence[tuple[str, int]]) -> tuple[Segment, ...]:
    """Segments in order, from their (path, rows)."""
    starts = accumulate((rows for _, rows in files), initial=0)
    return tuple(Segment(path, arrival, first, rows) for (path, rows), first in zip(files, starts, strict=False))


def load(lake: Lake, batches: Sequence[Batch], table: Table = NEAR_DUPLICATE_INDEX) -> list[BatchIndex]:
    """The index of each of `batches`, as published in `table`."""
    keys = [batch.key for batch in batches]
    rows = pl.DataFrame(scan(lake, table, keys).to_table()).sort("batch", "kind", "place")
    found = []
    for batch in batches:
        mine = rows.filter(pl.col("batch") == batch.key)
        segments = mine.filter(pl.col("kind") == "segment").select("path", "rows").rows()
        run = mine.filter(pl.col("kind") == "run").select("path", "place", "places", "rows").rows()
        files = tuple(RunFile(*each) for each in run)
        found.append(BatchIndex(batch.key, batch.arrival, segments_of(batch.arrival, segments), files))
    return found


def publish(lake: Lake, table: Table, index: BatchIndex, commit: Commit) -> None:
    """Make `index` the index of its batch in `table`, and delete the files of an earlier one."""
    segments = [(each.path, "segment", n, len(index.segments), each.rows) for n, each in enumerate(index.segments)]
    run = [(each.path, "run", each.shard, each.shards, each.rows) for each in index.run]
    rows = pl.DataFrame([*segments, *run], schema=["path", "kind", "place", "places", "rows"], orient="row")
    with lake.writer(table, batch=index.batch) as writer:
        if rows.height:
            writer.write(rows)
    lake.publish(table, writer.parts, commit, batch=index.batch)
    named = set(index.paths)
    for path in lake.storage.list(f"{folder_of(table)}/{index.batch}"):
        if path not in named:
            lake.storage.remove(path)
