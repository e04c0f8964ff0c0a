"""Imports of Python, and which files of the repository they mean.

Where modules are is inferred from the tree of files: a regular package is imported from the first directory above it
that has no `__init__`. An import of a submodule counts for the submodule alone, not for the `__init__` of each package
above it, as import graphs count: those run first, but nothing of them is meant. What an `__init__` takes from elsewhere
is not followed. What belongs here: Python's rules. What does not: imports made by calls (`importlib.import_module`),
extension modules, and modules of the standard library or of other distributions.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname

from tree_sitter import Node

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import

STATEMENTS = "[(import_statement) (import_from_statement)] @import"

SUFFIXES = (".py", ".pyi", ".pyw")

STANDARD_LIBRARY = sys.stdlib_module_names - {"test"}
"""Names that mean a file only beside the importing package or script. Only CPython's own tests import its `test`."""

DISTRIBUTION_FILES = frozenset({"setup.py", "setup.cfg", "pyproject.toml"})

SOURCE_ROOTS = frozenset({"", "src", "lib", "Lib", "python"})
"""Names of directories, "" for the repository's own, whose modules the whole repository imports by custom."""

SIDE_DIRECTORIES = frozenset(
    {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks", "fixtures"}
)
"""Names of directories with packages that files outside of them do not import: a stub of `requests` among test data
is not what the library means by that name."""

_NOT_A_NAME = re.compile(r"[\s\\]|#.*")


class PythonResolver:
    """Imports anywhere in a file: at its top, in functions, under conditions and for type checking only."""

    languages = frozenset({"Python"})
    configurations: frozenset[str] = frozenset()

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002 - one rule for all files
        """The imports of one file; bytes that are no Python give what the parser recovers, at worst nothing."""
        if b"import" not in source:
            return Facts(language)
        found = queries.captures("python", STATEMENTS, source).get("import", [])
        return Facts(language, tuple(dict.fromkeys(one for node in found for one in _imports(node))))

    def edges(
        self,
        facts: Mapping[str, Facts],
        configurations: Mapping[str, bytes],  # noqa: ARG002 - Python's are not needed
        paths: frozenset[str],
    ) -> Iterator[Edge]:
        """The edges between Python files of one repository, each once, in the order of `facts`."""
        modules = _Modules(facts, paths)
        for user, said in facts.items():
            found = dict.fromkeys(file for one in said.imports for file in modules.meant(user, one))
            for dependency in found:
                if dependency != user:
                    yield Edge(user, dependency)


def _imports(statement: Node) -> Iterator[Import]:
    names = tuple(_dotted(node) for node in statement.children_by_field_name("name"))
    if statement.type == "import_statement":
        yield from (Import(name) for name in names if name)
        return
    module = statement.child_by_field_name("module_name")
    written = _dotted(module) if module else ""
    name = written.lstrip(".")
    if any(child.type == "wildcard_import" for child in statement.children):
        names = ("*",)
    if written:
        yield Import(name, tuple(filter(None, names)), len(written) - len(name))


def _dotted(node: Node) -> str:
    """A name as `a.b`, without its alias and what may stand between its parts."""
    if node.type == "aliased_import":
        node = node.child_by_field_name("name") or node
    return _NOT_A_NAME.sub("", queries.text(node))


class _Modules:
    """Where the modules of one repository are, and from which directories ("roots") files can import them."""

    def __init__(self, facts: Mapping[str, Facts], paths: frozenset[str]) -> None:
        python = [path for path in paths if path.endswith(SUFFIXES)]
        self.sources = {_stem(path): path for path in facts if path.endswith((".py", ".pyw"))}
        self.stubs = {_stem(path): path for path in facts if path.endswith(".pyi")}
        self.packages = {dirname(path) for path in python if _stem(basename(path)) == "__init__"} - {""}
        self.distributions = {dirname(path) for path in paths if basename(path) in DISTRIBUTION_FILES}
        self.roots = self._roots_of_names(python)
        self.candidates: dict[tuple[str, str], tuple[str, ...]] = {}

    def meant(self, user: str, one: Import) -> Iterator[str]:
        """The files that an import in the file `user` means, most often one per imported name, or none."""
        stubs = user.endswith(".pyi")
        if one.level:
            package = _ancestor(dirname(user), one.level - 1)
            yield from self._taken(() if package is None else (package,), one, stubs=stubs)
            return
        roots = self._candidates(dirname(user), one.name.partition(".")[0])
        if one.names:
            yield from self._taken(roots, one, stubs=stubs)
            return
        # `import a.b` binds `a`, so that b may also be an attribute that the module a has made out of another one.
        for name in (one.name, one.name.rpartition(".")[0]):
            if file := next((file for root in roots if (file := self._file(root, name, stubs=stubs))), None):
                yield file
                return

    def _taken(self, roots: Iterable[str], one: Import, *, stubs: bool) -> Iterator[str]:
        """The files that `from ... import ...` means: submodules where there are such, else the module itself."""
        home = next((root for root in roots if self._file(root, one.name, stubs=stubs)), None)
        module = None if home is None else self._file(home, one.name, stubs=stubs)
        for name in one.names:
            submodule = f"{one.name}.{name}" if one.name else name
            where = roots if home is None else (home,)
            found = next((file for root in where if (file := self._file(root, submodule, stubs=stubs))), module)
            if found:
                yield found

    def _file(self, root: str, name: str, *, stubs: bool) -> str | None:
        """The file of a module: a package before a module of the same name, a source before its stub."""
        stem = _join(root, name.replace(".", "/")) if name else root
        for kind in (self.stubs, self.sources) if stubs else (self.sources, self.stubs):
            if file := kind.get(_join(stem, "__init__")) or kind.get(stem):
                return file
        return None

    def _candidates(self, folder: str, top: str) -> tuple[str, ...]:
        """The roots from which a file in `folder` may mean a module whose name begins with `top`, likeliest first."""
        key = folder, top
        if key not in self.candidates:
            self.candidates[key] = tuple(self._ranked(folder, top))
        return self.candidates[key]

    def _ranked(self, folder: str, top: str) -> Iterator[str]:
        roots = self.roots.get(top, set())
        own = folder
        while own in self.packages:
            own = dirname(own)
        if own in roots:
            yield own
        if top in STANDARD_LIBRARY:
            return
        above = [root for root in _ancestors(own) if root in roots]
        yield from above
        others = [root for root in roots - {own, *above} if self._importable_from(folder, root, top)]
        yield from sorted(others, key=lambda root: (-_shared(folder, root), root.count("/"), root))

    def _importable_from(self, folder: str, root: str, top: str) -> bool:
        """Whether a file elsewhere may mean `top` in `root`: not if that is a script, or a package among tests."""
        parts = root.split("/")
        side = next((index for index, part in enumerate(parts, 1) if part in SIDE_DIRECTORIES), None)
        if side is not None and not f"{folder}/".startswith("/".join(parts[:side]) + "/"):
            return False
        regular = _join(root, top) in self.packages
        return regular or parts[-1] in SOURCE_ROOTS or root in self.distributions

    def _roots_of_names(self, python: list[str]) -> dict[str, set[str]]:
        """The first component of a module's name to the directories that hold it and are no package themselves."""
        roots: dict[str, set[str]] = defaultdict(set)
        seen: set[str] = set()
        for path in python:
            stem = _stem(path)
            while stem and stem not in seen:
                seen.add(stem)
                folder = dirname(stem)
                if folder not in self.packages:
                    roots[basename(stem)].add(folder)
                stem = folder
        return roots


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _ancestor(folder: str, levels: int) -> str | None:
    """The directory so many levels above; None above the repository."""
    for _ in range(levels):
        if not folder:
            return None
        folder = dirname(folder)
    return folder


def _ancestors(folder: str) -> Iterator[str]:
    """The directories above, nearest first, "" last."""
    while folder:
        folder = dirname(folder)
        yield folder


def _shared(folder: str, other: str) -> int:
    """How many leading directories two paths share."""
    count = 0
    for one, two in zip(folder.split("/"), other.split("/"), strict=False):
        if one != two:
            break
        count += 1
    return count
