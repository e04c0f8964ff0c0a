"""Judgements: what a judge said of a document, the key under which it is kept, the totals of a run.

What belongs here: these values and the protocol of a cache. What does not: how judgements are made (`judge.py`), and
the cache in the lake.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from seed_platform.judging.endpoint import JudgeSettings
from seed_platform.judging.modes import REQUEST_VERSION
from seed_platform.judging.rubrics import Rubric

Document = tuple[str, str, str]
"""Content, language (of a page: its site category), SHA-256 of the content in hex."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge said of one document under one rubric.

    Attributes:
        key: of the cache, in hex; see `cache_key`.
        score: from 0 to 10; None for a rejection.
        reason: why there is no score: a reason of `modes.read` or of `endpoint.Reply`.
        explanation: the judge's words; of a rejection what it or the server said, as far as known.
        prompt_tokens: as the server counts them.
        completion_tokens: likewise.
        truncated: whether the judge saw only the document's start.
        cached: whether this run paid nothing for it.
        content_sha256: of the document, in hex.
    """

    key: str
    score: float | None
    reason: str | None
    explanation: str
    prompt_tokens: int
    completion_tokens: int
    truncated: bool
    cached: bool
    content_sha256: str


class Cache(Protocol):
    """Where judgements are kept from run to run. Called from the event loop's thread, for blocks of documents."""

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Judgement]:
        """The judgements there are, by key."""

    def put_many(self, rows: Sequence[Judgement]) -> None:
        """Keeps judgements; a later one of the same key replaces an earlier one."""


@dataclass(slots=True)
class JudgeStats:
    """Totals of one run, current while it goes on.

    Attributes:
        judged: documents with a score, cached ones included.
        cached: documents that cost nothing.
        truncated: documents of which the judge saw only the start.
        rejected: documents without a score, by reason.
        requests: sendings, repeated ones included.
        retries: repeated sendings.
        prompt_tokens: paid in this run.
        completion_tokens: likewise.
        cost: of these tokens, in the currency of the settings' prices.
        seconds: from the start to now or to the end.
    """

    judged: int = 0
    cached: int = 0
    truncated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Prompt and completion tokens of this run by its seconds."""
        return (self.prompt_tokens + self.completion_tokens) / self.seconds if self.seconds else 0.0


def cache_key(settings: JudgeSettings, rubric: Rubric, language: str, content_sha256: str, *, truncated: bool) -> str:
    """The key of all that a score depends on: the model, how it is asked, the rubric, the document.

    The limit of a prompt's length is part of it only for a document that is cut by it, so that another limit costs
    nothing for the others.
    """
    parts = (
        settings.model,
        f"{settings.mode}-{REQUEST_VERSION}",
        settings.api,
        repr(float(settings.temperature)),
        f"{rubric.name}-{rubric.version}",
        language,
        str(settings.max_prompt_chars) if truncated else "whole",
        content_sha256,
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
