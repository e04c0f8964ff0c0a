"""Which pairs are compared, and which of several similar documents is kept, against the rules in plain Python."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.filters import near_duplicates
from seed_platform.filters.near_duplicates import (
    BUCKET,
    Nearest,
    alike,
    components,
    decide,
    pairs_across,
    pairs_within,
    unique_pairs,
    worth_verifying,
)
from seed_platform.indexes.postings import reference, rows_of

_THRESHOLD = 0.5
_MINE = 7
Sets = dict[int, frozenset[int]]
Pairs = list[tuple[int, int]]


@st.composite
def _world(draw: st.DrawFn) -> tuple[Sets, Pairs]:
    """Sets by reference, of this batch and of an earlier one, and pairs (row, reference of an earlier document)."""
    values = st.frozensets(st.integers(0, 12), max_size=8)
    before = [int(each) for each in reference(2, np.array(sorted(draw(st.sets(st.integers(0, 9), max_size=3)))))]
    rows = sorted(draw(st.sets(st.integers(0, 50), min_size=1, max_size=9)))
    sets = {each: draw(values) for each in (*before, *reference(_MINE, np.array(rows)).tolist())}
    possible = [(row, other) for row in rows for other in sets if other < int(reference(_MINE, np.array([row]))[0])]
    pairs = sorted(draw(st.sets(st.sampled_from(possible), max_size=25))) if possible else []
    return sets, pairs


def _decide(sets: Sets, pairs: Pairs, pieces: int = 1) -> list[Nearest]:
    ordered = sorted(sets)
    bounds = np.cumsum([0, *(len(sets[each]) for each in ordered)])
    values = np.array([value for each in ordered for value in sorted(sets[each])], dtype=np.uint32)
    dropped = np.zeros(64, dtype=np.bool_)
    rows = np.array([row for row, _ in pairs], dtype=np.int64)
    others = np.array([other for _, other in pairs], dtype=np.uint64)
    own = others >> np.uint64(32) == _MINE
    other_rows = np.where(own, rows_of(others), -1)
    place = {each: number for number, each in enumerate(ordered)}
    mine = np.array([place[int(each)] for each in reference(_MINE, rows)], dtype=np.int64)
    theirs = np.array([place[int(each)] for each in others], dtype=np.int64)
    found = []
    for chosen in np.array_split(np.unique(rows), pieces):
        at = np.isin(rows, chosen)
        arrays = rows[at], others[at], other_rows[at], mine[at], theirs[at]
        found.append(decide(*arrays, bounds, values, _THRESHOLD, dropped))
    return found


def _jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    return len(a & b) / len(a | b) if a | b else 0.0


def _rule(sets: Sets, pairs: Pairs) -> dict[int, tuple[float, bool, int]]:
    """Each compared document's greatest similarity to a kept one, whether it is dropped, and the first such one."""
    outcome: dict[int, tuple[float, bool, int]] = {}
    kept_before: dict[int, list[int]] = defaultdict(list)
    dropped: set[int] = set()
    for row, other in pairs:
        kept_before[row].append(other)
    for row in sorted(kept_before):
        mine = int(reference(_MINE, np.array([row]))[0])
        kept = [other for other in kept_before[row] if other not in dropped]
        if kept:
            best = max(kept, key=lambda other: (_jaccard(sets[mine], sets[other]), -other))
            similarity = _jaccard(sets[mine], sets[best])
            outcome[row] = (similarity, similarity >= _THRESHOLD, best)
            if similarity >= _THRESHOLD:
                dropped.add(mine)
    return outcome


def _outcome(found: list[Nearest]) -> dict[int, tuple[float, bool, int]]:
    return {
        row: (similarity, dropped, other)
        for each in found
        for row, similarity, dropped, other in zip(
            each.row.tolist(), each.similarity.tolist(), each.dropped.tolist(), each.other.tolist(), strict=True
        )
    }


@settings(deadline=None, max_examples=200)
@given(world=_world(), pieces=st.integers(1, 4))
def test_documents_are_dropped_by_the_greedy_rule_however_the_pairs_are_cut(world: tuple[Sets, Pairs], pieces: int):
    assert _outcome(_decide(*world, pieces)) == _rule(*world)


@settings(deadline=None, max_examples=100)
@given(world=_world())
def test_containment_is_the_share_of_the_documents_own_shingles(world: tuple[Sets, Pairs]):
    sets, pairs = world
    (nearest,) = _decide(sets, pairs)
    for row, other, containment in zip(nearest.row, nearest.other, nearest.containment, strict=True):
        mine = sets[int(reference(_MINE, np.array([row]))[0])]
        assert containment == (len(mine & sets[int(other)]) / len(mine) if mine else 0.0)


def test_a_chain_of_neighbours_loses_every_other_document_only():
    ordered = reference(_MINE, np.arange(0, 36, 6)).tolist()
    sets = {each: frozenset(range(3 * n, 3 * n + 10)) for n, each in enumerate(ordered)}
    pairs = [(int(rows_of(np.array([b], "u8"))[0]), a) for a, b in pairwise(ordered)]
    (nearest,) = _decide(sets, pairs)
    # 7 of 13 shared with a neighbour, 4 of 16 with the next but one.
    assert nearest.row[nearest.dropped].tolist() == [6, 18, 30]
    # The others resemble dropped documents alone, so they have no nearest kept one.
    assert nearest.row.tolist() == [6, 18, 30]


def test_an_earlier_batch_s_row_is_not_mistaken_for_one_of_this_batch():
    one, two, three = reference(_MINE, np.array([1, 3, 5])).tolist()
    before = int(reference(2, np.array([3]))[0])
    same = frozenset({1, 2})
    (nearest,) = _decide(dict.fromkeys((one, two, three, before), same), [(3, one), (5, before)])
    assert _outcome([nearest]) == {3: (1.0, True, one), 5: (1.0, True, before)}


def test_a_similarity_at_the_threshold_drops_and_one_just_below_does_not():
    a, b, c = reference(_MINE, np.array([0, 1, 2])).tolist()
    sets = {a: frozenset(range(10)), b: frozenset(range(5)), c: frozenset(range(100, 104)) | frozenset(range(9))}
    (nearest,) = _decide(sets | {c: frozenset(range(4))}, [(1, a), (2, a)])
    assert nearest.similarity.tolist() == [0.5, 0.4]
    assert nearest.dropped.tolist() == [True, False]


def test_texts_without_shingles_resemble_nothing_not_even_each_other():
    a, b = reference(_MINE, np.array([0, 1])).tolist()
    (nearest,) = _decide({a: frozenset(), b: frozenset()}, [(1, a)])
    assert not nearest.dropped.any()


@st.composite
def _postings(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    documents = draw(st.integers(1, 60))
    pairs = draw(st.sets(st.tuples(st.integers(0, 6), st.integers(0, documents - 1)), max_size=150))
    ordered = sorted(pairs)
    keys = np.array([key for key, _ in ordered], dtype=np.uint64)
    rows = np.array([row for _, row in ordered], dtype=np.int64)
    sketches = np.random.default_rng(len(ordered)).integers(0, 2, (documents, 70), dtype=np.uint8)
    return keys, rows, sketches


def _buckets(keys: np.ndarray, rows: np.ndarray) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for key, row in zip(keys.tolist(), rows.tolist(), strict=True):
        found[key].append(row)
    return found


@settings(deadline=None, max_examples=150)
@given(postings=_postings(), least=st.integers(0, 45), capacity=st.sampled_from([BUCKET, BUCKET + 1, 1 << 18]))
def test_pairs_within_a_batch_are_those_of_each_bucket_that_are_alike(
    postings: tuple[np.ndarray, np.ndarray, np.ndarray], least: int, capacity: int
):
    keys, rows, sketches = postings
    expected = {
        (row, other)
        for bucket in _buckets(keys, rows).values()
        for place, row in enumerate(bucket)
        for other in bucket[: min(place, BUCKET)]
        if int((sketches[row] == sketches[other]).sum()) >= least
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_CAPACITY", capacity)
        found = pairs_within(keys, rows, sketches, least)
    assert sorted(expected) == [(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in found]


@settings(deadline=None, max_examples=150)
@given(mine=_postings(), theirs=_postings(), capacity=st.sampled_from([BUCKET, BUCKET + 1, 1 << 18]))
def test_pairs_across_batches_are_those_of_equal_keys(
    mine: tuple[np.ndarray, np.ndarray, np.ndarray], theirs: tuple[np.ndarray, np.ndarray, np.ndarray], capacity: int
):
    keys, rows, _ = mine
    other_keys, other_rows, _ = theirs
    buckets = _buckets(other_keys, other_rows)
    listed = other_keys.tolist()
    places = np.array([listed.index(key) if key in buckets else -1 for key in keys.tolist()], dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_duplicates, "_CAPACITY", capacity)
        pieces = list(pairs_across(keys, rows, places, other_keys, reference(2, other_rows)))
    expected = {
        (row, other)
        for key, row in zip(keys.tolist(), rows.tolist(), strict=True)
        for other in buckets.get(key, [])[:BUCKET]
    }
    found = {
        (row, other)
        for mine_rows, others in pieces
        for row, other in zip(mine_rows.tolist(), rows_of(others).tolist(), strict=True)
    }
    assert found == expected


@settings(deadline=None, max_examples=100)
@given(pairs=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_linked_documents_have_one_component_and_others_have_not(pairs: list[tuple[int, int]]):
    links: dict[int, set[int]] = {row: {row} for row in range(31)}
    for a, b in pairs:
        together = links[a] | links[b]
        for row in together:
            links[row] = together
    later = np.array([max(pair) for pair in pairs], dtype=np.int64)
    earlier = np.array([min(pair) for pair in pairs], dtype=np.int64)
    assert components(later, earlier, 31).tolist() == [min(links[row]) for row in range(31)]


def test_unique_pairs_are_ordered_and_without_repeats():
    rows, others = np.array([3, 1, 3, 3, 1]), np.array([9, 2, 8, 9, 2], dtype=np.uint64)
    found = unique_pairs(rows, others)
    assert [each.tolist() for each in found] == [[1, 3, 3], [2, 8, 9]]


def test_alike_compares_the_sketches_that_are_asked_for():
    sketches = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    others = np.array([[4, 5, 0], [1, 0, 0]], dtype=np.uint8)
    found = alike(np.array([0, 1, 1]), sketches, np.array([1, 0, 1]), others, 2)
    assert found.tolist() == [False, True, False]


@pytest.mark.parametrize("permutations", [16, 64, 256, 1024])
def test_hardly_any_pair_at_the_threshold_is_refused_unverified_whatever_the_number_of_permutations(permutations: int):
    agreeing = np.random.default_rng(permutations).binomial(permutations, 0.7, 100_000) / permutations
    refused = agreeing < worth_verifying(0.7, permutations)
    assert refused.mean() < 0.002
