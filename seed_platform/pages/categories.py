"""The category of the site that a page is of, by a linear classifier over named features.

What belongs here: the categories and the classifier. What does not: the features (`features.py`), and how the weights
were found, which `benchmarks/page_classifiers.py train` does and decision 0007 tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from seed_platform.pages.features import NAMES, features

Category = Literal[
    "documentation", "tutorial_or_blog", "forum", "qa", "code_hosting", "news", "reference", "shop", "other"
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
"""In the order of the classifier's rows."""

WEIGHTS_FILE = "category_weights.json"

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """A multinomial logistic regression.

    Attributes:
        weights: shape (categories, features), in the orders of `CATEGORIES` and `NAMES`.
        bias: shape (categories,).
    """

    weights: Matrix
    bias: Matrix

    def probabilities(self, vectors: Matrix) -> Matrix:
        """Of each category for each page; shape (pages, categories) from (pages, features)."""
        logits = vectors @ self.weights.T + self.bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))

    def as_json(self) -> str:
        """The weights by category and feature, to read and to compare; zeros are left out."""
        table = {
            category: {"bias": round(float(self.bias[row]), 3)}
            | {
                name: round(float(value), 3)
                for name, value in zip(NAMES, self.weights[row], strict=True)
                if abs(value) >= 5e-4
            }
            for row, category in enumerate(CATEGORIES)
        }
        return json.dumps(table, indent=1) + "\n"


def read_weights(text: str) -> Weights:
    """The weights in the JSON of `Weights.as_json`.

    Raises:
        ValueError: it names another set of categories, or a feature that there is not.
    """
    table = json.loads(text)
    if set(table) != set(CATEGORIES):
        raise ValueError(f"the weights are for {sorted(table)}, not {sorted(CATEGORIES)}")
    unknown = {name for row in table.values() for name in row} - {*NAMES, "bias"}
    if unknown:
        raise ValueError(f"the weights name features that there are not: {sorted(unknown)}")
    weights = np.array([[table[category].get(name, 0.0) for name in NAMES] for category in CATEGORIES])
    return Weights(weights, np.array([table[category].get("bias", 0.0) for category in CATEGORIES]))


@cache
def default_weights() -> Weights:
    """The weights that the package ships."""
    return read_weights(files("seed_platform.pages").joinpath(WEIGHTS_FILE).read_text(encoding="utf-8"))


def categorize_vector(vector: Matrix) -> tuple[Category, float]:
    """The most probable category of the page with these `features`, and its probability."""
    probabilities = default_weights().probabilities(vector[np.newaxis])[0]
    best = int(probabilities.argmax())
    return CATEGORIES[best], float(probabilities[best])


def categorize(url: str, extraction_counts: Mapping[str, int], title: str | None, text: str) -> tuple[Category, float]:
    """The most probable category of a page, and its probability.

    Args:
        url: its address.
        extraction_counts: elements of the whole page by name (`Extraction.counts`).
        title: its title, if it has one.
        text: its main content as Markdown.
    """
    return categorize_vector(features(url, extraction_counts, title, text))
