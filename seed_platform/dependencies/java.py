"""References of Java between types, and which files of the repository hold those types.

A type is known by its package, which its file declares, and its name; where the file lies says nothing about that, so
that any layout of source roots and modules does. What belongs here: which file a name in a file can mean by Java's
scopes (own types, single-type imports, the same package, imports on demand). What does not: types that code uses
without naming them, e.g. of a method's result that is passed on, and nested types that are inherited: both need the
members of every type.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from posixpath import dirname

from tree_sitter import Node

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import

NAMES = """
(package_declaration [(scoped_identifier) (identifier)] @package)
(import_declaration) @import
[(class_declaration name: (identifier) @name) (interface_declaration name: (identifier) @name)
 (enum_declaration name: (identifier) @name) (record_declaration name: (identifier) @name)
 (annotation_type_declaration name: (identifier) @name)]
[(class_declaration body: (_) @body) (interface_declaration body: (_) @body) (enum_declaration body: (_) @body)
 (record_declaration body: (_) @body) (annotation_type_declaration body: (_) @body)]
(type_identifier) @use
(scoped_type_identifier) @qualified
(marker_annotation name: (identifier) @use)
(annotation name: (identifier) @use)
(marker_annotation name: (scoped_identifier) @qualified)
(annotation name: (scoped_identifier) @qualified)
(method_invocation object: (identifier) @scope)
(field_access object: (identifier) @scope)
(field_access) @qualified
(method_reference . (identifier) @scope)
"""

_MAX_NAME = 500
"""Length of a type's name with its package. Classes nested a thousand deep, or chains of as many members, hold as many
shorter ones, whose texts together grow with the square.
"""

_SPACE = re.compile(r"\s+|/\*.*?\*/|//[^\n]*", re.DOTALL)

_QUALIFIED = re.compile(rb"(?:[a-z_$][\w$]*\s*\.\s*)+[A-Z][\w$]*")
"""A type with its package: by custom packages begin with a small letter and types with a capital one, which is what
tells them from fields of variables."""

_SOURCE_SET = re.compile(r"(?:^|/)src/[^/]+/java$")


class JavaResolver:
    """A file depends on the files of the types that it imports or names."""

    languages = frozenset({"Java"})
    configurations: frozenset[str] = frozenset()

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002 - one rule for all files
        """Package, imports, declared types (nested ones as `Outer.Inner`) and names that may be types of one file."""
        found = queries.captures("java", NAMES, source)
        package = next((_name(node) for node in found.get("package", [])), None)
        declared = list(_declared(found.get("name", []), found.get("body", [])))
        provides = tuple(dict.fromkeys(one.name for one in declared))
        uses = _used(source, found, declared)
        imports = tuple(dict.fromkeys(one for node in found.get("import", []) if (one := _import(node))))
        return Facts(language, imports, package, provides, tuple(sorted(uses)))

    def edges(
        self,
        facts: Mapping[str, Facts],
        configurations: Mapping[str, bytes],  # noqa: ARG002 - Java's are not needed
        paths: frozenset[str],  # noqa: ARG002 - types are in the files that declare them
    ) -> Iterator[Edge]:
        """The edges between Java files of one repository, each once, in the order of `facts`."""
        types = _Types(facts)
        for user, said in facts.items():
            for dependency in dict.fromkeys(types.meant(user, said)):
                if dependency != user:
                    yield Edge(user, dependency)


def _name(node: Node) -> str:
    return _SPACE.sub("", queries.text(node))


def _import(declaration: Node) -> Import | None:
    """`static` and a star are words of their own beside the name."""
    kinds = {child.type: child for child in declaration.children}
    written = kinds.get("scoped_identifier") or kinds.get("identifier")
    if written is None:
        return None
    name = _name(written)
    form = "static" if "static" in kinds else ""
    if "asterisk" in kinds:
        return Import(name, ("*",), form=form)
    if form:
        owner, _, member = name.rpartition(".")
        return Import(owner, (member,), form=form)
    return Import(name)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A type that the file declares, and from which to which byte its simple name means it."""

    name: str
    start: int
    end: int


def _declared(names: list[Node], bodies: list[Node]) -> Iterator[_Declared]:
    """Those around a nested type are the ones in whose bodies it stands; the body of the innermost is where its simple
    name means it, which excludes what that one extends.
    """
    around = [_Declared("", 0, sys.maxsize)]
    last = ""
    # A declaration's body is the first one after its name. A node's parent would say the same, searched from the root.
    for node in sorted([*names, *bodies], key=attrgetter("start_byte")):
        while around[-1].end <= node.start_byte:
            around.pop()
        outer = around[-1]
        if node.type != "identifier":
            around.append(_Declared(last[:_MAX_NAME], node.start_byte, node.end_byte))
        elif simple := queries.text(node):  # empty where the parser guesses a missing name
            last = f"{outer.name}.{simple}" if outer.name else simple
            if len(last) <= _MAX_NAME:
                yield _Declared(last, outer.start, outer.end)


def _used(source: bytes, found: Mapping[str, list[Node]], declared: list[_Declared]) -> set[str]:
    """Simple names that may be types of other files, and types' names with a package."""
    own = defaultdict(list)
    for one in declared:
        own[one.name.rpartition(".")[2].encode()].append(one)
    uses = set()
    for kind in ("use", "scope"):
        for node in found.get(kind, ()):
            start = node.start_byte
            # Slices of the source cost half of what nodes' texts do, and there are hundreds to a file.
            name = source[start : node.end_byte]
            if name in uses or (kind == "scope" and not name[:1].isupper()) or source[start - 1] == _DOT:
                continue
            if name not in own or not any(one.start <= start < one.end for one in own[name]):
                uses.add(name)
    for node in found.get("qualified", ()):
        start, end = node.start_byte, node.end_byte
        if end - start <= _MAX_NAME and _QUALIFIED.fullmatch(source, start, end):
            uses.add(b"".join(source[start:end].split()))
    return {name.decode("utf-8", "replace") for name in uses}


_DOT = ord(".")


class _Types:
    """Which files declare which types of one repository."""

    def __init__(self, facts: Mapping[str, Facts]) -> None:
        self.files: dict[str, list[str]] = defaultdict(list)
        for path, said in facts.items():
            for name in said.provides:
                self.files[_join(said.package, name)].append(path)
        self.facts = facts

    def meant(self, user: str, said: Facts) -> Iterator[str]:
        """The files of the types that a file imports or names."""
        explicit = set()
        on_demand = []
        for one in said.imports:
            if one.names == ("*",):
                on_demand.append(one.name)
            else:
                explicit.add(one.names[0] if one.names else one.name.rpartition(".")[2])
            if one.form or not one.names or one.name in self.files:
                yield from self._file(user, one.name)
        for name in said.uses:
            if "." in name:
                yield from self._file(user, name)
            elif name not in explicit:
                scopes = (_join(scope, name) for scope in (said.package, *on_demand))
                found = next((full for full in scopes if full in self.files), None)
                if found:
                    yield from self._file(user, found)

    def _file(self, user: str, name: str) -> Iterator[str]:
        """The file of a type, or of that around a nested one or a member; of several the one nearest to the user."""
        while name and name not in self.files:
            name = name.rpartition(".")[0]
        files = [path for path in self.files.get(name, ()) if "." in name or _same_root(user, path)]
        if files:
            yield min(files, key=lambda path: (-_shared(user, path), path))


def _join(package: str | None, name: str) -> str:
    return f"{package}.{name}" if package else name


def _same_root(user: str, other: str) -> bool:
    """Whether two files of the default package can see each other: in one folder or beside it, as tests in `src/test`.

    Repositories of exercises hold a `Solution` without a package in each of hundreds of folders.
    """
    folders = dirname(user), dirname(other)
    return folders[0] == folders[1] or len({_SOURCE_SET.sub("", folder) for folder in folders}) == 1


def _shared(path: str, other: str) -> int:
    """How many leading directories two paths share."""
    count = 0
    for one, two in zip(path.split("/"), other.split("/"), strict=False):
        if one != two:
            break
        count += 1
    return count
