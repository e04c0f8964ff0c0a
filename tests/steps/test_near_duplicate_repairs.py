"""Index files named by what they hold: used again where that is the same, and made again however it came about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from flow_tables import contents_of, work_on
from support import edited, make_repository, python_source, run_flow

from seed_platform.batches import REFERENCES, Batch, add_batch, list_batches, pin_sources
from seed_platform.errors import WorkError
from seed_platform.indexes.arrays import write_arrays
from seed_platform.indexes.near_duplicates import folder_of, load
from seed_platform.lake.schemas import NEAR_DUPLICATE_INDEX
from seed_platform.lake.storage import Storage
from seed_platform.policy import Policy, RulesPolicy
from seed_platform.steps.base import Context
from seed_platform.steps.flow import RULES, STEPS
from seed_platform.steps.freshness import Flow, bring_up_to_date
from seed_platform.steps.read import limits_of
from seed_platform.steps.remove import remove_batch

_FOLDER = folder_of(NEAR_DUPLICATE_INDEX)


def _batches(tmp_path: Path, number: int) -> str:
    """A lake of batches, each with a near copy of one file and a file of its own."""
    root = str(tmp_path / "lake")
    for batch in range(number):
        folder = tmp_path / f"p{batch}"
        make_repository(folder, {"a.py": edited(python_source(1, 60), [batch]), "b.py": python_source(10 + batch, 50)})
        run_flow(root, [str(folder)], name=f"b{batch}", workers=1)
    return root


def _segments(root: str) -> dict[str, list[str]]:
    context, _, batches = work_on(root)
    return {index.batch: [segment.path for segment in index.segments] for index in load(context.lake, batches)}


def test_verdicts_written_anew_that_say_the_same_leave_the_index_as_it_is_and_repairable(tmp_path: Path):
    root = _batches(tmp_path, 2)
    before = contents_of(root)
    stricter = Policy(rules=RulesPolicy(max_line_length=99_999))
    context, flow, batches = work_on(root, stricter)
    bring_up_to_date(context, flow, RULES, batches[0])  # and then the run is killed, and the policy is taken back
    run_flow(root, [], workers=1)
    for path in _segments(root)["b0"]:
        (Path(root) / path).unlink()
    folder = tmp_path / "late"
    make_repository(folder, {"a.py": edited(python_source(1, 60), [50])})
    run_flow(root, [str(folder)], name="late", workers=1)
    after = contents_of(root)
    table = "verdicts/files/near_duplicates"
    assert [(row["doc_id"], row["keep"]) for row in after[table]][: len(before[table])] == [
        (row["doc_id"], row["keep"]) for row in before[table]
    ]
    assert [row["reason"] for row in after[table] if row["batch"] == "late"] == ["near_duplicate"]


def test_what_a_removed_batch_has_no_part_in_is_not_signed_again(tmp_path: Path):
    root = _batches(tmp_path, 2)
    before = _segments(root)["b1"]
    context, _, batches = work_on(root)
    remove_batch(context, STEPS, batches[0])
    run_flow(root, [], workers=1)
    assert _segments(root) == {"b1": before}


def test_every_index_file_of_many_batches_may_be_lost_at_once(tmp_path: Path):
    root = _batches(tmp_path, 4)
    for path in [path for path in (Path(root) / _FOLDER).rglob("*") if path.is_file()]:
        path.unlink()
    folder = tmp_path / "late"
    make_repository(folder, {"a.py": edited(python_source(1, 60), [50])})
    run_flow(root, [str(folder)], name="late", workers=1)
    last = [row for row in contents_of(root)["verdicts/files/near_duplicates"] if row["batch"] == "late"]
    assert [row["reason"] for row in last] == ["near_duplicate"]


def test_a_file_that_is_damaged_again_whenever_it_is_made_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    root = _batches(tmp_path, 1)
    (lost,) = _segments(root)["b0"]
    (Path(root) / lost).unlink()

    def failing(storage: Storage, path: str, arrays: dict[str, np.ndarray]) -> int:
        size = write_arrays(storage, path, arrays)
        if path == lost:
            (Path(root) / lost).write_bytes(b"not an index")
        return size

    monkeypatch.setattr("seed_platform.steps.near_duplicates.index.write_arrays", failing)
    monkeypatch.setattr("flow_tables.LocalEngine", _Inline)
    folder = tmp_path / "late"
    make_repository(folder, {"a.py": edited(python_source(1, 60), [50])})
    context, flow, _ = work_on(root)
    added = add_batch(context.lake, pin_sources([str(folder)], limits_of(context.settings), {}), name="late").batch
    context, flow, batches = work_on(root)
    assert batches[-1] == added
    with pytest.raises(WorkError, match=f"{lost}.*check the disk"):
        _compute(context, flow, added)


def test_a_result_that_an_attempt_left_damaged_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    root = _batches(tmp_path, 1)
    damaged: list[str] = []

    def once(storage: Storage, path: str, arrays: dict[str, np.ndarray]) -> int:
        size = write_arrays(storage, path, arrays)
        if not damaged:
            damaged.append(path)
            place = Path(storage.uri(path))
            place.write_bytes(place.read_bytes()[:-8] + b"\1" * 8)
        return size

    monkeypatch.setattr("seed_platform.steps.near_duplicates.candidates.write_arrays", once)
    monkeypatch.setattr("flow_tables.LocalEngine", _Inline)
    folder = tmp_path / "late"
    make_repository(folder, {"a.py": edited(python_source(1, 60), [50])})
    context, flow, _ = work_on(root)
    added = add_batch(context.lake, pin_sources([str(folder)], limits_of(context.settings), {}), name="late").batch
    context, flow, _ = work_on(root)
    _compute(context, flow, added)
    assert damaged
    last = [row for row in contents_of(root)["verdicts/files/near_duplicates"] if row["batch"] == "late"]
    assert [row["reason"] for row in last] == ["near_duplicate"]


def test_the_texts_of_a_reference_set_are_signed_once_and_not_for_each_batch(tmp_path: Path):
    root = _batches(tmp_path, 1)
    folder = tmp_path / "held-out"
    make_repository(folder, {"a.py": python_source(77, 60)})
    context, _, _ = work_on(root)
    sources = pin_sources([str(folder)], limits_of(context.settings), {}, kind=REFERENCES)
    added = add_batch(context.lake, sources, name="held-out", kind=REFERENCES).batch
    run_flow(root, [], workers=1)
    (index,) = load(context.lake, [batch for batch in list_batches(context.lake, kind=None) if batch.key == added.key])
    segment = Path(root) / index.segments[0].path
    # Nobody looks into a document that shares no band: with its bytes altered, a later batch does not notice.
    segment.write_bytes(segment.read_bytes()[:-1] + b"\1")
    altered = segment.read_bytes()
    other = tmp_path / "other"
    make_repository(other, {"a.py": python_source(78, 60)})
    run_flow(root, [str(other)], name="other", workers=1)
    assert segment.read_bytes() == altered


def _compute(context: Context, flow: Flow, batch: Batch) -> None:
    for step in STEPS:
        bring_up_to_date(context, flow, step, batch)


class _Inline:
    """Tasks in the calling process, where the tests can reach in."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def run(self, function, tasks, *, on_death=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ARG002
        for task in tasks:
            yield task, function(task)
