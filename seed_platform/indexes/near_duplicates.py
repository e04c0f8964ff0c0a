"""The near-duplicate index of a lake: which files there are for which batch, as the Delta table of that name says.

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
from seed_platform.lake.schemas import NEAR_DUPLICATE_INDEX

FOLDER = "index_files/near_duplicates"
"""Where index files are, a folder per batch: not in the Delta table's own folder, whose cleaning would delete them."""


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


def load(lake: Lake, batches: Sequence[Batch]) -> list[BatchIndex]:
    """The index of each of `batches`, as published."""
    keys = [batch.key for batch in batches]
    rows = pl.DataFrame(scan(lake, NEAR_DUPLICATE_INDEX, keys).to_table()).sort("batch", "kind", "place")
    found = []
    for batch in batches:
        mine = rows.filter(pl.col("batch") == batch.key)
        segments = mine.filter(pl.col("kind") == "segment").select("path", "rows").rows()
        run = mine.filter(pl.col("kind") == "run").select("path", "place", "places", "rows").rows()
        files = tuple(RunFile(*each) for each in run)
        found.append(BatchIndex(batch.key, batch.arrival, segments_of(batch.arrival, segments), files))
    return found


def publish(lake: Lake, index: BatchIndex, commit: Commit) -> None:
    """Make `index` the index of its batch, and delete the files of an earlier one."""
    segments = [(each.path, "segment", n, len(index.segments), each.rows) for n, each in enumerate(index.segments)]
    run = [(each.path, "run", each.shard, each.shards, each.rows) for each in index.run]
    table = pl.DataFrame([*segments, *run], schema=["path", "kind", "place", "places", "rows"], orient="row")
    with lake.writer(NEAR_DUPLICATE_INDEX, batch=index.batch) as writer:
        if table.height:
            writer.write(table)
    lake.publish(NEAR_DUPLICATE_INDEX, writer.parts, commit, batch=index.batch)
    named = set(index.paths)
    for path in lake.storage.list(f"{FOLDER}/{index.batch}"):
        if path not in named:
            lake.storage.remove(path)
