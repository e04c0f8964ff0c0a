from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from seed_platform.errors import UsageError, WorkError
from seed_platform.scoring.high_quality.candidates import Spread
from seed_platform.scoring.high_quality.classifier import shown
from seed_platform.scoring.high_quality.facts import FACTS, INPUT, NOTEBOOK, describe
from seed_platform.scoring.high_quality.imports import main_package, packages_of
from seed_platform.scoring.high_quality.negatives import Drawn, NegativePool
from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.high_quality.report import ACCEPTED, HighQuality, SourceReport
from seed_platform.scoring.high_quality.rounds import run_rounds
from seed_platform.scoring.high_quality.seeds import LEVELS, Diverse, in_turns

POLICY = HighQualityPolicy(
    sources=("major_languages",), rounds=2, seeds=60, min_seeds=10, text_words=60, min_updates=1500, epoch=1,
    dim=100, bucket=90_000, min_count=2,
)  # fmt: skip
GOOD = ["parse", "validate", "return", "result", "iterator", "boundary", "invariant", "raises", "handler", "context"]
BAD = ["foo", "tmp", "xx", "asdf", "hack", "thing", "stuff", "dump", "junk", "blah"]
BOTH = [
    "self",
    "for",
    "in",
    "if",
    "else",
    "import",
    "value",
    "name",
    "list",
    "dict",
    "def",
    "class",
    "print",
    "open",
    "range",
]
PACKAGES = ("numpy", "attrs", "click", "lxml")


class Frames:
    """Candidates in memory; counts what is asked of it."""

    def __init__(self, files: pl.DataFrame, policy: HighQualityPolicy = POLICY, step: int = 70) -> None:
        self.table = describe(files, policy).with_columns(files["content"])
        self.step = step
        self.largest_request = 0

    def facts(self) -> Iterator[pl.DataFrame]:
        yield from self.table.drop("content").iter_slices(self.step)

    def chunks(self) -> Iterator[pl.DataFrame]:
        yield from self.table.iter_slices(self.step)

    def texts(self, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
        self.largest_request = max(self.largest_request, len(wanted))
        yield from self.table.filter(pl.col("doc_id").is_in(list(wanted))).select("doc_id", "content").rows()


def planted(files: int = 400, *, shuffle: int = 0, bare: float = 0.0) -> pl.DataFrame:
    """Python files, a fifth of them good by their words; `bare` more of those good by words have no comment."""
    draw = random.Random(3)
    rows = []
    for number in range(files):
        is_good = number % 5 == 0
        words = draw.choices(BOTH, k=25) + draw.choices(GOOD if is_good else BAD, k=8)
        draw.shuffle(words)
        lines = [f"import {draw.choice(PACKAGES)}", *(" ".join(words[at : at + 6]) for at in range(0, len(words), 6))]
        if not (is_good and draw.random() < bare):
            lines.insert(draw.randrange(1, 5), "# explains why")
        score = draw.uniform(7, 10) if is_good else draw.uniform(0, 5)
        rows.append((f"{number:032x}", f"src/m{number}.py", "Python", score, "\n".join(lines)))
    random.Random(shuffle).shuffle(rows)
    return pl.DataFrame(rows, schema=INPUT, orient="row")


def only(result: HighQuality) -> SourceReport:
    return next(each for each in result.report if each.source == "major_languages")


def test_rounds_find_the_planted_good_files_and_report_their_precision(tmp_path: Path):
    files = planted()
    result = run_rounds(Frames(files), POLICY, tmp_path / "w")
    report = only(result)
    assert report.skipped is None
    assert [each.round for each in report.rounds] == [1, 2]
    truth = set(files.filter(pl.col("score") >= report.seed_score)["doc_id"])
    first, last = report.rounds
    assert first.base_rate == pytest.approx(0.2, abs=0.1)
    assert last.precision is not None
    assert last.recall is not None
    assert last.precision > 0.7
    assert last.recall > 0.8
    assert last.positives > first.positives == report.seeds
    accepted = result.accepted
    assert accepted.schema == ACCEPTED
    assert accepted["doc_id"].is_unique().all()
    assert last.documents == accepted.height == report.seeds + first.accepted + last.accepted
    assert (
        last.bytes
        == files.filter(pl.col("doc_id").is_in(accepted["doc_id"].implode()))["content"].str.len_bytes().sum()
    )
    found = set(accepted["doc_id"])
    assert len(found & truth) > 0.8 * len(truth)
    good = set(files.filter(pl.col("score") >= 7)["doc_id"])
    assert found <= good
    assert accepted.filter(pl.col("round") == 0)["probability"].null_count() == report.seeds
    assert (accepted.filter(pl.col("round") > 0)["probability"] >= POLICY.min_probability).all()


def test_the_same_files_in_another_order_and_other_chunks_give_the_same_result(tmp_path: Path):
    one = run_rounds(Frames(planted(240)), POLICY, tmp_path / "one")
    two = run_rounds(Frames(planted(240, shuffle=5), step=33), POLICY, tmp_path / "two")
    assert one.accepted.equals(two.accepted)
    rounds = [(each.precision, each.recall, each.accepted, each.positives) for each in only(one).rounds]
    assert rounds == [(each.precision, each.recall, each.accepted, each.positives) for each in only(two).rounds]


def test_hard_negatives_lower_the_probabilities_of_look_alikes(tmp_path: Path):
    # Half of the good-looking files explain nothing. Drawn at random they are few among the negatives.
    files = planted(480, bare=0.5)
    bare = set(describe(files, POLICY).filter("bare")["doc_id"])
    assert 30 < len(bare) < 70
    policy = POLICY.model_copy(update={"rounds": 1})
    mean = {}
    for share in (0.0, 0.6):
        policy = policy.model_copy(update={"hard_share": share})
        result = run_rounds(Frames(files, policy), policy, tmp_path / str(share))
        (done,) = only(result).rounds
        assert (done.bare > 0) == (share > 0)
        assert done.mean_probability_bare is not None
        mean[share] = done.mean_probability_bare, done.recalled
        assert not bare & set(result.accepted["doc_id"])
    # Without them the classifier gives what looks good high probabilities throughout.
    assert mean[0.0][0] > 0.5
    assert mean[0.6][0] < 0.2
    assert mean[0.6][1] < mean[0.0][1]


def test_what_a_round_takes_wrongly_is_a_negative_of_the_next(tmp_path: Path):
    # Every sixth file reads like a good one and is scored badly. One of twelve words is all that tells it apart; few of
    # them are among the first negatives.
    files = planted(480)
    tells = [f"tell{chr(97 + number)}" for number in range(12)]
    good = files.filter(pl.col("score") >= 7)["content"].to_list()
    rows = [
        (*row[:3], 0.5, f"{good[number % len(good)]}\n{tells[number // 6 % 12]}\n" * 2)
        if number % 6 == 1 and row[3] < 5
        else row
        for number, row in enumerate(files.rows())
    ]
    policy = POLICY.model_copy(update={"negatives_ratio": 1.0, "hard_share": 0.5})
    first, second = only(
        run_rounds(Frames(pl.DataFrame(rows, schema=INPUT, orient="row")), policy, tmp_path / "w")
    ).rounds
    assert first.recalled_badly == 0
    assert second.recalled_badly > 5
    assert first.mean_probability_bad is not None
    assert second.mean_probability_bad is not None
    assert second.mean_probability_bad < first.mean_probability_bad
    assert first.precision is not None
    assert second.precision is not None
    assert second.precision > first.precision


def test_sources_that_cannot_be_learned_are_skipped_with_a_reason(tmp_path: Path):
    policy = POLICY.model_copy(update={"sources": ("notebooks", "algorithms", "application", "general")})
    uniform = planted(60).with_columns(
        score=8.0, path=pl.lit("leetcode/") + pl.col("path"), doc_id="a" + pl.col("doc_id")
    )
    few = planted(30).with_columns(path=pl.lit("x/views/") + pl.col("path"), doc_id="b" + pl.col("doc_id"))
    unscored = planted(40).with_columns(score=None, language=pl.lit("Lean"), doc_id="c" + pl.col("doc_id"))
    files = pl.concat([planted(50), uniform, few, unscored], how="vertical_relaxed")
    result = run_rounds(Frames(files, policy), policy, tmp_path / "w")
    skipped = {each.source: each.skipped for each in result.report}
    assert skipped == {
        "notebooks": "empty",
        "algorithms": "scores_too_uniform",
        "application": "too_few_seeds",
        "major_languages": "off",
        "general": "too_few_seeds",
    }
    counts = {each.source: (each.documents, each.unscored, each.rounds) for each in result.report}
    assert counts["general"] == (40, 40, ())
    assert result.accepted.height == 0


def test_no_candidates_at_all_are_five_empty_sources(tmp_path: Path):
    policy = HighQualityPolicy()
    result = run_rounds(Frames(pl.DataFrame(schema=INPUT), policy), policy, tmp_path / "w")
    assert [each.skipped for each in result.report] == ["empty"] * 5
    assert result.accepted.schema == ACCEPTED


def test_what_is_held_and_asked_for_is_bounded_by_the_policy(tmp_path: Path):
    policy = POLICY.model_copy(update={"seeds": 12, "min_seeds": 5, "rounds": 3})
    candidates = Frames(planted(600), policy)
    report = only(run_rounds(candidates, policy, tmp_path / "w"))
    assert report.seeds == 12
    assert all(each.positives <= 12 * each.round for each in report.rounds)
    assert report.rounds[-1].documents > policy.most_positives
    assert candidates.largest_request <= policy.most_positives + policy.negatives_for(policy.most_positives)
    held = Diverse(5, "score", 1)
    drawn = Drawn(5, 1)
    for frame in candidates.facts():
        held.offer(frame)
        drawn.offer(frame["doc_id"])
        assert sum(each.height for each in held._held) <= 10 + candidates.step
        assert drawn._held.height <= 10 + candidates.step


def test_texts_that_do_not_come_are_counted_and_nothing_is_written_elsewhere(tmp_path: Path):
    class Holes(Frames):
        def texts(self, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
            for number, each in enumerate(super().texts(wanted)):
                if number % 10:
                    yield each
                    yield each
                    yield ("stranger", "text")

    first = only(run_rounds(Holes(planted(240)), POLICY, tmp_path / "w")).rounds[0]
    assert first.without_text > 0
    assert [each.name for each in tmp_path.iterdir()] == ["w"]
    assert [each.name for each in (tmp_path / "w").iterdir()] == ["accepted"]


def test_a_source_whose_training_fails_is_skipped_and_named(tmp_path: Path):
    class Blank(Frames):
        def texts(self, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
            yield from list(super().texts(wanted))[:0]

    report = only(run_rounds(Blank(planted(240)), POLICY, tmp_path / "w"))
    assert str(report.skipped).startswith("training_failed: ")
    assert report.rounds == ()


def test_files_that_change_between_rounds_and_a_used_folder_are_refused(tmp_path: Path):
    class Moving(Frames):
        def chunks(self) -> Iterator[pl.DataFrame]:
            self.step += 1
            yield from super().chunks()

    with pytest.raises(WorkError, match="one snapshot"):
        run_rounds(Moving(planted(240)), POLICY, tmp_path / "w")
    with pytest.raises(UsageError, match="not empty"):
        run_rounds(Frames(planted(240)), POLICY, tmp_path / "w")


def facts(languages: Sequence[str], packages: Sequence[str], scores: Sequence[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "doc_id": [f"{number:04x}" for number in range(len(scores))],
            "language": languages,
            "comment_bucket": [number % 2 for number in range(len(scores))],
            "main_package": packages,
            "length_bucket": [0] * len(scores),
            "score": scores,
        }
    )


def test_seeds_are_of_every_kind_before_a_second_of_any_and_the_best_of_theirs():
    languages = ["Python"] * 90 + ["Go"] * 8 + ["Lean"] * 2
    rows = facts(languages, ["numpy", "attrs", "click"] * 33 + ["numpy"], [9 - number / 50 for number in range(100)])
    first = in_turns(rows, "score", 1).head(6)
    assert first["language"].value_counts().sort("language")["count"].to_list() == [2, 2, 2]
    python = in_turns(rows.head(90), "score", 1).head(6)
    assert python.select("comment_bucket", "main_package").is_unique().all()
    assert set(python["doc_id"]) == {f"{number:04x}" for number in range(6)}


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ABC"), st.sampled_from("xyz"), st.integers(0, 3)), min_size=1, max_size=60
    ),
    limit=st.integers(1, 12),
    step=st.integers(1, 9),
)
def test_a_stream_in_any_chunks_chooses_what_the_whole_would(rows: list[tuple[str, str, int]], limit: int, step: int):
    languages, packages, scores = zip(*rows, strict=True)
    table = facts(languages, packages, scores)
    streamed = Diverse(limit, "score", 1)
    for chunk in table.reverse().iter_slices(step):
        streamed.offer(chunk)
    assert streamed.chosen().equals(in_turns(table, "score", 1).select("doc_id", *LEVELS, "score").head(limit))


def test_negatives_are_no_positives_and_of_one_kind_each():
    policy = POLICY.model_copy(update={"hard_share": 0.5, "negatives_ratio": 2.0})
    pool = NegativePool(policy)
    table = describe(planted(400, bare=0.5), policy)
    pool.offer(table, seed_score=7.0)
    wrong = table.filter(pl.col("score") < 1).with_columns(probability=pl.lit(0.9))
    for _ in range(2):  # recalled again in the next round
        pool.offer_recalled(wrong)
        pool.end_round()
    positives = set(table.filter(~pl.col("bare") & (pl.col("score") >= 7))["doc_id"].head(40))
    found = pool.for_positives(positives)
    assert len(found.all) == len(set(found.all)) == 80
    assert not positives & set(found.all)
    assert (len(found.bare), len(found.recalled)) == (20, 20)


def test_a_quantile_is_a_score_that_enough_documents_reach():
    spread = Spread.empty()
    spread.add(pl.Series([float(number) for number in range(10)] + [None, 10.0]))
    assert (spread.documents, spread.unscored) == (12, 1)
    assert spread.quantile(0.0) == 0.0
    assert spread.quantile(1.0) == 10.0
    assert spread.reaching(spread.quantile(0.8)) == 3
    assert Spread.empty().quantile(0.5) == 0.0


@pytest.mark.parametrize(
    ("path", "language", "text", "source"),
    [
        ("a/b.ipynb", None, "{}", "notebooks"),
        ("a/export.py", "Python", "# In[1]:\nimport numpy\n", "notebooks"),
        ("a/x.py", "Python", "# %%\na = 1\n# %%\nb = 2\n# %%\nc = 3\n", "notebooks"),
        ("a/x.py", "Python", "# %% A\na = 1\n# %% B\nb = 2\n# %% C\nc = 3\n", "major_languages"),
        ("leetcode/two_sum.py", "Python", "def f(): pass", "algorithms"),
        ("src/main.cpp", "C++", "#include <bits/stdc++.h>\nint main() {}", "algorithms"),
        ("cryptography/hazmat/algorithms.py", "Python", "x = 1", "algorithms"),
        ("docs/algorithms.md", "Markdown", "# Algorithms", "general"),
        ("app/main.py", "Python", "from flask import Flask\n", "application"),
        ("app/x.tsx", "TypeScript", "import { useState } from 'react';\n", "application"),
        ("ui/Main.java", "Java", "import javax.swing.JFrame;\n", "application"),
        ("a.css", "CSS", "a {}", "application"),
        ("lib/reactor.py", "Python", "import reactive\n", "major_languages"),
        ("kernel/a.c", "C", "#include <stdio.h>\n", "major_languages"),
        ("a.lean", "Lean", "import Mathlib", "general"),
        ("x", None, None, "general"),
    ],
)
def test_each_file_belongs_to_the_first_source_that_claims_it(
    path: str, language: str | None, text: str | None, source: str
):
    rows = pl.DataFrame([("1", path, language, 5.0, text)], schema=INPUT, orient="row")
    assert describe(rows, HighQualityPolicy())["source"].to_list() == [source]


def fact(language: str, text: str, path: str = "a") -> dict[str, object]:
    rows = pl.DataFrame([("1", path, language, float("nan"), text)], schema=INPUT, orient="row")
    table = describe(rows, HighQualityPolicy())
    assert table.schema == FACTS
    return table.row(0, named=True)


def test_facts_tell_comments_from_licences_and_code_without_either():
    licence = "# Copyright 2020 Somebody\n# Licensed under the Apache License\n"
    assert fact("Python", licence + "x = 1\n")["bare"]
    explained = fact("Python", licence + "x = 1  # one, since zero is taken\n")
    assert not explained["bare"]
    assert explained["comment_bucket"]
    documented = fact("Python", 'def f():\n    """Say."""\n')
    assert documented["documented"]
    assert not documented["bare"]
    assert fact("C", "int x;\n")["bare"]
    assert fact("Java", "/** Says. */\nclass A {}\n")["documented"]
    assert not fact("JSON", '{"a": 1}')["bare"]
    assert not fact("CSS", "a {}")["bare"]
    assert fact("Python", "x = 1\n")["score"] is None
    assert fact("Python", "")["comment_share"] == 0
    notebook = '{"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "source": [\n"import torch\\n"]}]}'
    assert fact("JSON", notebook, "a.ipynb")["packages"] == ["torch"]
    assert fact("JSON", notebook, "a.ipynb")["comment_share"] == pytest.approx(0.5)
    assert fact("JSON", notebook, "a.ipynb")["language"] == NOTEBOOK


@pytest.mark.parametrize(
    ("language", "text", "packages", "main"),
    [
        ("Python", "import os\nfrom numpy.linalg import norm\nfrom . import x\n", ["os", "numpy"], "numpy"),
        ("TypeScript", "import a from '@angular/core/x'\nconst b = require(\"fs\")\nimport './y'\n",
         ["@angular/core", "fs"], "@angular/core"),
        ("Java", "import static java.util.List.of;\nimport org.junit.Test;\n", ["java.util", "org.junit"], "org.junit"),
        ("Go", 'import (\n\t"fmt"\n\tx "github.com/a/b/c"\n)\n', ["fmt", "github.com/a/b"], "fmt"),
        ("Rust", "use std::io;\npub(crate) use serde::de;\n", ["std", "serde"], "serde"),
        ("C", '#include <stdio.h>\n# include "x.h"\n', ["stdio.h", "x.h"], "x.h"),
        ("Brainfuck", "import x", [], ""),
    ],
)  # fmt: skip
def test_packages_are_named_by_what_import_statements_begin_with(
    language: str, text: str, packages: list[str], main: str
):
    found = packages_of(text, language)
    assert found == packages
    assert main_package(found, language) == main


def test_the_classifier_sees_one_line_without_labels_from_the_start_and_the_middle():
    lines = shown(pl.Series(["__label__high a_B\n\x00\u2028c == 1", None, "a " * 200 + "z " * 2000]), 50)
    assert lines[0] == "label high a b \u23ce c = = 1"
    assert lines[1] == ""
    assert "z" in lines[2].split()
    assert len(lines[2].split()) == 50


def test_scores_on_the_edge_of_a_bin_are_counted_in_it():
    spread = Spread.empty()
    spread.add(pl.Series(np.arange(1001) / 100))
    assert (spread.counts == 1).all()


def test_a_policy_that_depends_on_chance_or_contradicts_itself_is_refused():
    for wrong in (
        {"dim": 16, "bucket": 1000},
        {"bad_quantile": 0.9},
        {"sources": ("general", "general")},
        {"major_languages": ("Klingon",)},
        {"seed_quantil": 0.5},
    ):
        with pytest.raises(ValidationError):
            HighQualityPolicy.model_validate(wrong)
    assert HighQualityPolicy(sources=("general", "notebooks")).sources == ("notebooks", "general")
