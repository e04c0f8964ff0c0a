"""Marks of languages: patterns that show which language a text is in, for use where its file name leaves a choice.

What belongs here: marks long enough, or used often enough, to have a name. What does not: which marks an extension is
asked for, in which order, and marks of one extension only (`ambiguous_languages.py`).

In a pattern a line begins with a line break and the text with a NUL and a line break, not with `^` and a start-of-text
anchor: both characters are put before the text (which itself holds no NUL), since `re` finds a pattern that begins with
a literal several times faster. Repetitions that could overlap are possessive, so that no text takes long.
"""

OBJECTIVE_C = r"\n[ \t]*@(?:interface|implementation|protocol|class|end|property|import)\b|\n[ \t]*#[ \t]*import\b"
CPP = (
    r"\n[ \t]*(?:(?:class|namespace)[ \t]+[\w:]+(?:[ \t]+final)?[ \t]*(?:[:{;]|$)|template[ \t]*<|using[ \t]+\w"
    r"|(?:public|private|protected)[ \t]*:|constexpr\b|inline namespace\b|namespace[ \t]*\{"
    r"|#[ \t]*include[ \t]*<[a-z_]+>|(?:virtual|explicit|friend)[ \t]+\w)"
)
CPP_WORDS = (r"std::\w", r"static_cast<", r"const_cast<", r"operator[ \t]*[=<>+*!(-]", r"-\*-[ \t]*C\+\+")
XML = r"\0\s*<(?:\?xml|!DOCTYPE|!--)"
PERL = (
    r"\0\n#!.*\bperl|\n[ \t]*(?:use|require)[ \t]+(?:v?[5.\d]+|strict|warnings|utf8|lib|base|parent"
    r"|[A-Z]\w*(?:::\w+)*)\b[^\n]*;"
    r"|\n[ \t]*package[ \t]+[\w:]+[ \t]*[;{]|\n[ \t]*(?:my|our|local)[ \t]+[($@%]|\n[ \t]*sub[ \t]+\w+"
    r"|\n[ \t]*[$@%]\w+[ \t]*="
    r"|\n=(?:pod|head\d|cut|encoding)\b"
)
RAKU = (
    r"\nuse Test;|\n[ \t]*(?:use v6|(?:my[ \t]+|unit[ \t]+)?(?:class|module|role"
    r"|grammar)[ \t]+[\w:-]++[^;{\n]*+[{;])|\0\n#!.*\b(?:raku|perl6)"
)
PROLOG = r"\n[ \t]*:-[ \t]*\w|\n[a-z]\w*(?:\([^\n]*\))?[ \t]*:-|\n[a-z]\w*\([^\n]*\)\.[ \t]*(?:%.*)?$"
SQL = (
    r"(?i:\n[ \t]*(?:create|alter|drop)[ \t]+(?:or[ \t]+replace[ \t]+)?(?:temp(?:orary)?[ \t]+)?(?:table|view"
    r"|index|procedure|function|trigger|database|package|type)\b|\n[ \t]*(?:select\b[^\n;=]*$|insert[ \t]+into"
    r"|delete[ \t]+from|set[ \t]+[\w@]+[ \t]*=|use[ \t]+\w+;))"
)
COMMON_LISP = (
    r"(?i:\n[ \t]*\((?:[\w-]+:)?(?:in-package|def(?:un|macro|package|var|parameter|class|generic|method|struct"
    r"|constant|type|setf|system)|eval-when|declaim|load|require)\b)"
)
VISUAL_BASIC = (
    r"\nVERSION \d|\nAttribute VB_|(?i:\n[ \t]*(?:option[ \t]+(?:explicit|base|compare|strict|infer)"
    r"|end[ \t]+(?:sub|function|property)"
    r"|(?:public|private|friend)[ \t]+(?:(?:static|shared|declare|const|type|enum|withevents)[ \t]+)*"
    r"(?:sub|function|property|\w+[ \t]+as|\w+\(\)[ \t]+as|\w+)\b(?![^\n]*[{;]))|\n[ \t]*Dim[ \t]+\w)"
)
GLSL = (
    r"\n[ \t]*#version\b|\n[ \t]*(?:precision[ \t]+(?:low|medium|high)p|uniform|varying|attribute"
    r"|layout[ \t]*\(|vec[234]|mat[234])\b"
    r"|\bgl_\w+|\n[ \t]*void[ \t]+main\w*[ \t]*\(|\bvec[234][ \t]+\w+[ \t]*[(,;=]"
)
FORTH = r"\n(?:\\[ \t]|:[ \t]+\S|[a-z0-9]+[ \t]+constant\b|new-device\b|variable[ \t]+\S)"
ASSEMBLY = (
    r"\n[ \t]*(?:\.?(?:macro|globl|global|section|equ|org|text|segment|ifdef|endm|word|byte)\b|%(?:define|macro"
    r"|ifdef|ifndef|include)\b|\w+:?[ \t]+(?:equ|db|dw|dd|macro|EQU|DB|DW|DD|MACRO)\b|(?:mov|push|pop|lda|sta|jmp"
    r"|call|MOV|PUSH|POP|LDA|STA|JMP|CALL)[ \t])"
)
C = (
    r"\n[ \t]*#[ \t]*(?:include[ \t]*[<\"\w]|define[ \t]+\w|if|ifdef|ifndef|pragma|undef)\b|\n[ \t]*(?:static"
    r"|extern|typedef|struct|enum|union)[ \t]+\w|\0\s*/\*"
)
TEX = (
    r"\n[ \t]*\\(?:documentclass|usepackage|NeedsTeXFormat|Provides\w+|newcommand|renewcommand|def|let|Require\w+"
    r"|begin|end|section|chapter|input|newif|DeclareOption|expandafter|LoadClass)\b|\n[ \t]*%"
)
SCHEME = r"\n[ \t]*\((?:define|define-\S+|module|library|import|load|require|use-modules|let|begin|display)[ \t\n(\[]"
TCL = (
    r"\n[ \t]*(?:proc[ \t]+[\w:]+[ \t]*\{|set[ \t]+[\w:]+[ \t]|package[ \t]+(?:require|provide)\b"
    r"|namespace[ \t]+eval\b|source[ \t]+\S|expect\b|spawn\b|load_lib\b|if[ \t]*\{|global[ \t]+\w|gdb_\w+)"
)
R = r"<-|\n[ \t]*#|\b(?:library|require|function|data\.frame|c)\("
