"""The sections of the curation policy about which repositories give commits, and which commits are kept.

What belongs here: thresholds and choices. What does not: how they are applied (`filters/commit_gate.py`,
`filters/commit_rules.py`), and what a sample of a commit shows (`sample_policy.py`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from seed_platform.section import Section

FactName = Literal["stars", "forks", "commits", "active_days"]
"""What the gate asks of a repository."""


class CommitGatePolicy(Section):
    """Which repositories give commits (PAPER §3): all four facts must reach their threshold."""

    stars: int = Field(100, ge=0)
    """Fewest stars."""
    forks: int = Field(10, ge=0)
    """Fewest forks."""
    commits: int = Field(100, ge=0)
    """Fewest commits."""
    active_days: int = Field(100, ge=0)
    """Fewest days from the first commit to the last."""
    waive_unknown: tuple[FactName, ...] = ("stars", "forks")
    """Facts that may be unknown: a local repository has no stars. What is known must reach its threshold still."""

    @field_validator("waive_unknown")
    @classmethod
    def _each_once(cls, value: tuple[FactName, ...]) -> tuple[FactName, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names something twice")
        return value


class CommitRulesPolicy(Section):
    """Which commits teach how code is changed. The paper names no rule; thresholds are ours.

    A merge, and a commit whose patch could not be made, is always dropped: nothing of it can be predicted.
    """

    drop_bots: bool = True
    """Drop commits of programs: dependency updaters, release and translation bots."""
    max_root_paths: int = Field(5, ge=0)
    """Most paths of a commit without a parent. Beyond, it imports code that was written before."""
    max_files: int = Field(32, ge=1)
    """Most files with changed lines."""
    max_patch_bytes: int = Field(128 << 10, ge=1)
    """Largest patch, in bytes: beyond, no context would fit beside it into 32K tokens."""
    drop_vendored: bool = True
    """Drop commits that change nothing but copies of other projects (and what programs wrote)."""
    drop_generated: bool = True
    """Drop commits that change nothing but what programs wrote: lock files, generated code, minified files."""
    drop_reverts: bool = True
    """Drop commits that take back another and do not say why."""
    drop_formatting: bool = True
    """Drop commits after which the same words stand in the same order."""
    max_version_lines: int = Field(40, ge=0)
    """Most added and removed lines of a commit that counts as a version bump; 0 keeps version bumps."""
    min_message_words: int = Field(2, ge=0)
    """Fewest words of a message without its trailers, numbers, addresses and issue numbers; a run of Chinese,
    Japanese or Thai counts a word for two letters."""
    min_telling_words: int = Field(1, ge=0)
    """Fewest of them that say something of the change: not "fix", "update", "wip", "minor", …"""
    first_year: int = Field(1990, ge=1, le=9999)
    """First year that a date is believed in. A commit outside is kept, and its reason is "date_out_of_range"."""
    last_year: int = Field(2037, ge=1, le=9999)
    """Last year that a date is believed in; clocks of 32 bits end in 2038."""

    @model_validator(mode="after")
    def _years_in_order(self) -> CommitRulesPolicy:
        if self.first_year > self.last_year:
            raise ValueError(f"first_year ({self.first_year}) cannot be after last_year ({self.last_year})")
        return self
