"""What files of C, C++ and CUDA include, and which file of the repository an include means.

No build says here where the compiler looks, so the folders that it could look in are those of the tree below which the
written path exists. Tried in this order, the first that answers decides:

1. the folder of the including file, for quoted and angled paths alike (projects often compile with their own folder as
   an include folder);
2. each folder above it, nearest first: the folder itself, then its `include`, `inc`, `src`, `lib`;
3. any other folder: the one that shares the longest way from the top with the including file, then the fewest folders
   from there. Of several equally near ones, such as one per platform, none is taken: a missing edge costs the order of
   two files, a wrong one ties unrelated parts together.

A header of the C, C++ or POSIX library means the system's, unless it stands beside the file that quotes it or the
repository is such a library (`c_headers.py`). All branches of conditional compilation count, since the build decides
which one holds. A header depends on nothing that implements it, and a macro is followed only
to paths that the same file defines it as. What belongs here: these rules. What does not: reading syntax trees
(`queries.py`).
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from heapq import nsmallest

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import
from seed_platform.dependencies.c_headers import CORES, is_standard
from seed_platform.filters.grammars import GRAMMARS

QUERY = r"""
(preproc_include path: [(string_literal) (system_lib_string)] @path)
(preproc_call directive: (preproc_directive) @directive argument: (preproc_arg) @path
  (#match? @directive "^#\\s*(include|import)$"))
((ERROR) @error . [(string_literal) (system_lib_string)] @path (#match? @error "^#\\s*include$"))
(ERROR "#include" . [(string_literal) (system_lib_string)] @path)
(preproc_include path: (identifier) @macro)
(preproc_def name: (identifier) value: (preproc_arg) @header (#match? @header "^[\"<]"))
"""
"""Includes; `#import`, which means the same once; includes where the grammar allows none, among fields or between the
values of an array; includes of a macro, and macros that could be meant."""

ROOTS = ("", "include", "inc", "src", "lib")
"""Folders that are looked in below each folder above the including file, in this order; "" is that folder itself."""


_WRITTEN = re.compile(r'\s*(?:"(?P<quoted>[^"\n]+)"|<(?P<angled>[^>\n]+)>)')


class CResolver:
    """C, C++ and CUDA, which include each other's headers."""

    languages = frozenset({"C", "C++", "CUDA"})
    configurations: frozenset[str] = frozenset()

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002 - the contract's
        """The includes: `name` as written, though always with slashes, and `form` "quoted" or "angled"."""
        found = queries.captures(GRAMMARS[language], QUERY, source)
        written = [(node.start_byte, queries.text(node)) for node in found.get("path", [])]
        macros = {queries.text(node): node.start_byte for node in found.get("macro", [])}
        for node in found.get("header", []) if macros else []:
            name = node.parent.child_by_field_name("name") if node.parent else None
            if name is not None and queries.text(name) in macros:
                written.append((macros[queries.text(name)], queries.text(node)))
        imports = (Import(path, form=form) for _, text in sorted(written) for path, form in _unquoted(text))
        return Facts(language, tuple(dict.fromkeys(imports)))

    def edges(
        self,
        facts: Mapping[str, Facts],
        configurations: Mapping[str, bytes],  # noqa: ARG002 - the contract's
        paths: frozenset[str],
    ) -> Iterator[Edge]:
        """An edge from each including file to each included one, which may be of any language (`.inc`, `.def`)."""
        tree = _Tree(paths)
        for user, said in facts.items():
            found = (tree.resolve(user, include.name, include.form) for include in said.imports)
            for dependency in dict.fromkeys(found):
                if dependency is not None:
                    yield Edge(user, dependency)


def _unquoted(text: str) -> Iterator[tuple[str, str]]:
    """The path and form of `"path"` or `<path>`, whatever follows; nothing of what is neither."""
    written = _WRITTEN.match(text)
    if written:
        path = (written["quoted"] or written["angled"]).strip().replace("\\", "/")
        if path and "\0" not in path:
            yield path, "quoted" if written["quoted"] else "angled"


class _Tree:
    """The files of a repository by their names, and what was found before."""

    def __init__(self, paths: frozenset[str]) -> None:
        self._paths = paths
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(paths):
            self._by_name[posixpath.basename(path)].append(path)
        self._known: dict[tuple[str, str], str | None] = {}
        self._near: dict[str, dict[str, list[tuple[int, str]]]] = {}

    def resolve(self, user: str, written: str, form: str) -> str | None:
        """The file that `user` means; None if it is no file of the repository, itself, or not certain which."""
        folder = posixpath.dirname(user)
        beside = posixpath.normpath(posixpath.join(folder, written))
        if form == "quoted" and beside in self._paths:
            return beside if beside != user else None
        path = posixpath.normpath(written)
        while path.startswith("../"):
            path = path[3:]
        if posixpath.basename(path) == posixpath.basename(user):
            # A header that wraps another of its name (`lib/zlib.h` including <zlib.h>) means the next one.
            return self._find(folder, path, user)
        if (folder, path) not in self._known:
            self._known[folder, path] = self._find(folder, path, user)
        return self._known[folder, path]

    def _find(self, folder: str, path: str, user: str) -> str | None:
        """The nearest file below whose folder the path leads to, but not the including file itself."""
        for above in _folders(folder):
            for usual in ROOTS:
                root = posixpath.join(above, usual).rstrip("/")
                place = posixpath.join(root, path)
                if place in self._paths and place != user and self._may_mean(root, path):
                    return place
        if path not in self._near:
            self._near[path] = self._below(path)
        for above in _folders(folder):
            found = [pair for pair in self._near[path].get(above, ()) if pair[1] != user]
            if found:
                return found[0][1] if len(found) == 1 or found[0][0] < found[1][0] else None
        return None

    def _below(self, path: str) -> dict[str, list[tuple[int, str]]]:
        """By folder the three nearest files below it that the path leads to, with how many folders lie between."""
        below: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for place in self._by_name.get(posixpath.basename(path), ()):
            if place != path and not place.endswith(f"/{path}"):
                continue
            root = place[: -len(path)].rstrip("/")
            if self._may_mean(root, path):
                for levels, above in enumerate(_folders(root)):
                    below[above].append((levels, place))
        return {above: nsmallest(3, found) for above, found in below.items()}

    def _may_mean(self, root: str, path: str) -> bool:
        """Whether the path may be looked for in a folder: the standard library's only in those that hold one."""
        return not is_standard(path) or any(
            all(posixpath.join(root, name) in self._paths for name in core) for core in CORES
        )


def _folders(folder: str) -> Iterator[str]:
    """A folder and those above it, the repository's "" last."""
    while folder:
        yield folder
        folder = posixpath.dirname(folder)
    yield ""
