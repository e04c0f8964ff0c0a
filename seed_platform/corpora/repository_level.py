"""The repository-level corpus: repositories as sequences that fit a context, each file under a header with its path.

The table `corpora/repository_sequences` holds which files, or parts of files, stand in which sequence in which order;
their text is stored once, in `files`, and joined when it is read. What belongs here: from sequences to text. What does
not: making sequences (`steps/repository_sequences.py`), writing files (`export.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from seed_platform.batches import Batch
from seed_platform.corpora.base import Corpus
from seed_platform.lake.lake import Lake
from seed_platform.lake.schemas import FILES, REPOSITORY_SEQUENCES

TEXT_BYTES = 64 << 20
"""Text of files that is held at once, and the largest sequence beyond that."""

_SLASHES = (
    "C", "C#", "C++", "CUDA", "Dart", "F#", "GLSL", "Go", "Groovy", "Java", "JavaScript", "Kotlin", "PHP", "Pascal",
    "Protocol Buffer", "Rust", "Scala", "Solidity", "Swift", "SystemVerilog", "Thrift", "TypeScript", "Verilog", "Zig",
)  # fmt: skip
_DASHES = ("Ada", "Agda", "AppleScript", "Elm", "Haskell", "Idris", "Lean", "Lua", "SQL", "VHDL")
_COMMENTS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(_SLASHES, ("// ", "")),
    **dict.fromkeys(_DASHES, ("-- ", "")),
    **dict.fromkeys(("Assembly", "Clojure", "Common Lisp", "Emacs Lisp", "Racket", "Scheme"), ("; ", "")),
    **dict.fromkeys(("Erlang", "MATLAB", "Prolog", "TeX"), ("% ", "")),
    **dict.fromkeys(("HTML", "Markdown", "RMarkdown", "XSLT"), ("<!-- ", " -->")),
    "CSS": ("/* ", " */"),
    "reStructuredText": (".. ", ""),
    **dict.fromkeys(("OCaml", "Standard ML"), ("(* ", " *)")),
}
"""How a comment begins and ends where it is not `#` to the end of the line."""

SEPARATOR = "\n"
"""After each file, whose last line is ended if it is not."""


def header(path: str, language: str | None, part: tuple[int, int] | None = None) -> str:
    """The line that names a file, as a comment of its language; `part` is (start, stop) in bytes of one that is cut."""
    begin, end = _COMMENTS.get(language or "", ("# ", ""))
    told = path.replace("\n", "\\n").replace("\r", "\\r")
    cut = f" (bytes {part[0]} to {part[1]})" if part is not None else ""
    return f"{begin}{told}{cut}{end}\n"


@dataclass(frozen=True, slots=True)
class _File:
    path: str
    language: str | None
    text: bytes


def sequence_text(files: Sequence[_File], starts: Sequence[int], stops: Sequence[int]) -> str:
    """The text of one sequence; bytes `starts[n]` to `stops[n]` of each file."""
    told = []
    for file, start, stop in zip(files, starts, stops, strict=True):
        whole = start == 0 and stop == len(file.text)
        text = file.text[start:stop].decode()
        told += [header(file.path, file.language, None if whole else (start, stop)), text]
        told.append(SEPARATOR if text.endswith("\n") else "\n" + SEPARATOR)
    return "".join(told)


def documents(lake: Lake, batches: Sequence[Batch]) -> Iterator[pl.DataFrame]:
    """The sequences of the repository-level corpus with their text, in order of arrival, a bounded frame at a time.

    Columns: text, doc_id, batch, repository, sequence, sequences, paths, bytes, tokens, edges, edges_respected.
    """
    columns = ["ordinal", "doc_id", "repository", "sequences", "files", "starts", "stops", "bytes", "tokens", "edges",
               "edges_respected"]  # fmt: skip
    for batch in batches:
        chosen = lake.column(REPOSITORY_SEQUENCES, columns, batch=batch.key)
        yield from texts_of(lake, batch.key, chosen)


def texts_of(lake: Lake, batch: str, chosen: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """`documents` for some sequences of one batch, as rows of their table in order."""
    if chosen.is_empty():
        return
    held = (chosen["bytes"].cum_sum() - chosen["bytes"]) // TEXT_BYTES
    for group in chosen.with_columns(group=held).partition_by("group", maintain_order=True):
        files = _read(lake, batch, group["files"].explode().unique().sort())
        rows = list(group.iter_rows(named=True))
        told = [sequence_text([files[place] for place in row["files"]], row["starts"], row["stops"]) for row in rows]
        yield group.select(
            pl.Series("text", told),
            "doc_id",
            pl.lit(batch).alias("batch"),
            "repository",
            (pl.col("ordinal") % (1 << 32)).alias("sequence"),
            "sequences",
            pl.Series("paths", [[files[place].path for place in row["files"]] for row in rows]),
            "bytes",
            "tokens",
            "edges",
            "edges_respected",
        )


def _read(lake: Lake, batch: str, ordinals: pl.Series) -> dict[int, _File]:
    """The files with these ordinals, which are ascending."""
    found: dict[int, _File] = {}
    wanted = ordinals.to_numpy()
    for part in lake.parts(FILES, batch=batch):
        if part.last < wanted[0] or part.first > wanted[-1]:
            continue
        for group in lake.read_arrow(FILES, part, ["ordinal", "path", "language", "content"], ordinals=wanted):
            mine = pl.DataFrame(group).filter(pl.col("ordinal").is_in(ordinals.implode()))
            for ordinal, path, language, content in mine.iter_rows():
                found[ordinal] = _File(path, language, content.encode())
    return found


REPOSITORY_LEVEL_CORPUS = Corpus(
    name="repository_level",
    chosen=REPOSITORY_SEQUENCES,
    texts=(FILES,),
    documents=documents,
    noun="sequences",
    grouped_by="repository",
    columns=(
        ("text", "files of one repository, dependencies first, each under a comment with its path"),
        ("doc_id", "id of the sequence"),
        ("batch, repository, sequence, sequences", "where it came from; the repository was cut into so many"),
        ("paths", "the files, in order"),
        ("bytes, tokens", "of the text; tokens are estimated"),
        ("edges, edges_respected", "dependencies of its files, and those that stand before their user"),
    ),
    licence="The files keep the licences of the repositories they came from.",
)
