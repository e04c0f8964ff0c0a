"""Real batches through Dagster, in process: what is recorded, what fails and how, and who asks for work."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from support import edited, lake_of, make_repository, python_source, settings_of, without_scorer

from seed_platform.assets import github, quality, reports
from seed_platform.assets.resources import EngineResource, LakeResource, RefusingIOManager
from seed_platform.automation.partitions import repository_batches
from seed_platform.automation.sensors import batch_arrivals
from seed_platform.batches import add_batch, pin_sources
from seed_platform.definitions import build_definitions
from seed_platform.engine.journal import Journal
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Part
from seed_platform.lake.schemas import verdicts
from seed_platform.policy import Policy, Section
from seed_platform.steps import exact_duplicates, judge
from seed_platform.steps.base import Context, Report
from seed_platform.steps.read import limits_of

ASSETS = github.ASSETS
RULES = dg.AssetKey(["verdicts", "files", "rules"])
EXACT = dg.AssetKey(["verdicts", "files", "exact_duplicates"])


@dataclass(frozen=True)
class Deployment:
    """A lake and a Dagster instance of its own."""

    root: str
    instance: dg.DagsterInstance

    @property
    def resources(self) -> dict[str, Any]:
        return {
            "lake": LakeResource(root=self.root),
            "engine": EngineResource(workers=1),
            "io_manager": RefusingIOManager(),
        }

    def add(self, folder: Path, name: str) -> None:
        shared = python_source(1, 40)
        make_repository(
            folder / name,
            {
                "own.py": python_source(2 + len(name), 30),
                "shared.py": shared,
                "near.py": edited(shared, [4]),
                "bad.py": f"def {name}(:\n",
                "nul.py": b"\0" + name.encode(),
            },
        )
        settings = settings_of(self.root)
        specs = [str(folder / name), str(folder / f"missing-{name}")]
        add_batch(lake_of(settings), pin_sources(specs, limits_of(settings), {}), name=name)
        without_scorer(Context(lake_of(settings), LocalEngine(1), settings, Policy(), name))
        self.instance.add_dynamic_partitions(repository_batches.name or "", [name])

    def materialize(
        self, first: str, last: str, *, selection: dg.AssetSelection | None = None, raise_on_error: bool = True
    ) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            ASSETS,
            selection=selection,
            instance=self.instance,
            resources=self.resources,
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            raise_on_error=raise_on_error,
        )

    def recorded(self, key: dg.AssetKey, partition: str) -> dict[str, Any]:
        """The metadata of the last materialization of a partition."""
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
        record = self.instance.fetch_materializations(wanted, limit=1).records[0]
        assert record.asset_materialization is not None
        return {name: value.value for name, value in record.asset_materialization.metadata.items()}


def _deploy(folder: Path) -> Iterator[Deployment]:
    home = folder / "home"
    home.mkdir()
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        yield Deployment(str(folder / "lake"), instance)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Deployment]:
    yield from _deploy(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, dg.ExecuteInProcessResult]]:
    """Two batches, materialized in one run over the range."""
    folder = tmp_path_factory.mktemp("done")
    for deployment in _deploy(folder):
        for name in ("first", "second"):
            deployment.add(folder, name)
        yield deployment, deployment.materialize("first", "second")


Done = tuple[Deployment, dg.ExecuteInProcessResult]


def test_one_run_over_a_range_records_every_partition_of_every_asset(done: Done):
    deployment, result = done
    assert result.success
    keys = [asset_key for assets in ASSETS for asset_key in assets.keys]
    for key in keys:
        assert deployment.instance.get_materialized_partitions(key) == {"first", "second"}, key


@pytest.mark.parametrize(("partition", "rejected"), [("first", "missing_path"), ("second", "missing_path")])
def test_reading_reports_what_it_saw_and_what_was_rejected(done: Done, partition: str, rejected: str):
    values = done[0].recorded(github.FILES, partition)
    assert (values["seen"], values["kept"], values["dagster/row_count"]) == (5, 5, 5)
    assert values[f"rejected/{rejected}"] == 1
    assert values["computed"] is True
    assert values["megabytes_per_second"] >= 0
    assert values["documents_per_second"] > 0


def test_verdicts_report_what_they_dropped_by_reason_on_each_partition(done: Done):
    first, second = (done[0].recorded(EXACT, name) for name in ("first", "second"))
    assert (first["seen"], first["kept"]) == (4, 4)
    assert (second["seen"], second["kept"], second["dropped/exact_duplicate"]) == (4, 2, 2)
    assert done[0].recorded(RULES, "first")["dropped/binary"] == 1
    assert done[0].recorded(github.FILE_LEVEL, "first")["kept"] == 2
    assert done[0].recorded(github.FILE_LEVEL, "second")["kept"] == 1


def test_every_blocking_check_was_evaluated_and_passed(done: Done):
    evaluated = done[1].get_asset_check_evaluations()
    assert {(each.asset_key.to_user_string(), each.check_name) for each in evaluated} == {
        ("github/files", "files_are_accounted_for"),
        *((f"verdicts/files/{name}", "verdicts_are_conserved") for name in (*github.REQUIRES, "quality_score")),
        ("verdicts/files/repository_duplicates", "dropped_files_are_kept_elsewhere"),
        ("verdicts/files/near_duplicates", "removals_are_verified"),
        *(
            (f"verdicts/repositories/{name}", "verdicts_are_conserved")
            for name in ("exact_duplicates", "near_duplicates", "quality")
        ),
        ("verdicts/repositories/exact_duplicates", "dropped_repositories_equal_a_kept_one"),
        ("verdicts/repositories/near_duplicates", "dropped_repositories_overlap_a_kept_one"),
        ("corpora/file_level", "no_two_documents_share_content"),
        ("corpora/repository_level", "repositories_are_accounted_for"),
        ("corpora/repository_sequences", "sequences_hold"),
    }
    assert all(each.passed for each in evaluated)
    conserved = next(each for each in evaluated if each.asset_key == RULES)
    assert conserved.metadata["expected"].value == conserved.metadata["judged"].value == 10


def test_materializing_again_computes_nothing(done: Done):
    deployment, _ = done
    version = lake_of(settings_of(deployment.root)).open(verdicts("files", "rules"))
    assert deployment.materialize("second", "second", selection=dg.AssetSelection.assets(RULES)).success
    values = deployment.recorded(RULES, "second")
    assert values["computed"] is False
    assert values["dropped/binary"] == 1
    again = lake_of(settings_of(deployment.root)).open(verdicts("files", "rules"))
    assert version is not None
    assert again is not None
    assert version.version() == again.version()


def test_the_funnel_report_has_a_picture_and_its_numbers(done: Done):
    deployment, _ = done
    result = dg.materialize([reports.file_level_funnel], instance=deployment.instance, resources=deployment.resources)
    values = result.asset_materializations_for_node("reports__file_level_funnel")[0].metadata
    assert (values["seen"].value, values["kept"].value, values["outstanding"].value) == (10, 3, 0)
    picture = re.fullmatch(r"!\[funnel\]\(data:image/png;base64,(.+)\)", str(values["funnel"].value))
    assert picture is not None
    assert base64.b64decode(picture[1]).startswith(b"\x89PNG")
    assert "| exact_duplicates | exact_duplicate | 2 |" in str(values["dropped"].value)


def test_a_step_that_fails_raises_a_failure_with_the_one_line_for_the_user(empty: Deployment, tmp_path: Path):
    empty.add(tmp_path, "first")
    message = r"verdicts/files/rules of batch first needs files of batch first, which is outstanding: .*seed run.*"
    with pytest.raises(dg.Failure) as raised:
        empty.materialize("first", "first", selection=dg.AssetSelection.assets(RULES))
    assert re.fullmatch(message, raised.value.description or "")
    assert not raised.value.allow_retries


def _swallow(files: pl.DataFrame, policy: Section, journal: Journal) -> pl.DataFrame:
    return judge.RULES.judge(files, policy, journal).slice(1)


def swallowing_task(task: judge._Task) -> tuple[list[Part], Report]:
    """The task of the rules with a filter that loses a document; runs in a worker process."""
    return judge._judge_task(replace(task, document_filter=replace(judge.RULES, judge=_swallow)))


def test_a_filter_that_loses_a_document_fails_before_anything_is_published(
    empty: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    empty.add(tmp_path, "first")
    honest = judge._judge_task
    monkeypatch.setattr(judge, "_judge_task", swallowing_task)
    result = empty.materialize("first", "first", raise_on_error=False)
    assert [event.step_key for event in result.get_step_failure_events()] == ["verdicts__files__rules"]
    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "filter rules answered for 4 documents of 5; nothing is published"
    assert lake_of(settings_of(empty.root)).open(verdicts("files", "rules")) is None
    monkeypatch.setattr(judge, "_judge_task", honest)
    assert empty.materialize("first", "first", selection=dg.AssetSelection.assets(RULES)).success


def test_a_join_that_loses_a_document_fails_before_anything_is_published(
    empty: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    empty.add(tmp_path, "first")
    losing = exact_duplicates._QUERY.replace("ORDER BY r.ordinal\n", "WHERE r.ordinal <> 0 ORDER BY r.ordinal\n")
    monkeypatch.setattr(exact_duplicates, "_QUERY", losing)
    result = empty.materialize("first", "first", raise_on_error=False)
    failure = result.get_step_failure_events()[0].step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description == "filter exact_duplicates answered for 3 documents of 4; nothing is published"
    assert lake_of(settings_of(empty.root)).open(verdicts("files", "exact_duplicates")) is None


def _tick(deployment: Deployment) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=deployment.instance, resources={"lake": LakeResource(root=deployment.root)}
    )
    answer = batch_arrivals(context)
    assert isinstance(answer, dg.SensorResult | dg.SkipReason)
    return answer


def test_the_sensor_adds_new_batches_in_order_launches_nothing_and_then_skips(empty: Deployment, tmp_path: Path):
    assert isinstance(_tick(empty), dg.SkipReason), "a lake that is not there yet"
    for name in ("zebra", "aardvark"):
        empty.add(tmp_path, name)
        empty.instance.delete_dynamic_partition(repository_batches.name or "", name)
    answer = _tick(empty)
    assert isinstance(answer, dg.SensorResult)
    assert not answer.run_requests
    requests = answer.dynamic_partitions_requests or []
    assert [list(request.partition_keys) for request in requests] == [["zebra", "aardvark"]]
    empty.instance.add_dynamic_partitions(repository_batches.name or "", ["zebra", "aardvark"])
    assert isinstance(_tick(empty), dg.SkipReason)


def test_the_condition_asks_for_a_new_batch_and_only_for_that(empty: Deployment, tmp_path: Path):
    definitions = build_definitions(lake=LakeResource(root=empty.root), engine=EngineResource(workers=1))
    # A look at all assets takes ten seconds.
    files = dg.AssetSelection.assets(github.FILE_LEVEL).upstream()
    empty.add(tmp_path, "first")
    assert empty.materialize("first", "first", selection=files).success
    # The model is one that scores nothing, and the instance is to know that it was made.
    model = [quality.file_quality_model]
    assert dg.materialize(model, instance=empty.instance, resources=empty.resources).success
    assert empty.materialize("first", "first", selection=files).success
    before = dg.evaluate_automation_conditions(definitions, instance=empty.instance, asset_selection=files)
    assert before.total_requested == 0
    empty.add(tmp_path, "second")
    after = dg.evaluate_automation_conditions(
        definitions, instance=empty.instance, asset_selection=files, cursor=before.cursor
    )
    for key in (github.REPOSITORIES, github.FILES, RULES, EXACT, github.FILE_LEVEL):
        assert after.get_requested_partitions(key) == {"second"}, key
