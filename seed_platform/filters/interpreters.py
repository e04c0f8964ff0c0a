"""The language that the first lines of a text name: the interpreter of a script, or an editor's mode line.

What belongs here: reading those lines. What does not: file names (`languages.py`) and any other content
(`ambiguous_languages.py`).
"""

from __future__ import annotations

import re

_INTERPRETERS_OF = {
    "AWK": "awk gawk mawk nawk original-awk",
    "AppleScript": "osascript",
    "C": "tcc",
    "C#": "dotnet-script csi-script",
    "CMake": "cmake",
    "Clojure": "bb clj clojure lein-exec",
    "CoffeeScript": "coffee",
    "Common Lisp": "abcl ccl clisp ecl lisp sbcl",
    "Dart": "dart",
    "Elixir": "elixir iex",
    "Emacs Lisp": "emacs",
    "Erlang": "escript",
    "F#": "fsharpi fsi",
    "Go": "gorun yaegi",
    "Groovy": "groovy",
    "Haskell": "runghc runhaskell stack",
    "Idris": "idris",
    "Java": "java jbang",
    "JavaScript": "bun d8 gjs js jsc node nodejs phantomjs qjs rhino",
    "Julia": "julia",
    "Kotlin": "kotlin kscript",
    "Lean": "lean",
    "Lua": "lua luajit texlua",
    "MATLAB": "matlab octave octave-cli",
    "Makefile": "gmake make",
    "Mathematica": "wolframscript",
    "OCaml": "ocaml ocamlrun ocamlscript",
    "PHP": "php",
    "Pascal": "instantfpc",
    "Perl": "cperl perl",
    "PowerShell": "powershell pwsh",
    "Prolog": "swipl yap",
    "Python": "pypy pypy3 python uv",
    "R": "r rscript",
    "Racket": "racket",
    "Ruby": "jruby macruby rake rbx ruby truffleruby",
    "Rust": "cargo rust-script",
    "Scala": "amm scala scala-cli",
    "Scheme": "bigloo chibi-scheme chicken csi gosh gsi guile scheme scheme-script",
    "Shell": "ash bash bats dash ksh mksh oksh pdksh rbash sh zsh",
    "Smalltalk": "gst",
    "Standard ML": "mlton poly sml",
    "Swift": "swift",
    "Tcl": "expect tclsh wish",
    "Tcsh": "csh tcsh",
    "TypeScript": "deno ts-node tsx",
    "Zig": "zig",
}
"""Programs that a first line `#!…` may name, in lower case, without a version."""

_SHEBANG = re.compile(r"#![ \t]*(\S+)([^\r\n]*)")
_ENV_ARGUMENT = re.compile(r"-|\w+=")
_PROGRAM_VERSION = re.compile(r"[-.\d]+$")
# Scripts of Tcl and others that start as a shell script and replace the shell by their interpreter.
_EXEC = re.compile(r"^(?:\|\|[ \t]*)?[ \t:]*exec[ \t]+(?:\S*/)?([\w.-]+)[^\n]*\$0", re.MULTILINE)
_MODELINE = re.compile(r"-\*-[ \t]*(?:.*\bmode:[ \t]*)?([\w+#-]+)[ \t]*(?:;.*)?-\*-|\bvim?:.*\b(?:ft|filetype)=(\w+)")
_MODES = {
    "c": "C",
    "c++": "C++",
    "cpp": "C++",
    "emacs-lisp": "Emacs Lisp",
    "lisp": "Common Lisp",
    "makefile": "Makefile",
    "perl": "Perl",
    "python": "Python",
    "ruby": "Ruby",
    "scheme": "Scheme",
    "sh": "Shell",
    "shell-script": "Shell",
    "tcl": "Tcl",
    "yaml": "YAML",
}

_BY_INTERPRETER = {word: language for language, words in _INTERPRETERS_OF.items() for word in words.split()}


def language_of_first_lines(text: str) -> str | None:
    """The language that the first lines of `text` name, or None if they name none that is known."""
    if text.startswith("#!"):
        return _language_of_script(text)
    # Editors look for a mode line in the first two lines.
    mode = _MODELINE.search("\n".join(text[:400].split("\n", 2)[:2]))
    return _MODES.get((mode[1] or mode[2]).lower()) if mode else None


def _language_of_script(head: str) -> str | None:
    """The language of a text that begins with `#!`."""
    line = _SHEBANG.match(head)
    if line is None:
        return None
    program, arguments = line[1], line[2].split()
    if program.endswith("/env"):
        program = next((word for word in arguments if not _ENV_ARGUMENT.match(word)), "")
    language = _language_of_program(program)
    if language == "Shell":
        replaced = _EXEC.search(head[:1000])
        return (_language_of_program(replaced[1]) if replaced else None) or language
    return language


def _language_of_program(program: str) -> str | None:
    name = program[program.rfind("/") + 1 :].lower()
    return _BY_INTERPRETER.get(name) or _BY_INTERPRETER.get(_PROGRAM_VERSION.sub("", name))
