"""Compilers and interpreters as judges of syntax, asked to parse and never to run.

What belongs here: one front end per language, each a function from paths to accepted, rejected or cannot tell. What
does not: what is made of the answers (`syntax_tolerance.py`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import yaml

SECONDS = 60
ORIGIN = "origin"
"""Link beside a mutant to the folder of the file that it was made of, for the headers there."""

PYTHON = r"""
import ast, sys, warnings
warnings.simplefilter("ignore")
for path in sys.stdin:
    try: ast.parse(open(path[:-1], "rb").read()); answer = 1
    except (SyntaxError, ValueError, RecursionError, MemoryError): answer = 0
    print(answer, flush=True)
"""
NODE = r"""
const vm = require('vm'), fs = require('fs');
const wrap = require('module').wrap;
const attempts = [s => new vm.Script(s), s => new vm.SourceTextModule(s), s => new vm.Script(wrap(s))];
for (const path of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const source = fs.readFileSync(path, 'utf8').replace(/^#!.*/, '');
  console.log(attempts.some(f => { try { f(source); return true } catch { return false } }) ? 1 : 0);
}
"""
TYPESCRIPT = r"""
const ts = require('typescript'), fs = require('fs');
for (const path of fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  const file = ts.createSourceFile(path, fs.readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
  console.log(file.parseDiagnostics.length ? 0 : 1);
}
"""
RUBY = r"""
$VERBOSE = nil
STDIN.each_line(chomp: true) do |path|
  begin RubyVM::InstructionSequence.compile(File.read(path, encoding: 'UTF-8')); puts 1
  rescue SyntaxError, ArgumentError, EncodingError then puts 0 end
  STDOUT.flush
end
"""
PHP = r"""
error_reporting(0);
while (($path = fgets(STDIN)) !== false) {
  try { token_get_all(file_get_contents(trim($path)), TOKEN_PARSE); echo "1\n"; } catch (ParseError $e) { echo "0\n"; }
}
"""
LUA = r"""
for path in io.lines() do print(loadfile(path, "t") and 1 or 0) io.flush() end
"""
JAVA = r"""
import com.sun.source.util.JavacTask;
import java.io.*; import java.nio.file.*; import java.util.*; import javax.tools.*;
public class Parse {
  public static void main(String[] a) throws Exception {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    for (String path : new BufferedReader(new InputStreamReader(System.in)).lines().toList()) {
      DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
      StandardJavaFileManager files = compiler.getStandardFileManager(found, null, null);
      var units = files.getJavaFileObjects(path);
      ((JavacTask) compiler.getTask(null, files, found, List.of("-proc:none"), null, units)).parse();
      boolean rejected = found.getDiagnostics().stream().anyMatch(d -> d.getKind() == Diagnostic.Kind.ERROR);
      System.out.println(rejected ? 0 : 1);
    }
  }
}
"""

FrontEnd = Callable[[Sequence[Path]], list[bool | None]]
"""Whether each file is accepted; None where it cannot tell."""


def in_one_process(*command: str) -> FrontEnd:
    """A front end that reads paths from its input and prints 1 or 0 for each."""

    def check(paths: Sequence[Path]) -> list[bool | None]:
        answers: list[bool | None] = []
        while len(answers) < len(paths):
            rest = paths[len(answers) : len(answers) + 200]
            try:
                text = "".join(f"{path}\n" for path in rest)
                done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
                output = done.stdout
            except subprocess.TimeoutExpired as error:
                output = (error.stdout or b"").decode()
            lines = [line == "1" for line in output.split()]
            # What ended the process, or held it up, is the file after the last answer.
            answers += lines if len(lines) == len(rest) else [*lines, None]
        return answers

    return check


def each(accepts: Callable[[Path], bool | None]) -> FrontEnd:
    """A front end that is asked about one file at a time."""

    def guarded(path: Path) -> bool | None:
        try:
            return accepts(path)
        except subprocess.TimeoutExpired:
            return None

    def check(paths: Sequence[Path]) -> list[bool | None]:
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(guarded, paths))

    return check


def command(*words: str) -> FrontEnd:
    """A front end that exits with 0 if it accepts the file named last."""
    environment = os.environ | {"RUSTC_BOOTSTRAP": "1"}

    def accepts(path: Path) -> bool:
        done = subprocess.run([*words, str(path)], capture_output=True, timeout=SECONDS, env=environment, check=False)
        return done.returncode == 0

    return each(accepts)


def parsed_by(parse: Callable[[bytes], object]) -> FrontEnd:
    """A front end in this process that raises on what it rejects."""

    def accepts(path: Path) -> bool:
        try:
            parse(path.read_bytes())
        except (ValueError, yaml.YAMLError, expat.ExpatError, RecursionError):
            return False
        return True

    return each(accepts)


@dataclass
class Gcc:
    """gcc or g++, told apart by what they say: its messages on grammar reject; those on meaning alone accept.

    A header that is missing is replaced by an empty one, and the file asked about again. A file of which the compiler
    has complaints of both kinds cannot be decided: an unknown type makes a declaration look like bad grammar.
    """

    words: tuple[str, ...]
    stubs: Path = field(default_factory=lambda: Path(tempfile.mkdtemp()))

    GRAMMAR = re.compile(
        r"error: (expected|stray|unterminated|missing terminating|missing '|extraneous|unbalanced|empty character"
        r"|#(endif|else|elif) without|unterminated|two or more data types|.*at end of input|.*before .* token"
        r"|invalid preprocessing|invalid suffix|.*without a previous|.*not within a|macro names must)"
    )
    UNKNOWN = re.compile(r"error: .*(unknown type name|does not name a type|has not been declared|was not declared)")

    def __call__(self, path: Path) -> bool | None:
        """Whether `path` is accepted; None if that cannot be told."""
        origin = (path.parent / ORIGIN).resolve() if (path.parent / ORIGIN).exists() else path.parent
        above = [folder for parent in (origin, *origin.parents)[:5] for folder in (parent, parent / "include")]
        search = ["-iquote", str(origin), *(f"-idirafter{folder}" for folder in above), f"-idirafter{self.stubs}"]
        for _ in range(40):
            result = subprocess.run(
                [*self.words, *search, str(path)],
                capture_output=True,
                timeout=SECONDS,
                encoding="utf-8",
                errors="replace",
                env=os.environ | {"LC_ALL": "C"},
                check=False,
            )
            missing = re.search(r"fatal error: ([^:\n]+): No such file", result.stderr)
            if missing is None:
                break
            stub = (self.stubs / missing[1]).resolve()
            if not stub.is_relative_to(self.stubs.resolve()) or stub.exists():
                return None
            stub.parent.mkdir(parents=True, exist_ok=True)
            stub.touch()
        else:
            return None
        if "fatal error" in result.stderr:
            return None
        if not self.GRAMMAR.search(result.stderr):
            return True
        return None if self.UNKNOWN.search(result.stderr) else False


def front_ends(folders: Sequence[Path], scratch: Path) -> dict[str, FrontEnd]:
    """The front ends that this machine has, by language."""
    (scratch / "Parse.java").write_text(JAVA)
    includes = [f"-I{path}" for folder in folders for path in folder.glob("*/usr/include") if path.is_dir()]
    gcc = ("-fsyntax-only", "-w", "-fmax-errors=0", *includes)
    known = {
        "Python": in_one_process(sys.executable, "-c", PYTHON),
        "JavaScript": in_one_process("node", "--experimental-vm-modules", "--no-warnings", "-e", NODE),
        "TypeScript": in_one_process("node", "-e", TYPESCRIPT),
        "Ruby": in_one_process("ruby", "-e", RUBY),
        "PHP": in_one_process("php", "-d", "short_open_tag=0", "-r", PHP),
        "Lua": in_one_process("lua5.4", "-e", LUA),
        "Java": in_one_process("java", str(scratch / "Parse.java")),
        "Rust": command("rustc", "-Zparse-crate-root-only=yes", "--edition=2021"),
        "Go": command("gofmt", "-e", "-l"),
        "Shell": command("bash", "-n"),
        "C": each(Gcc(("gcc", "-x", "c", *gcc))),
        "C++": each(Gcc(("g++", "-x", "c++", "-std=c++17", *gcc))),
    }
    words = {"Python": sys.executable, "JavaScript": "node", "TypeScript": "node", "Ruby": "ruby", "PHP": "php"}
    words |= {
        "Lua": "lua5.4",
        "Java": "java",
        "Rust": "rustc",
        "Go": "gofmt",
        "Shell": "bash",
        "C": "gcc",
        "C++": "g++",
    }
    found = {language: check for language, check in known.items() if shutil.which(words[language])}
    found["JSON"] = parsed_by(json.loads)
    found["YAML"] = parsed_by(lambda raw: list(yaml.compose_all(raw, Loader=yaml.CSafeLoader)))
    found["XSLT"] = parsed_by(lambda raw: expat.ParserCreate().Parse(raw, True))  # noqa: FBT003
    return found
