"""The quality of a repository: the average over its files (PAPER §2), which is not to be too low.

Until files have scores, a file that the filters of quality (rules and syntax) keep counts 1 and one that they drop 0. A
file that syntax has not looked at, since it is a copy of another, counts as kept. What belongs here: the decision. What
does not: counting files (`steps/repository_quality.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.filters.base import as_verdicts

VERSION = "1"


def judge(repositories: pl.DataFrame, policy: RepositoryLevelPolicy) -> pl.DataFrame:
    """Verdicts on repositories.

    Args:
        repositories: ordinal, doc_id; files, how many of its own files are in one of the 89 languages; by_rules, how
            many of these the rules keep; sound, how many of those syntax does not drop.
        policy: the thresholds.

    Returns:
        The verdict columns, row for row. `score` is the quality, null where no file is in any language. Reasons:
        "no_kept_files", "too_few_files", "low_quality".
    """
    quality = pl.col("sound") / pl.when(pl.col("files") > 0).then(pl.col("files"))
    judged = repositories.with_columns(score=quality).with_columns(
        reason=pl.when(pl.col("by_rules") == 0)
        .then(pl.lit("no_kept_files"))
        .when(pl.col("by_rules") < policy.min_files)
        .then(pl.lit("too_few_files"))
        .when(pl.col("score") < policy.min_quality)
        .then(pl.lit("low_quality"))
    )
    return as_verdicts(
        judged.select(
            "ordinal",
            "doc_id",
            "reason",
            "score",
            keep=pl.col("reason").is_null(),
            evidence=pl.struct("files", "by_rules", "sound").struct.json_encode(),
        )
    )
