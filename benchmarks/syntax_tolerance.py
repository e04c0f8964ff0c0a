"""How often the syntax filter and each language's own front end disagree, and so how much error to tolerate.

For files of the given folders, and for seeded mutants of those that the front end accepts, it asks the front end
(compiler or interpreter, syntax only; no code is run) and the filter, and prints per language: false drops (accepted
by the front end, dropped by the filter) and catches (rejected, dropped), without tolerance and at the least tolerance
that keeps false drops within 2 %. Languages without a front end here get the share of files that have errors.

    python benchmarks/syntax_tolerance.py --files 300 FOLDER [FOLDER...]

What belongs here: samples, mutants, the table. What does not: the front ends (`syntax_front_ends.py`) and how files are
judged (`filters/syntax.py`).
Needs on the PATH what it asks: gcc, g++, java, node (and the npm package typescript, by NODE_PATH), rustc, gofmt,
ruby, php, bash, lua5.4. A language whose front end is missing is treated as having none.
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from syntax_front_ends import ORIGIN, FrontEnd, front_ends

from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.engine.local import LocalEngine
from seed_platform.filters import syntax
from seed_platform.filters.grammars import GRAMMARS
from seed_platform.filters.languages import infer_language
from seed_platform.policy import SyntaxPolicy

TOLERANCES = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
FALSE_DROPS = 0.02
BROKEN_ON_PURPOSE = re.compile(r"/(testdata|fixtures|invalid|errors?|fail(ures?)?)/", re.IGNORECASE)
"""Folders whose files cannot be taken for valid where no front end can be asked."""


def mutant(text: str, rng: random.Random) -> str:
    """`text` with one small seeded damage: a bracket, quote, token or line deleted or inserted, or the end cut off."""
    kind = rng.choice(("delete mark", "insert mark", "delete token", "delete line", "cut"))
    if kind == "insert mark":
        at = rng.randrange(len(text))
        return text[:at] + rng.choice("()[]{}'\"") + text[at:]
    if kind == "cut":
        return text[: rng.randrange(len(text) // 4, len(text))]
    if kind == "delete line":
        lines = text.splitlines(keepends=True)
        del lines[rng.randrange(len(lines))]
        return "".join(lines)
    pattern = r"[()\[\]{}'\"]" if kind == "delete mark" else r"\w+|[^\w\s]"
    spans = [match.span() for match in re.finditer(pattern, text)]
    if not spans:
        return text[:-1]
    start, end = rng.choice(spans)
    return text[:start] + text[end:]


def sample(folders: Sequence[Path], count: int, max_bytes: int, rng: random.Random) -> dict[str, list[Path]]:
    """Up to `count` files of each language, taken in turn from the packages so that a large one does not rule."""
    by_package: dict[str, dict[Path, list[Path]]] = defaultdict(lambda: defaultdict(list))
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    rng.shuffle(paths)
    for path in paths:
        if not 64 <= path.stat().st_size <= max_bytes:
            continue
        language = infer_language(str(path), path.read_bytes()[:8192].decode("utf-8", "replace"))
        if language in GRAMMARS:
            root = next(folder for folder in folders if path.is_relative_to(folder))
            package = root / path.relative_to(root).parts[0]
            by_package[language][package].append(path)
    chosen: dict[str, list[Path]] = {}
    for language, packages in by_package.items():
        queues = list(packages.values())
        turns = (queue[turn] for turn in range(max(map(len, queues))) for queue in queues if turn < len(queue))
        chosen[language] = [path for path, _ in zip(turns, range(count), strict=False)]
    return chosen


@dataclass(frozen=True)
class Texts:
    """Files to be judged by the filter in a worker."""

    language: str
    paths: tuple[str, ...]
    journal: Path


def judge(task: Texts) -> list[float]:
    """The error ratio of each file; 1.0 for one on which the parser died."""
    contents = [Path(path).read_text(encoding="utf-8") for path in task.paths]
    files = pl.DataFrame(
        {
            "ordinal": range(len(contents)),
            "doc_id": task.paths,
            "path": task.paths,
            "language": [task.language] * len(contents),
            "bytes": [len(content.encode()) for content in contents],
            "content": contents,
        }
    )
    with Journal(task.journal) as journal:
        verdicts = syntax.judge(files, SyntaxPolicy(), journal)
    return verdicts["score"].fill_null(1.0).to_list()


def quarantine(task: Texts, death: Death) -> Texts:
    """Skip the file on which the parser died."""
    with Journal(task.journal) as journal:
        ordinal = journal.interrupted()
        if ordinal is None:
            raise SystemExit(f"{task.language}: the worker died outside the parser: {death}")
        journal.quarantine(ordinal, syntax.describe_death(death))
    return task


def ratios(language: str, paths: Sequence[Path], scratch: Path) -> list[float]:
    """The error ratio of each file."""
    if not paths:
        return []
    journal = Path(tempfile.mkdtemp(dir=scratch)) / "journal"
    task = Texts(language, tuple(str(path) for path in paths), journal)
    [(_, result)] = LocalEngine(1).run(judge, [task], on_death=quarantine)
    return result


def is_text(path: Path) -> bool:
    """Whether the filter would see this file as text."""
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def share(values: Sequence[float], tolerance: float) -> str:
    """The share of files whose ratio exceeds the tolerance, as text."""
    return f"{100 * sum(value > tolerance for value in values) / len(values):.1f} %" if values else "-"


def mutants(paths: Sequence[Path], each_file: int, rng: random.Random, scratch: Path) -> Iterator[Path]:
    """Write mutants of each file beside nothing else, under the file's own name."""
    for path in paths:
        text = path.read_text(encoding="utf-8")
        for _ in range(each_file):
            target = Path(tempfile.mkdtemp(dir=scratch)) / path.name
            target.write_text(mutant(text, rng), encoding="utf-8")
            (target.parent / ORIGIN).symlink_to(path.parent)
            yield target


def measure(language: str, paths: list[Path], front_end: FrontEnd, count: int, scratch: Path) -> str:
    """A row of the table for a language with a front end."""
    rng = random.Random(f"1 {language}")
    verdicts = front_end(paths)
    valid = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict]
    invalid = [path for path, verdict in zip(paths, verdicts, strict=True) if verdict is False]
    broken = list(mutants(valid, count, rng, scratch))
    broken = [path for path, verdict in zip(broken, front_end(broken), strict=True) if verdict is False]
    good, bad, worse = (ratios(language, group, scratch) for group in (valid, invalid, broken))
    least = next(t for t in TOLERANCES if sum(value > t for value in good) <= FALSE_DROPS * len(good))
    steps = " ".join(f"{t:g}:{share(good, t)}/{share(worse, t)}" for t in TOLERANCES[:-1])
    undecided = Counter(verdicts)[None]
    return (
        f"| {language} | {len(good)} | {len(bad)} | {undecided} | {len(worse)} | {share(good, 0)} | {share(bad, 0)} | "
        f"{share(worse, 0)} | {least:g} | "
        f"{share(good, least)} | {share(bad, least)} | {share(worse, least)} | {steps} |"
    )


def main() -> None:
    """Print both tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folders", nargs="+", type=lambda text: Path(text).resolve())
    options.add_argument("--files", type=int, default=300, help="files of each language")
    options.add_argument("--mutants", type=int, default=3, help="mutants of each valid file")
    options.add_argument("--max-bytes", type=int, default=64 << 10, help="largest file taken")
    options.add_argument("--languages", nargs="*", help="only these")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        known = front_ends(given.folders, scratch)
        chosen = sample(given.folders, given.files, given.max_bytes, random.Random(1))
        for language in sorted(chosen):
            if given.languages and language not in given.languages:
                continue
            paths = [path for path in chosen[language] if is_text(path)]
            if language in known:
                print(measure(language, paths, known[language], given.mutants, scratch), flush=True)
            else:
                paths = [path for path in paths if not BROKEN_ON_PURPOSE.search(str(path))]
                values = ratios(language, paths, scratch)
                steps = " | ".join(share(values, t) for t in TOLERANCES[:-1])
                print(f"| {language} (no front end) | {len(values)} | {steps} |", flush=True)


if __name__ == "__main__":
    main()
