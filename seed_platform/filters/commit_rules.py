"""The rules filter over commits: does the change teach something, and does the message say what.

What belongs here: the rules that need no model, in the order in which a drop is attributed to them, cheapest first.
What does not: what messages say (`commits/messages.py`), which changes are mechanical (`commits/mechanical.py`), which
paths are a person's own (`commit_paths.py`), and whether the same change was made before.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl

from seed_platform.commits import messages
from seed_platform.commits.mechanical import mechanical_change
from seed_platform.commits.patches import iterate_patch
from seed_platform.commits.policy import CommitRulesPolicy
from seed_platform.filters.base import as_verdicts
from seed_platform.filters.commit_paths import explode_changes, path_marks

VERSION = "1"
"""Of this filter: raised when the verdict on some commit changes under the same policy."""

COLUMNS = (
    "ordinal", "doc_id", "parents", "merge", "bot", "message", "authored_at", "committed_at", "changed_paths",
    "changes", "bytes", "omitted", "content",
)  # fmt: skip
"""The columns of a commit that this filter reads."""

_DECIDED = {"row": pl.UInt32, "reason": pl.String, "score": pl.Float64, "evidence": pl.String}


def judge(commits: pl.DataFrame, policy: CommitRulesPolicy) -> pl.DataFrame:
    """The verdicts of the rules on `commits`.

    Args:
        commits: `COLUMNS`, one row a commit. `content` is the patch, null where `omitted` says why there is none.
        policy: thresholds and switches.

    Returns:
        Verdicts, one row a commit, in the order given. `reason` is the first that applies of

        - "merge"; why there is no patch ("missing_parent", "missing_object", "too_many_paths", "too_large",
          "not_text", or as the walk says); "bot"; "root" (`score`: paths)
        - "empty", "binary_only", "submodule_only", "rename_only", "mode_only"; "too_many_files" (`score`: files with
          changed lines), "too_large" (`score`: bytes)
        - "lock_files_only", "generated_only", "vendored_only" (each may also hold what those before it name)
        - "revert", "version_bump", "poor_message" (`score`: words), "damaged_patch", "formatting_only"

        or null. A commit that is kept may have the reason "date_out_of_range" (`evidence`: the dates).
    """
    judged = commits.select(*COLUMNS).with_row_index("row")
    changes = explode_changes(judged)
    judged = judged.join(_shapes(changes), on="row", how="left", maintain_order="left")
    judged = judged.with_columns(pl.col("paths", "text_files").fill_null(0)).with_columns(_cheap_reason(policy))
    judged = judged.with_columns(score=_score(), evidence=pl.lit(None, dtype=pl.String))

    left = judged.filter(pl.col("reason").is_null())
    marked = path_marks(changes.join(left.select("row"), on="row", how="semi", maintain_order="left"), left)
    judged = _decide(judged, _mechanical_paths(marked, policy))
    judged = _decide(judged, _by_message(judged.filter(pl.col("reason").is_null()), marked, policy))
    judged = _decide(judged, _by_patch(judged.filter(pl.col("reason").is_null()), marked, policy))
    return as_verdicts(_note_dates(judged.with_columns(keep=pl.col("reason").is_null()), policy))


def _shapes(changes: pl.DataFrame) -> pl.DataFrame:
    """What the changed paths of each commit are, in numbers."""
    kind, text = pl.col("kind"), (pl.col("added") + pl.col("deleted")) > 0
    return changes.group_by("row").agg(
        paths=pl.len(),
        text_files=(text & ~pl.col("binary") & (kind != "submodule")).sum(),
        binary=pl.col("binary").any(),
        submodule=(kind == "submodule").any(),
        rename=(kind == "rename").any(),
        mode=(kind == "mode").any(),
    )


def _cheap_reason(policy: CommitRulesPolicy) -> pl.Expr:
    """The reasons that need neither the message nor the patch."""
    no_text = pl.col("text_files") == 0
    omitted = pl.col("omitted").replace({"not_utf8": "not_text"})
    root = (pl.col("parents").list.len() == 0) & (pl.col("changed_paths") > policy.max_root_paths)
    reason = (
        pl.when(pl.col("merge"))
        .then(pl.lit("merge"))
        .when(omitted.is_not_null())
        .then(omitted)
        .when(pl.col("bot") & policy.drop_bots)
        .then(pl.lit("bot"))
        .when(root)
        .then(pl.lit("root"))
    )
    for name in ("binary", "submodule", "rename", "mode"):
        reason = reason.when(no_text & pl.col(name)).then(pl.lit(f"{name}_only"))
    reason = (
        reason.when(no_text | pl.col("content").is_null())
        .then(pl.lit("empty"))
        .when(pl.col("text_files") > policy.max_files)
        .then(pl.lit("too_many_files"))
        .when(pl.col("bytes") > policy.max_patch_bytes)
        .then(pl.lit("too_large"))
    )
    return reason.otherwise(None).alias("reason")


def _score() -> pl.Expr:
    """The number behind a cheap reason."""
    reason = pl.col("reason")
    return (
        pl.when(reason.is_in(["root", "too_many_paths"]))
        .then(pl.col("changed_paths"))
        .when(reason == "too_many_files")
        .then(pl.col("text_files"))
        .when((reason == "too_large") & pl.col("content").is_not_null())
        .then(pl.col("bytes"))
        .cast(pl.Float64)
    )


def _decide(judged: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """`judged` with what was decided of commits that had no reason yet."""
    joined = judged.join(decided, on="row", how="left", maintain_order="left", suffix="_decided")
    names = ("reason", "score", "evidence")
    return joined.select(
        *(column for column in judged.columns if column not in names),
        *(pl.coalesce(name, f"{name}_decided") for name in names),
    )


def _mechanical_paths(marked: pl.DataFrame, policy: CommitRulesPolicy) -> pl.DataFrame:
    """The commits that change no file of a person's own."""
    mark = pl.col("mark")
    dropped = [*["lock_file", "generated"] * policy.drop_generated, *["vendored"] * policy.drop_vendored]
    commits = marked.group_by("row").agg(
        own=(~mark.is_in(dropped).fill_null(value=False)).sum(),
        vendored=(mark == "vendored").any(),
        generated=(mark == "generated").any(),
        path=pl.col("path").first(),
    )
    reason = (
        pl.when("vendored").then(pl.lit("vendored_only")).when("generated").then(pl.lit("generated_only"))
        .otherwise(pl.lit("lock_files_only"))
    )  # fmt: skip
    evidence = pl.struct("path").struct.json_encode()
    found = commits.filter(pl.col("own") == 0)
    return found.select("row", reason=reason, score=pl.lit(None, dtype=pl.Float64), evidence=evidence)


def _by_message(commits: pl.DataFrame, marked: pl.DataFrame, policy: CommitRulesPolicy) -> pl.DataFrame:
    """The commits that are dropped for what their message says, or does not say."""
    own = pl.col("mark").is_null()
    lines = marked.group_by("row").agg(lines=(pl.col("added") + pl.col("deleted")).filter(own).sum())
    judged = commits.join(lines, on="row", how="left", maintain_order="left")
    message = pl.col("message").fill_null("")
    judged = judged.with_columns(
        reverts=messages.is_revert(message),
        release=messages.is_release(message),
        upgrade=messages.is_upgrade(message),
        text=messages.own_text(messages.without_revert(message)),
    ).with_columns(words=messages.words(pl.col("text")), empty=messages.empty_words(pl.col("text")))
    telling = (pl.col("words") - pl.col("empty")) >= policy.min_telling_words
    poor = (pl.col("words") < policy.min_message_words) | ~telling
    upgrade = pl.col("upgrade") & (pl.col("lines") <= policy.max_version_lines)
    proposed = messages.is_proposed(message) & (policy.min_telling_words > 0)
    reason = (
        pl.when(pl.col("reverts") & poor & policy.drop_reverts)
        .then(pl.lit("revert"))
        .when((pl.col("release") | upgrade) & (policy.max_version_lines > 0))
        .then(pl.lit("version_bump"))
        .when((poor & ~pl.col("reverts")) | proposed)
        .then(pl.lit("poor_message"))
    )
    judged = judged.with_columns(reason=reason)
    score = pl.when(pl.col("reason") == "poor_message").then(pl.col("words")).cast(pl.Float64)
    evidence = pl.when(pl.col("reason") == "version_bump").then(pl.lit('{"by":"message"}'))
    return judged.select("row", "reason", score=score, evidence=evidence)


def _by_patch(commits: pl.DataFrame, marked: pl.DataFrame, policy: CommitRulesPolicy) -> pl.DataFrame:
    """The commits whose own files change in versions or layout only."""
    others = marked.filter(pl.col("mark").is_not_null()).select("row", "path")
    ignored = set(others.iter_rows())
    found: list[tuple[int, str, None, str | None]] = []
    for row, patch in commits.select("row", "content").iter_rows():
        try:
            own = (file for file in iterate_patch(patch) if (row, file.path) not in ignored)
            change = mechanical_change(own, policy.max_version_lines)
        except ValueError as error:
            found.append((row, "damaged_patch", None, json.dumps({"error": str(error)})))
            continue
        if change == "versions":
            found.append((row, "version_bump", None, '{"by":"lines"}'))
        elif change == "layout" and policy.drop_formatting:
            found.append((row, "formatting_only", None, None))
    return pl.DataFrame(found, schema=_DECIDED, orient="row")


def _note_dates(judged: pl.DataFrame, policy: CommitRulesPolicy) -> pl.DataFrame:
    """`judged`, where commits that are kept have a reason if a date is none or beyond belief."""
    first = datetime(policy.first_year, 1, 1, tzinfo=UTC)
    last = datetime(policy.last_year, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    odd = pl.any_horizontal(
        ~pl.col(name).is_between(first, last).fill_null(value=False) for name in ("authored_at", "committed_at")
    )
    noted = judged.with_columns(odd=odd & pl.col("keep"))
    dates = [
        json.dumps({"authored_at": _shown(authored), "committed_at": _shown(committed)}) if is_odd else None
        for is_odd, authored, committed in noted.select("odd", "authored_at", "committed_at").iter_rows()
    ]
    told = pl.when("odd").then(pl.lit("date_out_of_range")).otherwise("reason")
    return noted.with_columns(reason=told, evidence=pl.coalesce("evidence", pl.Series(dates, dtype=pl.String)))


def _shown(date: datetime | None) -> str | None:
    return None if date is None else date.isoformat()
