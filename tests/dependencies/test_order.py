"""The order of a repository's files: dependency before user, deterministic, and cycles never block."""

from __future__ import annotations

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.components import links_between, strong_components, weak_components
from seed_platform.dependencies.order import order_files

PATHS = [f"{folder}/{name}.py" for folder in ("a", "b/c", "d") for name in "mnopq"]

Graph = tuple[list[str], list[Edge]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    paths = draw(st.lists(st.sampled_from(PATHS), unique=True, min_size=1))
    pair = st.tuples(st.sampled_from(paths), st.sampled_from([*paths, "elsewhere.py"]))
    return paths, [Edge(*one) for one in draw(st.lists(pair, max_size=40))]


def reachable(edges: list[Edge]) -> dict[str, set[str]]:
    """What each file depends on, directly or not; by brute force."""
    found: dict[str, set[str]] = {}
    for edge in edges:
        found.setdefault(edge.user, set()).add(edge.dependency)
    for _ in PATHS:
        for users in found.values():
            users.update(*(found.get(one, set()) for one in list(users)))
    return found


@given(graphs())
def test_every_file_stands_once_and_after_its_dependencies_outside_cycles(graph: Graph):
    paths, edges = graph
    order = order_files(paths, edges, "repository")
    assert sorted(order) == sorted(paths)
    needs = reachable(edges)
    for edge in edges:
        in_cycle = edge.user in needs.get(edge.dependency, set())
        if edge.dependency in paths and not in_cycle:
            assert order.index(edge.dependency) < order.index(edge.user)


@given(graphs(), st.randoms())
def test_the_order_does_not_depend_on_that_of_the_input(graph: Graph, chance: random.Random):
    paths, edges = graph
    order = order_files(paths, edges, "repository")
    chance.shuffle(paths)
    chance.shuffle(edges)
    assert order_files(paths, edges + edges[:3], "repository") == order


@given(graphs())
def test_components_are_those_of_brute_force(graph: Graph):
    paths, edges = graph
    links, _ = links_between(paths, edges)
    needs = reachable([edge for edge in edges if edge.dependency in paths])
    found = list(strong_components(links, range(len(paths))))
    assert sorted(node for component in found for node in component) == list(range(len(paths)))
    for component in found:
        for node in range(len(paths)):
            together = node == component[0] or (
                paths[node] in needs.get(paths[component[0]], set())
                and paths[component[0]] in needs.get(paths[node], set())
            )
            assert (node in component) == together
    either_way = reachable([*edges, *(Edge(edge.dependency, edge.user) for edge in edges)])
    weak = weak_components(links)
    for one in range(len(paths)):
        for other in range(one):
            connected = "elsewhere.py" not in either_way.get(paths[one], set())
            if connected:
                assert (weak[one] == weak[other]) == (paths[other] in either_way.get(paths[one], set()))


def test_a_cycle_begins_with_the_file_that_needs_least_of_it_and_stands_together():
    # a needs b and c, b needs a, c needs a and b: b has the fewest dependencies in the cycle; then a and c need one.
    edges = [
        Edge("a", "b"),
        Edge("a", "c"),
        Edge("b", "a"),
        Edge("c", "a"),
        Edge("c", "b"),
        Edge("u", "c"),
        Edge("b", "z"),
    ]
    assert order_files(["u", "a", "b", "c", "z"], edges, "") == ["z", "b", "a", "c", "u"]


def test_readmes_come_first_then_unrelated_files_at_random_then_the_graph():
    pages = [f"web/{number}.html" for number in range(40)]
    paths = ["src/b.py", "src/a.py", "docs/README.rst", "README.md", *pages]
    order = order_files(paths, [Edge("src/a.py", "src/b.py")], "one")
    assert order[:2] == ["README.md", "docs/README.rst"]
    assert sorted(order[2:-2]) == sorted(pages)
    assert order[2:-2] != sorted(pages)
    assert order[-2:] == ["src/b.py", "src/a.py"]
    other = order_files(paths, [Edge("src/a.py", "src/b.py")], "two")
    assert other != order
    assert sorted(other) == sorted(order)


def test_one_more_file_leaves_the_random_order_of_the_others():
    pages = [f"{number}.sql" for number in range(40)]
    more = order_files([*pages, "new.sql"], [], "seed")
    assert [path for path in more if path != "new.sql"] == order_files(pages, [], "seed")


def test_connected_files_stand_together():
    edges = [Edge("a/1", "z/1"), Edge("a/2", "z/2"), Edge("a/3", "z/2")]
    assert order_files(["a/1", "a/2", "a/3", "z/1", "z/2"], edges, "") == ["z/1", "a/1", "z/2", "a/2", "a/3"]


def test_names_of_any_kind_are_ordered():
    assert sorted(order_files(["\ud800", "", "\0", "ü"], [Edge("", "ü")], "\udfff")) == sorted(
        ["\ud800", "", "\0", "ü"]
    )


def test_nothing_is_ordered_as_nothing():
    assert order_files([], [], "") == []


def test_a_chain_longer_than_any_stack_and_a_large_graph_take_seconds():
    files = 20_000
    paths = [f"{number:06}" for number in range(files)]
    chain = [Edge(paths[number], paths[number - 1]) for number in range(1, files)]
    assert order_files(reversed(paths), chain, "") == paths
    ring = [*chain, Edge(paths[0], paths[-1])]
    assert sorted(order_files(paths, ring, "")) == paths
    star = [Edge(path, paths[0]) for path in paths[1:]] + [Edge(paths[0], path) for path in paths[1:]]
    chance = random.Random(1)
    dense = [Edge(chance.choice(paths), chance.choice(paths)) for _ in range(100_000)]
    start = time.process_time()
    assert len(order_files(paths, star + dense, "")) == files
    assert time.process_time() - start < 20
