"""The language of a file, from its name and, where the name leaves a choice, from the beginning of its text.

What belongs here: the 89 languages of the corpus, the file names and extensions that mean one language, and the order
in which the evidence is asked. What does not: extensions that several languages share (`ambiguous_languages.py`), what
a first line says (`interpreters.py`), and whether a file of a language is worth keeping (`rules.py`).
"""

from __future__ import annotations

from seed_platform.filters.ambiguous_languages import AMBIGUOUS, AMBIGUOUS_NAMES, Choice
from seed_platform.filters.interpreters import language_of_first_lines

# fmt: off
LANGUAGES: tuple[str, ...] = (
    "ANTLR", "Ada", "Agda", "Alloy", "AppleScript", "Assembly", "Augeas", "AWK", "Batchfile", "Bluespec", "C", "C#",
    "C++", "CMake", "CSS", "Clojure", "CoffeeScript", "Common Lisp", "CUDA", "Dart", "Dockerfile", "Elixir", "Elm",
    "Emacs Lisp", "Erlang", "F#", "Fortran", "GLSL", "Go", "Groovy", "HTML", "Haskell", "Idris", "Isabelle", "JSON",
    "Java", "Java Server Pages", "JavaScript", "Julia", "Kotlin", "Lean", "Literate Agda", "Literate CoffeeScript",
    "Literate Haskell", "Lua", "Makefile", "Maple", "Markdown", "Mathematica", "MATLAB", "OCaml", "PHP", "Pascal",
    "Perl", "PowerShell", "Prolog", "Protocol Buffer", "Python", "R", "RMarkdown", "Racket", "Ruby", "Rust", "SAS",
    "SPARQL", "SQL", "Scala", "Scheme", "Shell", "Smalltalk", "Solidity", "Stan", "Standard ML", "Stata", "Swift",
    "SystemVerilog", "Tcl", "Tcsh", "TeX", "Thrift", "TypeScript", "VHDL", "Verilog", "Visual Basic", "XSLT",
    "YAML", "Yacc", "Zig", "reStructuredText",
)
# fmt: on
"""The languages of the corpus, as the paper's appendix A.1 spells them."""

CONTENT_LIMIT = 8192
"""Characters of a file that a decision may look at."""

_EXTENSIONS_OF = {
    "ANTLR": "g4",
    "Ada": "ada adb ads",
    "Agda": "agda",
    "AppleScript": "applescript",
    "Assembly": "a51 nasm s",
    "Augeas": "aug",
    "AWK": "auk awk gawk mawk nawk",
    "Batchfile": "bat cmd",
    "Bluespec": "bsv",
    "C": "c idc",
    "C#": "csx",
    "C++": "c++ cc cp cpp cppm cxx h++ hpp hxx inl ino ipp ixx tcc tlh tli tpp txx",
    "CMake": "cmake",
    "CSS": "css",
    "Clojure": "boot cl2 clj cljc cljs cljscm cljx hic",
    "CoffeeScript": "_coffee cjsx coffee iced",
    "Common Lisp": "asd ny podsl sexp",
    "CUDA": "cu cuh",
    "Dart": "dart",
    "Dockerfile": "containerfile dockerfile",
    "Elixir": "exs",
    "Elm": "elm",
    "Emacs Lisp": "el emacs",
    "Erlang": "erl escript hrl xrl yrl",
    "F#": "fsi fsscript fsx",
    "Fortran": "f03 f08 f77 f90 f95 f18 ftn",
    "GLSL": "fp fragment fshader glsl glslf glslv gshader rahit rcall rchit rgen rint rmiss tesc tese vert vertex "
    "vrx vsh vshader",
    "Go": "go",
    "Groovy": "gradle groovy grt gtpl gvy",
    "HTML": "hta htm html xht xhtml",
    "Haskell": "hs hs-boot hsc hsig",
    "Idris": "idr lidr",
    "Isabelle": "thy",
    "JSON": "avsc geojson gltf har json json-tmlanguage jsonld mcmeta tfstate topojson webapp webmanifest yyp",
    "Java": "jav java jsh",
    "Java Server Pages": "jsp jspf jspx",
    "JavaScript": "_js bones cjs es6 jake javascript js jsb jscad jsfl jslib jsm jspre jss jsx mjs njs pac "
    "sjs ssjs xsjs xsjslib",
    "Julia": "jl",
    "Kotlin": "kt ktm kts",
    "Lean": "hlean lean",
    "Literate Agda": "lagda",
    "Literate CoffeeScript": "litcoffee",
    "Literate Haskell": "lhs",
    "Lua": "lua nse p8 pd_lua rbxs rockspec wlua",
    "Makefile": "mak make makefile mk mkfile",
    "Maple": "maplet",
    "Markdown": "livemd markdown mdown mdwn mkd mkdn mkdown ronn",
    "Mathematica": "mathematica wl wls wlt",
    "MATLAB": "matlab",
    "OCaml": "eliom eliomi ml4 mli mll mly",
    "PHP": "ctp php3 php4 php5 php7 phps phpt phtml",
    "Pascal": "dpk dpr lpr pas pascal",
    "Perl": "perl plx psgi",
    "PowerShell": "ps1 psd1 psm1",
    "Prolog": "prolog yap",
    "Protocol Buffer": "proto",
    "Python": "gyp gypi py py3 pyde pyi pyp pyt pyw tac wsgi xpy",
    "R": "rprofile rsx",
    "RMarkdown": "qmd rmd rmarkdown",
    "Racket": "rkt rktd rktl scrbl",
    "Ruby": "gemspec god jbuilder mspec podspec prawn rabl rake rb rbi rbuild rbw rbx ruby thor watchr",
    "SAS": "sas",
    "SPARQL": "rq sparql",
    "SQL": "bdy ddl mysql pck pgsql pkb pkh pks plb pls plsql psql spc sql tsql udf viw",
    "Scala": "kojo sbt scala",
    "Scheme": "sld sps",
    "Shell": "bash bats command ebuild eclass ksh tmux zsh zsh-theme",
    "Stan": "stan",
    "Standard ML": "sml",
    "Stata": "ado doh ihlp mata matah sthlp",
    "Swift": "swift",
    "SystemVerilog": "sv svh vh",
    "Tcl": "adp itcl itk sdc tcl xdc",
    "Tcsh": "csh tcsh",
    "TeX": "bbx cbx dtx latex lbx ltx mkii mkiv mkvi sty tex",
    "Thrift": "thrift",
    "TypeScript": "cts mts",
    "VHDL": "vhd vhdl vhf vhi vho vhs vht vhw",
    "Verilog": "veo",
    "Visual Basic": "dsr vb vbhtml vbs",
    "XSLT": "xsl xslt",
    "YAML": "reek sublime-syntax yaml yaml-tmlanguage yml",
    "Yacc": "y yacc ypp y++",
    "Zig": "zig zon",
    "reStructuredText": "rest rst",
}
"""Extensions that mean one language, in lower case, without the dot."""

_NAMES_OF = {
    "CMake": "cmakelists.txt",
    "Clojure": "riemann.config",
    "CoffeeScript": "cakefile",
    "Dockerfile": "containerfile dockerfile",
    "Elixir": "mix.lock",
    "Emacs Lisp": "_emacs .abbrev_defs .emacs .emacs.desktop .gnus .spacemacs .viper",
    "Erlang": "emakefile rebar.config rebar.config.lock rebar.lock",
    "Groovy": "jenkinsfile",
    "Haskell": ".ghci",
    "JSON": ".all-contributorsrc .arcconfig .auto-changelog .babelrc .bowerrc .c8rc .csslintrc .htmlhintrc "
    ".imgbotconfig .jscsrc .jshintrc .jslintrc .nycrc .tern-config .tern-project .watchmanconfig bun.lock "
    "composer.lock deno.lock flake.lock mcmod.info package.resolved pipfile.lock",
    "JavaScript": "jakefile",
    "Lua": ".luacheckrc .luacov",
    "Makefile": "bsdmakefile gnumakefile kbuild makefile makefile.boot makefile.frag makefile.inc mkfile",
    "Markdown": "contents.lr",
    "OCaml": ".ocamlinit",
    "PHP": ".php_cs .php_cs.dist phakefile",
    "Perl": ".latexmkrc cpanfile latexmkrc makefile.pl rexfile",
    "Python": ".gclient .pythonstartup sconscript sconstruct wscript",
    "R": ".rprofile expr-dist",
    "Ruby": ".irbrc .pryrc .simplecov appfile appraisals berksfile brewfile buildfile capfile dangerfile deliverfile "
    "fastfile gemfile guardfile jarfile mavenfile podfile puppetfile rakefile snapfile steepfile thorfile vagrantfile",
    "Shell": ".bash_aliases .bash_functions .bash_login .bash_logout .bash_profile .bashrc "
    ".envrc .kshrc .profile .xinitrc .xprofile .xsession .xsessionrc .zlogin .zlogout .zprofile "
    ".zshenv .zshrc apkbuild bash_aliases bash_logout bash_profile bashrc gradlew kshrc pkgbuild "
    "profile zlogin zlogout zprofile zshenv zshrc",
    "Tcl": ".tclshrc .wishrc",
    "Tcsh": ".cshrc .login .logout .tcshrc csh.cshrc csh.login cshrc",
    "YAML": ".clang-format .clang-tidy .clangd .gemrc citation.cff glide.lock pixi.lock pubspec.lock",
}
"""File names that mean one language, in lower case; they win over the extension."""

_NAME_BEFORE_DOT = {
    "containerfile": "Dockerfile",
    "dockerfile": "Dockerfile",
    "gnumakefile": "Makefile",
    "jenkinsfile": "Groovy",
    "makefile": "Makefile",
}
"""Names whose last extension is only a variant's name: Makefile.am, Dockerfile.alpine."""

_TEMPLATE_EXTENSIONS = frozenset(
    {"ejs", "erb", "hbs", "j2", "jinja", "jinja2", "mustache", "new_t", "tmpl", "tpl", "twig"}
)
"""Extensions of templates, which are in the template's language and not in that of what they make."""

_COMPOUND_ENDINGS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "html": ((".antlers.html", None),),
    "in": (
        (".cmake.in", "CMake"),
        (".h.in", "C"),
        (".py.in", "Python"),
        (".rst.in", "reStructuredText"),
        (".sh.in", "Shell"),
    ),
    "md": ((".coffee.md", "Literate CoffeeScript"), (".lagda.md", "Literate Agda")),
    "php": ((".blade.php", None),),
    "rst": ((".lagda.rst", "Literate Agda"),),
    "src": ((".app.src", "Erlang"),),
    "tex": ((".lagda.tex", "Literate Agda"),),
    "txt": ((".rst.txt", "reStructuredText"), (".rest.txt", "reStructuredText")),
}
"""Endings of more than one part whose language the last part does not tell, by that last part."""

_UPPER_CASE_EXTENSIONS: dict[str, str | Choice] = {"C": AMBIGUOUS["c/upper"], "H": AMBIGUOUS["h"], "ML": "Standard ML"}
"""Extensions that mean something else in upper case."""


def _table(groups: dict[str, str]) -> dict[str, str]:
    return {word: language for language, words in groups.items() for word in words.split()}


_BY_EXTENSION: dict[str, str | Choice] = {**_table(_EXTENSIONS_OF), **AMBIGUOUS}
_BY_NAME: dict[str, str | Choice] = {**_table(_NAMES_OF), **AMBIGUOUS_NAMES}


def infer_language(path: str, text: str | None) -> str | None:
    """The language of a file, or None if it is not one of `LANGUAGES` or cannot be told.

    Args:
        path: the file's path, '/'-separated.
        text: its text, or None if that is unknown (binary, too large); then an extension that several languages share
            means the most common of them. At most the first `CONTENT_LIMIT` characters are looked at.
    """
    name = path[path.rfind("/") + 1 :]
    lowered = name.lower()
    dot = name.rfind(".") + 1
    extension = lowered[dot:] if dot else ""
    for ending, language in _COMPOUND_ENDINGS.get(extension, ()):
        if lowered.endswith(ending):
            return language
    known = (
        _BY_NAME.get(lowered) or _UPPER_CASE_EXTENSIONS.get(name[dot:] if dot else "") or _BY_EXTENSION.get(extension)
    )
    if not known:
        return _without_known_extension(lowered, extension, text)
    return known if isinstance(known, str) else known.language(text, CONTENT_LIMIT)


def _without_known_extension(lowered: str, extension: str, text: str | None) -> str | None:
    """The language of a file whose name and extension say nothing by themselves."""
    if extension in _TEMPLATE_EXTENSIONS:
        return None
    stem, _, _ = lowered.partition(".")
    if stem in _NAME_BEFORE_DOT:
        return _NAME_BEFORE_DOT[stem]
    return None if text is None else language_of_first_lines(text[:CONTENT_LIMIT])
