"""The MinHash kernels against datasketch, Python sets, and an independent tokenizer."""

from __future__ import annotations

import re

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seed_platform.filters.minhash import band_hashes, jaccard, shingle_hashes, shingle_set, signature

_WIDTH = 5
_HASHES = st.lists(st.integers(0, 2**32 - 1), max_size=300)
_TEXT = st.text(alphabet="ab_Z9 .\n\t(é漢\0🙂-", max_size=400)


def _bytes(text: str | bytes) -> np.ndarray:
    return np.frombuffer(text if isinstance(text, bytes) else text.encode(), dtype=np.uint8)


def _grams(text: bytes, width: int) -> list[tuple[bytes, ...]]:
    words = re.findall(rb"[0-9A-Za-z_\x80-\xff]+", text)
    if len(words) < width:
        return [tuple(words)] if words else []
    return [tuple(words[start : start + width]) for start in range(len(words) - width + 1)]


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


@settings(deadline=None, max_examples=200)
@given(left=_HASHES, right=_HASHES)
def test_jaccard_is_that_of_sets(left: list[int], right: list[int]):
    a, b = set(left), set(right)
    expected = len(a & b) / len(a | b) if a | b else 0.0
    assert jaccard(_set(left), _set(right)) == expected
    assert jaccard(_set(right), _set(left)) == expected
    assert jaccard(_set(left + right), _set(left)) == (len(a) / len(a | b) if a | b else 0.0)


@settings(deadline=None, max_examples=300)
@given(text=_TEXT, width=st.integers(1, 7))
@example(text="", width=5)
@example(text="a b c d", width=5)
@example(text="a b c d e", width=5)
@example(text="a " * 200, width=5)
def test_there_is_one_shingle_for_each_run_of_words(text: str, width: int):
    grams = _grams(text.encode(), width)
    hashes = shingle_hashes(_bytes(text), width)
    assert len(hashes) == len(grams)
    named = dict(zip(grams, hashes.tolist(), strict=True))
    assert [named[gram] for gram in grams] == hashes.tolist()
    assert len(shingle_set(_bytes(text), width)) == len(set(grams))


def test_the_hash_of_a_shingle_does_not_depend_on_what_came_before_it():
    alone = shingle_hashes(_bytes("one two three four five"), _WIDTH)
    after = shingle_hashes(_bytes("zero " * 1000 + "one two three four five"), _WIDTH)
    assert after[-1] == alone[0]


def test_order_of_words_and_boundaries_between_them_matter():
    texts = ["a b c d e", "b a c d e", "ab c d e f", "a bc d e f", "e d c b a", "a b c d", "a b c", "a"]
    found = {int(shingle_hashes(_bytes(text), _WIDTH)[0]) for text in texts}
    assert len(found) == len(texts)


@pytest.mark.parametrize("text", ["a", "a b", "a b c d"])
def test_a_text_of_fewer_words_than_a_shingle_is_one_shingle(text: str):
    assert len(shingle_set(_bytes(text), _WIDTH)) == 1


@pytest.mark.parametrize("text", ["", " \n", "(){};--\0"])
def test_a_text_without_words_has_no_shingles_and_resembles_nothing(text: str):
    shingles = shingle_set(_bytes(text), _WIDTH)
    assert len(shingles) == 0
    assert jaccard(shingles, shingles) == 0.0
    assert (signature(shingles, 16, 1) == 2**32 - 1).all()


def test_distinct_shingles_of_a_large_text_hardly_ever_share_a_hash():
    words = [f"word_{number}" for number in range(60_004)]
    expected = 60_000
    collisions = expected - len(shingle_set(_bytes(" ".join(words)), _WIDTH))
    assert collisions <= 6  # 0.4 expected of 32-bit hashes


def test_words_of_any_bytes_are_read_to_the_last_one():
    hashes = shingle_hashes(_bytes(b"\xff\xfe \x80"), 1)
    assert len(hashes) == 2
    assert hashes[0] != hashes[1]


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
    mine, theirs = band_hashes(values, 6), band_hashes(other, 6)
    assert len(mine) == 3  # the two values beyond the last whole band are not used
    assert (mine == theirs).tolist() == [True, False, True]


def test_the_same_rows_in_two_bands_give_two_hashes():
    assert len(set(band_hashes(np.zeros(64, dtype=np.uint32), 4).tolist())) == 16
