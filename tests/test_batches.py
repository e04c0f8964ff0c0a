"""The register of batches: what counts as new, who gets which number, and what is recorded of what failed."""

from __future__ import annotations

import multiprocessing
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support import lake_of, make_repository, settings_of

from seed_platform.batches import Added, add_batch, find_batch, list_batches, parse_moment, pin_sources, read_metadata
from seed_platform.errors import UsageError
from seed_platform.lake.lake import Lake
from seed_platform.steps.read import limits_of


def _add(lake_root: str, *specs: str | Path, name: str | None = None, metadata: dict[str, Any] | None = None) -> Added:
    settings = settings_of(lake_root)
    sources = pin_sources([str(spec) for spec in specs], limits_of(settings), metadata or {})
    return add_batch(lake_of(settings), sources, name=name)


def _rejections(added: Added) -> dict[str, str]:
    return {source.pinned.spec: source.rejected[0] for source in added.batch.sources if source.rejected}


@pytest.fixture
def one(tmp_path: Path) -> Path:
    make_repository(tmp_path / "one", {"a.py": "x = 1\n"})
    return tmp_path / "one"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    make_repository(tmp_path / "two", {"b.py": "y = 2\n"})
    return tmp_path / "two"


def test_the_same_sources_again_change_nothing(lake_root: str, one: Path, two: Path):
    first = _add(lake_root, one, two)
    again = _add(lake_root, two, one, one, name="another-name")
    assert (first.new, again.new) == (True, False)
    assert again.batch == first.batch
    assert list_batches(Lake(lake_root)) == [first.batch]


def test_a_source_given_twice_counts_once(lake_root: str, one: Path):
    assert len(_add(lake_root, one, one).batch.sources) == 1


def test_a_new_commit_is_a_new_batch(lake_root: str, one: Path):
    _add(lake_root, one)
    make_repository(one, {"a.py": "x = 3\n"})
    second = _add(lake_root, one)
    assert second.new
    assert (second.batch.arrival, _rejections(second)) == (2, {})


def test_a_revision_that_arrived_before_is_recorded_and_not_read_again(lake_root: str, one: Path, two: Path):
    first = _add(lake_root, one, name="first")
    second = _add(lake_root, one, two, name="second")
    assert _rejections(second) == {str(one): "already_arrived"}
    assert first.batch.key in next(s.rejected for s in second.batch.sources if s.rejected)[1]
    assert not _add(lake_root, two, one).new  # the same sources as the second, though one of them is marked


def test_nothing_but_what_arrived_before_is_a_wrong_call(lake_root: str, one: Path, two: Path):
    _add(lake_root, one, two, name="both")
    with pytest.raises(UsageError, match=r"nothing new: .* in batch both"):
        _add(lake_root, one)


def test_a_name_is_taken_once(lake_root: str, one: Path, two: Path):
    _add(lake_root, one, name="mine")
    with pytest.raises(UsageError, match="'mine' already; choose another name"):
        _add(lake_root, two, name="mine")
    assert [batch.key for batch in list_batches(Lake(lake_root))] == ["mine"]


@pytest.mark.parametrize("name", ["", "Upper", "a b", "-a", ".a", "a/b", "a\n", "ü", "a" * 101, "a,b", "*", "a[0]"])
def test_a_malformed_name_is_a_wrong_call(lake_root: str, one: Path, name: str):
    with pytest.raises(UsageError, match="batch name"):
        _add(lake_root, one, name=name)
    assert list_batches(Lake(lake_root)) == []


@pytest.mark.parametrize("folder", ["Ünïcode Project", "__", "UPPER.Case_x", "-dash", "a" * 200, "[x]*?"])
def test_a_name_made_from_a_repository_is_a_name(lake_root: str, tmp_path: Path, folder: str):
    make_repository(tmp_path / folder, {"a.py": "x = 1\n"})
    key = _add(lake_root, tmp_path / folder).batch.key
    assert re.fullmatch(r"00001-[a-z0-9_.][a-z0-9_.-]{0,90}", key)


def test_a_missing_path_among_good_ones_is_a_recorded_rejection(lake_root: str, one: Path, tmp_path: Path):
    missing = tmp_path / "none"
    added = _add(lake_root, missing, one)
    assert _rejections(added) == {str(missing): "missing_path"}
    assert find_batch(list_batches(Lake(lake_root)), added.batch.key).sources == added.batch.sources


def test_sources_that_are_all_missing_are_a_wrong_call(lake_root: str, tmp_path: Path):
    with pytest.raises(UsageError, match=r"none of the sources can be read: .*none-1.*none-2"):
        _add(lake_root, tmp_path / "none-1", tmp_path / "none-2")
    assert not Path(lake_root).exists()


def test_a_name_that_is_not_text_is_recorded_as_text(lake_root: str, one: Path):
    added = _add(lake_root, one, "./caf\udce9")
    assert _rejections(added) == {"./caf\\xe9": "missing_path"}
    added.batch.sources[1].pinned.spec.encode()


@pytest.mark.parametrize(
    "spec",
    [
        "http://user:s3cret@127.0.0.1:9/p.git",
        "http://s3cret@127.0.0.1:9/p.git#v1",
        "ftp://user:s3cret@127.0.0.1/p",
        "ssh://git:s3cret@127.0.0.1:9/p.git",
    ],
)
def test_credentials_are_never_stored_or_shown(lake_root: str, one: Path, spec: str):
    assert len(_rejections(_add(lake_root, one, spec))) == 1
    stored = [path for path in Path(lake_root).rglob("*") if path.is_file()]
    assert not [path for path in stored if b"s3cret" in path.read_bytes()]
    assert "s3cret" not in repr(list_batches(Lake(lake_root)))
    with pytest.raises(UsageError) as caught:
        _add(lake_root, spec)
    assert "s3cret" not in str(caught.value)


def _add_some(root: str, specs: list[str], barrier: Any, names: Any) -> None:  # noqa: ANN401 - proxies
    settings = settings_of(root)
    pinned = [pin_sources([spec], limits_of(settings), {}) for spec in specs]
    barrier.wait()
    for sources in pinned:
        names.append(add_batch(Lake(root), sources).batch.key)


def test_processes_that_add_at_once_get_numbers_without_gaps_or_repeats(lake_root: str, tmp_path: Path):
    folders = [tmp_path / f"folder-{number}" for number in range(12)]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "a.py").write_text(f"x = {number}\n")
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier, names = manager.Barrier(4), manager.list()
        workers = [
            context.Process(target=_add_some, args=(lake_root, [str(f) for f in folders[part::4]], barrier, names))
            for part in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * 4
        added = sorted(names)
    batches = list_batches(Lake(lake_root))
    assert [batch.arrival for batch in batches] == list(range(1, 13))
    assert sorted(batch.key for batch in batches) == added
    assert len({batch.fingerprint for batch in batches}) == 12


def test_metadata_is_found_by_name_origin_or_spec(lake_root: str, one: Path, two: Path):
    facts = {"one": {"stars": 5}, str(two): {"forks": 2, "topic": "x"}}
    added = _add(lake_root, one, two, metadata=facts)
    assert [source.metadata for source in added.batch.sources] == [{"stars": 5}, {"forks": 2, "topic": "x"}]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"repository": "a"}\n{"repository": \n', 2),
        ('\n\n{"stars": 1}\n', 3),
        ('{"repository": 7}\n', 1),
        ('["repository"]\n', 1),
        ('{"repository": "a", "stars": "many"}\n', 1),
        ('{"repository": "a", "stars": true}\n', 1),
        ('{"repository": "a", "forks": -1}\n', 1),
        ('{"repository": "a", "forks": 9223372036854775808}\n', 1),
        ('{"repository": "a", "stars": 1.5}\n', 1),
        ('{"repository": "a", "commits": "9"}\n', 1),
        ('{"repository": "a", "pushed_at": 1714564800}\n', 1),
        ('{"repository": "a", "committed_at": "yesterday"}\n', 1),
    ],
)
def test_a_wrong_line_of_metadata_is_named(tmp_path: Path, text: str, line: int):
    path = tmp_path / "repos.jsonl"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"repos\.jsonl: line {line}: "):
        read_metadata(path)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01T12:00:00Z", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        ("2024-05-01T12:00:00+02:00", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-05-01", datetime(2024, 5, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_is_read_in_utc_if_it_names_no_zone(text: object, moment: datetime | None):
    assert parse_moment(text) == moment


def test_metadata_may_hold_any_character_that_json_may(tmp_path: Path):
    path = tmp_path / "repos.jsonl"
    path.write_bytes('{"repository": "a", "about": "one\u2028two\x85three"}\r\n\r\n{"repository": "b"}'.encode())
    assert read_metadata(path) == {"a": {"about": "one\u2028two\x85three"}, "b": {}}


def test_metadata_that_is_not_text_or_not_there_is_a_wrong_call(tmp_path: Path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("binary", "none"):
        with pytest.raises(UsageError, match="cannot read the metadata"):
            read_metadata(tmp_path / name)
