"""The order of a repository's files: dependency before user, and cycles never block (PAPER.md §2).

In this order stand:

1. READMEs, the outermost first: they say what the rest is about.
2. Files that no edge touches: those of languages without a resolver, those that the paper orders at random (HTML, SQL,
   Shell), and others that import nothing of the repository and are not imported. In a random order that follows from
   the repository and the path. They come before the graph since they depend on nothing, as the files with the smallest
   in-degree do in DeepSeek-Coder's order.
3. The graph, one connected component after the other, by the first path of each. A file follows its dependencies as
   closely as a depth-first search can place it. Files of a cycle (a strongly connected component) stand together;
   among them the next is always the one with the fewest dependencies yet to be placed.

What belongs here: the order. What does not: finding edges (the resolvers), and cutting what is too long
(`sequences.py`).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.components import Links, links_between, strong_components, weak_components


def order_files(paths: Iterable[str], edges: Iterable[Edge], seed_text: str) -> list[str]:
    """Every path once, dependency before user wherever there is no cycle.

    The result depends on the sets of paths and edges and on `seed_text`, and on no order of theirs. Linear in files
    and edges but for sorting.

    Args:
        paths: of the files of one repository, '/'-separated.
        edges: between them. Edges from or to other paths, and of a file to itself, are left out.
        seed_text: what the random order follows from beside the path, e.g. the id of the repository.
    """
    names = sorted(set(paths))
    dependencies, users = links_between(names, edges)
    alone = [number for number in range(len(names)) if not dependencies.of(number) and not users.of(number)]
    readmes = [number for number in alone if _is_readme(names[number])]
    others = set(alone).difference(readmes)
    before = sorted(readmes, key=lambda number: (names[number].count("/"), number))
    before += sorted(others, key=lambda number: (_chance(seed_text, names[number]), number))
    linked = sorted(set(range(len(names))).difference(alone))
    return [names[number] for number in before + _graph_order(dependencies, users, linked)]


def _is_readme(path: str) -> bool:
    return path.rpartition("/")[2].partition(".")[0].lower() == "readme"


def _chance(seed_text: str, path: str) -> bytes:
    return blake2b(f"{seed_text}\0{path}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _graph_order(dependencies: Links, users: Links, linked: Sequence[int]) -> list[int]:
    """The nodes of `linked`, dependency first, each connected component in one run."""
    component = weak_components(dependencies)
    # From files that nothing uses, so that as much as possible is placed right before its only user.
    roots = sorted(linked, key=lambda node: (component[node], bool(users.of(node)), node))
    order: list[int] = []
    for cycle in strong_components(dependencies, roots):
        order += cycle if len(cycle) == 1 else _cycle_order(cycle, dependencies, users)
    return order


def _cycle_order(cycle: Sequence[int], dependencies: Links, users: Links) -> list[int]:
    """The files of a cycle, repeatedly the one with the fewest dependencies in it that are not placed yet."""
    missing = dict.fromkeys(cycle, 0)
    for node in cycle:
        missing[node] = sum(dependency in missing for dependency in dependencies.of(node))
    waiting = [(count, node) for node, count in missing.items()]
    heapq.heapify(waiting)
    order: list[int] = []
    while waiting:
        count, node = heapq.heappop(waiting)
        # An entry whose count is out of date has a newer one elsewhere in the heap.
        if missing.get(node) != count:
            continue
        del missing[node]
        order.append(node)
        for user in users.of(node):
            if user in missing:
                missing[user] -= 1
                heapq.heappush(waiting, (missing[user], user))
    return order
