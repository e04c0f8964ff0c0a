"""The sections of the curation policy about corpora that keep structure: repositories, and long context.

What belongs here: thresholds and choices. What does not: how they are used (`steps/`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from seed_platform.section import Section

Share = Annotated[float, Field(ge=0, le=1)]
LongSource = Literal["files", "pages", "repositories", "commits"]
"""What a long sequence can be made of: long files, long pages, packed repositories, commit samples."""


def _default_shares() -> dict[LongSource, float]:
    return {"files": 0.25, "pages": 0.15, "repositories": 0.4, "commits": 0.2}


class RepositoryLevelPolicy(Section):
    """The repository-level corpus (PAPER §2): which repositories, and how their files become sequences.

    The paper chooses repositories by their average file quality, and gives no threshold. Until files have scores, a
    repository's quality is the share of its files that the filters of quality keep.
    """

    min_quality: Share = 0.5
    """Least share of a repository's files in one of the 89 languages that neither rules nor syntax drop."""
    min_files: int = Field(2, ge=1)
    """Fewest files that the rules keep; one file has no structure to learn."""
    sequence_tokens: int = Field(32_768, ge=64)
    """Most tokens of a sequence: the context that the paper trains with."""
    bytes_per_token: float = Field(3.5, gt=0)
    """For the estimate of tokens until a tokenizer counts them; every share of bytes over it rounds up."""


class LongContextPolicy(Section):
    """The long-context corpus (PAPER §2, Figure 1): what it is made of, and for which steps of training."""

    steps: tuple[int, ...] = (8_192, 32_768)
    """Context lengths in tokens, ascending. A document belongs to the first step that holds it; one that is longer than
    the last is left out."""
    min_tokens: int = Field(2_048, ge=1)
    """Fewest tokens of a document: shorter ones teach nothing that needs a long context."""
    shares: dict[LongSource, Share] = Field(default_factory=_default_shares)
    """Share of the tokens that comes from each source. The paper gives none. As much of each is taken as keeps the
    shares; a source that has nothing is left out, and the others keep theirs among each other."""
    seed: int = Field(1, ge=0, lt=1 << 32)
    """Of the choice among the documents of a source that has more than its share."""

    @field_validator("steps")
    @classmethod
    def _ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or list(value) != sorted(set(value)) or value[0] < 1:
            raise ValueError("must be one or more lengths, ascending")
        return value

    @model_validator(mode="after")
    def _shares_of_a_whole_and_lengths_that_fit(self) -> LongContextPolicy:
        if self.min_tokens > self.steps[-1]:
            raise ValueError(f"min_tokens ({self.min_tokens}) is more than the last step holds ({self.steps[-1]})")
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"the shares make {sum(self.shares.values()):g} and not 1")
        return self
