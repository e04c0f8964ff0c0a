"""Choose the documents of the file-level corpus: those that every filter named in the policy keeps.

The table published holds which documents, not their text, so a change of policy costs a query over verdicts. What
belongs here: the choice. What does not: the text (`corpora/file_level.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.batches import Batch
from seed_platform.lake.schemas import FILE_LEVEL, FILES
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report, Tally
from seed_platform.steps.judge import passing

VERSION = "1"
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
