"""datatrove doing what it can of the same work; runs in the peers' environment.

    python benchmarks/peer_datatrove.py exact JSONL WORK EXTENSIONS --workers 2
    python benchmarks/peer_datatrove.py near JSONL WORK --workers 2

`exact`: read JSON Lines, keep by extension, its exact deduplication on the text (three stages, of which the last reads
everything again and writes what is kept). `near`: its MinHash deduplication, stages 1 to 4, with its defaults (English
spaCy words, 5-word shingles, 14 bands of 8 rows, 64-bit hashes) and uncompressed output. What belongs here: datatrove.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import (
    ExactDedupFilter,
    ExactDedupSignature,
    ExactFindDedups,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.exact_dedup import ExactDedupConfig
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import LambdaFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from measure import mark


def text_of(document: Document) -> str:
    """What exact duplicates share."""
    return str(document.text)


def has_extension(extensions: frozenset[str], document: Document) -> bool:
    """Whether the document's path ends in one of the extensions."""
    name = str(document.metadata["path"]).rpartition("/")[2]
    return name.rpartition(".")[2].lower() in extensions


def execute(work: Path, name: str, steps: list[PipelineStep], tasks: int, workers: int) -> None:
    """Run one stage; a phase of that name."""
    LocalPipelineExecutor(steps, tasks=tasks, workers=min(tasks, workers), logging_dir=str(work / "logs" / name)).run()
    mark(name)


def kept(folder: Path) -> int:
    """Documents written."""
    return sum(path.read_bytes().count(b"\n") for path in folder.glob("*.jsonl"))


def exact(given: argparse.Namespace, tasks: int) -> None:
    """Language by extension and exact duplicates."""
    extensions = frozenset(json.loads(given.extensions.read_text()))
    config = ExactDedupConfig(content_getter=text_of)
    signatures, duplicates, output = (str(given.work / name) for name in ("signatures", "duplicates", "output"))

    def source() -> list[PipelineStep]:
        return [JsonlReader(str(given.documents)), LambdaFilter(partial(has_extension, extensions))]

    execute(given.work, "signatures", [*source(), ExactDedupSignature(signatures, config=config)], tasks, given.workers)
    execute(given.work, "find", [ExactFindDedups(signatures, duplicates, config=config)], 1, given.workers)
    last = [ExactDedupFilter(duplicates, config=config), JsonlWriter(output, compression=None)]
    execute(given.work, "filter", [*source(), *last], tasks, given.workers)


def near(given: argparse.Namespace, tasks: int) -> None:
    """MinHash with its defaults."""
    config = MinhashConfig()
    signatures, buckets, remove, output = (
        str(given.work / name) for name in ("signatures", "buckets", "remove", "output")
    )
    execute(
        given.work,
        "signatures",
        [JsonlReader(str(given.documents)), MinhashDedupSignature(signatures, config=config)],
        tasks,
        given.workers,
    )
    finding: list[PipelineStep] = [MinhashDedupBuckets(signatures, buckets, config=config)]
    execute(given.work, "buckets", finding, config.num_buckets, given.workers)
    execute(given.work, "cluster", [MinhashDedupCluster(buckets, remove, config=config)], 1, given.workers)
    last = [JsonlReader(str(given.documents)), MinhashDedupFilter(remove), JsonlWriter(output, compression=None)]
    execute(given.work, "filter", last, tasks, given.workers)


def main() -> None:
    """Do one of the two."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", choices=("exact", "near"))
    options.add_argument("documents", type=Path)
    options.add_argument("work", type=Path)
    options.add_argument("extensions", type=Path, nargs="?")
    options.add_argument("--workers", type=int, default=2)
    given = options.parse_args()
    mark("start")
    tasks = len(list(given.documents.glob("*.jsonl")))
    (exact if given.what == "exact" else near)(given, tasks)
    mark("count", kept=kept(given.work / "output"))


if __name__ == "__main__":
    main()
