"""Which files are dropped for their score: those below a percentile of the scores so far (PAPER §1.3).

Scores are counted in bins of a hundredth, so what is kept of a batch is small however many files it has, and a
percentile of all batches costs no look at their files. What belongs here: counting, and the decision. What does not:
scoring.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from seed_platform.filters.base import as_verdicts
from seed_platform.scoring.policy import FileQualityPolicy

VERSION = "1"
BINS = 1001
"""A score from 0 to 10 in hundredths."""
ALL = ""
"""What stands in the place of a language in the counts of all files."""
HISTOGRAM = {"language": pl.String, "bin": pl.Int64, "files": pl.Int64}


def histogram(files: pl.DataFrame) -> pl.DataFrame:
    """How many files of each language, and of all, have each score.

    Args:
        files: language, and score, null where there is none.

    Returns:
        language (`ALL` for all), bin, files.
    """
    binned = files.filter(pl.col("score").is_not_null()).select(
        pl.col("language").fill_null("unknown"), bin=(pl.col("score").clip(0, 10) * 100).round().cast(pl.Int64)
    )
    both = pl.concat([binned, binned.with_columns(language=pl.lit(ALL))])
    return both.group_by("language", "bin").agg(pl.len().cast(pl.Int64).alias("files")).sort("language", "bin")


class Percentiles:
    """The scores so far, by language."""

    def __init__(self, counts: pl.DataFrame) -> None:
        self._below: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
        self._files: dict[str, int] = {}
        for (language,), group in counts.group_by("language"):
            bins = np.zeros(BINS, dtype=np.int64)
            np.add.at(bins, group["bin"].to_numpy(), group["files"].to_numpy())
            total = int(bins.sum())
            self._files[str(language)] = total
            # Of equal scores half count as lower: else a scorer that says the same of all files would drop them all.
            self._below[str(language)] = (2 * np.cumsum(bins) - bins) * 50 / total

    def of(self, scores: pl.Series, languages: pl.Series, policy: FileQualityPolicy) -> pl.Series:
        """The percentile of each score: the percentage of files with a lower one, and of half of those with the same.

        Null where too few are known.
        """
        found: list[float | None] = []
        bins = (scores.clip(0, 10) * 100).round().cast(pl.Int64).to_list()
        for place, language in zip(bins, languages.fill_null("unknown").to_list(), strict=True):
            name = language if policy.per_language else ALL
            known = place is not None and self._files.get(name, 0) >= policy.min_files
            found.append(float(self._below[name][place]) if known else None)
        return pl.Series("percentile", found, dtype=pl.Float64)


def judge(files: pl.DataFrame, percentiles: Percentiles, policy: FileQualityPolicy, scorer: str) -> pl.DataFrame:
    """Verdicts on files.

    Args:
        files: ordinal, doc_id, language, score (null where there is no scorer).
        percentiles: of all files so far, these among them.
        policy: what is dropped.
        scorer: the id of what scored.

    Returns:
        The verdict columns, row for row. `reason` is "low_quality" for a file that is dropped; a kept one may have
        "not_scored", or "too_few_to_compare". `evidence` has the percentile and the scorer.
    """
    ranked = files.with_columns(percentiles.of(files["score"], files["language"], policy))
    low = (pl.col("percentile") < policy.drop_percentile).fill_null(value=False)
    reason = (
        pl.when(pl.col("score").is_null())
        .then(pl.lit("not_scored"))
        .when(pl.col("percentile").is_null())
        .then(pl.lit("too_few_to_compare"))
        .when(low)
        .then(pl.lit("low_quality"))
    )
    evidence = [
        None
        if score is None
        else json.dumps({**({} if each is None else {"percentile": round(each, 2)}), "scorer": scorer})
        for score, each in ranked.select("score", "percentile").iter_rows()
    ]
    return as_verdicts(ranked.with_columns(reason=reason, keep=~low, evidence=pl.Series(evidence, dtype=pl.String)))
