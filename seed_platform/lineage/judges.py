"""How far two judges agree on the files that both have judged (PAPER Figure 12).

What belongs here: counting. What does not: asking judges (`steps/judge_sample.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import duckdb
import numpy as np

from seed_platform.errors import UsageError
from seed_platform.judging.labels import shipped
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import fetch_rows
from seed_platform.steps.judgements import judgements

SHIPPED, RUBRIC = "shipped", "code_quality-1"
"""What the project's own label set is called, and the rubric that it was made by."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement on `files` files: shares of equal ratings and of those at most 1 apart, rounded to whole ones.

    `confusion[i][j]` counts files that the first rates i and the second j.
    """

    files: int
    exact: float
    within_one: float
    mae: float
    pearson: float
    means: tuple[float, float]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """As printed by `seed judge compare --json`."""
        return asdict(self)


def scores_of(lake: Lake, judge: str, rubric: str) -> dict[str, float]:
    """A judge's scores by the hash of the content; those of a rubric, "name-version".

    Raises:
        UsageError: the rubric is not named so, or no labels are shipped for it.
    """
    name, _, version = rubric.rpartition("-")
    if not name or not version.isdecimal():
        raise UsageError(f'a rubric is named by name and version, as "{RUBRIC}", not {rubric!r}')
    if judge == SHIPPED:
        return {label.sha256: float(label.score) for label in shipped(name, int(version))}
    return {row.content_sha256: row.score for row in judgements(lake, judge, rubric) if row.score is not None}


def judged(connection: duckdb.DuckDBPyConnection, content_sha256: str) -> list[dict[str, Any]]:
    """What judges said of a content: judge, rubric, score, explanation; `connection` has the lake's views."""
    rows = fetch_rows(
        connection.execute(
            "SELECT judge, rubric, score, reason, explanation FROM judgements WHERE content_sha256 = $digest "
            "ORDER BY judged_at, judge",
            {"digest": content_sha256},
        )
    )
    known = [label for label in shipped() if label.sha256 == content_sha256]
    return rows + [
        {"judge": SHIPPED, "rubric": RUBRIC, "score": label.score, "reason": None, "explanation": label.reason}
        for label in known
    ]


def agreement(one: Mapping[str, float], other: Mapping[str, float]) -> Agreement | None:
    """Agreement on what is in both; None if nothing is."""
    both = sorted(one.keys() & other.keys())
    if not both:
        return None
    first, second = (np.array([scores[key] for key in both]) for scores in (one, other))
    rounded = np.rint(first).astype(int), np.rint(second).astype(int)
    apart = np.abs(rounded[0] - rounded[1])
    confusion = np.zeros((11, 11), dtype=int)
    np.add.at(confusion, rounded, 1)
    varies = len(both) > 1 and first.std() > 0 and second.std() > 0
    return Agreement(
        files=len(both),
        exact=float((apart == 0).mean()),
        within_one=float((apart <= 1).mean()),
        mae=float(np.abs(first - second).mean()),
        pearson=float(np.corrcoef(first, second)[0, 1]) if varies else float("nan"),
        means=(float(first.mean()), float(second.mean())),
        confusion=confusion.tolist(),
    )
