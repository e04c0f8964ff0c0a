"""The crates of a repository of Rust: their root files, and which crate a name means in a file.

What belongs here: `Cargo.toml` files and Cargo's conventions for where targets are. What does not: modules inside a
crate (`rust_modules.py`), versions, features, and crates from elsewhere.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname, join, normpath
from typing import Any

CONFIGURATION = "Cargo.toml"

_DEPENDENCIES = ("dependencies", "dev-dependencies", "build-dependencies")
_EXPLICIT = ("bin", "example", "test", "bench")
_CONVENTIONAL = re.compile(
    r"src/lib\.rs|src/main\.rs|build\.rs|(?:src/bin|tests|examples|benches)/(?:[^/]+\.rs|[^/]+/main\.rs)"
)
"""Where Cargo looks for targets that the manifest does not name, below the package's folder."""


@dataclass(frozen=True, slots=True)
class Package:
    """What one `Cargo.toml` says of its package.

    Attributes:
        folder: that it stands in.
        name: of the package.
        library: the name under which its library is used in code, without hyphens.
        root: the file of its library; it need not exist.
        targets: files that the manifest names as roots of crates.
        dependencies: names of crates in code to the folder of the dependency, or to its package's name after "=".
    """

    folder: str
    name: str
    library: str
    root: str
    targets: frozenset[str]
    dependencies: Mapping[str, str]


class Crates:
    """The crates of one repository.

    Args:
        configurations: `Cargo.toml` files by path; what cannot be read counts as absent.
        paths: of all files.
    """

    def __init__(self, configurations: Mapping[str, bytes], paths: frozenset[str]) -> None:
        manifests = {dirname(path): _manifest(text) for path, text in sorted(configurations.items())}
        self._packages = {
            folder: _package(folder, manifest, manifests)
            for folder, manifest in manifests.items()
            if isinstance(_table(manifest, "package").get("name"), str)
        }
        self._paths = paths
        self._by_library: dict[str, list[Package]] = defaultdict(list)
        self._by_name: dict[str, list[Package]] = defaultdict(list)
        for package in self._packages.values():
            self._by_library[package.library].append(package)
            self._by_name[package.name].append(package)

    def roots(self, files: Iterable[str]) -> Iterator[str]:
        """Those of some files that are roots of crates."""
        for path in files:
            package = self._package_of(path)
            if package is None:
                continue
            below = path[len(package.folder) :].lstrip("/")
            if path == package.root or path in package.targets or _CONVENTIONAL.fullmatch(below):
                yield path

    def root_of(self, name: str, user: str) -> str | None:
        """The root file of the crate that `name` means in the file `user`; None if it is not in the repository.

        A crate that the package does not declare is taken by its name alone, if only one has it.
        """
        own = self._package_of(user)
        meant: list[Package] = []
        if own is not None:
            target = own.dependencies.get(name)
            if target is not None and not target.startswith("="):
                meant = [self._packages[target]] if target in self._packages else []
            elif target is not None:
                meant = self._by_name.get(target[1:], [])
            elif name == own.library:
                meant = [own]
        meant = meant or self._by_library.get(name, [])
        if len(meant) == 1 and meant[0].root in self._paths and meant[0].root != user:
            return meant[0].root
        return None

    def _package_of(self, path: str) -> Package | None:
        while path:
            path = dirname(path)
            if path in self._packages:
                return self._packages[path]
        return None


def _manifest(text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8-sig", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(table: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """The table below some keys, empty if something else is there."""
    found: Any = table
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _package(folder: str, manifest: dict[str, Any], manifests: Mapping[str, dict[str, Any]]) -> Package:
    name = str(_table(manifest, "package")["name"])
    library = _table(manifest, "lib")
    named = [manifest.get(kind) for kind in _EXPLICIT]
    explicit = [target for targets in named if isinstance(targets, list) for target in targets]
    build = _table(manifest, "package").get("build")
    targets = [target.get("path") for target in explicit if isinstance(target, dict)] + [build]
    return Package(
        folder,
        name,
        _text(library.get("name")) or name.replace("-", "_"),
        _below(folder, _text(library.get("path")) or "src/lib.rs"),
        frozenset(_below(folder, path) for path in targets if isinstance(path, str)),
        dict(_dependencies(folder, manifest, manifests)),
    )


def _dependencies(
    folder: str, manifest: dict[str, Any], manifests: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    platforms = [table for table in _table(manifest, "target").values() if isinstance(table, dict)]
    for table in (manifest, *platforms):
        for kind in _DEPENDENCIES:
            for name, said in _table(table, kind).items():
                place, told = folder, said if isinstance(said, dict) else {}
                if told.get("workspace") is True:
                    place, told = _of_workspace(folder, name, manifests)
                path = _text(told.get("path"))
                target = _below(place, path) if path else "=" + (_text(told.get("package")) or name)
                yield name.replace("-", "_"), target


def _of_workspace(folder: str, name: str, manifests: Mapping[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """What the nearest workspace above says of a dependency, and the folder that its path is relative to."""
    while True:
        workspace = _table(manifests.get(folder, {}), "workspace", "dependencies")
        if name in workspace:
            return folder, _table(workspace, name)
        if not folder:
            return "", {}
        folder = dirname(folder)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _below(folder: str, path: str) -> str:
    joined = normpath(join(folder, path))
    return "" if joined == "." else joined
