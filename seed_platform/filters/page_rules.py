"""The rules filter over pages: is there text, and is it the page that its address promised.

What belongs here: the few rules that need no model (PAPER §4.2), in the order in which a drop is attributed to them.
What does not: whether the page is about code (`pages/relevance.py`) or good of its kind (`pages/quality.py`).
"""

from __future__ import annotations

import polars as pl

from seed_platform.filters.base import as_verdicts
from seed_platform.pages.policy import PageRulesPolicy

VERSION = "2"
"""Of this filter: raised when the verdict on some page changes under the same policy."""

COLUMNS = ("ordinal", "doc_id", "reason", "language", "content", "link_bytes", "code_blocks")
"""The columns of a page that this filter reads. `reason` is the extraction's, `language` that of the prose."""

# A letter of a script without spaces is half a word: Chinese words have about two letters. Hangul has spaces.
_WORD = r"[\p{L}\p{N}_&&[^\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]]+"
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_COUNTED = 8000
"""Letters from the start in which words are counted: far more than any sensible threshold needs."""
_BROKEN = r"[\x{FFFD}\x{E000}-\x{F8FF}\x{FFFE}\x{FFFF}[\p{Cc}&&[^\t\n\r]]]"
_FENCED = r"(?ms)^[ \t]*```[^\n]*\n.*?(?:^[ \t]*```+[ \t]*$|\z)"

_PLACEHOLDERS = {
    # Said of the page itself, at the beginning of a paragraph or sentence; manuals say the same with "if", "a" or
    # "returns" before it, and in lists and tables.
    "error_page": (
        r"(?im)(?:^|[.!]|\b(?:error|sorry|oops),?)[\s#*_>(]*(?:(?:https?|status|error|code)[\s:#-]*){0,2}"
        r"\b(?:404|403|410|500|502|503)\b[\s:.,!|#*\x{2013}\x{2014}-]*(?:error|page|file|object)?\s*"
        r"(?:not found|forbidden|gone|internal server error|bad gateway|service (?:temporarily )?unavailable"
        r"|unavailable)"
        r"|(?:^|[.!]|\b(?:sorry|but|seems that|like|unfortunately),?)[\s#*_>(]*"
        r"(?:(?:this|the|that) (?:page|url|address)|(?:the |your )?requested (?:page|url|file|document|resource)"
        r"|(?:the |that )?(?:page|file|document|resource|article|content) (?:that )?you)\b[^.!?\n]{0,60}"
        r"(?:(?:was|could|can) ?not (?:be )?found|cannot be found|can't be found|(?:does not|doesn't|no longer) exists?"
        r"|is no longer available)"
        r"|\A[#*_\s]*(?:page |file )?not found\b"
        r"|\A[#*_\s]*(?:access denied|forbidden|bad request|internal server error)\b"
    ),
    # A page that needs it to be switched on, not a text that needs it to be known.
    "script_required": (
        r"(?im)(?:enable|activate|turn on|switch on)\W{0,3}(?:\w+\W+){0,3}javascript\b"
        r"|\b(?:site|page|app|application|forum|content|browser)\W+(?:\w+\W+){0,3}(?:requires?|needs?)\W+javascript\b"
        r"|\brequires?\W+(?:\w+\W+){0,3}javascript\W+(?:(?:to|must) be )?(?:enabled|activated|turned on)\b"
        r"|\b(?:not|cannot|n['\x{2019}]t)\W+(?:\w+\W+){0,4}without\W+(?:\w+\W+)?javascript\b"
        r"|javascript\W+(?:is|has been|must be|seems to be|appears to be)\W+(?:\w+\W+){0,2}"
        r"(?:disabled|enabled|required|turned off)"
        r"|checking your browser before|verify (?:that )?you are (?:a )?human|are you a robot|just a moment\.\.\."
    ),
    "placeholder": (
        r"(?i)\b(?:(?:domain|website|site)(?: name)? (?:is |may be )?(?:for sale|parked)|under construction|coming soon"
        r"|it works!|welcome to nginx|apache2? (?:\w+ )?default page|default (?:web )?(?:site|page) page"
        r"|account (?:has been )?suspended|index of /)"
    ),
}
"""What short pages say that stand in for the page: errors, walls, parked domains."""
_OPENING = 4
"""Paragraphs, the heading among them, in which such a page says so."""


def judge(pages: pl.DataFrame, policy: PageRulesPolicy) -> pl.DataFrame:
    """The verdicts of the rules on `pages`.

    Args:
        pages: `COLUMNS`, one row a page. `content` is Markdown, null or "" where there is none.
        policy: thresholds.

    Returns:
        Verdicts, one row a page, in the order given. `reason` is the first that applies of: what extraction says of a
        page without text ("no_content" if it says nothing), "broken_characters", "error_page", "script_required" and
        "placeholder" (short pages without a code block only, by what they begin with), "too_few_words" (`score`:
        words), "mostly_links", "repeated_lines" (`score`: the share), "language" (`evidence`: {"language": …}), or null
        for a page that is kept.
    """
    judged = pages.select(*COLUMNS).with_row_index("row").rename({"reason": "extraction"})
    judged = judged.with_columns(content=pl.col("content").fill_null(""), link_bytes=pl.col("link_bytes").fill_null(0))
    judged = judged.with_columns(_measures()).with_columns(_repeated(judged["content"]))
    judged = judged.with_columns(reason=_reason(policy))
    score = (
        pl.when(pl.col("reason") == "too_few_words")
        .then(pl.col("words"))
        .when(pl.col("reason") == "mostly_links")
        .then(pl.col("link_share"))
        .when(pl.col("reason") == "repeated_lines")
        .then(pl.col("repeated_share"))
        .when(pl.col("reason") == "broken_characters")
        .then(pl.col("broken_share"))
    )
    evidence = pl.when(pl.col("reason") == "language").then(pl.struct("language").struct.json_encode())
    return as_verdicts(judged.with_columns(keep=pl.col("reason").is_null(), score=score, evidence=evidence))


def _measures() -> list[pl.Expr]:
    """What the thresholds are compared with."""
    content = pl.col("content")
    letters = content.str.len_chars().clip(lower_bound=1)
    head = content.str.slice(0, _COUNTED)
    return [
        (head.str.count_matches(_WORD) + head.str.count_matches(_UNSPACED) / 2).alias("words"),
        (pl.col("link_bytes") / content.str.len_bytes().clip(lower_bound=1)).alias("link_share"),
        (content.str.count_matches(_BROKEN) / letters).alias("broken_share"),
    ]


def _repeated(contents: pl.Series) -> pl.Series:
    """The share of each text's bytes, code blocks aside, in lines that stand in it before."""
    lines = (
        pl.DataFrame({"text": contents.str.replace_all(_FENCED, "")})
        .with_row_index("row")
        .with_columns(line=pl.col("text").str.split("\n"))
        .drop("text")
        .explode("line")
        .with_columns(line=pl.col("line").str.strip_chars())
        .filter(pl.col("line") != "")
        .with_columns(size=pl.col("line").str.len_bytes())
    )
    shares = lines.group_by("row").agg(
        repeated_share=1 - pl.col("size").filter(pl.col("line").is_first_distinct()).sum() / pl.col("size").sum()
    )
    rows = pl.DataFrame({"row": pl.arange(len(contents), dtype=pl.UInt32, eager=True)})
    joined = rows.join(shares.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left")
    return joined["repeated_share"].fill_null(0.0)


def _reason(policy: PageRulesPolicy) -> pl.Expr:
    """The first reason that applies, or null."""
    content = pl.col("content")
    # The patterns cost twenty times all else, and no long page is looked at. One with a block of code is a page about
    # code that speaks of errors: what stands in for a page has none.
    looked_at = (pl.col("words") <= policy.placeholder_words) & (pl.col("code_blocks") == 0)
    opening = pl.when(looked_at).then(content).otherwise(pl.lit("")).str.strip_chars()
    opening = opening.str.split("\n\n").list.head(_OPENING).list.join("\n\n")
    reason = (
        pl.when(content.str.strip_chars() == "")
        .then(pl.coalesce("extraction", pl.lit("no_content")))
        .when(pl.col("broken_share") > policy.max_broken_characters)
        .then(pl.lit("broken_characters"))
    )
    for name, pattern in _PLACEHOLDERS.items():
        reason = reason.when(opening.str.contains(pattern)).then(pl.lit(name))
    reason = (
        reason.when(pl.col("words") < policy.min_words)
        .then(pl.lit("too_few_words"))
        .when(pl.col("link_share") > policy.max_link_share)
        .then(pl.lit("mostly_links"))
        .when(pl.col("repeated_share") > policy.max_repeated_lines)
        .then(pl.lit("repeated_lines"))
    )
    if policy.languages:
        reason = reason.when(~pl.col("language").is_in(policy.languages)).then(pl.lit("language"))
    return reason.otherwise(None)
