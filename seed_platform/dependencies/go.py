"""Imports of Go, and what files of one package use of each other.

A package is a folder. An import is an edge to each of its files that are no tests, since any of them may hold what is
meant, for whatever system they are built. Of a package of more than `MOST_FILES` files it is an edge to those that
declare a top-level name which the user takes from it, or to the first `MOST_FILES` if none does: edges to all files of
generated packages, which may have thousands, would be users times files.

Files of one package depend on each other without an import: a file depends on those that declare a top-level name that
it uses and nowhere declares itself, not even as a parameter or a local variable, since scopes are not followed; methods
and fields are not followed either. Tests use tests, other files do not.

What a path means, first answer first: the importing file's module and its `replace` by local folders, other modules of
the repository, `vendor` folders above. Without any `go.mod` the repository's own path is the one below which most
imported folders exist. What belongs here: what files say and use. What does not: what an import path means
(`go_modules.py`), build tags, and modules elsewhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename, dirname

from tree_sitter import Node

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import
from seed_platform.dependencies.go_modules import CONFIGURATION, Modules

QUERY = """
(package_clause (package_identifier) @package)
(import_spec path: (_)) @import
(function_declaration name: (identifier) @provided)
(source_file [(type_declaration) (const_declaration) (var_declaration)] @declaration)
(short_var_declaration left: (expression_list (identifier) @local))
(range_clause left: (expression_list (identifier) @local))
(parameter_declaration name: (identifier) @local)
(variadic_parameter_declaration name: (identifier) @local)
(type_parameter_declaration name: (identifier) @local)
(var_spec name: (identifier) @local)
(const_spec name: (identifier) @local)
[(identifier) (type_identifier)] @used
[(selector_expression operand: (identifier)) (qualified_type)] @member
"""

# fmt: off
_PREDECLARED = (
    "any append bool byte cap clear close comparable complex complex128 complex64 copy delete error false float32 "
    "float64 imag int int16 int32 int64 int8 iota len make max min new nil panic print println real recover rune "
    "string true uint uint16 uint32 uint64 uint8 uintptr _"
)
# fmt: on
PREDECLARED = frozenset(_PREDECLARED.split())
"""Names that every file has; a package that declares one again is not followed for it."""

MOST_FILES = 64
"""Of a package that an import leads to all of."""

UNSHARED = frozenset({"init", "main", "_"})
"""Top-level names that no other file can use."""


class GoResolver:
    """Go."""

    languages = frozenset({"Go"})
    configurations = frozenset({CONFIGURATION})

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002 - one rule for all files
        """Imports, the package's name, its top-level names declared here, and names used that are not declared here.

        The form of an import is the name that the file gives the package, "" if it gives none. Names that may be taken
        from packages are among those used as `package.Name`.
        """
        found = queries.captures("go", QUERY, source)
        declared = (name for node in found.get("declaration", ()) for name in _declared(node))
        provides = (_names(found.get("provided", ())) | _names(declared)) - UNSHARED
        used = _names(found.get("used", ())) - provides - PREDECLARED - _names(found.get("local", ()))
        used |= {member for name in _names(found.get("member", ())) if _is_exported(member := "".join(name.split()))}
        imports = (each for node in found.get("import", ()) for each in _import(node))
        package = next((queries.text(node) for node in found.get("package", ())), None)
        return Facts(language, tuple(dict.fromkeys(imports)), package, tuple(sorted(provides)), tuple(sorted(used)))

    def edges(
        self,
        facts: Mapping[str, Facts],
        configurations: Mapping[str, bytes],
        paths: frozenset[str],  # noqa: ARG002 - only files that were read belong to packages
    ) -> Iterator[Edge]:
        """Of each file the edges by imports first, then those inside the package."""
        packages = _Packages(facts)
        modules = Modules(configurations, packages.folders, _imported(facts))
        for user, said in facts.items():
            found: dict[str, None] = {}
            for imported in said.imports:
                folder = modules.folder_of(imported.name, dirname(user))
                if folder is not None:
                    found |= dict.fromkeys(packages.imported(folder, imported, said))
            found |= dict.fromkeys(packages.siblings(user, said))
            found.pop(user, None)
            for dependency in found:
                yield Edge(user, dependency)


def _names(nodes: Iterable[Node]) -> set[str]:
    # Each name stands in a file many times: telling them apart as bytes leaves little to decode.
    return {name.decode("utf-8", "replace") for name in {node.text or b"" for node in nodes}}


def _is_exported(member: str) -> bool:
    return member.rpartition(".")[2][:1].isupper()


def _import(spec: Node) -> Iterator[Import]:
    path, name = spec.child_by_field_name("path"), spec.child_by_field_name("name")
    if path is not None:
        yield Import(queries.text(path).strip('"`'), form="" if name is None else queries.text(name))


def _declared(declaration: Node) -> Iterator[Node]:
    """The names that a declaration of types, constants or variables declares."""
    for spec in declaration.named_children:
        if spec.type == "var_spec_list":
            yield from _declared(spec)
        else:
            yield from spec.children_by_field_name("name")


def _imported(facts: Mapping[str, Facts]) -> Iterable[str]:
    return sorted({imported.name for said in facts.values() for imported in said.imports})


def _is_test(path: str) -> bool:
    return path.endswith("_test.go")


class _Packages:
    """The packages of a repository: their files, and which of these declares what."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self._named: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self._declared: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for path, said in sorted(facts.items()):
            # The go command looks at no file whose name begins like this.
            if said.package is None or basename(path).startswith(("_", ".")):
                continue
            if not _is_test(path):
                self._named[dirname(path)][said.package].append(path)
            for name in said.provides:
                self._declared[dirname(path), said.package][name].append(path)
        self.folders = frozenset(self._named)

    def imported(self, folder: str, imported: Import, said: Facts) -> list[str]:
        """The files that an import of the folder leads to, in a file that says `said`.

        They are of one package. Beside it may stand programs and documentation, each with a package of its own that the
        build skips by a tag.
        """
        packages = self._named[folder]
        sizes = Counter({name: len(files) for name, files in sorted(packages.items()) if name != "main"})
        if not sizes:
            return []
        package = sizes.most_common(1)[0][0]
        files = packages[package]
        if len(files) <= MOST_FILES:
            return files
        taken = said.uses
        if imported.form != ".":
            prefix = f"{imported.form or package}."
            taken = tuple(name.removeprefix(prefix) for name in said.uses if name.startswith(prefix))
        declared = self._declared[folder, package]
        found = {path for name in taken for path in declared.get(name, ()) if not _is_test(path)}
        return sorted(found) or files[:MOST_FILES]

    def siblings(self, user: str, said: Facts) -> Iterator[str]:
        """The files of the same package that declare what the file uses."""
        declared = self._declared.get((dirname(user), said.package or ""), {})
        for name in said.uses:
            for path in declared.get(name, ()):
                if _is_test(user) or not _is_test(path):
                    yield path
