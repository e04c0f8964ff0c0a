"""Language inference against an independent judge: agreement, confusions and speed over a folder of real files.

What belongs here: the comparison with GitHub's linguist (the Ruby gem, if it is installed), with Pygments, or with the
labels of a folder that holds one folder per language. What does not: any rule of the inference itself.

    python benchmarks/language_inference.py FOLDER [--judge linguist|pygments|folders] [--sample 20000] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pygments.lexers import guess_lexer_for_filename
from pygments.util import ClassNotFound

from seed_platform.filters.languages import LANGUAGES, infer_language
from seed_platform.sources.text import decode

LARGEST = 1 << 20
_ALIASES = {
    # linguist
    "Awk": "AWK",
    "Bluespec BH": "Bluespec",
    "Cuda": "CUDA",
    "Fortran Free Form": "Fortran",
    "Gradle": "Groovy",
    "Gradle Kotlin DSL": "Kotlin",
    "Isabelle ROOT": "Isabelle",
    "JSON with Comments": "JSON",
    "JSONLD": "JSON",
    "Lean 4": "Lean",
    "Motorola 68K Assembly": "Assembly",
    "OASv2-json": "JSON",
    "OASv2-yaml": "YAML",
    "OASv3-json": "JSON",
    "OASv3-yaml": "YAML",
    "PLSQL": "SQL",
    "PLpgSQL": "SQL",
    "SQLPL": "SQL",
    "TSQL": "SQL",
    "TSX": "TypeScript",
    "Unix Assembly": "Assembly",
    "VBA": "Visual Basic",
    "VBScript": "Visual Basic",
    "Visual Basic .NET": "Visual Basic",
    "Visual Basic 6.0": "Visual Basic",
    "Wolfram Language": "Mathematica",
    # Pygments
    "ANTLR With Python Target": "ANTLR",
    "Bash": "Shell",
    "GAS": "Assembly",
    "NASM": "Assembly",
    "Java Server Page": "Java Server Pages",
    "Literate Agda": "Literate Agda",
    "Matlab": "MATLAB",
    "Delphi": "Pascal",
    "OpenEdge ABL": "OpenEdge ABL",
    "systemverilog": "SystemVerilog",
    "verilog": "Verilog",
    "vhdl": "VHDL",
    "Emacs Lisp": "Emacs Lisp",
    "EmacsLisp": "Emacs Lisp",
    "FSharp": "F#",
    "S": "R",
    "VB.net": "Visual Basic",
    "Visual Basic for Applications": "Visual Basic",
    "Transact-SQL": "SQL",
    "Tcsh": "Tcsh",
    "BibTeX": "BibTeX",
}
"""What the judges call a language, where the corpus has another name for it or counts it as part of another."""

_RUBY = r"""
require "linguist"
STDOUT.sync = true
STDIN.each_line(chomp: true) do |path|
  language = begin; Linguist.detect(Linguist::FileBlob.new(path), allow_empty: true); rescue; nil; end
  puts(language ? language.name : "")
end
"""


def main() -> None:
    """Compare and print a report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", choices=sorted(JUDGES), default="linguist" if shutil.which("ruby") else "pygments")
    parser.add_argument("--sample", type=int, default=20_000, help="at most so many files, drawn at random")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--examples", type=int, default=2, help="paths shown for each confusion")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.rglob("*") if path.is_file() and not path.is_symlink())
    random.Random(arguments.seed).shuffle(paths)
    paths = [path for path in paths if path.stat().st_size <= LARGEST][: arguments.sample]
    texts = [decode(path.read_bytes())[0] for path in paths]
    names = [str(path.relative_to(arguments.folder)) for path in paths]
    ours, seconds = _timed(names, texts)
    theirs = [_ALIASES.get(name, name) for name in JUDGES[arguments.judge](arguments.folder, names, texts)]
    _report(names, ours, theirs, seconds, arguments.examples)


def _timed(names: Sequence[str], texts: Sequence[str | None]) -> tuple[list[str | None], list[float]]:
    ours: list[str | None] = []
    seconds = []
    for name, text in zip(names, texts, strict=True):
        started = time.perf_counter()
        ours.append(infer_language(name, text))
        seconds.append(time.perf_counter() - started)
    return ours, seconds


def _linguist(folder: Path, names: Sequence[str], texts: Sequence[str | None]) -> Iterator[str]:
    del texts
    done = subprocess.run(
        ["ruby", "-e", _RUBY],
        input="\n".join(str(folder / name) for name in names),
        capture_output=True,
        text=True,
        check=True,
    )
    yield from done.stdout.split("\n")[: len(names)]


def _pygments(folder: Path, names: Sequence[str], texts: Sequence[str | None]) -> Iterator[str]:
    del folder
    for name, text in zip(names, texts, strict=True):
        try:
            yield guess_lexer_for_filename(Path(name).name, (text or "")[:8192]).name
        except ClassNotFound:
            yield ""


def _folders(folder: Path, names: Sequence[str], texts: Sequence[str | None]) -> Iterator[str]:
    """The first component of each path, for a folder such as linguist's `samples`."""
    del folder, texts
    yield from (name.split("/", 1)[0] for name in names)


JUDGES: dict[str, Callable[[Path, Sequence[str], Sequence[str | None]], Iterator[str]]] = {
    "folders": _folders,
    "linguist": _linguist,
    "pygments": _pygments,
}


def _report(
    names: Sequence[str], ours: Sequence[str | None], theirs: Sequence[str], seconds: Sequence[float], examples: int
) -> None:
    members = set(LANGUAGES)
    named = [(mine, yours) for mine, yours in zip(ours, theirs, strict=True) if yours in members]
    claimed = [(mine, yours) for mine, yours in zip(ours, theirs, strict=True) if mine is not None]
    print(f"files {len(names):,}; the judge names one of the {len(LANGUAGES)} on {len(named):,}")
    print(f"agreement on those {sum(a == b for a, b in named) / max(1, len(named)):.4f}")
    print(
        f"of {len(claimed):,} files given a language, the judge names the same on "
        f"{sum(a == b for a, b in claimed) / max(1, len(claimed)):.4f}"
    )
    micros = sorted(1e6 * second for second in seconds)
    print(
        f"microseconds a file: median {statistics.median(micros):.2f}, mean {statistics.fmean(micros):.2f}, "
        f"99th percentile {micros[int(0.99 * (len(micros) - 1))]:.1f}"
    )
    confusions: Counter[tuple[str, str]] = Counter()
    shown: dict[tuple[str, str], list[str]] = {}
    for name, mine, yours in zip(names, ours, theirs, strict=True):
        if (mine or "none") != (yours if yours in members else "none"):
            pair = (mine or "none", yours or "none")
            confusions[pair] += 1
            shown.setdefault(pair, []).append(name)
    for pair, count in confusions.most_common(60):
        print(f"{count:6}  {pair[0]} (judge: {pair[1]})  {' '.join(shown[pair][:examples])}")


if __name__ == "__main__":
    main()
