"""Comments and string literals of a text, told apart by the conventions of the language's family.

What belongs here: how each family of languages writes comments and strings. What does not: parsing; a regular
expression in linear time is enough to measure how much of a file is comment, and it never fails on a broken file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Ends are optional and repeats possessive, so that what is never closed is read once, to the end of the text.
_DOUBLE = r'"(?:[^"\\\n]|\\.)*+"?'
_SINGLE = r"'(?:[^'\\\n]|\\.)*+'?"
_BOTH = f"{_DOUBLE}|{_SINGLE}"
_BACKTICK = r"`(?:[^`\\]|\\.)*+`?"
_CHARACTER = r"'(?:[^'\\\n]|\\[^\n]{1,9}?)'"
_TRIPLE = r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|' + r"'''(?:[^'\\]|\\.|'(?!''))*+(?:''')?"
# A docstring stands where a statement would.
_DOCSTRING = rf'^[ \t]*+[rRuU]?(?:{_TRIPLE}|"(?:[^"\\\n]|\\.)++"[ \t]*$)'
_C_BLOCK = r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?"
_ML_BLOCK = r"\(\*(?:[^*]|\*(?!\)))*+(?:\*\))?"
_MARKUP_BLOCK = r"<!--(?:[^-]|-(?!->))*+(?:-->)?"
_DASH_BLOCK = r"\{-(?:[^-]|-(?!\}))*+(?:-\})?"
_SLASH = rf"//[^\n]*|{_C_BLOCK}"

# Of each family: what is a comment, what is a string.
_FAMILIES: dict[str, tuple[str, str]] = {
    "python": (rf"{_DOCSTRING}|#[^\n]*", f"{_TRIPLE}|{_BOTH}"),
    "hash": (r"(?:^|(?<=[\s;]))#[^\n]*", _BOTH),
    "slash": (_SLASH, f"{_DOUBLE}|{_CHARACTER}"),
    "script": (_SLASH, f"{_BOTH}|{_BACKTICK}"),
    "php": (rf"{_SLASH}|#[^\n]*", _BOTH),
    "style": (_C_BLOCK, _BOTH),
    "dash": (rf"--[^\n]*|{_DASH_BLOCK}|{_C_BLOCK}", f"{_DOUBLE}|{_CHARACTER}"),
    "query": (rf"--[^\n]*|{_C_BLOCK}", _BOTH),
    "lisp": (r";[^\n]*", _DOUBLE),
    "percent": (r"(?<!\\)%[^\n]*", _DOUBLE),
    "ml": (rf"{_ML_BLOCK}|//[^\n]*", f"{_DOUBLE}|{_CHARACTER}"),
    "pascal": (rf"{_ML_BLOCK}|\{{[^}}]*+\}}?|//[^\n]*", _SINGLE),
    "exclamation": (r"![^\n]*|^[cC*][^\n]*", _BOTH),
    "basic": (r"'[^\n]*|^[ \t]*[rR][eE][mM]\b[^\n]*|^[ \t]*::[^\n]*", r'"[^"\n]*+"?'),
    "markup": (_MARKUP_BLOCK, r"(?<==)\"[^\"\n]*+\"?|(?<==)'[^'\n]*+'?"),
    "plain": (_MARKUP_BLOCK, r"(?!)"),
    "json": (r"^[ \t]*//[^\n]*", _DOUBLE),
}

_LANGUAGES_OF = {
    "python": "Python",
    "hash": "Shell,Ruby,Perl,R,YAML,Makefile,CMake,Dockerfile,Elixir,Julia,Tcl,Tcsh,PowerShell,AWK,CoffeeScript,SPARQL",
    "script": "JavaScript,TypeScript,Dart,Go,Groovy,Kotlin",
    "php": "PHP,Thrift",
    "style": "CSS",
    "dash": "Haskell,Ada,VHDL,Elm,AppleScript,Agda,Idris,Lean",
    "query": "SQL,Lua",
    "lisp": "Clojure,Common Lisp,Emacs Lisp,Scheme,Racket,Assembly",
    "percent": "TeX,Prolog,Erlang,MATLAB",
    "ml": "OCaml,Standard ML,F#,Isabelle,Mathematica,Augeas",
    "pascal": "Pascal",
    "exclamation": "Fortran",
    "basic": "Visual Basic,Batchfile",
    "markup": "HTML,XSLT,Java Server Pages",
    "plain": "Markdown,reStructuredText,RMarkdown,Literate Agda,Literate Haskell,Literate CoffeeScript",
    "json": "JSON",
}
FAMILY: dict[str, str] = {language: family for family, names in _LANGUAGES_OF.items() for language in names.split(",")}
"""The family of a language; "slash", as in C and its relatives, of one that is not named."""

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""Names of the families, in a fixed order."""

_PATTERNS = {
    family: re.compile(f"({comment})|(?:{string})", re.DOTALL | re.MULTILINE)
    for family, (comment, string) in _FAMILIES.items()
}


@dataclass(frozen=True, slots=True)
class Lexed:
    """A text taken apart.

    Attributes:
        code: the text with each comment replaced by a blank and each string by two quotes.
        comments: the comments and docstrings, marks included.
        strings: characters that stand in string literals, quotes included.
        literals: number of string literals.
    """

    code: str
    comments: list[str]
    strings: int
    literals: int


def family_of(language: str) -> str:
    """The family that `language` writes its comments and strings like."""
    return FAMILY.get(language, "slash")


def lex(text: str, language: str) -> Lexed:
    """`text` taken apart; in time linear in its length, whatever it holds."""
    comments: list[str] = []
    strings = 0
    literals = 0

    def replaced(match: re.Match[str]) -> str:
        nonlocal strings, literals
        if match[1] is not None:
            comments.append(match[1])
            return " "
        strings += match.end() - match.start()
        literals += 1
        return '""'

    code = _PATTERNS[family_of(language)].sub(replaced, text)
    return Lexed(code, comments, strings, literals)
