"""The rules filter: is it text, is it code, was it written here by a person.

What belongs here: the few rules that need no model, in the order in which a drop is attributed to them. What does not:
the marks of vendored and generated files (`provenance_marks.py`), and the worth of configuration and data, which the
paper leaves to its scorer.
"""

from __future__ import annotations

import polars as pl

from seed_platform.filters.base import as_verdicts
from seed_platform.filters.provenance_marks import generated_mark, vendored_mark
from seed_platform.policy import RulesPolicy

VERSION = "1"
"""Of this filter: raised when the verdict on some document changes under the same policy."""

COLUMNS = ("ordinal", "doc_id", "path", "language", "bytes", "encoding", "content")
"""The columns of a file that this filter reads."""

_LFS_POINTER = "version https://git-lfs.github.com/spec/v1"


def judge(files: pl.DataFrame, policy: RulesPolicy) -> pl.DataFrame:
    """The verdicts of the rules on `files`.

    Args:
        files: `COLUMNS`, one row a file. `encoding` is null where the file was too large to be read, `content` where
            the file is not text or was not read, `language` where it is none of the corpus.
        policy: thresholds and switches.

    Returns:
        Verdicts, one row a file, in the order given. `reason` is the first that applies of "empty", "too_large",
        "binary", "not_utf8", "lfs_pointer", "not_a_language", "long_line" (`score`: the longest line in bytes),
        "vendored" and "generated" (`evidence`: {"marker": what shows it}), or null for a file that is kept.
    """
    judged = files.select(*COLUMNS).with_row_index("row").with_columns(reason=_cheap_reason(policy))
    long = _long_lines(judged.filter(pl.col("reason").is_null()), policy.max_line_length)
    judged = judged.join(long, on="row", how="left", maintain_order="left")
    judged = judged.with_columns(
        reason=pl.coalesce("reason", pl.when(pl.col("score").is_not_null()).then(pl.lit("long_line")))
    )
    marks = _marks(judged.filter(pl.col("reason").is_null()), policy)
    judged = judged.join(marks, on="row", how="left", maintain_order="left", suffix="_marked")
    judged = judged.with_columns(reason=pl.coalesce("reason", "reason_marked"))
    return as_verdicts(judged.with_columns(keep=pl.col("reason").is_null()))


def _cheap_reason(policy: RulesPolicy) -> pl.Expr:
    """The reasons that need no pass over the content."""
    content, encoding = pl.col("content"), pl.col("encoding")
    # Stripping looks at the two ends only, so a file that is not blank costs nothing.
    blank = (pl.col("bytes") == 0) | (content.str.strip_chars("\ufeff \t\r\n\f\v").str.strip_chars() == "")
    return (
        pl.when(blank)
        .then(pl.lit("empty"))
        .when((pl.col("bytes") > policy.max_bytes) | (content.is_null() & encoding.is_null()))
        .then(pl.lit("too_large"))
        .when(encoding == "binary")
        .then(pl.lit("binary"))
        .when(content.is_null())
        .then(pl.lit("not_utf8"))
        .when(content.str.starts_with(_LFS_POINTER))
        .then(pl.lit("lfs_pointer"))
        .when(pl.col("language").is_null())
        .then(pl.lit("not_a_language"))
    )


def _long_lines(files: pl.DataFrame, limit: int) -> pl.DataFrame:
    """`row` and `score`, the length in bytes of the longest line, of the files where it is over `limit`."""
    # Only a file of more bytes than the limit can have such a line: with the default limit, one in a hundred.
    candidates = files.filter(pl.col("content").str.len_bytes() > limit).select("row", "content")
    lines = pl.col("content").str.replace_all("\r", "\n", literal=True).str.split("\n")
    longest = lines.list.eval(pl.element().str.len_bytes()).list.max()
    return candidates.select("row", score=longest.cast(pl.Float64)).filter(pl.col("score") > limit)


def _marks(files: pl.DataFrame, policy: RulesPolicy) -> pl.DataFrame:
    """`row`, `reason` and `evidence` of the files that are vendored or generated, as far as the policy drops them."""
    found = [pl.DataFrame(schema={"row": pl.UInt32, "reason": pl.String, "marker": pl.String})]
    for reason, wanted, mark in (
        ("vendored", policy.drop_vendored, vendored_mark),
        ("generated", policy.drop_generated, generated_mark),
    ):
        if wanted:
            marked = mark(files).select("row", pl.lit(reason).alias("reason"), "marker")
            files = files.join(marked, on="row", how="anti", maintain_order="left")
            found.append(marked)
    return pl.concat(found).select("row", "reason", evidence=pl.struct("marker").struct.json_encode())
