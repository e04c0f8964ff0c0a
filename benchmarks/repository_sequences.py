"""Dependencies, order and sequences of real repositories: what they cost, and what of the dependencies they keep.

    python benchmarks/repository_sequences.py FOLDER...

Each FOLDER is one repository. Prints its files and edges; the share of edges outside cycles that the order respects
(target: 99 %); CPU seconds of facts, edges, order and cut beside tree-sitter's bare parse of the same files (target:
twice); and the share of edges whose two files stand in one sequence, beside cutting the files one after the other in
the order of their paths and in a topological order (Kahn's, ties by path). Edges of files over the budget are not
counted there: nobody can keep them. What belongs here: these measures. What does not: whether edges are right
(`dependencies.py`).
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seed_platform.dependencies.base import Edge, Facts
from seed_platform.dependencies.components import links_between, strong_components
from seed_platform.dependencies.graph import CONFIGURATIONS, Failure, file_facts, repository_edges, resolver_of
from seed_platform.dependencies.order import order_files
from seed_platform.dependencies.sequences import cut
from seed_platform.filters.grammars import GRAMMARS, VARIANTS, parser
from seed_platform.filters.languages import infer_language

MAX_BYTES = 1 << 20
BYTES_PER_TOKEN = 3.5
HEADER_TOKENS = 10


@dataclass
class Repository:
    """The text files of a folder.

    Attributes:
        texts: the UTF-8 of each file, by path.
        languages: of each file, None if unknown.
    """

    texts: dict[str, bytes]
    languages: dict[str, str | None]

    @classmethod
    def read(cls, folder: Path) -> Repository:
        """All files of UTF-8 text up to `MAX_BYTES`."""
        found = cls({}, {})
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
                continue
            content = path.read_bytes()
            try:
                text = content.decode()
            except UnicodeDecodeError:
                continue
            name = path.relative_to(folder).as_posix()
            found.texts[name] = content
            found.languages[name] = infer_language(name, text)
        return found


@dataclass
class Measures:
    """CPU seconds of each stage, and its result."""

    seconds: dict[str, float]
    edges: list[Edge]
    order: list[str]
    sequences: list[list[str]]
    sizes: dict[str, int]


def measure(repository: Repository, budget: int) -> Measures:
    """Run the stages on one repository."""
    seconds: dict[str, float] = {}
    start = time.process_time()

    def stage(name: str) -> None:
        nonlocal start
        seconds[name] = time.process_time() - start
        start = time.process_time()

    with_resolver = [path for path, language in repository.languages.items() if resolver_of(language)]
    for path in with_resolver:
        language = repository.languages[path] or ""
        extension = path.rpartition(".")[2].lower()
        parser(VARIANTS.get(language, {}).get(extension) or GRAMMARS[language]).parse(repository.texts[path])
    stage("parse")
    facts: dict[str, Facts] = {}
    for path in with_resolver:
        said = file_facts(path, repository.languages[path], repository.texts[path])
        if isinstance(said, Failure):
            print("failed:", said)
        elif said is not None:
            facts[path] = said
    stage("facts")
    configurations = {
        path: text for path, text in repository.texts.items() if path.rpartition("/")[2] in CONFIGURATIONS
    }
    found = repository_edges(facts, configurations, frozenset(repository.texts))
    for failure in found.failures:
        print("failed:", failure)
    stage("edges")
    order = order_files(repository.texts, found.edges, "benchmark")
    stage("order")
    sizes = {path: HEADER_TOKENS + int(len(text) / BYTES_PER_TOKEN) for path, text in repository.texts.items()}
    start = time.process_time()
    sequences = cut(order, found.edges, sizes, budget)
    stage("cut")
    return Measures(seconds, found.edges, order, sequences, sizes)


def respected(order: Sequence[str], edges: Sequence[Edge]) -> tuple[int, int, int]:
    """Edges that are in a cycle, edges outside, and those of them whose dependency stands before the user."""
    links, _ = links_between(order, edges)
    component = [0] * len(order)
    for number, members in enumerate(strong_components(links, range(len(order)))):
        for member in members:
            component[member] = number
    position = {path: number for number, path in enumerate(order)}
    outside = [edge for edge in edges if component[position[edge.user]] != component[position[edge.dependency]]]
    good = sum(position[edge.dependency] < position[edge.user] for edge in outside)
    return len(edges) - len(outside), len(outside), good


def topological(paths: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """Repeatedly the file with the fewest dependencies not placed yet, by Kahn (1962); ties by path."""
    names = sorted(paths)
    dependencies, users = links_between(names, edges)
    missing = {node: len(dependencies.of(node)) for node in range(len(names))}
    waiting = [(count, node) for node, count in missing.items()]
    heapq.heapify(waiting)
    order: list[str] = []
    while waiting:
        count, node = heapq.heappop(waiting)
        if missing.get(node) != count:
            continue
        del missing[node]
        order.append(names[node])
        for user in users.of(node):
            if user in missing:
                missing[user] -= 1
                heapq.heappush(waiting, (missing[user], user))
    return order


def one_after_the_other(order: Sequence[str], sizes: Mapping[str, int], budget: int) -> list[list[str]]:
    """Sequences that are closed when the next file does not fit."""
    found: list[list[str]] = []
    held = budget + 1
    for path in order:
        held += sizes[path]
        if held > budget:
            found.append([])
            held = sizes[path]
        found[-1].append(path)
    return found


def together(sequences: Sequence[Sequence[str]], edges: Sequence[Edge]) -> float:
    """The share of edges whose two files are in one sequence."""
    where = {path: number for number, sequence in enumerate(sequences) for path in sequence}
    return sum(where[edge.user] == where[edge.dependency] for edge in edges) / max(len(edges), 1)


STAGES = ("parse", "facts", "edges", "order", "cut")
COSTS = ("repository", "most files", "files", "edges", "in cycles", "respected outside", *STAGES, "all / parse")
WAYS = ("ours", "by path", "topological")
SHARES = ("repository", "files over", "least sequences", *(head for way in WAYS for head in (way, "sequences")))


def costs(name: str, repository: Repository, found: Measures) -> list[str]:
    """The row of one repository below `COSTS`."""
    in_cycles, outside, good = respected(found.order, found.edges)
    parse = found.seconds["parse"]
    ratio = (sum(found.seconds.values()) - parse) / parse if parse else 0.0
    languages = Counter(language for language in repository.languages.values() if resolver_of(language))
    counts = [f"{count:,}" for count in (len(found.order), len(found.edges), in_cycles)]
    seconds = [f"{found.seconds[stage]:.2f} s" for stage in STAGES]
    most = next((str(language) for language, _ in languages.most_common(1)), "")
    return [name, most, *counts, f"{good / max(outside, 1):.4f}", *seconds, f"{ratio:.2f}"]


def shares(name: str, found: Measures, budget: int) -> list[str]:
    """The row of one repository below `SHARES`."""
    within = {path: size for path, size in found.sizes.items() if size <= budget}
    edges = [edge for edge in found.edges if edge.user in within and edge.dependency in within]
    ways = (
        [sequence for sequence in found.sequences if sequence[0] in within],
        one_after_the_other(sorted(within), within, budget),
        one_after_the_other(topological(list(within), edges), within, budget),
    )
    over = f"{len(found.order) - len(within):,}"
    cells = [cell for way in ways for cell in (f"{together(way, edges):.3f}", f"{len(way):,}")]
    return [name, over, f"{sum(within.values()) / budget:.1f}", *cells]


def show(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table in Markdown."""
    for row in (head, ["---"] * len(head), *rows):
        print("|", " | ".join(row), "|")
    print()


def main() -> None:
    """Print two tables with one row for each repository."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    options.add_argument("--budget", type=int, default=32_768, help="tokens of a sequence")
    given = options.parse_args()
    cost_rows, share_rows = [], []
    for folder in given.folders:
        repository = Repository.read(folder)
        # Twice, and the second counts: grammars and queries are loaded when first used.
        measure(repository, given.budget)
        found = measure(repository, given.budget)
        cost_rows.append(costs(folder.name, repository, found))
        share_rows.append(shares(folder.name, found, given.budget))
    show(COSTS, cost_rows)
    show(SHARES, share_rows)


if __name__ == "__main__":
    main()
