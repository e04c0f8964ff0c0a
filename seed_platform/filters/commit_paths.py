"""What the changed paths of commits are: lock files, copies of other projects, output of programs, or a person's own.

What belongs here: the marks of paths. What does not: what follows for a commit (`commit_rules.py`).
"""

from __future__ import annotations

from contextlib import suppress

import polars as pl

from seed_platform.commits.patches import iterate_patch
from seed_platform.filters.languages import infer_language
from seed_platform.filters.provenance_marks import generated_mark, vendored_mark

CHANGES = pl.List(
    pl.Struct({"path": pl.String, "kind": pl.String, "binary": pl.Boolean, "added": pl.Int64, "deleted": pl.Int64})
)
"""What the rules read of the JSON array of changes; fields that are left out are null."""

_LOCK_FILE = (
    r"(?:^|/)(?:[\w.-]+\.lock|(?:package-lock|npm-shrinkwrap|packages\.lock)\.json|pnpm-lock\.yaml|conda-lock\.yml|"
    r"bun\.lockb|go\.sum|Package\.resolved|gradle\.lockfile)$"
)
_SAYS_GENERATED = "generat"
"""The phrases that mark a generated file nearly all have it, so most patches are not parsed for their heads."""


def explode_changes(commits: pl.DataFrame) -> pl.DataFrame:
    """`row` and the fields of `CHANGES`, one row for each changed path, in the order given.

    Args:
        commits: columns `row` and `changes`, a JSON array.
    """
    decoded = commits.select("row", change=pl.col("changes").str.json_decode(CHANGES))
    exploded = decoded.filter(pl.col("change").list.len() > 0).explode("change").unnest("change")
    zeros = pl.col("added", "deleted").fill_null(0)
    return exploded.with_columns(pl.col("path", "kind").fill_null(""), pl.col("binary").fill_null(value=False), zeros)


def path_marks(changes: pl.DataFrame, commits: pl.DataFrame) -> pl.DataFrame:
    """`changes` with `mark`: "lock_file", "generated", "vendored", or null for a file of the project's own.

    Args:
        changes: columns `row` and `path`.
        commits: columns `row` and `content`, the patches of the same rows.
    """
    files = changes.select("row", "path").with_row_index("change").rename({"row": "commit"})
    files = files.join(_heads(commits), on=["commit", "path"], how="left", maintain_order="left")
    files = files.with_columns(language=_languages(files["path"]), content=pl.col("content").fill_null(""))
    files = files.rename({"change": "row"})
    lock = files.filter(pl.col("path").str.contains(_LOCK_FILE)).select("row")
    marked = [
        marks.select("row", mark=pl.lit(mark))
        for mark, marks in (
            ("lock_file", lock),
            ("generated", generated_mark(files)),
            ("vendored", vendored_mark(files)),
        )
    ]
    marks = pl.concat(marked).unique("row", keep="first").rename({"row": "change"})
    numbered = changes.with_row_index("change")
    return numbered.join(marks, on="change", how="left", maintain_order="left").drop("change")


def _languages(paths: pl.Series) -> pl.Series:
    known = {path: infer_language(path, None) or "" for path in paths.unique()}
    return paths.replace_strict(known, return_dtype=pl.String)


def _heads(commits: pl.DataFrame) -> pl.DataFrame:
    """`commit`, `path` and `content`, the beginning of each file after the change as far as its patch shows it."""
    says = commits.filter(pl.col("content").str.contains_any([_SAYS_GENERATED], ascii_case_insensitive=True))
    heads: list[tuple[int, str, str]] = []
    for row, patch in says.select("row", "content").iter_rows():
        with suppress(ValueError):  # a damaged patch is the rules' to name
            heads.extend(
                (row, file.path, "".join(line[1:] for line in file.hunks[0].lines if line[0] != "-"))
                for file in iterate_patch(patch)
                if file.hunks and file.hunks[0].new_start <= 1
            )
    schema = {"commit": pl.UInt32, "path": pl.String, "content": pl.String}
    return pl.DataFrame(heads, schema=schema, orient="row").unique(["commit", "path"], keep="first")
