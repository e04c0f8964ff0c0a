"""The line of crawls on generated WARC files with planted cases: counts, reasons, models, what depends on what."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from crawl_world import (
    CODE,
    FIRST,
    POLICY,
    REFUSED,
    SECOND,
    SITE,
    TRAINING,
    crawl_of,
    damaged,
    member,
    page,
    prose,
    record,
    training_pages,
    world,
    write,
)
from flow_tables import PAGE_VERDICTS, contents_of, rows_of, work_on
from support import lake_of, run_crawl, settings_of, views

from seed_platform.batches import CRAWL, add_batch, list_batches
from seed_platform.crawl.arrivals import pin_crawl
from seed_platform.errors import UsageError, WorkError
from seed_platform.extraction import Extraction, extract
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import CRAWL_FILES, PAGES, REJECTIONS, WEB
from seed_platform.lineage.checks import pages_are_accounted_for
from seed_platform.lineage.pages import web_funnel
from seed_platform.policy import Policy
from seed_platform.steps import read_pages
from seed_platform.steps.base import Report
from seed_platform.steps.code_relevance import MODEL, read_labels, train_relevance
from seed_platform.steps.freshness import load_records
from seed_platform.steps.lines import CRAWL_LINE
from seed_platform.steps.models import models
from seed_platform.steps.page_flow import PAGE_STEPS
from seed_platform.steps.read import limits_of

PLANTED = {**FIRST, **SECOND}


def outcomes_of(lake: Lake) -> dict[str, str]:
    """By URL: the filter that drops the page and why, or "kept"."""
    pages = rows_of(lake, PAGES).select("batch", "ordinal", "url")
    outcomes = dict.fromkeys(pages["url"], "kept")
    for name, table in reversed(PAGE_VERDICTS.items()):
        dropped = rows_of(lake, table).filter(~pl.col("keep")).join(pages, on=["batch", "ordinal"])
        outcomes |= {row["url"]: f"{name}: {row['reason']}" for row in dropped.iter_rows(named=True)}
    return outcomes


def verdicts_of(lake: Lake, name: str) -> dict[str, dict[str, object]]:
    """The verdicts of a filter, by URL."""
    pages = rows_of(lake, PAGES).select("batch", "ordinal", "url")
    joined = rows_of(lake, PAGE_VERDICTS[name]).join(pages, on=["batch", "ordinal"])
    return {row["url"]: row for row in joined.iter_rows(named=True)}


def outstanding(lake: Lake, policy: Policy) -> list[tuple[str, str]]:
    flow = CRAWL_LINE.flow(lake, policy, settings_of(lake.root))
    return [(batch.key, step.name) for batch, step in flow.outstanding(load_records(lake))]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return world(tmp_path_factory.mktemp("crawl"))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, files: list[Path]) -> tuple[str, dict[str, list[Report]]]:
    """A lake with the two files as two batches, and the reports of each, in the order of the steps."""
    root = str(tmp_path_factory.mktemp("planted") / "lake")
    reports = {}
    for name, file in zip(("first", "second"), files, strict=True):
        reports[name] = [done.report for done in run_crawl(root, [file], policy=POLICY, name=name)]
    return root, reports


Planted = tuple[str, dict[str, list[Report]]]


def test_each_planted_page_ends_as_its_own_named_outcome(planted: Planted):
    assert outcomes_of(lake_of(settings_of(planted[0]))) == {url: fate for url, (_, fate) in PLANTED.items()}


@pytest.mark.parametrize(("name", "pages"), [("first", FIRST), ("second", SECOND)])
def test_every_step_counts_what_it_saw_kept_and_dropped(planted: Planted, name: str, pages: dict[str, tuple[str, str]]):
    reports = planted[1][name]
    assert [report.step for report in reports] == [step.name for step in PAGE_STEPS]
    assert (reports[0].seen.documents, reports[0].kept.documents) == (len(pages), len(pages))
    assert reports[0].seen.bytes == sum(len(html.encode()) for html, _ in pages.values())
    left = len(pages)
    for report in reports[1:-1]:
        assert report.seen.documents == left, report.step
        fates = [fate.partition(": ") for _, fate in pages.values()]
        dropped = sorted(reason for step, _, reason in fates if report.step == f"verdicts/pages/{step}")
        found = [reason for reason, tally in report.dropped.items() for _ in range(tally.documents)]
        assert sorted(found) == dropped, report.step
        left -= len(dropped)
        assert report.kept.documents == left
    assert (reports[-1].seen.documents, reports[-1].kept.documents) == (len(pages), left)


def test_records_that_are_no_pages_are_named_and_those_that_never_are_only_counted(planted: Planted):
    root, reports = planted
    rejected = rows_of(lake_of(settings_of(root)), REJECTIONS)
    assert dict(rejected.select("path", "reason").rows()) == {url: reason for url, (_, reason) in REFUSED.items()}
    assert set(rejected["batch"]) == {"first"}
    skipped = {"skipped_metadata": 1, "skipped_request": 1}
    assert reports["first"][0].failures == skipped | {reason: 1 for _, reason in REFUSED.values()}
    assert reports["second"][0].failures == {}
    rows = rows_of(lake_of(settings_of(root)), CRAWL_FILES).select("name", "pages", "rejected").rows()
    assert rows == [("one.warc.gz", len(FIRST), len(REFUSED)), ("two.warc.gz", len(SECOND), 0)]


def test_code_comes_out_as_it_was_to_the_last_space(planted: Planted):
    pages = rows_of(lake_of(settings_of(planted[0])), PAGES)
    guide = pages.row(by_predicate=pl.col("url") == f"{SITE}guide", named=True)
    assert f"```python\n{CODE.rstrip(chr(10))}\n```" in guide["content"]
    assert (guide["explicit"], guide["code_blocks"], guide["title"], guide["host"]) == (
        True,
        1,
        "Guide",
        "docs.example",
    )
    assert guide["code_bytes"] >= len(CODE.rstrip("\n").encode())


def test_provenance_leads_to_the_record(planted: Planted, files: list[Path]):
    pages = rows_of(lake_of(settings_of(planted[0])), PAGES)
    data = {file.name: file.read_bytes() for file in files}
    for row in pages.iter_rows(named=True):
        packed = data[row["crawl_file"]][row["offset"] : row["offset"] + row["length"]]
        assert packed == member(record(row["url"], PLANTED[row["url"]][0])), row["url"]
        assert packed[:2] == b"\x1f\x8b"
    assert pages["doc_id"].n_unique() == pages["record_id"].n_unique() == pages.height


def test_duplicates_name_the_page_that_is_kept_across_batches(planted: Planted):
    lake = lake_of(settings_of(planted[0]))
    ids = {row["url"]: row["doc_id"] for row in rows_of(lake, PAGES).iter_rows(named=True)}
    related = {
        ("url_duplicates", "http://www.docs.example/guide/?utm_source=news"): "guide",
        ("url_duplicates", "https://docs.example:443/guide#top"): "guide",
        ("exact_duplicates", f"{SITE}copy"): "guide",
        ("exact_duplicates", "https://mirror.example/guide"): "guide",
        ("near_duplicates", f"{SITE}near"): "plain",
        ("near_duplicates", "https://mirror.example/near"): "plain",
    }
    for (name, url), kept in related.items():
        verdict = verdicts_of(lake, name)[url]
        assert verdict["related_doc_id"] == ids[SITE + kept], url
        if name == "near_duplicates":
            assert 0.7 <= float(str(verdict["score"])) < 1


def test_with_too_few_pages_there_is_no_model_and_pages_pass_as_not_scored(planted: Planted):
    lake = lake_of(settings_of(planted[0]))
    model = models(lake)[MODEL]
    assert model.path is None
    assert "too few pages to learn from" in model.report["why_none"]
    judged = verdicts_of(lake, "code_relevance")
    assert {url: (row["reason"], row["score"]) for url, row in judged.items()} == {
        f"{SITE}guide": ("explicit", None),
        f"{SITE}edited": ("explicit", None),
        f"{SITE}plain": ("not_scored", None),
        "https://mirror.example/own": ("explicit", None),
        "https://mirror.example/own-plain": ("not_scored", None),
    }


def test_the_funnel_counts_every_page_once(planted: Planted):
    with views(planted[0]) as connection:
        counted = web_funnel(connection, POLICY.web)
        one = web_funnel(connection, POLICY.web, ["second"])
    fates = [fate.partition(": ") for _, fate in PLANTED.values() if fate != "kept"]
    dropped: dict[str, dict[str, int]] = {}
    for name, _, reason in fates:
        mine = dropped.setdefault(name, {})
        mine[reason] = mine.get(reason, 0) + 1
    assert counted.documents.dropped == dropped
    assert (counted.documents.seen, counted.documents.kept, counted.documents.outstanding) == (len(PLANTED), 5, 0)
    assert (one.documents.seen, one.documents.kept) == (len(SECOND), 2)
    assert counted.rejected == {reason: 1 for _, reason in REFUSED.values()}
    assert one.rejected == {}
    pages = rows_of(lake_of(settings_of(planted[0])), PAGES)
    assert counted.bytes.seen == pages["text_bytes"].sum()
    assert sum(mine.seen for mine, _ in counted.languages.values()) == len(PLANTED)
    assert sum(mine.kept for name, (mine, _) in counted.languages.items() if name) == 5


@pytest.fixture(scope="module")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return crawl_of(tmp_path_factory.mktemp("gold") / "gold.warc.gz", training_pages())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, gold: Path) -> str:
    """A lake with a trained model."""
    root = str(tmp_path_factory.mktemp("trained") / "lake")
    run_crawl(root, [gold], policy=TRAINING, name="gold")
    return root


def test_a_trained_model_scores_every_page_that_marks_no_code(trained: str):
    lake = lake_of(settings_of(trained))
    model = models(lake)[MODEL]
    assert model.path is not None
    assert lake.storage.local_copy(model.path).is_file()
    assert model.report["recall"] >= TRAINING.code_relevance.min_recall
    assert model.report["curve"][0].keys() == {"threshold", "precision", "recall"}
    judged = verdicts_of(lake, "code_relevance")
    assert len(judged) == len(training_pages())
    for url, row in judged.items():
        if url.endswith("/api"):
            assert (row["keep"], row["reason"], row["score"]) == (True, "explicit", None)
        else:
            assert 0 <= float(str(row["score"])) <= 1
            assert row["keep"] == (float(str(row["score"])) >= model.threshold)
            assert row["reason"] == (None if row["keep"] else "not_code_related")
    kept = {
        name: sum(bool(row["keep"]) for url, row in judged.items() if url.endswith(name)) for name in ("notes", "tale")
    }
    assert kept["notes"] > kept["tale"]


def test_explicit_pages_pass_whatever_the_model_says(trained: str):
    lake = lake_of(settings_of(trained))
    described = rows_of(lake, PAGES).select("batch", "ordinal", "explicit")
    judged = rows_of(lake, PAGE_VERDICTS["code_relevance"]).join(described, on=["batch", "ordinal"])
    explicit = judged.filter("explicit")
    assert explicit.height == len(training_pages()) // 4
    assert explicit["keep"].all()


def test_another_training_on_the_same_pages_is_the_same_model_and_makes_nothing_outstanding(trained: str):
    lake = lake_of(settings_of(trained))
    before = models(lake)[MODEL]
    context, _, _ = work_on(trained, TRAINING, kind=CRAWL)
    assert train_relevance(context).id == before.id
    assert outstanding(lake, TRAINING) == []


def test_labels_by_url_and_by_id_make_relevance_and_what_follows_outstanding_and_nothing_else(
    tmp_path: Path, gold: Path
):
    root = str(tmp_path / "lake")
    run_crawl(root, [gold], policy=TRAINING, name="gold")
    lake = lake_of(settings_of(root))
    before = models(lake)[MODEL]
    ids = {row["url"]: row["doc_id"] for row in rows_of(lake, PAGES).iter_rows(named=True)}
    urls = list(training_pages())
    labels = [
        {("doc_id" if n % 2 else "url"): (ids[url] if n % 2 else url), "code_related": url.endswith(("api", "notes"))}
        for n, url in enumerate(urls)
    ]
    (tmp_path / "labels.jsonl").write_text("\n".join(map(json.dumps, labels)) + "\n\n")
    context, _, _ = work_on(root, TRAINING, kind=CRAWL)
    model = train_relevance(context, read_labels(tmp_path / "labels.jsonl"))
    assert model.id != before.id
    assert model.report["pages"] == len(urls)
    assert [sum(part) for part in zip(model.report["trained_on"], model.report["held_out"], strict=True)] == [60, 60]
    assert outstanding(lake, TRAINING) == [
        ("gold", name) for name in ("verdicts/pages/code_relevance", "verdicts/pages/quality", "corpora/web")
    ]
    run_crawl(root, [], policy=TRAINING)
    judged = verdicts_of(lake, "code_relevance")
    assert all(row["keep"] for url, row in judged.items() if url.endswith(("api", "notes")))
    assert sum(not row["keep"] for url, row in judged.items() if url.endswith(("tale", "story"))) > 40
    with pytest.raises(UsageError, match="too few gold pages"):
        train_relevance(context, {urls[0]: True, urls[1]: False})
    assert models(lake)[MODEL].id == model.id


def test_a_model_is_asked_about_as_many_words_as_it_was_trained_on(tmp_path: Path, gold: Path):
    root = str(tmp_path / "lake")
    run_crawl(root, [gold], policy=TRAINING, name="gold", workers=1)
    lake = lake_of(settings_of(root))
    before = verdicts_of(lake, "code_relevance")
    fewer = TRAINING.model_copy(
        update={"code_relevance": TRAINING.code_relevance.model_copy(update={"text_words": 10})}
    )
    context, flow, [batch] = work_on(root, fewer, kind=CRAWL)
    assert outstanding(lake, fewer) == []
    CRAWL_LINE.steps[5].run(context, batch, ())
    after = verdicts_of(lake, "code_relevance")
    assert {url: row["score"] for url, row in after.items()} == {url: row["score"] for url, row in before.items()}
    del flow


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"url": "a", "code_related": 1}', "line 1"),
        ('{"url": "a", "code_related": true}\n[1]', "line 2"),
        ('{"code_related": true}', "line 1"),
        ("not JSON", "line 1"),
        ('{"url": 5, "code_related": true}', "line 1"),
        ("\n\n", "has no label"),
    ],
)
def test_labels_that_are_none_are_named_by_line(tmp_path: Path, text: str, words: str):
    (tmp_path / "labels.jsonl").write_text(text)
    with pytest.raises(UsageError, match=words):
        read_labels(tmp_path / "labels.jsonl")


def test_labels_that_cannot_be_read_and_a_lake_without_pages_are_named(tmp_path: Path):
    (tmp_path / "latin1.jsonl").write_bytes(b"\xff\xfe")
    for name in ("none.jsonl", "latin1.jsonl"):
        with pytest.raises(UsageError, match=name):
            read_labels(tmp_path / name)
    context, _, _ = work_on(str(tmp_path / "lake"), kind=CRAWL)
    with pytest.raises(UsageError, match="no crawl batch is deduplicated yet"):
        train_relevance(context)


def test_sampling_by_category_is_deterministic_and_a_lower_rate_keeps_a_subset(trained: str):
    lake = lake_of(settings_of(trained))
    kept: dict[float, set[str]] = {}
    for rate in (1.0, 0.6, 0.3, 0.6):
        rates = {name: {"threshold": 0.0, "rate": rate} for name in POLICY.site_quality.categories}
        policy = Policy.model_validate({**TRAINING.model_dump(), "site_quality": {"categories": rates}})
        changed = [step for _, step in outstanding(lake, policy)]
        assert changed in (["verdicts/pages/quality", "corpora/web"], []), rate
        run_crawl(trained, [], policy=policy, workers=1)
        chosen = set(rows_of(lake, WEB)["doc_id"])
        assert kept.setdefault(rate, chosen) == chosen
        reasons = {row["reason"] for row in verdicts_of(lake, "quality").values()}
        assert reasons == ({None} if rate == 1 else {None, "not_sampled"})
    assert kept[0.3] < kept[0.6] < kept[1.0]
    judged = rows_of(lake, PAGE_VERDICTS["quality"])
    described = [json.loads(text) for text in judged["evidence"]]
    assert all(each["category"] in POLICY.site_quality.categories for each in described)
    categories = dict(zip(judged["doc_id"], (each["category"] for each in described), strict=True))
    for row in rows_of(lake, WEB).iter_rows(named=True):
        assert row["category"] == categories[row["doc_id"]]
        assert 0 <= row["quality"] <= 1
    run_crawl(trained, [], policy=TRAINING)


def test_rows_depend_neither_on_workers_nor_on_how_they_are_cut_nor_on_being_computed_again(
    tmp_path: Path, files: list[Path], gold: Path
):
    contents = []
    for name, workers, cut in (("one", 1, (1 << 24, 1 << 26)), ("two", 2, (8_000, 32_000))):
        lake = Lake(str(tmp_path / name), row_group_bytes=cut[0], part_bytes=cut[1])
        run_crawl(lake, [gold], policy=TRAINING, name="gold", workers=workers)
        run_crawl(lake, [files[0], files[1]], policy=TRAINING, name="both", workers=workers)
        contents.append(contents_of(lake.root, CRAWL))
        assert (len(lake.parts(PAGES, batch="gold")) > 1) == (name == "two")
    assert contents[0].keys() == contents[1].keys()
    for table, rows in contents[0].items():
        assert rows == contents[1][table], table
        assert rows, table
    context, flow, batches = work_on(str(tmp_path / "one"), TRAINING, kind=CRAWL)
    for batch in batches:
        for step in PAGE_STEPS:
            step.run(context, batch, flow.earlier(batch))
    assert contents_of(str(tmp_path / "one"), CRAWL) == contents[0]


def test_a_file_that_changed_since_it_was_added_is_rejected_and_the_one_beside_it_is_read(
    tmp_path: Path, lake_root: str
):
    specs = [crawl_of(tmp_path / f"{name}.warc.gz", {f"{SITE}{name}": page(prose(1))}) for name in ("a", "b", "c")]
    lake = lake_of(settings_of(lake_root))
    add_batch(lake, pin_crawl([str(spec) for spec in specs], limits_of(settings_of(lake_root))), name="x", kind=CRAWL)
    specs[0].write_bytes(specs[0].read_bytes() + specs[1].read_bytes())
    specs[2].unlink()
    run_crawl(lake_root, [], workers=1)
    assert rows_of(lake, REJECTIONS).select("ordinal", "spec", "path", "reason").rows() == [
        (0, str(specs[0]), None, "changed_since_added"),
        (2, str(specs[2]), None, "missing_path"),
    ]
    assert rows_of(lake, PAGES)["url"].to_list() == [f"{SITE}b"]
    assert rows_of(lake, CRAWL_FILES)["ordinal"].to_list() == [1]


def test_a_batch_that_was_read_is_not_lost_when_its_file_is(tmp_path: Path, lake_root: str):
    spec = crawl_of(tmp_path / "a.warc.gz", {f"{SITE}a": page(prose(1))})
    run_crawl(lake_root, [spec], name="only", workers=1)
    spec.unlink()
    context, _, [batch] = work_on(lake_root, kind=CRAWL)
    with pytest.raises(WorkError, match="cannot be read again"):
        read_pages.read_crawl(context, batch)
    assert rows_of(context.lake, PAGES).height == rows_of(context.lake, CRAWL_FILES).height == 1


def test_a_damaged_member_costs_one_page_of_thirty(tmp_path: Path, lake_root: str):
    pages = {f"{SITE}{number}": page(prose(number)) for number in range(30)}
    members = [member(record(url, html)) for url, html in pages.items()]
    members[13] = damaged(members[13])
    run_crawl(lake_root, [write(tmp_path / "x.warc.gz", members)], workers=1)
    lake = lake_of(settings_of(lake_root))
    assert rows_of(lake, PAGES)["url"].to_list() == [url for url in pages if url != f"{SITE}13"]
    rejected = rows_of(lake, REJECTIONS)
    offset = sum(map(len, members[:13]))
    assert rejected.select("path", "reason").rows() in (
        [(f"{SITE}13", "damaged_member")],
        [(f"offset {offset}", "damaged_member")],
    )


def test_two_files_of_one_name_of_which_one_goes_on_where_the_other_ends_are_two(tmp_path: Path, lake_root: str):
    members = [member(record(f"{SITE}{number}", page(prose(number)))) for number in range(3)]
    specs = [write(tmp_path / "a" / "x.warc.gz", members[:2]), write(tmp_path / "b" / "x.warc.gz", members)]
    run_crawl(lake_root, specs, name="x", workers=1)
    settings = settings_of(lake_root)
    outcome = pages_are_accounted_for(lake_of(settings), settings, ["x"])
    assert (outcome.passed, outcome.numbers["distinct"]) == (True, 5)
    assert rows_of(lake_of(settings), WEB).height <= 3


def test_files_without_a_page_are_batches_like_any_other(tmp_path: Path, lake_root: str):
    nothing = write(tmp_path / "nothing.warc.gz", [member(each) for each, _ in REFUSED.values()])
    empty = write(tmp_path / "empty.warc", [])
    done = run_crawl(lake_root, [nothing, empty], workers=1)
    assert len(done) == len(PAGE_STEPS)
    lake = lake_of(settings_of(lake_root))
    assert rows_of(lake, CRAWL_FILES).select("pages", "rejected").rows()[0] == (0, len(REFUSED))
    assert outstanding(lake, Policy()) == []
    assert models(lake)[MODEL].path is None


DEADLY = "this page ends the process"


def deadly_extract(html: str) -> Extraction:
    """Extraction by a parser with a flaw; in a worker."""
    if DEADLY in html:
        import os  # noqa: PLC0415 - only where it is used

        os.abort()
    return extract(html)


def deadly_read_task(task: read_pages._Task) -> read_pages._Read:
    """The task with that parser; runs in a worker process, where nothing else is replaced."""
    read_pages.extract = deadly_extract
    return _honest_read_task(task)


_honest_read_task = read_pages._read_task


def test_a_page_on_which_the_parser_crashes_costs_itself_alone(
    tmp_path: Path, lake_root: str, monkeypatch: pytest.MonkeyPatch
):
    pages = {f"{SITE}{number}": page(prose(number)) for number in range(8)}
    pages[f"{SITE}2"] = pages[f"{SITE}5"] = page(DEADLY)
    monkeypatch.setattr(read_pages, "_read_task", deadly_read_task)
    run_crawl(lake_root, [crawl_of(tmp_path / "x.warc.gz", pages)], workers=1)
    lake = lake_of(settings_of(lake_root))
    rejected = rows_of(lake, REJECTIONS).select("path", "reason", "detail").rows()
    detail = "extracting it ended the process (SIGABRT)"
    assert rejected == [(f"{SITE}{number}", "reader_crash", detail) for number in (2, 5)]
    found = rows_of(lake, PAGES)
    assert found["url"].to_list() == [url for url in pages if url not in (f"{SITE}2", f"{SITE}5")]
    assert found["ordinal"].to_list() == [0, 1, 3, 4, 6, 7]
    [(declared, refused)] = rows_of(lake, CRAWL_FILES).select("pages", "rejected").rows()
    assert (declared, refused) == (6, 2)


def test_a_folder_of_html_has_the_urls_below_its_base(tmp_path: Path, lake_root: str):
    folder = tmp_path / "mirror"
    contents = {
        "index.html": page(prose(1), "x = 1\n"),
        "a b/é.HTM": page(prose(2)),
        "c.xhtml": page(prose(3)),
        "style.css": "a {}",
        "empty.html": " \n",
    }
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "link.html").symlink_to("index.html")
    (folder / "latin.html").write_bytes(page("é " + prose(4)).replace("<meta charset=utf-8>", "").encode("latin-1"))
    [read, *_] = run_crawl(lake_root, [folder], base_url="https://docs.example/v1", workers=1)
    lake = lake_of(settings_of(lake_root))
    pages = rows_of(lake, PAGES)
    base = "https://docs.example/v1/"
    assert pages["url"].to_list() == [
        f"{base}{name}" for name in ("a%20b/%C3%A9.HTM", "c.xhtml", "index.html", "latin.html")
    ]
    assert pages["record_id"].to_list() == ["a b/é.HTM", "c.xhtml", "index.html", "latin.html"]
    assert "é" in pages["content"].to_list()[3]
    rejected = rows_of(lake, REJECTIONS).select("path", "reason").rows()
    assert rejected == [("empty.html", "empty_body"), ("link.html", "symlink")]
    assert read.report.failures == {"empty_body": 1, "skipped_not_html": 1, "symlink": 1}
    assert rows_of(lake, CRAWL_FILES).select("source", "origin", "name").rows() == [("html", base, "mirror")]


def test_the_same_pages_in_a_batch_that_arrives_again_are_the_same_batch(planted: Planted, files: list[Path]):
    root, _ = planted
    assert run_crawl(root, [files[0]], policy=POLICY) == []
    assert [batch.key for batch in list_batches(lake_of(settings_of(root)), kind=CRAWL)] == ["first", "second"]
