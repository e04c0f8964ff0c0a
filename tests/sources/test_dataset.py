"""Data sets as sources: what becomes of each row, in each format, and of those that are not as they should be."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.settings import Settings
from seed_platform.sources.base import MAX_READ_BYTES, Rejection, SourceError, SourceFile
from seed_platform.sources.dataset import DatasetSource
from seed_platform.sources.kinds import kind_of
from seed_platform.steps.read import limits_of

_LIMITS = limits_of(Settings())


def _read(spec: str | Path, **limits: Any) -> list[SourceFile | Rejection]:  # noqa: ANN401 - settings of any type
    limited = limits_of(Settings(**limits))
    source = DatasetSource()
    return list(source.read(source.pin(str(spec), limited), limited, ""))


def _texts(spec: str | Path) -> dict[str, str]:
    found = _read(spec)
    return {each.path.decode(): (each.content or b"").decode() for each in found if isinstance(each, SourceFile)}


def _rejections(spec: str | Path) -> dict[str, str]:
    return {each.path: each.reason for each in _read(spec) if isinstance(each, Rejection)}


def _lines(path: Path, *rows: object) -> Path:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


_ROWS = [{"id": 1, "text": "é 漢\n🙂"}, {"id": 2, "text": ""}, {"id": 3, "text": "last"}]


@pytest.mark.parametrize("name", ["set.jsonl", "Set.JSONL.gz", "set.parquet"])
def test_a_row_is_a_file_named_by_its_place(tmp_path: Path, name: str):
    if name.endswith(".parquet"):
        pl.DataFrame(_ROWS).write_parquet(tmp_path / name, row_group_size=2)
    else:
        _lines(tmp_path / name, *_ROWS)
    assert _texts(tmp_path / name) == {f"{name}/{n:06d}": row["text"] for n, row in enumerate(_ROWS)}


def test_the_text_is_the_column_of_that_name_and_else_the_content(tmp_path: Path):
    path = _lines(tmp_path / "set.jsonl", {"text": "a", "content": "b"}, {"text": None, "content": "c"})
    assert list(_texts(path).values()) == ["a", "c"]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_named_columns_are_joined_in_the_order_given(tmp_path: Path, suffix: str):
    rows = [{"prompt": "def f():", "text": "no", "solution": "    pass"}, {"prompt": "x", "text": "", "solution": None}]
    path = tmp_path / f"set.{suffix}"
    if suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        _lines(path, *rows)
    spec = f"{path}#prompt+solution"
    assert _texts(spec) == {f"{path.name}/000000": "def f():\n    pass"}
    assert _rejections(spec) == {f"{path.name}/000001": "no_text"}
    assert DatasetSource().pin(spec, _LIMITS).doc_id != DatasetSource().pin(f"{path}#solution", _LIMITS).doc_id


def test_a_path_with_a_number_sign_names_no_column(tmp_path: Path):
    path = _lines(tmp_path / "a#b.jsonl", {"text": "x"})
    assert list(_texts(path).values()) == ["x"]
    assert list(_texts(f"{path}#text").values()) == ["x"]


@pytest.mark.parametrize(
    "spec", ["set.jsonl", "set.jsonl#text", "set.jsonl#prompt+nope", "set.parquet", "set.parquet#n"]
)
def test_a_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, spec: str):
    _lines(tmp_path / "set.jsonl", {"prompt": "x", "n": 1})
    pl.DataFrame([{"prompt": "x", "n": 1}]).write_parquet(tmp_path / "set.parquet")
    with pytest.raises(SourceError, match=r"no column of text called .*\(there are: prompt\)") as caught:
        DatasetSource().pin(str(tmp_path / spec), _LIMITS)
    assert caught.value.reason == "no_text_column"


def test_a_row_that_is_none_is_a_named_rejection_and_the_rest_is_read(tmp_path: Path):
    rows: list[object] = [
        {"text": "good"},
        '{"text": "cut',
        "[1]",
        '{"text": 7}',
        '{"other": "x"}',
        "[" * 100_000,
        '{"text": ' + "9" * 5000 + "}",
        "",
        "  \t",
        {"text": "last"},
    ]
    path = _lines(tmp_path / "set.jsonl", *rows)
    with path.open("ab") as file:
        file.write(b'\xff\xfe\n{"text": "no newline at the end"}')
    assert list(_texts(path)) == ["set.jsonl/000000", "set.jsonl/000007", "set.jsonl/000009"]
    reasons = ["not_json", "not_json", "no_text", "no_text", "not_json", "not_json", "not_json"]
    assert list(_rejections(path).values()) == reasons


def test_what_json_may_hold_and_text_may_not_is_no_text_of_a_file(tmp_path: Path):
    path = _lines(tmp_path / "set.jsonl", '{"text": "a\\ud800b"}', '{"text": "a\\u0000b"}')
    found = [each.content for each in _read(path) if isinstance(each, SourceFile)]
    assert found == [b"a\xed\xa0\x80b", b"a\0b"]


def test_a_line_that_never_ends_is_passed_over(tmp_path: Path):
    path = tmp_path / "set.jsonl"
    with path.open("wb") as file:
        file.write(b'{"text": "first"}\n{"text": "' + b"x" * MAX_READ_BYTES + b'"}\n{"text": "last"}\n')
    assert list(_texts(path).values()) == ["first", "last"]
    assert _rejections(path) == {"set.jsonl/000001": "too_large_to_read"}


def test_a_text_beyond_the_limit_is_a_file_without_it(tmp_path: Path):
    [found] = _read(_lines(tmp_path / "set.jsonl", {"text": "x" * 11}), max_content_bytes=10)
    assert isinstance(found, SourceFile)
    assert (found.size, found.content) == (11, None)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("set.jsonl.gz", gzip.compress(b'{"text": "x"}\n' * 9000)[:-20], "corrupt_dataset"),
        ("set.jsonl.gz", b"no gzip", "corrupt_dataset"),
        ("set.parquet", b"PAR1 and no more", "corrupt_dataset"),
        ("set.parquet", b"", "corrupt_dataset"),
        ("set.jsonl", b"", "no_text_column"),
        ("set.jsonl.gz", gzip.compress(b'{"text": "x"}\n' + b" " * (16 << 20)), "archive_bomb"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_rejected_whole(
    tmp_path: Path, name: str, content: bytes, reason: str
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError) as caught:
        _read(tmp_path / name)
    assert caught.value.reason == reason


def test_a_data_set_that_changed_since_is_not_read(tmp_path: Path):
    path = _lines(tmp_path / "set.jsonl", {"text": "x"})
    pinned = DatasetSource().pin(str(path), _LIMITS)
    _lines(path, {"text": "y"})
    with pytest.raises(SourceError) as caught:
        list(DatasetSource().read(pinned, _LIMITS, ""))
    assert caught.value.reason == "changed_since_added"


def _export(folder: Path, *shards: str) -> Path:
    (folder / "data").mkdir(parents=True)
    manifest = {"corpus": "file_level", "shards": [{"path": shard} for shard in shards]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_an_export_is_read_shard_by_shard(tmp_path: Path):
    folder = _export(tmp_path / "corpus", "data/train-00001.jsonl", "data/train-00000.jsonl")
    for number in range(2):
        _lines(folder / "data" / f"train-0000{number}.jsonl", {"text": f"text {number}"})
    (folder / "data" / "other.jsonl").write_text("not of the export")
    assert kind_of(str(folder), datasets=True) == "dataset"
    assert _texts(folder) == {f"data/train-0000{n}.jsonl/000000": f"text {n}" for n in range(2)}
    (folder / "data" / "train-00001.jsonl").unlink()
    with pytest.raises(SourceError) as caught:
        _read(folder)
    assert caught.value.reason == "missing_path"


@pytest.mark.parametrize(
    "shard", ["../outside.jsonl", "data/../../outside.jsonl", "/outside.jsonl", "data/sub/x.jsonl"]
)
def test_a_manifest_that_points_elsewhere_makes_no_data_set(tmp_path: Path, shard: str):
    folder = _export(tmp_path / "corpus", shard)
    assert kind_of(str(folder), datasets=True) == "folder"


def test_a_folder_with_a_manifest_of_another_kind_is_a_folder(tmp_path: Path):
    for text in ("{", "[]", '{"shards": 7}', '{"shards": []}', '{"name": "an extension"}'):
        (tmp_path / "data").mkdir(exist_ok=True)
        (tmp_path / "manifest.json").write_text(text)
        assert kind_of(str(tmp_path), datasets=True) == "folder"


def test_data_sets_are_sources_only_where_they_are_asked_for(tmp_path: Path):
    path = _lines(tmp_path / "set.jsonl", {"text": "x"})
    assert kind_of(str(path), datasets=True) == kind_of(f"{path}#text", datasets=True) == "dataset"
    with pytest.raises(SourceError, match="neither a folder"):
        kind_of(str(path))
    assert kind_of(str(_export(tmp_path / "corpus", "data/a.jsonl"))) == "folder"


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=20))
def test_every_text_comes_out_as_it_went_in(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    folder = tmp_path_factory.mktemp("texts")
    _lines(folder / "set.jsonl", *({"text": text} for text in texts))
    pl.DataFrame({"text": texts * 3}).write_parquet(folder / "set.parquet", row_group_size=7)
    assert list(_texts(folder / "set.jsonl").values()) == texts
    assert list(_texts(folder / "set.parquet").values()) == texts * 3
