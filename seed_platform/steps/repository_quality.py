"""Count what the filters of quality keep of each repository, and judge it by that.

What belongs here: moving data. What does not: the decision (`filters/repository_quality.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.batches import Batch
from seed_platform.filters.repository_quality import VERSION, judge
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.schemas import FILES, REPOSITORIES, verdicts
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import check_conservation, count, stamp
from seed_platform.steps.read import FILES_PER_REPOSITORY

__all__ = ["NAME", "REQUIRES", "TABLE", "VERSION", "judge_quality", "kept_repositories"]

NAME = "quality"
TABLE = verdicts("repositories", NAME)
REQUIRES = ("exact_duplicates", "near_duplicates")
"""Filters over repositories whose verdict must be "keep" before this one looks at a repository."""


_NOT_WRITTEN_HERE = ("vendored", "generated")


def kept_repositories(lake: Lake, batch: str, filters: tuple[str, ...]) -> pl.Series:
    """The ordinals of the repositories of a batch that all `filters` keep."""
    kept: pl.Series | None = None
    for name in filters:
        judged = lake.column(verdicts("repositories", name), ["ordinal", "keep"], batch=batch)
        mine = judged.filter("keep")["ordinal"]
        kept = mine if kept is None else kept.filter(kept.is_in(mine.implode()))
    assert kept is not None  # noqa: S101 - at least one filter is asked
    return kept.sort()


def judge_quality(context: Context, batch: Batch) -> Report:
    """Judge the repositories of one batch that are no copies and publish the verdicts.

    Raises:
        WorkError: not every repository got a verdict; nothing is published.
    """
    lake = context.lake
    report = Report(step=TABLE.name, batch=batch.key)
    kept = kept_repositories(lake, batch.key, REQUIRES)
    found = lake.column(REPOSITORIES, ["ordinal", "doc_id", "bytes"], batch=batch.key)
    found = found.filter(pl.col("ordinal").is_in(kept.implode())).sort("ordinal")
    counted = found.join(_counts(lake, batch.key), on="ordinal", how="left", maintain_order="left")
    counted = counted.with_columns(pl.col("files", "by_rules", "sound").fill_null(0))
    judged = judge(counted, context.policy.repository_level)
    check_conservation(NAME, found["ordinal"], judged)
    count(report, judged, found["bytes"])
    with lake.writer(TABLE, batch=batch.key) as writer:
        writer.write(stamp(judged, VERSION, context.run_id))
    lake.publish(TABLE, writer.parts, context.commit, batch=batch.key)
    return report


def _counts(lake: Lake, batch: str) -> pl.DataFrame:
    """`ordinal` of each repository, and its `files` in some language, those `by_rules` kept, and those also `sound`.

    What rules drop as vendored or generated is not the repository's own writing and counts nowhere.
    """
    schema = {"ordinal": pl.Int64, "files": pl.Int64, "by_rules": pl.Int64, "sound": pl.Int64}
    found = [pl.DataFrame(schema=schema)]
    for part in lake.parts(FILES, batch=batch):
        by_rules = _verdicts(lake, batch, part, "rules")
        broken = _verdicts(lake, batch, part, "syntax").filter(~pl.col("keep"))["ordinal"]
        for group in lake.read(FILES, part, ["ordinal", "language"]):
            files = group.filter(pl.col("language").is_not_null()).join(by_rules, on="ordinal", how="inner")
            own = files.filter(pl.col("keep") | ~pl.col("reason").is_in(_NOT_WRITTEN_HERE)).with_columns(
                sound=pl.col("keep") & ~pl.col("ordinal").is_in(broken.implode())
            )
            found.append(
                own.group_by(pl.col("ordinal") // FILES_PER_REPOSITORY).agg(
                    pl.len().cast(pl.Int64).alias("files"),
                    pl.col("keep").sum().cast(pl.Int64).alias("by_rules"),
                    pl.col("sound").sum().cast(pl.Int64),
                )
            )
    return pl.concat(found).group_by("ordinal").agg(pl.col("files", "by_rules", "sound").sum())


def _verdicts(lake: Lake, batch: str, part: Part, name: str) -> pl.DataFrame:
    """ordinal, keep and reason of a filter's verdicts on the files of one data file."""
    table = verdicts("files", name)
    schema = {"ordinal": pl.Int64, "keep": pl.Boolean, "reason": pl.String}
    found = [pl.DataFrame(schema=schema)]
    for each in lake.parts(table, batch=batch):
        if each.last >= part.first and each.first <= part.last:
            found += lake.read(table, each, list(schema), first=part.first, last=part.last)
    return pl.concat(found)
