"""Judgements in the lake: a cache, so that nothing is paid twice, and what a scorer learns from.

What belongs here: the table. What does not: asking (`judging/`), and which files are asked about (`judge_sample.py`).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl
import pyarrow.dataset as ds

from seed_platform.judging.judgement import Judgement
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.query import scan
from seed_platform.lake.schemas import JUDGEMENTS
from seed_platform.sources.locations import slug

_COLUMNS = [
    "key",
    "score",
    "reason",
    "explanation",
    "prompt_tokens",
    "completion_tokens",
    "truncated",
    "content_sha256",
]


def judge_name(model: str, mode: str) -> str:
    """What a judge is called in the lake."""
    return slug(f"{model}.{mode}")


class LakeCache:
    """The judgements of one judge under one rubric; all of them in memory, some 500 bytes each.

    Each `put_many` is a commit of its own, so what was paid for is there however a run ends.
    """

    def __init__(self, lake: Lake, judge: str, rubric: str, commit: Commit) -> None:
        self._lake, self._judge, self._rubric, self._commit = lake, judge, rubric, commit
        self._known = {row.key: row for row in judgements(lake, judge, rubric)}

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Judgement]:
        """See `judging.judgement.Cache`."""
        return {key: self._known[key] for key in keys if key in self._known}

    def put_many(self, rows: Sequence[Judgement]) -> None:
        """See `judging.judgement.Cache`."""
        if not rows:
            return
        self._known.update({row.key: row for row in rows})
        frame = pl.DataFrame(
            [{name: getattr(row, name) for name in _COLUMNS} for row in rows],
            schema_overrides={"score": pl.Float64, "reason": pl.String},
        ).with_columns(rubric=pl.lit(self._rubric), judged_at=pl.lit(datetime.now(UTC)))
        chunk = uuid.uuid4().hex
        with self._lake.writer(JUDGEMENTS, judge=self._judge, chunk=chunk) as writer:
            writer.write(frame)
        self._lake.publish(JUDGEMENTS, writer.parts, self._commit, judge=self._judge, chunk=chunk)


def judgements(lake: Lake, judge: str, rubric: str) -> list[Judgement]:
    """All judgements of a judge under a rubric ("name-version"), the latest of each key."""
    wanted = (ds.field("judge") == judge) & (ds.field("rubric") == rubric)
    table = scan(lake, JUDGEMENTS).to_table(columns=[*_COLUMNS, "judged_at"], filter=wanted)
    rows = pl.DataFrame(table).sort("judged_at", "key").unique("key", keep="last", maintain_order=True)
    return [Judgement(**row, cached=True) for row in rows.select(_COLUMNS).iter_rows(named=True)]


def judges(lake: Lake) -> dict[tuple[str, str], int]:
    """How many judgements there are by (judge, rubric)."""
    table = scan(lake, JUDGEMENTS).to_table(columns=["judge", "rubric"])
    counted = pl.DataFrame(table).group_by("judge", "rubric").len().sort("judge", "rubric")
    return {(judge, rubric): number for judge, rubric, number in counted.iter_rows()}
