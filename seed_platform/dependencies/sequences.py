"""A repository as sequences that fit a context: files that depend on each other stay together (PAPER.md §2).

Files are merged into groups along edges, the most closely related pair first, as long as a group fits; so a connected
component that fits stays whole, and a larger one falls apart where it is least connected. How closely two groups are
related is the number of edges between them over the geometric mean of their sizes: without the sizes, the group of a
file that everything uses takes all it can hold, and the rest is left with nothing. Groups with no edge between them,
or too large to merge, share a sequence with groups that lie near them in the tree of folders.

A file over the budget makes a sequence of its own, which `pieces` cuts at line boundaries; leaving it out would lose
the long files that a long context is for.

What belongs here: what stands together. What does not: in which order (`order.py`), and what a token is (the caller).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import sqrt

import numpy as np

from seed_platform.dependencies.base import Edge
from seed_platform.dependencies.components import Links, Numbers, links_between

NEAR = 0.5
"""Pairs at least this times as closely related as the nearest are merged in one round. With 0.95, eight times the
rounds keep 0.245 of the edges together where this keeps 0.243 (mean of five Python projects of 30 to 170 sequences)."""

OPEN_SEQUENCES = 32
"""Sequences that the next group may still join. More would fill sequences better with files from farther away."""


def cut(order: Sequence[str], edges: Iterable[Edge], sizes: Mapping[str, int], budget: int) -> list[list[str]]:
    """The files of a repository in sequences of at most `budget` tokens, each file in exactly one.

    Args:
        order: the files, each once, in the order in which they are to stand (`order.order_files`).
        edges: between them. Edges from or to other paths are left out.
        sizes: tokens of each file as it will stand in a sequence, with its path header and separator.
        budget: tokens of a sequence, at least 1.

    Returns:
        The sequences in the order of their first files; in each, files in the order of `order`. A file over the budget
        is a sequence by itself, the only one that is over it: see `pieces`.

    Raises:
        ValueError: the budget is less than 1, or `order` names a file twice.
    """
    if budget < 1 or len(set(order)) != len(order):
        message = f"budget {budget}: at least 1 is needed" if budget < 1 else "a file stands twice in the order"
        raise ValueError(message)
    tokens = [sizes[path] for path in order]
    groups = _related_groups(links_between(order, edges)[0], tokens, budget)
    over = [group for group in groups if tokens[group[0]] > budget]
    within = [group for group in groups if tokens[group[0]] <= budget]
    sequences = over + _packed(within, order, tokens, budget)
    return [[order[file] for file in sequence] for sequence in sorted(sequences)]


def pieces(text: str, budget: int, tokens: Callable[[str], int]) -> list[str]:
    """A text in pieces of at most `budget` tokens, cut at line boundaries, of about the same size.

    A line that is over the budget by itself is cut inside. The pieces joined are the text.

    Args:
        text: of one file.
        budget: tokens of a piece, at least 1; without what its path header takes.
        tokens: counts the tokens of a text, at most one for a character of ASCII and four for any other.

    Raises:
        ValueError: the budget is less than 4, so that a single character might not fit.
    """
    if budget < 4:
        message = f"budget {budget}: at least 4 tokens are needed for one character"
        raise ValueError(message)
    total = tokens(text)
    if total <= budget:
        return [text]
    # An even share, so that the last piece is no remnant of a few lines.
    share = -(-total // -(-total // budget))
    found: list[str] = []
    held: list[str] = []
    held_tokens = seen = 0
    for line in _short_lines(text, budget, tokens):
        size = tokens(line)
        if held and (seen >= share * (len(found) + 1) or held_tokens + size > budget):
            found += _fitting(held, budget, tokens)
            held, held_tokens = [], 0
        held.append(line)
        held_tokens += size
        seen += size
    return found + _fitting(held, budget, tokens)


def _short_lines(text: str, budget: int, tokens: Callable[[str], int]) -> Iterable[str]:
    """The lines of a text with their ends; one over the budget in halves, and those again, until each fits."""
    waiting = text.splitlines(keepends=True)[::-1]
    while waiting:
        line = waiting.pop()
        if len(line) == 1 or tokens(line) <= budget:
            yield line
        else:
            middle = len(line) // 2
            waiting += [line[middle:], line[:middle]]


def _fitting(lines: Sequence[str], budget: int, tokens: Callable[[str], int]) -> list[str]:
    """The lines as one text, or in halves where tokens across line ends make the text longer than its lines."""
    text = "".join(lines)
    if len(lines) == 1 or tokens(text) <= budget:
        return [text] if text else []
    middle = len(lines) // 2
    return _fitting(lines[:middle], budget, tokens) + _fitting(lines[middle:], budget, tokens)


def _related_groups(links: Links, tokens: Sequence[int], budget: int) -> list[list[int]]:
    """Files in groups of at most `budget` tokens (or one file), merged along edges, the most closely related first.

    In rounds: each merges what is at least `NEAR` times as closely related as the nearest pair is, so that there are
    few rounds, each linear in the pairs that are left, whatever the graph.
    """
    files = len(tokens)
    group_of = np.arange(files)
    sizes = np.maximum(np.array(tokens, np.int64), 1)
    one, other = np.repeat(group_of, np.diff(links.starts)), np.array(links.targets, np.int64)
    counts = np.ones(len(one), np.int64)
    while True:
        apart = one != other
        pairs, pair_of = np.unique(
            (np.minimum(one, other) * files + np.maximum(one, other))[apart], return_inverse=True
        )
        counts = np.bincount(pair_of, counts[apart], len(pairs)).astype(np.int64)
        one, other = np.divmod(pairs, max(files, 1))
        fitting = sizes[one] + sizes[other] <= budget
        one, other, counts = one[fitting], other[fitting], counts[fitting]
        if not len(one):
            break
        merged_into = _round(one, other, counts, sizes, budget)
        group_of, one, other = merged_into[group_of], merged_into[one], merged_into[other]
    by_group = np.argsort(group_of, kind="stable")
    bounds = np.flatnonzero(np.diff(group_of[by_group])) + 1
    return [group.tolist() for group in np.split(by_group, bounds)] if files else []


def _round(one: Numbers, other: Numbers, counts: Numbers, sizes: Numbers, budget: int) -> Numbers:
    """Merge the closest pairs of groups that are joined by `counts` edges: for each group the one that it is now of.

    `sizes`, tokens of each group, is brought up to date.
    """
    closeness = counts / np.sqrt(sizes[one] * sizes[other])
    least = float(closeness.max()) * NEAR
    near = np.flatnonzero(closeness >= least)
    near = near[np.argsort(-closeness[near], kind="stable")]
    parent: dict[int, int] = {}
    grown: dict[int, int] = {}

    def top(group: int) -> int:
        while (above := parent.get(group)) is not None:
            parent[group] = group = parent.get(above, above)
        return group

    for left, right, count in zip(one[near].tolist(), other[near].tolist(), counts[near].tolist(), strict=True):
        keep, drop = top(left), top(right)
        if keep == drop:
            continue
        keep_size, drop_size = grown.get(keep) or int(sizes[keep]), grown.get(drop) or int(sizes[drop])
        # Both may have grown in this round: then they are less closely related than the pair was, or do not fit.
        if keep_size + drop_size <= budget and count >= least * sqrt(keep_size * drop_size):
            parent[drop] = keep
            grown[keep] = keep_size + drop_size
    for group, size in grown.items():
        sizes[group] = size
    merged_into = np.arange(len(sizes))
    for group in parent:
        merged_into[group] = top(group)
    return merged_into


def _packed(groups: Sequence[list[int]], order: Sequence[str], tokens: Sequence[int], budget: int) -> list[list[int]]:
    """Groups in sequences of at most `budget` tokens, near ones together; in each, files in their order."""
    # Components of paths, so that the files of a folder are not parted by a file whose name continues the folder's.
    first = [min(order[file].split("/") for file in group) for group in groups]
    packed: list[list[int]] = []
    room: dict[int, int] = {}
    for group, _ in sorted(zip(groups, first, strict=True), key=lambda pair: pair[1]):
        size = sum(tokens[file] for file in group)
        place = next((place for place, left in room.items() if size <= left), None)
        if place is None:
            if len(room) == OPEN_SEQUENCES:
                del room[min(room, key=lambda place: (room[place], place))]
            place = len(packed)
            packed.append([])
            room[place] = budget
        packed[place] += group
        room[place] -= size
    return [sorted(sequence) for sequence in packed]
