"""The section of the curation policy about the distilled scorer's backbone.

What belongs here: shape, input and training of the scorer (PAPER §2.2.1, A.2) as settings with their reasons. What does
not: how they are used (`tokenizer.py`, `pretraining.py`, `regression.py`, `backbone.py`) and thresholds on scores.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from seed_platform.section import Section


class TinyBackbonePolicy(Section):
    """The backbone that is pretrained on the corpus at hand when no checkpoint is given: about 0.9 M parameters."""

    vocabulary: int = Field(4096, ge=320, le=65_536)
    """Entries of the byte-level BPE tokenizer; fewer where the corpus does not give as many."""
    tokenizer_characters: int = Field(3_000_000, ge=1000)
    """Characters of the corpus that the tokenizer is trained on."""
    hidden: int = Field(128, ge=16)
    """Width."""
    intermediate: int = Field(320, ge=16)
    """Width of the feed-forward layers."""
    layers: int = Field(2, ge=1)
    """Transformer blocks."""
    heads: int = Field(2, ge=1)
    """Attention heads."""
    tokens: int = Field(150_000, ge=0)
    """Tokens of next-token pretraining, the least that is done; a corpus that is smaller is repeated."""
    cpu_seconds: float = Field(90.0, gt=0)
    """Processor time after which pretraining stops early. Where it does, the report says so, and the model depends on
    the machine's speed; `tokens` is what makes it reproducible."""
    learning_rate: float = Field(3e-3, gt=0)
    """Peak of the schedule."""
    batch: int = Field(16, ge=1)
    """Sequences in a step."""

    @model_validator(mode="after")
    def _whole_heads(self) -> TinyBackbonePolicy:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of twice heads ({self.heads})")
        return self


class BackbonePolicy(Section):
    """The scorer: a Llama-architecture backbone with a regression head on score/10, trained by mean squared error."""

    checkpoint: str | None = None
    """Folder of a causal language model of transformers to start from (the paper: 1.3B, Llama 2); None: `tiny`."""
    tiny: TinyBackbonePolicy = TinyBackbonePolicy()
    """Used if `checkpoint` is None."""
    max_tokens: int = Field(256, ge=32)
    """Length of an input, everything included."""
    truncation: Literal["head", "head_tail"] = "head_tail"
    """What is kept of a longer text: its beginning, or its beginning and its end."""
    tail_share: float = Field(0.25, gt=0, lt=1)
    """Share of a truncated input that the end gets under `head_tail`."""
    epochs: int = Field(1, ge=1)
    """Passes over the training examples. The paper: one."""
    views: int = Field(4, ge=1)
    """Examples made of one file: its input as it is scored, and views - 1 random crops under the same label. One for a
    label set of many thousands of files."""
    taught: int = Field(4000, ge=0)
    """Most files of the corpus that are examples too, rated by a scorer over cheap features (`kernel.py`) that has
    learned from the same judged files. A few hundred labels alone teach the tiny backbone too little: mean absolute
    error 1.72 without, 1.47 with 3,000 of them, on training files of other packages (2026-11). 0 for many thousand
    labels."""
    variants: float = Field(0.2, ge=0, lt=1)
    """Share of the examples that are spoiled copies of training files, labelled by rule (`variants.py`); 0: none."""
    balance: float = Field(0.0, ge=0, le=1)
    """How far scores that are rare among the labels are drawn more often: 0 as they are, 1 all alike. For very skewed
    labels; on the shipped ones 0.5 raised the plain and the class-averaged error by more than a tenth (2026-11)."""
    learning_rate: float = Field(1.5e-3, gt=0)
    """Peak of the schedule. The default suits the tiny backbone; for a billion parameters 1e-5 is usual."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises; it then falls linearly to zero."""
    batch: int = Field(16, ge=1)
    """Examples in a training step, on all devices together."""
    seed: int = Field(1, ge=0, lt=1 << 31)
    """Of initial weights, sampling and order."""
