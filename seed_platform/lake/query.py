"""SQL over the lake: one DuckDB connection with a view for each noun, which can read the lake and nothing else.

What belongs here: connecting, and which views there are. What does not: the questions (`lineage/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import (
    BATCHES,
    COMMIT_SAMPLES,
    COMMIT_WALKS,
    COMMITS,
    CRAWL_FILES,
    DEPENDENCIES,
    FILE_LEVEL,
    FILES,
    HIGH_QUALITY,
    JUDGEMENTS,
    LONG_CONTEXT,
    MATERIALIZATIONS,
    MODELS,
    PAGES,
    REJECTIONS,
    REPOSITORIES,
    REPOSITORY_LEVEL,
    REPOSITORY_SEQUENCES,
    WEB,
    Table,
)


@dataclass(frozen=True, slots=True)
class VerdictTable:
    """Verdicts of `filter_name` on documents of a `kind` (file, repository, commit, page), as in the view verdicts."""

    kind: str
    filter_name: str
    table: Table


_AS_THEY_ARE = (
    BATCHES,
    REPOSITORIES,
    FILES,
    DEPENDENCIES,
    COMMIT_WALKS,
    COMMITS,
    CRAWL_FILES,
    PAGES,
    REJECTIONS,
    JUDGEMENTS,
    MODELS,
    MATERIALIZATIONS,
    REPOSITORY_LEVEL,
    REPOSITORY_SEQUENCES,
    HIGH_QUALITY,
    LONG_CONTEXT,
)
"""Tables that are views under their own names."""


def scan(lake: Lake, table: Table, batches: Sequence[str] | None = None) -> ds.Dataset:
    """A table at its latest version as an Arrow dataset, optionally only some batches; empty if never written.

    Built from the table's file list and not by `DeltaTable.to_pyarrow_dataset`, which compares columns that have no
    statistics in the log with null, so that every filter on them finds nothing (deltalake 1.6.6).
    """
    delta = lake.open(table)
    if delta is None:
        return ds.dataset(table.full_schema.empty_table())
    format_ = ds.ParquetFileFormat()
    filesystem = lake.storage.arrow_filesystem
    fragments = []
    for action in pl.DataFrame(delta.get_add_actions(flatten=True)).iter_rows(named=True):
        partition = {name: action[f"partition.{name}"] for name in table.partition_by}
        if batches is not None and partition.get("batch") not in batches:
            continue
        expression = reduce(and_, (ds.field(name) == value for name, value in partition.items()), ds.scalar(True))  # noqa: FBT003
        path = lake.storage.arrow_path(f"{table.name}/{action['path']}")
        fragments.append(format_.make_fragment(path, filesystem=filesystem, partition_expression=expression))
    return ds.FileSystemDataset(fragments, table.full_schema, format_, filesystem)


def connect(lake: Lake, *, memory_bytes: int, threads: int, spill: bool = True) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection in memory, bounded to `memory_bytes` and `threads`; sorts and joins spill to scratch."""
    connection = duckdb.connect(":memory:")
    connection.execute(f"SET memory_limit = '{memory_bytes >> 20}MiB'")
    connection.execute(f"SET threads = {threads}")
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET arrow_large_buffer_size = true")
    connection.execute("SET enable_progress_bar = false")
    if spill:
        connection.execute(f"SET temp_directory = '{str(lake.storage.scratch('spill')).replace(chr(39), chr(39) * 2)}'")
    return connection


def open_views(
    lake: Lake, verdict_tables: Sequence[VerdictTable], *, memory_bytes: int, threads: int
) -> duckdb.DuckDBPyConnection:
    """A connection with views: batches, repositories, files, commits, crawl_files, pages, rejections, verdicts, models,
    materializations and more, and each corpus; that of commits is commit_samples.

    It cannot reach files, the network or extensions: the views are all it sees, and they are read-only.
    """
    connection = connect(lake, memory_bytes=memory_bytes, threads=threads)
    for table in _AS_THEY_ARE:
        connection.register(table.name.removeprefix("web/").removeprefix("corpora/"), scan(lake, table))
    connection.register("commit_samples", scan(lake, COMMIT_SAMPLES))
    selects = []
    for number, each in enumerate(verdict_tables):
        connection.register(f"_verdicts_{number}", scan(lake, each.table))
        columns = "doc_id, '{filter}' AS filter, keep, reason, score, related_doc_id, evidence, filter_version, run_id"
        selects.append(
            f"SELECT '{each.kind}' AS kind, batch, ordinal, {columns.format(filter=each.filter_name)} "
            f"FROM _verdicts_{number}"
        )
    connection.execute(f"CREATE TEMP VIEW verdicts AS {' UNION ALL BY NAME '.join(selects)}")
    connection.register("_file_level", scan(lake, FILE_LEVEL))
    connection.execute(
        "CREATE TEMP VIEW file_level AS SELECT c.*, f.revision, f.content AS text "
        "FROM _file_level c JOIN files f USING (batch, ordinal)"
    )
    connection.register("_web", scan(lake, WEB))
    connection.execute(
        'CREATE TEMP VIEW web AS SELECT c.*, p.title, p.captured_at, p.crawl_file, p.record_id, p."offset", '
        "p.content AS text FROM _web c JOIN pages p USING (batch, ordinal)"
    )
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def fetch_rows(result: duckdb.DuckDBPyConnection) -> list[dict[str, object]]:
    """All rows of a small result as dictionaries."""
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def stream(connection: duckdb.DuckDBPyConnection, query: str, rows: int) -> pa.RecordBatchReader:
    """A large result as record batches of up to `rows` rows."""
    return connection.sql(query).to_arrow_reader(rows)
