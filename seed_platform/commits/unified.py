"""The text of a unified patch, file by file, in git's format.

What belongs here: the lines before a file's hunks, and the hunks of two contents. What does not: which files a patch
has (`comparison.py`), and reading patches (`apply.py`). libgit2 compares the contents; the lines before are written
here, since libgit2's depend on the user's configuration (`diff.noprefix`, `diff.mnemonicPrefix`), and contents are
compared without their names, since with them it would look for attributes in whatever is checked out.

As `git diff`, less what no reader of the change needs: the lines "index" and "similarity index". Paths are in quotes
only if they hold control characters, quotes or backslashes (`core.quotePath=false`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pygit2

from seed_platform.commits.quoting import quoted
from seed_platform.commits.trees import Difference

_NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True)
class TextDiff:
    """What comparing two contents gives: git's hunks, empty if they are equal or `binary`; changed lines."""

    hunks: bytes = b""
    added: int = 0
    deleted: int = 0
    binary: bool = False


def compare(old: pygit2.Blob | bytes | None, new: pygit2.Blob | bytes | None) -> TextDiff:
    """Compare two contents, None for no file, with 3 lines of context; binary is what has a NUL near its beginning.

    Raises:
        pygit2.GitError: libgit2 cannot compare them.
    """
    patch = pygit2.Patch.create_from(old, new)
    if patch.delta.is_binary:
        return TextDiff(binary=True)
    _, added, deleted = patch.line_stats
    if not added and not deleted:
        return TextDiff()
    data = patch.data
    return TextDiff(data[data.index(b"\n@@ ") + 1 :], added, deleted)


def sections(entry: Difference, diffs: tuple[TextDiff, ...]) -> Iterator[bytes]:
    """The parts of the patch that are about one path: one, or a deletion and an addition if its type changes.

    Args:
        entry: the path.
        diffs: one for each part.

    Raises:
        UnicodeDecodeError: a path is not UTF-8.
    """
    path = entry.path.decode()
    old_path = path if entry.old_path is None else entry.old_path.decode()
    if len(diffs) == 2:
        yield _section(path, path, (entry.old_mode, 0), diffs[0])
        yield _section(path, path, (0, entry.new_mode), diffs[1])
    else:
        yield _section(old_path, path, (entry.old_mode, entry.new_mode), diffs[0])


def _section(old_path: str, new_path: str, modes: tuple[int, int], diff: TextDiff) -> bytes:
    old_mode, new_mode = modes
    old, new = quoted(f"a/{old_path}"), quoted(f"b/{new_path}")
    lines = [f"diff --git {old} {new}"]
    if not old_mode:
        lines.append(f"new file mode {new_mode:06o}")
        old = _NOWHERE
    elif not new_mode:
        lines.append(f"deleted file mode {old_mode:06o}")
        new = _NOWHERE
    elif old_mode != new_mode:
        lines += [f"old mode {old_mode:06o}", f"new mode {new_mode:06o}"]
    if old_path != new_path:
        lines += [f"rename from {quoted(old_path)}", f"rename to {quoted(new_path)}"]
    if diff.binary:
        lines.append(f"Binary files {old} and {new} differ")
    elif diff.hunks:
        lines += [f"--- {old}{_tab(old)}", f"+++ {new}{_tab(new)}"]
    return "\n".join([*lines, ""]).encode() + diff.hunks


def _tab(name: str) -> str:
    """Git ends a name that holds a space with a tab, so that `patch` does not take what follows for a date."""
    return "\t" if " " in name else ""
