"""Extensions that several languages share, and the marks in a text that tell which one it is.

What belongs here: for each such extension the marks, in the order in which they are looked for, and what the file is
without any. A language outside the corpus is None. What does not: extensions that mean one language (`languages.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from seed_platform.filters.language_marks import (
    ASSEMBLY,
    COMMON_LISP,
    CPP,
    CPP_WORDS,
    FORTH,
    GLSL,
    OBJECTIVE_C,
    PERL,
    PROLOG,
    RAKU,
    SCHEME,
    SQL,
    TCL,
    TEX,
    VISUAL_BASIC,
    XML,
    C,
    R,
)


@dataclass(frozen=True, slots=True)
class Choice:
    """The languages of one extension: the first mark found decides, else `default`."""

    default: str | None
    marks: tuple[tuple[str | None, re.Pattern[str]], ...]

    def language(self, text: str | None, limit: int) -> str | None:
        """The language of `text` by its first `limit` characters; the default if there is no text to look at."""
        if text is None:
            return self.default
        head = "\0\n" + text[:limit]
        for language, mark in self.marks:
            if mark.search(head):
                return language
        return self.default


def _choice(default: str | None, *marks: tuple[str | None, *tuple[str, ...]]) -> Choice:
    """The default, and for each mark the language and any of the patterns that show it (see `language_marks`)."""
    return Choice(
        default,
        tuple((language, re.compile(pattern, re.MULTILINE)) for language, *patterns in marks for pattern in patterns),
    )


AMBIGUOUS: dict[str, Choice] = {
    "al": _choice(None, ("Perl", PERL)),
    "als": _choice(
        "Alloy",
        (None, r"\0\s*[<{]"),
        ("Alloy", r"\n[ \t]*(?:module|open|(?:abstract |one |lone )*sig|pred|fact|fun|assert|run|check)\b"),
    ),
    "asm": _choice("Assembly"),
    "bas": _choice(
        None,
        (None, r"\n[ \t]*\d+[ \t]+[A-Z]|\n[ \t]*#(?:include|lang|define)\b|\n'?[ \t]*\$"),
        ("Visual Basic", VISUAL_BASIC),
    ),
    "bs": _choice(
        None,
        (
            "Bluespec",
            r"\n[ \t]*package[ \t]+\w+.*\bwhere\b|\nimport[ \t]+\w+[ \t]*(?:::|$)"
            r"|\n[ \t]*interface[ \t]+\w+[^;{]*[={]",
        ),
    ),
    "c/upper": _choice("C++", ("C++", CPP, *CPP_WORDS), ("C", r"\n[ \t]*#[ \t]*include[ \t]*<\w+\.h>|\nmain[ \t]*\(")),
    "cake": _choice(
        None, ("C#", r"\n[ \t]*(?:#(?:load|tool|addin|reference)|Task\(|var[ \t])"), ("CoffeeScript", r"\ntask[ \t]")
    ),
    "cgi": _choice(
        None,
        ("Perl", PERL),
        ("Python", r"\0\n#!.*\bpython|\nimport \w+$"),
        ("Shell", r"\0\n#!.*sh\b"),
        ("Ruby", r"\0\n#!.*\bruby"),
    ),
    "cl": _choice(
        None,
        (None, r"\b__?(?:kernel|global|local)\b|\n[ \t]*class[ \t]+[A-Z]\w*.*\{"),
        ("Common Lisp", r"\0\s*(?:[(;]|#\|)|" + COMMON_LISP),
    ),
    "cls": _choice(
        None,
        ("Visual Basic", r"\0\nVERSION \d|\nAttribute VB_"),
        (
            None,
            r"\n[ \t]*(?:global|public|private|virtual|abstract|with sharing|without sharing"
            r"|@\w+)[ \t\w]*\b(?:class|interface|enum)\b",
        ),
        (
            None,
            r"(?i:\n[ \t]*(?:class[ \t]+[\w.]++[^:{\n]*+[:{]|&|using[ \t]|block-level|routine-level|import[ \t]+\w"
            r"|include[ \t]+\w))",
        ),
        ("TeX", TEX),
        ("Visual Basic", VISUAL_BASIC),
    ),
    "cs": _choice(
        "C#", ("Smalltalk", r"![^\n!]*\bmethodsFor:|\b\w+ subclass: ?#\w"), (None, r"\0\s*<(?:CsoundSynth|\?xml)")
    ),
    "ctl": _choice(None, ("Visual Basic", r"\0\nVERSION \d|\nAttribute VB_")),
    "do": _choice(
        "Stata",
        ("Shell", r"\0\n#!.*sh\b|\n[ \t]*redo-(?:if|always|stamp)"),
        ("Tcl", r"\n[ \t]*(?:vsim|vlog|vcom|vlib|vmap|add wave|quietly|onerror)\b"),
    ),
    "es": _choice("JavaScript", ("Erlang", r"\0\n#!.*escript|\n%|\n-(?:module|export|mode)\(|\nmain\(")),
    "eslintrc": _choice("YAML", ("JSON", r"\0\s*[{/]")),
    "ex": _choice(
        "Elixir",
        (
            None,
            r"\n[ \t]*(?:include[ \t]+[\w/]+\.e$|with(?:out)?[ \t]+(?:type_check|warning|trace)"
            r"|(?:global[ \t]+)?(?:procedure|function)[ \t]+\w+\(|puts\()",
        ),
    ),
    "exp": _choice(None, ("Tcl", r"\0\n#!.*(?:expect|tclsh)|" + TCL)),
    "f": _choice(
        "Fortran",
        (None, r"\0\n(?:\\[ \t]|\([ \t])|\n:[ \t]+\S|\nnew-device\b|\n[ \t]*(?:define (?:fileset|process)|flowop)\b"),
    ),
    "for": _choice("Fortran", (None, r"\0\n\\[ \t]|\n:[ \t]+\S")),
    "fpp": _choice("Fortran", (None, r"\n[ \t]*(?:module[ \t]+\w+[ \t]*\{|(?:passive|active|queued) component)")),
    "frag": _choice("GLSL", ("JavaScript", r"\0\s*(?:\(?function|var |//[ \t]*<)|\bwindow\."), ("GLSL", GLSL)),
    "frm": _choice(None, ("Visual Basic", r"\0\nVERSION \d|\nAttribute VB_|\nBegin VB\.")),
    "fs": _choice(
        None,
        (None, r"#include|#pragma[ \t]+(?:rs|version)|__attribute__"),
        (
            "F#",
            r"\n[ \t]*(?:#light|#r[ \t]\"|#load|open[ \t]+[A-Z]|module[ \t]+\S|namespace[ \t]+\S|let[ \t]+\S"
            r"|type[ \t]+\w)",
        ),
        ("GLSL", GLSL),
        (None, FORTH),
    ),
    "fsh": _choice("GLSL"),
    "fun": _choice(None, ("Standard ML", r"\n[ \t]*(?:functor|structure|signature|fun|local|open)\b")),
    "g": _choice(
        None,
        (
            "ANTLR",
            r"\n[ \t]*(?:(?:lexer|parser|tree)[ \t]+)?grammar[ \t]+\w+[ \t]*;"
            r"|\n[ \t]*class[ \t]+\w+[ \t]+extends[ \t]+\w*(?:Parser|Lexer)\b",
        ),
    ),
    "geo": _choice(None, ("GLSL", GLSL)),
    "geom": _choice(None, ("GLSL", GLSL)),
    "comp": _choice(None, ("GLSL", GLSL)),
    "gs": _choice(
        None,
        (None, r"\nuses[ \t]+[\w.]+$|\n[ \t]*(?:def|init|\[indent)\b|\nclasspath\b"),
        ("GLSL", r"\n[ \t]*#version\b|\bgl_(?:Position|in)\b|\bEmitVertex\b"),
        (
            "JavaScript",
            r"\n[ \t]*(?:function[ \t*]+\w+[ \t]*\([^:)]*\)[ \t]*\{|(?:var|const|let)[ \t]+\w+[ \t]*=|/\*\*|//)",
        ),
    ),
    "h": _choice("C", (None, OBJECTIVE_C), ("C++", CPP, *CPP_WORDS)),
    "hh": _choice("C++", (None, r"\0\s*<\?hh\b")),
    "inc": _choice(
        None,
        ("PHP", r"<\?(?:php\b|=|\s)"),
        (
            None,
            r"\n[ \t]*#(?:declare|macro|local|version|pragma semicolon|tryinclude)\b|\n(?:stock|native|forward"
            r"|methodmap)[ \t]",
        ),
        ("HTML", r"\0\s*<(?:!DOCTYPE|!--|[a-z][a-z0-9]*[ >])"),
        (
            "Pascal",
            r"\n[ \t]*(?:\{\$\w|\{\*|(?:procedure|function)[ \t]+\w[^\n]*;|unit[ \t]+\w+;|const$|var$|type$"
            r"|implementation\b)|\0\s*\{[^}]*\}",
        ),
        ("TeX", r"\n[ \t]*\\(?:newcommand|begin|def|section|usepackage|input)\b"),
        ("SQL", SQL),
        ("Assembly", ASSEMBLY),
        ("C++", CPP, *CPP_WORDS),
        ("C", C),
    ),
    "l": _choice(None, ("Common Lisp", COMMON_LISP)),
    "lisp": _choice("Common Lisp", (None, r"\0\n#!.*newlisp|\n\(define[ \t]|\n\(context[ \t]")),
    "lsp": _choice(
        None,
        (None, r"\0\n#!.*newlisp|\n\(define[ \t]|\n\(context[ \t]|(?i:\(defun[ \t]+c:|\(command[ \t]+\")"),
        ("Common Lisp", COMMON_LISP),
    ),
    "m": _choice(
        None,
        (None, OBJECTIVE_C + r"|\n[ \t]*#[ \t]*include\b|\n[ \t]*//"),
        (
            None,
            r"\n[ \t]*:-[ \t]*(?:module|interface|import_module|implementation|pred|func)\b"
            r"|\nimplement[ \t]+\w+;|\ninclude[ \t]+\".*\";",
        ),
        (
            None,
            r"\0\n[%A-Za-z]\w*(?:\([^)\n]*\))?[ \t]+;|\n[ \t]+;[ \t;]*[\w\d]|\n[ \t]+(?:S|SET|D|Q|N"
            r"|NEW)[ \t]+[\w(,]+[ \t]*(?:=|$)",
        ),
        (
            "Mathematica",
            r"\0\s*\(\*|\n[ \t]*(?:BeginPackage|Begin|Needs|Get)\[|\n[ \t]*<<[ \t]?\w+`"
            r"|\w\[[^\[\]\n_]*+_[^\[\]\n]*+\][ \t]*:?=",
        ),
        (
            "MATLAB",
            r"\n[ \t]*(?:%|##|#|(?:function|classdef|clear|clc|close all|end(?:function|if)?|disp|fprintf"
            r"|figure|addpath)\b)|\n[ \t]*\[?\w[\w,. \t()~\]]*+=[^=\n]*$",
        ),
        ("Mathematica", r"\(\*.*\*\)|\w\[[\w{ ][^\n]*\]"),
    ),
    "md": _choice("Markdown", (None, r"\n\((?:define_\w+|include|match_operand)\b|\0\n;;")),
    "ml": _choice(
        "OCaml",
        (
            "Standard ML",
            r"\n[ \t]*(?:(?:structure|functor)[ \t]+\w+[^\n]*(?:=|$)|signature[ \t]+\w+[ \t]*=|fun[ \t]+[\w'(]"
            r"|infixr?[ \t]+\d|datatype[ \t])",
        ),
    ),
    "mw": _choice(None, (None, r"\0\s*<"), ("Maple", r"\n[ \t]*(?:\w+[ \t]*:=|with\(\w+\)[:;]|restart[:;]|end proc)")),
    "p": _choice(None, ("Prolog", PROLOG)),
    "ph": _choice(None, ("Perl", PERL)),
    "php": _choice("PHP", (None, r"\0\n(?:#!.*\n)?\s*<\?hh\b")),
    "mpl": _choice("Maple", (None, r"\0\s*[<{]")),
    "nas": _choice("Assembly", (None, r"\n[ \t]*var[ \t]+\w+[ \t]*=|\bfunc[ \t]*[({]")),
    "pl": _choice(
        "Perl",
        ("Perl", r"\0\n#!.*\bperl5?\b|\n[ \t]*use[ \t]+(?:strict|warnings)\b"),
        (None, RAKU),
        ("Perl", PERL),
        ("Prolog", PROLOG),
    ),
    "plt": _choice(None, ("Prolog", r"\n[ \t]*:-[ \t]*\w")),
    "pm": _choice(
        "Perl",
        (None, r"\0\s*/\* XPM \*/"),
        ("Perl", r"\n[ \t]*(?:use[ \t]+(?:strict|warnings|base|parent)\b|package[ \t]+[\w:]+)"),
        (None, RAKU),
    ),
    "pp": _choice(
        None,
        (
            None,
            r"\n[ \t]*(?:class[ \t]+[\w:']++[^=({\n]*+[{(]|node[ \t]+\S+|define[ \t]+[\w:]+"
            r"|[a-z_:]+[ \t]*\{[ \t]*['\"$\[]|include[ \t]+[\w:]+$|#)",
        ),
        (
            "Pascal",
            r"(?i:\n[ \t]*(?:unit|program|library|uses|interface|implementation|begin|type|const|var|procedure"
            r"|function)\b|\nend\.|\n[ \t]*\{\$\w)",
        ),
    ),
    "pro": _choice(
        None,
        (
            None,
            r"\n[ \t]*-(?:keep|dont|optimiz|assume|verbose)\w*|(?i:\n[ \t]*(?:pro"
            r"|function)[ \t]+\w[\w:]*[ \t]*(?:,|$))",
        ),
        (None, r"\n[ \t]*(?:QT|TEMPLATE|SOURCES|HEADERS|TARGET|CONFIG|SUBDIRS|INCLUDEPATH)\b[ \t]*[+*-]?="),
        ("Prolog", PROLOG),
    ),
    "r": _choice(
        "R",
        (None, r"(?i:\0\s*(?:rebol|red)\b|\nrebol[ \t]*\[)|\nresource[ \t]+'|\n#include[ \t]+\"\w+\.r\""),
        ("R", R),
    ),
    "rpy": _choice(None, ("Python", r"\n(?:import|from|class|def)[ \t]+\w")),
    "rs": _choice("Rust", (None, r"\n[ \t]*#pragma[ \t]+(?:version|rs)\b", r"\brs_(?:allocation|matrix)", XML)),
    "ru": _choice(
        "Ruby", ("SPARQL", r"(?i:\n[ \t]*(?:prefix[ \t]+[\w-]*:[ \t]*<|(?:insert|delete)[ \t]+(?:data|where)\b))")
    ),
    "sc": _choice(
        None,
        (
            None,
            r"\n[+]?[ \t]*[A-Z]\w*[ \t]*(?::[ \t]*[A-Z]\w*[ \t]*)?\{|\^(?:this|super)\b|\|[\w, =]+\|"
            r"|\bSynthDef\b|\n[ \t]*~\w+[ \t]*=",
        ),
        (
            "Scala",
            r"\n[ \t]*(?:import[ \t]+[\w.$`]+|package[ \t]+[\w.]+|(?:case[ \t]+)?(?:class|object)[ \t]+\w"
            r"|trait[ \t]+\w|def[ \t]+\w|val[ \t]+\w)",
        ),
    ),
    "sch": _choice(None, ("Scheme", SCHEME)),
    "scm": _choice("Scheme", (None, r"\n[^;\n]*[)\]\"][ \t]*@[a-z][\w.]*[ \t)]*$|\n;[ \t]*inherits:")),
    "sh": _choice("Shell", ("Tcsh", r"\0\n#!.*\bt?csh\b"), (None, r"\0\n#!.*\bfish\b")),
    "sig": _choice(None, ("Standard ML", r"\n[ \t]*(?:signature|sig|structure|open)\b")),
    "sls": _choice("Scheme", (None, r"\0(?:#[^\n]*+\n|\s)*+(?:[\w.-]+:[ \t]*\n|\{%)")),
    "sol": _choice("Solidity", (None, r"\0\s*(?:M48|[%;]FS|G04|;?FILE_FORMAT)|\n%FS")),
    "sp": _choice(
        None,
        ("SPARQL", r"(?i:\n[ \t]*prefix[ \t]+[\w-]*:[ \t]*<|\n[ \t]*(?:select|construct|ask|describe)\b[^\n]*\?\w)"),
    ),
    "ss": _choice(None, ("Scheme", SCHEME), ("Scheme", r"\0\s*;")),
    "st": _choice(
        None,
        (
            None,
            r"(?i:\n[ \t]*(?:function_block|end_var|end_program|program[ \t]+\w+$|var_input))"
            r"|\ndelimiters?[ \t]|\n\w+\([^)\n]*\)[ \t]*::=",
        ),
        (
            "Smalltalk",
            r"\0\n[\w -]+\r?\n[a-z][\w: ]*\r?\n(?:\t|\s*\Z)|\bsubclass:[ \t]*#"
            r"|!\s*[\w ]+(?: class)? methodsFor:|\bextend[ \t]*\[|\n[A-Z]\w*(?: class)?[ \t]*>>"
            r"|\n\w+[ \t]*:=[^\n]*[.!]?$|\bTranscript\b|\n\|[\w ]+\||\n(?:Class|Trait|Extension"
            r"|Package)[ \t]*\{|\n\"[^\"]*\"[ \t]*!?$",
        ),
    ),
    "t": _choice(
        None,
        (None, RAKU),
        ("Perl", PERL),
        ("Perl", r"\n[ \t]*(?:plan[ \t]+tests|BEGIN[ \t]*\{|(?:is|ok|like|is_deeply)[ \t]*\(?[ \t]*[$\\(])"),
    ),
    "tab": _choice(None, ("SQL", SQL)),
    "tag": _choice(None, ("Java Server Pages", r"<%[@-]|<jsp:|<c:\w")),
    "tk": _choice(None, ("Tcl", TCL)),
    "tm": _choice(None, ("Tcl", TCL)),
    "toc": _choice(None, ("TeX", r"\\contentsline\b|\\defcounter\b")),
    "ts": _choice("TypeScript", (None, r"\0\s*(?:<\?xml|<!DOCTYPE TS|<TS\b)")),
    "tsx": _choice("TypeScript", (None, r"\0\s*<(?:\?xml|tileset)")),
    "v": _choice(
        None,
        (
            None,
            r"\n[ \t]*(?:Require|From \S+ Require|Proof|Qed|Theorem|Lemma|Definition|Inductive|Section"
            r"|Fixpoint|Module)\b",
        ),
        (
            None,
            r"\n(?:pub[ \t]+)?fn[ \t]+[(\w][^;]*\{|\nmodule[ \t]+\w+[ \t]*\n+(?:import|fn|pub|struct|const|//)"
            r"|\nimport[ \t]+[a-z.]+$|\nstruct[ \t]+[A-Z]",
        ),
        (
            "Verilog",
            r"\n[ \t]*(?:(?:macro)?module|primitive|endmodule|always|initial|assign|wire|reg|input|output"
            r"|parameter|localparam|task|function)\b|\n[ \t]*`\w+",
        ),
    ),
    "vba": _choice("Visual Basic", (None, r"\nUseVimball|\0\n\"[ \t]*Vimball")),
    "vs": _choice(None, ("GLSL", GLSL)),
    "xml": _choice(
        None, ("XSLT", r"<(?:[\w-]+:)?(?:stylesheet|transform)\b[^>]*http://www\.w3\.org/1999/XSL/Transform")
    ),
    "yy": _choice("Yacc", ("JSON", r"\0\s*\{[ \t\r\n]*\"")),
}
"""Extensions, in lower case and without the dot, that need the text."""

AMBIGUOUS_NAMES: dict[str, Choice] = {
    ".eslintrc": AMBIGUOUS["eslintrc"],
    ".prettierrc": AMBIGUOUS["eslintrc"],
    ".stylelintrc": AMBIGUOUS["eslintrc"],
    "root": _choice(None, ("Isabelle", r"\nsession\b.*=|\nsession[ \t]+\"?\w")),
}
"""File names, in lower case, that need the text."""
