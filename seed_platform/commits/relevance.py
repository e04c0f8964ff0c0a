"""The files of a snapshot most relevant to a query, by BM25, kept up to date along a history.

From one snapshot to the next only files that differ are read, and of those only contents that were not counted lately.
A file is searched if it is regular, not too large, and UTF-8 without NUL. What belongs here: which files are in the
index. What does not: scores (`bm25.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from seed_platform.commits.bm25 import Index
from seed_platform.commits.listing import DirectoryTree
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import Entry, Files, Snapshot
from seed_platform.commits.terms import Terms, joined, terms_of

_NOTHING = Terms(np.empty(0, np.uint64), np.empty(0, np.uint32), 0)

Document = tuple[bytes, str]
"""What the index holds: a path and the blob there."""


class SnapshotTooLargeError(Exception):
    """The searched files of a snapshot are more than `CommitSamplePolicy.max_snapshot_bytes`."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A file and its score."""

    entry: Entry
    score: float


def searchable(content: bytes) -> bool:
    """Whether content is text: UTF-8 without NUL."""
    if b"\0" in content:
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


class TermCache:
    """Terms of contents by blob, the least recently used dropped beyond `max_bytes`. None is a content not searched."""

    _OVERHEAD = 500
    """Bytes of an entry beside its arrays, about."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, Terms | None] = OrderedDict()
        self.nbytes = 0

    def terms(self, snapshot: Snapshot, oid: str) -> Terms | None:
        """The terms of a blob, read if they are not at hand; None if it is not text. Raises `KeyError`."""
        if oid in self._entries:
            self._entries.move_to_end(oid)
            return self._entries[oid]
        content = snapshot.read(oid)
        terms = terms_of(content) if searchable(content) else None
        self._entries[oid] = terms
        self.nbytes += self._cost(terms)
        while self.nbytes > self._max_bytes:
            self.nbytes -= self._cost(self._entries.popitem(last=False)[1])
        return terms

    def _cost(self, terms: Terms | None) -> int:
        return self._OVERHEAD + (terms.nbytes if terms else 0)


class Relevance:
    """Searches the snapshots of one repository, one after the other. The closer they follow each other, the faster.

    What it finds depends on the snapshot and the query only, not on what came before.
    """

    def __init__(self, policy: CommitSamplePolicy, cache_bytes: int = 64 << 20) -> None:
        """`cache_bytes` bounds the terms that are kept of files that are in no snapshot at hand."""
        self.policy = policy
        self._cache = TermCache(cache_bytes)
        self.files = Files()
        self._searched: dict[bytes, Entry] = {}
        self._searched_bytes = 0
        self._tree: tuple[tuple[bytes, ...], DirectoryTree] | None = None
        self._forget()

    def _forget(self) -> None:
        self._index = Index()
        self._slots: dict[Document, int] = {}
        self._documents: list[Document] = []
        self._complete = False

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays of index and cache."""
        return self._index.nbytes + self._cache.nbytes

    def move_to(self, snapshot: Snapshot) -> None:
        """Search `snapshot` from now on.

        Raises `SnapshotError`, and then stays where it was; `SnapshotTooLargeError`, and then ranks nothing.
        """
        difference = self.files.move_to(snapshot)
        for path in difference.removed:
            self._leave(path)
        new = [entry for entry in difference.added if self._may_be_searched(entry)]
        for entry in new:
            self._searched[entry.path] = entry
            self._searched_bytes += entry.size or 0
        if self._searched_bytes > self.policy.max_snapshot_bytes:
            self._forget()
            raise SnapshotTooLargeError(f"{self._searched_bytes:,} bytes")
        for entry in new if self._complete else self._searched.values():
            self._enter(snapshot, entry)
        self._complete = True
        if self._index.wants_merge():
            self._merge()

    def _may_be_searched(self, entry: Entry) -> bool:
        return entry.size is not None and entry.size <= self.policy.max_indexed_bytes

    def _leave(self, path: bytes) -> None:
        entry = self._searched.pop(path, None)
        if entry is None:
            return
        self._searched_bytes -= entry.size or 0
        slot = self._slots.get((path, entry.oid))
        if slot is not None:
            self._index.remove(slot)

    def _enter(self, snapshot: Snapshot, entry: Entry) -> None:
        document = (entry.path, entry.oid)
        slot = self._slots.get(document)
        if slot is not None:
            self._index.restore(slot)
            return
        try:
            content = self._cache.terms(snapshot, entry.oid)
        except KeyError:
            return
        if content is None:
            return
        terms = content if "content" in self.policy.document else _NOTHING
        if "path" in self.policy.document:
            terms = joined(terms, terms_of(entry.path))
        self._slots[document] = self._index.add(terms)
        self._documents.append(document)

    def _merge(self) -> None:
        documents = zip(self._documents, self._index.merge(), strict=True)
        self._documents = [document for document, slot in documents if slot >= 0]
        self._slots = {document: slot for slot, document in enumerate(self._documents)}

    def rank(self, query: str, count: int, exclude: Collection[bytes] = ()) -> list[Ranked]:
        """The `count` files that score highest, best first, equal ones by path; only files with a term of the query.

        `exclude` are paths that are not wanted.
        """
        scores = self._index.scores(terms_of(query.encode()), self.policy.k1, self.policy.b)
        if not count or not len(scores):
            return []
        wanted = min(len(scores), count + len(exclude))
        least = np.partition(scores, -wanted)[-wanted]
        found = [
            Ranked(self._searched[self._documents[slot][0]], float(scores[slot]))
            for slot in np.flatnonzero((scores >= least) & (scores > 0))
            if self._documents[slot][0] not in exclude
        ]
        return sorted(found, key=lambda ranked: (-ranked.score, ranked.entry.path))[:count]

    def tree(self) -> DirectoryTree:
        """The directory tree of the snapshot."""
        paths = self.files.paths()
        if self._tree is None or self._tree[0] is not paths:
            self._tree = (paths, DirectoryTree(paths))
        return self._tree[1]
