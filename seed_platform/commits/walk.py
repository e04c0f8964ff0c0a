"""Which commits of a branch are new since it was last seen.

What belongs here: the order and the set of commits. What does not: what a commit says (`objects.py`) or changed
(`changes.py`). The walk is our own because libgit2's fails at the first parent that is not there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

import pygit2

from seed_platform.commits.objects import CommitError, bound_cache, committed_at, parents_of, read_raw

_ID_BYTES = 20


@dataclass(frozen=True, slots=True)
class Walk:
    """The new commits of a branch.

    Attributes:
        shas: their ids, 20 bytes each, one after the other: parents before children.
        unknown: tips given as seen that the repository does not have as commits; hex, sorted.
        missing: commits that the new ones name as parents and the repository lacks, as at the edge of a shallow clone,
            the tip itself, or gaps that are still there; hex, sorted.
    """

    shas: bytes
    unknown: tuple[str, ...]
    missing: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.shas) // _ID_BYTES

    def __iter__(self) -> Iterator[bytes]:
        """The ids one by one, 20 bytes each."""
        return _split(self.shas)

    def without(self, told: AbstractSet[bytes]) -> Walk:
        """This walk less the commits `told`, ids of 20 bytes each; the others stay in order."""
        return replace(self, shas=b"".join(sha for sha in self if sha not in told)) if told else self


def new_commits(repository: pygit2.Repository, tip: str, seen: Sequence[str], gaps: Sequence[str] = ()) -> Walk:
    """The commits that `tip` reaches and none of `seen` does; ids in hex.

    `gaps` are commits that were `missing` when `seen` was walked, as in a shallow clone that has been deepened since.
    What is behind a gap was not seen, unless a way around it leads there: it is new too.

    The order depends on nothing but the commits: depth first, the history of the first parent before that of the
    others. With `seen`, the new commits are read and little beside them, newest first by their committers' clocks.
    Where clocks were wrong a commit that was seen may be found again, as with `git log`; a new one is never left out.
    """
    bound_cache()
    starts = [bytes.fromhex(name) for name in (tip, *gaps)]
    search = _Search(repository.odb, frozenset(starts[1:]))
    unknown = [name for name in seen if not search.enqueue(bytes.fromhex(name), seen=True)]
    for start in starts:
        search.enqueue(start, seen=False)
    search.run()
    new = search.new()
    missing = {parent for parents in new.values() for parent in _split(parents) if parent in search.missing}
    missing |= search.missing.intersection(starts)
    return Walk(_parents_first(starts, new), tuple(sorted(unknown)), tuple(sorted(sha.hex() for sha in missing)))


class _Search:
    """Reads commits newest first, from the tip and from what was seen, until only seen ones are left to read.

    Parents are kept as packed ids: what a long history costs in memory is one entry of a dictionary per commit.
    """

    def __init__(self, odb: pygit2.Odb, gaps: frozenset[bytes]) -> None:
        self._odb = odb
        self._gaps = gaps
        self._parents: dict[bytes, bytes] = {}
        self._seen: set[bytes] = set()
        self._queue: list[tuple[int, bytes]] = []
        self._waiting: set[bytes] = set()
        """The commits in the queue that are not seen."""
        self._oldest_new: int | None = None
        self.missing: set[bytes] = set()

    def enqueue(self, sha: bytes, *, seen: bool) -> bool:
        """Read a commit and put it into the queue, unless it was there before; False if it cannot be read."""
        if seen:
            self._mark_seen(sha)
        if sha in self._parents:
            return True
        if sha in self.missing:
            return False
        try:
            data = read_raw(self._odb, sha)
        except CommitError:
            self.missing.add(sha)
            return False
        self._parents[sha] = parents_of(data)
        heapq.heappush(self._queue, (-committed_at(data), sha))
        if sha not in self._seen:
            self._waiting.add(sha)
        return True

    def run(self) -> None:
        """Read all that must be read."""
        while self._queue and (self._waiting or self._may_be_seen_yet()):
            time, sha = heapq.heappop(self._queue)
            seen = sha in self._seen
            if not seen:
                self._waiting.discard(sha)
                self._oldest_new = -time if self._oldest_new is None else min(self._oldest_new, -time)
            for parent in _split(self._parents[sha]):
                self.enqueue(parent, seen=seen and parent not in self._gaps)

    def new(self) -> dict[bytes, bytes]:
        """The packed parents of each commit that was not seen. Ends the search."""
        for sha in self._seen:
            self._parents.pop(sha, None)
        return self._parents

    def _may_be_seen_yet(self) -> bool:
        """Whether what is left, all of it seen, is new enough to have one of the new commits among its ancestors."""
        return self._oldest_new is not None and -self._queue[0][0] >= self._oldest_new

    def _mark_seen(self, sha: bytes) -> None:
        """Mark a commit and all that is known of its ancestors."""
        stack = [sha]
        while stack:
            current = stack.pop()
            if current in self._seen:
                continue
            self._seen.add(current)
            self._waiting.discard(current)
            stack.extend(each for each in _split(self._parents.get(current, b"")) if each not in self._gaps)


def _parents_first(starts: Sequence[bytes], parents: dict[bytes, bytes]) -> bytes:
    """The ids in `parents`, each after those of its parents that are there too. Empties `parents`."""
    order = bytearray()
    stack = list(starts)
    while stack:
        sha = stack[-1]
        before = [parent for parent in _split(parents.get(sha, b"")) if parent in parents]
        if before:
            stack.extend(reversed(before))
            continue
        stack.pop()
        if parents.pop(sha, None) is not None:
            order += sha
    return bytes(order)


def _split(ids: bytes) -> Iterator[bytes]:
    return (ids[start : start + _ID_BYTES] for start in range(0, len(ids), _ID_BYTES))
