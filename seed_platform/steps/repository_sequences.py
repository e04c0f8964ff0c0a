"""Cut the repositories of the repository-level corpus into sequences, dependencies first (PAPER §2).

What is published names files and parts of files; their text is joined when it is read (`corpora/repository_level.py`).
Files that resemble a document of a reference set are left out: what a model is evaluated on stands in no sequence. What
belongs here: which files, sizes, and counting edges. What does not: the order and the cuts (`dependencies/`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from seed_platform.batches import Batch
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.corpora.repository_level import SEPARATOR, header
from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.order import order_files
from seed_platform.dependencies.sequences import cut, pieces
from seed_platform.documents import doc_id
from seed_platform.lake.lake import Part
from seed_platform.lake.schemas import DEPENDENCIES, FILES, REPOSITORY_LEVEL, REPOSITORY_SEQUENCES, verdicts
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report
from seed_platform.steps.read import FILES_PER_REPOSITORY
from seed_platform.steps.repository_tasks import RULES, Ordinals, Run, in_runs, of_place

VERSION = "1"

_COMPARED = verdicts("files", "near_duplicates")


@dataclass(frozen=True, slots=True)
class _Task:
    run: Run
    repositories: tuple[tuple[int, str, str], ...]
    policy: RepositoryLevelPolicy
    policy_hash: str


@dataclass(slots=True)
class _Made:
    parts: list[Part] = field(default_factory=list)
    sequences: int = 0
    bytes: int = 0
    tokens: int = 0
    files: int = 0
    edges: int = 0
    edges_inside: int = 0
    edges_respected: int = 0


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a repository.

    `parts` has one part if the file fits a sequence; `bytes` is the size of all of it as it stands in a sequence.
    """

    ordinal: int
    path: str
    language: str | None
    parts: tuple[_Part, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """Bytes `start` to `stop` of a file's text, and their size as they stand in a sequence."""

    start: int
    stop: int
    bytes: int


def make_sequences(context: Context, batch: Batch) -> Report:
    """Cut the repositories of one batch into sequences and publish them."""
    lake = context.lake
    chosen = lake.column(REPOSITORY_LEVEL, ["ordinal", "doc_id", "repository"], batch=batch.key)
    known = {row[0]: row for row in chosen.iter_rows()}
    tasks = [
        _Task(
            run,
            tuple(known[place] for place in run.places),
            context.policy.repository_level,
            context.policy.digest(),
        )
        for run in in_runs(lake, batch.key, list(known), [_COMPARED, DEPENDENCIES])
    ]
    report = Report(step=REPOSITORY_SEQUENCES.name, batch=batch.key)
    parts: list[Part] = []
    names = ("tokens", "files", "edges", "edges_inside", "edges_respected")
    report.figures = dict.fromkeys(names, 0)
    with track(f"sequences {batch.key}", len(known)) as progress:
        for task, made in context.engine.run(_make, tasks):
            parts += made.parts
            report.seen.add(made.sequences, made.bytes)
            report.kept.add(made.sequences, made.bytes)
            for name in names:
                report.figures[name] += getattr(made, name)
            progress.advance(len(task.repositories))
    lake.publish(REPOSITORY_SEQUENCES, parts, context.commit, batch=batch.key)
    return report


def _make(task: _Task) -> _Made:
    made, run = _Made(), task.run
    like_a_reference = run.ordinals(_COMPARED, pl.col("reason") == "reference_duplicate")
    wanted = np.setdiff1d(run.ordinals(RULES, pl.col("keep")), like_a_reference, assume_unique=True)
    contents = run.rows(FILES, ["path", "language", "content"])
    dependencies = run.rows(DEPENDENCIES, ["dependency"])
    with run.lake.writer(REPOSITORY_SEQUENCES, batch=run.batch) as writer:
        for repository, (place, texts), (_, pairs) in zip(task.repositories, contents, dependencies, strict=True):
            _, repository_id, name = repository
            files = _files(texts, of_place(wanted, place), task.policy)
            rows = [
                {**row, "repository_id": repository_id, "repository": name, "policy_hash": task.policy_hash}
                for row in _sequences(files, _edges(pairs, files), repository_id, place, task.policy)
            ]
            writer.write(pa.Table.from_pylist(rows, schema=REPOSITORY_SEQUENCES.columns))
            made.sequences += len(rows)
            made.files += len(files)
            for figure in ("bytes", "tokens", "edges", "edges_inside", "edges_respected"):
                setattr(made, figure, getattr(made, figure) + sum(row[figure] for row in rows))
    made.parts = writer.parts
    return made


def _files(frames: Iterable[pl.DataFrame], wanted: Ordinals, policy: RepositoryLevelPolicy) -> dict[str, _File]:
    """Those files of a repository that are `wanted`, by what they are ordered by."""
    files: dict[str, _File] = {}
    for group in frames:
        mine = group.filter(pl.Series(np.isin(group["ordinal"].to_numpy(), wanted)))
        sizes = mine.with_columns(size=pl.col("content").str.len_bytes(), ended=pl.col("content").str.ends_with("\n"))
        for ordinal, path, language, content, size, ended in sizes.iter_rows():
            framed = len(header(path, language).encode()) + size + (not ended) + len(SEPARATOR)
            parts: tuple[_Part, ...] = (_Part(0, size, framed),)
            if _tokens(framed, policy) > policy.sequence_tokens:
                parts = tuple(_parts(path, language, content, policy))
            files[_name(path, ordinal, files)] = _File(ordinal, path, language, parts, framed)
    return files


def _name(path: str, ordinal: int, taken: Mapping[str, _File]) -> str:
    """The path, or for a path that is taken one that sorts right behind it.

    Two paths may be shown alike: one that has bytes which are not UTF-8, and one that has what they are shown as.
    """
    name = path
    while name in taken:
        name = f"{name}\0{ordinal}"
    return name


def _tokens(size: int, policy: RepositoryLevelPolicy) -> int:
    return ceil(size / policy.bytes_per_token)


def _parts(path: str, language: str | None, content: str, policy: RepositoryLevelPolicy) -> Iterator[_Part]:
    """The parts of a file that is longer than a sequence."""
    size = len(content.encode())
    frame = len(header(path, language, (size, size)).encode()) + 1 + len(SEPARATOR)
    budget = max(policy.sequence_tokens - _tokens(frame, policy), 4)
    start = 0
    for piece in pieces(content, budget, lambda text: _tokens(len(text.encode()), policy)):
        stop = start + len(piece.encode())
        head = len(header(path, language, (start, stop)).encode())
        yield _Part(start, stop, head + stop - start + (not piece.endswith("\n")) + len(SEPARATOR))
        start = stop


def _edges(frames: Iterable[pl.DataFrame], files: Mapping[str, _File]) -> list[Edge]:
    """The dependencies between the files of a repository that are in the corpus."""
    names = {file.ordinal: name for name, file in files.items()}
    return [
        Edge(names[user], names[dependency])
        for group in frames
        for user, dependency in group.iter_rows()
        if user in names and dependency in names
    ]


def _sequences(
    files: Mapping[str, _File], edges: Sequence[Edge], repository_id: str, place: int, policy: RepositoryLevelPolicy
) -> list[dict[str, Any]]:
    """The rows of one repository."""
    order = order_files(files, edges, repository_id)
    sizes = {path: _tokens(file.bytes, policy) for path, file in files.items()}
    rows: list[dict[str, Any]] = []
    for paths in cut(order, edges, sizes, policy.sequence_tokens):
        whole = [files[path] for path in paths]
        # A file that is cut stands alone: each of its parts is a sequence.
        rows += [_row(paths, parts) for parts in zip(*(file.parts for file in whole), strict=True)]
    dependencies: dict[str, list[str]] = {}
    for edge in edges:
        dependencies.setdefault(edge.user, []).append(edge.dependency)
    for number, row in enumerate(rows):
        row["ordinal"] = place * FILES_PER_REPOSITORY + number
        row["doc_id"] = doc_id("sequence", repository_id, policy.digest(), str(number))
        row["sequences"] = len(rows)
        row["tokens"] = _tokens(row["bytes"], policy)
        _count_edges(row, dependencies)
        row["files"] = [files[path].ordinal for path in row.pop("paths")]
    return rows


def _row(paths: Sequence[str], parts: Sequence[_Part]) -> dict[str, Any]:
    return {
        "paths": paths,
        "starts": [part.start for part in parts],
        "stops": [part.stop for part in parts],
        "bytes": sum(part.bytes for part in parts),
    }


def _count_edges(row: dict[str, Any], dependencies: Mapping[str, Sequence[str]]) -> None:
    place = {path: number for number, path in enumerate(row["paths"])}
    # Those of a file that is cut are counted with its first part.
    whole = row["paths"] if row["starts"][0] == 0 else ()
    mine = [(path, each) for path in whole for each in dependencies.get(path, ())]
    inside = [(place[path], place[each]) for path, each in mine if each in place]
    row["edges"] = len(mine)
    row["edges_inside"] = len(inside)
    row["edges_respected"] = sum(dependency < user for user, dependency in inside)
