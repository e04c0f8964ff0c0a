"""The tree of modules of Rust files: whose child a file is, and in which file a path's item is defined.

A child is where a `mod` declaration says; a file that none declares, since a macro does or its crate's root is not
there, is placed by its path. What belongs here: walking modules, and following `use` declarations to where a name comes
from. What does not: reading files (`rust.py`), crates (`rust_crates.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join, normpath

from seed_platform.dependencies.base import Facts, Import
from seed_platform.dependencies.rust_crates import Crates

OWN_FOLDER = frozenset({"mod.rs", "lib.rs", "main.rs"})
"""Files whose child modules stand beside them, not in a folder of their name."""

MODULES = frozenset({"mod", "test mod"})
"""Forms of imports that declare a child module."""

_MAX_STEPS = 64
"""Names that are looked up on the way to one, through re-exports and globs."""

_Trail = list[tuple[str, str]]
"""The modules and names that have been looked up on the way, so that circles end."""


class Modules:
    """The modules of one repository."""

    def __init__(self, facts: Mapping[str, Facts], crates: Crates, paths: frozenset[str]) -> None:
        self._facts = facts
        self._crates = crates
        self._paths = paths
        self._provides = {path: frozenset(said.provides) for path, said in facts.items()}
        self._parent: dict[str, str] = {}
        # How many modules inside the parent's file stand between it and the child.
        self._inside: dict[str, int] = {}
        self._children: dict[tuple[str, str], str] = {}
        self._taken: dict[str, tuple[dict[str, list[str]], list[str]]] = {}
        self._beside = set(crates.roots(facts))
        declarations = [
            (user, imported) for user, said in facts.items() for imported in said.imports if imported.form in MODULES
        ]
        self._declare([(user, imported) for user, imported in declarations if imported.names], beside=True)
        self._declare([(user, imported) for user, imported in declarations if not imported.names], beside=False)

    def _declare(self, declarations: list[tuple[str, Import]], *, beside: bool) -> None:
        for user, imported in declarations:
            for child in self.declared(user, imported):
                self._children.setdefault((user, imported.name), child)
                if child not in self._parent:
                    self._parent[child] = user
                    self._inside[child] = imported.name.count("::")
                if beside:
                    self._beside.add(child)

    def declared(self, user: str, imported: Import) -> Iterator[str]:
        """The files that a `mod` declaration means: by `#[path]` there may be several, under conditions."""
        inline = imported.name.split("::")[:-1]
        own = join(self._folder(user), *inline)
        places = [normpath(join(own if inline else dirname(user), path)) for path in imported.names]
        if not any(place in self._paths for place in places):
            places = list(_layout(self._folder(user), imported.name))
        yield from (place for place in places if place in self._paths and place != user)

    def resolve(self, user: str, path: str) -> str | None:
        """The file that defines what a path means in a file, or the file of the last module that is known."""
        return self._resolve(user, path, [])

    def _resolve(self, user: str, path: str, trail: _Trail) -> str | None:
        first, *rest = path.split("::")
        module: str | None = user
        if first == "crate":
            module = self._root(user)
        elif first == "super":
            up = next((place for place, part in enumerate(rest) if part != "super"), len(rest))
            module, rest = self._above(user, up + 1), rest[up:]
        elif first == "":
            module, rest = (self._crates.root_of(rest[0], user) if rest else None), rest[1:]
        elif first != "self":
            return self._relative(user, first, rest, trail)
        return None if module is None else self._walk(module, rest, trail)

    def _relative(self, user: str, first: str, rest: list[str], trail: _Trail) -> str | None:
        child = self._child(user, first)
        if child is not None:
            return self._walk(child, rest, trail)
        if first in self._provides.get(user, ()):
            return user
        root = self._crates.root_of(first, user)
        if root is not None:
            return self._walk(root, rest, trail)
        # Before the edition of 2018 such a path began at the crate's root.
        child = self._child(self._root(user), first)
        return None if child is None else self._walk(child, rest, trail)

    def _walk(self, module: str, rest: list[str], trail: _Trail) -> str:
        """Go down while there are child modules; what is left is looked up in the last one."""
        while rest:
            child = self._child(module, rest[0])
            if child is None:
                return self._item(module, rest, trail) or module
            module, rest = child, rest[1:]
        return module

    def _item(self, module: str, rest: list[str], trail: _Trail) -> str | None:
        """The file that defines an item which `module` defines or takes from elsewhere; None if it does neither."""
        name = rest[0]
        if name in self._provides.get(module, ()):
            return module
        if (module, name) in trail or len(trail) >= _MAX_STEPS:
            return None
        trail.append((module, name))
        named, globs = self._taken_by(module)
        for path in named.get(name, ()):
            found = self._resolve(module, "::".join([path, *rest[1:]]), trail)
            if found is not None:
                return found
        for path in globs:
            source = self._resolve(module, path, trail)
            if source is not None and source != module:
                child = self._child(source, name)
                found = self._walk(child, rest[1:], trail) if child else self._item(source, rest, trail)
                if found is not None:
                    return found
        return None

    def _taken_by(self, module: str) -> tuple[dict[str, list[str]], list[str]]:
        """What a module takes from elsewhere: paths by the name that they get there, and the paths before globs."""
        if module not in self._taken:
            named: dict[str, list[str]] = defaultdict(list)
            globs: list[str] = []
            said = self._facts.get(module)
            for imported in said.imports if said is not None else ():
                if imported.form == "use" and imported.names == ("*",):
                    globs.append(imported.name)
                elif imported.form == "use":
                    named[imported.names[0] if imported.names else imported.name.rpartition("::")[2]].append(
                        imported.name
                    )
            self._taken[module] = dict(named), globs
        return self._taken[module]

    def _folder(self, path: str) -> str:
        """Where a file's child modules are."""
        declared = path in self._parent and path not in self._beside
        if basename(path) in OWN_FOLDER or (path in self._beside and not declared):
            return dirname(path)
        return path.removesuffix(".rs")

    def _child(self, path: str, name: str) -> str | None:
        known = self._children.get((path, name))
        if known is not None:
            return known
        places = _layout(self._folder(path), name)
        return next((place for place in places if place in self._paths and place != path), None)

    def _parent_of(self, path: str) -> str | None:
        name, folder = basename(path), dirname(path)
        if name in ("lib.rs", "main.rs"):
            return None
        declared = self._parent.get(path)
        if declared is not None or path in self._beside:
            return declared
        if name == "mod.rs":
            path, folder = folder, dirname(folder)
        places = [join(folder, other) for other in ("mod.rs", "lib.rs", "main.rs")] + (
            [f"{folder}.rs"] if folder else []
        )
        return next((place for place in places if place in self._paths and place != path), None)

    def _above(self, path: str, levels: int) -> str | None:
        """The file of the module so many levels above a file's own."""
        inside = 0
        module: str | None = path
        for _ in range(levels):
            if module is None:
                return None
            if inside:
                inside -= 1
            else:
                inside, module = self._inside.get(module, 0), self._parent_of(module)
        return module

    def _root(self, path: str) -> str:
        seen = {path}
        parent = self._parent_of(path)
        while parent is not None and parent not in seen:
            seen.add(parent)
            path, parent = parent, self._parent_of(parent)
        return path


def _layout(folder: str, name: str) -> Iterator[str]:
    """Where the module `name`, perhaps with inline modules before it, of a file with this folder is by convention."""
    place = join(folder, *name.split("::"))
    yield f"{place}.rs"
    yield f"{place}/mod.rs"
