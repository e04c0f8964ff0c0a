"""Percentiles of scores: against counting by hand, of one language or of all, and what becomes of a file by them."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.filters.base import VERDICT_COLUMNS
from seed_platform.filters.file_quality import ALL, HISTOGRAM, Percentiles, histogram, judge
from seed_platform.scoring.policy import FileQualityPolicy

_COARSE = st.integers(0, 1000).map(lambda hundredths: hundredths / 100)
_SCORES = st.one_of(st.none(), _COARSE, st.sampled_from([0.0, 0.004, 0.005, 5.0, 9.995, 10.0]), st.floats(0, 10))
_LANGUAGES = st.sampled_from(["Python", "C", None])
_FILES = st.lists(st.tuples(_LANGUAGES, _SCORES), max_size=60)


def _files(rows: list[tuple[str | None, float | None]]) -> pl.DataFrame:
    """Files as the filter is given them."""
    return pl.DataFrame(
        {
            "ordinal": range(len(rows)),
            "doc_id": [f"d{number}" for number in range(len(rows))],
            "language": [language for language, _ in rows],
            "score": [score for _, score in rows],
        },
        schema_overrides={"ordinal": pl.Int64, "doc_id": pl.String, "language": pl.String, "score": pl.Float64},
    )


def _of(scores: list[float | None], language: str | None = "Python") -> pl.DataFrame:
    return _files([(language, score) for score in scores])


def _found(files: pl.DataFrame, counts: pl.DataFrame, policy: FileQualityPolicy) -> list[float | None]:
    return Percentiles(counts).of(files["score"], files["language"], policy).to_list()


@settings(max_examples=150, deadline=None)
@given(_FILES, _FILES, st.booleans(), st.integers(1, 12))
def test_a_percentile_is_the_percentage_of_all_files_so_far_with_lower_scores_and_of_half_of_the_equal_ones(
    earlier: list[tuple[str | None, float | None]],
    own: list[tuple[str | None, float | None]],
    per_language: bool,  # noqa: FBT001 - given by hypothesis
    min_files: int,
):
    policy = FileQualityPolicy(per_language=per_language, min_files=min_files)
    counts = pl.concat([histogram(_files(earlier)), histogram(_files(own))])
    found = _found(_files(own), counts, policy)
    for (language, score), percentile in zip(own, found, strict=True):
        among = [other for name, other in earlier + own if other is not None and (not per_language or name == language)]
        if score is None or len(among) < min_files:
            assert percentile is None
        else:
            hundredths = np.rint(np.array(among) * 100)
            own_place = np.rint(score * 100)
            ranks = 100 * (hundredths < own_place).mean(), 100 * (hundredths <= own_place).mean()
            assert percentile == pytest.approx(sum(ranks) / 2)


def _kept(scores: list[float], percent: float) -> list[bool]:
    files = _of(list(scores))
    policy = FileQualityPolicy(drop_percentile=percent, min_files=1)
    return judge(files, Percentiles(histogram(files)), policy, "s")["keep"].to_list()


@settings(max_examples=80, deadline=None)
@given(st.lists(_COARSE, min_size=1, max_size=80, unique=True), st.integers(0, 100))
def test_of_distinct_scores_those_below_the_percentile_of_numpy_are_dropped(scores: list[float], percent: int):
    hundredths = np.rint(np.array(scores) * 100)
    threshold = np.percentile(hundredths, percent, method="hazen")
    certain = np.abs(hundredths - threshold) > 1e-6  # numpy's own last digit decides no test
    expected = hundredths >= threshold
    if 0 < percent < 100:
        assert np.array(_kept(scores, percent))[certain].tolist() == expected[certain].tolist()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 4).map(float), min_size=1, max_size=60), st.integers(0, 100))
def test_no_other_threshold_drops_a_share_nearer_to_the_one_asked_for(scores: list[float], percent: int):
    wanted = len(scores) * percent / 100
    dropped = _kept(scores, percent).count(False)
    possible = [sum(score < threshold for score in scores) for threshold in (*set(scores), 11.0)]
    assert dropped in possible  # none of two files with the same score is dropped alone
    assert abs(dropped - wanted) == min(abs(each - wanted) for each in possible)


@settings(max_examples=60, deadline=None)
@given(st.lists(_FILES, max_size=4))
def test_histograms_of_parts_add_up_to_that_of_the_whole(parts: list[list[tuple[str | None, float | None]]]):
    whole = histogram(_files([row for part in parts for row in part]))
    added = pl.concat([pl.DataFrame(schema=HISTOGRAM), *(histogram(_files(part)) for part in parts)])
    summed = added.group_by("language", "bin").agg(pl.col("files").sum()).sort("language", "bin")
    assert summed.equals(whole)
    assert whole.schema == HISTOGRAM
    assert whole.filter(pl.col("language") == ALL)["files"].sum() == whole["files"].sum() / 2


def test_the_lowest_tenth_of_distinct_scores_is_dropped():
    scores = [number / 100 for number in range(1000)]
    files = _of(scores[::-1])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(), "s")
    assert judged.filter(~pl.col("keep"))["ordinal"].to_list() == list(range(900, 1000))
    assert judged.filter(~pl.col("keep"))["reason"].unique().to_list() == ["low_quality"]


def test_a_scorer_that_says_the_same_of_all_files_drops_none():
    assert all(_kept([0.0] * 300, 10))
    assert _kept([1.0, *[9.0] * 299], 10) == [False, *[True] * 299]
    assert not any(_kept([0.0] * 300, 100))


def test_many_equal_scores_at_the_line_are_dropped_if_most_of_them_are_below_it():
    assert _kept([0.0] * 15 + [5.0] * 85, 10).count(False) == 15
    assert _kept([0.0] * 25 + [5.0] * 75, 10).count(False) == 0


def test_scores_are_compared_in_hundredths():
    files = _of([4.9999, 5.0001, 5.02])
    found = _found(files, histogram(files), FileQualityPolicy(min_files=1))
    assert found == pytest.approx([100 / 3, 100 / 3, 250 / 3])


def test_nothing_is_dropped_at_zero():
    files = _of([float(number % 11) for number in range(400)])
    assert judge(files, Percentiles(histogram(files)), FileQualityPolicy(drop_percentile=0), "s")["keep"].all()


def test_a_language_is_compared_with_itself_only_where_the_policy_says_so():
    rows = [(name, least + number / 100) for name, least in (("Python", 7), ("C", 1)) for number in range(200)]
    files = _files([*rows, ("Rust", 0.0)])
    percentiles = Percentiles(histogram(files))
    together = judge(files, percentiles, FileQualityPolicy(), "s").join(
        files.select("ordinal", "language"), on="ordinal"
    )
    assert set(together.filter(~pl.col("keep"))["language"]) == {"C", "Rust"}
    apart = judge(files, percentiles, FileQualityPolicy(per_language=True), "s")
    apart = apart.join(files.select("ordinal", "language"), on="ordinal")
    assert apart.filter(~pl.col("keep")).group_by("language").len().sort("language").rows() == [
        ("C", 20),
        ("Python", 20),
    ]
    assert apart.filter(pl.col("language") == "Rust")["reason"].to_list() == ["too_few_to_compare"]


def test_of_too_few_files_none_is_dropped_and_the_reason_says_so():
    files = _of([0.0, *[9.0] * 198])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(min_files=200), "s")
    assert judged["keep"].all()
    assert set(judged["reason"]) == {"too_few_to_compare"}
    earlier = histogram(_of([9.0]))
    judged = judge(files, Percentiles(pl.concat([earlier, histogram(files)])), FileQualityPolicy(min_files=200), "s")
    assert judged.filter(~pl.col("keep"))["ordinal"].to_list() == [0]


def test_files_without_a_score_pass_and_are_counted_among_no_others():
    files = _of([None, 0.0, *[9.0] * 200, None])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(), "s")
    assert judged.filter(pl.col("reason") == "not_scored")["ordinal"].to_list() == [0, 202]
    assert judged.filter(pl.col("reason") == "not_scored")["keep"].all()
    assert judged.filter(~pl.col("keep"))["ordinal"].to_list() == [1]
    counts = histogram(files)
    assert counts.filter(pl.col("language") == ALL)["files"].sum() == 201
    none = _of([None, None])
    assert set(judge(none, Percentiles(histogram(none)), FileQualityPolicy(min_files=1), "s")["reason"]) == {
        "not_scored"
    }


def test_files_of_no_language_are_a_language_of_their_own():
    files = _files([(None, float(number % 10)) for number in range(200)])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(per_language=True, drop_percentile=20), "s")
    assert judged.filter(~pl.col("keep")).height == 40


def test_a_verdict_has_the_score_and_says_by_which_scorer_and_where_among_the_others():
    files = _of([1.0, *[9.0] * 299, None])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(), "abc")
    assert judged.schema == VERDICT_COLUMNS
    first, *_, last = judged.iter_rows(named=True)
    assert (first["score"], json.loads(first["evidence"])) == (1.0, {"percentile": 0.17, "scorer": "abc"})
    assert json.loads(judged["evidence"][1]) == {"percentile": 50.17, "scorer": "abc"}
    assert (last["score"], last["evidence"]) == (None, None)
    few = judge(files, Percentiles(histogram(files)), FileQualityPolicy(min_files=1000), "abc")
    assert json.loads(few["evidence"][0]) == {"scorer": "abc"}


def test_no_files_are_no_verdicts():
    files = _of([])
    judged = judge(files, Percentiles(histogram(files)), FileQualityPolicy(), "s")
    assert judged.is_empty()
    assert judged.schema == VERDICT_COLUMNS
