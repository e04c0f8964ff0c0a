"""Signatures against datasketch, and what is made of them."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seed_platform.filters.minhash import band_keys, equal_bytes, least_equal, permutations, sign_texts, signature
from seed_platform.filters.shingles import jaccard, shingle_set

_WIDTH = 3
_HASHES = st.lists(st.integers(0, 2**32 - 1), max_size=300)
_TEXTS = st.lists(st.text(alphabet="ab_Z9 .\n(é漢\0", max_size=300), max_size=6)


def _set(values: list[int]) -> np.ndarray:
    return np.unique(np.array(values, dtype=np.uint32))


@settings(deadline=None, max_examples=60)
@given(values=_HASHES, seed=st.integers(0, 2**32 - 1), count=st.sampled_from([16, 100, 256]))
@example(values=[0], seed=1, count=256)
@example(values=[2**32 - 1, 0, 1], seed=0, count=128)
@example(values=list(range(1023, 2049)), seed=1, count=16)
def test_a_signature_has_the_values_of_datasketch(values: list[int], seed: int, count: int):
    shingles = _set(values)
    theirs = MinHash(num_perm=count, seed=seed, scheme="affine32", hashfunc=lambda value: value)
    for value in shingles.tolist():
        theirs.update(value)
    assert signature(shingles, count, seed).tolist() == theirs.hashvalues.tolist()


@pytest.mark.parametrize("similarity", [0.3, 0.7, 0.9])
def test_signatures_estimate_similarity_without_bias_and_with_the_variance_of_minhash(similarity: float):
    chance = np.random.default_rng(7)
    size, permutations, trials = 1000, 256, 120
    shared = round(2 * size * similarity / (1 + similarity))
    errors, true = [], shared / (2 * size - shared)
    for trial in range(trials):
        pool = np.unique(chance.integers(0, 2**32, 2 * size + 50, dtype=np.uint32))
        pool = chance.permutation(pool)[: 2 * size - shared]
        left, right = np.sort(pool[:size]), np.sort(pool[size - shared :])
        assert jaccard(left, right) == true
        signatures = [signature(side, permutations, trial) for side in (left, right)]
        errors.append(float((signatures[0] == signatures[1]).mean()) - true)
    expected = float(np.sqrt(true * (1 - true) / permutations))
    assert abs(float(np.mean(errors))) < 0.01
    assert 0.75 * expected < float(np.std(errors)) < 1.3 * expected


def test_bands_agree_where_their_rows_agree_and_nowhere_else():
    values = np.arange(20, dtype=np.uint32)
    other = values.copy()
    other[7] += 1
    mine, theirs = band_keys(values, 6), band_keys(other, 6)
    assert len(mine) == 3  # the two values beyond the last whole band are not used
    assert (mine == theirs).tolist() == [True, False, True]


def test_the_same_rows_in_two_bands_give_two_hashes():
    assert len(set(band_keys(np.zeros(64, dtype=np.uint32), 4).tolist())) == 16


@settings(deadline=None, max_examples=100)
@given(texts=_TEXTS, data=st.data())
def test_many_texts_at_once_give_what_each_gives_alone(texts: list[str], data: st.DataObject):
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    chosen = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(texts)))) if texts else st.just(set()))), int)
    buffer = np.frombuffer(b"".join(encoded), dtype=np.uint8)
    signed = sign_texts(buffer, offsets, chosen, _WIDTH, permutations(64, 1), 8)
    for place, number in enumerate(chosen.tolist()):
        expected = shingle_set(np.frombuffer(encoded[number], dtype=np.uint8), _WIDTH)
        assert signed.sets[signed.bounds[place] : signed.bounds[place + 1]].tolist() == expected.tolist()
        values = signature(expected, 64, 1)
        assert signed.sketches[place].tolist() == (values & 255).tolist()
        assert signed.keys[place].tolist() == band_keys(values, 8).tolist()


@settings(deadline=None, max_examples=100)
@given(size=st.integers(0, 300), i=st.integers(0, 70), j=st.integers(0, 70), seed=st.integers(0, 99))
def test_equal_bytes_are_counted_whatever_their_place(size: int, i: int, j: int, seed: int):
    chance = np.random.default_rng(seed)
    one, other = (chance.integers(0, 3, 400, dtype=np.uint8) for _ in range(2))
    assert equal_bytes(one, i, other, j, size) == int((one[i : i + size] == other[j : j + size]).sum())


@pytest.mark.parametrize("similarity", [0.5, 0.6, 0.75])
def test_sketches_pass_pairs_a_standard_deviation_above_and_refuse_those_four_below(similarity: float):
    chance = np.random.default_rng(3)
    trials, count = 2000, 256
    least = least_equal(count, similarity)
    deviation = float(np.sqrt(similarity * (1 - similarity) / count))
    for true, low, high in ((similarity + 4 * deviation, 0.99, 1.0), (similarity - 4 * deviation, 0.0, 0.01)):
        same = chance.random((trials, count)) < true
        one = chance.integers(0, 256, (trials, count))
        other = np.where(same, one, chance.integers(0, 256, (trials, count)))
        passed = float(((one == other).sum(axis=1) >= least).mean())
        assert low <= passed <= high
