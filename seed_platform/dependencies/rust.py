"""What a file of Rust says of modules, imports and paths, and the edges that follow.

A module depends on the child that it declares by `mod`, since it re-exports or calls what is in it, but not on one that
it declares for tests only; a child depends on its parent only where it names something of it. A `use`, and a path
that begins with `crate`, `self`, `super` or another crate of the repository, is an edge to the file where the item is
defined, through re-exports and globs as far as they can be followed, else to the last module on the way. Other crates'
conditions and features are ignored: all branches count. What belongs here: these rules and what is read. What does not:
where modules and crates are (`rust_modules.py`, `rust_crates.py`), paths inside macro calls, methods.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath

from tree_sitter import Node

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import
from seed_platform.dependencies.rust_crates import CONFIGURATION, Crates
from seed_platform.dependencies.rust_modules import Modules

QUERY = """
(mod_item !body) @mod
(use_declaration argument: (_) @use)
(extern_crate_declaration name: (identifier) @extern)
[(scoped_identifier path: [(crate) (self) (super)]) (scoped_type_identifier path: [(crate) (self) (super)])] @path
[(scoped_identifier path: (identifier) @head) (scoped_type_identifier path: (identifier) @head)]
(source_file (_ name: (_) @provided))
((macro_invocation macro: (identifier) @macro (token_tree . (string_literal) @include)) (#eq? @macro "include"))
"""

_PATH_ATTRIBUTE = re.compile(r'\bpath\s*=\s*"([^"]+)"')
_FOR_TESTS = re.compile(r"#\[\s*cfg\s*\(\s*(?:all\s*\(\s*)?test\b")
_BLANK = re.compile(r"\s+")
_MAX_DEPTH = 64
_NOT_IN_CODE = frozenset({"visibility_modifier", "attribute"})


class RustResolver:
    """Rust."""

    languages = frozenset({"Rust"})
    configurations = frozenset({CONFIGURATION})

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002 - one rule for all files
        """Declarations of modules, imports and paths; top-level names; first parts of paths, which may be crates.

        Forms of imports, paths being of the file's own module also where they stand in a module inside the file:
        "mod" and "test mod" (`names` are files of `#[path]`), "use" (`names` is ("*",), a new name or nothing), "inner
        use" (seen only inside a block or such a module), "path", "extern", "include".
        """
        found = queries.captures("rust", QUERY, source)
        imports = [_module(node) for node in found.get("mod", ())]
        for node in found.get("use", ()):
            inline = _inline(node)
            top = node.parent is not None and node.parent.parent is not None and node.parent.parent.parent is None
            for name, names in _leaves(node, ""):
                imports.append(Import(_from_file(name, inline), names, form="use" if top else "inner use"))
        imports += [Import(queries.text(node), form="extern") for node in found.get("extern", ())]
        imports += [one for node in found.get("path", ()) for one in _path(node)]
        imports += [Import(queries.text(node).strip('"'), form="include") for node in found.get("include", ())]
        provides = {queries.text(node) for node in found.get("provided", ())}
        heads = {node.text or b"" for node in found.get("head", ())}
        uses = {head.decode("utf-8", "replace") for head in heads if head[:1].islower() or head[:1] == b"_"}
        return Facts(language, tuple(dict.fromkeys(imports)), None, tuple(sorted(provides)), tuple(sorted(uses)))

    def edges(
        self, facts: Mapping[str, Facts], configurations: Mapping[str, bytes], paths: frozenset[str]
    ) -> Iterator[Edge]:
        """Edges of each file, in the order of what it says."""
        crates = Crates(configurations, paths)
        modules = Modules(facts, crates, paths)
        for user, said in facts.items():
            found: dict[str | None, None] = {}
            for imported in said.imports:
                if imported.form == "mod":
                    found |= dict.fromkeys(modules.declared(user, imported))
                elif imported.form == "extern":
                    found[crates.root_of(imported.name, user)] = None
                elif imported.form == "include":
                    place = normpath(join(dirname(user), imported.name))
                    found[place if place in paths else None] = None
                elif imported.form != "test mod":
                    found[modules.resolve(user, imported.name)] = None
            # What is imported of a crate has its edge; only a path that begins with a crate's name means the root.
            imported_from = {imported.name.removeprefix("::").partition("::")[0] for imported in said.imports}
            found |= dict.fromkeys(crates.root_of(name, user) for name in said.uses if name not in imported_from)
            for dependency in found:
                if dependency is not None and dependency != user:
                    yield Edge(user, dependency)


def _module(node: Node) -> Import:
    """A declaration of a module in another file."""
    name = node.child_by_field_name("name")
    attributes = list(_attributes(node))
    inline = _inline(node)
    above = [attribute for module in inline for attribute in _attributes(module)]
    files = tuple(file for attribute in attributes for file in _PATH_ATTRIBUTE.findall(attribute))
    tests = any(_FOR_TESTS.match(attribute) for attribute in attributes + above)
    own = queries.text(name) if name is not None else ""
    return Import("::".join([*map(_name, inline), own]), files, form="test mod" if tests else "mod")


def _attributes(node: Node) -> Iterator[str]:
    """The attributes before an item."""
    before = node.prev_named_sibling
    while before is not None and before.type in ("attribute_item", "line_comment", "block_comment"):
        if before.type == "attribute_item":
            yield queries.text(before)
        before = before.prev_named_sibling


def _inline(node: Node) -> list[Node]:
    """The modules inside the file around a node, outermost first."""
    around = []
    above = node.parent
    while above is not None:
        if above.type == "mod_item":
            around.append(above)
        above = above.parent
    return around[::-1]


def _name(module: Node) -> str:
    name = module.child_by_field_name("name")
    return queries.text(name) if name is not None else ""


def _from_file(path: str, inline: list[Node]) -> str:
    """A path in a module inside the file as it is in the file's own module."""
    parts = path.split("::")
    up = next((place for place, part in enumerate(parts) if part != "super"), len(parts))
    if not inline or (not up and parts[0] != "self"):
        return path
    rest = parts[up:] if up else parts[1:]
    if up > len(inline):
        return "::".join(["super"] * (up - len(inline)) + rest)
    return "::".join(["self", *map(_name, inline[: len(inline) - up]), *rest])


def _leaves(node: Node, before: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The paths of a tree of imports, each with "*" or its new name; none of what is nested deeper than code nests."""
    if before.count("::") > _MAX_DEPTH:
        return
    if node.type == "use_list":
        for child in node.named_children:
            if child.type != "use_list":
                yield from _leaves(child, before)
    elif node.type == "scoped_use_list":
        path, listed = node.child_by_field_name("path"), node.child_by_field_name("list")
        if listed is not None:
            yield from _leaves(listed, _joined(before, _text(path)))
    elif node.type == "use_wildcard":
        yield _joined(before, _text(next(iter(node.named_children), None))), ("*",)
    elif node.type == "use_as_clause":
        path, alias = node.child_by_field_name("path"), node.child_by_field_name("alias")
        yield _joined(before, _text(path)), (_text(alias),)
    elif node.type in ("identifier", "scoped_identifier", "crate", "self", "super"):
        yield _joined(before, _text(node)), ()


def _joined(before: str, path: str) -> str:
    if not path or (path == "self" and before):
        return before
    return f"{before}::{path}" if before else path


def _text(node: Node | None) -> str:
    return "" if node is None else _BLANK.sub("", queries.text(node))


def _path(node: Node) -> Iterator[Import]:
    """A path in code from its first part on; nothing for those in imports, read as such, and in visibilities."""
    above = node.parent
    while above is not None and above.type in ("scoped_identifier", "scoped_type_identifier"):
        node, above = above, above.parent
    if above is None or above.type.startswith(("use_", "scoped_use")) or above.type in _NOT_IN_CODE:
        return
    text = _text(node)
    if re.fullmatch(r"[\w:]+", text):
        yield Import(_from_file(text, _inline(node)), form="path")
