"""The sections of the curation policy about pages.

What belongs here: thresholds and choices about pages. What does not: how they are used (`filters/page_rules.py`,
`relevance.py`, `quality.py`). Reasons: decisions 0007 and 0008.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, field_validator, model_validator

from seed_platform.pages.categories import CATEGORIES
from seed_platform.section import Section

Share = Annotated[float, Field(ge=0, le=1)]


_LEAST_WEIGHTS = 9_000_000
"""fastText 0.9.3 on one thread sets a tenth of its input vectors and leaves the rest as the memory was. Above 32 MiB
glibc always takes fresh pages, which are zero; below, runs differ and many end in NaN."""


class PageRulesPolicy(Section):
    """The minimal rules of PAPER §4: is there text, and is it the page that the address promised."""

    min_words: int = Field(10, ge=0)
    """Fewest words. A run of a script without spaces (Chinese, Japanese, Thai) counts a word for two letters."""
    max_link_share: Share = 0.8
    """Largest share of the text's bytes inside links; beyond it a page is an index of others."""
    max_repeated_lines: Share = 0.5
    """Largest share of the text's bytes in lines that repeat an earlier line of the page; code blocks do not count."""
    max_broken_characters: Share = 0.02
    """Largest share of replacement, control and private characters."""
    placeholder_words: int = Field(120, ge=0)
    """Pages with more words are not looked at for "404 not found", "enable JavaScript" and the like."""
    languages: tuple[str, ...] = ()
    """Two-letter codes of the languages of prose to keep; empty keeps all. Pages without prose are kept."""

    @field_validator("languages")
    @classmethod
    def _codes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [code for code in value if len(code) != 2 or not code.isascii() or not code.islower()]
        if wrong:
            raise ValueError(f"not two-letter codes in lower case: {', '.join(wrong)}")
        return value


class CodeRelevancePolicy(Section):
    """The fastText recall of code-related pages (PAPER §4.3). The paper gives recall and split; the rest is ours."""

    min_recall: float = Field(0.99, gt=0, le=1)
    """Least share of the code-related held-out pages that the threshold must let through."""
    held_out: float = Field(0.3, gt=0, lt=1)
    """Share of the gold pages that the threshold is chosen on; no page of it is trained on."""
    min_pages: int = Field(50, ge=2)
    """Fewest gold pages of each class, in both parts together, to train at all."""
    dim: int = Field(100, ge=16, le=1024)
    """Length of the word vectors."""
    word_ngrams: int = Field(2, ge=2, le=5)
    """Longest run of words that is one feature."""
    epoch: int = Field(25, ge=1, le=1000)
    """Passes over the training pages."""
    lr: float = Field(0.5, gt=0, le=5)
    """Learning rate at the start; halved, up to four times, when training ends in NaN."""
    bucket: int = Field(200_000, ge=1000)
    """Buckets that runs of words are hashed to. 4 * dim bytes each in the model."""
    min_count: int = Field(2, ge=1)
    """Occurrences below which a word is ignored."""
    sample: int = Field(100_000, ge=100)
    """Most gold pages trained and measured on, drawn by the hash of their ids."""
    text_words: int = Field(1000, ge=10)
    """Words of a page that are looked at, from its start."""
    seed: int = Field(1, ge=0, lt=1 << 31)
    """Of the split, of the sample and of training."""

    @model_validator(mode="after")
    def _starts_from_zeros(self) -> CodeRelevancePolicy:
        if self.dim * self.bucket < _LEAST_WEIGHTS:
            raise ValueError(f"dim * bucket must be at least {_LEAST_WEIGHTS:,}, or training depends on chance")
        return self


class CategoryQuality(Section):
    """What is kept of one site category."""

    threshold: Share
    """Least score."""
    rate: Share
    """Share kept of the pages that reach it, drawn by the hash of their ids."""


QUALITY_BY_CATEGORY: dict[str, CategoryQuality] = {
    "documentation": CategoryQuality(threshold=0.45, rate=1.0),
    "tutorial_or_blog": CategoryQuality(threshold=0.4, rate=1.0),
    "forum": CategoryQuality(threshold=0.3, rate=1.0),
    "qa": CategoryQuality(threshold=0.3, rate=1.0),
    "code_hosting": CategoryQuality(threshold=0.45, rate=0.5),
    "news": CategoryQuality(threshold=0.45, rate=0.5),
    "reference": CategoryQuality(threshold=0.4, rate=1.0),
    "shop": CategoryQuality(threshold=0.6, rate=0.1),
    "other": CategoryQuality(threshold=0.45, rate=0.5),
}


class SiteQualityPolicy(Section):
    """Threshold and sampling rate for each site category (PAPER §4.6). The paper gives no numbers: decision 0007."""

    categories: dict[str, CategoryQuality] = Field(default_factory=QUALITY_BY_CATEGORY.copy)
    """By category; one that a policy file does not name keeps its default."""
    seed: int = Field(0, ge=0, lt=1 << 31)
    """Of the sampling."""

    @field_validator("categories")
    @classmethod
    def _known(cls, value: dict[str, CategoryQuality]) -> dict[str, CategoryQuality]:
        unknown = sorted(set(value) - set(CATEGORIES))
        if unknown:
            raise ValueError(f"not one of {', '.join(CATEGORIES)}: {', '.join(unknown)}")
        return QUALITY_BY_CATEGORY | value


PageFilterName = Literal["rules", "url_duplicates", "exact_duplicates", "near_duplicates", "code_relevance", "quality"]
"""The filters over pages."""


class WebPolicy(Section):
    """The web corpus: which filters a page must pass, in the order in which a drop is attributed."""

    filters: tuple[PageFilterName, ...] = get_args(PageFilterName)
    """The filters, cheapest first. Each looks at what those before it keep, so a corpus can leave out the last ones."""
    bytes_per_token: float = Field(4.0, gt=0)
    """For the token estimates that reports show until a tokenizer counts them."""

    @field_validator("filters")
    @classmethod
    def _first_of_the_chain(cls, value: tuple[PageFilterName, ...]) -> tuple[PageFilterName, ...]:
        chain = get_args(PageFilterName)
        if not value or value != chain[: len(value)]:
            raise ValueError(f"must be the first one or more of {', '.join(chain)}, in this order")
        return value
