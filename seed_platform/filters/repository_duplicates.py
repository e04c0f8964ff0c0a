"""Copies of repositories: which are copies of which, and which one of several is kept.

What belongs here: the decisions, as pure functions over columns. What does not: counting what repositories have in
common, and moving data (`steps/repository_exact_duplicates.py`, `steps/repository_near_duplicates.py`).

The paper names deduplication "at two levels, repository level and file level" (PAPER §1.1) and leaves open what a
repository's content is. Here it is the set of its files' paths and contents for exact duplicates, and the set of the
contents of those files that the rules keep for near ones. A repository is dropped for one that is *kept*; it is
compared with no other, so no chain of neighbours can remove a repository that resembles nothing kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from seed_platform.filters.base import as_verdicts
from seed_platform.policy import RepositoryDuplicatesPolicy

VERSION = "1"
"""Of both filters: raised when the verdict on some repository changes under the same policy."""

_COLUMNS = {
    "stars": ("stars", True),
    "forks": ("forks", True),
    "commits": ("commits", True),
    "recency": ("committed_at", True),
    "name": ("repository", False),
}
"""For each thing that a policy can prefer: the column, and whether more of it is better."""


def ranked(repositories: pl.DataFrame, prefer: Sequence[str]) -> pl.DataFrame:
    """The repositories of a batch with their `rank`: 0 is the one to keep if all were copies of each other.

    Args:
        repositories: `ordinal` and the columns that `prefer` is about.
        prefer: see `RepositoryDuplicatesPolicy.prefer`. What is unknown counts least, and `ordinal` decides last.
    """
    columns = [_COLUMNS[name] for name in prefer]
    return repositories.sort(
        [*(column for column, _ in columns), "ordinal"],
        descending=[*(more for _, more in columns), False],
        nulls_last=True,
    ).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("rank"))


def tree_digests(entries: Iterable[pa.RecordBatch]) -> pl.DataFrame:
    """A digest of each repository's tree: SHA-256 over its entries in the order given.

    Args:
        entries: `place`, whole numbers in ascending order, one for each repository, and `entry`, texts of which no
            sequence can be cut in two ways. Only one record batch is held, and no entry becomes a Python object.

    Returns:
        `ordinal` (the place) and `tree` (hex), one row a repository, ascending.
    """
    places: list[int] = []
    digests: list[str] = []
    digest = hashlib.sha256()
    for batch in entries:
        column = batch.column("place").to_numpy(zero_copy_only=False)
        data, offsets = _buffer(batch.column("entry"))
        bounds = [*np.flatnonzero(np.diff(column, prepend=-1)).tolist(), len(column)]
        for start, end in pairwise(bounds):
            place = int(column[start])
            if not places or places[-1] != place:
                digests += [digest.hexdigest()] if places else []
                places.append(place)
                digest = hashlib.sha256()
            digest.update(data[offsets[start] : offsets[end]])
    digests += [digest.hexdigest()] if places else []
    return pl.DataFrame({"ordinal": places, "tree": digests}, schema={"ordinal": pl.Int64, "tree": pl.String})


def _buffer(texts: pa.Array) -> tuple[memoryview, list[int]]:
    """The bytes of all texts, and the offsets between them."""
    array = texts.cast(pa.large_binary())
    _, offsets, data = array.buffers()
    found = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return memoryview(data or b""), found.tolist()


def judge_exact(repositories: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Verdicts on the repositories of a batch by their trees.

    Args:
        repositories: `ordinal`, `doc_id`, `rank`, and `tree`, null where there is no file; in order of `ordinal`.
        before: `tree` and `doc_id` of the repositories that were kept of earlier batches, no tree twice.

    Returns:
        Verdicts in the order given. `evidence` holds the tree's digest, for later batches. One without files is kept
        with the reason "no_files", since nothing says that it is a copy of another.
    """
    best = (
        repositories.sort("rank")
        .group_by("tree", maintain_order=True)
        .agg(pl.first("doc_id").alias("best"), pl.first("rank").alias("best_rank"))
    )
    judged = (
        repositories.join(best, on="tree", how="left", maintain_order="left")
        .join(before.rename({"doc_id": "kept"}), on="tree", how="left", maintain_order="left")
        .with_columns(again=pl.col("kept").is_not_null() | (pl.col("rank") > pl.col("best_rank")))
        .with_columns(kept=pl.coalesce("kept", "best"))
    )
    copy = pl.col("tree").is_not_null() & pl.col("again")
    reason = pl.when(copy).then(pl.lit("exact_duplicate")).when(pl.col("tree").is_null()).then(pl.lit("no_files"))
    return as_verdicts(
        judged.with_columns(
            keep=~copy,
            reason=reason,
            related_doc_id=pl.when(copy).then("kept"),
            evidence=pl.when(pl.col("tree").is_not_null()).then(pl.struct("tree").struct.json_encode()),
        )
    )


def overlap() -> pl.Expr:
    """The share of a repository's bytes that it has in common with another: the score of near duplicates."""
    return pl.col("shared_bytes") / pl.col("bytes")


def is_copy(policy: RepositoryDuplicatesPolicy) -> pl.Expr:
    """Whether a pair has so much in common that the first of it is a copy of the second.

    Reads `bytes` and `contents` of the repository, and `shared_bytes` and `shared_contents` of the pair.
    """
    return (
        (overlap() >= policy.overlap)
        & (pl.col("shared_contents") / pl.col("contents") >= policy.contents_overlap)
        & (pl.col("shared_contents") >= policy.shared_contents)
    )


def copies(pairs: pl.DataFrame, arrival: int, policy: RepositoryDuplicatesPolicy) -> pl.DataFrame:
    """Which repositories of a batch are dropped, and the kept one that each is a copy of.

    The repositories are taken by rank. One is dropped if it is a copy of one that is kept: of an earlier batch, or of
    this one and before it. Of several, it is dropped for the one with which it has most in common, and of equal ones
    for the one that comes first.

    Args:
        pairs: `mine`, the rank of a repository of this batch; `arrival` and `other`, the other one's batch and its
            place there (for this batch its rank, which is lower than `mine`); and what `is_copy` reads. Others of
            earlier batches are kept ones.
        arrival: of this batch.
        policy: thresholds.

    Returns:
        The row of `pairs` of each dropped repository, by rank.
    """
    near = pairs.filter(is_copy(policy)).with_columns(overlap=overlap())
    near = near.sort("mine", "overlap", "arrival", "other", descending=[False, True, False, False])
    dropped: set[int] = set()
    chosen: list[int] = []
    for row, (mine, where, other) in enumerate(near.select("mine", "arrival", "other").iter_rows()):
        if mine in dropped or (where == arrival and other in dropped):
            continue
        dropped.add(mine)
        chosen.append(row)
    return near[chosen].select(pairs.columns)
