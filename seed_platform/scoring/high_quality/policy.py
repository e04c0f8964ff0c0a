"""The section of the curation policy about the high-quality corpus.

What belongs here: thresholds and choices. What does not: how they are used (the modules beside this one).
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from seed_platform.filters.languages import LANGUAGES
from seed_platform.section import Section

Share = Annotated[float, Field(ge=0, le=1)]

SourceName = Literal["notebooks", "algorithms", "application", "major_languages", "general"]
"""The paper's five sources; a file belongs to the first one that claims it, in this order."""

SOURCES: tuple[SourceName, ...] = get_args(SourceName)

# fmt: off
MAJOR_LANGUAGES: tuple[str, ...] = (
    "C", "C#", "C++", "Go", "Java", "JavaScript", "Kotlin", "PHP", "Python", "Ruby", "Rust", "SQL", "Scala", "Shell",
    "Swift", "TypeScript",
)
# fmt: on

_LEAST_WEIGHTS = 9_000_000
"""fastText 0.9.3 leaves most input vectors as the memory was; only large blocks are sure to be fresh, and so zero."""


class HighQualityPolicy(Section):
    """How files of high quality are found (PAPER §5). The paper gives the method and ~100K seeds; the rest is ours."""

    sources: tuple[SourceName, ...] = SOURCES
    """The sources to find files in; each has its own seeds, thresholds and classifier."""
    major_languages: tuple[str, ...] = MAJOR_LANGUAGES
    """The languages of the source "major_languages"; the paper names none."""
    rounds: int = Field(3, ge=1, le=5)
    """Rounds of training and recall; the paper has two or three."""
    seeds: int = Field(100_000, ge=10)
    """Most seeds of a source, and most new positives that join them in a round."""
    seed_share: float = Field(0.5, gt=0, le=1)
    """Most seeds as a share of a source's files that could be one, so that some are left to be found."""
    seed_quantile: Share = 0.8
    """Quantile of a source's scores that a seed must reach."""
    least_seed_score: float = Field(5.0, ge=0, le=10)
    """Score that a seed must reach whatever the quantile, so that the best of a bad source is none."""
    min_seeds: int = Field(10, ge=2)
    """Seeds, and negatives, below which a source is skipped."""
    negatives_ratio: float = Field(2.0, gt=0, le=20)
    """Negatives for each positive."""
    hard_share: Share = 0.3
    """Most of the negatives that are hard ones; the others are drawn at random."""
    bad_quantile: Share = 0.5
    """Quantile of a source's scores below which a file that was recalled is a hard negative of the next round."""
    accept_quantile: Share = 0.7
    """Quantile of a source's scores that a new positive must reach."""
    least_accept_score: float = Field(4.0, ge=0, le=10)
    """Score that a new positive must reach whatever the quantile."""
    min_probability: float = Field(0.5, gt=0, le=1)
    """Probability at which the classifier counts as sure, and so recalls a file."""
    held_out: float = Field(0.2, gt=0, lt=1)
    """Share of the files that are never trained on; precision and recall of the rounds are measured on them."""
    text_words: int = Field(400, ge=20)
    """Tokens of a file that the classifier sees: half from its start, half from its middle if it is longer."""
    dim: int = Field(64, ge=16, le=1024)
    """Length of the classifier's word vectors."""
    word_ngrams: int = Field(2, ge=2, le=5)
    """Longest run of tokens that is one feature."""
    epoch: int = Field(10, ge=1, le=1000)
    """Passes over the training files."""
    min_updates: int = Field(10_000, ge=0)
    """Files shown in training at least, repeats counted: few files take more passes, or nothing would be learned."""
    lr: float = Field(1.0, gt=0, le=5)
    """Learning rate at the start; halved, up to four times, when training ends in NaN."""
    bucket: int = Field(200_000, ge=1000)
    """Buckets that runs of tokens are hashed to. 4 * dim bytes each in the model."""
    min_count: int = Field(3, ge=1)
    """Occurrences below which a token is ignored."""
    seed: int = Field(1, ge=0, lt=1 << 31)
    """Of the held-out part, of the draws and of training."""

    @field_validator("sources")
    @classmethod
    def _in_order(cls, value: tuple[SourceName, ...]) -> tuple[SourceName, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a source twice")
        return tuple(name for name in SOURCES if name in value)

    @field_validator("major_languages")
    @classmethod
    def _known_languages(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(LANGUAGES))
        if unknown:
            raise ValueError(f"not one of the {len(LANGUAGES)} languages: {', '.join(unknown)}")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> HighQualityPolicy:
        if self.dim * self.bucket < _LEAST_WEIGHTS:
            raise ValueError(f"dim * bucket must be at least {_LEAST_WEIGHTS:,}, or training depends on chance")
        if not self.bad_quantile <= self.accept_quantile <= self.seed_quantile:
            raise ValueError("bad_quantile, accept_quantile and seed_quantile must not decrease in this order")
        return self

    @property
    def most_positives(self) -> int:
        """Most files of a source that are trained on as positives in any round."""
        return self.seeds * self.rounds

    def negatives_for(self, positives: int) -> int:
        """How many negatives go with so many positives."""
        return round(self.negatives_ratio * positives)
