"""Scorers as the rest of the platform sees them: train one by the name of its backend, save it, load it, measure it.

What belongs here: the interface, the choice of a backend, what all backends learn from, the report. What does not: any
backend (`kernel.py`, `fast_text.py`, `backbone.py`), and where models are kept (`steps/models.py`).
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from seed_platform.errors import UsageError, WorkError
from seed_platform.scoring import metrics
from seed_platform.scoring.distilled import DistilledScorer
from seed_platform.scoring.fast_text import FastTextScorer
from seed_platform.scoring.kernel import KernelScorer
from seed_platform.scoring.ordering import ordering_report
from seed_platform.scoring.variants import VARIANTS, variant

Array = npt.NDArray[np.float64]

GOOD = 5.0
"""Least rating of a training file of which a spoiled copy is learned too."""


class Scorer(Protocol):
    """A small model that rates files as the judge would."""

    @property
    def backend(self) -> str:
        """The name of what learned it."""

    @property
    def id(self) -> str:
        """32 hex digits of what its scores depend on."""

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> Array:
        """The score of each text, finite and in [0, 10], in their order; shape (texts,).

        Args:
            texts: of whole files.
            languages: as `filters.languages` names them.
        """

    def save(self, folder: Path) -> None:
        """Write the model into `folder`, which is made if it is not there."""


_BACKENDS: dict[str, type[KernelScorer | FastTextScorer | DistilledScorer]] = {
    backend.backend: backend for backend in (KernelScorer, FastTextScorer, DistilledScorer)
}


def train_scorer(
    backend: str, texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], seed: int
) -> Scorer:
    """A scorer that has learned a judge's scores (PAPER §1.3).

    The cheap backends learn a spoiled copy of every good file too, rated by the rubric's own words: label sets hold few
    files that are broken, and none whose tokens are out of order. The backbone draws its own.

    Args:
        backend: "features", "fast_text" or "backbone".
        texts: of the training files; none that the report is to be measured on.
        languages: of the files.
        scores: the judge's, 0 to 10.
        seed: of all that is drawn by chance.

    Raises:
        UsageError: there is no such backend, or there are no files.
        WorkError: training fails.
    """
    if backend not in _BACKENDS:
        raise UsageError(f"no scorer backend {backend!r}: {', '.join(_BACKENDS)}")
    if not texts:
        raise UsageError("a scorer needs at least one labelled file")
    if not len(texts) == len(languages) == len(scores):
        raise ValueError(f"{len(texts)} texts, {len(languages)} languages, {len(scores)} scores")
    if backend != DistilledScorer.backend:
        texts, languages, scores = _with_spoiled(texts, languages, scores, seed)
    return _BACKENDS[backend].train(texts, languages, scores, seed)


def load_scorer(folder: Path) -> Scorer:
    """The scorer that its `save` wrote into `folder`.

    Raises:
        WorkError: there is none, or it is of another version.
    """
    for backend in _BACKENDS.values():
        if (folder / backend.marker).is_file():
            return backend.load(folder)
    raise WorkError(f"no scorer in {folder}")


def report_on(
    scorer: Scorer,
    texts: Sequence[str],
    languages: Sequence[str],
    scores: Sequence[float],
    *,
    mean: float,
    others: Mapping[str, Scorer] | None = None,
) -> dict[str, Any]:
    """What `scorer` does on files that it was not trained on.

    Args:
        scorer: the one in question.
        texts: of the held-out files.
        languages: of the files.
        scores: the judge's.
        mean: of the judge's scores of the training files: what a scorer that learned nothing would say.
        others: scorers to compare with, by name.

    Returns:
        To be written as JSON; measures of no files are None. `mae`, `class_averaged_mae`, `rank_correlation`;
        `mae_by_language` (files, mae), the largest first; `calibration`, bins of `metrics.calibration`; `baselines`:
        the first three of the mean and of `others`; `files_per_core_second`; `ordering`, of `ordering_report`.
    """
    labels = np.asarray(scores, dtype=np.float64)
    started = time.process_time()
    found = scorer.score(texts, languages)
    seconds = time.process_time() - started
    baselines = {"mean": np.full(len(labels), mean)}
    baselines |= {name: other.score(texts, languages) for name, other in (others or {}).items()}
    by_language = metrics.errors_by(languages, found, labels)
    return {
        "scorer": scorer.id,
        **_agreement(found, labels),
        "mae_by_language": {name: {"files": files, "mae": error} for name, (files, error) in by_language.items()},
        "calibration": [asdict(bin_) for bin_ in metrics.calibration(found, labels)],
        "baselines": {name: _agreement(values, labels) for name, values in baselines.items()},
        "files_per_core_second": len(labels) / max(seconds, 1e-9),
        "ordering": ordering_report(scorer),
    }


def _agreement(found: Array, labels: Array) -> dict[str, float | None]:
    values = {
        "mae": metrics.mean_absolute_error(found, labels),
        "class_averaged_mae": metrics.class_averaged_error(found, labels),
        "rank_correlation": metrics.rank_correlation(found, labels),
    }
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _with_spoiled(
    texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], seed: int
) -> tuple[list[str], list[str], list[float]]:
    """The files, and of every good one a copy spoiled in one of the ways of `VARIANTS`, which take turns."""
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    kinds = list(VARIANTS)
    good = [at for at, score in enumerate(scores) if score >= GOOD]
    drawn = [(at, kinds[turn % len(kinds)]) for turn, at in enumerate(good)]
    return (
        [*texts, *(variant(texts[at], kind, rng) for at, kind in drawn)],
        [*languages, *(languages[at] for at in good)],
        [*scores, *(VARIANTS[kind][1] for _, kind in drawn)],
    )
