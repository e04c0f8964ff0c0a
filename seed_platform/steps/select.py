"""Choose the documents of the file-level and the repository-level corpus: those that the filters keep.

The tables published hold which documents, not their text, so a change of policy costs a query over verdicts. What
belongs here: the choice. What does not: the text (`corpora/file_level.py`), and the order of a repository's files
(`steps/repository_sequences.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.batches import Batch
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILE_LEVEL, FILES, REPOSITORIES, REPOSITORY_LEVEL, verdicts
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report, Tally
from seed_platform.steps.judge import count, passing
from seed_platform.steps.read import FILES_PER_REPOSITORY

VERSION = "2"
REPOSITORY_LEVEL_FILTERS = ("exact_duplicates", "near_duplicates", "quality")
"""What a repository must pass, in the order in which a drop is attributed."""
_COLUMNS = ["ordinal", "doc_id", "repository", "path", "language", "bytes", "content_sha256"]


def select_file_level(context: Context, batch: Batch) -> Report:
    """Select the surviving files of one batch and publish them."""
    lake = context.lake
    report = Report(step=FILE_LEVEL.name, batch=batch.key)
    parts = lake.parts(FILES, batch=batch.key)
    with (
        track(f"file_level {batch.key}", sum(part.rows for part in parts)) as progress,
        lake.writer(FILE_LEVEL, batch=batch.key) as writer,
    ):
        for part in parts:
            kept = passing(lake, batch.key, context.policy.file_level.filters, part.first, part.last)
            for group in lake.read(FILES, part, _COLUMNS):
                chosen = group if kept is None else group.filter(pl.col("ordinal").is_in(kept.implode()))
                report.seen.add(group.height, int(group["bytes"].sum()))
                report.kept.add(chosen.height, int(chosen["bytes"].sum()))
                writer.write(chosen.with_columns(pl.lit(context.policy.digest()).alias("policy_hash")))
                progress.advance(group.height)
    dropped = report.dropped.setdefault("filtered", Tally())
    dropped.add(report.seen.documents - report.kept.documents, report.seen.bytes - report.kept.bytes)
    lake.publish(FILE_LEVEL, writer.parts, context.commit, batch=batch.key)
    return report


def select_repository_level(context: Context, batch: Batch) -> Report:
    """Select the repositories of one batch that all filters over repositories keep, and publish them."""
    lake = context.lake
    report = Report(step=REPOSITORY_LEVEL.name, batch=batch.key)
    found = lake.column(REPOSITORIES, ["ordinal", "doc_id", "repository", "revision", "bytes"], batch=batch.key)
    for name in REPOSITORY_LEVEL_FILTERS:
        judged = lake.column(verdicts("repositories", name), ["ordinal", "keep"], batch=batch.key)
        found = found.join(judged.rename({"keep": name}), on="ordinal", how="left", maintain_order="left")
    found = found.rename({"bytes": "arrived"}).join(_kept_files(lake, batch.key), on="ordinal", how="left")
    found = found.with_columns(
        # A repository that one filter drops has no verdict of the next.
        keep=pl.all_horizontal(REPOSITORY_LEVEL_FILTERS).fill_null(value=False),
        reason=pl.coalesce(pl.when(~pl.col(name)).then(pl.lit(name)) for name in REPOSITORY_LEVEL_FILTERS),
    )
    count(report, found, found["arrived"])
    with lake.writer(REPOSITORY_LEVEL, batch=batch.key) as writer:
        kept = found.filter("keep").sort("ordinal")
        writer.write(kept.with_columns(pl.lit(context.policy.digest()).alias("policy_hash")))
    lake.publish(REPOSITORY_LEVEL, writer.parts, context.commit, batch=batch.key)
    return report


def _kept_files(lake: Lake, batch: str) -> pl.DataFrame:
    """`ordinal` of each repository with a file that the rules keep, and the `files` and `bytes` that they are."""
    found = [pl.DataFrame(schema={"ordinal": pl.Int64, "files": pl.Int64, "bytes": pl.Int64})]
    for part in lake.parts(FILES, batch=batch):
        kept = passing(lake, batch, ("rules",), part.first, part.last)
        assert kept is not None  # noqa: S101 - one filter is asked
        for group in lake.read(FILES, part, ["ordinal", "bytes"]):
            files = group.filter(pl.col("ordinal").is_in(kept.implode()))
            found.append(
                files.group_by(pl.col("ordinal") // FILES_PER_REPOSITORY).agg(
                    pl.len().cast(pl.Int64).alias("files"), pl.col("bytes").sum()
                )
            )
    return pl.concat(found).group_by("ordinal").agg(pl.col("files", "bytes").sum())
