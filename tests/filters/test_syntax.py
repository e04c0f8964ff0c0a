import json
import signal
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seed_platform.engine.base import Death
from seed_platform.engine.journal import Journal
from seed_platform.engine.local import LocalEngine
from seed_platform.filters import syntax
from seed_platform.filters.base import VERDICT_COLUMNS
from seed_platform.filters.grammars import GRAMMARS, NOT_CHECKED, VARIANTS, parser
from seed_platform.filters.languages import LANGUAGES
from seed_platform.policy import SyntaxPolicy

STRICT = SyntaxPolicy(max_error_ratio=0.0, max_error_ratio_by_language={})

# Real inputs on which grammars of the language pack misbehave.
CRASHES_AGDA = "\0" * 1000
HANGS_CMAKE = "\n" * 50_000


def files(*rows: tuple[str, str | None, str | None]) -> pl.DataFrame:
    """(path, language, content) rows as the filter gets them."""
    frame = pl.DataFrame(rows, schema={"path": pl.String, "language": pl.String, "content": pl.String}, orient="row")
    return frame.select(
        pl.int_range(pl.len()).alias("ordinal"),
        pl.format("doc-{}", pl.int_range(pl.len())).alias("doc_id"),
        "path",
        "language",
        pl.col("content").str.len_bytes().fill_null(1).cast(pl.Int64).alias("bytes"),
        "content",
    )


def judge(tmp_path: Path, *rows: tuple[str, str | None, str | None], policy: SyntaxPolicy = STRICT) -> list[dict]:
    with Journal(tmp_path / "journal") as journal:
        verdicts = syntax.judge(files(*rows), policy, journal)
    assert dict(verdicts.schema) == VERDICT_COLUMNS
    return verdicts.to_dicts()


@dataclass(frozen=True)
class Job:
    rows: tuple[tuple[str, str | None, str | None], ...]
    journal: Path
    cpu_seconds: float


def work(job: Job) -> pl.DataFrame:
    with Journal(job.journal) as journal:
        return syntax.judge(files(*job.rows), SyntaxPolicy(cpu_seconds=job.cpu_seconds), journal)


def quarantine(job: Job, death: Death) -> Job | None:
    with Journal(job.journal) as journal:
        ordinal = journal.interrupted()
        if ordinal is None:
            return None
        journal.quarantine(ordinal, syntax.describe_death(death))
    return job


def judge_in_worker(tmp_path: Path, *rows: tuple[str, str | None, str | None], cpu_seconds: float) -> list[dict]:
    job = Job(rows, tmp_path / "journal", cpu_seconds)
    [(_, verdicts)] = LocalEngine(1).run(work, [job], on_death=quarantine)
    return verdicts.to_dicts()


def test_a_file_without_errors_is_kept_without_a_reason(tmp_path: Path):
    [verdict] = judge(tmp_path, ("a.py", "Python", "def f():\n    return 1\n"))
    assert (verdict["keep"], verdict["reason"], verdict["score"], verdict["evidence"]) == (True, None, 0.0, None)


def test_a_syntax_error_is_dropped_and_says_where_in_characters(tmp_path: Path):
    [verdict] = judge(tmp_path, ("a.py", "Python", "x = 1\ny = f('é', $ 3)\n"))
    assert (verdict["keep"], verdict["reason"]) == (False, "syntax_error")
    assert 0 < verdict["score"] < 1
    assert json.loads(verdict["evidence"]) == {"errors": 1, "line": 2, "column": 12, "grammar": "python"}


def test_a_missing_bracket_counts_one_byte(tmp_path: Path):
    text = "int main() { return 0; }\n" * 3 + "int g() { return (1; }\n"
    [verdict] = judge(tmp_path, ("a.c", "C", text))
    assert verdict["score"] == pytest.approx(1 / len(text))


def test_an_error_that_the_parser_hides_between_tokens_counts_one_byte(tmp_path: Path):
    text = "int x;\n#include <a.h> \nint y;\n"
    [verdict] = judge(tmp_path, ("a.c", "C", text))
    assert verdict["score"] == pytest.approx(1 / len(text))
    assert json.loads(verdict["evidence"]) == {"errors": 1, "line": 2, "column": 1, "grammar": "c"}


def test_errors_within_the_tolerance_of_the_language_are_kept_with_score_and_evidence(tmp_path: Path):
    text = "BEGIN_DECLS\nstruct s { int x; };\nextern int f(struct s *p) ATTRIBUTE(1) OTHER;\nEND_DECLS\n" * 5
    policy = SyntaxPolicy(max_error_ratio=0.0, max_error_ratio_by_language={"C": 0.9})
    [tolerated] = judge(tmp_path, ("a.h", "C", text), policy=policy)
    assert (tolerated["keep"], tolerated["reason"]) == (True, "tolerated_errors")
    assert 0 < tolerated["score"] <= 0.9
    assert json.loads(tolerated["evidence"])["grammar"] == "c"
    (tmp_path / "journal").unlink()
    [dropped] = judge(tmp_path, ("a.h", "C", text))
    assert (dropped["keep"], dropped["reason"], dropped["score"]) == (False, "syntax_error", tolerated["score"])


@pytest.mark.parametrize(
    ("path", "language", "content"),
    [
        ("a.g4", "ANTLR", "grammar A; ((("),
        ("a.md", "Markdown", ">" * 50_000),
        ("a.unknown", None, "((("),
        ("a.py", "Python", None),
        ("lexer.mll", "OCaml", "{ }"),
        ("a.phpt", "PHP", "--TEST--"),
    ],
)
def test_what_has_no_grammar_or_no_text_is_kept_as_not_checked(
    tmp_path: Path, path: str, language: str | None, content: str | None
):
    [verdict] = judge(tmp_path, (path, language, content))
    assert (verdict["keep"], verdict["reason"], verdict["score"]) == (True, "not_checked", None)


def test_a_file_over_the_size_limit_is_not_checked(tmp_path: Path):
    within, over = judge(
        tmp_path, ("a.py", "Python", "((("), ("b.py", "Python", "(((("), policy=SyntaxPolicy(max_bytes=3)
    )
    assert (within["reason"], over["reason"]) == ("syntax_error", "not_checked")


def test_the_extension_chooses_among_grammars_of_one_language(tmp_path: Path):
    text = "const x = <div>{y}</div>;\n"
    tsx, ts = judge(tmp_path, ("src/a.TSX", "TypeScript", text), ("src/a.ts", "TypeScript", text))
    assert (tsx["keep"], ts["keep"]) == (True, False)


def test_every_grammar_exists_and_belongs_to_a_language_of_the_corpus():
    variants = {name for choice in VARIANTS.values() for name in choice.values() if name is not None}
    for grammar in {*GRAMMARS.values(), *variants}:
        assert parser(grammar) is parser(grammar)
    assert set(GRAMMARS) | set(NOT_CHECKED) | set(VARIANTS) <= set(LANGUAGES)
    assert not set(GRAMMARS) & set(NOT_CHECKED)


def test_verdicts_come_in_the_order_of_the_rows_whatever_was_checked(tmp_path: Path):
    rows = [(f"{n}.py", "Python" if n % 3 else None, "x" if n % 2 else "((") for n in range(30)]
    verdicts = judge(tmp_path, *rows)
    assert [verdict["ordinal"] for verdict in verdicts] == list(range(30))
    assert [verdict["reason"] for verdict in verdicts] == [
        "not_checked" if n % 3 == 0 else None if n % 2 else "syntax_error" for n in range(30)
    ]


def test_no_files_give_no_verdicts(tmp_path: Path):
    assert judge(tmp_path) == []


def test_what_the_journal_knows_is_not_parsed_again(tmp_path: Path):
    with Journal(tmp_path / "journal") as journal:
        journal.quarantine(1, syntax.describe_death(Death(-signal.SIGSEGV)))
    first, second = judge(tmp_path, ("a.py", "Python", "x"), ("b.py", "Python", "x"))
    assert first["keep"]
    assert (second["keep"], second["reason"], second["score"]) == (False, "parser_crash", None)
    assert json.loads(second["evidence"]) == {"signal": signal.SIGSEGV, "grammar": "python"}


def test_judging_again_from_the_journal_gives_the_same_verdicts(tmp_path: Path):
    rows = [("a.py", "Python", "x = (\n"), ("b.c", "C", "int x;"), ("c.js", "JavaScript", "")]
    assert judge(tmp_path, *rows) == judge(tmp_path, *rows)


def test_a_crashing_grammar_costs_one_document(tmp_path: Path):
    rows = [("a.py", "Python", "x = 1"), ("b.agda", "Agda", CRASHES_AGDA), ("c.py", "Python", "x = (")]
    before, crash, after = judge_in_worker(tmp_path, *rows, cpu_seconds=60)
    assert (before["keep"], before["reason"]) == (True, None)
    assert (crash["keep"], crash["reason"], crash["score"]) == (False, "parser_crash", None)
    assert json.loads(crash["evidence"])["grammar"] == "agda"
    assert (after["keep"], after["reason"]) == (False, "syntax_error")


def test_a_hanging_grammar_costs_one_document(tmp_path: Path):
    rows = [("a.py", "Python", "x = 1"), ("b.cmake", "CMake", HANGS_CMAKE), ("c.py", "Python", "x = (")]
    before, hang, after = judge_in_worker(tmp_path, *rows, cpu_seconds=0.5)
    assert (before["keep"], before["reason"]) == (True, None)
    assert (hang["keep"], hang["reason"], hang["score"]) == (False, "parser_timeout", None)
    assert (after["keep"], after["reason"]) == (False, "syntax_error")


def test_the_limit_is_per_document_and_not_for_the_batch(tmp_path: Path):
    rows = [(f"{n}.py", "Python", "x = [1, 2, 3]\n" * 15_000) for n in range(12)]
    verdicts = judge_in_worker(tmp_path, *rows, cpu_seconds=0.5)
    assert [verdict["reason"] for verdict in verdicts] == [None] * 12


def test_a_worker_that_leaves_by_exit_counts_as_a_crash():
    assert syntax.describe_death(Death(3)) == syntax.describe_death(Death(-signal.SIGABRT))


@pytest.mark.parametrize(
    ("language", "content", "keep"),
    [
        ("Python", "x = " + "(" * 10_000 + "1" + ")" * 10_000, True),
        ("Python", "x = " + "(" * 10_000, False),
        ("JSON", "[" * 10_000 + "]" * 10_000, True),
        ("C", "int f() " + "{" * 10_000 + "}" * 9_999, False),
        ("JavaScript", "x=" + "a+" * 500_000 + "a", True),
        ("Python", "x = '" + "a" * 1_000_000 + "'", True),
        ("C", "int x;\0\0int y;", False),
        ("Python", "\0", False),
        ("Python", "", True),
        ("Python", "\ufeffx = 1\r\n", True),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_extreme_inputs_get_verdicts(tmp_path: Path, language: str, content: str, keep: bool):  # noqa: FBT001
    [verdict] = judge(tmp_path, ("a", language, content), policy=STRICT)
    assert verdict["keep"] is keep
    assert 0 <= verdict["score"] <= 1


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.just("a"),
            st.sampled_from(["Python", "C", "C++", "Java", "Go", "JSON", "Ruby", "TypeScript", "Markdown", None]),
            st.none() | st.text(max_size=200) | st.text("(){}[]'\"\\#/*<>=;: \n\tabe1", max_size=200),
        ),
        max_size=6,
    )
)
def test_any_text_gets_one_verdict_per_row_in_order(tmp_path: Path, rows: list[tuple[str, str | None, str | None]]):
    (tmp_path / "journal").unlink(missing_ok=True)
    verdicts = judge(tmp_path, *rows)
    assert [verdict["ordinal"] for verdict in verdicts] == list(range(len(rows)))
    for verdict, (_, language, content) in zip(verdicts, rows, strict=True):
        checked = language in GRAMMARS and content is not None
        assert (verdict["reason"] == "not_checked") is not checked
        assert verdict["keep"] is (verdict["reason"] in (None, "not_checked"))
        assert (verdict["score"] is not None) is checked
        assert not checked or 0 <= verdict["score"] <= 1
        assert (verdict["evidence"] is not None) is (checked and verdict["score"] > 0)
