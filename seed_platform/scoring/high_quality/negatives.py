"""Negatives: files drawn at random, and hard ones that look like seeds but are none (PAPER §5).

What belongs here: drawing, and how the kinds are put together. What does not: which files the last round recalled
wrongly (`rounds.py` finds them).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.high_quality.seeds import Diverse, hashes

_DRAW = 1
"""Added to the policy's seed, so that the draw does not follow the hashes that choose seeds."""


class Drawn:
    """A reservoir of the `limit` documents with the lowest hashes: a uniform draw that no order changes."""

    def __init__(self, limit: int, seed: int) -> None:
        """At most 2 * `limit` ids and one chunk are held."""
        self._limit = limit
        self._seed = seed
        self._held = pl.DataFrame(schema={"doc_id": pl.String, "hash": pl.UInt64})

    def offer(self, doc_ids: pl.Series) -> None:
        """Take these documents into account; each once."""
        drawn = pl.Series("hash", hashes(doc_ids.to_list(), self._seed), dtype=pl.UInt64)
        self._held = self._held.vstack(pl.DataFrame({"doc_id": doc_ids, "hash": drawn}))
        if self._held.height > 2 * self._limit:
            self._held = self._lowest()

    def chosen(self) -> list[str]:
        """The ids drawn, in the order of the draw."""
        return self._lowest()["doc_id"].to_list()

    def _lowest(self) -> pl.DataFrame:
        return self._held.sort("hash", "doc_id").head(self._limit)


@dataclass(frozen=True, slots=True)
class Negatives:
    """The negatives of one round, by kind; no document is in two, or among the positives.

    Attributes:
        drawn: at random.
        bare: scored like seeds, without comments or docstrings.
        recalled: taken for positives by the classifier of an earlier round, and scored badly.
    """

    drawn: list[str]
    bare: list[str]
    recalled: list[str]

    @property
    def all(self) -> list[str]:
        """The ids of all kinds."""
        return [*self.recalled, *self.bare, *self.drawn]


class NegativePool:
    """What negatives of one source can be taken from; the sizes of its reservoirs follow from the policy."""

    def __init__(self, policy: HighQualityPolicy) -> None:
        """`policy`: gives shares, limits and seed."""
        most = policy.negatives_for(policy.most_positives)
        hard = round(policy.hard_share * most)
        self._policy = policy
        # Positives are drawn too and removed later, when it is known which they are; so are hard negatives.
        self._drawn = Drawn(most + policy.most_positives + hard, policy.seed + _DRAW)
        self._bare = Diverse(hard, "score", policy.seed)
        self._recalled = Diverse(hard, "probability", policy.seed)
        self._known: list[str] = []

    def offer(self, rows: pl.DataFrame, *, seed_score: float) -> None:
        """Facts of documents that may be trained on: all may be drawn, good but bare ones are hard."""
        self._drawn.offer(rows["doc_id"])
        self._bare.offer(rows.filter(pl.col("bare") & (pl.col("score") >= seed_score)))

    def offer_recalled(self, rows: pl.DataFrame) -> None:
        """Facts and `probability` of documents that this round has recalled although they are scored badly."""
        self._recalled.offer(rows.filter(~pl.col("doc_id").is_in(self._known)))

    def end_round(self) -> None:
        """Keep what this round has offered: a document that a later round recalls again is not taken twice."""
        self._known = self._recalled.settle()["doc_id"].to_list()

    def for_positives(self, positives: set[str]) -> Negatives:
        """The negatives that go with `positives`.

        At most `hard_share` of them are hard: half of that is what earlier rounds recalled wrongly, half is bare, and
        one kind takes the place that the other leaves. The rest is random.
        """
        total = self._policy.negatives_for(len(positives))
        hard = int(self._policy.hard_share * total)
        bare = self._bare.chosen(hard)["doc_id"].to_list()
        recalled = self._recalled.chosen(hard)["doc_id"].to_list()
        from_recalled = recalled[: max(hard - hard // 2, hard - len(bare))]
        from_bare = bare[: hard - len(from_recalled)]
        taken = positives.union(from_bare, from_recalled)
        drawn = [doc_id for doc_id in self._drawn.chosen() if doc_id not in taken]
        return Negatives(drawn[: total - len(from_bare) - len(from_recalled)], from_bare, from_recalled)
