"""The filters that judge pages one by one, as steps run them.

What belongs here: which columns each reads and requires. What does not: the judgements (`filters/page_rules.py`,
`pages/`).
"""

from __future__ import annotations

import json

import polars as pl

from seed_platform.engine.journal import Journal
from seed_platform.filters import page_rules
from seed_platform.filters.base import as_verdicts
from seed_platform.lake.schemas import PAGES
from seed_platform.pages import categories, features, quality
from seed_platform.pages.policy import PageRulesPolicy, SiteQualityPolicy
from seed_platform.section import Section
from seed_platform.steps.judge import DocumentFilter

_RULES_COLUMNS = ("ordinal", "doc_id", "extraction", "language", "content", "link_bytes", "code_blocks")
_QUALITY_COLUMNS = ("ordinal", "doc_id", "url", "title", "structure", "content")


def _judge_rules(pages: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    del journal
    assert isinstance(policy, PageRulesPolicy)  # noqa: S101 - the section of this filter
    return page_rules.judge(pages.rename({"extraction": "reason"}), policy)


def _judge_quality(pages: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    """Category, then score by its rubric, then threshold and sample; `evidence` names category and probability."""
    del journal
    assert isinstance(policy, SiteQualityPolicy)  # noqa: S101 - the section of this filter
    names: list[str] = []
    scores: list[float] = []
    evidence: list[str] = []
    for row in pages.iter_rows(named=True):
        vector = features.features(row["url"], json.loads(row["structure"]), row["title"], row["content"] or "")
        category, probability = categories.categorize_vector(vector)
        names.append(category)
        scores.append(quality.page_score(vector, category))
        evidence.append(json.dumps({"category": category, "probability": round(probability, 4)}))
    reasons = quality.judge(pages["doc_id"].to_list(), names, scores, policy)
    judged = pages.select("ordinal", "doc_id").with_columns(
        keep=pl.Series([reason is None for reason in reasons], dtype=pl.Boolean),
        reason=pl.Series(reasons, dtype=pl.String),
        score=pl.Series(scores, dtype=pl.Float64),
        evidence=pl.Series(evidence, dtype=pl.String),
    )
    return as_verdicts(judged)


RULES = DocumentFilter(PAGES, "rules", "page_rules", page_rules.VERSION, (), _RULES_COLUMNS, _judge_rules)
QUALITY = DocumentFilter(
    PAGES, "quality", "site_quality", quality.VERSION, ("code_relevance",), _QUALITY_COLUMNS, _judge_quality
)
