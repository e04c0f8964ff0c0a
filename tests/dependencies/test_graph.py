"""All languages of one repository: each resolver gets its own files, and its faults are named and end nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from seed_platform.dependencies import graph
from seed_platform.dependencies.base import Edge, Facts, Import, Resolver
from seed_platform.dependencies.graph import (
    CONFIGURATIONS,
    RESOLVERS,
    Failure,
    file_facts,
    repository_edges,
    resolver_of,
)
from seed_platform.dependencies.order import order_files
from seed_platform.filters.languages import LANGUAGES

FILES = {
    "app/__init__.py": ("Python", ""),
    "app/main.py": ("Python", "from app import util\n"),
    "app/util.py": ("Python", ""),
    "java/demo/A.java": ("Java", "package demo; class A { B b; }"),
    "java/demo/B.java": ("Java", "package demo; class B {}"),
    "src/a.c": ("C", '#include "a.h"\n'),
    "src/a.h": ("C", ""),
    "web/a.ts": ("TypeScript", 'import "./b.js"'),
    "web/b.js": ("JavaScript", ""),
    "cmd/main.go": ("Go", 'package main\nimport "example.org/x/lib"\nfunc main() { lib.F() }\n'),
    "lib/lib.go": ("Go", "package lib\nfunc F() {}\n"),
    "crate/src/lib.rs": ("Rust", "mod part;\n"),
    "crate/src/part.rs": ("Rust", ""),
    "run.sh": ("Shell", "python app/main.py"),
    "index.html": ("HTML", '<script src="web/b.js"></script>'),
    "query.sql": ("SQL", "SELECT 1"),
}
CONFIGURATION_FILES = {"go.mod": b"module example.org/x\n", "crate/Cargo.toml": b'[package]\nname = "crate"\n'}
EDGES = {
    Edge("app/main.py", "app/util.py"),
    Edge("java/demo/A.java", "java/demo/B.java"),
    Edge("src/a.c", "src/a.h"),
    Edge("web/a.ts", "web/b.js"),
    Edge("cmd/main.go", "lib/lib.go"),
}


def all_facts() -> dict[str, Facts]:
    found = {}
    for path, (language, text) in FILES.items():
        facts = file_facts(path, language, text.encode())
        assert not isinstance(facts, Failure)
        if facts is not None:
            found[path] = facts
    return found


def test_every_language_of_a_repository_gives_its_edges():
    found = repository_edges(all_facts(), CONFIGURATION_FILES, frozenset({*FILES, *CONFIGURATION_FILES}))
    assert found.failures == []
    assert set(found.edges) >= EDGES
    # Whether a module of Rust needs the file that declares it, or the other way round, is the resolver's to say.
    assert any({edge.user, edge.dependency} == {"crate/src/lib.rs", "crate/src/part.rs"} for edge in found.edges)
    order = order_files([*FILES, *CONFIGURATION_FILES], found.edges, "")
    assert all(order.index(edge.dependency) < order.index(edge.user) for edge in EDGES)


def test_the_order_of_files_changes_nothing():
    facts = all_facts()
    paths = frozenset({*FILES, *CONFIGURATION_FILES})
    forwards = repository_edges(facts, CONFIGURATION_FILES, paths)
    backwards = repository_edges(dict(reversed(facts.items())), dict(reversed(CONFIGURATION_FILES.items())), paths)
    assert backwards == forwards


def test_each_language_has_one_resolver_and_a_name_of_the_platform():
    languages = [language for resolver in RESOLVERS for language in resolver.languages]
    assert len(languages) == len(set(languages))
    assert set(languages) <= set(LANGUAGES)
    assert {"Python", "Java", "C", "C++", "JavaScript", "TypeScript", "Go", "Rust"} <= set(languages)
    assert {"package.json", "tsconfig.json", "go.mod", "Cargo.toml"} <= CONFIGURATIONS


@pytest.mark.parametrize("language", ["HTML", "SQL", "Shell", "Markdown", None, ""])
def test_languages_ordered_at_random_have_no_resolver(language: str | None):
    assert resolver_of(language) is None
    assert file_facts("x", language, b"import x") is None


class Broken:
    """A resolver with a fault that one file and one repository bring out."""

    languages = frozenset({"SQL"})
    configurations = frozenset({"go.mod"})
    given: Mapping[str, bytes] = {}

    def facts(self, path: str, language: str, source: bytes) -> Facts:  # noqa: ARG002
        if b"bad" in source:
            message = "an odd file"
            raise KeyError(message)
        return Facts(language, (Import("a.sql"),))

    def edges(
        self,
        facts: Mapping[str, Facts],
        configurations: Mapping[str, bytes],
        paths: frozenset[str],  # noqa: ARG002
    ) -> Iterator[Edge]:
        self.given = configurations
        yield Edge("b.sql", "a.sql")
        raise RecursionError(next(iter(facts)))


def test_a_resolver_that_raises_is_named_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    broken = Broken()
    others = all_facts()
    monkeypatch.setattr(graph, "RESOLVERS", (broken, *RESOLVERS))
    monkeypatch.setattr(graph, "_BY_LANGUAGE", {"SQL": broken})
    assert file_facts("c.sql", "SQL", b"bad") == Failure("Broken", "c.sql", "KeyError: 'an odd file'")
    facts = file_facts("b.sql", "SQL", b"fine")
    assert isinstance(facts, Facts)
    found = repository_edges(
        {**others, "b.sql": facts},
        CONFIGURATION_FILES,
        frozenset({*FILES, *CONFIGURATION_FILES, "a.sql", "b.sql"}),
    )
    assert found.failures == [Failure("Broken", None, "RecursionError: b.sql")]
    assert set(found.edges) >= EDGES | {Edge("b.sql", "a.sql")}
    assert set(broken.given) == {"go.mod"}


def test_a_repository_without_code_has_no_edges():
    assert repository_edges({}, {}, frozenset({"README.md"})).edges == []


@pytest.mark.parametrize("resolver", RESOLVERS, ids=lambda resolver: type(resolver).__name__)
@pytest.mark.parametrize("source", [b"", b"\xff\xfe\0import", b"(" * 2_000, b'import "' * 2_000, b"\n" * 50_000])
def test_no_bytes_make_a_resolver_raise(resolver: Resolver, source: bytes):
    for language in resolver.languages:
        facts = {path: resolver.facts(path, language, source) for path in ("a/b", "a/c.py", "c.h")}
        paths = frozenset({*facts, "go.mod", "x/Cargo.toml", "package.json"})
        edges = list(resolver.edges(facts, dict.fromkeys(resolver.configurations, source), paths))
        assert all(edge.user != edge.dependency and {edge.user, edge.dependency} <= paths for edge in edges)
