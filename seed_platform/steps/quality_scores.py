"""Score the files that all other filters keep, and drop those with the lowest scores (PAPER §1.3).

Scores depend on the scorer; what is dropped depends on the policy. They are two steps, so that another threshold scores
nothing anew. What belongs here: moving data. What does not: the scorer (`scoring/`), and the decision
(`filters/file_quality.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl

from seed_platform.batches import Batch
from seed_platform.engine.journal import Journal
from seed_platform.errors import WorkError
from seed_platform.filters import file_quality
from seed_platform.filters.base import as_verdicts
from seed_platform.lake.query import scan
from seed_platform.lake.schemas import FILES, SCORE_HISTOGRAMS, verdicts
from seed_platform.progress import track
from seed_platform.scoring.scorer import Scorer, load_scorer
from seed_platform.section import Section
from seed_platform.steps.base import Context, Report
from seed_platform.steps.judge import DocumentFilter, check_conservation, count, judge_batch, stamp
from seed_platform.steps.models import models
from seed_platform.steps.quality_model import MODEL, folder_of

REQUIRES = ("rules", "repository_duplicates", "exact_duplicates", "syntax", "near_duplicates")
NAME = "quality"
TABLE = verdicts("files", NAME)


class LoadedScorer(Section):
    """The scorer in use: where it is on this machine, None if there is none."""

    id: str
    folder: Path | None


def score_files(context: Context, batch: Batch) -> Report:
    """Score the files of one batch with the scorer in use, and publish the scores.

    Raises:
        WorkError: there is no scorer yet.
    """
    model = models(context.lake).get(MODEL)
    if model is None:
        raise WorkError("there is no scorer of files yet: seed run, or seed train file-quality")
    return judge_batch(context, batch, SCORES, LoadedScorer(id=model.id, folder=folder_of(context.lake, model)))


def _score(files: pl.DataFrame, section: Section, journal: Journal) -> pl.DataFrame:
    """Every file kept, with its score; null and "not_scored" where there is no scorer."""
    del journal
    assert isinstance(section, LoadedScorer)  # noqa: S101 - `score_files` gives no other
    if section.folder is None:
        return as_verdicts(files.select("ordinal", "doc_id", keep=pl.lit(True), reason=pl.lit("not_scored")))  # noqa: FBT003
    scorer = _loaded(section.folder)
    texts, languages = files["content"].fill_null("").to_list(), files["language"].fill_null("").to_list()
    scores = pl.Series(scorer.score(texts, languages), dtype=pl.Float64)
    return as_verdicts(files.select("ordinal", "doc_id", keep=pl.lit(True), score=scores))  # noqa: FBT003


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Scorer:
    return load_scorer(folder)


SCORES = DocumentFilter(
    documents=FILES,
    name="quality_score",
    section="quality_scorer",
    version="1",
    requires=REQUIRES,
    columns=("ordinal", "doc_id", "language", "content"),
    judge=_score,
)


def judge_quality(context: Context, batch: Batch, earlier: Sequence[Batch]) -> Report:
    """Judge the files of one batch by their scores among all so far; publish verdicts and the batch's histogram.

    Raises:
        WorkError: not every scored file got a verdict; nothing is published.
    """
    lake, policy = context.lake, context.policy.file_quality
    model = models(lake).get(MODEL)
    # Twice over the scores: the histogram has to be whole before the first file is judged, and a batch may be large.
    mine = pl.concat(
        [pl.DataFrame(schema=file_quality.HISTOGRAM), *map(file_quality.histogram, _scored(context, batch))]
    )
    mine = mine.group_by("language", "bin").agg(pl.col("files").sum()).sort("language", "bin")
    before = pl.DataFrame(scan(lake, SCORE_HISTOGRAMS, [each.key for each in earlier]).to_table())
    percentiles = file_quality.Percentiles(pl.concat([before.select(mine.columns), mine]))
    report = Report(step=TABLE.name, batch=batch.key)
    with track(f"quality {batch.key}", 1) as progress, lake.writer(TABLE, batch=batch.key) as writer:
        for frame in _scored(context, batch):
            judged = file_quality.judge(frame, percentiles, policy, model.id[:12] if model is not None else "")
            check_conservation(NAME, frame["ordinal"], judged)
            count(report, judged, frame["bytes"])
            writer.write(stamp(judged, file_quality.VERSION, context.run_id))
        progress.advance()
    with lake.writer(SCORE_HISTOGRAMS, batch=batch.key) as counts:
        counts.write(mine)
    lake.publish(SCORE_HISTOGRAMS, counts.parts, context.commit, batch=batch.key)
    lake.publish(TABLE, writer.parts, context.commit, batch=batch.key)
    return report


def _scored(context: Context, batch: Batch) -> Iterator[pl.DataFrame]:
    """The scored files of a batch with language and size, a frame for each data file of scores."""
    lake = context.lake
    for part in lake.parts(SCORES.table, batch=batch.key):
        scores = pl.concat(list(lake.read(SCORES.table, part, ["ordinal", "doc_id", "score"])))
        known = [
            group.filter(pl.col("ordinal").is_in(scores["ordinal"].implode()))
            for each in lake.parts(FILES, batch=batch.key)
            if each.last >= part.first and each.first <= part.last
            for group in lake.read(FILES, each, ["ordinal", "language", "bytes"], first=part.first, last=part.last)
        ]
        yield scores.join(pl.concat(known), on="ordinal", how="left", maintain_order="left")
