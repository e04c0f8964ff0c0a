"""Assets of crawls: their pages as extracted, verdicts on them, the model that judges relevance, and the web corpus.

Every asset body is a few lines: the work is in `steps/`. What belongs here: keys, groups, checks, descriptions.
"""

import base64
import uuid
from collections.abc import Iterator

import dagster as dg

from seed_platform.assets.execution import Check, current_batches, run_check, run_step
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.assets.step_assets import OWNERS, check_result, step_asset
from seed_platform.automation.conditions import when_never_made, when_outstanding
from seed_platform.automation.partitions import crawl_batches
from seed_platform.lake.lake import Lake
from seed_platform.lineage import checks, near_duplicate_checks
from seed_platform.lineage.plots import precision_recall_figure
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps import code_relevance, exact_duplicates, near_duplicates, page_filters
from seed_platform.steps.base import Context
from seed_platform.steps.models import Model
from seed_platform.steps.page_flow import (
    CODE_RELEVANCE,
    PAGE_EXACT_DUPLICATES,
    PAGE_NEAR_DUPLICATES,
    PAGE_RULES,
    QUALITY,
    READ_PAGES,
    URL_DUPLICATES,
    WEB_CORPUS,
)

PAGES = dg.AssetKey(["web", "pages"])
CRAWL_FILES = dg.AssetKey(["web", "crawl_files"])
WEB = dg.AssetKey(["corpora", "web"])
RELEVANCE_MODEL = dg.AssetKey(["models", code_relevance.MODEL])


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            key,
            group_name="web",
            kinds={"deltalake"},
            owners=OWNERS,
            code_version=READ_PAGES.version,
            description=description,
            partitions_def=crawl_batches,
            automation_condition=when_outstanding(),
        )
        for key, description in (
            (CRAWL_FILES, "One row per WARC file or folder of HTML: how many pages, bytes and rejected records."),
            (PAGES, "One document per page. " + READ_PAGES.described),
        )
    ],
    check_specs=[dg.AssetCheckSpec("pages_are_accounted_for", asset=PAGES, blocking=True)],
    backfill_policy=dg.BackfillPolicy.single_run(),
    name="read_crawl",
)
def read_crawl(
    context: dg.AssetExecutionContext, lake: LakeResource, engine: EngineResource
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """Read the files of each crawl."""
    run_step(context, lake, engine, READ_PAGES)
    outcome = run_check(context, lake, engine, READ_PAGES, checks.pages_are_accounted_for)
    yield dg.MaterializeResult(asset_key=CRAWL_FILES)
    yield dg.MaterializeResult(asset_key=PAGES, check_results=[check_result("pages_are_accounted_for", outcome)])


@dg.asset(
    key=RELEVANCE_MODEL,
    deps=[
        dg.AssetDep(dg.AssetKey(["verdicts", "pages", "near_duplicates"]), partition_mapping=dg.AllPartitionMapping())
    ],
    group_name="models",
    kinds={"fasttext"},
    owners=OWNERS,
    code_version=code_relevance.FILTER.version,
    automation_condition=when_never_made(),
    description="The classifier that finds pages about code among those that mark none, tuned for recall. "
    "Materializing it trains it anew on the pages that are there, and makes the verdicts on relevance outstanding.",
)
def code_relevance_model(lake: LakeResource, engine: EngineResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Sample, label, train, choose the threshold, report."""
    settings = lake.settings()
    context = Context(lake.lake(), engine.engine(settings), settings, load_policy(settings.policy), uuid.uuid4().hex)
    return dg.MaterializeResult(metadata=_model_metadata(code_relevance.train_relevance(context)))


def _model_metadata(model: Model) -> dict[str, dg.MetadataValue]:
    report = model.report
    values: dict[str, dg.MetadataValue] = {
        "threshold": dg.MetadataValue.float(model.threshold),
        "report": dg.MetadataValue.json(report),
    }
    for name in ("precision", "recall"):
        if name in report:
            values[name] = dg.MetadataValue.float(round(float(report[name]), 4))
    if report.get("curve"):
        picture = base64.b64encode(precision_recall_figure(report)).decode()
        values["precision_recall"] = dg.MetadataValue.md(f"![precision and recall](data:image/png;base64,{picture})")
    return values


def _conserved(name: str, requires: tuple[str, ...]) -> dict[str, Check]:
    def ask(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
        return checks.conserved(lake, settings, name, requires, batches, "pages")

    return {"verdicts_are_conserved": ask}


def _verified(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    policy = load_policy(settings.policy).page_near_duplicates
    return near_duplicate_checks.removals_are_verified(lake, settings, policy, batches, near_duplicates.WEB_PAGES)


def _unique_where_asked(lake: Lake, settings: Settings, batches: list[str]) -> checks.Outcome:
    """A policy that leaves out a filter of duplicates may keep the same URL or text twice."""
    filters = load_policy(settings.policy).web.filters
    numbers = checks.page_urls_are_unique(lake, settings, batches, current_batches(lake, settings, WEB_CORPUS)).numbers
    asked = {"url_duplicates": "distinct_urls", "exact_duplicates": "distinct_texts"}
    distinct = [numbers[number] for name, number in asked.items() if name in filters]
    return checks.Outcome(all(each == numbers["documents"] for each in distinct), numbers)


ASSETS: list[dg.AssetsDefinition] = [
    read_crawl,
    step_asset(PAGE_RULES, group="verdicts", kind="polars", asked=_conserved("rules", ())),
    step_asset(
        URL_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked=_conserved("url_duplicates", exact_duplicates.SAME_URL.requires),
    ),
    step_asset(
        PAGE_EXACT_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked=_conserved("exact_duplicates", exact_duplicates.SAME_TEXT.requires),
    ),
    step_asset(
        PAGE_NEAR_DUPLICATES,
        group="verdicts",
        kind="numba",
        asked={
            **_conserved("near_duplicates", near_duplicates.WEB_PAGES.requires),
            "removals_are_verified": _verified,
        },
    ),
    code_relevance_model,
    step_asset(
        CODE_RELEVANCE,
        group="verdicts",
        kind="fasttext",
        asked=_conserved("code_relevance", code_relevance.FILTER.requires),
    ),
    step_asset(QUALITY, group="verdicts", kind="polars", asked=_conserved("quality", page_filters.QUALITY.requires)),
    step_asset(WEB_CORPUS, group="corpora", kind="polars", asked={"no_two_pages_share_a_url": _unique_where_asked}),
]
"""All of them."""
