"""Dependencies between files of C and C++ beside what `gcc -MM` reports, and what finding them costs beside the parse.

    python benchmarks/dependencies_c.py FOLDER FOLDER:-Iinclude,-Ideps/lua/src,-DSIZE=8 ...

Each FOLDER is a project, with the options that its build gives to the compiler. No configuration is run; headers that
it would make are taken as empty. `gcc -MM` names for each source file all that it reads, so what is compared are pairs
of a source file and a file of the project reached from it: all pairs that our edges reach (raw), and those reached by
include lines that gcc processed when it read that source file (`gcc -E -dI`), since our edges hold for every platform
and gcc's for this one. Files that gcc cannot preprocess are left out on both sides and counted; an edge to a file that
gcc would need one more -I for counts as wrong. What belongs here: this measurement. What does not: how a project is
built.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from measure import machine, print_table

from seed_platform.dependencies.base import Facts
from seed_platform.dependencies.c_family import CResolver
from seed_platform.filters.grammars import GRAMMARS, parser
from seed_platform.filters.languages import infer_language

SOURCES = {".c", ".cc", ".cpp", ".cxx"}
"""Extensions of what a compiler is started for."""

_MARKER = re.compile(r'# \d+ "(.*)"(?: (.*))?')
_INCLUDE = re.compile(r'#\s*(?:include|import)\s*(?:"([^"]+)"|<([^>]+)>)')


@dataclass
class Counts:
    """Pairs of a source file and what it reaches."""

    sources: int = 0
    truth: int = 0
    found: int = 0
    raw: int = 0
    right: int = 0
    processed: int = 0
    processed_right: int = 0
    failed: set[tuple[str, str]] = field(default_factory=set)
    missed: set[tuple[str, str]] = field(default_factory=set)
    wrong: set[tuple[str, str]] = field(default_factory=set)


class Project:
    """The files of a folder, their facts and edges, and gcc on them."""

    def __init__(self, folder: Path, flags: list[str]) -> None:
        self.folder = folder.resolve()
        self.flags = flags
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        self.paths = frozenset(path.relative_to(self.folder).as_posix() for path in files)
        self.texts: dict[str, tuple[str, bytes]] = {}
        for path in sorted(self.paths):
            text = (self.folder / path).read_bytes().decode("utf-8", "replace")
            language = infer_language(path, text)
            if language in CResolver.languages:
                self.texts[path] = language, text.encode()

    def facts(self) -> dict[str, Facts]:
        """What each file says."""
        resolver = CResolver()
        return {path: resolver.facts(path, language, source) for path, (language, source) in self.texts.items()}

    def edges(self, facts: Mapping[str, Facts]) -> dict[str, set[str]]:
        """What each file depends on."""
        found: dict[str, set[str]] = defaultdict(set)
        for edge in CResolver().edges(facts, {}, self.paths):
            found[edge.user].add(edge.dependency)
        return found

    def inside(self, path: str) -> str | None:
        """A path that gcc names, as one of the project."""
        name = os.path.relpath(os.path.normpath(self.folder / path), self.folder)
        return name if name in self.paths else None

    def gcc(self, *arguments: str) -> str | None:
        """What gcc prints; None if it fails."""
        command = ["gcc", *arguments, *self.flags]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, check=False)
        return None if done.returncode else done.stdout.decode("utf-8", "replace")

    def read_by(self, source: str) -> tuple[list[str], list[str]] | None:
        """Files of the project that gcc reads for a source file, and the names of those that are not there."""
        printed = self.gcc("-MM", "-MG", source)
        if printed is None:
            return None
        names = printed.partition(": ")[2].replace("\\\n", " ").split()
        inside = [path for name in names if (path := self.inside(name))]
        return inside, [name for name in names if not self.inside(name) and not (self.folder / name).exists()]

    def processed_by(self, source: str, missing: list[str]) -> set[tuple[str, str]] | None:
        """The include lines that gcc processes for a source file: the file in which they stand and what is written."""
        with tempfile.TemporaryDirectory() as folder:
            for name in missing:
                stub = Path(os.path.normpath(Path(folder) / name))
                if stub.is_relative_to(folder):
                    stub.parent.mkdir(parents=True, exist_ok=True)
                    stub.touch()
            printed = self.gcc("-E", "-dI", source, f"-I{folder}")
        if printed is None:
            return None
        at: str | None = source
        lines: set[tuple[str, str]] = set()
        for line in printed.split("\n"):
            if marker := _MARKER.match(line):
                at = self.inside(marker[1])
            elif at is not None and (include := _INCLUDE.match(line)):
                lines.add((at, include[1] or include[2]))
        return lines


def reached(source: str, edges: Mapping[str, AbstractSet[str]]) -> set[str]:
    """All files that a file leads to."""
    seen = {source}
    stack = [source]
    while stack:
        for path in edges.get(stack.pop(), ()):
            if path not in seen:
                seen.add(path)
                stack.append(path)
    return seen - {source}


def compare(project: Project, shown: list[str]) -> Counts:
    """Our pairs beside gcc's."""
    facts = project.facts()
    edges = project.edges(facts)
    by_line = {
        (path, include.name): dependency
        for path, said in facts.items()
        for include in said.imports
        for dependency in edges.get(path, ())
        if f"/{dependency}".endswith(re.sub(r"^(\.{1,2}/)*", "/", include.name))
    }
    counts = Counts()
    for source in sorted(path for path in project.texts if Path(path).suffix in SOURCES):
        answer = project.read_by(source)
        lines = project.processed_by(source, answer[1]) if answer else None
        if answer is None or lines is None:
            counts.failed.add((source, "" if answer else "-MM"))
            continue
        truth = set(answer[0]) - {source}
        ours = reached(source, edges)
        of_lines: dict[str, set[str]] = defaultdict(set)
        for line in lines & by_line.keys():
            of_lines[line[0]].add(by_line[line])
        processed = reached(source, of_lines)
        counts.sources += 1
        counts.truth += len(truth)
        counts.found += len(truth & ours)
        counts.raw += len(ours)
        counts.right += len(ours & truth)
        counts.processed += len(processed)
        counts.processed_right += len(processed & truth)
        counts.missed |= {(source, path) for path in truth - ours}
        counts.wrong |= {(source, path) for path in processed - truth}
    for name in shown:
        for source, path in sorted(getattr(counts, name)):
            print(f"{name}: {source} {path}")
    return counts


def cpu(project: Project) -> tuple[float, float, float]:
    """CPU seconds of the bare parse, of reading facts and of resolving: the least of three runs each."""
    parsers = [(parser(GRAMMARS[language]), source) for language, source in project.texts.values()]
    facts = project.facts()
    runs = []
    for _ in range(3):
        clock = [time.process_time()]
        for grammar, source in parsers:
            grammar.parse(source)
        clock.append(time.process_time())
        project.facts()
        clock.append(time.process_time())
        project.edges(facts)
        clock.append(time.process_time())
        runs.append([after - before for before, after in itertools.pairwise(clock)])
    parse, read, resolve = (min(run[part] for run in runs) for part in range(3))
    return parse, read, resolve


def row(name: str, counts: Counts, times: tuple[float, float, float], size: int) -> list[str]:
    """One row of the table."""
    parse, read, resolve = times
    return [
        name,
        f"{counts.sources:,}",
        f"{len(counts.failed):,}",
        f"{counts.truth:,}",
        f"{counts.found / max(counts.truth, 1):.4f}",
        f"{counts.processed_right / max(counts.processed, 1):.4f}",
        f"{counts.right / max(counts.raw, 1):.4f}",
        f"{size / 1e6:.1f}",
        f"{parse:.2f}",
        f"{(read + resolve) / parse:.2f}",
    ]


def main() -> None:
    """Print one row per project and the total."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("projects", nargs="+", metavar="FOLDER[:OPTION,...]")
    options.add_argument(
        "--show", choices=["failed", "missed", "wrong"], action="append", default=[], help="print the pairs"
    )
    given = options.parse_args()
    rows = []
    total, times, size = Counts(), [0.0, 0.0, 0.0], 0
    for text in given.projects:
        folder, _, flags = text.partition(":")
        project = Project(Path(folder), [flag for flag in flags.split(",") if flag])
        counts, taken = compare(project, given.show), cpu(project)
        bytes_of = sum(len(source) for _, source in project.texts.values())
        rows.append(row(Path(folder).name, counts, taken, bytes_of))
        size += bytes_of
        times = [sum(pair) for pair in zip(times, taken, strict=True)]
        total.failed |= counts.failed
        for name in ("sources", "truth", "found", "raw", "right", "processed", "processed_right"):
            setattr(total, name, getattr(total, name) + getattr(counts, name))
    rows.append(row("all", total, (times[0], times[1], times[2]), size))
    print(machine())
    gcc = "gcc's pairs"
    measures = [gcc, "recall", "precision, processed lines", "precision, raw", "MB", "parse, CPU s", "ours / parse"]
    print_table(["", "source files", "gcc failed", *measures], rows)


if __name__ == "__main__":
    main()
