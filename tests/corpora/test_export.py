"""An exported corpus: readable by other programs, byte for byte what arrived, and whole or not there at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from support import lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.batches import Batch, list_batches
from seed_platform.corpora import export as export_module
from seed_platform.corpora.base import Corpus
from seed_platform.corpora.export import FORMATS, Manifest, export
from seed_platform.corpora.file_level import FILE_LEVEL_CORPUS, documents
from seed_platform.errors import UsageError
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy

_SOURCES = {
    "one": {
        "accents.py": 'name = "é 漢 🙂"\n' + python_source(1, 20),
        "crlf.py": python_source(2, 20).replace("\n", "\r\n"),
        "no_newline_at_the_end.py": python_source(3, 20).rstrip("\n"),
        "escapes.py": 'x = "\\n \\" \\\\ \u2028 \x7f"\n' + python_source(4, 20),
        "dropped.bin": b"\0\1\2",
        "dropped.py": "def (:\n",
    },
    "two": {f"m{number}.py": python_source(10 + number, 30) for number in range(6)},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("export")
    for name, files in _SOURCES.items():
        make_repository(folder / name, files)
        run_flow(str(folder / "lake"), [str(folder / name)])
    return str(folder / "lake")


def _export(root: str, destination: Path, *, file_format: str = "parquet", overwrite: bool = False) -> Manifest:
    lake = lake_of(settings_of(root))
    return export(lake, list_batches(lake), Policy(), destination, file_format=file_format, overwrite=overwrite)


def _read(destination: Path, file_format: str) -> pl.DataFrame:
    pattern = destination / "data" / f"*.{file_format}"
    return pl.read_parquet(pattern) if file_format == "parquet" else pl.scan_ndjson(pattern).collect()


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_text_is_byte_for_byte_what_arrived(root: str, tmp_path: Path, file_format: str):
    _export(root, tmp_path / "out", file_format=file_format)
    found = _read(tmp_path / "out", file_format)
    kept = {(row["repository"], row["path"]): row for row in found.iter_rows(named=True)}
    expected = {
        (repository, path): str(content)
        for repository, files in _SOURCES.items()
        for path, content in files.items()
        if not path.startswith("dropped")
    }
    assert {key: row["text"] for key, row in kept.items()} == expected
    for row in kept.values():
        assert hashlib.sha256(row["text"].encode()).hexdigest() == row["content_sha256"]
        assert len(row["text"].encode()) == row["bytes"]
    provenance = ["doc_id", "batch", "repository", "revision", "path"]
    assert found.columns == ["text", *provenance, "language", "bytes", "content_sha256"]


def test_documents_come_in_order_of_arrival(root: str, tmp_path: Path):
    _export(root, tmp_path / "out")
    found = _read(tmp_path / "out", "parquet")
    batches = [batch.key for batch in list_batches(lake_of(settings_of(root)))]
    paths = [path for files in _SOURCES.values() for path in sorted(files) if not path.startswith("dropped")]
    assert found["path"].to_list() == paths
    assert found["batch"].unique(maintain_order=True).to_list() == batches
    assert [row for frame in documents(lake_of(settings_of(root)), []) for row in frame.rows()] == []


@pytest.mark.parametrize("file_format", FORMATS)
def test_hugging_face_datasets_loads_the_folder(root: str, tmp_path: Path, file_format: str):
    import datasets

    _export(root, tmp_path / "out", file_format=file_format)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    assert loaded["train"]["text"][:] == _read(tmp_path / "out", file_format)["text"].to_list()


@pytest.mark.parametrize("file_format", FORMATS)
def test_the_manifest_says_what_is_there(root: str, tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export_module, "_SHARD_BYTES", 2_000)
    manifest = _export(root, tmp_path / "out", file_format=file_format)
    stored = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert stored["documents"] == manifest.documents == 10
    assert len(stored["shards"]) > 1
    for shard in stored["shards"]:
        file = tmp_path / "out" / shard["path"]
        assert hashlib.sha256(file.read_bytes()).hexdigest() == shard["sha256"]
        assert file.stat().st_size == shard["bytes"]
    assert {shard["path"] for shard in stored["shards"]} == {
        f"data/{file.name}" for file in (tmp_path / "out" / "data").iterdir()
    }
    assert sum(shard["documents"] for shard in stored["shards"]) == 10
    texts = _read(tmp_path / "out", file_format)["text"]
    assert stored["text_bytes"] == sum(shard["text_bytes"] for shard in stored["shards"]) == texts.str.len_bytes().sum()
    assert stored["groups"] == {"language": {"Python": 10}}
    assert stored["policy"] == Policy().model_dump(mode="json")
    assert stored["policy_hash"] == Policy().digest()
    assert set(stored["table_versions"]) == {"files", "corpora/file_level"}
    assert manifest.policy_hash[:16] in (tmp_path / "out" / "README.md").read_text()


def test_an_export_twice_gives_the_same_bytes(root: str, tmp_path: Path):
    one, two = _export(root, tmp_path / "one"), _export(root, tmp_path / "two")
    assert [shard.sha256 for shard in one.shards] == [shard.sha256 for shard in two.shards]


def test_a_folder_of_somebody_elses_is_never_touched(root: str, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("mine", "file"):
        for overwrite in (False, True):
            with pytest.raises(UsageError, match="name a folder that does not exist"):
                _export(root, tmp_path / name, overwrite=overwrite)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine"]


def test_a_folder_with_another_programs_manifest_is_not_taken_for_an_export(root: str, tmp_path: Path):
    folder = tmp_path / "extension"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    (folder / "manifest.json").write_text('{"manifest_version": 3}')
    with pytest.raises(UsageError, match="not an export"):
        _export(root, folder, overwrite=True)
    _export(root, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not an export"):
        _export(root, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "years of work"


def test_an_earlier_export_is_replaced_only_when_asked(root: str, tmp_path: Path):
    _export(root, tmp_path / "out")
    with pytest.raises(UsageError, match="--overwrite"):
        _export(root, tmp_path / "out", file_format="jsonl")
    _export(root, tmp_path / "out", file_format="jsonl", overwrite=True)
    assert [file.suffix for file in (tmp_path / "out" / "data").iterdir()] == [".jsonl"]


@pytest.mark.parametrize("destination", ["empty", ".", "empty/../other", "deep/er/folder"])
def test_any_way_to_name_an_empty_folder_will_do(
    root: str, tmp_path: Path, destination: str, monkeypatch: pytest.MonkeyPatch
):
    work = tmp_path / "work"
    (work / "empty").mkdir(parents=True)
    monkeypatch.chdir(work / "empty" if destination == "." else work)
    _export(root, Path(destination))
    wanted = {".": "empty", "empty/../other": "other"}.get(destination, destination)
    assert (work / wanted / "manifest.json").is_file()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("file_format", FORMATS)
def test_an_interrupted_export_leaves_nothing_behind_and_the_earlier_one_alone(
    root: str, tmp_path: Path, error: type[BaseException], file_format: str, monkeypatch: pytest.MonkeyPatch
):
    _export(root, tmp_path / "earlier")
    before = (tmp_path / "earlier" / "manifest.json").read_bytes()

    def card_that_is_interrupted(corpus: Corpus, manifest: Manifest) -> str:
        raise error

    monkeypatch.setattr(export_module, "_card", card_that_is_interrupted)
    for name in ("earlier", "new"):
        with pytest.raises(error):
            _export(root, tmp_path / name, file_format=file_format, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["earlier"]
    assert (tmp_path / "earlier" / "manifest.json").read_bytes() == before


def test_what_a_killed_export_left_is_not_mixed_into_the_next(root: str, tmp_path: Path):
    (tmp_path / ".out.partial" / "data").mkdir(parents=True)
    (tmp_path / ".out.partial" / "data" / "train-00009.parquet").write_bytes(b"half")
    manifest = _export(root, tmp_path / "out")
    assert len(list((tmp_path / "out" / "data").iterdir())) == len(manifest.shards) == 1
    assert not (tmp_path / ".out.partial").exists()


def test_documents_without_a_group_are_counted_as_unknown(root: str, tmp_path: Path):
    def without_some_groups(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
        for frame in documents(lake, batches):
            crlf = pl.col("path") == "crlf.py"
            yield frame.with_columns(language=pl.when(crlf).then(None).otherwise(pl.col("language")))

    lake = lake_of(settings_of(root))
    corpus = replace(FILE_LEVEL_CORPUS, documents=without_some_groups)
    export(lake, list_batches(lake), Policy(), tmp_path / "out", corpus=corpus, file_format="jsonl", overwrite=False)
    stored = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert list(stored["groups"]["language"].items()) == [("Python", 9), ("unknown", 1)]
    assert "| unknown | 1 |" in (tmp_path / "out" / "README.md").read_text()
