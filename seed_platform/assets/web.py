"""Assets of crawls: their pages as extracted, verdicts on them, the model that judges relevance, and the web corpus.

Every asset body is a few lines: the work is in `steps/`. What belongs here: keys, groups, checks, descriptions.
"""

import base64
import uuid

import dagster as dg

from seed_platform.assets.execution import current_batches
from seed_platform.assets.resources import EngineResource, LakeResource
from seed_platform.assets.step_assets import OWNERS, conserved, read_asset, step_asset
from seed_platform.automation.conditions import when_never_made
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


read_crawl = read_asset(
    READ_PAGES,
    group="web",
    name="read_crawl",
    described={
        CRAWL_FILES: "One row per WARC file or folder of HTML: how many pages, bytes and rejected records.",
        PAGES: "One document per page. " + READ_PAGES.described,
    },
    check_name="pages_are_accounted_for",
    check=checks.pages_are_accounted_for,
)


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
    step_asset(PAGE_RULES, group="verdicts", kind="polars", asked=conserved("rules", (), "pages")),
    step_asset(
        URL_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked=conserved("url_duplicates", exact_duplicates.SAME_URL.requires, "pages"),
    ),
    step_asset(
        PAGE_EXACT_DUPLICATES,
        group="verdicts",
        kind="duckdb",
        asked=conserved("exact_duplicates", exact_duplicates.SAME_TEXT.requires, "pages"),
    ),
    step_asset(
        PAGE_NEAR_DUPLICATES,
        group="verdicts",
        kind="numba",
        asked={
            **conserved("near_duplicates", near_duplicates.WEB_PAGES.requires, "pages"),
            "removals_are_verified": _verified,
        },
    ),
    code_relevance_model,
    step_asset(
        CODE_RELEVANCE,
        group="verdicts",
        kind="fasttext",
        asked=conserved("code_relevance", code_relevance.FILTER.requires, "pages"),
    ),
    step_asset(
        QUALITY,
        group="verdicts",
        kind="polars",
        asked=conserved("quality", page_filters.QUALITY.requires, "pages"),
    ),
    step_asset(WEB_CORPUS, group="corpora", kind="polars", asked={"no_two_pages_share_a_url": _unique_where_asked}),
]
"""All of them."""
