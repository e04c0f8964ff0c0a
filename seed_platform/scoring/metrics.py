"""How well scores agree with labels: errors, rank correlation, order, calibration.

What belongs here: measures of two arrays, in NumPy. What does not: who scored and what is done about it (`scorer.py`).
Scores and labels are on the scale 0 to 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """The documents whose scores lie in [`low`, `high`): how many, their mean score, the mean of their labels."""

    low: float
    high: float
    count: int
    mean_score: float
    mean_label: float


def mean_absolute_error(scores: Array, labels: Array) -> float:
    """The mean of |score - label|; NaN of no documents."""
    return float(np.abs(scores - labels).mean()) if len(labels) else float("nan")


def class_averaged_error(scores: Array, labels: Array) -> float:
    """The mean over the labels present, rounded to whole ones, of the mean absolute error of their documents.

    Each label counts alike however rare it is, which the paper reports beside the plain error (PAPER §1.4).
    """
    if not len(labels):
        return float("nan")
    errors, classes = np.abs(scores - labels), np.rint(labels)
    return float(np.mean([errors[classes == value].mean() for value in np.unique(classes)]))


def errors_by(groups: Sequence[str], scores: Array, labels: Array) -> dict[str, tuple[int, float]]:
    """Of each group, such as a language: its documents and their mean absolute error; the largest group first."""
    names = np.array(groups, dtype=object)
    table = {
        str(name): (int((names == name).sum()), mean_absolute_error(scores[names == name], labels[names == name]))
        for name in set(groups)
    }
    return dict(sorted(table.items(), key=lambda item: (-item[1][0], item[0])))


def rank_correlation(scores: Array, labels: Array) -> float:
    """Spearman's: the correlation of the ranks, equal values sharing theirs; NaN if all scores or labels are equal."""
    one, other = ranks(scores), ranks(labels)
    spread = one.std() * other.std() if len(labels) else 0.0
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 0 else float("nan")


def area_under_curve(higher: Array, lower: Array) -> float:
    """The share of pairs in which a score of `higher` is above one of `lower`; ties count half; NaN without pairs."""
    if not len(higher) or not len(lower):
        return float("nan")
    positions = ranks(np.concatenate([higher, lower]))[: len(higher)]
    pairs = len(higher) * len(lower)
    return float((positions.sum() - len(higher) * (len(higher) + 1) / 2) / pairs)


def calibration(scores: Array, labels: Array, bins: int = 10) -> list[CalibrationBin]:
    """The bins of equal width over 0 to 10 that hold a document; the last one holds the score 10 too."""
    edges = np.linspace(0, 10, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, bins - 1)
    return [
        CalibrationBin(
            float(edges[bin_]),
            float(edges[bin_ + 1]),
            int((place == bin_).sum()),
            float(scores[place == bin_].mean()),
            float(labels[place == bin_].mean()),
        )
        for bin_ in np.unique(place)
    ]


def ranks(values: Array) -> Array:
    """The rank of each value, from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
