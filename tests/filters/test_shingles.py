"""Shingles against Python sets and an independent tokenizer."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seed_platform.filters.shingles import distinct, jaccard, shingle_hashes, shingle_set

_WIDTH = 5
_HASHES = st.lists(st.integers(0, 2**32 - 2), max_size=300)
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


def test_distinct_shingles_of_a_large_text_hardly_ever_share_a_hash():
    words = [f"word_{number}" for number in range(60_004)]
    expected = 60_000
    collisions = expected - len(shingle_set(_bytes(" ".join(words)), _WIDTH))
    assert collisions <= 6  # 0.4 expected of 32-bit hashes


def test_words_of_any_bytes_are_read_to_the_last_one():
    hashes = shingle_hashes(_bytes(b"\xff\xfe \x80"), 1)
    assert len(hashes) == 2
    assert hashes[0] != hashes[1]


@settings(deadline=None, max_examples=300)
@given(values=_HASHES)
@example(values=[2**32 - 2] * 200 + [2**32 - 3, 0])
@example(values=list(range(2**32 - 2, 2**32 - 302, -1)))
def test_distinct_values_are_those_of_a_sorted_set_wherever_they_crowd(values: list[int]):
    given_values = np.array(values, dtype=np.uint32)
    table, out = np.empty(5 * len(values) + 128, dtype=np.uint32), np.empty(len(values) + 1, dtype=np.uint32)
    count = distinct(given_values, len(values), table, out)
    assert out[:count].tolist() == sorted(set(values))


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65, 127, 128, 129])
def test_words_at_the_edges_of_vectors_are_read_whole(size: int):
    word = "w" * size
    alone = shingle_hashes(_bytes(word), 1)
    for before in (0, 1, 55, 56, 57, 63, 64, 65):
        for after in ("", " ", " x"):
            found = shingle_hashes(_bytes(" " * before + word + after), 1)
            assert found[0] == alone[0]
            assert len(found) == 1 + after.count("x")
