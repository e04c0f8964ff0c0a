"""Two versions of a repository: the paths that differ, their sizes, renames, and the differences of their contents.

What belongs here: the order in which costs are incurred, each only where the bounds allow it. What does not: commits
(`changes.py`) and the comparison of two trees (`trees.py`) or of two contents (`unified.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pygit2
from pygit2.enums import DeltaStatus, DiffFind, DiffOption, FileMode, ObjectType

from seed_platform.commits.trees import Difference, TreeError, compare_trees
from seed_platform.commits.unified import TextDiff, compare
from seed_platform.sources.git_tree import GIT_ERRORS

_RENAME_LIMIT = 200
"""Deleted files that an added one is compared with."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two versions differ.

    Attributes:
        entries: the differing paths, in byte order; the first of them if there are too many.
        count: of all of them, as far as they were counted.
        diffs: of each entry one difference, or two if its type changes; empty if contents were not compared.
        omitted: why they were not: "missing_object", "too_many_paths", "too_large".
    """

    entries: list[Difference] = field(default_factory=list)
    count: int = 0
    diffs: list[tuple[TextDiff, ...]] = field(default_factory=list)
    omitted: str | None = None


def compare_versions(
    repository: pygit2.Repository, old: bytes | None, new: bytes, max_paths: int, max_content: int
) -> Comparison:
    """Compare two trees.

    Args:
        repository: where they are.
        old: id of the tree before; None if there was none.
        new: id of the tree after.
        max_paths: contents of more changed paths are not compared.
        max_content: nor are more bytes of contents than this.
    """
    try:
        trees = compare_trees(repository.odb, old, new, max_paths)
    except TreeError:
        return Comparison(omitted="missing_object")
    whole = _measure(repository.odb, trees.first)
    if not trees.complete or trees.count > max_paths:
        return Comparison(trees.first, trees.count, omitted="too_many_paths")
    if not whole:
        return Comparison(trees.first, trees.count, omitted="missing_object")
    entries = trees.first
    if (
        old is not None
        and any(each.old_id is None for each in entries)
        and any(each.new_id is None for each in entries)
    ):
        exact = _bytes_to_compare(entries) > max_content
        entries = _join_renames(entries, _find_renames(repository, old, new, exact=exact))
    if _bytes_to_compare(entries) > max_content:
        return Comparison(entries, len(entries), omitted="too_large")
    try:
        return Comparison(entries, len(entries), [_diffs_of(repository, entry) for entry in entries])
    except GIT_ERRORS:
        return Comparison(entries, len(entries), omitted="missing_object")


def _measure(odb: pygit2.Odb, entries: Iterable[Difference]) -> bool:
    """Look up the sizes of the contents; False if one of them is not there."""
    whole = True
    for entry in entries:
        if entry.old_id is not None and entry.old_mode != FileMode.COMMIT:
            size = _size_of(odb, entry.old_id)
            entry.old_bytes = size or 0
            whole = whole and size is not None
        if entry.new_id is not None and entry.new_mode != FileMode.COMMIT:
            size = _size_of(odb, entry.new_id)
            entry.new_bytes = size or 0
            whole = whole and size is not None
    return whole


def _size_of(odb: pygit2.Odb, oid: bytes) -> int | None:
    """The size of a content; None if it is not there."""
    try:
        kind, size = odb.read_header(pygit2.Oid(raw=oid))
    except GIT_ERRORS:
        return None
    return size if kind == ObjectType.BLOB else None


def _bytes_to_compare(entries: Iterable[Difference]) -> int:
    return sum(entry.old_bytes + entry.new_bytes for entry in entries if entry.old_id != entry.new_id)


def _find_renames(
    repository: pygit2.Repository, old: bytes, new: bytes, *, exact: bool
) -> Iterator[tuple[bytes, bytes]]:
    """(path before, path after) of what libgit2 takes for a rename: half of the content is the same, or all (`exact`).

    All settings are given, so that none of the user's or of the repository's own count.
    """
    flags = DiffFind.FIND_RENAMES | (DiffFind.FIND_EXACT_MATCH_ONLY if exact else DiffFind.FIND_BY_CONFIG)
    try:
        diff = repository.diff(pygit2.Oid(raw=old), pygit2.Oid(raw=new), flags=DiffOption.INCLUDE_TYPECHANGE)
        diff.find_similar(flags, rename_limit=_RENAME_LIMIT)
    except GIT_ERRORS:
        return
    for delta in diff.deltas:
        if delta.status == DeltaStatus.RENAMED:
            yield delta.old_file.raw_path, delta.new_file.raw_path


def _join_renames(entries: list[Difference], renames: Iterable[tuple[bytes, bytes]]) -> list[Difference]:
    """The entries with each deletion and addition that belong together made one."""
    deleted = {entry.path: entry for entry in entries if entry.new_id is None}
    added = {entry.path: entry for entry in entries if entry.old_id is None}
    moved: set[bytes] = set()
    for old_path, new_path in renames:
        source, target = deleted.get(old_path), added.get(new_path)
        if source is not None and target is not None:
            target.old_path = old_path
            target.old_id, target.old_mode, target.old_bytes = source.old_id, source.old_mode, source.old_bytes
            moved.add(old_path)
    return [entry for entry in entries if entry.new_id is not None or entry.path not in moved]


def _diffs_of(repository: pygit2.Repository, entry: Difference) -> tuple[TextDiff, ...]:
    if entry.old_id == entry.new_id and not entry.changes_type:
        return (TextDiff(),)
    old = _content(repository, entry.old_id, entry.old_mode)
    new = _content(repository, entry.new_id, entry.new_mode)
    return (compare(old, None), compare(None, new)) if entry.changes_type else (compare(old, new),)


def _content(repository: pygit2.Repository, oid: bytes | None, mode: int) -> pygit2.Blob | bytes | None:
    """What is compared: of a submodule the line that git shows."""
    if oid is None:
        return None
    if mode == FileMode.COMMIT:
        return f"Subproject commit {oid.hex()}\n".encode()
    blob = repository[pygit2.Oid(raw=oid)]
    if not isinstance(blob, pygit2.Blob):
        raise KeyError(oid.hex())
    return blob
