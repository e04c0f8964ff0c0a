"""The flow of crawls, on one page: every step, what it reads and what it publishes (PAPER §4).

What belongs here: the list. What does not: any step's work.
"""

from __future__ import annotations

from seed_platform.engine.local import preload
from seed_platform.lake.query import VerdictTable
from seed_platform.lake.schemas import CRAWL_FILES, NEAR_DUPLICATE_INDEX, PAGES, REJECTIONS, WEB
from seed_platform.steps import (
    code_relevance,
    commit_flow,
    exact_duplicates,
    flow,
    judge,
    near_duplicates,
    page_filters,
    read_pages,
    select_pages,
)
from seed_platform.steps.base import Step

# What tasks need.
preload(__name__, "seed_platform.extraction.compiled")

READ_PAGES = Step(
    name=PAGES.name,
    version=read_pages.VERSION,
    inputs=(),
    compares=False,
    sections=(),
    run=lambda context, batch, _: read_pages.read_crawl(context, batch),
    tables=(PAGES, CRAWL_FILES, REJECTIONS),
    described="The pages of a crawl, each extracted to Markdown with its code kept exactly.",
    limits=("max_page_bytes", "max_archive_bytes", "max_archive_ratio", "max_archive_entries", "max_content_bytes"),
)
PAGE_RULES = Step(
    name=page_filters.RULES.table.name,
    version=page_filters.RULES.version,
    inputs=(READ_PAGES.name,),
    compares=False,
    sections=("page_rules",),
    run=lambda context, batch, _: judge.judge_batch(context, batch, page_filters.RULES),
    tables=(page_filters.RULES.table,),
    described="Minimal rules: is there text, of at least 10 words, that is no list of links and no error message.",
)
URL_DUPLICATES = Step(
    name=exact_duplicates.SAME_URL.table.name,
    version=exact_duplicates.VERSION,
    inputs=(READ_PAGES.name, PAGE_RULES.name),
    compares=True,
    sections=(),
    run=lambda context, batch, earlier: exact_duplicates.find_exact_duplicates(
        context, batch, earlier, exact_duplicates.SAME_URL
    ),
    tables=(exact_duplicates.SAME_URL.table,),
    described="Pages whose URL, in its normal form, is that of one that arrived earlier.",
)
PAGE_EXACT_DUPLICATES = Step(
    name=exact_duplicates.SAME_TEXT.table.name,
    version=exact_duplicates.VERSION,
    inputs=(READ_PAGES.name, PAGE_RULES.name, URL_DUPLICATES.name),
    compares=True,
    sections=(),
    run=lambda context, batch, earlier: exact_duplicates.find_exact_duplicates(
        context, batch, earlier, exact_duplicates.SAME_TEXT
    ),
    tables=(exact_duplicates.SAME_TEXT.table,),
    described="Pages with the same text as one that arrived earlier.",
)
PAGE_NEAR_DUPLICATES = Step(
    name=near_duplicates.WEB_PAGES.table.name,
    version=near_duplicates.VERSION,
    inputs=(READ_PAGES.name, PAGE_RULES.name, URL_DUPLICATES.name, PAGE_EXACT_DUPLICATES.name),
    compares=True,
    sections=("page_near_duplicates",),
    run=lambda context, batch, earlier: near_duplicates.find_near_duplicates(
        context, batch, earlier, near_duplicates.WEB_PAGES
    ),
    tables=(near_duplicates.WEB_PAGES.table, NEAR_DUPLICATE_INDEX),
    described="Pages that truly resemble a kept one: MinHash candidates, each verified.",
)
CODE_RELEVANCE = Step(
    name=code_relevance.FILTER.table.name,
    version=code_relevance.FILTER.version,
    inputs=(
        READ_PAGES.name,
        PAGE_RULES.name,
        URL_DUPLICATES.name,
        PAGE_EXACT_DUPLICATES.name,
        PAGE_NEAR_DUPLICATES.name,
    ),
    compares=False,
    sections=(),
    run=lambda context, batch, _: code_relevance.judge_relevance(context, batch),
    tables=(code_relevance.FILTER.table,),
    described="Is it about code: pages that mark code as code pass, the others are scored by a fastText classifier.",
    models=(code_relevance.MODEL,),
)
QUALITY = Step(
    name=page_filters.QUALITY.table.name,
    version=page_filters.QUALITY.version,
    inputs=(READ_PAGES.name, CODE_RELEVANCE.name),
    compares=False,
    sections=("site_quality",),
    run=lambda context, batch, _: judge.judge_batch(context, batch, page_filters.QUALITY),
    tables=(page_filters.QUALITY.table,),
    described="Kind of site, and quality by the rubric, threshold and sampling rate of that kind.",
)
WEB_CORPUS = Step(
    name=WEB.name,
    version=select_pages.VERSION,
    inputs=(
        READ_PAGES.name,
        PAGE_RULES.name,
        URL_DUPLICATES.name,
        PAGE_EXACT_DUPLICATES.name,
        PAGE_NEAR_DUPLICATES.name,
        CODE_RELEVANCE.name,
        QUALITY.name,
    ),
    compares=False,
    sections=("web",),
    run=lambda context, batch, _: select_pages.select_web(context, batch),
    tables=(WEB,),
    described="The web corpus: every page that all filters of the policy keep.",
)

PAGE_STEPS: tuple[Step, ...] = (
    READ_PAGES,
    PAGE_RULES,
    URL_DUPLICATES,
    PAGE_EXACT_DUPLICATES,
    PAGE_NEAR_DUPLICATES,
    CODE_RELEVANCE,
    QUALITY,
    WEB_CORPUS,
)
"""In an order in which each comes after its inputs."""

PAGE_FILTERS: dict[str, Step] = {
    step.name.rsplit("/", 1)[1]: step
    for step in (PAGE_RULES, URL_DUPLICATES, PAGE_EXACT_DUPLICATES, PAGE_NEAR_DUPLICATES, CODE_RELEVANCE, QUALITY)
}
"""The filters over pages, by the names that policies use."""

VERDICT_TABLES: tuple[VerdictTable, ...] = (
    *flow.VERDICT_TABLES,
    *commit_flow.VERDICT_TABLES,
    *(VerdictTable("page", name, step.tables[0]) for name, step in PAGE_FILTERS.items()),
)
"""What the view `verdicts` is made of: files, repositories, commits and pages."""
