"""Export a corpus as shards that a trainer reads: Parquet or JSON Lines, with a dataset card and a manifest.

The folder loads with `datasets.load_dataset(DEST)` and `polars.scan_parquet(DEST/data/*.parquet)`. It is written under
a temporary name and renamed when it is whole. What belongs here: files for other programs. What does not: choosing
documents (`file_level.py`, `web.py`).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from seed_platform import __version__
from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.corpora.file_level import FILE_LEVEL_CORPUS
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy
from seed_platform.progress import track

FORMATS = ("parquet", "jsonl")
_MANIFEST = "manifest.json"
_SHARD_BYTES = 256 << 20
_NO_GROUP = "unknown"
"""What documents are counted under that no filter put into a group."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the export: `bytes` as stored, `text_bytes` of UTF-8 text."""

    path: str
    documents: int
    bytes: int
    text_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an export holds and what it was made from."""

    corpus: str
    format: str
    documents: int
    text_bytes: int
    shards: list[Shard]
    groups: dict[str, dict[str, int]]
    batches: list[str]
    table_versions: dict[str, int]
    policy: dict[str, Any]
    policy_hash: str
    code_version: str


def export(  # noqa: PLR0913 - each is a choice of the caller's
    lake: Lake,
    batches: Sequence[Batch],
    policy: Policy,
    destination: Path,
    *,
    corpus: Corpus = FILE_LEVEL_CORPUS,
    file_format: str,
    overwrite: bool,
) -> Manifest:
    """Write a corpus to `destination`.

    Raises:
        UsageError: the destination holds something, and it is not an export that may be overwritten.
    """
    destination = destination.resolve()
    _check_destination(destination, overwrite=overwrite)
    staging = destination.with_name(f".{destination.name}.partial")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        manifest = _write(lake, corpus, batches, policy, staging, file_format)
        earlier = destination.with_name(f".{destination.name}.replaced")
        shutil.rmtree(earlier, ignore_errors=True)
        if destination.exists():
            destination.rename(earlier)
        staging.rename(destination)
        shutil.rmtree(earlier, ignore_errors=True)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return manifest


def _write(
    lake: Lake, corpus: Corpus, batches: Sequence[Batch], policy: Policy, folder: Path, file_format: str
) -> Manifest:
    """Write shards, manifest and card to a folder that is not there yet."""
    (folder / "data").mkdir(parents=True)
    shards: list[Shard] = []
    groups: dict[str, int] = {}
    partitions = [{"batch": batch.key} for batch in batches] if "batch" in corpus.chosen.partition_by else [{}]
    total = sum(part.rows for partition in partitions for part in lake.parts(corpus.chosen, **partition))
    if not total:
        raise WorkError("the corpus holds no document: seed funnel says why")
    with track("exporting", total) as progress:
        writer = _ShardWriter(folder, file_format)
        for frame in corpus.documents(lake, batches):
            shards += writer.write(frame)
            for group, number in frame[corpus.grouped_by].fill_null(_NO_GROUP).value_counts().iter_rows():
                groups[group] = groups.get(group, 0) + number
            progress.advance(frame.height)
        shards += writer.close()
    tables = {table.name: table for table in (*corpus.texts, corpus.chosen)}.values()
    versions = {table.name: delta.version() for table in tables if (delta := lake.open(table)) is not None}
    manifest = Manifest(
        corpus=corpus.name,
        format=file_format,
        documents=sum(shard.documents for shard in shards),
        text_bytes=sum(shard.text_bytes for shard in shards),
        shards=shards,
        groups={corpus.grouped_by: dict(sorted(groups.items(), key=lambda item: (-item[1], item[0])))},
        batches=[batch.key for batch in batches],
        table_versions=versions,
        policy=policy.model_dump(mode="json"),
        policy_hash=policy.digest(),
        code_version=__version__,
    )
    (folder / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(_card(corpus, manifest), encoding="utf-8")
    return manifest


def _check_destination(destination: Path, *, overwrite: bool) -> None:
    if not destination.exists() or (destination.is_dir() and not any(destination.iterdir())):
        return
    if not destination.is_dir():
        raise UsageError(f"{destination} is a file; name a folder that does not exist yet")
    if not _is_export(destination):
        raise UsageError(f"{destination} is not empty and not an export; name a folder that does not exist yet")
    if not overwrite:
        raise UsageError(f"{destination} holds an export already; name another folder or pass --overwrite")


def _is_export(folder: Path) -> bool:
    """Whether the folder holds what `export` wrote and nothing else, so that replacing it deletes nobody's work."""
    if {each.name for each in folder.iterdir()} != {_MANIFEST, "README.md", "data"}:
        return False
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        shards = {Path(shard["path"]).name for shard in manifest["shards"]}
    except (ValueError, KeyError, TypeError):
        return False
    return {each.name for each in (folder / "data").iterdir()} == shards


class _ShardWriter:
    """Appends frames to the current shard and starts the next when it is full."""

    def __init__(self, folder: Path, file_format: str) -> None:
        self._folder, self._format = folder, file_format
        self._number = 0
        self._documents = self._text_bytes = 0
        self._path = Path()
        self._parquet: pq.ParquetWriter | None = None
        self._lines: Any = None

    def write(self, frame: pl.DataFrame) -> list[Shard]:
        """Returns the shard that this completed, if it did."""
        if self._documents == 0:
            self._open(frame)
        if self._parquet is not None:
            self._parquet.write_table(frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
        else:
            frame.write_ndjson(self._lines)
        self._documents += frame.height
        self._text_bytes += int(frame["text"].str.len_bytes().sum())
        return self.close() if self._text_bytes >= _SHARD_BYTES else []

    def _open(self, frame: pl.DataFrame) -> None:
        self._path = self._folder / "data" / f"train-{self._number:05d}.{self._format}"
        self._number += 1
        if self._format == "parquet":
            schema = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
            self._parquet = pq.ParquetWriter(self._path, schema, compression="zstd")
        else:
            self._lines = self._path.open("wb")

    def close(self) -> list[Shard]:
        """Finish the current shard, if there is one."""
        if self._documents == 0:
            return []
        handle = self._parquet if self._parquet is not None else self._lines
        handle.close()
        with self._path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = str(self._path.relative_to(self._folder))
        shard = Shard(name, self._documents, self._path.stat().st_size, self._text_bytes, digest)
        self._parquet, self._lines, self._documents, self._text_bytes = None, None, 0, 0
        return [shard]


def _card(corpus: Corpus, manifest: Manifest) -> str:
    """The dataset card: YAML that the Hugging Face Hub and `datasets` read, then prose for people."""
    pattern = f"data/*.{manifest.format}"
    groups = list(manifest.groups[corpus.grouped_by].items())[:30]
    rows = "\n".join(f"| {group} | {number:,} |" for group, number in groups)
    columns = "\n".join(f"| {name} | {meaning} |" for name, meaning in corpus.columns)
    return f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: {pattern}
tags:
- code
---

# {manifest.corpus}

{manifest.documents:,} {corpus.noun}, {manifest.text_bytes / 1e6:,.1f} MB of text, selected by
Seed Platform {manifest.code_version} under the policy `{manifest.policy_hash[:16]}` from the
batches {", ".join(manifest.batches)}. `manifest.json` has the policy, the versions of the
tables and the SHA-256 of every shard.

| column | meaning |
| --- | --- |
{columns}

{corpus.licence}

| {corpus.grouped_by} | documents |
| --- | --- |
{rows}
"""
