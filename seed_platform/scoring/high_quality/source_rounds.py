"""One source on its way through the rounds: its thresholds, what it is trained on, what each round finds.

What belongs here: everything that is decided for one source apart from the others. What does not: passes over the
files, which all sources share (`rounds.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.scoring.high_quality.candidates import Spread
from seed_platform.scoring.high_quality.classifier import Classifier
from seed_platform.scoring.high_quality.negatives import NegativePool, Negatives
from seed_platform.scoring.high_quality.policy import HighQualityPolicy, SourceName
from seed_platform.scoring.high_quality.report import ACCEPTED, RoundReport, SourceReport
from seed_platform.scoring.high_quality.seeds import Diverse, hashes

_HELD_OUT = 2
"""Added to the policy's seed, so that who is held out follows neither the draws nor the turns."""


@dataclass(slots=True)
class _Tally:
    """Counts of one round; the names are those of `RoundReport` and the classes of documents that it tells apart."""

    held_out: int = 0
    relevant: int = 0
    held_recalled: int = 0
    hits: int = 0
    documents: int = 0
    recalled: int = 0
    probability: float = 0.0
    bad: int = 0
    probability_bad: float = 0.0
    bare: int = 0
    probability_bare: float = 0.0
    accepted: int = 0
    bytes: int = 0
    seed_bytes: int = 0


@dataclass(slots=True)
class Training:
    """What one round trains on, and what came of it."""

    positives: list[str]
    negatives: Negatives
    without_text: int = 0
    lr: float = 0.0


@dataclass(slots=True)
class _Total:
    """Of the rounds done: what was found beside the seeds."""

    documents: int = 0
    bytes: int = 0
    reports: list[RoundReport] = field(default_factory=list)


class SourceRounds:
    """The state of one source; its memory is bounded by the policy, not by the number of files."""

    def __init__(self, source: SourceName, spread: Spread | None, policy: HighQualityPolicy) -> None:
        """`spread`: of the source's scores, None if there are no files."""
        spread = spread or Spread.empty()
        self.source = source
        self.skipped: str | None = None
        self._policy = policy
        self._spread = spread
        self._seed_score = max(spread.quantile(policy.seed_quantile), policy.least_seed_score)
        self._accept_score = max(spread.quantile(policy.accept_quantile), policy.least_accept_score)
        self._bad_score = spread.quantile(policy.bad_quantile)
        self._candidates = Diverse(policy.seeds, "score", policy.seed)
        self._eligible = 0
        self._pool = NegativePool(policy)
        self._seeds = pl.Series("doc_id", [], dtype=pl.String)
        self._joined: list[str] = []
        self._new = Diverse(policy.seeds, "score", policy.seed)
        self._tally = _Tally()
        self._total = _Total()
        if source not in policy.sources:
            self.skipped = "off"
        elif not spread.documents:
            self.skipped = "empty"
        elif self._bad_score >= self._seed_score:
            self.skipped = "scores_too_uniform"

    def offer(self, facts: pl.DataFrame) -> None:
        """Take scored files of this source into account for seeds and for negatives."""
        rows = facts.filter(~self._is_held_out(facts["doc_id"]))
        eligible = rows.filter(~pl.col("bare") & (pl.col("score") >= self._seed_score))
        self._eligible += eligible.height
        self._candidates.offer(eligible)
        self._pool.offer(rows, seed_score=self._seed_score)

    def choose_seeds(self) -> None:
        """Choose the seeds, when all files were offered, or skip the source."""
        count = int(self._policy.seed_share * self._eligible)
        if count < self._policy.min_seeds:
            self.skipped = "too_few_seeds"
            return
        self._seeds = self._candidates.chosen(count)["doc_id"]
        self._candidates = Diverse(0, "score", self._policy.seed)
        if len(self._pool.for_positives(set(self._seeds)).all) < self._policy.min_seeds:
            self.skipped = "too_few_negatives"
            self._seeds = self._seeds.clear()

    def training(self) -> Training:
        """What the next round trains on."""
        positives = [*self._seeds.to_list(), *self._joined]
        self._tally = _Tally()
        return Training(positives, self._pool.for_positives(set(positives)))

    def seeds_accepted(self) -> pl.DataFrame:
        """The seeds as accepted documents."""
        return _accepted(self._seeds, self.source, None, 0)

    def score(self, rows: pl.DataFrame, classifier: Classifier, number: int, before: pl.Series) -> pl.DataFrame:
        """Score some of this source's files in round `number` and return the documents newly accepted.

        Args:
            rows: `facts.FACTS` and `content`; with a score.
            classifier: of this round.
            number: of the round.
            before: ids that earlier rounds accepted, at least those among `rows`.
        """
        rows = rows.with_columns(probability=pl.Series(classifier.probabilities(rows["content"]))).drop("content")
        held = pl.Series(self._is_held_out(rows["doc_id"]))
        recalled = rows["probability"] >= self._policy.min_probability
        is_seed = rows["doc_id"].is_in(self._seeds.implode())
        new = rows["doc_id"].is_in(before.implode()).not_() & ~is_seed & recalled
        new = new & ~rows["bare"] & (rows["score"] >= self._accept_score)
        bad = rows["score"] < self._bad_score
        self._pool.offer_recalled(rows.filter(recalled & bad & ~held))
        self._new.offer(rows.filter(new & ~held))
        self._count(rows, held, recalled, bad)
        self._tally.accepted += int(new.sum())
        self._tally.bytes += int(rows.filter(new)["bytes"].sum())
        self._tally.seed_bytes += int(rows.filter(is_seed)["bytes"].sum())
        found = rows.filter(new)
        return _accepted(found["doc_id"], self.source, found["probability"], number)

    def end_round(self, number: int, training: Training) -> None:
        """Report round `number`; what it found joins the seeds, and what it took wrongly the hard negatives."""
        tally = self._tally
        self._total.documents += tally.accepted
        self._total.bytes += tally.bytes
        self._total.reports.append(
            RoundReport(
                round=number,
                positives=len(training.positives),
                drawn=len(training.negatives.drawn),
                bare=len(training.negatives.bare),
                recalled_badly=len(training.negatives.recalled),
                without_text=training.without_text,
                lr=training.lr,
                held_out=tally.held_out,
                base_rate=tally.relevant / max(tally.held_out, 1),
                precision=tally.hits / tally.held_recalled if tally.held_recalled else None,
                recall=tally.hits / tally.relevant if tally.relevant else None,
                recalled=tally.recalled,
                mean_probability=tally.probability / max(tally.documents, 1),
                mean_probability_bad=tally.probability_bad / tally.bad if tally.bad else None,
                mean_probability_bare=tally.probability_bare / tally.bare if tally.bare else None,
                accepted=tally.accepted,
                documents=len(self._seeds) + self._total.documents,
                bytes=tally.seed_bytes + self._total.bytes,
            )
        )
        self._joined.extend(self._new.chosen()["doc_id"].to_list())
        self._new = Diverse(self._policy.seeds, "score", self._policy.seed)
        self._pool.end_round()

    def report(self) -> SourceReport:
        """What was done so far."""
        return SourceReport(
            source=self.source,
            documents=self._spread.documents,
            unscored=self._spread.unscored,
            seed_score=self._seed_score,
            accept_score=self._accept_score,
            bad_score=self._bad_score,
            seeds=len(self._seeds),
            skipped=self.skipped,
            rounds=tuple(self._total.reports),
        )

    def _count(self, rows: pl.DataFrame, held: pl.Series, recalled: pl.Series, bad: pl.Series) -> None:
        tally = self._tally
        relevant = rows["score"] >= self._seed_score
        tally.held_out += int(held.sum())
        tally.relevant += int((held & relevant).sum())
        tally.held_recalled += int((held & recalled).sum())
        tally.hits += int((held & recalled & relevant).sum())
        tally.documents += rows.height
        tally.recalled += int(recalled.sum())
        tally.probability += float(rows["probability"].sum())
        tally.bad += int(bad.sum())
        tally.probability_bad += float(rows.filter(bad)["probability"].sum())
        tally.bare += int((relevant & rows["bare"]).sum())
        tally.probability_bare += float(rows.filter(relevant & rows["bare"])["probability"].sum())

    def _is_held_out(self, doc_ids: pl.Series) -> npt.NDArray[np.bool_]:
        limit = np.uint64(int(self._policy.held_out * 2.0**64))
        return hashes(doc_ids.to_list(), self._policy.seed + _HELD_OUT) < limit


def _accepted(doc_ids: pl.Series, source: str, probabilities: pl.Series | None, number: int) -> pl.DataFrame:
    """Accepted documents of one source and round; columns `ACCEPTED`."""
    values = {"doc_id": doc_ids, "source": source, "probability": probabilities, "round": number}
    return pl.DataFrame(values, schema=ACCEPTED)
