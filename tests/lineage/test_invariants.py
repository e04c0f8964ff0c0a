"""The checks find a table that was broken on purpose and say by how many; the funnel's sums and picture hold."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from support import edited, lake_of, make_repository, python_source, run_flow, settings_of, views

from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import FILE_LEVEL, FILES, REPOSITORIES, Table, verdicts
from seed_platform.lineage import checks
from seed_platform.lineage.funnel import Funnel, funnel
from seed_platform.lineage.plots import funnel_figure, save
from seed_platform.policy import Policy

POLICY = Policy().file_level
RULES = verdicts("files", "rules")
SYNTAX = verdicts("files", "syntax")
NAMES = ("first", "second")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of two batches with every kind of outcome; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("lineage")
    shared = python_source(1, 60)
    for name in NAMES:
        own = python_source(len(name), 40)
        files: dict[str, str | bytes] = {
            "shared.py": shared,
            "near.py": edited(shared, [5, len(name)]),
            "own.py": own,
            "copy.py": own,
            "main.go": f"package main\n\nfunc {name}() int {{ return 1 }}\n",
            "bad.py": f"def {name}(:\n",
            "binary.bin": b"\0" + name.encode(),
        }
        make_repository(folder / name, files)
        run_flow(str(folder / "lake"), [str(folder / name), str(folder / f"missing-{name}")], name=name, workers=1)
    return folder / "lake"


@pytest.fixture
def lake(done: Path, tmp_path: Path) -> Lake:
    """A copy of that lake, to be broken."""
    return lake_of(settings_of(str(shutil.copytree(done, tmp_path / "lake"))))


def _break(lake: Lake, table: Table, batch: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Publish a changed version of one batch of a table."""
    rows = lake.column(table, table.columns.names, batch=batch)
    with lake.writer(table, batch=batch) as writer:
        writer.write(change(rows))
    lake.publish(table, writer.parts, Commit("broken", "0", "0"), batch=batch)


def _conserved(lake: Lake, name: str, requires: tuple[str, ...] = ()) -> checks.Outcome:
    return checks.conserved(lake, settings_of(lake.root), name, requires, NAMES)


def test_untouched_tables_pass_every_check(lake: Lake):
    settings = settings_of(lake.root)
    assert _conserved(lake, "rules").passed
    assert _conserved(lake, "repository_duplicates", ("rules",)).passed
    assert _conserved(lake, "exact_duplicates", ("rules", "repository_duplicates")).passed
    assert _conserved(lake, "near_duplicates", ("rules", "repository_duplicates", "exact_duplicates", "syntax")).passed
    assert _conserved(lake, "syntax", ("rules", "repository_duplicates", "exact_duplicates")).passed
    assert checks.content_is_unique(lake, settings, NAMES).passed
    outcome = checks.files_are_accounted_for(lake, settings, NAMES)
    assert outcome == checks.Outcome(passed=True, numbers={"files": 14, "distinct": 14, "declared": 14})


def test_missing_verdicts_fail_the_check_which_says_how_many(lake: Lake):
    _break(lake, RULES, "first", lambda rows: rows.head(rows.height - 2))
    outcome = _conserved(lake, "rules")
    assert not outcome.passed
    assert outcome.numbers == {"expected": 14, "judged": 12, "missing": 2, "extra": 0, "dropped_without_reason": 0}


def test_a_verdict_that_stands_twice_fails_the_check(lake: Lake):
    _break(lake, RULES, "second", lambda rows: pl.concat([rows, rows.head(1)]))
    outcome = _conserved(lake, "rules")
    assert not outcome.passed
    assert (outcome.numbers["expected"], outcome.numbers["judged"]) == (14, 15)


def test_a_missing_and_a_doubled_verdict_do_not_make_up_for_each_other(lake: Lake):
    _break(lake, RULES, "first", lambda rows: pl.concat([rows.slice(1), rows.slice(1, 1)]))
    outcome = _conserved(lake, "rules")
    assert not outcome.passed
    assert outcome.numbers["missing"] == 1


def test_a_drop_without_a_reason_fails_the_check(lake: Lake):
    _break(lake, RULES, "first", lambda rows: rows.with_columns(reason=pl.lit(None, pl.String)))
    outcome = _conserved(lake, "rules")
    assert not outcome.passed
    assert outcome.numbers["dropped_without_reason"] == 1


def test_a_verdict_on_a_document_that_an_earlier_filter_dropped_fails_the_check(lake: Lake):
    rules = lake.column(RULES, ["ordinal", "doc_id", "keep"], batch="first")
    dropped = rules.filter(~pl.col("keep")).select("ordinal", "doc_id").head(1)
    _break(
        lake,
        SYNTAX,
        "first",
        lambda rows: pl.concat(
            [rows, dropped.join(rows.head(1).drop(dropped.columns), how="cross").select(rows.columns)]
        ),
    )
    outcome = _conserved(lake, "syntax", ("rules", "exact_duplicates"))
    assert not outcome.passed
    assert (outcome.numbers["missing"], outcome.numbers["extra"]) == (0, 1)


def test_a_verdict_that_names_another_document_is_both_missing_and_extra(lake: Lake):
    swap = lambda rows: rows.with_columns(doc_id=pl.col("doc_id").shift(1, fill_value=pl.col("doc_id").last()))  # noqa: E731
    _break(lake, RULES, "first", swap)
    outcome = _conserved(lake, "rules")
    assert not outcome.passed
    assert (outcome.numbers["missing"], outcome.numbers["extra"]) == (7, 7)


def test_the_same_content_in_two_documents_of_the_corpus_is_found(lake: Lake):
    first = lake.column(FILE_LEVEL, ["content_sha256"], batch="first")["content_sha256"][0]
    _break(
        lake,
        FILE_LEVEL,
        "second",
        lambda rows: rows.with_columns(
            content_sha256=pl.when(pl.int_range(pl.len()) == 0).then(pl.lit(first)).otherwise("content_sha256")
        ),
    )
    outcome = checks.content_is_unique(lake, settings_of(lake.root), ["second"])
    assert not outcome.passed
    assert outcome.numbers["documents"] - outcome.numbers["distinct_contents"] == 1


def test_the_same_content_in_two_languages_is_two_documents(lake: Lake):
    rows = lake.column(FILE_LEVEL, ["content_sha256", "language"], batch="first")
    content, language = rows.row(0)
    other = next(each for each in ("C", "C++") if each != language)
    _break(
        lake,
        FILE_LEVEL,
        "second",
        lambda rows: rows.head(1).with_columns(content_sha256=pl.lit(content), language=pl.lit(other)),
    )
    assert checks.content_is_unique(lake, settings_of(lake.root), ["second"]).passed
    _break(lake, FILE_LEVEL, "second", lambda rows: rows.with_columns(language=pl.lit(language)))
    assert not checks.content_is_unique(lake, settings_of(lake.root), ["second"]).passed


def test_what_a_later_batch_kept_under_an_older_policy_is_not_held_against_an_earlier_one(lake: Lake):
    later = lake.column(FILE_LEVEL, ["content_sha256"], batch="second")["content_sha256"][0]
    _break(lake, FILE_LEVEL, "first", lambda rows: rows.with_columns(content_sha256=pl.lit(later)).head(1))
    assert checks.content_is_unique(lake, settings_of(lake.root), ["first"]).passed
    assert not checks.content_is_unique(lake, settings_of(lake.root), NAMES).passed


@pytest.mark.parametrize("table", [FILES, REPOSITORIES])
def test_files_and_repositories_that_disagree_are_found(lake: Lake, table: Table):
    if table is FILES:
        _break(lake, FILES, "first", lambda rows: rows.slice(1))
    else:
        _break(lake, REPOSITORIES, "first", lambda rows: rows.with_columns(files=pl.col("files") + 1))
    outcome = checks.files_are_accounted_for(lake, settings_of(lake.root), NAMES)
    assert not outcome.passed
    assert outcome.numbers["declared"] - outcome.numbers["files"] == 1


def test_a_document_that_stands_twice_among_the_files_is_found(lake: Lake):
    _break(lake, FILES, "first", lambda rows: pl.concat([rows.slice(1), rows.slice(1, 1)]))
    outcome = checks.files_are_accounted_for(lake, settings_of(lake.root), NAMES)
    assert not outcome.passed
    assert outcome.numbers == {"files": 14, "distinct": 13, "declared": 14}


def _funnel(root: Path, batches: list[str] | None = None) -> Funnel:
    with views(str(root)) as connection:
        return funnel(connection, POLICY, batches)


def test_seen_is_dropped_and_kept_in_documents_and_bytes_and_in_each_language(done: Path):
    counted = _funnel(done)
    for flow in (counted.documents, counted.bytes, *(each for pair in counted.languages.values() for each in pair)):
        dropped = sum(number for reasons in flow.dropped.values() for number in reasons.values())
        assert flow.seen == dropped + flow.kept
        assert flow.outstanding == 0
    assert sum(documents.seen for documents, _ in counted.languages.values()) == counted.documents.seen == 14
    assert counted.documents.dropped == {
        "rules": {"binary": 2},
        "exact_duplicates": {"exact_duplicate": 3},
        "near_duplicates": {"near_duplicate": 2},
        "syntax": {"syntax_error": 2},
    }
    assert counted.rejected == {"missing_path": 2}


def test_the_funnels_of_the_batches_add_up_to_that_of_the_lake(done: Path):
    whole, first, second = _funnel(done), _funnel(done, ["first"]), _funnel(done, ["second"])
    for quantity in ("documents", "bytes"):
        parts = [getattr(first, quantity), getattr(second, quantity)]
        assert getattr(whole, quantity).seen == sum(part.seen for part in parts)
        assert getattr(whole, quantity).kept == sum(part.kept for part in parts)


def test_what_the_funnel_keeps_is_what_the_corpus_holds(done: Path):
    with views(str(done)) as connection:
        held = connection.execute("SELECT count(*), sum(bytes) FROM file_level").fetchone()
    counted = _funnel(done)
    assert held == (counted.documents.kept, counted.bytes.kept)


def test_a_document_without_all_its_verdicts_is_outstanding_unless_a_filter_drops_it(lake: Lake):
    _break(lake, SYNTAX, "first", lambda rows: rows.head(0))
    counted = _funnel(Path(lake.root))
    before = counted.documents.dropped
    assert "syntax" in before
    assert before["syntax"] == {"syntax_error": 1}
    assert counted.documents.outstanding > 0
    dropped = sum(number for reasons in before.values() for number in reasons.values())
    assert counted.documents.seen == dropped + counted.documents.kept + counted.documents.outstanding


def test_the_picture_of_a_funnel_is_a_png_also_where_there_is_nothing_to_show(done: Path, tmp_path: Path):
    empty = replace(_funnel(done, ["no such batch"]), languages={})
    for number, counted in enumerate((_funnel(done), empty)):
        file = tmp_path / "pictures" / f"{number}.png"
        save(funnel_figure(counted), file)
        assert file.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        assert file.read_bytes().endswith(b"IEND\xaeB`\x82")
