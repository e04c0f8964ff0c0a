"""What one commit changed: its message, its people as hashes, the paths, and a unified patch against its first parent.

What belongs here: reading one commit, within bounds, into a record. What does not: which commits are read (`walk.py`),
how versions are compared (`comparison.py`), the text of a patch (`unified.py`), and any judgement.

Only names and sizes are looked at until it is known that the contents are worth reading: a change of 100 MB, or of
100,000 paths, costs next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import repeat

import pygit2
from pygit2.enums import FileMode, Option

from seed_platform.commits.comparison import Comparison, compare_versions
from seed_platform.commits.objects import (
    CommitError,
    CommitObject,
    Person,
    bound_cache,
    decode_message,
    parse_commit,
    read_raw,
    tree_of,
)
from seed_platform.commits.people import is_bot, person_id
from seed_platform.commits.trees import Difference
from seed_platform.commits.unified import TextDiff, sections
from seed_platform.sources.base import Rejection, display_path

_CONTENT_PER_PATCH = 16
"""Contents up to this many times the size of the largest patch are read: most of a changed file did not change."""


@dataclass(frozen=True, slots=True)
class CommitLimits:
    """Bounds of what is stored of one commit; see the settings of the same names.

    Attributes:
        max_patch_bytes: a longer patch is omitted, and so is one that takes 16 times as many bytes of contents
            to make.
        max_commit_paths: changed paths; of a commit with more only the first are stored, and no patch.
    """

    max_patch_bytes: int
    max_commit_paths: int


@dataclass(frozen=True, slots=True)
class Change:
    r"""One changed path, of the commit against its first parent.

    Attributes:
        path: after the commit; before it, for a deletion. Bytes that are not UTF-8 are shown as \xNN.
        old_path: before the commit, only if the file was renamed.
        kind: "add", "modify", "delete", "rename" (changed as well or not), "mode" (nothing else), "type" (file, link
            and submodule are types), "submodule".
        old_blob: id of the content before, in hex; None if there was none. A submodule's is a commit of elsewhere.
        new_blob: the same, after.
        old_mode: as in the tree, e.g. 0o100644; 0 if there was none.
        new_mode: the same, after.
        old_bytes: size of the content; 0 for none, for a submodule, and for a content that is not there.
        new_bytes: the same, after.
        added: lines; 0 where contents were not compared.
        deleted: lines; 0 where contents were not compared.
        binary: contents were compared and are not text.
    """

    path: str
    old_path: str | None
    kind: str
    old_blob: str | None
    new_blob: str | None
    old_mode: int
    new_mode: int
    old_bytes: int
    new_bytes: int
    added: int
    deleted: int
    binary: bool


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """All that is stored of a commit.

    Attributes:
        sha: its id in hex.
        parents: their ids in hex.
        merge: more than one parent.
        author: the hash of a person, as `people.person_id` makes it.
        committer: the same.
        bot: a program is the author.
        authored_at: None if it is no date of the calendar.
        committed_at: the same.
        message: as text.
        message_encoding: what the message was decoded by.
        tree: id of its tree in hex.
        parent_tree: id of the tree it was made on; None for a root commit, or if the parent is not there.
        changed_paths: the number of all of them, a rename counting once; 0 if they are not known.
        changes: the first `CommitLimits.max_commit_paths` of them in the order of their paths' bytes.
        patch: the unified diff in git's format; None if it is omitted. Empty if nothing changed.
        omitted: why there is no patch: "merge", "missing_parent", "missing_object", "too_many_paths", "too_large" or
            "not_utf8" (a path or a line). Of a merge, or without the parent, there are no `changes` either.
    """

    sha: str
    parents: tuple[str, ...]
    merge: bool
    author: str
    committer: str
    bot: bool
    authored_at: datetime | None
    committed_at: datetime | None
    message: str
    message_encoding: str
    tree: str
    parent_tree: str | None
    changed_paths: int
    changes: tuple[Change, ...]
    patch: str | None
    omitted: str | None


def read_commit(
    repository: pygit2.Repository, sha: str | bytes, limits: CommitLimits, key: bytes = b""
) -> CommitRecord | Rejection:
    """Read one commit.

    Args:
        repository: where it is.
        sha: its id, in hex or 20 bytes.
        limits: bounds.
        key: a secret for the hashes of persons, up to 64 bytes.

    Returns:
        The record, or if the commit itself cannot be read a rejection with its id for a path: `missing_object`,
        `not_a_commit`, `corrupt_commit`.
    """
    name = bytes.fromhex(sha) if isinstance(sha, str) else sha
    bound_cache()
    with _unverified():
        try:
            commit = parse_commit(read_raw(repository.odb, name))
        except CommitError as error:
            return Rejection(name.hex(), error.reason, error.detail)
        parent_tree, found = _against_parent(repository, commit, limits)
        patch, omitted = _patch_of(found, limits)
    message, encoding = decode_message(commit)
    return CommitRecord(
        sha=name.hex(),
        parents=tuple(parent.hex() for parent in commit.parents),
        merge=len(commit.parents) > 1,
        author=person_id(commit.author, key),
        committer=person_id(commit.committer, key),
        bot=is_bot(commit.author),
        authored_at=_moment(commit.author),
        committed_at=_moment(commit.committer),
        message=message,
        message_encoding=encoding,
        tree=commit.tree.hex(),
        parent_tree=parent_tree.hex() if parent_tree else None,
        changed_paths=found.count,
        changes=tuple(map(_change, found.entries, found.diffs or repeat(()))),
        patch=patch,
        omitted=omitted,
    )


@contextmanager
def _unverified() -> Iterator[None]:
    """Do not hash every object that is read, as git does not: that is 40 % of the time of a diff.

    What is damaged is found by zlib's own checksums. The setting is the process's, so it is put back.
    """
    pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, False)  # noqa: FBT003 - the signature is pygit2's
    try:
        yield
    finally:
        pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, True)  # noqa: FBT003


def _moment(person: Person) -> datetime | None:
    try:
        return None if person.time is None else datetime.fromtimestamp(person.time, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _against_parent(
    repository: pygit2.Repository, commit: CommitObject, limits: CommitLimits
) -> tuple[bytes | None, Comparison]:
    """The tree of the first parent, and what the commit changed in it."""
    merge = len(commit.parents) > 1
    before: bytes | None = None
    if commit.parents:
        try:
            before = tree_of(read_raw(repository.odb, commit.parents[0]))
        except CommitError:
            return None, Comparison(omitted="merge" if merge else "missing_parent")
    if merge:
        return before, Comparison(omitted="merge")
    max_content = limits.max_patch_bytes * _CONTENT_PER_PATCH
    return before, compare_versions(repository, before, commit.tree, limits.max_commit_paths, max_content)


def _patch_of(found: Comparison, limits: CommitLimits) -> tuple[str | None, str | None]:
    """The patch, or None and why it is omitted."""
    if found.omitted:
        return None, found.omitted
    if sum(len(diff.hunks) for diffs in found.diffs for diff in diffs) > limits.max_patch_bytes:
        return None, "too_large"
    try:
        parts = [
            part for entry, diffs in zip(found.entries, found.diffs, strict=True) for part in sections(entry, diffs)
        ]
        patch = b"".join(parts)
        text = patch.decode()
    except UnicodeDecodeError:
        return None, "not_utf8"
    return (text, None) if len(patch) <= limits.max_patch_bytes else (None, "too_large")


def _change(entry: Difference, diffs: tuple[TextDiff, ...]) -> Change:
    return Change(
        path=display_path(entry.path),
        old_path=None if entry.old_path is None else display_path(entry.old_path),
        kind=_kind(entry),
        old_blob=entry.old_id.hex() if entry.old_id else None,
        new_blob=entry.new_id.hex() if entry.new_id else None,
        old_mode=entry.old_mode,
        new_mode=entry.new_mode,
        old_bytes=entry.old_bytes,
        new_bytes=entry.new_bytes,
        added=sum(diff.added for diff in diffs),
        deleted=sum(diff.deleted for diff in diffs),
        binary=any(diff.binary for diff in diffs),
    )


def _kind(entry: Difference) -> str:
    if entry.old_path is not None:
        return "rename"
    if entry.changes_type:
        return "type"
    if FileMode.COMMIT in (entry.old_mode, entry.new_mode):
        return "submodule"
    if entry.old_id is None:
        return "add"
    if entry.new_id is None:
        return "delete"
    return "mode" if entry.old_id == entry.new_id else "modify"
