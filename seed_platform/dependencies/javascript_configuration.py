"""What tsconfig.json, jsconfig.json and package.json say of where modules are.

What belongs here: reading them, however malformed, and `extends`. What does not: files (`javascript_modules.py`).
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_COMMENT = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\\n]|\\.)*"?)|,(?=[ \t\r\n]*[}\]])')

MAX_EXTENDS = 32
"""Configurations that one may extend, each other included; real chains have two or three."""

CONDITIONS = ("source", "types", "import", "module", "browser", "node", "require", "default")
"""Conditions of `exports` in the order in which they are tried: sources before what is built from them."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a tsconfig.json maps names with: folders are paths in the repository.

    Attributes:
        base: the folder of `baseUrl`; None if there is none.
        paths: pattern, with at most one "*", to the patterns of paths that it stands for, most specific first.
    """

    base: str | None = None
    paths: tuple[tuple[str, tuple[str, ...]], ...] = field(default=())


def parse(text: bytes) -> dict[str, Any]:
    """An object of JSON, with comments and trailing commas as TypeScript allows; anything else is an empty one."""
    decoded = text.decode("utf-8-sig", "replace")
    without = _TRAILING_COMMA.sub(r"\1", _COMMENT.sub(r"\1", decoded))
    try:
        found = json.loads(without)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def within(folder: str, path: str) -> str | None:
    """`path` as seen from `folder`, normalised; None if it leads out of the repository or is absolute."""
    if path.startswith("/"):
        return None
    joined = posixpath.normpath(posixpath.join(folder, path))
    if joined == ".." or joined.startswith("../"):
        return None
    return "" if joined == "." else joined


def compiler_mapping(
    path: str, configurations: Mapping[str, bytes], package: Callable[[str], str | None]
) -> Mapped | None:
    """What the configuration at `path` maps, with what it extends; None if it maps nothing itself.

    Args:
        path: of a tsconfig.json or jsconfig.json.
        configurations: text by path.
        package: the folder of a package of the repository by its name, for `extends` of a package.
    """
    return _mapping(path, configurations, package, set())


def _mapping(
    path: str, configurations: Mapping[str, bytes], package: Callable[[str], str | None], seen: set[str]
) -> Mapped | None:
    if path in seen or len(seen) >= MAX_EXTENDS or path not in configurations:
        return None
    seen.add(path)
    configuration = parse(configurations[path])
    folder = posixpath.dirname(path)
    inherited: Mapped | None = None
    for name in _texts(configuration.get("extends")):
        # Later ones win, as in TypeScript.
        for parent in _extended(folder, name, package):
            inherited = _mapping(parent, configurations, package, seen) or inherited
    mapped = _overridden(configuration.get("compilerOptions"), folder, inherited)
    if mapped is None:
        # A solution's configuration only lists those of its parts: `references`.
        references = configuration.get("references")
        for reference in references if isinstance(references, list) else []:
            for name in _texts(reference.get("path") if isinstance(reference, dict) else None):
                part = within(folder, name)
                if part is not None and posixpath.dirname(part) == folder:
                    mapped = mapped or _mapping(part, configurations, package, seen)
    return mapped


def _extended(folder: str, name: str, package: Callable[[str], str | None]) -> Iterator[str]:
    """The paths that `extends` may mean."""
    base: str | None
    if name.startswith("."):
        base = within(folder, name)
    else:
        package_name, rest = package_and_rest(name)
        root = package(package_name)
        base = None if root is None else within(root, rest or "tsconfig.json")
    if base is not None:
        yield base
        yield f"{base}.json"
        yield posixpath.join(base, "tsconfig.json")


def _overridden(options: object, folder: str, inherited: Mapped | None) -> Mapped | None:
    """The inherited mapping with what `compilerOptions` of a configuration in `folder` say."""
    if not isinstance(options, dict):
        return inherited
    base, paths = (inherited.base, inherited.paths) if inherited else (None, ())
    if isinstance(options.get("baseUrl"), str):
        base = within(folder, options["baseUrl"].replace("${configDir}", "."))
    if isinstance(options.get("paths"), dict):
        # Of `baseUrl` where there is one, else of the file that says `paths`.
        root = folder if base is None else base
        found = {
            pattern: tuple(
                target
                for text in _texts(texts)
                if (target := within(root, text.replace("${configDir}", "."))) is not None
            )
            for pattern, texts in options["paths"].items()
            if pattern.count("*") <= 1
        }
        # An exact name first, then the longest text before "*".
        paths = tuple(sorted(found.items(), key=lambda item: ("*" in item[0], -len(item[0].partition("*")[0]))))
    return Mapped(base, paths) if base is not None or paths else None


def _texts(value: object) -> list[str]:
    """A text, or the texts of a list; nothing for anything else."""
    values = value if isinstance(value, list) else [value]
    return [text for text in values if isinstance(text, str)]


def package_and_rest(name: str) -> tuple[str, str]:
    """The package that a module's name begins with, and what follows: "@a/b/c/d" is of "@a/b"."""
    parts = name.split("/")
    length = 2 if name.startswith("@") else 1
    return "/".join(parts[:length]), "/".join(parts[length:])


def targets(table: object, name: str) -> Iterator[str]:
    """The paths that `exports` or `imports` of a package give for `name` ("." , "./x" or "#x"), best first."""
    if isinstance(table, dict) and any(str(key).startswith((".", "#")) for key in table):
        if name in table:
            yield from _conditional(table[name], "", 0)
        for pattern in sorted((key for key in table if key.count("*") == 1), key=len, reverse=True):
            before, _, after = pattern.partition("*")
            if len(name) >= len(pattern) - 1 and name.startswith(before) and name.endswith(after):
                yield from _conditional(table[pattern], name[len(before) : len(name) - len(after)], 0)
    elif name == ".":
        yield from _conditional(table, "", 0)


def _conditional(value: object, matched: str, depth: int) -> Iterator[str]:
    """The texts in a value of `exports`, by `CONDITIONS`, with "*" filled in."""
    if isinstance(value, str):
        yield value.replace("*", matched)
    elif depth < MAX_EXTENDS and isinstance(value, list):
        for one in value:
            yield from _conditional(one, matched, depth + 1)
    elif depth < MAX_EXTENDS and isinstance(value, dict):
        for condition in CONDITIONS:
            if condition in value:
                yield from _conditional(value[condition], matched, depth + 1)
