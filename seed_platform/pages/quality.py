"""How good a page is for its kind: a score in [0, 1] by the rubric of its site category, its threshold, its sample.

What belongs here: a documented heuristic that stands in until a language model judges pages. What does not: categories
(`categories.py`), and pages without usable text (`filters/page_rules.py`). Rubrics: decision 0007.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from seed_platform.pages.categories import CATEGORIES, Category
from seed_platform.pages.features import NAMES
from seed_platform.pages.policy import SiteQualityPolicy
from seed_platform.pages.sampling import positions

Matrix = npt.NDArray[np.float64]

VERSION = "1"
"""Of the rubrics: raised when the score of some page changes."""

# Each rubric: a start, and what a feature at 1 adds. "knowledge" is the common ground: long enough, little selling.
_COMMON = {
    "text:length": 0.6,
    "says:service": -0.25,
    "says:shop": -0.15,
    "text:short_lines": -0.15,
    "text:exclamations": -0.1,
}
_RUBRICS: dict[Category, tuple[float, dict[str, float]]] = {
    "documentation": (
        0.1,
        {
            "says:docs": 0.2,
            "text:inline_code": 0.15,
            "text:code_blocks": 0.15,
            "text:headings": 0.05,
            "text:calls": 0.1,
        },
    ),
    "tutorial_or_blog": (
        0.1,
        {"says:tutorial": 0.15, "text:code_blocks": 0.2, "text:inline_code": 0.1, "text:second_person": 0.05},
    ),
    # No formatting counts in a discussion: what counts is that there are questions, answers and some length.
    "forum": (0.15, {"says:forum": 0.1, "says:answers": 0.15, "text:questions": 0.1, "text:short_lines": 0.15}),
    "qa": (0.15, {"says:answers": 0.2, "text:questions": 0.1, "text:code_blocks": 0.1, "text:short_lines": 0.1}),
    "code_hosting": (0.05, {"text:code_blocks": 0.2, "text:inline_code": 0.1, "says:docs": 0.1, "text:headings": 0.05}),
    "news": (0.05, {"says:tutorial": 0.1, "text:inline_code": 0.1, "text:code_blocks": 0.1}),
    "reference": (0.1, {"says:reference": 0.15, "says:docs": 0.1, "text:headings": 0.05, "text:code_blocks": 0.1}),
    "shop": (0.0, {"text:prices": -0.2, "text:code_blocks": 0.2, "text:inline_code": 0.1, "says:docs": 0.1}),
    "other": (0.0, {"text:code_blocks": 0.2, "text:inline_code": 0.1, "says:docs": 0.1}),
}


@cache
def _rubrics() -> tuple[Matrix, Matrix]:
    """Starts, shape (categories,), and weights, shape (categories, features)."""
    weights = np.zeros((len(CATEGORIES), len(NAMES)))
    for row, category in enumerate(CATEGORIES):
        for rubric in (_COMMON, _RUBRICS[category][1]):
            for name, value in rubric.items():
                weights[row, NAMES.index(name)] += value
    return np.array([_RUBRICS[category][0] for category in CATEGORIES]), weights


def page_score(vector: Matrix, category: Category) -> float:
    """The score in [0, 1] of the page with these features as a page of `category`."""
    starts, weights = _rubrics()
    row = CATEGORIES.index(category)
    return float(np.clip(starts[row] + weights[row] @ vector, 0.0, 1.0))


def judge(
    doc_ids: Sequence[str], categories: Sequence[str], scores: Sequence[float], policy: SiteQualityPolicy
) -> list[str | None]:
    """Why each page is dropped: "low_quality", "not_sampled", or None for a page that is kept.

    Args:
        doc_ids: ids; they decide the sample.
        categories: names of `CATEGORIES`.
        scores: of `page_score`, or of a judge that replaces it.
        policy: thresholds and rates.
    """
    rules = [policy.categories[category] for category in categories]
    drawn = positions(doc_ids, policy.seed) < np.array([rule.rate for rule in rules])
    return [
        # Not "score < threshold", so that a score that is not a number is dropped.
        "low_quality" if not score >= rule.threshold else None if chosen else "not_sampled"
        for score, rule, chosen in zip(scores, rules, drawn, strict=True)
    ]
