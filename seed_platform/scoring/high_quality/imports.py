"""The packages that a file imports, by the top-level names that its language's import statements begin with.

What belongs here: one regular expression for each way of importing, and which names say nothing about a file because
they come with the language. What does not: resolving an import to a file (`dependencies`).
"""

from __future__ import annotations

import re
import sys

_LIMIT = 32
"""Packages of one file that are kept."""

_SCRIPT = r"""(?:\bfrom|\bimport|\brequire\()\s*["'](@[\w.-]+/[\w.-]+|[A-Za-z][\w.-]*)"""
_PATTERNS = {
    "python": r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)",
    "notebook": r'^\s*(?:"source"\s*:\s*\[?\s*)?"\s*(?:from|import)[ \t]+([A-Za-z_]\w*)',
    "script": _SCRIPT,
    "java": r"^[ \t]*import[ \t]+(?:static[ \t]+)?([A-Za-z_]\w*(?:\.\w+)?)",
    "go": r'^[ \t]*(?:import[ \t]+)?(?:[\w.]+[ \t]+)?"([\w.-]+(?:/[\w.-]+){0,2})(?:/[^"\s]*)?"[ \t]*$',
    "rust": r"^[ \t]*(?:pub(?:\([^)\n]*\))?[ \t]+)?(?:use|extern crate)[ \t]+(?:::)?([A-Za-z_]\w*)",
    "c": r"""^[ \t]*#[ \t]*(?:include|import)[ \t]*[<"]([\w.+-]+)""",
    "dotnet": r"^[ \t]*(?:global[ \t]+)?(?:using|open|Imports)[ \t]+(?:static[ \t]+)?([A-Za-z_]\w*(?:\.\w+)?)",
    "use": r"^[ \t]*(?:use|require|alias|import)[ \t]+\\?([A-Z]\w*)",
    "ruby": r"""^[ \t]*require[ \t(]+["']([A-Za-z][\w-]*)""",
    "lua": r"""\brequire[ \t(]*["']([A-Za-z][\w-]*)""",
    "haskell": r"^(?:open[ \t]+)?import[ \t]+(?:qualified[ \t]+)?([A-Z]\w*(?:\.\w+)?)",
    "r": r"""\b(?:library|require)\([ \t]*["']?([A-Za-z][\w.]*)""",
    "julia": r"^[ \t]*(?:using|import)[ \t]+([A-Z]\w*)",
    "swift": r"^[ \t]*(?:@testable[ \t]+)?import[ \t]+(?:class[ \t]+|struct[ \t]+|func[ \t]+)?([A-Za-z_]\w*)",
    "dart": r"""^[ \t]*import[ \t]+["'](?:package:|dart:)(\w+)""",
    "tex": r"\\usepackage(?:\[[^\]\n]*\])?\{([\w-]+)",
    "protocol": r"""^[ \t]*import[ \t]+(?:public[ \t]+)?["']([\w.-]+)""",
    "style": r"""@(?:import|use)[ \t]+(?:url\()?["']([\w@.-]+)""",
    "perl": r"^[ \t]*(?:use|require)[ \t]+([A-Z]\w*)",
    "clojure": r"[\[(]([a-z][\w-]*)[\w.-]*[ \t]+:(?:as|refer)\b",
}
_COMPILED = {family: re.compile(pattern, re.MULTILINE) for family, pattern in _PATTERNS.items()}

_FAMILY_OF = {
    language: family
    for family, languages in {
        "python": "Python,RMarkdown",
        "notebook": "Jupyter Notebook",
        "script": "JavaScript,TypeScript,CoffeeScript",
        "java": "Java,Kotlin,Scala,Groovy,Java Server Pages",
        "go": "Go",
        "rust": "Rust",
        "c": "C,C++,CUDA,GLSL",
        "dotnet": "C#,F#,Visual Basic",
        "use": "PHP,Elixir",
        "perl": "Perl",
        "ruby": "Ruby",
        "lua": "Lua",
        "haskell": "Haskell,Elm,Agda,Idris,Lean,Literate Haskell,Literate Agda",
        "r": "R",
        "julia": "Julia",
        "swift": "Swift",
        "dart": "Dart",
        "tex": "TeX",
        "protocol": "Protocol Buffer,Thrift,Solidity",
        "style": "CSS",
        "clojure": "Clojure",
    }.items()
    for language in languages.split(",")
}

# fmt: off
_C_LIBRARY = (
    "algorithm", "assert.h", "cassert", "cstddef", "cstdint", "cstdio", "cstdlib", "cstring", "errno.h", "functional",
    "iostream", "limits.h", "map", "memory", "stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h",
    "string", "string.h", "utility", "vector",
)
# fmt: on

_PLAIN: dict[str, frozenset[str]] = {
    "python": frozenset(sys.stdlib_module_names),
    "notebook": frozenset(sys.stdlib_module_names),
    "script": frozenset({"assert", "buffer", "events", "fs", "http", "https", "os", "path", "stream", "url", "util"}),
    "java": frozenset({"java.io", "java.lang", "java.util", "kotlin.collections", "scala.collection"}),
    "rust": frozenset({"alloc", "core", "crate", "self", "std", "super"}),
    "c": frozenset(_C_LIBRARY),
    "dotnet": frozenset({"System", "System.Collections", "System.Linq", "System.Text", "System.Threading"}),
    "haskell": frozenset({"Control.Monad", "Data.List", "Data.Maybe", "Prelude"}),
    "perl": frozenset({"Carp", "Data", "Exporter", "POSIX"}),
}


def packages_of(text: str, language: str) -> list[str]:
    """The packages that `text` imports, in the order of their first import; at most 32.

    A name is the top level of what is imported, two levels where the top one is a country's or an organisation's
    domain (Java) or a vendor's namespace (.NET). Relative imports name no package. Empty for a language without
    imports.
    """
    family = _FAMILY_OF.get(language)
    if family is None:
        return []
    names: dict[str, None] = {}
    for match in _COMPILED[family].finditer(text):
        names.setdefault(match[1])
        if len(names) == _LIMIT:
            break
    return list(names)


def main_package(packages: list[str], language: str) -> str:
    """The first of `packages` that does not come with the language, else the first, else ""."""
    plain = _PLAIN.get(_FAMILY_OF.get(language, ""), frozenset())
    return next((name for name in packages if name not in plain), packages[0] if packages else "")
