"""The sections of the curation policy about the quality of files.

What belongs here: how the scorer is trained, and what is dropped by its scores. What does not: the scorers themselves.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from seed_platform.section import Section

Backend = Literal["features", "fast_text", "backbone"]
"""Kernel ridge regression over cheap features; fastText over buckets of scores; a Llama with a regression head."""


class JudgeSamplePolicy(Section):
    """Which files a judge is asked about: a sample of each language (PAPER §1.2)."""

    rubric: str = "code_quality"
    """Name of the rubric."""
    rubric_version: int = Field(1, ge=1)
    """Its version."""
    per_language: int = Field(10_000, ge=1)
    """Most files of a language."""
    per_language_of: dict[str, int] = Field(default_factory=lambda: {"Python": 27_000})
    """The same for one language."""
    max_prompt_chars: int = Field(24_000, ge=1000)
    """Characters of a prompt; a longer file is cut at a line end, and said to be."""
    held_out: float = Field(0.3, gt=0, lt=1)
    """Share of the judged files that no scorer is trained on."""
    seed: int = Field(1, ge=0, lt=1 << 32)
    """Of the choice."""


class QualityScorerPolicy(Section):
    """How the scorer of files learns from a judge's labels (PAPER §1.3)."""

    backend: Backend = "features"
    """What learns. The first two need no accelerator; `backbone` needs the extra `train`."""
    min_labels: int = Field(200, ge=20)
    """Fewest labelled files to train at all; below, there is no scorer and every file passes."""
    seed: int = Field(1, ge=0, lt=1 << 32)
    """Of all that is drawn by chance."""


class FileQualityPolicy(Section):
    """Which files their scores drop (PAPER §1.3: the lowest tenth)."""

    drop_percentile: float = Field(10.0, ge=0, le=100)
    """Files below this percentile of the scores of all that arrived so far are dropped; 0 keeps all.

    Files with equal scores have the same fate: that of most of them.
    """
    per_language: bool = False
    """Whether percentiles are of the files of one language, and not of all."""
    min_files: int = Field(200, ge=1)
    """Fewest scores that a percentile is believed of; of fewer files, or of fewer of a language, none is dropped."""
