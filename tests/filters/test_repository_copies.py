"""Which repositories are copies, against the rule in plain Python; which of several is best; digests of trees."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seed_platform.filters.repository_duplicates import copies, judge_exact, ranked, tree_digests
from seed_platform.policy import RepositoryDuplicatesPolicy

_SIZES = (1, 2, 3, 5, 8, 13, 21, 34)
_PAIR = {
    "mine": pl.Int64,
    "arrival": pl.Int64,
    "other": pl.Int64,
    "bytes": pl.Int64,
    "contents": pl.Int64,
    "shared_bytes": pl.Int64,
    "shared_contents": pl.Int64,
}
_CONTENTS = st.sets(st.sampled_from(range(len(_SIZES))), min_size=1)
_POLICIES = st.builds(
    RepositoryDuplicatesPolicy,
    overlap=st.sampled_from([0.2, 0.5, 0.8, 1.0]),
    contents_overlap=st.sampled_from([0.0, 0.5, 1.0]),
    shared_contents=st.integers(1, 4),
)


def _weight(contents: set[int]) -> int:
    return sum(_SIZES[number] for number in contents)


@settings(deadline=None, max_examples=150)
@given(earlier=st.lists(_CONTENTS, max_size=4), mine=st.lists(_CONTENTS, max_size=8), policy=_POLICIES)
def test_the_decision_is_the_rule_in_plain_python(
    earlier: list[set[int]], mine: list[set[int]], policy: RepositoryDuplicatesPolicy
):
    rows = []
    for rank, own in enumerate(mine):
        for arrival, others in ((1, earlier), (2, mine[:rank])):
            for place, other in enumerate(others):
                shared = own & other
                rows.append((rank, arrival, place, _weight(own), len(own), _weight(shared), len(shared)))
    dropped: dict[int, tuple[int, int]] = {}
    for rank, own in enumerate(mine):
        kept = [(1, place, other) for place, other in enumerate(earlier)]
        kept += [(2, place, other) for place, other in enumerate(mine[:rank]) if place not in dropped]
        near = [
            (-_weight(own & other) / _weight(own), arrival, place)
            for arrival, place, other in kept
            if _weight(own & other) / _weight(own) >= policy.overlap
            and len(own & other) / len(own) >= policy.contents_overlap
            and len(own & other) >= policy.shared_contents
        ]
        if near:
            _, arrival, place = min(near)
            dropped[rank] = (arrival, place)
    pairs = pl.DataFrame(rows, schema=_PAIR, orient="row")
    found = copies(pairs.sample(fraction=1, shuffle=True, seed=1), 2, policy)
    assert {mine: (arrival, other) for mine, arrival, other, *_ in found.iter_rows()} == dropped
    assert found["mine"].is_sorted()
    assert found.columns == pairs.columns


_DAYS = [datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3)]


@pytest.mark.parametrize(
    ("prefer", "column", "values", "order"),
    [
        ("stars", "stars", [None, 3, 7, 0], [2, 1, 3, 0]),
        ("forks", "forks", [1, None, 1, 2], [3, 0, 2, 1]),
        ("commits", "commits", [9, 9, 10, None], [2, 0, 1, 3]),
        ("recency", "committed_at", [_DAYS[1], _DAYS[0], None, _DAYS[2]], [3, 0, 1, 2]),
        ("name", "repository", ["b", "a", "B", "c"], [2, 1, 0, 3]),
    ],
)
def test_more_is_better_names_go_by_the_alphabet_and_unknown_is_last(
    prefer: str, column: str, values: list[object], order: list[int]
):
    found = ranked(pl.DataFrame({"ordinal": [0, 1, 2, 3], column: values}), [prefer])
    assert found["ordinal"].to_list() == order
    assert found["rank"].to_list() == [0, 1, 2, 3]


def test_the_first_thing_preferred_decides_and_the_next_only_between_equals():
    found = pl.DataFrame({"ordinal": [0, 1, 2], "stars": [1, 2, 2], "repository": ["a", "c", "b"]})
    assert ranked(found, ["stars", "name"])["ordinal"].to_list() == [2, 1, 0]
    assert ranked(found, ["name", "stars"])["ordinal"].to_list() == [0, 2, 1]
    assert ranked(found, [])["ordinal"].to_list() == [0, 1, 2]


def _batches(trees: list[list[str]], size: int) -> list[pa.RecordBatch]:
    rows = [(place, entry) for place, tree in enumerate(trees) for entry in tree]
    schema = pa.schema([("place", pa.int64()), ("entry", pa.string())])
    table = pa.Table.from_pylist([{"place": place, "entry": entry} for place, entry in rows], schema=schema)
    return table.to_batches(max_chunksize=size)


@settings(deadline=None, max_examples=60)
@given(trees=st.lists(st.lists(st.text(max_size=4), min_size=1, max_size=5), max_size=5), size=st.integers(1, 7))
def test_a_trees_digest_is_that_of_its_entries_however_they_are_cut(trees: list[list[str]], size: int):
    found = tree_digests(_batches(trees, size))
    assert found["ordinal"].to_list() == list(range(len(trees)))
    assert found["tree"].to_list() == [hashlib.sha256("".join(tree).encode()).hexdigest() for tree in trees]


def test_exact_duplicates_go_to_the_earlier_batch_then_to_the_best_of_this_one():
    repositories = pl.DataFrame(
        {
            "ordinal": [0, 1, 2, 3, 4],
            "doc_id": ["a", "b", "c", "d", "e"],
            "rank": [4, 3, 2, 1, 0],
            "tree": ["t", "t", "u", None, None],
        }
    )
    judged = judge_exact(repositories, pl.DataFrame({"tree": ["u"], "doc_id": ["z"]}))
    assert judged.select("doc_id", "keep", "reason", "related_doc_id").rows() == [
        ("a", False, "exact_duplicate", "b"),
        ("b", True, None, None),
        ("c", False, "exact_duplicate", "z"),
        ("d", True, "no_files", None),
        ("e", True, "no_files", None),
    ]
    assert judged["evidence"].to_list() == ['{"tree":"t"}', '{"tree":"t"}', '{"tree":"u"}', None, None]
