"""The choice of seeds: the best-scored files of as many kinds as possible, in bounded memory.

What belongs here: choosing by score and diversity from files that come in any order. What does not: what a seed must
reach (`rounds.py` asks the policy) and what negatives are (`negatives.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import xxhash

LEVELS = ("language", "comment_bucket", "main_package", "length_bucket")
"""What files differ in, the most important first (PAPER §5: "language, comment ratio, imported packages, etc.")."""

_RANK = "__rank"


class Diverse:
    """A reservoir that holds the `limit` most diverse rows it was offered, whatever their order and chunks.

    Languages take turns; within a language its comment buckets do, within one its main packages, within one its
    lengths, and within all of those the row with the highest value goes first. So a level's value has two rows only
    when each other value of that level has one or is used up. A row's place can only grow as more rows come, so to drop
    those beyond `limit` early loses nothing: what is chosen from a stream is what would be chosen from the whole.
    """

    def __init__(self, limit: int, by: str, seed: int) -> None:
        """At most 2 * `limit` rows and one chunk are held.

        Args:
            limit: rows to choose.
            by: column whose highest value goes first; ties go by the hash of `doc_id`.
            seed: of the hashes; decides which value of a level has the first turn.
        """
        self._limit = limit
        self._by = by
        self._seed = seed
        self._held: list[pl.DataFrame] = []
        self._height = 0

    def offer(self, rows: pl.DataFrame) -> None:
        """Take `rows` into account: `doc_id`, the columns `LEVELS`, and `by`; each document once."""
        if rows.height == 0:
            return
        self._held.append(rows.select("doc_id", *LEVELS, self._by))
        self._height += rows.height
        if self._height > 2 * self._limit:
            self.settle()

    def settle(self) -> pl.DataFrame:
        """Forget what is not chosen so far; returns what is."""
        chosen = self.chosen()
        self._held = [chosen] if chosen.height else []
        self._height = chosen.height
        return chosen

    def chosen(self, limit: int | None = None) -> pl.DataFrame:
        """The rows chosen, in the order of their turns; `limit` chooses fewer."""
        if not self._held:
            return pl.DataFrame(schema={"doc_id": pl.String})
        count = self._limit if limit is None else min(limit, self._limit)
        return in_turns(pl.concat(self._held), self._by, self._seed).head(count)


def in_turns(rows: pl.DataFrame, by: str, seed: int) -> pl.DataFrame:
    """`rows` in the order in which round robin over `LEVELS` takes them; the same rows, in any order, give the same."""
    keys = [f"__{level}" for level in LEVELS]
    ties = hashes(rows["doc_id"].to_list(), seed)
    ordered = rows.with_columns(
        pl.Series("__tie", ties, dtype=pl.UInt64),
        *(_keys_of(rows[level], seed).alias(key) for level, key in zip(LEVELS, keys, strict=True)),
    ).sort(pl.col(by), "__tie", "doc_id", descending=[True, False, False], nulls_last=True)
    ordered = ordered.with_columns(pl.int_range(pl.len()).over(LEVELS).alias(_RANK))
    # From the innermost level out: a row's place among those that share the outer levels is its rank one level up.
    for depth in range(len(LEVELS) - 1, 0, -1):
        ordered = ordered.sort(_RANK, keys[depth], LEVELS[depth], maintain_order=True)
        ordered = ordered.with_columns(pl.int_range(pl.len()).over(LEVELS[:depth]).alias(_RANK))
    return ordered.sort(_RANK, keys[0], LEVELS[0], maintain_order=True).select(rows.columns)


def hashes(names: Sequence[str], seed: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """A hash of each name, the same on every machine; shape (names,)."""
    return np.fromiter((xxhash.xxh64_intdigest(name.encode(), seed) for name in names), np.uint64, len(names))


def _keys_of(values: pl.Series, seed: int) -> pl.Series:
    """A number for each value, fixed by the value and the seed alone, so that no alphabet decides who goes first."""
    names = values.cast(pl.String).fill_null("")
    distinct = names.unique()
    return names.replace_strict(distinct, pl.Series(hashes(distinct.to_list(), seed)), return_dtype=pl.UInt64)
