"""Which folder of a repository an import path of Go means.

What belongs here: `go.mod` files, `vendor` folders, and repositories from before them. What does not: what is in the
packages (`go.py`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath

CONFIGURATION = "go.mod"

STANDARD = "std"
"""The module of Go's own library, whose import paths do not begin with it."""

_DIRECTIVE = re.compile(r"(?P<directive>module|replace|require|exclude|retract)\b\s*(?P<rest>.*)")
_COMMENT = re.compile(r"(?:^|\s)//.*")
_OWN_SHARE = 2 / 3
"""A path is the repository's own only if at least this share of what is imported below it exists: other
repositories also have a folder `errors`."""


@dataclass(frozen=True, slots=True)
class Module:
    """What one `go.mod` says.

    Attributes:
        folder: that it stands in.
        path: of the module; "" if it does not say.
        replaced: import paths to folders of the repository that stand for them.
    """

    folder: str
    path: str
    replaced: dict[str, str] = field(default_factory=dict)


def read_module(path: str, text: bytes) -> Module:
    """Read a `go.mod`; what is not understood is passed over."""
    folder = dirname(path)
    name, block = "", ""
    replaced: dict[str, str] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        said = _COMMENT.sub("", line).strip()
        if block and said == ")":
            block = ""
            continue
        directive = _DIRECTIVE.fullmatch(said) if not block else None
        keyword, rest = (directive["directive"], directive["rest"]) if directive else (block, said)
        if rest == "(":
            block = keyword
        elif keyword == "module":
            name = rest.strip('"` ')
        elif keyword == "replace" and "=>" in rest:
            old, _, new = rest.partition("=>")
            target = new.strip().strip('"`')
            if old.strip() and target.startswith(("./", "../")):
                replaced[old.split()[0].strip('"`')] = _normal(join(folder, target))
    return Module(folder, name, replaced)


class Modules:
    """Import paths to folders, for one repository.

    Args:
        configurations: `go.mod` files by path.
        folders: with files of Go that are no tests.
        imported: all import paths of the repository.
    """

    def __init__(self, configurations: Mapping[str, bytes], folders: frozenset[str], imported: Iterable[str]) -> None:
        self._folders = folders
        self._modules = {dirname(path): read_module(path, text) for path, text in sorted(configurations.items())}
        if not self._modules:
            self._modules = {"": Module("", _own_path(folders, imported))}
        by_path = {module.path: module for module in reversed(self._modules.values()) if module.path}
        self._by_path = sorted(by_path.values(), key=lambda module: -len(module.path))
        self._known: dict[tuple[str, str], str | None] = {}

    def folder_of(self, imported: str, user: str) -> str | None:
        """The folder that an import path means in a file of the folder `user`; None if it is not in the repository."""
        if (imported, user) not in self._known:
            places = self._places(imported, user)
            self._known[imported, user] = next((place for place in places if place in self._folders), None)
        return self._known[imported, user]

    def _places(self, imported: str, user: str) -> Iterator[str]:
        """Where it could be, best first."""
        if imported.startswith(("./", "../")):
            yield _normal(join(user, imported))
            return
        above = list(_above(user))
        own = next((self._modules[folder] for folder in above if folder in self._modules), None)
        if own is not None:
            for path, folder in sorted(own.replaced.items(), key=lambda pair: -len(pair[0])):
                yield from _below(imported, path, folder)
            yield from _below(imported, own.path, own.folder)
        for module in self._by_path:
            yield from _below(imported, module.path, module.folder)
        for folder in above:
            yield join(folder, "vendor", imported)
            if folder == "src" or folder.endswith("/src"):
                # A workspace from before modules, whole in the repository.
                yield join(folder, imported)


def _below(imported: str, path: str, folder: str) -> Iterator[str]:
    """The folder of an import path by a module of `path` in `folder`, if it is of that module."""
    if path == STANDARD and "." not in imported.partition("/")[0]:
        yield join(folder, imported)
    elif path and imported == path:
        yield folder
    elif path and imported.startswith(f"{path}/"):
        yield join(folder, imported[len(path) + 1 :])


def _above(folder: str) -> Iterator[str]:
    """A folder and those above it, the repository's "" last."""
    while folder:
        yield folder
        folder = dirname(folder)
    yield ""


def _normal(path: str) -> str:
    normal = normpath(path)
    return "" if normal == "." else normal


def _own_path(folders: frozenset[str], imported: Iterable[str]) -> str:
    """The import path of a repository that does not say it; "" if none stands out."""
    existing: dict[str, set[str]] = defaultdict(set)
    all_below: dict[str, int] = defaultdict(int)
    for path in imported:
        parts = path.split("/")
        if "." not in parts[0]:
            continue
        for cut in range(1, len(parts) + 1):
            prefix, folder = "/".join(parts[:cut]), "/".join(parts[cut:])
            all_below[prefix] += 1
            if folder in folders:
                existing[prefix].add(folder)
    ranked = sorted(
        (len(found), prefix) for prefix, found in existing.items() if len(found) >= _OWN_SHARE * all_below[prefix]
    )
    if not ranked or (len(ranked) > 1 and ranked[-2][0] == ranked[-1][0]):
        return ""
    return ranked[-1][1]
