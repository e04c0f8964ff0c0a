"""Reading and writing the tables of a lake, one batch at a time.

A batch of a table is written as data files beside the table (`PartWriter`, in any number of processes), which nobody
sees, and then published in one Delta commit that replaces whatever the table held of that batch (`Lake.publish`). A
writer killed before its commit leaves files that no version of the table names. What belongs here: bytes in and out,
bounded in memory. What does not: what the rows mean.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction
from deltalake.exceptions import CommitFailedError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from seed_platform.errors import WorkError
from seed_platform.lake.schemas import Table
from seed_platform.lake.storage import Storage

_COMMIT_ATTEMPTS = 100
_MAX_ROWS_PER_GROUP = 1 << 14
# A task reads the verdicts on a few thousand documents: of larger groups most of what it decodes is of others.
_MAX_TEXTS_PER_PART = 1 << 16
# What a filter holds for a document besides its text, such as its band keys, adds up in a task of many short texts.


@dataclass(frozen=True, slots=True)
class Part:
    """One data file of a batch: `path` is relative to the table, `rows` and `size` (bytes) as stored.

    `first` and `last` are the least and greatest ordinal in it, or -1 where the table has none.
    """

    path: str
    rows: int
    size: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Commit:
    """What is recorded with every commit, so that a table's history says who wrote what under which policy."""

    run_id: str
    code_version: str
    policy_hash: str

    def metadata(self, partition: dict[str, str]) -> dict[str, str]:
        """As Delta commit metadata."""
        return {
            "run_id": self.run_id,
            "code_version": self.code_version,
            "policy_hash": self.policy_hash,
            **{f"partition_{name}": value for name, value in partition.items()},
        }


def _dictionary(table: Table) -> list[str]:
    """Columns worth a dictionary: not texts, which hardly repeat and which it makes a quarter slower to read."""
    return [field.name for field in table.columns if field.type != pa.large_string()]


class PartWriter:
    """Writes rows of one batch to data files, a row group per `row_group_bytes` of text, a file per `part_bytes`."""

    def __init__(self, lake: Lake, table: Table, partition: dict[str, str]) -> None:
        self._lake = lake
        self._table = table
        self._partition = partition
        self._has_texts = pa.large_string() in table.columns.types
        self._pending: list[pa.Table] = []
        self._pending_bytes = 0
        self._pending_rows = 0
        self._file: Any = None
        self._parquet: pq.ParquetWriter | None = None
        self._path = ""
        self._rows = self._bytes = 0
        self._first, self._last = -1, -1
        self.parts: list[Part] = []

    def write(self, rows: pa.Table | pl.DataFrame) -> None:
        """Append rows; columns are matched by name and cast to the table's schema."""
        data = rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows
        data = data.select(self._table.columns.names).cast(self._table.columns)
        self._pending.append(data)
        self._pending_bytes += data.nbytes
        self._pending_rows += data.num_rows
        if self._pending_bytes >= self._lake.row_group_bytes or self._pending_rows >= _MAX_ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._pending_rows:
            return
        group = pa.concat_tables(self._pending)
        if self._parquet is None:
            self._open()
        assert self._parquet is not None  # noqa: S101 - for the type checker; _open sets it
        self._parquet.write_table(group, row_group_size=_MAX_ROWS_PER_GROUP)
        self._rows += group.num_rows
        self._bytes += self._pending_bytes
        if "ordinal" in self._table.columns.names:
            bounds = pl.Series(group.column("ordinal"))
            low, high = int(bounds.min()), int(bounds.max())  # type: ignore[arg-type]
            self._first = low if self._first < 0 else min(self._first, low)
            self._last = max(self._last, high)
        self._pending, self._pending_bytes, self._pending_rows = [], 0, 0
        if self._bytes >= self._lake.part_bytes or (self._has_texts and self._rows >= _MAX_TEXTS_PER_PART):
            self._close_file()

    def _open(self) -> None:
        folder = "/".join(f"{name}={value.replace('/', '.')}" for name, value in self._partition.items())
        self._path = f"{folder}/{uuid.uuid4().hex}.parquet" if folder else f"{uuid.uuid4().hex}.parquet"
        self._file = self._lake.storage.open(f"{self._table.name}/{self._path}", "wb")
        self._parquet = pq.ParquetWriter(
            self._file,
            self._table.columns,
            compression="zstd",
            compression_level=1,
            store_schema=False,
            use_dictionary=_dictionary(self._table),
        )

    def _close_file(self) -> None:
        if self._parquet is None:
            return
        self._parquet.close()
        size = self._file.tell()
        self._file.close()
        self.parts.append(Part(self._path, self._rows, size, self._first, self._last))
        self._parquet, self._rows, self._bytes, self._first, self._last = None, 0, 0, -1, -1

    def close(self) -> list[Part]:
        """Write what is pending and return the finished files, in order."""
        self._flush()
        self._close_file()
        return self.parts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()


class Lake:
    """The tables under one root. Picklable: tasks carry it to worker processes."""

    def __init__(self, root: str, *, row_group_bytes: int = 16 << 20, part_bytes: int = 64 << 20) -> None:
        self.storage = Storage(root)
        self.row_group_bytes = row_group_bytes
        self.part_bytes = part_bytes

    @property
    def root(self) -> str:
        """The root, absolute."""
        return self.storage.root

    def open(self, table: Table, *, create: bool = False) -> DeltaTable | None:
        """The Delta table at its latest version, or None if nothing was ever written to it."""
        uri, options = self.storage.uri(table.name), self.storage.delta_options
        try:
            return DeltaTable(uri, storage_options=options)
        except TableNotFoundError:
            if not create:
                return None
        with suppress(CommitFailedError):  # another process created it first
            DeltaTable.create(
                uri,
                schema=table.full_schema,
                partition_by=list(table.partition_by),
                mode="ignore",
                name=table.name,
                storage_options=options,
            )
        return DeltaTable(uri, storage_options=options)

    def writer(self, table: Table, **partition: str) -> PartWriter:
        """A writer of data files for one partition of `table`; nothing is visible before `publish`."""
        return PartWriter(self, table, partition)

    def publish(self, table: Table, parts: Sequence[Part], commit: Commit, **partition: str) -> None:
        """Make `parts` the whole content of one partition of `table`, in one commit.

        Repeating it is safe. Writers of other partitions at the same time lose nothing. Of two writers of the same
        partition, whoever commits second sees a conflict, reloads, and replaces what the first one wrote.

        Raises:
            ValueError: `partition` does not name exactly the table's partition columns.
            WorkError: the commit kept conflicting.
        """
        if set(partition) != set(table.partition_by):
            raise ValueError(f"{table.name} is partitioned by {table.partition_by}, not {tuple(partition)}")
        now = int(time.time() * 1000)
        adds: list[AddAction | RemoveAction] = [
            AddAction(part.path, part.size, partition, now, True, _stats(part))  # noqa: FBT003
            for part in parts
        ]
        # Delta sees no conflict between two writers that both add to a partition which was empty when they looked,
        # unless they name the same application.
        application = "&".join(f"{name}={value}" for name, value in sorted(partition.items()))
        for attempt in range(_COMMIT_ATTEMPTS):
            delta = self.open(table, create=True)
            assert delta is not None  # noqa: S101 - create=True
            try:
                _add_new_columns(delta, table)
                delta.create_write_transaction(
                    adds,
                    mode="overwrite",
                    schema=delta.schema(),
                    partition_by=list(table.partition_by),
                    partition_filters=[(name, "=", value) for name, value in partition.items()] or None,
                    commit_properties=CommitProperties(
                        custom_metadata=commit.metadata(partition),
                        app_transactions=[Transaction(application, delta.version() + 1)],
                    ),
                )
            except CommitFailedError:
                time.sleep(random.uniform(0.01, 0.05) * min(attempt + 1, 20))  # noqa: S311 - jitter, not a secret
            else:
                return
        raise WorkError(f"could not commit to {table.name}: {_COMMIT_ATTEMPTS} conflicts in a row; run it again")

    def parts(self, table: Table, **partition: str) -> list[Part]:
        """The data files of one partition at the latest version, in order of their first ordinal."""
        delta = self.open(table)
        if delta is None:
            return []
        actions = pl.DataFrame(delta.get_add_actions(flatten=True))
        for name, value in partition.items():
            actions = actions.filter(pl.col(f"partition.{name}") == value)
        has_order = "min.ordinal" in actions.columns
        found = [
            Part(
                row["path"],
                row["num_records"],
                row["size_bytes"],
                row["min.ordinal"] if has_order else -1,
                row["max.ordinal"] if has_order else -1,
            )
            for row in actions.iter_rows(named=True)
        ]
        return sorted(found, key=lambda part: (part.first, part.path))

    def read(
        self, table: Table, part: Part, columns: Sequence[str], *, first: int = 0, last: int = (1 << 63) - 1
    ) -> Iterator[pl.DataFrame]:
        """Stream one data file, a row group at a time; groups wholly outside ordinals [first, last] are skipped."""
        for group in self.read_arrow(table, part, columns, first=first, last=last):
            yield pl.DataFrame(group)

    def read_arrow(
        self,
        table: Table,
        part: Part,
        columns: Sequence[str],
        *,
        first: int = 0,
        last: int = (1 << 63) - 1,
        ordinals: npt.NDArray[np.int64] | None = None,
    ) -> Iterator[pa.Table]:
        """`read` for kernels that want the bytes of texts as they lie.

        Groups whose range has none of `ordinals` (ascending) are skipped as well: rejected files often stand together.
        """
        with self.storage.open(f"{table.name}/{part.path}", "rb") as file:
            parquet = pq.ParquetFile(file)
            order = parquet.schema_arrow.get_field_index("ordinal")
            for group in range(parquet.num_row_groups):
                if order >= 0:
                    bounds = parquet.metadata.row_group(group).column(order).statistics
                    if bounds is not None:
                        if bounds.max < first or bounds.min > last:
                            continue
                        if ordinals is not None and not _any_between(ordinals, bounds.min, bounds.max):
                            continue
                yield parquet.read_row_group(group, columns=list(columns), use_threads=False)

    def column(self, table: Table, columns: Sequence[str], **partition: str) -> pl.DataFrame:
        """Narrow columns of a whole partition in memory, ordered by ordinal. Not for text."""
        frames = [frame for part in self.parts(table, **partition) for frame in self.read(table, part, columns)]
        if frames:
            return pl.concat(frames)
        return pl.DataFrame(pa.table({name: pa.array([], table.columns.field(name).type) for name in columns}))


def _any_between(ordinals: npt.NDArray[np.int64], low: int, high: int) -> bool:
    start, stop = np.searchsorted(ordinals, [low, high + 1])
    return bool(stop > start)


def _add_new_columns(delta: DeltaTable, table: Table) -> None:
    """Columns that a newer version of the platform writes; rows of older versions read as null in them."""
    known = {field.name for field in delta.schema().fields}
    columns = Schema.from_arrow(table.full_schema).fields
    new = [Field(column.name, column.type, nullable=True) for column in columns if column.name not in known]
    if new:
        delta.alter.add_columns(new)


def _stats(part: Part) -> str:
    bounds = {"ordinal": part.first}, {"ordinal": part.last}
    has_order = part.first >= 0
    return json.dumps(
        {
            "numRecords": part.rows,
            "minValues": bounds[0] if has_order else {},
            "maxValues": bounds[1] if has_order else {},
            "nullCount": {"ordinal": 0} if has_order else {},
        }
    )
