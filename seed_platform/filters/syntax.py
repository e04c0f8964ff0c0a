"""The syntax filter: does a tree-sitter grammar of the file's language accept it (PAPER §2.1).

What belongs here: parsing under a limit of CPU time, the share of a file that is in error, and the verdict. What does
not: which grammar (`grammars.py`), how much error is allowed (`SyntaxPolicy`), and running a task again after its
process died (the runner, by `describe_death`).

Grammars are foreign C code that some inputs hang or crash. Nothing inside the process can stop a C loop, so each parse
is announced in a journal and given a timer whose signal ends the process; the next attempt finds the document named
there.
"""

from __future__ import annotations

import signal
import struct
from collections.abc import Iterator

import numpy as np
import polars as pl
from tree_sitter import Node, Parser, Tree

from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.filters.base import as_verdicts
from seed_platform.filters.grammars import grammar_of, parser
from seed_platform.policy import SyntaxPolicy

VERSION = "1"
COLUMNS = ("ordinal", "doc_id", "path", "language", "bytes", "content")

MAX_VISITED_NODES = 200_000
"""Nodes looked at when errors are added up; errors beyond them are not counted, so the ratio is a lower bound."""

_RESULT = struct.Struct("<IIIIII")
_RESULT_TYPE = np.dtype([(name, "<u4") for name in ("signal", "errors", "line", "column", "error_bytes", "bytes")])
"""What a parse gave. `signal` is 0 unless it ended the process; line and column (in characters) count from 1."""


def judge(files: pl.DataFrame, policy: SyntaxPolicy, journal: Journal) -> pl.DataFrame:
    """Verdicts on files, by how much of each its grammar could not parse.

    Runs in the main thread of a worker process, which may die in it: by SIGPROF when a parse takes more than
    `policy.cpu_seconds` of CPU time, by another signal when a grammar crashes. Documents already in `journal` are not
    parsed again.

    Args:
        files: `COLUMNS`, of which content is UTF-8 text or null, and language may be null.
        policy: the tolerances and limits.
        journal: the journal of this task.

    Returns:
        The verdict columns, one row per row of `files` and in that order. `score` is the share of the bytes that lies
        in syntax errors. Reasons: "syntax_error", "parser_timeout" and "parser_crash" (dropped); "tolerated_errors"
        and "not_checked" (kept).
    """
    files = files.select(
        *COLUMNS[:4], pl.col("content").cast(pl.Binary), grammar=_grammar_or_null(policy), row=pl.int_range(pl.len())
    )
    checked = files.filter(pl.col("grammar").is_not_null())
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    results = b"".join(_results(checked, policy.cpu_seconds, journal))
    parsed = np.frombuffer(results, _RESULT_TYPE)
    columns = {name: parsed[name].astype(np.int64) for name in _RESULT_TYPE.fields or ()}
    found = pl.DataFrame({"row": checked["row"], **columns})
    return _verdicts(files.drop("content").join(found, on="row", how="left", maintain_order="left"), policy)


def describe_death(death: Death) -> bytes:
    """The result to quarantine for the document whose parse ended its process; `judge` renders it as a drop."""
    # A parser that leaves by exit() is as broken as one that calls abort().
    return _RESULT.pack(death.signal or signal.SIGABRT, 0, 0, 0, 0, 0)


def _grammar_or_null(policy: SyntaxPolicy) -> pl.Expr:
    """The grammar to parse a file with; null if it is not checked."""
    within = (pl.col("bytes") <= policy.max_bytes) & pl.col("content").is_not_null()
    return pl.when(within).then(grammar_of(pl.col("language"), pl.col("path")))


def _results(checked: pl.DataFrame, cpu_seconds: float, journal: Journal) -> Iterator[bytes]:
    """The packed result of each row of `checked`, from the journal where it has one."""
    recall, start, finish = journal.recall, journal.start, journal.finish
    parsers = {name: parser(name) for name in checked["grammar"].unique()}
    for ordinal, grammar, content in zip(checked["ordinal"], checked["grammar"], checked["content"], strict=True):
        result = recall(ordinal)
        if result is None:
            start(ordinal)
            # CPU time, so that the load of the machine does not decide; the default action, since a handler written
            # in Python would wait for the C loop that it is meant to stop.
            signal.setitimer(signal.ITIMER_PROF, cpu_seconds)
            result = _parse(parsers[grammar], content)
            signal.setitimer(signal.ITIMER_PROF, 0)
            finish(ordinal, result)
        yield result


def _parse(grammar: Parser, content: bytes) -> bytes:
    tree = grammar.parse(content)
    if not tree.root_node.has_error:
        return _RESULT.pack(0, 0, 0, 0, 0, len(content))
    errors, error_bytes, first = _add_up(tree)
    line_start = first.start_byte - first.start_point.column
    column = len(content[line_start : first.start_byte].decode("utf-8", "replace"))
    total = len(content)
    return _RESULT.pack(0, errors, first.start_point.row + 1, column + 1, min(error_bytes, max(total, 1)), total)


def _add_up(tree: Tree) -> tuple[int, int, Node]:
    """Errors in a tree that has some: how many, how many bytes, the first one's node.

    An error is an outermost ERROR node, a MISSING node (1 byte), or a node with an error that shows in no child of it:
    the parser hides what it inserted between tokens (1 byte). Looks only below nodes with errors, and at no more than
    `MAX_VISITED_NODES`. Neither recursion nor lists of children: trees may be 10^5 deep or wide.
    """
    cursor = tree.walk()
    errors = error_bytes = 0
    first: Node | None = None
    # For each node on the way down, how many errors were known when it was entered.
    known: list[int] = []
    for _ in range(MAX_VISITED_NODES):
        node = cursor.node
        assert node is not None  # noqa: S101
        if node.has_error:
            leaf = node.is_error or node.is_missing
            if not leaf and cursor.goto_first_child():
                known.append(errors)
                continue
            errors += 1
            error_bytes += max(1, node.end_byte - node.start_byte) if leaf else 1
            first = first or node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return errors, error_bytes, first or tree.root_node
            if errors == known.pop():
                errors += 1
                error_bytes += 1
                first = first or cursor.node
    return max(errors, 1), max(error_bytes, 1), first or tree.root_node


def _verdicts(parsed: pl.DataFrame, policy: SyntaxPolicy) -> pl.DataFrame:
    """Results, null where a file was not parsed, to verdicts."""
    score = pl.when(pl.col("signal") == 0).then(pl.col("error_bytes") / pl.col("bytes").clip(1))
    tolerance = pl.col("language").replace_strict(
        policy.max_error_ratio_by_language, default=policy.max_error_ratio, return_dtype=pl.Float64
    )
    died = pl.col("signal") > 0
    reason = (
        pl.when(pl.col("signal").is_null())
        .then(pl.lit("not_checked"))
        .when(pl.col("signal") == int(signal.SIGPROF))
        .then(pl.lit("parser_timeout"))
        .when(died)
        .then(pl.lit("parser_crash"))
        .when(score > tolerance)
        .then(pl.lit("syntax_error"))
        .when(pl.col("errors") > 0)
        .then(pl.lit("tolerated_errors"))
    )
    evidence = (
        pl.when(died)
        .then(pl.struct("signal", "grammar").struct.json_encode())
        .when(pl.col("errors") > 0)
        .then(pl.struct("errors", "line", "column", "grammar").struct.json_encode())
    )
    verdicts = parsed.with_columns(score=score, reason=reason, evidence=evidence)
    kept = ~pl.col("reason").is_in(["syntax_error", "parser_timeout", "parser_crash"]).fill_null(value=False)
    return as_verdicts(verdicts.with_columns(keep=kept))
