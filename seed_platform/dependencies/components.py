"""Dependencies as numbers: adjacency in arrays, and the components of such a graph, strong and weak.

What belongs here: algorithms that know nothing but numbers, linear in files and edges and without recursion, since a
chain of imports may be longer than any stack. What does not: what to do with components (`order.py`, `sequences.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from seed_platform.dependencies.base import Edge

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Links:
    """A directed graph of nodes 0 .. n-1: the targets of node i are `targets[starts[i] : starts[i + 1]]`, ascending.

    Lists and not arrays, since plain Python reads a list's element four times as fast.
    """

    starts: list[int]
    targets: list[int]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def of(self, node: int) -> list[int]:
        """The targets of one node."""
        return self.targets[self.starts[node] : self.starts[node + 1]]


def links_between(paths: Sequence[str], edges: Iterable[Edge]) -> tuple[Links, Links]:
    """Who depends on whom, and who is used by whom, with paths numbered as they stand in `paths`.

    Edges from or to other paths, of a file to itself and repeated ones are left out.
    """
    number = {path: position for position, path in enumerate(paths)}
    users: list[int] = []
    dependencies: list[int] = []
    for edge in edges:
        user, dependency = number.get(edge.user), number.get(edge.dependency)
        if user is not None and dependency is not None and user != dependency:
            users.append(user)
            dependencies.append(dependency)
    # Of pairs, since one number for both sorts several times as fast as rows of two.
    pairs = np.unique(np.array(users, np.int64) * len(paths) + np.array(dependencies, np.int64))
    sources, targets = np.divmod(pairs, max(len(paths), 1))
    by_target = np.argsort(targets, kind="stable")
    return _links(sources, targets, len(paths)), _links(targets[by_target], sources[by_target], len(paths))


def _links(sources: Numbers, targets: Numbers, nodes: int) -> Links:
    return Links(np.searchsorted(sources, np.arange(nodes + 1)).tolist(), targets.tolist())


def strong_components(links: Links, roots: Iterable[int]) -> Iterator[list[int]]:
    """The strongly connected components of what can be reached from `roots`, each after those it leads to.

    Tarjan's algorithm (1972). Roots and targets are visited in the order in which they stand, so the order is
    deterministic and a component follows what it leads to as closely as a depth-first search can.
    """
    starts, targets = links.starts, links.targets
    at = starts[:-1]  # the next target to visit, of each node
    index = [-1] * len(links)  # when a node was found
    low = [0] * len(links)
    done = len(links)  # the index of nodes whose component is known: above every other
    found = 0
    open_nodes: list[int] = []
    for root in roots:
        if index[root] >= 0:
            continue
        path = [root]
        while path:
            node = path[-1]
            if index[node] < 0:
                index[node] = low[node] = found
                found += 1
                open_nodes.append(node)
            end = starts[node + 1]
            lowest = low[node]
            position = at[node]
            while position < end:
                target = targets[position]
                position += 1
                if index[target] < 0:
                    path.append(target)
                    # Looked at again when it is left, for its `low`.
                    position -= 1
                    break
                lowest = min(lowest, low[target])
            at[node] = position
            low[node] = lowest
            if path[-1] != node:
                continue
            path.pop()
            if lowest == index[node]:
                component: list[int] = []
                while not component or component[-1] != node:
                    component.append(open_nodes.pop())
                    low[component[-1]] = done
                yield component


def weak_components(links: Links) -> list[int]:
    """For each node the smallest node that it is connected with, whatever the direction."""
    parent = list(range(len(links)))

    def top(node: int) -> int:
        while parent[node] != node:
            parent[node] = node = parent[parent[node]]
        return node

    for node in range(len(links)):
        one = top(node)
        for target in links.of(node):
            other = top(target)
            if other != one:
                # The smaller number is the top, so the result needs no second pass to be canonical.
                parent[max(one, other)] = one = min(one, other)
    return [top(node) for node in range(len(links))]
