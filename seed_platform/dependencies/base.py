"""What resolvers of dependencies have in common: what one file says, and which files of its repository that means.

A file is read once (`Resolver.facts`, one parse); what it says is small, and a repository's edges follow from the facts
of all its files together (`Resolver.edges`), so that no more than one file's text is held. What belongs here: the
contract. What does not: any language's rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Import:
    """One import as written.

    Attributes:
        name: what is imported: a module, package, header or path. "" for `from . import x`.
        names: what is taken from it, "*" for everything; empty if the whole is meant.
        level: leading dots of a relative import of Python; 0 elsewhere.
        form: what a language's resolver must tell apart, e.g. "quoted" and "angled" for C, "static" for Java.
    """

    name: str
    names: tuple[str, ...] = ()
    level: int = 0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one file says that dependencies follow from.

    Attributes:
        language: of the file.
        imports: in the order in which they stand, each once.
        package: that the file says it belongs to (Java, Go); None if it says nothing.
        provides: names that it defines for others, where imports name those and not files (types of Java).
        uses: names that it uses which could be such names, sorted.
    """

    language: str
    imports: tuple[Import, ...] = ()
    package: str | None = None
    provides: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """`user` depends on `dependency`: paths in the repository, which differ."""

    user: str
    dependency: str


class Resolver(Protocol):
    """The rules of one language, or of a family whose files import each other."""

    languages: frozenset[str]
    """Whose files it reads, by the names of `seed_platform.filters.languages`."""

    configurations: frozenset[str]
    """Base names of files that say where modules are, e.g. "go.mod"; their text is given to `edges`."""

    def facts(self, path: str, language: str, source: bytes) -> Facts:
        """What one file says. `source` is UTF-8; broken syntax gives what the parser could recover, never an error."""
        ...

    def edges(
        self, facts: Mapping[str, Facts], configurations: Mapping[str, bytes], paths: frozenset[str]
    ) -> Iterator[Edge]:
        """The edges between files of one repository, each once, in the order of `facts`.

        Args:
            facts: of this resolver's files, by path ('/'-separated, relative).
            configurations: the text of configuration files, by path.
            paths: of all files of the repository.
        """
        ...
