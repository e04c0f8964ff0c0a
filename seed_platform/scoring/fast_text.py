"""fastText over the 11 ratings as classes: the backend "fast_text".

A text is shown as its tokens and, in further tokens, as the range that each of its measures falls into; the score is
the mean of the ratings, weighted with their probabilities. What belongs here: what fastText is shown, and the score.
What does not: training it reproducibly (`supervised.py`), and the measures (`features.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seed_platform.errors import WorkError
from seed_platform.scoring import features
from seed_platform.scoring.supervised import load_native, probabilities, train_model

Array = npt.NDArray[np.float64]

TOKENS = 300
"""Tokens of a text that are shown."""
RANGES = 6
"""Ranges of each measure, with as many training files in each."""
REPEATS = 3
"""Times that the measures are shown: there are fewer of them than of tokens."""
_OPTIONS = {"dim": 50, "wordNgrams": 2, "epoch": 40, "bucket": 50_000, "minCount": 2}
_LEARNING_RATE = 0.5
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_CHARACTERS_PER_TOKEN = 6
_RATINGS = 11
_CHUNK = 512
_MODEL, _EDGES = "model.bin", "ranges.json"


@dataclass(frozen=True, eq=False)
class FastTextScorer:
    """A trained model; travels to other processes.

    Attributes:
        model: the bytes of the fastText model.
        edges: of each measure, where its ranges begin.
    """

    model: bytes
    edges: list[list[float]]

    backend = "fast_text"
    marker = _EDGES

    def __getstate__(self) -> dict[str, Any]:
        return {"model": self.model, "edges": self.edges}

    @classmethod
    def train(
        cls, texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], seed: int
    ) -> FastTextScorer:
        """Learn from labelled files; the same for the same arguments, in a new process.

        Raises:
            WorkError: fastText diverges at every learning rate.
        """
        table = features.features(texts, languages)
        quantiles = np.quantile(table, np.arange(1, RANGES) / RANGES, axis=0)
        edges = [np.unique(column).tolist() for column in quantiles.T]
        lines = _shown(table, edges, texts, languages)
        rated = (f"__label__{round(score)} {line}" for score, line in zip(scores, lines, strict=True))
        return cls(train_model(rated, _OPTIONS, _LEARNING_RATE, seed), edges)

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> Array:
        """The expected rating of each text, 0 to 10; shape (texts,)."""
        table = features.features(texts, languages)
        scores = np.empty(len(texts))
        for start in range(0, len(texts), _CHUNK):
            part = slice(start, start + _CHUNK)
            lines = _shown(table[part], self.edges, texts[part], languages[part])
            scores[part] = [_expected(classes) for classes in probabilities(self._native, lines, _RATINGS)]
        return np.clip(scores, 0.0, 10.0)

    @property
    def id(self) -> str:
        """32 hex digits of what its scores depend on."""
        shown = f"{features.VERSION} {json.dumps(self.edges)}".encode()
        return hashlib.blake2b(shown + self.model, digest_size=16).hexdigest()

    def save(self, folder: Path) -> None:
        """Write the model into `folder`, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MODEL).write_bytes(self.model)
        # fastText reads a model that was cut short without a word, and scores at random.
        digest = hashlib.sha256(self.model).hexdigest()
        stored = {"version": features.VERSION, "model": digest, "edges": self.edges}
        (folder / _EDGES).write_text(json.dumps(stored), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FastTextScorer:
        """The model that `save` wrote.

        Raises:
            WorkError: there is none, or it is of another version of the measures.
        """
        try:
            stored = json.loads((folder / _EDGES).read_text(encoding="utf-8"))
            model = (folder / _MODEL).read_bytes()
        except (OSError, ValueError) as error:
            raise WorkError(f"cannot read the scorer in {folder}: {error}") from error
        if stored["version"] != features.VERSION:
            raise WorkError(f"the scorer in {folder} is of version {stored['version']} of the measures; train it again")
        if stored["model"] != hashlib.sha256(model).hexdigest():
            raise WorkError(f"cannot read the scorer in {folder}: {_MODEL} is not the file that was saved")
        return cls(model, stored["edges"])

    @cached_property
    def _native(self) -> Any:  # noqa: ANN401 - fastText has no types
        return load_native(self.model)


def _shown(table: Array, edges: list[list[float]], texts: Sequence[str], languages: Sequence[str]) -> list[str]:
    """The line of each text: its measures, its language, its tokens."""
    ranges = np.stack([np.searchsorted(edge, table[:, at], side="right") for at, edge in enumerate(edges)], axis=1)
    names = [[f"{name}={number}" for number in range(RANGES)] for name in features.NAMES]
    lines = []
    for row, text, language in zip(ranges.tolist(), texts, languages, strict=True):
        measured = [names[at][number] for at, number in enumerate(row)]
        tokens = _TOKEN.findall(features.sample_of(text)[: TOKENS * _CHARACTERS_PER_TOKEN])[:TOKENS]
        lines.append(" ".join([*measured * REPEATS, f"language={language.replace(' ', '_')}", *tokens]))
    return lines


def _expected(classes: dict[str, float]) -> float:
    total = sum(classes.values())
    return sum(int(rating) * value for rating, value in classes.items()) / total
