"""What the syntax filter costs beside the parse itself, on the files of a folder.

    python benchmarks/syntax_speed.py FOLDER

Prints, per language, MB per CPU-second of `judge` and of bare `parser.parse` on the same documents, and the share of
judge's CPU time that the bare parse is. What belongs here: the measurement. What does not: accuracy
(`syntax_tolerance.py`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import polars as pl

from seed_platform.engine.journal import Journal
from seed_platform.filters import syntax
from seed_platform.filters.grammars import GRAMMARS, grammar_of, parser
from seed_platform.filters.languages import infer_language
from seed_platform.policy import SyntaxPolicy

MIN_BYTES = 100_000
"""A language with less text than this is left out: the cost of one call, a few milliseconds, would be all one sees."""


def read(folder: Path, budget: int, max_bytes: int) -> dict[str, pl.DataFrame]:
    """Up to `budget` bytes of files of each language."""
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.stat().st_size > max_bytes:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        language = infer_language(str(path), text)
        if language in GRAMMARS and sizes[language] < budget:
            rows[language].append((str(path), text))
            sizes[language] += len(text.encode())
    return {
        language: pl.DataFrame(files, schema=["path", "content"], orient="row").select(
            pl.int_range(pl.len()).alias("ordinal"),
            pl.col("path").alias("doc_id"),
            "path",
            pl.lit(language).alias("language"),
            pl.col("content").str.len_bytes().alias("bytes"),
            "content",
        )
        for language, files in sorted(rows.items())
    }


def bare(files: pl.DataFrame) -> float:
    """CPU seconds of parsing the files and nothing else."""
    parsers = [parser(name) for name in files.select(grammar_of(pl.col("language"), pl.col("path"))).to_series()]
    contents = [content.encode() for content in files["content"]]
    start = time.process_time()
    for grammar, content in zip(parsers, contents, strict=True):
        grammar.parse(content)
    return time.process_time() - start


def judged(files: pl.DataFrame) -> float:
    """CPU seconds of judging the files."""
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "journal") as journal:
        start = time.process_time()
        syntax.judge(files, SyntaxPolicy(), journal)
        return time.process_time() - start


def main() -> None:
    """Print one row per language and the total."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--budget", type=int, default=8 << 20, help="bytes of each language")
    given = options.parse_args()
    print(f"{'language':16} {'files':>6} {'MB':>6} {'judge MB/s':>10} {'parse MB/s':>10} {'parse share':>11}")
    totals = [0.0, 0.0, 0.0]
    for language, files in read(given.folder, given.budget, SyntaxPolicy().max_bytes).items():
        if files["bytes"].sum() < MIN_BYTES:
            continue
        judged(files.head(2))
        # The better of two: the machine may be shared.
        whole, parse = (min(measure(files) for _ in range(2)) for measure in (judged, bare))
        size = int(files["bytes"].sum()) / 1e6
        totals = [total + part for total, part in zip(totals, (size, whole, parse), strict=True)]
        print(
            f"{language:16} {len(files):6} {size:6.1f} {size / whole:10.2f} {size / parse:10.2f} {parse / whole:11.1%}"
        )
    size, whole, parse = totals
    print(f"{'all':16} {'':6} {size:6.1f} {size / whole:10.2f} {size / parse:10.2f} {parse / whole:11.1%}")


if __name__ == "__main__":
    main()
