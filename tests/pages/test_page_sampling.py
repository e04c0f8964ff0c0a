import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.documents import doc_id
from seed_platform.pages.sampling import positions, sampled

IDS = [doc_id("page", str(number)) for number in range(20_000)]


def test_the_share_kept_is_the_rate():
    assert abs(sampled(IDS, 0.25).mean() - 0.25) < 0.01


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_lower_rate_selects_a_subset(one: float, other: float):
    low, high = sorted((one, other))
    assert not (sampled(IDS[:500], low) & ~sampled(IDS[:500], high)).any()


def test_rates_of_zero_and_one_and_nan_are_exact():
    assert not sampled(IDS, 0.0).any()
    assert sampled(IDS, 1.0).all()
    assert not sampled(IDS, float("nan")).any()
    assert positions([]).shape == (0,)


def test_the_choice_depends_on_no_other_document_and_each_may_have_its_rate():
    together = sampled(IDS, np.full(len(IDS), 0.3))
    assert [bool(sampled([one], 0.3)[0]) for one in IDS[:200]] == together[:200].tolist()


def test_another_seed_draws_another_sample():
    one, other = sampled(IDS, 0.5), sampled(IDS, 0.5, seed=1)
    assert 0.2 < (one & other).mean() < 0.3


def test_positions_never_change_between_releases():
    assert positions(["0" * 32, "abc"]).round(9).tolist() == PINNED


PINNED = [0.256035632, 0.268496332]
