"""Ask the judge about a sample of files, as many of each language as the policy says (PAPER §1.2).

What belongs here: which files, and their texts. What does not: asking (`judging/`), and keeping answers
(`judgements.py`).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from seed_platform.batches import list_batches
from seed_platform.errors import UsageError
from seed_platform.judging.endpoint import JudgeSettings
from seed_platform.judging.judge import judge_documents
from seed_platform.judging.judgement import Document, Judgement, JudgeStats
from seed_platform.judging.labels import Label
from seed_platform.judging.rubrics import load_rubric
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILES, verdicts
from seed_platform.progress import track
from seed_platform.scoring.policy import JudgeSamplePolicy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context
from seed_platform.steps.judgements import LakeCache, judge_name, judgements

_REQUIRES = ("rules", "repository_duplicates", "exact_duplicates")
_QUESTION = "code_question"
_SAMPLE = """
SELECT batch, ordinal, language, content_sha256 FROM (
    SELECT f.batch, f.ordinal, f.language, f.content_sha256,
        row_number() OVER (PARTITION BY f.language ORDER BY md5(f.doc_id || $seed), f.doc_id) AS place
    FROM files f {joins}
) LEFT JOIN quotas USING (language) WHERE place <= coalesce(most, $most) ORDER BY batch, ordinal
"""


@dataclass(slots=True)
class Judged:
    """What a run of the judge gave: totals, and scores by language."""

    judge: str
    rubric: str
    stats: JudgeStats = field(default_factory=JudgeStats)
    sampled: int = 0
    by_language: Counter[str] = field(default_factory=Counter)


def judge_settings(settings: Settings, policy: JudgeSamplePolicy) -> JudgeSettings:
    """The judge of the deployment's settings.

    Raises:
        UsageError: there is none.
    """
    if not settings.judge_url or not settings.judge_model:
        raise UsageError(
            "no judge: set SEED_JUDGE_URL (http://host:8000/v1, as `vllm serve` is) and SEED_JUDGE_MODEL, and "
            "SEED_JUDGE_KEY if it wants one"
        )
    return JudgeSettings(
        base_url=settings.judge_url,
        model=settings.judge_model,
        api_key=settings.judge_key,
        mode=settings.judge_mode,
        concurrency=settings.judge_concurrency,
        max_prompt_chars=policy.max_prompt_chars,
    )


def judge_files(context: Context) -> Judged:
    """Ask about the sample; what was asked before is taken from the lake.

    Raises:
        UsageError: no judge is set, or no batch has been judged by the filters before.
        WorkError: the server refuses the key or cannot be reached.
    """
    policy = context.policy.judge_sample
    asked = judge_settings(context.settings, policy)
    name = _QUESTION if asked.mode == "yes_no" else policy.rubric
    rubric = load_rubric(name, policy.rubric_version)
    judged = Judged(judge_name(asked.model, asked.mode), f"{rubric.name}-{rubric.version}")
    cache = LakeCache(context.lake, judged.judge, judged.rubric, context.commit)
    chosen = _sample(context, policy)
    judged.sampled = chosen.height
    languages = dict(chosen.select("content_sha256", "language").iter_rows())
    with track(f"asking {asked.model}", chosen.height) as progress:
        for judgement in judge_documents(asked, rubric, _documents(context.lake, chosen), cache, judged.stats):
            judged.by_language[languages[judgement.content_sha256]] += judgement.score is not None
            progress.advance()
    return judged


def _sample(context: Context, policy: JudgeSamplePolicy) -> pl.DataFrame:
    """batch, ordinal, language and content_sha256 of the files to ask about, in order."""
    lake, settings = context.lake, context.settings
    keys = [batch.key for batch in list_batches(lake)]
    if lake.open(verdicts("files", _REQUIRES[-1])) is None:
        raise UsageError("no batch is deduplicated yet: seed batch add repositories …, then seed run")
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("files", scan(lake, FILES, keys))
    joins = []
    for name in _REQUIRES:
        connection.register(name, scan(lake, verdicts("files", name), keys))
        joins.append(f"SEMI JOIN (SELECT * FROM {name} WHERE keep) {name}_kept USING (batch, ordinal)")
    quotas = policy.per_language_of
    table = pl.DataFrame(
        {"language": list(quotas), "most": list(quotas.values())}, schema={"language": pl.String, "most": pl.Int64}
    )
    connection.register("quotas", table.to_arrow())
    found = connection.execute(
        _SAMPLE.format(joins=" ".join(joins)), {"seed": str(policy.seed), "most": policy.per_language}
    ).fetchall()
    connection.close()
    schema = {"batch": pl.String, "ordinal": pl.Int64, "language": pl.String, "content_sha256": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row").unique("content_sha256", keep="first", maintain_order=True)


def _documents(lake: Lake, chosen: pl.DataFrame) -> Iterator[Document]:
    """The texts of the sample, one after the other."""
    for (batch,), group in chosen.group_by("batch", maintain_order=True):
        ordinals = group["ordinal"]
        for part in lake.parts(FILES, batch=str(batch)):
            columns = ["ordinal", "language", "content_sha256", "content"]
            for rows in lake.read_arrow(FILES, part, columns, ordinals=ordinals.to_numpy()):
                mine = pl.DataFrame(rows).filter(pl.col("ordinal").is_in(ordinals.implode()))
                for _, language, digest, content in mine.iter_rows():
                    yield content or "", language or "", digest


def judged_labels(lake: Lake, settings: Settings, policy: JudgeSamplePolicy) -> list[Label]:
    """What the judge of the settings has said so far, as labels; a fixed share of them is held out.

    Raises:
        UsageError: no judge is set.
    """
    asked = judge_settings(settings, policy)
    name = _QUESTION if asked.mode == "yes_no" else policy.rubric
    found = judgements(lake, judge_name(asked.model, asked.mode), f"{name}-{policy.rubric_version}")
    # One of each content: a long file may have been asked about at several lengths.
    scored = {row.content_sha256: row for row in found if row.score is not None}
    languages = _facts(lake, settings, list(scored))
    return [_label(row, *languages[digest], policy) for digest, row in scored.items() if digest in languages]


def _label(row: Judgement, language: str, size: int, policy: JudgeSamplePolicy) -> Label:
    chance = int(hashlib.sha256(f"{policy.seed}{row.content_sha256}".encode()).hexdigest()[:8], 16) / (1 << 32)
    return Label(
        package="",
        path="",
        sha256=row.content_sha256,
        language=language,
        bytes=size,
        score=float(row.score or 0),
        reason=row.explanation,
        split="held_out" if chance < policy.held_out else "train",
    )


def _facts(lake: Lake, settings: Settings, digests: list[str]) -> dict[str, tuple[str, int]]:
    """Language and size of the files with these hashes."""
    connection = connect(lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("files", scan(lake, FILES))
    rows = connection.execute(
        "SELECT content_sha256, min(language), min(bytes) FROM files WHERE content_sha256 IN (SELECT unnest($wanted)) "
        "AND language IS NOT NULL GROUP BY 1",
        {"wanted": digests},
    ).fetchall()
    connection.close()
    return {digest: (language, size) for digest, language, size in rows}
