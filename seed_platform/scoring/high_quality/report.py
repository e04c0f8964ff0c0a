"""What the rounds did, as numbers.

What belongs here: the shapes of the report and of the result. What does not: how the numbers come about (`rounds.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from seed_platform.scoring.high_quality.policy import SourceName

ACCEPTED: dict[str, pl.DataType] = {
    "doc_id": pl.String(),
    "source": pl.String(),
    "probability": pl.Float64(),
    "round": pl.Int8(),
}
"""Of an accepted document: the round that found it and the probability then; a seed is of round 0 and has none."""


@dataclass(frozen=True, slots=True)
class RoundReport:
    """One round of one source.

    Precision and recall are against the scorer: a document is relevant if its score reaches `SourceReport.seed_score`.
    They are measured on the held-out documents, which no round trains on.

    Attributes:
        round: from 1.
        positives: trained on: seeds and the new positives of earlier rounds.
        drawn: negatives drawn at random.
        bare: negatives scored like seeds, without comments or docstrings.
        recalled_badly: negatives that earlier rounds recalled and the scorer thinks little of.
        without_text: documents chosen for training whose text did not come.
        lr: the learning rate that training ended with.
        held_out: held-out documents with a score.
        base_rate: share of them that is relevant: the precision of recalling at random.
        precision: share of the held-out documents recalled that is relevant; None if none is recalled.
        recall: share of the relevant held-out documents that is recalled; None if none is relevant.
        recalled: documents recalled, of all with a score.
        mean_probability: over all documents with a score; near 1 the classifier tells nothing apart.
        mean_probability_bad: the same over those scored below `SourceReport.bad_score`; None if there are none.
        mean_probability_bare: the same over those scored like seeds but bare, if there are any.
        accepted: documents newly accepted in this round.
        documents: of the source's corpus after this round, seeds included.
        bytes: of their texts.
    """

    round: int
    positives: int
    drawn: int
    bare: int
    recalled_badly: int
    without_text: int
    lr: float
    held_out: int
    base_rate: float
    precision: float | None
    recall: float | None
    recalled: int
    mean_probability: float
    mean_probability_bad: float | None
    mean_probability_bare: float | None
    accepted: int
    documents: int
    bytes: int


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source.

    Attributes:
        source: its name.
        documents: that belong to it.
        unscored: of those, without a score; they are never accepted.
        seed_score: what a seed must reach.
        accept_score: what a new positive must reach.
        bad_score: below which a recalled document is a hard negative.
        seeds: chosen at the start; also accepted, as of round 0.
        skipped: why there are no rounds, or fewer than the policy asks for: "off", "empty", "scores_too_uniform",
            "too_few_seeds", "too_few_negatives", "training_failed"; None if all were done.
        rounds: those done.
    """

    source: SourceName
    documents: int
    unscored: int
    seed_score: float
    accept_score: float
    bad_score: float
    seeds: int
    skipped: str | None
    rounds: tuple[RoundReport, ...]


@dataclass(frozen=True, slots=True)
class HighQuality:
    """The result.

    Attributes:
        report: one for each of the paper's sources, in their order.
        folder: of the Parquet files with the accepted documents.
    """

    report: tuple[SourceReport, ...]
    folder: Path

    def accepted_parts(self) -> Iterator[pl.DataFrame]:
        """The accepted documents, columns `ACCEPTED`, each once; the parts in memory one at a time."""
        for path in sorted(self.folder.glob("*/*.parquet")):
            yield pl.read_parquet(path)

    @property
    def accepted(self) -> pl.DataFrame:
        """All of them, by `doc_id`."""
        return pl.concat([pl.DataFrame(schema=ACCEPTED), *self.accepted_parts()]).sort("doc_id")
