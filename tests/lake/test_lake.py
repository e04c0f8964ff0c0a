"""The lake's tables: what is written comes back, a batch is replaced as a whole, and writers at once lose nothing."""

from __future__ import annotations

import multiprocessing
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from seed_platform.errors import UsageError
from seed_platform.lake.lake import Commit, Lake, Part
from seed_platform.lake.query import scan
from seed_platform.lake.schemas import FILES, MATERIALIZATIONS, REJECTIONS, Table, verdicts

_TABLE = Table(
    "some/table",
    pa.schema(
        [
            pa.field("ordinal", pa.int64(), nullable=False),
            pa.field("text", pa.large_string()),
            pa.field("note", pa.string()),
        ]
    ),
)
_COMMIT = Commit("run-1", "1.2.3", "abc")


def _rows(first: int, number: int, text: str = "x") -> pl.DataFrame:
    ordinals = range(first, first + number)
    return pl.DataFrame({"ordinal": ordinals, "text": [f"{text}{n}" for n in ordinals], "note": [None] * number})


def _write(lake: Lake, batch: str, *frames: pl.DataFrame | pa.Table, table: Table = _TABLE) -> list[Part]:
    with lake.writer(table, batch=batch) as writer:
        for frame in frames:
            writer.write(frame)
    return writer.parts


def _publish(lake: Lake, batch: str, *frames: pl.DataFrame | pa.Table) -> None:
    lake.publish(_TABLE, _write(lake, batch, *frames), _COMMIT, batch=batch)


def _texts(lake: Lake, batch: str) -> list[str]:
    return lake.column(_TABLE, ["text"], batch=batch)["text"].to_list()


@pytest.fixture
def lake(lake_root: str) -> Lake:
    return Lake(lake_root)


def test_rows_come_back_in_order_across_many_row_groups_and_data_files(lake_root: str):
    lake = Lake(lake_root, row_group_bytes=2_000, part_bytes=10_000)
    _publish(lake, "a", *(_rows(first, 37, "é" * 20) for first in range(0, 3_700, 37)))
    parts = lake.parts(_TABLE, batch="a")
    assert len(parts) > 10
    assert sum(part.rows for part in parts) == 3_700
    read = [frame for part in parts for frame in lake.read(_TABLE, part, ["ordinal", "text"])]
    assert len(read) > 2 * len(parts)
    together = pl.concat(read)
    assert together["ordinal"].to_list() == list(range(3_700))
    assert together["text"].to_list() == ["é" * 20 + str(n) for n in range(3_700)]


def test_a_reader_holds_no_more_than_a_row_group(lake_root: str):
    lake = Lake(lake_root, row_group_bytes=50_000, part_bytes=1_000_000)
    frames = [pl.DataFrame({"ordinal": [n], "text": [str(n % 10) * 10_000], "note": [""]}) for n in range(100)]
    _publish(lake, "a", *frames)
    (part,) = lake.parts(_TABLE, batch="a")
    sizes = [frame.estimated_size() for frame in lake.read(_TABLE, part, ["ordinal", "text"])]
    assert len(sizes) == 20
    assert max(sizes) < 70_000


def test_nothing_is_visible_before_it_is_published(lake: Lake):
    parts = _write(lake, "a", _rows(0, 5))
    assert lake.open(_TABLE) is None
    assert lake.parts(_TABLE, batch="a") == []
    assert _texts(lake, "a") == []
    lake.publish(_TABLE, parts, _COMMIT, batch="a")
    _write(lake, "a", _rows(5, 5))
    assert _texts(lake, "a") == ["x0", "x1", "x2", "x3", "x4"]


def test_a_writer_that_fails_publishes_nothing_and_the_next_one_is_not_disturbed(lake: Lake):
    with pytest.raises(KeyError):
        _write(lake, "a", _rows(0, 5), pl.DataFrame({"wrong": [1]}))
    _publish(lake, "a", _rows(0, 1))
    assert _texts(lake, "a") == ["x0"]


def test_publishing_again_replaces_the_batch_and_leaves_others_alone(lake: Lake):
    _publish(lake, "a", _rows(0, 3))
    _publish(lake, "b", _rows(0, 2, "b"))
    _publish(lake, "a", _rows(0, 1, "new"))
    assert _texts(lake, "a") == ["new0"]
    assert _texts(lake, "b") == ["b0", "b1"]
    everything = pl.DataFrame(lake.open(_TABLE).to_pyarrow_table())  # type: ignore[union-attr]
    assert sorted(everything["text"]) == ["b0", "b1", "new0"]


def test_publishing_the_same_parts_twice_is_the_same_as_once(lake: Lake):
    parts = _write(lake, "a", _rows(0, 3))
    for _ in range(2):
        lake.publish(_TABLE, parts, _COMMIT, batch="a")
    assert _texts(lake, "a") == ["x0", "x1", "x2"]


def test_an_earlier_version_still_reads_as_it_was(lake: Lake):
    _publish(lake, "a", _rows(0, 3))
    delta = lake.open(_TABLE)
    assert delta is not None
    before = delta.version()
    _publish(lake, "a", _rows(0, 1, "new"))
    delta.load_as_version(before)
    assert delta.to_pyarrow_table().num_rows == 3


def test_an_empty_batch_is_published_read_and_replaced(lake: Lake):
    _publish(lake, "a")
    assert lake.parts(_TABLE, batch="a") == []
    assert lake.column(_TABLE, ["ordinal", "text"], batch="a").schema == {"ordinal": pl.Int64, "text": pl.String}
    _publish(lake, "a", _rows(0, 2))
    _publish(lake, "b", _rows(0, 1))
    _publish(lake, "a", _rows(0, 0))
    assert (_texts(lake, "a"), _texts(lake, "b")) == ([], ["x0"])


def test_every_commit_says_who_wrote_what_under_which_policy(lake: Lake):
    lake.publish(_TABLE, _write(lake, "a", _rows(0, 1)), Commit("run-7", "0.9", "f00"), batch="a")
    last = lake.open(_TABLE).history(1)[0]  # type: ignore[union-attr]
    wanted = {"run_id": "run-7", "code_version": "0.9", "policy_hash": "f00", "partition_batch": "a"}
    assert wanted.items() <= last.items()


def test_columns_are_matched_by_name_and_cast_to_the_schema(lake: Lake):
    rows = pl.DataFrame(
        {"extra": [1], "note": [None], "text": ["t"], "ordinal": [7]},
        schema_overrides={"ordinal": pl.UInt8, "note": pl.Null, "text": pl.Categorical},
    )
    _publish(lake, "a", rows, pa.table({"ordinal": pa.array([8], pa.int32()), "note": ["n"], "text": ["u"]}))
    found = lake.column(_TABLE, ["ordinal", "text", "note"], batch="a")
    assert found.schema == {"ordinal": pl.Int64, "text": pl.String, "note": pl.String}
    assert found.rows() == [(7, "t", None), (8, "u", "n")]


def test_a_missing_column_or_a_value_that_does_not_fit_is_an_error_and_not_a_null(lake: Lake):
    with pytest.raises(KeyError):
        _write(lake, "a", pl.DataFrame({"ordinal": [1]}))
    with pytest.raises(pa.ArrowInvalid):
        _write(lake, "a", pl.DataFrame({"ordinal": [1.5], "text": ["x"], "note": ["x"]}))
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        _write(lake, "a", pl.DataFrame({"ordinal": [None], "text": ["x"], "note": ["x"]}))


def test_groups_outside_the_ordinals_asked_for_are_not_read(lake_root: str):
    lake = Lake(lake_root, row_group_bytes=1_000, part_bytes=10**6)
    _publish(lake, "a", *(_rows(first, 10, "x" * 100) for first in range(0, 100, 10)))
    (part,) = lake.parts(_TABLE, batch="a")
    assert (part.first, part.last) == (0, 99)
    found = [frame["ordinal"].to_list() for frame in lake.read(_TABLE, part, ["ordinal"], first=39, last=40)]
    assert found == [list(range(30, 40)), list(range(40, 50))]
    assert list(lake.read(_TABLE, part, ["text"], first=100)) == []


def test_parts_are_ordered_by_ordinal_whatever_order_they_were_written_in(lake: Lake):
    later, earlier = _write(lake, "a", _rows(1 << 40, 3)), _write(lake, "a", _rows(0, 3))
    lake.publish(_TABLE, [*later, *earlier], _COMMIT, batch="a")
    assert [part.first for part in lake.parts(_TABLE, batch="a")] == [0, 1 << 40]
    assert lake.parts(_TABLE, batch="a") == [*earlier, *later]


@pytest.mark.parametrize("key", ["a.b_c-1", "00001-x", "a" * 100])
def test_any_batch_key_is_a_partition(lake: Lake, key: str):
    _publish(lake, key, _rows(0, 2))
    assert _texts(lake, key) == ["x0", "x1"]
    assert pl.DataFrame(lake.open(_TABLE).to_pyarrow_table())["batch"].to_list() == [key] * 2  # type: ignore[union-attr]


def test_a_partition_of_two_columns_with_a_slash_in_a_value_is_replaced_on_its_own(lake: Lake):
    def publish(step: str, run: str) -> None:
        when = datetime(2026, 1, 1, tzinfo=UTC)
        row = {"fingerprint": ["f"], "run_id": [run], "finished_at": [when], "report": [""]}
        with lake.writer(MATERIALIZATIONS, batch="a", step=step) as writer:
            writer.write(pl.DataFrame(row))
        lake.publish(MATERIALIZATIONS, writer.parts, _COMMIT, batch="a", step=step)

    for step, run in (("verdicts/files/rules", "1"), ("files", "2"), ("verdicts/files/rules", "3")):
        publish(step, run)
    found = pl.DataFrame(lake.open(MATERIALIZATIONS).to_pyarrow_table())  # type: ignore[union-attr]
    assert sorted(found.select("step", "run_id").rows()) == [("files", "2"), ("verdicts/files/rules", "3")]


def test_a_table_without_ordinals_is_read_whole(lake: Lake):
    assert "ordinal" in REJECTIONS.columns.names
    bare = Table("bare", pa.schema([pa.field("name", pa.string())]))
    lake.publish(bare, _write(lake, "a", pl.DataFrame({"name": ["x", "y"]}), table=bare), _COMMIT, batch="a")
    (part,) = lake.parts(bare, batch="a")
    assert (part.first, part.last, part.rows) == (-1, -1, 2)
    assert lake.column(bare, ["name"], batch="a")["name"].to_list() == ["x", "y"]


def test_a_lake_travels_to_another_process_with_its_limits(lake_root: str):
    lake = Lake(lake_root, row_group_bytes=1_000, part_bytes=2_000)
    again = pickle.loads(pickle.dumps(lake))
    assert (again.root, again.row_group_bytes, again.part_bytes) == (lake.root, 1_000, 2_000)


def test_a_relative_root_means_the_same_after_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    lake = Lake("some-lake")
    monkeypatch.chdir("/")
    assert lake.root == str(tmp_path / "some-lake")


def test_a_root_that_is_neither_a_folder_nor_s3_is_a_wrong_call():
    with pytest.raises(UsageError, match="local folder or s3://"):
        Lake("gs://bucket/lake")


def test_comments_of_the_columns_are_kept_in_the_table(lake: Lake):
    table = verdicts("files", "rules")
    delta = lake.open(table, create=True)
    assert delta is not None
    fields = {field.name: field for field in delta.schema().fields}
    assert list(fields) == ["batch", *table.columns.names]
    assert fields["keep"].metadata["comment"] == "whether the filter keeps it"


def _publish_often(root: str, batch: str, barrier: Any, table: Table) -> None:  # noqa: ANN401 - a proxy
    lake = Lake(root)
    barrier.wait()
    for turn in range(10):
        lake.publish(table, _write(lake, batch, _rows(0, turn + 1, batch), table=table), _COMMIT, batch=batch)


def _create_often(root: str, batch: str, barrier: Any, number: int) -> None:  # noqa: ANN401 - a proxy
    lake = Lake(root)
    for turn in range(number):
        barrier.wait()
        table = Table(f"table-{turn}", _TABLE.columns)
        lake.publish(table, _write(lake, batch, _rows(0, 1, batch), table=table), _COMMIT, batch=batch)


def _at_once(target: Any, lake_root: str, processes: int, *arguments: object) -> None:  # noqa: ANN401 - a function
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(processes)
        running = [
            context.Process(target=target, args=(lake_root, f"batch-{number}", barrier, *arguments))
            for number in range(processes)
        ]
        for process in running:
            process.start()
        for process in running:
            process.join()
    assert [process.exitcode for process in running] == [0] * processes


def test_processes_that_publish_batches_of_one_table_at_once_lose_nothing(lake_root: str):
    _at_once(_publish_often, lake_root, 4, _TABLE)
    lake = Lake(lake_root)
    for number in range(4):
        assert _texts(lake, f"batch-{number}") == [f"batch-{number}{row}" for row in range(10)]
    delta = lake.open(_TABLE)
    assert delta is not None
    writers = [entry["partition_batch"] for entry in delta.history() if "partition_batch" in entry]
    assert sorted(writers) == sorted(f"batch-{number}" for number in range(4) for _ in range(10))


def _publish_the_same_batch(root: str, own: str, barrier: Any, number: int) -> None:  # noqa: ANN401 - a proxy
    lake = Lake(root)
    for turn in range(number):
        parts = _write(lake, f"turn-{turn}", _rows(0, 3, own))
        barrier.wait()
        lake.publish(_TABLE, parts, _COMMIT, batch=f"turn-{turn}")


def test_processes_that_publish_the_same_batch_at_once_leave_one_of_them_whole(lake_root: str):
    _at_once(_publish_the_same_batch, lake_root, 3, 12)
    for turn in range(12):
        found = _texts(Lake(lake_root), f"turn-{turn}")
        assert found in [[f"batch-{number}{row}" for row in range(3)] for number in range(3)]


def test_processes_that_create_a_table_at_once_all_get_it(lake_root: str):
    _at_once(_create_often, lake_root, 3, 6)
    lake = Lake(lake_root)
    for turn in range(6):
        table = Table(f"table-{turn}", _TABLE.columns)
        assert [len(lake.parts(table, batch=f"batch-{number}")) for number in range(3)] == [1, 1, 1]


def test_every_table_of_the_lake_can_be_created_and_is_empty(lake: Lake):
    delta = lake.open(FILES, create=True)
    assert delta is not None
    assert delta.to_pyarrow_table().num_rows == 0
    assert lake.parts(FILES, batch="a") == []


def test_a_table_of_an_older_version_takes_new_columns_in_which_its_rows_are_null(lake: Lake):
    _publish(lake, "a", _rows(0, 2))
    newer = Table(_TABLE.name, _TABLE.columns.append(pa.field("commits", pa.int64())))
    parts = _write(lake, "b", _rows(0, 1).with_columns(commits=pl.lit(7)), table=newer)
    lake.publish(newer, parts, _COMMIT, batch="b")
    delta = lake.open(newer)
    assert delta is not None
    assert pl.DataFrame(delta.to_pyarrow_table()).sort("batch", "ordinal")["commits"].to_list() == [None, None, 7]
    found = pl.DataFrame(scan(lake, newer).to_table()).sort("batch", "ordinal")
    assert found["commits"].to_list() == [None, None, 7]
    _publish(lake, "a", _rows(0, 3))
    assert lake.column(_TABLE, ["ordinal"], batch="a").height == 3
