"""The scorer of files: a model distilled from a judge's labels, as a Dagster asset."""

import base64
import uuid

import dagster as dg

from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.assets.step_assets import OWNERS
from seed_platform.automation.conditions import when_never_made
from seed_platform.judging.labels import shipped
from seed_platform.lineage.plots import calibration_figure
from seed_platform.policy import load_policy
from seed_platform.steps import quality_model
from seed_platform.steps.base import Context

FILE_QUALITY_MODEL = dg.AssetKey(["models", quality_model.MODEL])


@dg.asset(
    key=FILE_QUALITY_MODEL,
    deps=[
        dg.AssetDep(dg.AssetKey(["verdicts", "files", "near_duplicates"]), partition_mapping=dg.AllPartitionMapping())
    ],
    group_name="models",
    kinds={"fasttext"},
    owners=OWNERS,
    code_version=quality_model.VERSION,
    automation_condition=when_never_made(),
    description="The scorer of files, distilled from the shipped labels of those files that the lake has. `seed train "
    "file-quality` fetches the others, or takes another judge's labels. Training makes all scores outstanding.",
)
def file_quality_model(lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Join labels, train, measure on held-out files, report."""
    settings = lake.settings()
    context = Context(lake.lake(), engine.engine(settings), settings, load_policy(settings.policy), uuid.uuid4().hex)
    report = quality_model.train_quality(context, shipped(), "shipped", fetch=False).report
    values: dict[str, dg.MetadataValue] = {"report": dg.MetadataValue.json(report)}
    for name in ("mae", "class_averaged_mae", "rank_correlation"):
        if report.get(name) is not None:
            values[name] = dg.MetadataValue.float(round(float(report[name]), 4))
    if report.get("calibration"):
        picture = base64.b64encode(calibration_figure(report)).decode()
        values["calibration"] = dg.MetadataValue.md(f"![calibration](data:image/png;base64,{picture})")
    return dg.MaterializeResult(metadata=values)
