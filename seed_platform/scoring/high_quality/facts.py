"""What diversity is measured by: cheap facts of each file, computed once and kept without its text.

What belongs here: comments, docstrings, imports and length of a file. What does not: the source a file belongs to
(`sources.py`) and which files become seeds (`seeds.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from seed_platform.scoring.high_quality.imports import main_package, packages_of
from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.high_quality.sources import source_expression
from seed_platform.scoring.lexing import family_of, lex

INPUT: dict[str, pl.DataType] = {
    "doc_id": pl.String(),
    "path": pl.String(),
    "language": pl.String(),
    "score": pl.Float64(),
    "content": pl.String(),
}
"""Of the files to describe; `score` is 0..10, null where there is none."""

FACTS: dict[str, pl.DataType] = {
    "doc_id": pl.String(),
    "source": pl.String(),
    "language": pl.String(),
    "score": pl.Float64(),
    "bytes": pl.Int64(),
    "comment_share": pl.Float32(),
    "comment_bucket": pl.Int8(),
    "documented": pl.Boolean(),
    "bare": pl.Boolean(),
    "packages": pl.List(pl.String()),
    "main_package": pl.String(),
    "length_bucket": pl.Int8(),
}
"""Of a described file. `bare`: it has neither comment nor docstring, in a language where code has them."""

NOTEBOOK = "Jupyter Notebook"
"""The language of a notebook file, which is none of the corpus's 89."""

_LOOKED_AT = 32_000
"""Characters of a file that facts are taken from; its length is that of the whole file."""
_COMMENT_EDGES = (0.0, 0.05, 0.15, 0.3)
"""Upper ends of the comment buckets 0 (none), 1, 2 and 3; beyond is 4."""
_LENGTH_EDGES = (1 << 10, 4 << 10, 16 << 10)
"""Bytes from which a file is in length bucket 1, 2 and 3."""
# HTML, CSS, prose and data are good without comments.
_NEVER_BARE_FAMILIES = frozenset({"json", "markup", "plain", "style"})
_NEVER_BARE = frozenset({"YAML", NOTEBOOK, ""})
_LICENCE = re.compile(r"copyright|licen[sc]e|SPDX-", re.IGNORECASE)
_LICENCE_COMMENTS = 60
"""Comments at the start of a file that may be its licence; line comments count one each."""
_DOCUMENTATION = re.compile(r"""\s*(?:[rRuU]?["']|/\*\*(?!/)|//[/!]|#'|--\s?\||\{-\||\(\*\*)""")
_CELL = re.compile(r'"cell_type"\s*:\s*"(\w+)"')


def describe(files: pl.DataFrame, policy: HighQualityPolicy) -> pl.DataFrame:
    """The facts of each file, in the order given; shape (files, len(FACTS)).

    Args:
        files: the columns `INPUT`. A null language or text counts as empty; a score that is not finite, or not
            within 0..10, becomes null.
        policy: names the major languages.
    """
    files = files.select(*INPUT).with_columns(
        pl.col("path", "content").fill_null(""),
        language=pl.when(pl.col("path").str.to_lowercase().str.ends_with(".ipynb"))
        .then(pl.lit(NOTEBOOK))
        .otherwise(pl.col("language").fill_null("")),
        score=pl.when(pl.col("score").is_finite() & pl.col("score").is_between(0, 10)).then("score"),
    )
    taken = [_facts_of(text[:_LOOKED_AT], language) for text, language in files.select("content", "language").rows()]
    schema = {name: FACTS[name] for name in ("comment_share", "documented", "bare", "packages", "main_package")}
    table = files.hstack(pl.DataFrame(taken, schema=schema, orient="row"))
    return table.with_columns(
        source=source_expression(policy.major_languages),
        bytes=pl.col("content").str.len_bytes().cast(pl.Int64),
        comment_bucket=_bucket("comment_share", _COMMENT_EDGES, left_closed=False),
        length_bucket=_bucket(pl.col("content").str.len_bytes(), _LENGTH_EDGES, left_closed=True),
    ).select(pl.col(name).cast(dtype) for name, dtype in FACTS.items())


def _bucket(values: str | pl.Expr, edges: Iterable[float], *, left_closed: bool) -> pl.Expr:
    """How many `edges` each value is beyond, or has reached."""
    column = pl.col(values) if isinstance(values, str) else values
    reached = [(column >= edge if left_closed else column > edge).cast(pl.Int8) for edge in edges]
    return pl.sum_horizontal(reached)


def _facts_of(text: str, language: str) -> tuple[float, bool, bool, list[str], str]:
    """Comment share, whether documented, whether bare, packages and main package of one file."""
    packages = packages_of(text, language)
    named = main_package(packages, language)
    if language == NOTEBOOK:
        cells = _CELL.findall(text)
        share = cells.count("markdown") / max(len(cells), 1)
        return share, share > 0, False, packages, named
    comments = _without_licence(lex(text, language).comments)
    share = sum(map(len, comments)) / max(len(text), 1)
    documented = any(_DOCUMENTATION.match(comment) for comment in comments)
    can_be_bare = language not in _NEVER_BARE and family_of(language) not in _NEVER_BARE_FAMILIES
    return share, documented, can_be_bare and not comments, packages, named


def _without_licence(comments: list[str]) -> list[str]:
    """`comments` without those at the start that are a licence: a file with nothing else explains nothing.

    Of a licence in line comments the lines up to the last one that names it go; the rest of its text may stay.
    """
    head = [number for number, each in enumerate(comments[:_LICENCE_COMMENTS]) if _LICENCE.search(each)]
    if not head or head[0] > 2:
        return comments
    last = head[0]
    for number in head[1:]:
        if number - last > 12:
            break
        last = number
    return comments[last + 1 :]
