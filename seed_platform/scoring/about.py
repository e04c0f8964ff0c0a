"""One line about a whole file, in words, for a model that sees a part of it.

What belongs here: which measures of `features.py` are told, and their grades. What does not: what they are worth, which
the model learns. An input of a few hundred tokens shows a file's beginning and end; whether it is long, repetitive or
commented throughout is what it hides. In words, so that every tokenizer and every server can take it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seed_platform.errors import WorkError
from seed_platform.scoring import features

# Told exactly, these are worth as much as all measures, in grades a little less: mean absolute error of kernel
# regression over folds of the training labels, by package: all 1.62, these 1.58, in eight grades 1.71 (2026-11).
_TOLD = (
    "bytes", "lines", "line_mean", "line_max", "line_spread", "letters", "upper", "digits", "spaces", "commas",
    "quotes", "equals", "parentheses", "marks", "entropy", "compression", "repeated_shapes", "same_neighbours",
    "blank_lines", "indented", "indent_mean", "first_words", "comment_share", "comment_words", "documented",
    "string_share", "literals", "word_length", "distinct_words", "vocabulary", "once_words", "control", "definitions",
    "definition_lines", "imports", "calls", "assignments", "tests", "elements", "templates", "unbalanced",
    "generated", "licence", "camel_case",
)  # fmt: skip
_COLUMNS = [features.NAMES.index(name) for name in _TOLD]
_WORDS = [name.replace("_", "") for name in _TOLD]
_GRADES = 8


@dataclass(frozen=True, slots=True)
class About:
    """The grades of each measure, fitted on files; immutable.

    Attributes:
        version: of the measures.
        edges: of each measure told, the values between its grades; at most 7.
    """

    version: str
    edges: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        """Refuse what cannot be applied.

        Raises:
            WorkError: the grades are of another version of the measures.
        """
        if self.version != features.VERSION or len(self.edges) != len(_TOLD):
            raise WorkError(f"the grades are of version {self.version} of the measures; train the scorer again")

    @classmethod
    def fit(cls, texts: Sequence[str], languages: Sequence[str]) -> About:
        """Grades of which each holds as many of `texts` as the other; at least one text."""
        table = features.features(texts, languages)[:, _COLUMNS]
        inner = np.quantile(table, np.arange(1, _GRADES) / _GRADES, axis=0)
        return cls(features.VERSION, tuple(tuple(np.unique(column).tolist()) for column in inner.T))

    def lines(self, texts: Sequence[str], languages: Sequence[str]) -> list[str]:
        """Of each text its language and the graded measures, "Python bytesC linesB …", and a line end."""
        if not texts:
            return []
        table = features.features(texts, languages)[:, _COLUMNS]
        graded = [np.searchsorted(edges, column) for edges, column in zip(self.edges, table.T, strict=True)]
        return [
            f"{language} {' '.join(map('{}{}'.format, _WORDS, map('ABCDEFGH'.__getitem__, row)))}\n"
            for language, row in zip(languages, np.stack(graded, axis=1).tolist(), strict=True)
        ]
