"""Which tree-sitter grammar checks the syntax of which file, and one parser for each, loaded when first needed.

What belongs here: languages to grammars, and why a language has none. What does not: what is concluded from a parse
(`syntax.py`) and how much error a language's grammar is allowed (`SyntaxPolicy`).
"""

from __future__ import annotations

from functools import cache
from typing import cast

import polars as pl
from tree_sitter import Parser
from tree_sitter_language_pack import SupportedLanguage, get_parser

GRAMMARS: dict[str, str] = {
    "Ada": "ada",
    "Agda": "agda",
    "C": "c",
    "C#": "csharp",
    "C++": "cpp",
    "CMake": "cmake",
    "CSS": "css",
    "Clojure": "clojure",
    "Common Lisp": "commonlisp",
    "CUDA": "cuda",
    "Dart": "dart",
    "Elixir": "elixir",
    "Elm": "elm",
    "Emacs Lisp": "elisp",
    "Erlang": "erlang",
    "F#": "fsharp",
    "Fortran": "fortran",
    "GLSL": "glsl",
    "Go": "go",
    "Groovy": "groovy",
    "Haskell": "haskell",
    "JSON": "json",
    "Java": "java",
    "JavaScript": "javascript",
    "Julia": "julia",
    "Kotlin": "kotlin",
    "Lua": "lua",
    "Makefile": "make",
    "OCaml": "ocaml",
    "PHP": "php",
    "Pascal": "pascal",
    "Perl": "perl",
    "PowerShell": "powershell",
    "Protocol Buffer": "proto",
    "Python": "python",
    "R": "r",
    "Racket": "racket",
    "Ruby": "ruby",
    "Rust": "rust",
    "SPARQL": "sparql",
    "Scala": "scala",
    "Scheme": "scheme",
    "Shell": "bash",
    "Solidity": "solidity",
    "Swift": "swift",
    "SystemVerilog": "verilog",
    "Thrift": "thrift",
    "TypeScript": "typescript",
    "VHDL": "vhdl",
    "Verilog": "verilog",
    "XSLT": "xml",
    "YAML": "yaml",
    "Zig": "zig",
}
"""Language to the name of its grammar in tree-sitter-language-pack. A language that is missing is not checked."""

NOT_CHECKED: dict[str, str] = {
    "Assembly": "every assembler has a syntax of its own; 92 % of real files have more than 2 % of errors",
    "Dockerfile": "more than half of real files have errors: the grammar lacks common instructions' forms",
    "HTML": "browsers accept everything, and most files are templates of some engine",
    "MATLAB": "84 % of the Octave files that share the extension have more than 2 % of errors",
    "SQL": "every database has a dialect; each of the few files measured has errors",
    "Tcl": "60 % of real files have errors, 20 % more than 2 % of them: what is syntax depends on the command",
    "Markdown": "every text is valid Markdown, and the grammar crashes on deeply nested quotes",
    "RMarkdown": "every text is valid Markdown, and the grammar crashes on deeply nested quotes",
    "reStructuredText": "prose: errors are warnings to its readers",
    "TeX": "what is valid depends on the macros that a document has defined so far",
}
"""Languages with a grammar that is not used, and why. Shares: docs/decisions/0004-syntax-tolerance.md."""

VARIANTS: dict[str, dict[str, str | None]] = {
    "TypeScript": {"tsx": "tsx"},
    "OCaml": {"mli": "ocaml_interface", "mll": None, "mly": None, "eliomi": None},
    "F#": {"fsi": "fsharp_signature"},
    "Erlang": {"xrl": None, "yrl": None},
    "PHP": {"phpt": None},
}
"""Language to file extension to grammar, where the extension says more than the language; None: no grammar for it."""


@cache
def parser(grammar: str) -> Parser:
    """The parser of a grammar; one per process, since making one costs as much as parsing a small file.

    Raises:
        LookupError: the language pack has no such grammar.
    """
    return get_parser(cast("SupportedLanguage", grammar))


def grammar_of(language: pl.Expr, path: pl.Expr) -> pl.Expr:
    """The grammar for a file of `language` at `path`, as an expression: a string, null if there is none."""
    extension = path.str.extract(r"\.([^./]+)$").str.to_lowercase()
    chosen = language.replace_strict(GRAMMARS, default=None, return_dtype=pl.String)
    for name, by_extension in VARIANTS.items():
        for suffix, grammar in by_extension.items():
            chosen = (
                pl.when((language == name) & (extension == suffix)).then(pl.lit(grammar, pl.String)).otherwise(chosen)
            )
    return chosen
