"""Find the files of high quality among those of the file-level corpus, in rounds (PAPER §5).

The files with their scores are the candidates; seeds, negatives and classifiers are of all batches, so the corpus is of
the whole lake. What belongs here: moving data. What does not: the rounds (`scoring/high_quality`), and whether the
result is up to date (`whole.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from seed_platform.batches import Batch, list_batches
from seed_platform.corpora.file_level import documents
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan, stream
from seed_platform.lake.schemas import FILE_LEVEL, HIGH_QUALITY
from seed_platform.progress import track
from seed_platform.scoring.high_quality.facts import describe
from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.high_quality.report import HighQuality
from seed_platform.scoring.high_quality.rounds import run_rounds
from seed_platform.steps.base import Context, Report, Tally
from seed_platform.steps.quality_scores import SCORES
from seed_platform.steps.whole import WHOLE_LAKE, Whole

VERSION = "1"
_ROWS = 50_000


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The files of the file-level corpus with their scores; what is known without the text is kept in `folder`."""

    lake: Lake
    batches: Sequence[Batch]
    folder: Path
    policy: HighQualityPolicy

    def frames(self) -> Iterator[pl.DataFrame]:
        """doc_id, path, language, score and content of all files, in order of arrival."""
        for batch in self.batches:
            scores = self.lake.column(SCORES.table, ["doc_id", "score"], batch=batch.key)
            for frame in documents(self.lake, [batch]):
                known = frame.select("doc_id", "path", "language", pl.col("text").alias("content"))
                yield known.join(scores, on="doc_id", how="left", maintain_order="left")

    def describe(self) -> None:
        """Keep the facts of every frame."""
        for number, frame in enumerate(self.frames()):
            describe(frame, self.policy).write_parquet(self.folder / f"{number:08d}.parquet")

    def facts(self) -> Iterator[pl.DataFrame]:
        """See `scoring.high_quality.candidates.Candidates`."""
        for path in sorted(self.folder.glob("*.parquet")):
            yield pl.read_parquet(path)

    def chunks(self) -> Iterator[pl.DataFrame]:
        """See `scoring.high_quality.candidates.Candidates`."""
        for facts, frame in zip(self.facts(), self.frames(), strict=True):
            yield facts.hstack(frame.select("content"))

    def texts(self, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
        """See `scoring.high_quality.candidates.Candidates`."""
        ids = pl.Series(wanted, dtype=pl.String)
        for frame in self.frames():
            yield from frame.filter(pl.col("doc_id").is_in(ids.implode())).select("doc_id", "content").iter_rows()


def find_high_quality(context: Context) -> Report:
    """Run the rounds on all that is published, and publish the files that they accept."""
    storage = context.lake.storage
    storage.drop_scratch("high-quality")
    scratch = storage.scratch("high-quality")
    facts = scratch / "facts"
    facts.mkdir()
    candidates = _Candidates(context.lake, list_batches(context.lake), facts, context.policy.high_quality)
    with track("high quality: facts, rounds", 2) as progress:
        candidates.describe()
        progress.advance()
        found = run_rounds(candidates, context.policy.high_quality, scratch / "rounds")
        progress.advance()
    report = _publish(context, found)
    storage.drop_scratch("high-quality")
    return report


def _publish(context: Context, found: HighQuality) -> Report:
    lake, settings = context.lake, context.settings
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("corpus", scan(lake, FILE_LEVEL))
    connection.register("scores", scan(lake, SCORES.table))
    connection.register("accepted", found.accepted.to_arrow())
    query = (
        "SELECT c.batch, c.ordinal, c.doc_id, c.repository, c.path, c.language, a.source, a.round::BIGINT AS round, "
        "a.probability, s.score FROM corpus c JOIN accepted a USING (doc_id) JOIN scores s USING (batch, ordinal) "
        "ORDER BY c.batch, c.ordinal"
    )
    with lake.writer(HIGH_QUALITY) as writer:
        for rows in stream(connection, query, _ROWS):
            writer.write(pl.DataFrame(rows).with_columns(policy_hash=pl.lit(context.policy.digest())))
    report = _report(found, sum(part.rows for part in writer.parts))
    connection.close()
    lake.publish(HIGH_QUALITY, writer.parts, context.commit)
    return report


def _report(found: HighQuality, kept: int) -> Report:
    """`figures` are by source and round: precision and recall in thousandths, against the scorer, on held-out files."""
    report = Report(step=HIGH_QUALITY.name, batch=WHOLE_LAKE)
    seen = sum(source.documents for source in found.report)
    report.seen.add(seen, 0)
    report.kept.add(kept, 0)
    report.dropped = {"not_found": Tally(seen - kept, 0)}
    for source in found.report:
        report.figures[f"{source.source}_files"] = source.documents
        report.figures[f"{source.source}_seeds"] = source.seeds
        if source.skipped is not None:
            report.failures[f"{source.source}_{source.skipped.partition(':')[0]}"] = 1
        for each in source.rounds:
            name = f"{source.source}_round_{each.round}"
            report.figures[f"{name}_accepted"] = each.accepted
            report.figures[f"{name}_held_out"] = each.held_out
            for measure, value in (("precision", each.precision), ("recall", each.recall), ("base", each.base_rate)):
                if value is not None:
                    report.figures[f"{name}_{measure}_per_mille"] = round(1000 * value)
    return report


HIGH_QUALITY_CORPUS = Whole(
    table=HIGH_QUALITY,
    version=VERSION,
    made_of=(FILE_LEVEL, SCORES.table),
    sections=("high_quality",),
    choose=find_high_quality,
)
