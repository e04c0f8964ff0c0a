"""What can be counted on a file: a vector of cheap, named measures of its text, whatever its language.

What belongs here: the measures that scorers without a language model see. What does not: what they are worth, which is
learned (`gradient.py`, `fast_text.py`), and how comments and strings are told apart (`lexing.py`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.scoring.lexing import FAMILIES, family_of, lex

Matrix = npt.NDArray[np.float64]

VERSION = "1"
"""Of the measures; a scorer trained on those of another version must not be used."""

SAMPLE_HEAD = 24_000
"""Characters from the start of a file that are looked at ..."""
SAMPLE_TAIL = 8_000
"""... and from its end. The sizes are those of the whole file."""

_CHUNK = 512
"""Texts that are taken apart at once: what they become in memory is a few times their size."""

_MARKER_HEAD = 2_000
"""Characters in which a file says that a program wrote it."""

_GROUPS = {
    "letters": b"abcdefghijklmnopqrstuvwxyz", "upper": b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "digits": b"0123456789",
    "spaces": b" ", "tabs": b"\t", "commas": b",", "semicolons": b";", "quotes": b"\"'`", "dots": b".", "equals": b"=",
    "braces": b"{}", "brackets": b"[]", "parentheses": b"()", "slashes": b"/\\", "angles": b"<>", "underscores": b"_",
    "marks": b"!#$%&*+-:?@^|~", "not_ascii": bytes(range(128, 256)),
}  # fmt: skip
_IN_GROUP = np.zeros((256, len(_GROUPS)))
for _column, _group in enumerate(_GROUPS.values()):
    _IN_GROUP[list(_group), _column] = 1.0

# The regular expressions are of the Rust kind: no look-around, and linear in the text whatever it holds.
_MODIFIERS = (
    "export|public|private|protected|internal|static|async|abstract|final|override|inline|pub|default|unsafe|extern|"
    "virtual|open|local|declare|const"
)
_OPENERS = (
    "def|class|function|func|fn|fun|sub|interface|struct|impl|trait|enum|module|proc|procedure|defun|defmacro|defn|type|"
    "object|namespace|lemma|theorem|datatype|macro|rule"
)
_DEFINITION = (
    rf"(?m)^[ \t]*\(?(?:(?:{_MODIFIERS}) +)*(?:{_OPENERS})\b"
    r"|^[ \t]*(?:[\w:<>,*&~\[\]]+[ \t]+)+[*&]*[\w:~]+\([^;{}\n]*\)[^;{}\n=]*\{[ \t]*$"
    r"|^[\w.]+ *(?:<-|=|::) *(?:async )?(?:function\b|\([^()\n]*\) *=>|[^\n]*->)"
)
# fmt: off
_CONTROL = [
    "if", "else", "elif", "elsif", "for", "foreach", "while", "do", "switch", "case", "match", "when", "try", "catch",
    "except", "finally", "with", "return", "yield", "raise", "throw", "break", "continue", "unless", "until", "loop",
    "let", "where", "cond", "guard", "select", "then",
]
_PLACEHOLDERS = [
    "pass", "todo", "stub", "fixture", "foo", "bar", "baz", "qux", "dummy", "spam", "eggs", "hello",
]
# fmt: on
_GENERATED = r"(?i)generated|do not edit|don't edit|automatically|autogen|sourcemappingurl"

_IN_CODE = {
    "imports": r"(?m)^[ \t]*(?:import|from|#include|use|using|require|open|export \*)\b",
    "calls": r"\w\(",
    "assignments": r"[^=!<>=]=[^=>]",
    "numbers": r"\b\d[\w.]*",
    "declared": r"(?m)^[^\n{}]*[)\w\]>]; *$",
    "typed": r"\) *-> *\w|: *(?:int|str|string|number|boolean|bool|float|void)\b",
    "tests": r"\bassert|\bexpect\(|\bdescribe\(|\bit\(|\bdef test_|@Test\b|#\[test\]|\bTEST(?:_F)?\(",
    "odd_pairs": r"[,(=+*/<\[{] *[,)=\]};]|\w \w+ \w+ \w+ \w|[)\]] *\w+ *[)\]=]|\w[\])}] *\w|[^\s,;(\[{=] +[(\[{]",
    "debugging": r"\bconsole\.log\(|\bprint(?:ln|f)?\b *\(|\becho\b|\bSystem\.out|\bvar_dump\(|\bdebugger\b",
}
"""Patterns counted in a text without its comments and strings."""
_IN_TEXT = {
    "later": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "links": r"https?://|\]\(|href=|:doc:|:ref:",
    "elements": r"<[/a-zA-Z][^<>]*>",
    "templates": r"\{\{|\{%|<%|\$\{",
}
"""Patterns counted in a whole text."""
_IN_COMMENTS = {
    "commented_code": (
        r"(?m)[;{}][ \t]*$|^\W*(?:if|for|return|import|def|var|let|const)\b.*[(:=]|\w\([^)\n]*\)[ \t]*;?[ \t]*$"
    ),
    "documented": r"@param|@return|:param|:return|Args:|Returns:|Parameters\n|\\param|@brief",
}
"""Patterns counted in the comments."""
_MOST_PER_LINE = 10.0
"""A count per line is cut here, so that a file on one line does not outweigh all others."""

_OF_SIZE = ("bytes", "lines", "line_mean")
_OF_BYTES = (*_GROUPS, "entropy", "compression")
_OF_LINES = (
    "line_spread", "line_max", "long_lines", "short_lines", "blank_lines", "indented", "indent_mean", "indent_max",
    "indent_odd", "trailing_blanks", "repeated_lines", "repeated_shapes", "same_neighbours", "first_words",
    "one_character_lines",
)  # fmt: skip
_OF_COMMENTS = (
    "comment_share", "comments", "comment_words", *_IN_COMMENTS, "string_share", "literals", "literal_length",
)  # fmt: skip
_OF_WORDS = (
    "words", "word_length", "short_words", "distinct_words", "vocabulary", "once_words", "snake_case", "camel_case",
    "upper_case", "control", "placeholders", "digit_words",
)  # fmt: skip
_OF_CODE = (
    "definitions", "definitions_total", "definition_lines", *_IN_CODE, *_IN_TEXT, "unbalanced", "misnested", "nesting",
    "generated", "licence",
)  # fmt: skip
NAMES: tuple[str, ...] = (
    *_OF_SIZE, *_OF_BYTES, *_OF_LINES, *_OF_COMMENTS, *_OF_WORDS, *_OF_CODE, *(f"family:{name}" for name in FAMILIES)
)  # fmt: skip
"""Of the measures, in the order of the columns."""


def features(texts: Sequence[str], languages: Sequence[str]) -> Matrix:
    """The measures of each text; shape (texts, measures), finite, in the order of `NAMES`.

    Args:
        texts: of whole files; any string, empty ones included.
        languages: as `filters.languages` names them; any other name counts as a relative of C.

    Raises:
        ValueError: `texts` and `languages` differ in length.
    """
    if len(texts) != len(languages):
        raise ValueError(f"{len(texts)} texts and {len(languages)} languages")
    parts = [slice(start, start + _CHUNK) for start in range(0, len(texts), _CHUNK)]
    tables = [_table(texts[part], languages[part]) for part in parts]
    return np.concatenate([np.zeros((0, len(NAMES))), *tables])


def _table(texts: Sequence[str], languages: Sequence[str]) -> Matrix:
    frame = _lexed(texts, languages)
    families = np.array([[float(family_of(language) == name) for name in FAMILIES] for language in languages])
    parts = [
        np.array([_of_size(text) for text in texts]),
        np.array([_of_bytes(sample) for sample in frame["sample"]]),
        _of_lines(frame).select(_OF_LINES).to_numpy(),
        _of_comments(frame).select(_OF_COMMENTS).to_numpy(),
        _of_words(frame).select(_OF_WORDS).to_numpy(),
        _of_code(frame).select(_OF_CODE).to_numpy(),
        families,
    ]
    return np.asarray(np.concatenate(parts, axis=1), dtype=np.float64)


def sample_of(text: str) -> str:
    """The part of `text` that is looked at: its head and its tail; half a surrogate pair becomes a question mark."""
    if len(text) > SAMPLE_HEAD + SAMPLE_TAIL:
        text = f"{text[:SAMPLE_HEAD]}\n{text[-SAMPLE_TAIL:]}"
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _lexed(texts: Sequence[str], languages: Sequence[str]) -> pl.DataFrame:
    """One row a text: its sample, that without comments and strings, the comments joined, and what was counted."""
    samples = [sample_of(text) for text in texts]
    lexed = [lex(sample, language) for sample, language in zip(samples, languages, strict=True)]
    return pl.DataFrame(
        {
            "sample": samples,
            "code": [one.code for one in lexed],
            "comments": ["\n".join(one.comments) for one in lexed],
            "comment_count": [len(one.comments) for one in lexed],
            "misnested": [_misnested(one.code) for one in lexed],
            "string_length": [one.strings for one in lexed],
            "literal_count": [one.literals for one in lexed],
        }
    ).with_row_index("row").with_columns(
        length=pl.col("sample").str.len_chars() + 1,
        line_count=pl.col("sample").str.count_matches("\n", literal=True) + 1,
    )  # fmt: skip


_OPENER_OF = {")": "(", "]": "[", "}": "{"}
_BRACKET = re.compile(r"[()\[\]{}]")


def _misnested(code: str) -> float:
    """The share of brackets that close another kind than was opened last, or nothing.

    Most other measures are of a bag of tokens; this one tells a program from the same tokens in another order.
    """
    brackets = _BRACKET.findall(code)
    opened: list[str] = []
    wrong = 0
    for bracket in brackets:
        if bracket not in _OPENER_OF:
            opened.append(bracket)
        elif not opened or opened.pop() != _OPENER_OF[bracket]:
            wrong += 1
    return wrong / (len(brackets) + 5)


def _of_size(text: str) -> list[float]:
    lines = text.count("\n") + 1
    return [float(np.log1p(len(text))), float(np.log1p(lines)), float(np.log1p(len(text) / lines))]


def _of_bytes(sample: str) -> list[float]:
    raw = sample.encode()
    counts = np.bincount(np.frombuffer(raw, np.uint8), minlength=256).astype(np.float64)
    shares = counts / max(len(raw), 1)
    present = shares[shares > 0]
    # The constant stands for what the first bytes cost, which nothing before them can shorten.
    ratio = len(zlib.compress(raw, 1)) / (len(raw) + 200)
    return [*(shares @ _IN_GROUP).tolist(), float(-(present * np.log2(present)).sum()), ratio]


def _of_lines(frame: pl.DataFrame) -> pl.DataFrame:
    line, full = pl.col("line"), pl.col("full")
    length, indent = pl.col("length"), pl.col("indent").filter(pl.col("full") != "")
    lines = (
        frame.select("row", line=pl.col("sample").str.split("\n"))
        .explode("line")
        .with_columns(full=line.str.strip_chars(), length=line.str.len_chars().cast(pl.Float64))
        .with_columns(
            indent=(length - line.str.strip_chars_start().str.len_chars()).cast(pl.Float64),
            shape=full.str.head(200).str.replace_all(r"\w+", "w"),
            first=full.str.extract(r"^(\S{1,20})", 1),
            trailing=line.str.contains(r"[ \t]$"),
        )
    )
    has_text = full != ""
    shape = pl.col("shape").filter(has_text)
    count = has_text.sum().clip(1)
    per_text = lines.group_by("row", maintain_order=True).agg(
        line_spread=length.std(ddof=0) / (length.mean() + 1),
        line_max=length.max().log1p(),
        long_lines=(length > 100).mean(),
        short_lines=(length < 10).mean(),
        blank_lines=(~has_text).mean(),
        indented=(indent > 0).mean(),
        indent_mean=indent.mean().log1p(),
        indent_max=indent.max().log1p(),
        indent_odd=(indent % 2 == 1).mean(),
        trailing_blanks=pl.col("trailing").mean(),
        repeated_lines=1 - full.filter(has_text).n_unique() / count,
        repeated_shapes=1 - shape.n_unique() / count,
        same_neighbours=(shape == shape.shift()).sum() / count,
        first_words=pl.col("first").drop_nulls().n_unique() / count,
        one_character_lines=((full.str.len_chars() == 1).sum() / count),
    )
    return per_text.fill_null(0.0)


def _of_comments(frame: pl.DataFrame) -> pl.DataFrame:
    comments, length, lines = pl.col("comments"), pl.col("length"), pl.col("line_count")
    return frame.select(
        comment_share=comments.str.len_chars() / length,
        comments=_per_line("comment_count"),
        comment_words=comments.str.count_matches(" ", literal=True) / length,
        **{name: comments.str.count_matches(pattern) / lines for name, pattern in _IN_COMMENTS.items()},
        string_share=pl.col("string_length") / length,
        literals=_per_line("literal_count"),
        literal_length=(pl.col("string_length") / pl.col("literal_count").clip(1)).log1p(),
    )


def _of_words(frame: pl.DataFrame) -> pl.DataFrame:
    word, times = pl.col("word"), pl.col("times")
    lower = word.str.to_lowercase()
    found = frame.select("row", word=pl.col("code").str.extract_all(r"[\p{L}_]\w*")).explode("word").drop_nulls()
    total = times.sum()
    per_text = (
        found.group_by("row", "word")
        .agg(times=pl.len().cast(pl.Float64))
        .group_by("row")
        .agg(
            total=total,
            word_length=(word.str.len_chars() * times).sum() / total,
            short_words=(word.str.len_chars() == 1).mean(),
            distinct_words=pl.len() / total,
            vocabulary=pl.len().cast(pl.Float64).log1p(),
            once_words=(times == 1).mean(),
            snake_case=word.str.contains(r"[^_]_+[^_]").mean(),
            camel_case=word.str.contains(r"\p{Ll}\p{Lu}").mean(),
            upper_case=word.str.contains(r"^\p{Lu}[\p{Lu}\d_]+$").mean(),
            control=times.filter(word.is_in(_CONTROL)).sum() / total,
            placeholders=lower.is_in(_PLACEHOLDERS).mean(),
            digit_words=word.str.contains(r"\d$").mean(),
        )
    )
    joined = frame.select("row", "line_count").join(per_text, on="row", how="left", maintain_order="left")
    return joined.fill_null(0.0).with_columns(words=_per_line("total"))


def _of_code(frame: pl.DataFrame) -> pl.DataFrame:
    code, sample, lines = pl.col("code"), pl.col("sample"), pl.col("line_count")
    pairs = [
        [code.str.count_matches(mark, literal=True).cast(pl.Float64) for mark in pair] for pair in ("()", "[]", "{}")
    ]
    brackets = pl.sum_horizontal(count for pair in pairs for count in pair)
    counted = frame.with_columns(
        found=code.str.count_matches(_DEFINITION).cast(pl.Float64),
        head=sample.str.head(_MARKER_HEAD),
        tail=sample.str.tail(300),
    )
    return counted.select(
        definitions=pl.col("found") / lines,
        definitions_total=pl.col("found").log1p(),
        definition_lines=(lines / (pl.col("found") + 1)).log1p(),
        **{
            name: (text.str.count_matches(pattern) / lines).clip(0, _MOST_PER_LINE)
            for text, patterns in ((code, _IN_CODE), (sample, _IN_TEXT))
            for name, pattern in patterns.items()
        },
        unbalanced=pl.sum_horizontal((opened - closed).abs() for opened, closed in pairs) / (brackets + 1),
        misnested=pl.col("misnested"),
        nesting=brackets / (code.str.len_chars() + 1),
        generated=(pl.col("head").str.contains(_GENERATED) | pl.col("tail").str.contains(_GENERATED)).cast(pl.Float64),
        licence=pl.col("head").str.contains("(?i)licen[sc]e|copyright").cast(pl.Float64),
    )


def _per_line(name: str) -> pl.Expr:
    return (pl.col(name) / pl.col("line_count")).clip(0, _MOST_PER_LINE)
