"""The high-quality corpus: one asset for the whole lake, since its rounds learn from all batches."""

import dagster as dg

from seed_platform.assets.execution import work_of
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.assets.step_assets import OWNERS, check_result, key_of
from seed_platform.lake.query import connect, scan
from seed_platform.lake.schemas import FILE_LEVEL, HIGH_QUALITY
from seed_platform.lineage.checks import Outcome
from seed_platform.steps.base import Context
from seed_platform.steps.flow import FILE_LEVEL_CORPUS, QUALITY_SCORES
from seed_platform.steps.high_quality import HIGH_QUALITY_CORPUS

_KEY = dg.AssetKey(HIGH_QUALITY.name.split("/"))


@dg.asset(
    key=_KEY,
    deps=[
        dg.AssetDep(key_of(step), partition_mapping=dg.AllPartitionMapping())
        for step in (FILE_LEVEL_CORPUS, QUALITY_SCORES)
    ],
    group_name="corpora",
    kinds={"fasttext", "deltalake"},
    owners=OWNERS,
    code_version=HIGH_QUALITY_CORPUS.version,
    automation_condition=dg.AutomationCondition.eager(),
    check_specs=[dg.AssetCheckSpec("files_are_of_the_corpus", asset=_KEY, blocking=True)],
    description="Files like the best ones: seeds by score and diversity, and rounds of fastText on each source.",
)
def high_quality(context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Run the rounds and say how precise each was."""
    work = work_of(context, lake, engine)
    report = HIGH_QUALITY_CORPUS.bring_up_to_date(work)
    outcome = _of_the_corpus(work)
    if not outcome.passed:
        HIGH_QUALITY_CORPUS.withdraw(work)
    return dg.MaterializeResult(
        metadata={
            "seen": report.seen.documents,
            "kept": report.kept.documents,
            "skipped": dg.MetadataValue.json(report.failures),
            **report.figures,
        },
        check_results=[check_result("files_are_of_the_corpus", outcome)],
    )


def _of_the_corpus(work: Context) -> Outcome:
    """Each file is in the file-level corpus, and is there once."""
    settings = work.settings
    connection = connect(work.lake, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
    connection.register("chosen", scan(work.lake, HIGH_QUALITY))
    connection.register("corpus", scan(work.lake, FILE_LEVEL))
    row = connection.execute(
        "SELECT (SELECT count(*) FROM chosen), (SELECT count(DISTINCT doc_id) FROM chosen), "
        "(SELECT count(*) FROM chosen ANTI JOIN corpus USING (batch, ordinal, doc_id))"
    ).fetchone()
    connection.close()
    files, distinct, foreign = row or (0, 0, 0)
    return Outcome(files == distinct and not foreign, {"files": files, "distinct": distinct, "foreign": foreign})
