"""Helpers of the tests of the flow: what a lake holds, and similarity counted the slow and certain way."""

from __future__ import annotations

import re
import uuid
from typing import Any

import numpy as np
import polars as pl
from support import lake_of, settings_of, without_scorer

from seed_platform.batches import CRAWL, Batch, list_batches
from seed_platform.batches import REPOSITORIES as OF_REPOSITORIES
from seed_platform.engine.local import LocalEngine
from seed_platform.indexes.documents import Documents, Places
from seed_platform.indexes.near_duplicates import load
from seed_platform.indexes.postings import reference
from seed_platform.indexes.runs import read_run
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import (
    COMMIT_INDEX,
    CRAWL_FILES,
    FILE_LEVEL,
    FILES,
    NEAR_DUPLICATE_INDEX,
    PAGES,
    REJECTIONS,
    REPOSITORIES,
    REPOSITORY_LEVEL,
    WEB,
    Table,
)
from seed_platform.policy import Policy
from seed_platform.steps.base import Context
from seed_platform.steps.freshness import Flow
from seed_platform.steps.lines import REPOSITORY_LINE, line_of
from seed_platform.steps.page_flow import VERDICT_TABLES

VERDICTS = {each.filter_name: each.table for each in VERDICT_TABLES if each.kind == "file"}
REPOSITORY_VERDICTS = {
    each.filter_name: each.table
    for each in VERDICT_TABLES
    if each.kind == "repository" and each.filter_name != "commit_gate"
}
PAGE_VERDICTS = {each.filter_name: each.table for each in VERDICT_TABLES if each.kind == "page"}
TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        REPOSITORIES,
        REJECTIONS,
        FILES,
        *REPOSITORY_VERDICTS.values(),
        *VERDICTS.values(),
        FILE_LEVEL,
        REPOSITORY_LEVEL,
    )
}
"""What the steps of files and of copies of repositories publish, but for the index."""
LINE_TABLES: dict[str, Table] = {table.name: table for step in REPOSITORY_LINE.steps for table in step.tables}
"""What the whole line of repositories publishes, its indexes too."""
_INDEXES = {NEAR_DUPLICATE_INDEX.name, COMMIT_INDEX.name}
_PAGE_TABLES = (PAGES, CRAWL_FILES, REJECTIONS, *PAGE_VERDICTS.values(), WEB)
_DEFAULTS = Policy()


def rows_of(lake: Lake, table: Table) -> pl.DataFrame:
    """A table's rows in order, without the run that wrote them."""
    delta = lake.open(table)
    assert delta is not None, f"{table.name} was never written"
    rows = pl.DataFrame(delta.to_pyarrow_table()).drop("run_id", strict=False)
    return rows.sort("batch", *(["ordinal"] if "ordinal" in rows.columns else []), maintain_order=True)


def contents_of(lake_root: str, kind: str = OF_REPOSITORIES) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that the flow publishes, and of the index, as plain values that can be compared."""
    lake = lake_of(settings_of(lake_root))
    published = _PAGE_TABLES if kind == CRAWL else TABLES.values()
    tables = {table.name: rows_of(lake, table).to_dicts() for table in published}
    return {**tables, "near-duplicate index": postings_of(lake, kind)}


def line_rows_of(lake_root: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that the whole line of repositories publishes; not the indexes, which number batches."""
    lake = lake_of(settings_of(lake_root))
    return {name: rows_of(lake, table).to_dicts() for name, table in LINE_TABLES.items() if name not in _INDEXES}


def postings_of(lake: Lake, kind: str = OF_REPOSITORIES) -> list[dict[str, Any]]:
    """What the near-duplicate index holds of each batch, however it is cut into files."""
    found = []
    for index in load(lake, list_batches(lake, kind=kind)):
        files = [read_run(lake.storage, file, 0, 1) for file in index.run]
        pairs = sorted(pair for keys, refs in files for pair in zip(keys.tolist(), refs.tolist(), strict=True))
        with Documents(lake.storage, Places.of(index.segments)) as documents:
            rows = sum(segment.rows for segment in index.segments)
            bounds, values = documents.sets(reference(index.arrival, np.arange(rows)))
            sets = [part.tolist() for part in np.split(values, bounds[1:-1])] if rows else []
        found.append({"batch": index.batch, "postings": pairs, "sets": sets})
    return found


def outcomes_of(lake_root: str) -> dict[str, str]:
    """For each file, by "repository/path": the filter that drops it and why, as "filter: reason", or "kept"."""
    lake = lake_of(settings_of(lake_root))
    files = rows_of(lake, FILES).select("batch", "ordinal", name=pl.col("repository") + "/" + pl.col("path"))
    outcomes = dict.fromkeys(files["name"], "kept")
    for name, table in reversed(VERDICTS.items()):
        dropped = rows_of(lake, table).filter(~pl.col("keep")).join(files, on=["batch", "ordinal"])
        outcomes |= {row["name"]: f"{name}: {row['reason']}" for row in dropped.iter_rows(named=True)}
    return outcomes


def work_on(
    lake_root: str, policy: Policy = _DEFAULTS, workers: int = 1, *, kind: str = OF_REPOSITORIES
) -> tuple[Context, Flow, list[Batch]]:
    """What it takes to run single steps: a context, the flow, and the batches in order of arrival."""
    settings = settings_of(lake_root, workers)
    lake = lake_of(settings)
    context = Context(lake, LocalEngine(workers), settings, policy, uuid.uuid4().hex)
    if kind == OF_REPOSITORIES:
        without_scorer(context)
    flow = line_of(kind).flow(lake, policy, settings)
    return context, flow, flow.batches


def shingles(text: str, width: int = 5) -> set[tuple[str, ...]]:
    """The word n-grams of a text as a Python set of tuples: no hash of ours is in it."""
    words = re.findall(r"[A-Za-z0-9_]+", text)
    return {tuple(words[start : start + width]) for start in range(max(1, len(words) - width + 1))}


def similarity(one: str, other: str) -> float:
    """The true Jaccard similarity of two texts."""
    a, b = shingles(one), shingles(other)
    return len(a & b) / len(a | b)
