"""Choose the documents of the web corpus: those that the filters keep.

The table published holds which pages, not their text, so a change of policy costs a query over verdicts. What belongs
here: the choice. What does not: the text (`corpora/web.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.batches import Batch
from seed_platform.lake.lake import Lake, Part
from seed_platform.lake.schemas import PAGES, WEB, verdicts
from seed_platform.progress import track
from seed_platform.steps.base import Context, Report, Tally
from seed_platform.steps.judge import passing

VERSION = "1"
_COLUMNS = ["ordinal", "doc_id", "url", "host", "language", "explicit", "text_bytes", "content_sha256"]


def select_web(context: Context, batch: Batch) -> Report:
    """Select the surviving pages of one batch and publish them."""
    lake = context.lake
    report = Report(step=WEB.name, batch=batch.key)
    parts = lake.parts(PAGES, batch=batch.key)
    with (
        track(f"web {batch.key}", sum(part.rows for part in parts)) as progress,
        lake.writer(WEB, batch=batch.key) as writer,
    ):
        for part in parts:
            kept = passing(lake, batch.key, context.policy.web.filters, part.first, part.last, kind="pages")
            judged = _qualities(lake, batch.key, part)
            for group in lake.read(PAGES, part, _COLUMNS):
                pages = group.rename({"text_bytes": "bytes"})
                chosen = pages if kept is None else pages.filter(pl.col("ordinal").is_in(kept.implode()))
                report.seen.add(pages.height, int(pages["bytes"].sum()))
                report.kept.add(chosen.height, int(chosen["bytes"].sum()))
                described = chosen.join(judged, on="ordinal", how="left", maintain_order="left")
                writer.write(described.with_columns(policy_hash=pl.lit(context.policy.digest())))
                progress.advance(group.height)
    dropped = report.dropped.setdefault("filtered", Tally())
    dropped.add(report.seen.documents - report.kept.documents, report.seen.bytes - report.kept.bytes)
    lake.publish(WEB, writer.parts, context.commit, batch=batch.key)
    return report


def _qualities(lake: Lake, batch: str, part: Part) -> pl.DataFrame:
    """`ordinal`, `category` and `quality` of the pages of a data file that the quality filter has seen."""
    table = verdicts("pages", "quality")
    frames = [
        group.filter(pl.col("ordinal").is_between(part.first, part.last))
        for each in lake.parts(table, batch=batch)
        if each.last >= part.first and each.first <= part.last
        for group in lake.read(table, each, ["ordinal", "score", "evidence"], first=part.first, last=part.last)
    ]
    schema = {"ordinal": pl.Int64, "score": pl.Float64, "evidence": pl.String}
    found = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    return found.select(
        "ordinal", category=pl.col("evidence").str.json_path_match("$.category"), quality=pl.col("score")
    )
