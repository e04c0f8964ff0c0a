"""Imports of JavaScript and TypeScript, and which files of the repository they mean.

`import` and `export … from` with and without `type`, `import x = require()`, `require()`, `import()` as a call and as a
type, and `/// <reference path>`. An argument counts if it is a literal. What belongs here: what a file says. What does
not: where modules are (`javascript_modules.py`), and names that only a bundler's configuration or an AMD loader knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from tree_sitter import Node

from seed_platform.dependencies import queries
from seed_platform.dependencies.base import Edge, Facts, Import
from seed_platform.dependencies.javascript_modules import Modules
from seed_platform.filters.grammars import GRAMMARS, VARIANTS

REFERENCE = "reference"
"""The form of an import that is a path even without a leading dot."""

_PATTERNS = """
(import_statement source: (string) @module)
(export_statement source: (string) @module)
(call_expression function: (import) arguments: (arguments . [(string) (template_string)] @module))
(call_expression function: (identifier) @callee arguments: (arguments . [(string) (template_string)] @module)
  (#eq? @callee "require"))
"""

_TYPED_PATTERNS = f"(import_require_clause source: (string) @module) {_PATTERNS}"

_REFERENCE = re.compile(rb"^///[ \t]*<reference[ \t]+path[ \t]*=[ \t]*[\"']([^\"'\n]+)", re.MULTILINE)


class JavaScriptResolver:
    """Both languages, since each imports files of the other."""

    languages = frozenset({"JavaScript", "TypeScript"})
    configurations = frozenset(
        {
            "jsconfig.json",
            "package.json",
            "tsconfig.app.json",
            "tsconfig.base.json",
            "tsconfig.common.json",
            "tsconfig.json",
            "tsconfig.lib.json",
            "tsconfig.node.json",
        }
    )

    def facts(self, path: str, language: str, source: bytes) -> Facts:
        """The imports of one file; text that is neither language gives what the parser recovers, at worst nothing."""
        imports = [Import(name.decode("utf-8", "replace"), form=REFERENCE) for name in _REFERENCE.findall(source)]
        # Parsing is nearly all the work, and many a file, above all one that a bundler made, needs none.
        if b"import" in source or b"require" in source or b"export" in source:
            extension = path.rpartition(".")[2].lower()
            grammar = VARIANTS.get(language, {}).get(extension) or GRAMMARS[language]
            patterns = _PATTERNS if grammar == "javascript" else _TYPED_PATTERNS
            found = queries.captures(grammar, patterns, source).get("module", [])
            imports += [Import(name) for name in map(_literal, found) if name]
        return Facts(language, tuple(dict.fromkeys(imports)))

    def edges(
        self, facts: Mapping[str, Facts], configurations: Mapping[str, bytes], paths: frozenset[str]
    ) -> Iterator[Edge]:
        """The edges from each file to the files that its imports mean, in their order; unknown modules give none."""
        modules = Modules(configurations, paths)
        for path, said in facts.items():
            seen = {path}
            for one in said.imports:
                name = f"./{one.name}" if one.form == REFERENCE else one.name
                dependency = modules.resolve(path, name, typed=said.language == "TypeScript")
                if dependency is not None and dependency not in seen:
                    seen.add(dependency)
                    yield Edge(path, dependency)


def _literal(node: Node) -> str:
    """What a string says; "" for one with escapes or substitutions, of which no module's name is made."""
    if any(child.type not in {'"', "'", "`", "string_fragment"} for child in node.children):
        return ""
    return queries.text(node)[1:-1]
