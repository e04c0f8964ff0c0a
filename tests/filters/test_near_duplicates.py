"""The decision which of several similar documents is kept, against the rule written out in plain Python."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.filters.near_duplicates import Nearest, decide, text_bytes

_THRESHOLD = 0.7
Pair = tuple[int, int, bool, float]


@st.composite
def _pairs(draw: st.DrawFn) -> list[Pair]:
    """Pairs (document, earlier one, of this batch?, similarity), ordered by document; ordinals have gaps."""
    number = draw(st.integers(1, 9))
    ordinals = sorted(draw(st.sets(st.integers(0, 2**40), min_size=number, max_size=number)))
    found: list[Pair] = []
    for place, ordinal in enumerate(ordinals):
        mine = draw(st.sets(st.sampled_from(ordinals[:place]), max_size=4)) if place else set()
        before = draw(st.sets(st.integers(0, 5), max_size=2))
        others = draw(st.permutations([(other, True) for other in mine] + [(other, False) for other in before]))
        similarities = st.one_of(st.sampled_from([0.0, 0.5, _THRESHOLD, 1.0]), st.floats(0, 1))
        found += [(ordinal, other, is_mine, draw(similarities)) for other, is_mine in others]
    return found


def _decide(pairs: list[Pair]) -> Nearest:
    ordinals, others, mine, similarities = zip(*pairs, strict=True) if pairs else ((), (), (), ())
    return decide(
        np.array(ordinals, dtype=np.int64),
        np.array(others, dtype=np.int64),
        np.array(mine, dtype=np.bool_),
        similarities.__getitem__,
        _THRESHOLD,
    )


def _rule(pairs: list[Pair]) -> dict[int, tuple[float, bool]]:
    """Each compared document's greatest similarity to a kept one, and whether it is dropped."""
    outcome: dict[int, tuple[float, bool]] = {}
    for ordinal in sorted({pair[0] for pair in pairs}):
        to_kept = [
            similarity
            for mine, other, is_mine, similarity in pairs
            if mine == ordinal and not (is_mine and outcome.get(other, (0.0, False))[1])
        ]
        if to_kept:
            outcome[ordinal] = (max(to_kept), max(to_kept) >= _THRESHOLD)
    return outcome


def _outcome(nearest: Nearest) -> dict[int, tuple[float, bool]]:
    columns = nearest.ordinal.tolist(), nearest.similarity.tolist(), nearest.dropped.tolist()
    return {ordinal: (similarity, dropped) for ordinal, similarity, dropped in zip(*columns, strict=True)}


@settings(deadline=None, max_examples=100)
@given(pairs=_pairs())
def test_documents_are_dropped_by_the_greedy_rule(pairs: list[Pair]):
    nearest = _decide(pairs)
    assert _outcome(nearest) == _rule(pairs)
    assert nearest.ordinal.tolist() == sorted(set(nearest.ordinal.tolist()))


@settings(deadline=None, max_examples=100)
@given(pairs=_pairs())
def test_what_a_document_is_related_to_is_kept_and_as_near_as_it_says(pairs: list[Pair]):
    nearest = _decide(pairs)
    dropped = set(nearest.ordinal[nearest.dropped].tolist())
    for ordinal, similarity, pair in zip(nearest.ordinal, nearest.similarity, nearest.pair, strict=True):
        assert pairs[pair][0] == ordinal
        assert pairs[pair][3] == similarity
        assert not (pairs[pair][2] and pairs[pair][1] in dropped)


@settings(deadline=None, max_examples=80)
@given(pairs=_pairs(), chance=st.randoms(use_true_random=False))
def test_the_order_of_a_documents_pairs_does_not_matter(pairs: list[Pair], chance: object):
    shuffled = list(pairs)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    shuffled.sort(key=lambda pair: pair[0])
    assert _outcome(_decide(shuffled)) == _outcome(_decide(pairs))


def test_a_chain_of_neighbours_loses_every_other_document_only():
    chain = [(number, number - 1, True, 0.8) for number in range(1, 6)]
    nearest = _decide(chain)
    assert nearest.ordinal[nearest.dropped].tolist() == [1, 3, 5]
    # 2 and 4 resemble dropped documents alone, so they have no nearest kept one.
    assert nearest.ordinal.tolist() == [1, 3, 5]


def test_of_equally_near_documents_the_earliest_pair_is_named():
    nearest = _decide([(5, 1, False, 0.9), (5, 2, True, 0.9), (5, 3, True, 0.8)])
    assert nearest.pair.tolist() == [0]


def test_an_ordinal_of_an_earlier_batch_is_not_mistaken_for_one_of_this_batch():
    nearest = _decide([(3, 1, True, 1.0), (4, 3, True, 1.0), (5, 3, False, 1.0)])
    assert _outcome(nearest) == {3: (1.0, True), 5: (1.0, True)}


def test_a_similarity_at_the_threshold_drops_and_one_just_below_does_not():
    below = float(np.nextafter(_THRESHOLD, 0))
    nearest = _decide([(1, 0, True, _THRESHOLD), (2, 0, True, below)])
    assert nearest.dropped.tolist() == [True, False]


def test_no_pairs_give_no_outcome():
    assert _decide([]).ordinal.tolist() == []


@pytest.mark.parametrize("texts", [[], [""], ["", "é", "", "plain", "🙂\0x"], ["x" * 100_000, "y"]])
def test_texts_are_seen_as_their_utf8_bytes(texts: list[str]):
    series = pl.Series("content", texts, dtype=pl.String)
    assert [bytes(view) for view in text_bytes(series)] == [text.encode() for text in texts]


def test_a_slice_or_a_filter_of_texts_is_seen_from_its_own_start():
    series = pl.Series("content", [f"text number {number}, long enough not to be inlined" for number in range(50)])
    assert [bytes(view).decode() for view in text_bytes(series[10:13])] == series[10:13].to_list()
    chosen = series.filter(series.str.contains("7"))
    assert [bytes(view).decode() for view in text_bytes(chosen)] == chosen.to_list()
    joined = pl.concat([series[:2], series[48:]], rechunk=False)
    assert [bytes(view).decode() for view in text_bytes(joined)] == joined.to_list()
