"""The dependencies between the files of one repository, whatever their languages.

What belongs here: which resolver reads which language, and one call for all. What does not: any language's rules (the
resolvers), and what follows from the edges (`order.py`, `sequences.py`). HTML, SQL and Shell have no resolver: the
paper orders their files at random (PAPER.md §2).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass

from seed_platform.dependencies.base import Edge, Facts, Resolver
from seed_platform.dependencies.c_family import CResolver
from seed_platform.dependencies.go import GoResolver
from seed_platform.dependencies.java import JavaResolver
from seed_platform.dependencies.javascript import JavaScriptResolver
from seed_platform.dependencies.python import PythonResolver
from seed_platform.dependencies.rust import RustResolver

RESOLVERS: tuple[Resolver, ...] = (
    PythonResolver(),
    JavaResolver(),
    CResolver(),
    JavaScriptResolver(),
    GoResolver(),
    RustResolver(),
)

CONFIGURATIONS: frozenset[str] = frozenset().union(*(resolver.configurations for resolver in RESOLVERS))
"""Base names of the files whose text `repository_edges` is to be given."""

_BY_LANGUAGE = {language: resolver for resolver in RESOLVERS for language in resolver.languages}


@dataclass(frozen=True, slots=True)
class Failure:
    """A resolver's error on one file or one repository: a fault of the resolver, since no input is to cause one.

    Attributes:
        resolver: its class.
        path: of the file that it read; None if it failed on the repository as a whole.
        error: the exception's class and message.
    """

    resolver: str
    path: str | None
    error: str


@dataclass(frozen=True, slots=True)
class RepositoryEdges:
    """The edges of a repository, and which resolvers failed on it: theirs are those found before."""

    edges: list[Edge]
    failures: list[Failure]


def resolver_of(language: str | None) -> Resolver | None:
    """The resolver of a language by the names of `seed_platform.filters.languages`; None if it has none."""
    return _BY_LANGUAGE.get(language or "")


def file_facts(path: str, language: str | None, source: bytes) -> Facts | Failure | None:
    """What one file says that dependencies follow from; None if its language has no resolver.

    Args:
        path: in its repository.
        language: of the file.
        source: UTF-8.
    """
    resolver = resolver_of(language)
    if resolver is None or language is None:
        return None
    try:
        return resolver.facts(path, language, source)
    except Exception as error:  # noqa: BLE001 - one file must not end a batch; the failure is counted by its name
        return _failure(resolver, path, error)


def repository_edges(
    facts_by_path: Mapping[str, Facts], configurations: Mapping[str, bytes], paths: frozenset[str]
) -> RepositoryEdges:
    """The edges between the files of one repository, language by language.

    Args:
        facts_by_path: of all files whose language has a resolver, by path.
        configurations: text of the files whose base name is in `CONFIGURATIONS`, by path.
        paths: of all files of the repository.
    """
    found = RepositoryEdges([], [])
    for resolver in RESOLVERS:
        facts = {path: said for path, said in sorted(facts_by_path.items()) if said.language in resolver.languages}
        if not facts:
            continue
        own = {
            path: text
            for path, text in sorted(configurations.items())
            if posixpath.basename(path) in resolver.configurations
        }
        try:
            found.edges.extend(resolver.edges(facts, own, paths))
        except Exception as error:  # noqa: BLE001 - the other languages' edges stay; the failure is counted by its name
            found.failures.append(_failure(resolver, None, error))
    return found


def _failure(resolver: Resolver, path: str | None, error: Exception) -> Failure:
    return Failure(type(resolver).__name__, path, f"{type(error).__name__}: {error}")
