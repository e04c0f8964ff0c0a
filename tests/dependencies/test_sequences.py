"""Repositories cut into sequences: none over the budget, nothing lost, and related files together."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.order import order_files
from seed_platform.dependencies.sequences import cut, pieces

Repository = tuple[list[str], list[Edge], dict[str, int]]


@st.composite
def repositories(draw: st.DrawFn) -> Repository:
    files = draw(st.integers(0, 25))
    paths = [f"{draw(st.sampled_from(['', 'a/', 'a/b/', 'c/']))}{number}.py" for number in range(files)]
    sizes = {path: draw(st.integers(0, 130)) for path in paths}
    pairs = draw(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60))
    edges = [Edge(paths[one], paths[other]) for one, other in pairs if one < files and other < files and one != other]
    return paths, edges, sizes


@given(repositories())
def test_every_file_is_in_one_sequence_and_none_of_several_is_over_the_budget(repository: Repository):
    paths, edges, sizes = repository
    order = order_files(paths, edges, "")
    sequences = cut(order, edges, sizes, 100)
    assert sorted(path for sequence in sequences for path in sequence) == sorted(paths)
    for sequence in sequences:
        assert sequence == sorted(sequence, key=order.index)
        assert sum(sizes[path] for path in sequence) <= 100 or len(sequence) == 1
    assert [sequence[0] for sequence in sequences] == sorted((sequence[0] for sequence in sequences), key=order.index)


@given(repositories(), st.randoms())
def test_the_order_of_edges_changes_nothing(repository: Repository, chance: random.Random):
    paths, edges, sizes = repository
    sequences = cut(paths, edges, sizes, 100)
    chance.shuffle(edges)
    assert cut(paths, edges + edges[:5], sizes, 100) == sequences


@given(repositories())
def test_a_connected_component_within_the_budget_stays_whole(repository: Repository):
    paths, edges, sizes = repository
    component = {path: {path} for path in paths}
    for edge in edges:
        if (
            max(sizes[edge.user], sizes[edge.dependency]) <= 100
            and component[edge.user] is not component[edge.dependency]
        ):
            component[edge.user] |= component[edge.dependency]
            for path in component[edge.user]:
                component[path] = component[edge.user]
    where = {path: number for number, sequence in enumerate(cut(paths, edges, sizes, 100)) for path in sequence}
    for together in component.values():
        if sum(sizes[path] for path in together) <= 100:
            assert len({where[path] for path in together}) == 1


def test_a_repository_within_the_budget_is_one_sequence():
    paths = [f"{number % 7}/{number}" for number in range(100)]
    assert cut(paths, [Edge(paths[3], paths[50])], dict.fromkeys(paths, 1), 100) == [paths]


def test_a_component_over_the_budget_falls_apart_where_it_is_least_connected():
    left, right = [f"a{number}" for number in range(5)], [f"b{number}" for number in range(5)]
    inside = [Edge(one, other) for half in (left, right) for one in half for other in half if one != other]
    mixed = [path for pair in zip(left, right, strict=True) for path in pair]
    sequences = cut(mixed, [*inside, Edge("a0", "b0"), Edge("a1", "b3")], dict.fromkeys(mixed, 10), 50)
    assert sequences == [left, right]


def test_a_file_that_everything_uses_draws_no_other_groups_apart():
    # Five pairs that share one hub: the pairs stay whole, and the hub joins one of them.
    pairs = [(f"{number}/user", f"{number}/dependency") for number in range(5)]
    edges = [Edge(*pair) for pair in pairs] + [Edge(path, "hub") for pair in pairs for path in pair]
    paths = ["hub", *(path for pair in pairs for path in pair)]
    sequences = cut(paths, edges, {**dict.fromkeys(paths, 30), "hub": 40}, 100)
    assert all(any(set(pair) <= set(sequence) for sequence in sequences) for pair in pairs)


def test_files_without_edges_share_sequences_with_their_neighbours():
    paths = [f"{folder}/{number}" for number in range(10) for folder in ("a", "a-b", "c")]
    sequences = cut(paths, [], dict.fromkeys(paths, 10), 100)
    assert [len(sequence) for sequence in sequences] == [10] * 3
    assert all(len({path.split("/")[0] for path in sequence}) == 1 for sequence in sequences)


def test_a_file_over_the_budget_stands_alone_and_takes_no_others_room():
    sizes = {"a": 40, "big": 101, "b": 60}
    assert cut(["a", "big", "b"], [Edge("big", "a"), Edge("b", "big")], sizes, 100) == [["a", "b"], ["big"]]


@pytest.mark.parametrize(("order", "budget"), [(["a"], 0), (["a", "a"], 10)])
def test_a_call_that_cannot_be_meant_is_refused(order: list[str], budget: int):
    with pytest.raises(ValueError, match=r"budget|twice"):
        cut(order, [], {"a": 1}, budget)


def test_a_large_repository_takes_seconds():
    files = 20_000
    chance = random.Random(1)
    paths = [f"{number % 100}/{number}" for number in range(files)]
    edges = [Edge(chance.choice(paths), paths[int(files * chance.random() ** 4)]) for _ in range(100_000)]
    sizes = {path: 1 + int(4_000 * chance.random() ** 3) for path in paths}
    sizes.update(dict.fromkeys(paths[:1_000], 0))
    start = time.process_time()
    sequences = cut(paths, edges, sizes, 32_768)
    assert time.process_time() - start < 20
    assert len(sequences) < 1.5 * sum(sizes.values()) / 32_768


def words(text: str) -> int:
    """Tokens of a crude tokenizer: runs of letters, and every other character but line ends in a row."""
    return sum(
        1 for number, letter in enumerate(text) if not (letter.isalnum() and text[number - 1 : number].isalnum())
    )


@given(st.text(alphabet="ab \n\té", max_size=400), st.integers(4, 50))
def test_pieces_join_to_the_text_and_none_is_over_the_budget(text: str, budget: int):
    found = pieces(text, budget, words)
    assert "".join(found) == text
    assert all(words(piece) <= budget for piece in found)


def test_pieces_are_cut_at_line_ends_and_even():
    text = "".join(f"line {number} of it\n" for number in range(105))
    found = pieces(text, 200, lambda part: part.count(" ") + part.count("\n"))
    assert "".join(found) == text
    assert all(piece.endswith("\n") for piece in found)
    assert len(found) == 3
    assert max(map(len, found)) < 1.2 * min(map(len, found))


def test_a_line_over_the_budget_is_cut_inside():
    assert [len(piece) for piece in pieces("x" * 1_000 + "\ny\n", 300, len)] == [250, 250, 250, 253]
    assert pieces("short", 300, len) == ["short"]


def test_tokens_across_line_ends_are_counted():
    # Each line has one token, and each line end between two costs three more.
    def tokens(text: str) -> int:
        return text.count("x") + 3 * text.count("\nx")

    text = "x\n" * 50
    found = pieces(text, 10, tokens)
    assert "".join(found) == text
    assert all(tokens(piece) <= 10 for piece in found)


def test_a_budget_below_a_character_is_refused():
    with pytest.raises(ValueError, match="budget 3"):
        pieces("text", 3, len)
