import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.scoring.metrics import (
    area_under_curve,
    calibration,
    class_averaged_error,
    errors_by,
    mean_absolute_error,
    rank_correlation,
    ranks,
)

VALUES = st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)), min_size=1, max_size=40)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def test_a_rare_label_weighs_as_much_as_a_common_one():
    labels, scores = array(5, 5, 5, 0), array(5, 5, 5, 4)
    assert mean_absolute_error(scores, labels) == 1.0
    assert class_averaged_error(scores, labels) == 2.0


def test_errors_are_told_by_group_the_largest_first():
    found = errors_by(["C", "Go", "Go"], array(1, 2, 3), array(1, 4, 3))
    assert found == {"Go": (2, 1.0), "C": (1, 0.0)}
    assert list(found) == ["Go", "C"]


def test_equal_values_share_the_mean_of_their_ranks():
    assert ranks(array(3, 1, 3, 2)).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_rank_correlation_sees_order_and_nothing_else():
    assert rank_correlation(array(1, 2, 9), array(0, 5, 6)) == pytest.approx(1)
    assert rank_correlation(array(9, 2, 1), array(0, 5, 6)) == pytest.approx(-1)
    # By hand, of ranks (1, 2.5, 2.5, 4) and (1, 2, 3, 4).
    assert rank_correlation(array(1, 2, 2, 3), array(1, 2, 3, 4)) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert np.isnan(rank_correlation(array(1, 1), array(1, 2)))


@given(VALUES, VALUES)
def test_the_area_is_the_share_of_pairs_in_order(one: list[tuple[int, int]], other: list[tuple[int, int]]):
    higher, lower = array(*(a for a, _ in one)), array(*(a for a, _ in other))
    pairs = [1.0 if a > b else 0.5 if a == b else 0.0 for a in higher for b in lower]
    assert area_under_curve(higher, lower) == pytest.approx(np.mean(pairs))


@given(VALUES)
def test_calibration_bins_hold_each_document_once(rows: list[tuple[int, int]]):
    scores, labels = array(*(a for a, _ in rows)), array(*(b for _, b in rows))
    bins = calibration(scores, labels)
    assert sum(bin_.count for bin_ in bins) == len(rows)
    assert all(bin_.low <= bin_.mean_score <= bin_.high for bin_ in bins)
    assert sum(bin_.count * bin_.mean_label for bin_ in bins) == pytest.approx(labels.sum())


def test_measures_of_no_documents_are_not_numbers_and_do_not_fail():
    empty = array()
    assert np.isnan(mean_absolute_error(empty, empty))
    assert np.isnan(class_averaged_error(empty, empty))
    assert np.isnan(rank_correlation(empty, empty))
    assert np.isnan(area_under_curve(empty, array(1)))
    assert calibration(empty, empty) == []
    assert errors_by([], empty, empty) == {}
