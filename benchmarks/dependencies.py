"""Edges of Python and Java files beside grimp's and jdeps', and their cost beside the bare parse.

    python benchmarks/dependencies.py --python REPOSITORY ... [--java REPOSITORY ...] [--grimp-python PYTHON]

Python: every directory that holds regular packages is a root, and grimp reads all their packages as one graph (in the
environment of `--grimp-python`, by default this one; nothing of the packages is run). Java: what is under
`src/main/java` (or all, where there is none) is compiled by `javac`, so it must need no other library, and
`jdeps -verbose:class` reads the classes; a class belongs to the file that it names as its source. Compared are edges
between files that the other tool knows. Java's differences are counted by what the using file says. What belongs here:
the measurement. What does not: the tests.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from seed_platform.dependencies.base import Edge, Facts, Resolver
from seed_platform.dependencies.java import JavaResolver
from seed_platform.dependencies.python import PythonResolver
from seed_platform.filters.grammars import parser

GRIMP = """
import json, sys, grimp
roots, names = json.load(sys.stdin)
sys.path[:0] = roots
read, unread = [], {}
for name in names:
    try:
        grimp.build_graph(name, cache_dir=None)
        read.append(name)
    except Exception as error:
        unread[name] = type(error).__name__
graph = grimp.build_graph(*read, cache_dir=None)
edges = [(user, found) for user in graph.modules for found in graph.find_modules_directly_imported_by(user)]
print(json.dumps({"modules": sorted(graph.modules), "edges": edges, "unread": unread}))
"""

ROUNDS = 3
"""Times are the least of so many, since other load only ever adds to them."""


def read(repository: Path, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a language by their path in the repository."""
    found = [path for path in sorted(repository.rglob("*")) if path.suffix in suffixes and path.is_file()]
    return {path.relative_to(repository).as_posix(): path.read_bytes() for path in found}


def least_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def ours(resolver: Resolver, language: str, files: dict[str, bytes], paths: frozenset[str]) -> set[Edge]:
    """The edges of one repository."""
    facts: dict[str, Facts] = {path: resolver.facts(path, language, source) for path, source in files.items()}
    return set(resolver.edges(facts, {}, paths))


def grimp_edges(repository: Path, files: dict[str, bytes], python: str) -> tuple[set[Edge], set[str], list[str]]:
    """What grimp reports, the files that it knows, and packages that it cannot read.

    Of packages of the same name it sees one, as Python does: the one nearest to the top.
    """
    packages = {path.parent for name in files if (path := Path(name)).stem == "__init__"} - {Path()}
    tops = {package for package in packages if package.parent not in packages}
    roots: dict[str, Path] = {}
    for package in sorted(tops, key=lambda path: (len(path.parts), path)):
        roots.setdefault(package.name, package.parent)
    given = json.dumps([[str(repository / root) for root in dict.fromkeys(roots.values())], sorted(roots)])
    command = [python, "-c", GRIMP]
    done = subprocess.run(command, input=given, capture_output=True, text=True, cwd="/", check=True)
    said = json.loads(done.stdout)
    where = {module: _python_file(roots[module.partition(".")[0]], module, files) for module in said["modules"]}
    pairs = [(where[user], where[found]) for user, found in said["edges"]]
    edges = {Edge(user, found) for user, found in pairs if user and found and user != found}
    unread = [f"not read: {repository.name}: {name}: {error}" for name, error in said["unread"].items()]
    return edges, {path for path in where.values() if path}, unread


def _python_file(root: Path, module: str, files: dict[str, bytes]) -> str | None:
    stem = (root / module.replace(".", "/")).as_posix()
    return next((path for path in (f"{stem}/__init__.py", f"{stem}.py") if path in files), None)


def jdeps_edges(repository: Path, files: dict[str, bytes]) -> tuple[set[Edge], set[str]]:
    """What jdeps reports of the main sources, and the files that were compiled."""
    main = [path for path in files if re.search(r"(^|/)src/main/java/", path)] or list(files)
    chosen = [path for path in main if not path.endswith(("module-info.java", "package-info.java"))]
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "sources.txt"
        listing.write_text("\n".join(f'"{repository / path}"' for path in chosen), encoding="utf-8")
        classes = Path(folder) / "classes"
        command = ["javac", "-nowarn", "-proc:none", "-encoding", "UTF-8", "-d", str(classes), f"@{listing}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{repository}: javac: {done.stderr[-2000:]}")
        command = ["jdeps", "-verbose:class", "-filter:none", str(classes)]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        where = _files_of_classes(classes, chosen)
    pairs = [
        (where.get(user), where.get(used)) for user, used in re.findall(r"^   (\S+) +-> (\S+)", text, re.MULTILINE)
    ]
    edges = {Edge(user, used) for user, used in pairs if user and used and user != used}
    return edges, set(chosen)


def _files_of_classes(classes: Path, sources: list[str]) -> dict[str, str]:
    """A class file ends with the name of its source, the only text of its constants of that form."""
    by_end: dict[str, str] = {}
    for source in sources:
        parts = source.split("/")
        by_end |= {"/".join(parts[index:]): source for index in range(len(parts))}
    where = {}
    for path in classes.rglob("*.class"):
        name = path.relative_to(classes).with_suffix("").as_posix()
        for base in re.findall(rb"\x01\x00.([\w$-]+\.java)", path.read_bytes(), re.DOTALL):
            if known := by_end.get(f"{name.rpartition('/')[0]}/{base.decode()}".lstrip("/")):
                where[name.replace("/", ".")] = known
    return where


def java_reason(edge: Edge, source: str, *, ours_only: bool) -> str | None:
    """What of Java the two tools treat differently makes an edge appear in one set alone; None: nothing known."""
    name = re.escape(Path(edge.dependency).stem)
    code = re.sub(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"", " ", source, flags=re.DOTALL)
    code = re.sub(r"\b(?:import|package)\b(?!\s+static)[^;]*;", " ", code)
    named = re.search(rf"\b{name}\b", code)
    if not ours_only:
        return None if named else "jdeps only: the compiler infers the type, the source does not name it"
    if not named:
        return "ours only: the import is unused or used in comments only"
    constants_only = not re.search(rf"\b{name}\b(?!\s*\.\s*[A-Z][A-Z0-9_]*\b)", code)
    return "ours only: constants, which the compiler inlines" if constants_only else None


@dataclass
class Comparison:
    """One repository's edges by both tools, among files that both know."""

    title: str
    known: set[str]
    mine: set[Edge]
    theirs: set[Edge]
    reasons: dict[Edge, str] = field(default_factory=dict)

    def row(self) -> str:
        """Recall and precision as they are, then without the edges that `reasons` explains."""
        both = len(self.mine & self.theirs)
        explained = set(self.reasons)
        parts = [both / max(len(edges), 1) for edges in (self.theirs, self.mine)]
        parts += [both / max(len(edges - explained), 1) for edges in (self.theirs, self.mine)]
        shares = " | ".join(f"{part:.4f}" for part in parts)
        return f"| {self.title} | {len(self.known):,} | {len(self.theirs):,} | {len(self.mine):,} | {shares} |"


def cost(title: str, resolver: Resolver, language: str, files: dict[str, bytes], paths: frozenset[str]) -> str:
    """A row of the table: CPU seconds beside those of the parse."""
    grammar = parser(language.lower())
    bare = least_seconds(lambda: [grammar.parse(source) for source in files.values()])
    whole = least_seconds(lambda: ours(resolver, language, files, paths))
    size = sum(map(len, files.values()))
    return f"| {title} | {len(files):,} | {size / 1e6:.1f} | {bare:.2f} | {whole:.2f} | {whole / bare:.2f} |"


def measure(language: str, repository: Path, python: str) -> tuple[Comparison, str, list[str]]:
    """Both tools on one repository: the comparison, the row of costs, and what the other tool cannot read."""
    resolver: Resolver = PythonResolver() if language == "Python" else JavaResolver()
    files = read(repository, (".py", ".pyi") if language == "Python" else (".java",))
    paths = frozenset(path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file())
    if language == "Python":
        theirs, known, unread = grimp_edges(repository, files, python)
    else:
        theirs, known = jdeps_edges(repository, files)
        unread = []
    mine = {edge for edge in ours(resolver, language, files, paths) if {edge.user, edge.dependency} <= known}
    found = Comparison(repository.name, known, mine, theirs)
    for edge in mine ^ theirs if language == "Java" else ():
        source = files[edge.user].decode("utf-8", "replace")
        if reason := java_reason(edge, source, ours_only=edge in mine):
            found.reasons[edge] = reason
    return found, cost(repository.name, resolver, language, files, paths), unread


def main() -> None:
    """Measure each repository and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--python", type=Path, nargs="*", default=[], metavar="REPOSITORY")
    options.add_argument("--java", type=Path, nargs="*", default=[], metavar="REPOSITORY")
    options.add_argument("--grimp-python", default=sys.executable, help="an interpreter that has grimp")
    options.add_argument("--show", action="store_true", help="print the differences that no reason explains")
    given = options.parse_args()
    work = [("Python", repository) for repository in given.python] + [("Java", path) for path in given.java]
    done = [measure(language, repository.resolve(), given.grimp_python) for language, repository in work]
    print("| repository | files | theirs | ours | recall | precision | recall, explained aside | precision |")
    print("| --- |" + " ---: |" * 7)
    print("\n".join(found.row() for found, _, _ in done))
    print("\n| repository | files | MB | parse, CPU s | facts and edges, CPU s | ratio |\n| --- |" + " ---: |" * 5)
    print("\n".join(row for _, row, _ in done))
    reasons = Counter(reason for found, _, _ in done for reason in found.reasons.values())
    print("\n" + "\n".join(f"{count:5,} {reason}" for reason, count in sorted(reasons.items())))
    print("\n".join(note for _, _, unread in done for note in unread))
    for found, _, _ in done if given.show else ():
        for edge in sorted((found.mine ^ found.theirs) - set(found.reasons), key=str):
            print("ours only:" if edge in found.mine else "theirs only:", edge.user, "->", edge.dependency)


if __name__ == "__main__":
    main()
