"""Which file of a repository a module's name in JavaScript or TypeScript means.

The rules of Node.js, TypeScript and the common bundlers together, and what exists in the repository decides between
them: paths with and without extension, directories, `paths` and `baseUrl` of the nearest tsconfig.json or
jsconfig.json, packages of the repository by name, `imports` of the own package. What a package says that it builds is
not in the repository, so its sources are looked for where they usually are. What belongs here: files. What does not:
what configurations say (`javascript_configuration.py`).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import cache

from seed_platform.dependencies.javascript_configuration import (
    Mapped,
    compiler_mapping,
    package_and_rest,
    parse,
    targets,
    within,
)

_TYPED = (".ts", ".tsx", ".mts", ".cts", ".d.ts", ".d.mts", ".d.cts")
_UNTYPED = (".js", ".jsx", ".mjs", ".cjs", ".json")
EXTENSIONS = {True: _TYPED + _UNTYPED, False: _UNTYPED + _TYPED}
"""What may be left out at the end of a path, by whether the importing file is TypeScript."""

WRITTEN_FOR = {
    ".js": (".ts", ".tsx", ".d.ts"),
    ".jsx": (".tsx", ".ts", ".d.ts"),
    ".mjs": (".mts", ".d.mts"),
    ".cjs": (".cts", ".d.cts"),
}
"""Extensions of the output of a compiler, by which its input is imported."""

ENTRIES = ("source", "types", "typings", "module", "main", "browser")
"""Fields of package.json that say where a package begins, sources first."""


class Modules:
    """The modules of one repository."""

    def __init__(self, configurations: Mapping[str, bytes], paths: frozenset[str]) -> None:
        """Read the configuration files that are there.

        Args:
            configurations: text of configuration files, by path.
            paths: of all files of the repository.
        """
        self._paths = paths
        self._configurations = configurations
        self._packages = {
            posixpath.dirname(path): parse(text)
            for path, text in sorted(configurations.items())
            if posixpath.basename(path) == "package.json"
        }
        self._folders: dict[str, str] = {}
        # The outermost package of a name: others are mostly fixtures and copies.
        for folder in sorted(self._packages, key=lambda folder: (folder.count("/"), folder)):
            name = self._packages[folder].get("name")
            if isinstance(name, str) and name and "node_modules" not in folder.split("/"):
                self._folders.setdefault(name, folder)
        self._mapped = cache(lambda path: compiler_mapping(path, configurations, self._folders.get))
        self._mapping_of = cache(self._find_mapping)
        self._package_of = cache(self._find_package)
        self._resolved = cache(self._find_module)

    def resolve(self, path: str, name: str, *, typed: bool) -> str | None:
        """The file that `name` means in the file at `path`; None if it is none of the repository.

        Args:
            path: of the importing file.
            name: as written.
            typed: whether that file is TypeScript, which prefers TypeScript where both are there.
        """
        # Loaders of bundlers: "raw!./x" and "./x?raw".
        plain = name.rpartition("!")[2].partition("?")[0]
        return self._resolved(posixpath.dirname(path), plain, typed)

    def _find_module(self, folder: str, name: str, typed: bool) -> str | None:  # noqa: FBT001 - a key of the cache
        for candidate in self._candidates(folder, name):
            found = self._file_or_directory(candidate, typed=typed)
            if found is not None:
                return found
        return None

    def _candidates(self, folder: str, name: str) -> Iterator[str]:
        """The paths that a name may stand for, with or without extension, best first."""
        if name.startswith(("./", "../")) or name in {".", ".."}:
            yield from _known(within(folder, name))
            return
        if not name or name.startswith("/"):
            return
        if name.startswith("#"):
            owner = self._package_of(folder)
            if owner is not None:
                for target in targets(self._packages[owner].get("imports"), name):
                    yield from _known(within(owner, target))
        mapped = self._mapping_of(folder)
        if mapped is not None:
            yield from _by_paths(mapped, name)
        package_name, rest = package_and_rest(name)
        if package_name in self._folders:
            yield from self._in_package(self._folders[package_name], rest)
        if mapped is not None and mapped.base is not None:
            yield from _known(within(mapped.base, name))

    def _in_package(self, folder: str, rest: str) -> Iterator[str]:
        """The paths of a module of a package: `rest` as written after its name, "" for the package itself."""
        said = self._packages[folder]
        entries = list(targets(said.get("exports"), f"./{rest}" if rest else "."))
        entries += [rest] if rest else [entry for key in ENTRIES if isinstance(entry := said.get(key), str)]
        for entry in entries:
            yield from _known(within(folder, entry))
        for entry in entries:
            path = within("", entry)
            if path:
                # Built from sources: "dist/esm/x.js" from "src/x", or from "src/esm/x".
                parts = posixpath.splitext(path)[0].split("/")
                for start in range(1, len(parts)):
                    yield posixpath.join(folder, "src", *parts[start:])
                yield posixpath.join(folder, "src", *parts)
        if not rest:
            yield posixpath.join(folder, "src", "index")
            yield posixpath.join(folder, "index")

    def _file_or_directory(self, path: str, *, typed: bool) -> str | None:
        found = self._file(path, typed=typed)
        if found is None and path in self._packages:
            entries = (
                within(path, entry) for key in ENTRIES if isinstance(entry := self._packages[path].get(key), str)
            )
            found = next((file for entry in entries if entry and (file := self._file(entry, typed=typed))), None)
        return found or self._file(posixpath.join(path, "index"), typed=typed)

    def _file(self, path: str, *, typed: bool) -> str | None:
        """The file that a path means, by itself, by what it was written for, or with an extension."""
        if not path:
            return None
        stem, extension = posixpath.splitext(path)
        sources = [stem + other for other in WRITTEN_FOR.get(extension, ())]
        candidates = [*sources, path] if typed else [path, *sources]
        candidates += [path + other for other in EXTENSIONS[typed]]
        return next((candidate for candidate in candidates if candidate in self._paths), None)

    def _find_mapping(self, folder: str) -> Mapped | None:
        """The mapping of the nearest configuration at or above a folder."""
        for above in _upwards(folder):
            for name in ("tsconfig.json", "jsconfig.json"):
                path = posixpath.join(above, name)
                if path in self._configurations:
                    return self._mapped(path)
        return None

    def _find_package(self, folder: str) -> str | None:
        """The folder of the nearest package at or above a folder."""
        return next((above for above in _upwards(folder) if above in self._packages), None)


def _upwards(folder: str) -> Iterator[str]:
    """A folder and those above it, the repository's last."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""


def _by_paths(mapped: Mapped, name: str) -> Iterator[str]:
    """What `paths` give for a name: those of the first pattern that it matches."""
    for pattern, replacements in mapped.paths:
        before, star, after = pattern.partition("*")
        if name == pattern:
            yield from replacements
            return
        if star and len(name) >= len(pattern) - 1 and name.startswith(before) and name.endswith(after):
            matched = name[len(before) : len(name) - len(after)]
            for replacement in replacements:
                yield from _known(within("", replacement.replace("*", matched)))
            return


def _known(path: str | None) -> Iterator[str]:
    if path is not None:
        yield path
