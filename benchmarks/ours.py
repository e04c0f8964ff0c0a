"""The platform as the other benchmarks run it: one command for each thing whose cost they want to know.

    python benchmarks/ours.py LAKE add NAME FOLDER...
    python benchmarks/ours.py LAKE run STEP...
    python benchmarks/ours.py LAKE export DESTINATION
    python benchmarks/ours.py LAKE documents DESTINATION --format parquet|jsonl [--judged-by STEP] [--share 0.1]

`run` brings steps up to date batch by batch, a phase for each (`measure.mark`); the phase "start" before them holds the
imports and the start of the fork server. `documents` writes a peer's input: all texts or those that a filter judged, or
a share of them chosen by their ids.
What belongs here: calling the platform. What does not: measuring, or peers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
from measure import mark

from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.corpora.export import export
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES
from seed_platform.policy import load_policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context
from seed_platform.steps.flow import STEPS
from seed_platform.steps.freshness import Flow, bring_up_to_date
from seed_platform.steps.models import model_ids, models
from seed_platform.steps.quality_model import MODEL, train_quality
from seed_platform.steps.read import limits_of

# Small, so that a peer that runs a task for each shard has work for all its processes.
_SHARD_BYTES = 32 << 20


def add(lake: Lake, settings: Settings, name: str, folders: Sequence[str]) -> None:
    """Add one batch of folders; phase "adding"."""
    mark("start")
    add_batch(lake, pin_sources(folders, limits_of(settings), {}), name=name)
    mark("adding", batch=name)


def run(lake: Lake, settings: Settings, names: Sequence[str]) -> None:
    """Bring the named steps up to date, batch by batch in order of arrival; all steps if none is named."""
    unknown = set(names) - {step.name for step in STEPS}
    if unknown:
        raise SystemExit(f"no step is called {', '.join(sorted(unknown))}")
    engine, policy = LocalEngine(settings.workers), load_policy(settings.policy)
    for _ in engine.run(abs, range(settings.workers)):
        pass
    mark("start")
    batches = list_batches(lake)
    context = Context(lake, engine, settings, policy, "benchmark")
    if models(lake).get(MODEL) is None:
        # Scoring is no part of what is measured here: without a scorer every file passes.
        train_quality(context, [], "none", fetch=False)
    flow = Flow(STEPS, batches, policy, settings, models=model_ids(lake))
    for batch in batches:
        for step in STEPS:
            if names and step.name not in names:
                continue
            report = bring_up_to_date(context, flow, step, batch).report
            mark(
                step.name,
                batch=batch.key,
                documents=report.seen.documents,
                bytes=report.seen.bytes,
                kept=report.kept.documents,
                **report.figures,
            )


def documents(lake: Lake, judged_by: str | None, share: float) -> Iterator[pl.DataFrame]:
    """Frames (id, path, text) of the files that have a text, or of those that a filter has a verdict on."""
    table = next((step.tables[0] for step in STEPS if step.name == judged_by), None)
    # Ids are hexadecimal digests.
    chosen = pl.col("doc_id").str.slice(0, 6).str.to_integer(base=16) < share * 16**6
    for batch in list_batches(lake):
        wanted = None if table is None else lake.column(table, ["ordinal"], batch=batch.key)["ordinal"]
        for part in lake.parts(FILES, batch=batch.key):
            for group in lake.read(FILES, part, ["ordinal", "doc_id", "repository", "path", "content"]):
                files = group.filter(pl.col("content").is_not_null() & chosen)
                if wanted is not None:
                    files = files.filter(pl.col("ordinal").is_in(wanted.implode()))
                yield files.select(
                    pl.col("doc_id").alias("id"),
                    pl.concat_str("repository", pl.lit("/"), "path").alias("path"),
                    pl.col("content").alias("text"),
                )


def write_documents(frames: Iterator[pl.DataFrame], destination: Path, file_format: str) -> None:
    """Write documents in shards, in order of arrival; phase "documents"."""
    destination.mkdir(parents=True)
    pending: list[pl.DataFrame] = []
    count = size = shard_size = shards = 0

    def flush() -> None:
        nonlocal shards, shard_size
        if pending:
            frame, path = pl.concat(pending), destination / f"{shards:05d}.{file_format}"
            if file_format == "parquet":
                frame.write_parquet(path, compression="zstd", compression_level=1, row_group_size=2000)
            else:
                frame.write_ndjson(path)
            pending.clear()
            shards, shard_size = shards + 1, 0

    for frame in frames:
        text_bytes = int(frame["text"].str.len_bytes().sum())
        pending.append(frame)
        count, size, shard_size = count + frame.height, size + text_bytes, shard_size + text_bytes
        if shard_size >= _SHARD_BYTES:
            flush()
    flush()
    mark("documents", documents=count, bytes=size)


def main() -> None:
    """Do one of the four."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("lake")
    verbs = options.add_subparsers(dest="verb", required=True)
    adding = verbs.add_parser("add")
    adding.add_argument("name")
    adding.add_argument("folders", nargs="+")
    verbs.add_parser("run").add_argument("steps", nargs="*")
    verbs.add_parser("export").add_argument("destination", type=Path)
    writing = verbs.add_parser("documents")
    writing.add_argument("destination", type=Path)
    writing.add_argument("--format", choices=("parquet", "jsonl"), required=True)
    writing.add_argument("--judged-by")
    writing.add_argument("--share", type=float, default=1.0)
    given = options.parse_args()
    settings = Settings(lake=given.lake)
    lake = Lake(settings.lake, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)
    if given.verb == "add":
        add(lake, settings, given.name, given.folders)
    elif given.verb == "run":
        run(lake, settings, given.steps)
    elif given.verb == "export":
        mark("start")
        manifest = export(
            lake,
            list_batches(lake),
            load_policy(settings.policy),
            given.destination,
            file_format="parquet",
            overwrite=False,
        )
        mark("export", documents=manifest.documents, bytes=manifest.text_bytes)
    else:
        write_documents(documents(lake, given.judged_by, given.share), given.destination, given.format)


if __name__ == "__main__":
    main()
