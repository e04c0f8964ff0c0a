"""Crawl batches through Dagster, in process: what is recorded, checks that fail, the inbox, the schedule."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import polars as pl
import pytest
from crawl_world import FIRST, POLICY, REFUSED, SECOND, SITE, TRAINING, crawl_of, page, prose, training_pages, world
from support import lake_of, run_crawl, settings_of

from seed_platform.assets import reports, web
from seed_platform.assets.resources import EngineResource, LakeResource, RefusingIOManager
from seed_platform.automation.partitions import crawl_batches
from seed_platform.automation.schedules import crawl_refresh
from seed_platform.automation.sensors import crawl_arrivals
from seed_platform.batches import CRAWL, add_batch, list_batches
from seed_platform.crawl.arrivals import pin_crawl
from seed_platform.crawl.inbox import MARKER
from seed_platform.definitions import build_definitions
from seed_platform.errors import UsageError
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import PAGES, WEB, Table
from seed_platform.policy import Policy
from seed_platform.steps.code_relevance import MODEL
from seed_platform.steps.models import models
from seed_platform.steps.page_flow import PAGE_FILTERS
from seed_platform.steps.read import limits_of

KEYS = [key for each in web.ASSETS for key in each.keys]
_PARTITIONS = crawl_batches.name or ""


@dataclass(frozen=True)
class Deployment:
    """A lake, a policy and a Dagster instance of its own."""

    root: str
    policy: str
    instance: dg.DagsterInstance

    @property
    def lake_resource(self) -> LakeResource:
        return LakeResource(root=self.root, policy=self.policy)

    @property
    def resources(self) -> dict[str, Any]:
        return {"lake": self.lake_resource, "engine": EngineResource(workers=1), "io_manager": RefusingIOManager()}

    @property
    def lake(self) -> Lake:
        return lake_of(settings_of(self.root))

    def add(self, file: Path, name: str) -> None:
        add_batch(self.lake, pin_crawl([str(file)], limits_of(settings_of(self.root))), name=name, kind=CRAWL)
        self.instance.add_dynamic_partitions(_PARTITIONS, [name])

    def materialize(
        self, first: str, last: str, *, selection: dg.AssetSelection | None = None, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            web.ASSETS,
            selection=selection,
            instance=self.instance,
            resources=self.resources,
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            raise_on_error=raise_on_error,
        )

    def recorded(self, key: dg.AssetKey, partition: str | None = None) -> dict[str, Any]:
        """The metadata of the last materialization, of a partition if one is given."""
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition] if partition else None)
        record = self.instance.fetch_materializations(wanted, limit=1).records[0]
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}

    def tick(self) -> dg.SensorResult | dg.SkipReason:
        """One of the sensor of the inbox; its partitions are added and its cursor kept, as the daemon does."""
        context = dg.build_sensor_context(
            instance=self.instance, resources={"lake": self.lake_resource}, cursor=_CURSORS.get(self.root)
        )
        answer = crawl_arrivals(context)
        assert isinstance(answer, dg.SensorResult | dg.SkipReason)
        _CURSORS[self.root] = context.cursor or ""
        for request in (answer.dynamic_partitions_requests or []) if isinstance(answer, dg.SensorResult) else []:
            self.instance.add_dynamic_partitions(_PARTITIONS, list(request.partition_keys))
        return answer

    @property
    def batches(self) -> list[str]:
        return [batch.key for batch in list_batches(self.lake, kind=CRAWL)]

    def schedule(self) -> dg.RunRequest | dg.SkipReason:
        context = dg.build_schedule_context(
            instance=self.instance,
            resources={"lake": self.lake_resource},
            scheduled_execution_time=datetime(2025, 2, 1, 2, tzinfo=UTC),
        )
        answer = crawl_refresh(context)
        assert isinstance(answer, dg.RunRequest | dg.SkipReason)
        return answer


_CURSORS: dict[str, str] = {}


def _deploy(folder: Path, policy: Policy) -> Iterator[Deployment]:
    (folder / "home").mkdir()
    (folder / "policy.yaml").write_text(policy.model_dump_json())
    with dg.DagsterInstance.local_temp(str(folder / "home")) as instance:
        yield Deployment(str(folder / "lake"), str(folder / "policy.yaml"), instance)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Deployment]:
    yield from _deploy(tmp_path, POLICY)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, dg.ExecuteInProcessResult]]:
    """Two batches, materialized in one run over the range, the model among them."""
    folder = tmp_path_factory.mktemp("crawl_assets")
    files = world(folder)
    for deployment in _deploy(folder, POLICY):
        for name, file in zip(("first", "second"), files, strict=True):
            deployment.add(file, name)
        yield deployment, deployment.materialize("first", "second")


Done = tuple[Deployment, dg.ExecuteInProcessResult]


def test_one_run_over_a_range_records_every_partition_of_every_asset(done: Done):
    deployment, result = done
    assert result.success
    for key in KEYS:
        if key == web.RELEVANCE_MODEL:
            assert "why_none" in deployment.recorded(key)["report"]
        else:
            assert deployment.instance.get_materialized_partitions(key) == {"first", "second"}, key


def test_partitions_show_what_was_read_dropped_and_rejected(done: Done):
    read = done[0].recorded(web.PAGES, "first")
    assert (read["seen"], read["kept"], read["dagster/row_count"], read["computed"]) == (
        len(FIRST),
        len(FIRST),
        9,
        True,
    )
    for _, reason in REFUSED.values():
        assert read[f"rejected/{reason}"] == 1
    assert read["rejected/skipped_request"] == 1
    urls = done[0].recorded(dg.AssetKey(["verdicts", "pages", "url_duplicates"]), "second")
    assert (urls["seen"], urls["dropped/url_duplicate"]) == (len(SECOND), 1)
    assert done[0].recorded(dg.AssetKey(["verdicts", "pages", "code_relevance"]), "second")["noted/not_scored"] == 1
    assert [done[0].recorded(web.WEB, name)["kept"] for name in ("first", "second")] == [3, 2]


def test_every_blocking_check_was_evaluated_and_passed(done: Done):
    evaluated = done[1].get_asset_check_evaluations()
    assert {(each.asset_key.to_user_string(), each.check_name) for each in evaluated} == {
        ("web/pages", "pages_are_accounted_for"),
        *((f"verdicts/pages/{name}", "verdicts_are_conserved") for name in PAGE_FILTERS),
        ("verdicts/pages/near_duplicates", "removals_are_verified"),
        ("corpora/web", "no_two_pages_share_a_url"),
    }
    assert all(each.passed for each in evaluated)
    verified = next(each for each in evaluated if each.check_name == "removals_are_verified")
    assert sum(value.value == 2 for value in verified.metadata.values()) >= 1


def test_the_funnel_of_the_web_corpus_is_a_report(done: Done):
    deployment, _ = done
    result = dg.materialize([reports.web_funnel_report], instance=deployment.instance, resources=deployment.resources)
    values = result.asset_materializations_for_node("reports__web_funnel")[0].metadata
    assert (values["seen"].value, values["kept"].value, values["outstanding"].value) == (len(FIRST | SECOND), 5, 0)
    assert re.fullmatch(r"!\[funnel\]\(data:image/png;base64,.+\)", str(values["funnel"].value))


def _tampered(lake: Lake, table: Table, batch: str, rows: pl.DataFrame) -> None:
    """Publish other rows of a batch behind the back of its record."""
    with lake.writer(table, batch=batch) as writer:
        writer.write(rows)
    lake.publish(table, writer.parts, Commit("tamper", "0", "0"), batch=batch)


def _rows(lake: Lake, table: Table, batch: str) -> pl.DataFrame:
    return lake.column(table, list(table.columns.names), batch=batch)


@pytest.mark.parametrize("what", ["a page is lost", "a page stands twice"])
def test_pages_that_are_not_accounted_for_fail_their_check(empty: Deployment, tmp_path: Path, what: str):
    empty.add(crawl_of(tmp_path / "x.warc.gz", {f"{SITE}{n}": page(prose(n)) for n in range(3)}), "x")
    pages = dg.AssetSelection.assets(web.PAGES, web.CRAWL_FILES)
    assert empty.materialize("x", "x", selection=pages).success
    rows = _rows(empty.lake, PAGES, "x")
    last = rows.tail(1).with_columns(doc_id=rows["doc_id"].head(1))
    _tampered(empty.lake, PAGES, "x", rows.head(2) if what == "a page is lost" else pl.concat([rows.head(2), last]))
    result = empty.materialize("x", "x", selection=pages, raise_on_error=False)
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, result.success) == ("pages_are_accounted_for", False, False)
    assert check.metadata["declared"].value == 3
    assert check.metadata["distinct"].value == 2
    # Its result is outstanding again, so another run makes it good.
    assert empty.materialize("x", "x", selection=pages).success
    assert _rows(empty.lake, PAGES, "x")["doc_id"].n_unique() == 3


@pytest.mark.parametrize("same", ["url", "content_sha256"])
def test_two_pages_of_one_url_or_text_in_the_corpus_fail_its_check(empty: Deployment, tmp_path: Path, same: str):
    empty.add(crawl_of(tmp_path / "x.warc.gz", {f"{SITE}{n}": page(prose(n)) for n in range(3)}), "x")
    assert empty.materialize("x", "x").success
    rows = _rows(empty.lake, WEB, "x")
    assert rows.height == 3
    _tampered(empty.lake, WEB, "x", rows.with_columns(pl.lit(rows[same][0]).alias(same)))
    corpus = dg.AssetSelection.assets(web.WEB)
    result = empty.materialize("x", "x", selection=corpus, raise_on_error=False)
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, result.success) == ("no_two_pages_share_a_url", False, False)
    assert empty.materialize("x", "x", selection=corpus).success
    assert _rows(empty.lake, WEB, "x")["url"].n_unique() == 3


def test_a_policy_without_the_filters_of_duplicates_may_keep_a_url_twice(empty: Deployment, tmp_path: Path):
    Path(empty.policy).write_text("web: {filters: [rules]}\n")
    files = world(tmp_path / "crawl")
    empty.add(files[0], "first")
    assert empty.materialize("first", "first").success
    assert empty.recorded(web.WEB, "first")["kept"] == 6


def test_the_model_shows_its_curve(empty: Deployment, tmp_path: Path):
    Path(empty.policy).write_text(TRAINING.model_dump_json())
    empty.add(crawl_of(tmp_path / "gold.warc.gz", training_pages(16)), "gold")
    assert empty.materialize("gold", "gold").success
    values = empty.recorded(web.RELEVANCE_MODEL)
    assert values["recall"] >= TRAINING.code_relevance.min_recall
    picture = re.fullmatch(r"!\[precision and recall\]\(data:image/png;base64,(.+)\)", str(values["precision_recall"]))
    assert picture is not None
    assert base64.b64decode(picture[1]).startswith(b"\x89PNG")


def _segment(inbox: Path, name: str, seed: int, *, complete: bool = True) -> Path:
    folder = inbox / name
    crawl_of(folder / f"{seed}.warc.gz", {f"https://{seed}.example/": page(prose(seed))})
    if complete:
        (folder / MARKER).touch()
    return folder


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    monkeypatch.setenv("SEED_CRAWL_INBOX", str(folder))
    return folder


def test_a_complete_segment_becomes_a_batch_once(empty: Deployment, inbox: Path):
    assert isinstance(empty.tick(), dg.SkipReason)
    _segment(inbox, "Segment B", 1)
    _segment(inbox, "segment-a", 2)
    unfinished = _segment(inbox, "segment-c", 3, complete=False)
    answer = empty.tick()
    assert isinstance(answer, dg.SensorResult)
    assert not answer.run_requests
    assert empty.batches == ["segment-b", "segment-a"]
    assert empty.instance.get_dynamic_partitions(_PARTITIONS) == empty.batches
    assert isinstance(empty.tick(), dg.SkipReason)
    (unfinished / MARKER).touch()
    assert isinstance(empty.tick(), dg.SensorResult)
    assert isinstance(empty.tick(), dg.SkipReason)
    assert empty.batches == ["segment-b", "segment-a", "segment-c"]
    assert empty.instance.get_dynamic_partitions(_PARTITIONS) == empty.batches


def test_an_inbox_that_is_moved_brings_nothing_twice(
    empty: Deployment, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _segment(inbox, "a", 1)
    empty.tick()
    shutil.move(inbox, tmp_path / "elsewhere")
    monkeypatch.setenv("SEED_CRAWL_INBOX", str(tmp_path / "elsewhere"))
    assert isinstance(empty.tick(), dg.SkipReason)
    assert empty.batches == ["a"]


def test_segments_that_cannot_be_had_do_not_hold_up_others_however_many_they_are(empty: Deployment, inbox: Path):
    for number in range(7):
        (inbox / f"a-without-files-{number}").mkdir()
        (inbox / f"a-without-files-{number}" / MARKER).touch()
    _segment(inbox, "good", 1)
    first = empty.tick()
    assert isinstance(first, dg.SkipReason)
    assert "a-without-files-0" in (first.skip_message or "")
    assert isinstance(empty.tick(), dg.SensorResult)
    assert empty.batches == ["good"]
    crawl_of(inbox / "a-without-files-3" / "late.warc.gz", {"https://late.example/": page(prose(9))})
    for _ in range(2):
        empty.tick()
    assert empty.batches == ["good", "a-without-files-3"]


def test_a_segment_whose_name_is_taken_is_told_and_not_passed_over(empty: Deployment, inbox: Path, tmp_path: Path):
    empty.add(crawl_of(tmp_path / "own.warc.gz", {f"{SITE}own": page(prose(5))}), "segment")
    _segment(inbox, "Segment", 1)
    answer = empty.tick()
    assert isinstance(answer, dg.SkipReason)
    assert "a batch or reference set is called 'segment'" in (answer.skip_message or "")


def test_without_an_inbox_the_sensor_skips_and_says_how_to_set_one(empty: Deployment, monkeypatch: pytest.MonkeyPatch):
    answer = empty.tick()
    assert isinstance(answer, dg.SkipReason)
    assert "SEED_CRAWL_INBOX" in (answer.skip_message or "")
    monkeypatch.setenv("SEED_CRAWL_INBOX", "/nowhere/at/all")
    with pytest.raises(UsageError, match="/nowhere/at/all is no folder"):
        empty.tick()


def test_segments_that_arrive_on_s3_later_are_seen(
    empty: Deployment, bucket: str, endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SEED_CRAWL_INBOX", f"{bucket}/inbox/")
    client = boto3.client("s3", endpoint_url=endpoint)

    def deliver(name: str, seed: int) -> None:
        for file in _segment(tmp_path / "local", name, seed).iterdir():
            client.upload_file(str(file), bucket.removeprefix("s3://"), f"inbox/{name}/{file.name}")

    assert isinstance(empty.tick(), dg.SkipReason)
    deliver("one", 1)
    assert isinstance(empty.tick(), dg.SensorResult)
    deliver("two", 2)
    assert isinstance(empty.tick(), dg.SensorResult)
    assert isinstance(empty.tick(), dg.SkipReason)
    assert empty.batches == ["one", "two"]


def test_the_schedule_asks_for_the_range_that_is_outstanding_and_its_run_brings_it_up_to_date(
    empty: Deployment, tmp_path: Path
):
    assert isinstance(empty.schedule(), dg.SkipReason)
    Path(empty.policy).write_text(TRAINING.model_dump_json())
    empty.add(crawl_of(tmp_path / "zebra.warc.gz", training_pages(16)), "zebra")
    names = ("b", "a")
    for number, name in enumerate(names):
        empty.add(crawl_of(tmp_path / f"{name}.warc.gz", {f"{SITE}{name}": page(prose(number))}), name)
    request = empty.schedule()
    assert isinstance(request, dg.RunRequest)
    assert request.tags == {"dagster/asset_partition_range_start": "zebra", "dagster/asset_partition_range_end": "a"}
    assert web.RELEVANCE_MODEL in (request.asset_selection or [])
    definitions = build_definitions(lake=empty.lake_resource, engine=EngineResource(workers=1))
    job = definitions.resolve_job_def("crawl_refresh_job")
    run = job.execute_in_process(instance=empty.instance, tags=request.tags, asset_selection=request.asset_selection)
    assert run.success
    assert models(empty.lake)[MODEL].path is not None
    assert isinstance(empty.schedule(), dg.SkipReason)
    empty.add(crawl_of(tmp_path / "c.warc.gz", {f"{SITE}c": page(prose(7))}), "c")
    again = empty.schedule()
    assert isinstance(again, dg.RunRequest)
    assert set(again.tags.values()) == {"c"}
    assert set(again.asset_selection or []) == {*KEYS} - {web.RELEVANCE_MODEL}
    run_crawl(empty.root, [], policy=TRAINING, workers=1)
    assert isinstance(empty.schedule(), dg.SkipReason)
