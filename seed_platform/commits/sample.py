"""A commit as a sample of change prediction (PAPER §3): from message and snapshot to the paths and the changes.

What does not fit is left out in this order: relevant files from the end of the last one, the directory tree from its
deepest folders, the README from its end. Message and changes are never shortened. Changes that are no text (binary
files, submodules) are no part of the target. What belongs here: what a sample holds. What does not: its text form
(`template.py`), and how files are found (`relevance.py`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from seed_platform.commits.apply import FileChange, parse_changes
from seed_platform.commits.listing import DirectoryTree
from seed_platform.commits.relevance import Relevance, SnapshotTooLargeError, searchable
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import SUBMODULE, Entry, Snapshot, SnapshotError
from seed_platform.commits.template import (
    FILE,
    MESSAGE,
    README,
    TREE,
    Part,
    marker_length,
    section,
    target_sections,
)
from seed_platform.sources.base import display_path

_README = re.compile(rb"readme(?:\.(md|markdown|rst|txt|adoc|asciidoc|org|rdoc|pod|textile|mdown))?", re.IGNORECASE)
_TRAILER = re.compile(r"^[A-Za-z-]+-by: .*$", re.MULTILINE)


class Changed(Protocol):
    """What is asked of a changed path; `changes.Change` has it."""

    @property
    def path(self) -> str:
        """The path after the commit."""
        ...

    @property
    def old_mode(self) -> int:
        """As in the tree before."""
        ...

    @property
    def new_mode(self) -> int:
        """As in the tree after."""
        ...

    @property
    def binary(self) -> bool:
        """Whether its content is no text."""
        ...


@dataclass(frozen=True, slots=True)
class CommitView:
    """What a sample needs of a commit.

    Attributes:
        message: decoded.
        changes: its changed paths.
        patch: in git's form; None if it was left out.
        omitted: why it was left out.
        has_parent: whether there is a snapshot before it.
    """

    message: str
    changes: Sequence[Changed]
    patch: str | None
    omitted: str | None = None
    has_parent: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample.

    Attributes:
        text: all of it.
        tokens: the estimate for `text`.
        context_tokens: the estimate for what stands before the target.
        target_offset: where the target begins in `text`, in characters.
        relevant: paths of the relevant files shown, best first.
        truncated: what was shortened or left out: "readme", "directory tree", paths of relevant files.
        left_out: paths of changes that are no text.
    """

    text: str
    tokens: int
    context_tokens: int
    target_offset: int
    relevant: tuple[str, ...]
    truncated: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoSample:
    """Why a commit gives no sample.

    Attributes:
        reason: the commit's own `omitted`, or "no_patch", "root_commit", "unreadable_patch", "no_text_change",
            "over_budget", "snapshot_too_large" or "missing_object".
        detail: one line for a person.
    """

    reason: str
    detail: str = ""


def build_sample(
    commit: CommitView, snapshot: Snapshot, relevance: Relevance, policy: CommitSamplePolicy
) -> Sample | NoSample:
    """The sample of a commit, or why there is none.

    Args:
        commit: what changed.
        snapshot: the files before it.
        relevance: of the same repository and policy; moves to `snapshot`. Commits in the order of the history are
            cheap, since only what differs from the last snapshot is read.
        policy: what to show.
    """
    target = _target(commit)
    if isinstance(target, NoSample):
        return target
    text_changes, left_out = target
    target_text = "".join(change.text for change in text_changes)
    budget = math.floor(policy.max_tokens * policy.bytes_per_token)
    if len(commit.message.encode()) + len(target_text.encode()) > budget:
        return NoSample("over_budget")
    try:
        relevance.move_to(snapshot)
    except SnapshotError as error:
        return NoSample("missing_object", str(error))
    except SnapshotTooLargeError as error:
        return NoSample("snapshot_too_large", str(error))
    parts = _context(commit, text_changes, snapshot, relevance, policy)
    length = marker_length([commit.message, target_text, *(part.content for part in parts)])
    head = section(length, MESSAGE, commit.message)
    tail = target_sections(length, text_changes)
    left = budget - len(head.encode()) - len(tail.encode())
    if left < 0:
        return NoSample("over_budget")
    shown, truncated = _fitted(parts, length, left, relevance.tree(), policy)
    head += "".join(section(length, part.name, part.content) for part in shown)
    return Sample(
        text=head + tail,
        tokens=_tokens(head + tail, policy),
        context_tokens=_tokens(head, policy),
        target_offset=len(head),
        relevant=tuple(part.path for part in shown if part.section == FILE and part.path is not None),
        truncated=truncated,
        left_out=left_out,
    )


def _tokens(text: str, policy: CommitSamplePolicy) -> int:
    return math.ceil(len(text.encode()) / policy.bytes_per_token)


def _target(commit: CommitView) -> tuple[tuple[FileChange, ...], tuple[str, ...]] | NoSample:
    """The changes to predict, and the paths of those that are no text."""
    if commit.patch is None:
        return NoSample(commit.omitted or "no_patch")
    if not commit.has_parent:
        return NoSample("root_commit")
    try:
        changes = parse_changes(commit.patch)
    except ValueError as error:
        return NoSample("unreadable_patch", str(error))
    no_text = {
        change.path for change in commit.changes if change.binary or SUBMODULE in (change.old_mode, change.new_mode)
    }
    kept = tuple(change for change in changes if change.path not in no_text)
    if not kept:
        return NoSample("no_text_change")
    return kept, tuple(sorted(no_text))


def _context(
    commit: CommitView,
    target: Sequence[FileChange],
    snapshot: Snapshot,
    relevance: Relevance,
    policy: CommitSamplePolicy,
) -> list[Part]:
    """README, tree and relevant files in full, the most important first."""
    parts = []
    readme = _readme(snapshot, relevance)
    if readme is not None:
        parts.append(readme)
    parts.append(Part(TREE, None, relevance.tree().fitting(_bytes(policy.tree_tokens, policy))[0]))
    query = {"message": _TRAILER.sub("", commit.message), "readme": readme.content if readme else ""}
    exclude = {readme.path.encode()} if readme and readme.path else set()
    if not policy.show_modified:
        exclude |= {(change.old_path or change.path).encode() for change in target}
    ranked = relevance.rank("\n".join(query[field] for field in policy.query), policy.relevant_files, exclude)
    for found in ranked:
        content = _text(snapshot, found.entry)
        if content is not None:
            parts.append(Part(FILE, display_path(found.entry.path), content))
    return parts


def _readme(snapshot: Snapshot, relevance: Relevance) -> Part | None:
    """The README in the root, one with an ending known for prose before one without, by name."""
    names = [path for path in relevance.files.paths() if b"/" not in path and _README.fullmatch(path)]
    for name in sorted(names, key=lambda name: (b"." not in name, name)):
        entry = relevance.files.entries[name]
        if entry.size is not None and entry.size <= relevance.policy.max_indexed_bytes:
            content = _text(snapshot, entry)
            if content is not None:
                return Part(README, display_path(name), content)
    return None


def _text(snapshot: Snapshot, entry: Entry) -> str | None:
    try:
        content = snapshot.read(entry.oid)
    except KeyError:
        return None
    return content.decode() if searchable(content) else None


def _bytes(tokens: int, policy: CommitSamplePolicy) -> int:
    return math.floor(tokens * policy.bytes_per_token)


def _fitted(
    parts: Sequence[Part], length: int, left: int, tree: DirectoryTree, policy: CommitSamplePolicy
) -> tuple[list[Part], tuple[str, ...]]:
    """The parts that fit into `left` bytes, and the names of those that are not shown whole.

    What comes after a part that the budget shortens is left out, so that nothing less important takes its place.
    """
    own = {README: policy.readme_tokens, TREE: policy.tree_tokens, FILE: policy.file_tokens}
    shown, truncated = [], []
    for whole in parts:
        most = _bytes(own[whole.section], policy)
        room = left - len(section(length, replace(whole, shortened=True).name, "").encode())
        part = _fit(whole, min(most, room), tree)
        if part is None or part.shortened:
            truncated.append(whole.path if whole.section == FILE and whole.path else whole.section)
            if room < most:
                left = 0
        if part is not None:
            shown.append(part)
            left -= len(section(length, part.name, part.content).encode())
    return shown, tuple(truncated)


def _fit(part: Part, max_bytes: int, tree: DirectoryTree) -> Part | None:
    """The part with as much content as fits, in whole lines; None if that is nothing."""
    raw = part.content.encode()
    if part.section == TREE:
        content, shortened = tree.fitting(max_bytes)
    elif len(raw) <= max_bytes:
        content, shortened = part.content, False
    else:
        content, shortened = raw[: raw.rfind(b"\n", 0, max(0, max_bytes)) + 1].decode(), True
    if max_bytes < 0 or (shortened and not content):
        return None
    return replace(part, content=content, shortened=shortened)
