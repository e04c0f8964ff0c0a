import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.filters.ambiguous_languages import AMBIGUOUS, AMBIGUOUS_NAMES
from seed_platform.filters.languages import CONTENT_LIMIT, LANGUAGES, infer_language

BY_NAME = {
    "ANTLR": "Expr.g4",
    "Ada": "main.adb",
    "Agda": "Nat.agda",
    "Alloy": "model.als",
    "AppleScript": "run.applescript",
    "Assembly": "boot.asm boot.s boot.S x.nasm",
    "Augeas": "hosts.aug",
    "AWK": "sum.awk",
    "Batchfile": "build.bat build.CMD",
    "Bluespec": "Fifo.bsv",
    "C": "main.c main.h config.h.in",
    "C#": "Program.cs",
    "C++": "a.cpp a.cc a.hpp a.C a.hxx a.ipp",
    "CMake": "CMakeLists.txt a.cmake a.cmake.in",
    "CSS": "site.css",
    "Clojure": "core.clj core.cljs",
    "CoffeeScript": "app.coffee Cakefile",
    "Common Lisp": "a.lisp a.asd",
    "CUDA": "kernel.cu kernel.cuh",
    "Dart": "main.dart",
    "Dockerfile": "Dockerfile Dockerfile.alpine web.dockerfile Containerfile",
    "Elixir": "a.ex a.exs mix.lock",
    "Elm": "Main.elm",
    "Emacs Lisp": "init.el .emacs",
    "Erlang": "a.erl a.hrl rebar.config kernel.app.src",
    "F#": "a.fsx a.fsi",
    "Fortran": "a.f90 a.F90 a.f a.for",
    "GLSL": "a.glsl a.vert a.frag",
    "Go": "main.go",
    "Groovy": "a.groovy build.gradle Jenkinsfile",
    "HTML": "index.html index.htm",
    "Haskell": "Main.hs",
    "Idris": "Main.idr",
    "Isabelle": "Nat.thy",
    "JSON": "a.json .babelrc composer.lock",
    "Java": "Main.java",
    "Java Server Pages": "a.jsp",
    "JavaScript": "a.js a.mjs a.jsx a.min.js Jakefile",
    "Julia": "a.jl",
    "Kotlin": "a.kt build.gradle.kts",
    "Lean": "Nat.lean",
    "Literate Agda": "a.lagda a.lagda.md a.lagda.tex",
    "Literate CoffeeScript": "a.litcoffee a.coffee.md",
    "Literate Haskell": "a.lhs",
    "Lua": "a.lua a-1.0.rockspec",
    "Makefile": "Makefile makefile GNUmakefile rules.mk Makefile.am",
    "Maple": "a.mpl",
    "Markdown": "README.md a.markdown",
    "Mathematica": "a.wl a.wls",
    "MATLAB": "a.matlab",
    "OCaml": "a.ml a.mli",
    "PHP": "a.php a.phtml",
    "Pascal": "a.pas a.dpr",
    "Perl": "a.pl a.pm cpanfile Makefile.PL",
    "PowerShell": "a.ps1 a.psm1",
    "Prolog": "a.prolog",
    "Protocol Buffer": "a.proto",
    "Python": "a.py a.pyi SConstruct wscript",
    "R": "a.R a.r .Rprofile",
    "RMarkdown": "a.Rmd",
    "Racket": "a.rkt",
    "Ruby": "a.rb Rakefile Gemfile Vagrantfile a.gemspec",
    "Rust": "lib.rs",
    "SAS": "a.sas",
    "SPARQL": "a.rq a.sparql",
    "SQL": "a.sql",
    "Scala": "a.scala build.sbt",
    "Scheme": "a.scm a.sld",
    "Shell": "a.sh a.bash .bashrc PKGBUILD configure.sh.in",
    "Solidity": "Token.sol",
    "Stan": "a.stan",
    "Standard ML": "a.sml a.ML",
    "Stata": "a.do a.ado",
    "Swift": "a.swift",
    "SystemVerilog": "a.sv a.svh",
    "Tcl": "a.tcl",
    "Tcsh": "a.csh a.tcsh .cshrc",
    "TeX": "a.tex a.sty",
    "Thrift": "a.thrift",
    "TypeScript": "a.ts a.tsx a.d.ts a.mts",
    "VHDL": "a.vhd",
    "Verilog": "a.veo",
    "Visual Basic": "a.vb a.vbs",
    "XSLT": "a.xslt a.xsl",
    "YAML": "a.yml a.yaml .clang-format",
    "Yacc": "a.y a.yy",
    "Zig": "a.zig",
    "reStructuredText": "a.rst index.rst.txt",
}

BY_TEXT = [
    ("a.h", '#ifndef A_H\n#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "C"),
    ("a.h", "#pragma once\nnamespace a {\nclass B;\n}\n", "C++"),
    ("a.h", "#pragma once\nusing size = unsigned;\n", "C++"),
    ("a.h", "#import <Foundation/Foundation.h>\n@interface A : NSObject\n@end\n", None),
    ("a.C", "#include <stdio.h>\nmain() { return 0; }\n", "C"),
    ("a.hh", "<?hh\nclass A {}\n", None),
    ("a.m", "function y = f(x)\n  y = x + 1;\nend\n", "MATLAB"),
    ("a.m", "% a script\nx = 1;\n", "MATLAB"),
    ("a.m", '#import "A.h"\n@implementation A\n@end\n', None),
    ("a.m", '(* a package *)\nBeginPackage["A`"]\nf[x_] := x + 1\n', "Mathematica"),
    ("a.m", ":- module hello.\n:- interface.\n", None),
    ("a.m", 'implement Hello;\ninclude "sys.m";\n', None),
    ("a.m", "start ; a routine\n set x=1\n quit\n", None),
    ("a.pl", "#!/usr/bin/perl\nprint 1;\n", "Perl"),
    ("a.pl", "use strict;\nmy $x = 1;\n", "Perl"),
    ("a.pl", "parent(a, b).\nchild(X, Y) :- parent(Y, X).\n", "Prolog"),
    ("a.pl", "use v6;\nsay 1;\n", None),
    ("a.pro", ":- dynamic f/1.\nf(X) :- g(X).\n", "Prolog"),
    ("a.pro", "pro hello, x\n  print, x\nend\n", None),
    ("a.pro", "QT += core\nSOURCES += main.cpp\n", None),
    ("a.v", "module top(input a);\nendmodule\n", "Verilog"),
    ("a.v", "Require Import List.\nTheorem a : True.\nProof. Qed.\n", None),
    ("a.v", "module main\n\nfn main() {\n\tprintln('hi')\n}\n", None),
    ("a.cls", "\\NeedsTeXFormat{LaTeX2e}\n\\ProvidesClass{a}\n", "TeX"),
    ("A.cls", 'VERSION 1.0 CLASS\nBEGIN\nEND\nAttribute VB_Name = "A"\n', "Visual Basic"),
    ("A.cls", "public with sharing class A {\n}\n", None),
    ("A.cls", "CLASS app.A INHERITS app.B:\nEND CLASS.\n", None),
    ("a.r", "x <- c(1, 2)\n", "R"),
    ("a.r", 'REBOL [\n  Title: "a"\n]\n', None),
    ("a.fs", "module A\nlet x = 1\n", "F#"),
    ("a.fs", "#version 330\nuniform vec3 c;\nvoid main() { gl_FragColor = vec4(c, 1); }\n", "GLSL"),
    ("a.fs", ": square dup * ;\n", None),
    ("a.vs", "attribute vec3 p;\nvoid main() { gl_Position = vec4(p, 1.0); }\n", "GLSL"),
    ("a.inc", "<?php\necho 1;\n", "PHP"),
    ("a.inc", "#define A 1\nint a[] = {\n", "C"),
    ("a.inc", "CREATE TABLE t (a int);\n", "SQL"),
    ("a.inc", "{$IFDEF FPC}\nprocedure A;\n", "Pascal"),
    ("a.inc", "\\newcommand{\\a}{b}\n", "TeX"),
    ("a.inc", "SECTION equ 1\n\tmov ax, bx\n", "Assembly"),
    ("a.inc", "nothing to see\n", None),
    ("a.l", "(defun f (x) x)\n", "Common Lisp"),
    ("a.l", "%{\n#include <stdio.h>\n%}\n%%\n", None),
    ("a.cl", "(in-package :a)\n", "Common Lisp"),
    ("a.cl", "__kernel void f(__global int *a) {}\n", None),
    ("a.lisp", "#!/usr/bin/newlisp\n(define (f x) x)\n", None),
    ("a.st", "Object subclass: #A\n  instanceVariableNames: ''\n", "Smalltalk"),
    ("a.st", "page(title) ::= <<\n<html></html>\n>>\n", None),
    ("a.cs", "!A methodsFor: 'b'!\nc ^1! !\n", "Smalltalk"),
    ("a.p", "f(X) :- g(X).\n", "Prolog"),
    ("a.p", "set terminal png\nplot sin(x)\n", None),
    ("a.p", "DEFINE VARIABLE x AS INTEGER NO-UNDO.\n", None),
    ("a.ts", "export const a: number = 1;\n", "TypeScript"),
    ("a.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n<TS version="2.1">\n', None),
    ("a.tsx", '<?xml version="1.0"?>\n<tileset/>\n', None),
    ("a.rs", "#pragma version(1)\n#pragma rs java_package_name(a)\n", None),
    ("a.md", '(define_insn "add"\n  [(set)])\n', None),
    ("a.yy", '{\n  "name": "sprite"\n}\n', "JSON"),
    ("a.g", "grammar A;\nr : 'a' ;\n", "ANTLR"),
    ("a.g", 'DeclareOperation("A", [IsObject]);\n', None),
    ("a.t", "use Test::More tests => 1;\nok(1);\n", "Perl"),
    ("a.t", "terra f(x : int)\n  return x\nend\n", None),
    ("a.sc", "import scala.util.Try\nobject A { def f = 1 }\n", "Scala"),
    ("a.sc", "A : B {\n  *new { ^super.new }\n}\n", None),
    ("a.ml", "structure A = struct\n  fun f x = x\nend\n", "Standard ML"),
    ("a.sig", "signature A = sig\nend\n", "Standard ML"),
    ("a.sig", "-----BEGIN PGP SIGNATURE-----\n", None),
    ("a.fun", "functor A (B : C) : D = struct end\n", "Standard ML"),
    ("a.pp", "unit a;\ninterface\nimplementation\nend.\n", "Pascal"),
    ("a.pp", "class ntp {\n  package { 'ntp': }\n}\n", None),
    ("a.f", ": square dup * ;\n", None),
    ("a.f", "      PROGRAM A\n      END\n", "Fortran"),
    ("a.bas", 'Attribute VB_Name = "A"\nPublic Sub F()\nEnd Sub\n', "Visual Basic"),
    ("a.bas", '10 PRINT "HI"\n20 GOTO 10\n', None),
    ("a.frm", "VERSION 5.00\nBegin VB.Form A\n", "Visual Basic"),
    ("a.sp", "PREFIX a: <http://a/>\nSELECT ?x WHERE { ?x a a:B }\n", "SPARQL"),
    ("a.sp", "#include <sourcemod>\n", None),
    ("a.xml", '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>\n', "XSLT"),
    ("a.xml", "<project/>\n", None),
    ("a.mw", "f := x -> x:\nwith(plots):\n", "Maple"),
    ("a.mw", '<?xml version="1.0"?><Worksheet/>\n', None),
    ("a.sol", "%FSLAX36Y36*%\nG04 a*\n", None),
    ("a.sh", "#!/bin/tcsh\nset a = 1\n", "Tcsh"),
    ("a.do", "#!/bin/sh\nredo-ifchange a\n", "Shell"),
    ("a.html", "{% extends 'base.html' %}\n", "HTML"),
    (".eslintrc", '{"root": true}\n', "JSON"),
    (".eslintrc", "root: true\n", "YAML"),
    ("ROOT", "session A = HOL +\n", "Isabelle"),
    ("ROOT", "/usr\n", None),
    ("vector", "// -*- C++ -*-\n#include <a>\n", "C++"),
]

SHEBANGS = [
    ("#!/usr/bin/env python3", "Python"),
    ("#!/usr/bin/python2.7 -u", "Python"),
    ("#! /usr/bin/env -S PATH=/bin deno run", "TypeScript"),
    ("#!/bin/bash", "Shell"),
    ("#!/bin/csh -f", "Tcsh"),
    ("#!/usr/bin/env node", "JavaScript"),
    ("#!/usr/bin/perl -w", "Perl"),
    ("#!/usr/bin/env ruby", "Ruby"),
    ("#!/usr/bin/env Rscript", "R"),
    ("#!/usr/bin/tclsh8.6", "Tcl"),
    ('#!/bin/sh\n# \\\nexec tclsh "$0" "$@"', "Tcl"),
    ("#!/usr/bin/awk -f", "AWK"),
    ("#!/usr/bin/env php", "PHP"),
    ("#!/usr/bin/lua5.3", "Lua"),
    ("#!/usr/bin/make -f", "Makefile"),
    ("#!/usr/bin/env fish", None),
    ("#!/usr/bin/env", None),
    ("#!", None),
    ("#!/", None),
]


def test_there_are_the_89_languages_of_the_paper():
    assert len(LANGUAGES) == len(set(LANGUAGES)) == 89


@pytest.mark.parametrize("language", sorted(BY_NAME))
def test_a_name_alone_gives_the_language(language: str | None):
    for name in BY_NAME[language].split():
        assert infer_language(f"some dir/v1.2/{name}", None) == language, name


def test_every_language_can_be_given():
    reached = set(BY_NAME) | {language for _, _, language in BY_TEXT if language}
    assert reached == set(LANGUAGES)


@pytest.mark.parametrize(("name", "text", "language"), BY_TEXT)
def test_the_text_decides_where_the_name_leaves_a_choice(name: str, text: str, language: str | None):
    assert infer_language(f"src/{name}", text) == language


@pytest.mark.parametrize(("line", "language"), SHEBANGS)
@pytest.mark.parametrize("path", ["bin/tool", "bin/tool-1.0", "tool"])
def test_the_first_line_of_a_script_names_its_language(path: str, line: str, language: str | None):
    assert infer_language(path, f"{line}\nbody\n") == language


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "a/", ".", "..", "README", "LICENSE", "a.txt", "a.scss", "a.less", "a.vue", "a.d", "a.e",
        "a.xml", "a.nb", "a.ipynb",
        "a.jsonl", "a.toml", "a.blade.php", "a.html.erb", "Dockerfile.j2", "a.mod", "a.png", "a.unknown", ".hidden",
    ],
)  # fmt: skip
def test_other_files_are_no_language(path: str):
    assert infer_language(path, None) is None
    assert infer_language(path, "some words\n") is None


@pytest.mark.parametrize(
    "path", ["données/été.py", "日本/語.py", "\\xff\\xfe/a.py", "a b/c d.py", "x" * 100_000 + ".py"]
)
def test_paths_need_not_be_ascii_or_short(path: str):
    assert infer_language(path, "") == "Python"


def test_only_the_beginning_of_a_text_is_looked_at():
    mark = "\nnamespace a {\n"
    assert infer_language("a.h", "x" * 100 + mark) == "C++"
    assert infer_language("a.h", "x" * CONTENT_LIMIT + mark) == "C"


@pytest.mark.parametrize("extension", [*AMBIGUOUS, *AMBIGUOUS_NAMES, "unknown"])
@given(text=st.text(max_size=300))
def test_any_text_gives_a_language_of_the_corpus_or_none(extension: str, text: str):
    assert infer_language(f"a.{extension}", text) in {None, *LANGUAGES}


# Repeated pieces that make careless patterns take quadratic or exponential time.
@pytest.mark.parametrize(
    "piece", [" ", "a", "_", "(", "a[", "a[_", "(*", "<", "a:", "class ", "\n", "\n ", "use A", "#\n"]
)
def test_no_text_takes_long(piece: str):
    started = time.process_time()
    for extension in AMBIGUOUS:
        for opening in ("", "class a", "\nmodule a", "f[x"):
            infer_language(f"a.{extension}", opening + piece * (10_000_000 // len(piece) // 100))
    infer_language("a.m", piece * (10_000_000 // len(piece)))
    assert time.process_time() - started < 5
