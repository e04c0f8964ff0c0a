"""The files that the corpus is chosen from, as streams, and how their scores are spread.

What belongs here: what the rounds ask of whoever stores the files, and the thresholds that quantiles stand for. What
does not: reading the lake (`steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

_BINS_PER_POINT = 100
_BINS = 10 * _BINS_PER_POINT + 1


class Candidates(Protocol):
    """Files with scores, each `doc_id` once. Every call reads from the start; nothing is held between two frames."""

    def facts(self) -> Iterator[pl.DataFrame]:
        """Frames of the columns `facts.FACTS`, in any order."""
        ...

    def texts(self, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
        """The `doc_id` and text of each wanted document, in any order."""
        ...

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Frames of the columns `facts.FACTS` and `content`: the same frames in the same order at every call."""
        ...


@dataclass(slots=True)
class Spread:
    """How the scores of one source are spread, in bins of 0.01.

    Attributes:
        documents: seen, with or without a score.
        unscored: of those, without one; they are in no training set and in no corpus.
        counts: documents per bin; shape (1001,).
    """

    documents: int
    unscored: int
    counts: npt.NDArray[np.int64]

    @classmethod
    def empty(cls) -> Spread:
        """Of a source of which nothing was seen."""
        return cls(0, 0, np.zeros(_BINS, np.int64))

    def add(self, scores: pl.Series) -> None:
        """Count `scores`, 0..10 or null."""
        known = scores.drop_nulls().to_numpy()
        self.documents += len(scores)
        self.unscored += len(scores) - len(known)
        # The small term undoes what multiplying loses: 0.29 * 100 is a little less than 29.
        self.counts += np.bincount((known * _BINS_PER_POINT + 1e-6).astype(np.int64), minlength=_BINS)

    def quantile(self, share: float) -> float:
        """The highest score, down to a bin's edge, that at least 1 - `share` of the scored documents reach."""
        reached = np.cumsum(self.counts[::-1])[::-1]
        enough = np.flatnonzero(reached >= max((1 - share) * reached[0], 1))
        return float(enough[-1] / _BINS_PER_POINT) if len(enough) else 0.0

    def reaching(self, score: float) -> int:
        """How many documents have at least `score`, a bin's edge."""
        return int(self.counts[round(score * _BINS_PER_POINT) :].sum())


def spreads(facts: Iterable[pl.DataFrame]) -> dict[str, Spread]:
    """The spread of the scores of each source that has documents; one pass."""
    found: dict[str, Spread] = {}
    for frame in facts:
        for (source,), rows in frame.select("source", "score").group_by("source", maintain_order=True):
            found.setdefault(str(source), Spread.empty()).add(rows["score"])
    return found
