r"""The text form of a commit sample, version 1: sections between marker lines, read back without doubt.

A marker line is a run of "=", a space, and the section's name, such as "===== commit message". The run is as long in
one sample as in its first line: the least number from five on that no line of the content begins with, followed by a
space. So content stands as it is, never escaped, and a line is a marker exactly if its run has that length. Content is
followed by one "\n" of the form's own. What belongs here: writing and reading sections. What does not: what they hold
and how much of it (`sample.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from seed_platform.commits.apply import FileChange, parse_changes
from seed_platform.commits.quoting import QUOTED, quoted, unquoted

MESSAGE, README, TREE, FILE, PATHS, CHANGES = (
    "commit message",
    "readme",
    "directory tree",
    "relevant file",
    "modified files",
    "changes",
)
_SHORTEST = 5
_RUN = re.compile("(=+) ")
_LATER_RUN = re.compile("\n=(=*) ")
_NAME = re.compile(f"({README}|{TREE}|{FILE})( \\(beginning\\))?(?:: ({QUOTED}|.+))?")


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the context.

    Attributes:
        section: `README`, `TREE` or `FILE`.
        path: of the file shown; None for the tree.
        content: as much as is shown.
        shortened: whether that is not all.
    """

    section: str
    path: str | None
    content: str
    shortened: bool = False

    @property
    def name(self) -> str:
        """What stands on its marker line."""
        shown = f"{self.section} (beginning)" if self.shortened else self.section
        return shown if self.path is None else f"{shown}: {quoted(self.path)}"


@dataclass(frozen=True, slots=True)
class ParsedSample:
    """A sample taken apart: `target` are the changes, to be applied to the files before the commit."""

    message: str
    context: tuple[Part, ...]
    target: tuple[FileChange, ...]


class SampleError(ValueError):
    """Text that is no sample of this version."""


def marker_length(contents: Iterable[str]) -> int:
    """The length of the run of "=" for a sample that holds nothing but parts of these contents."""
    used = {len(match[1]) + 1 for content in contents for match in _LATER_RUN.finditer(f"\n{content}")}
    length = _SHORTEST
    while length in used:
        length += 1
    return length


def section(length: int, name: str, content: str) -> str:
    """One section as text."""
    return f"{'=' * length} {name}\n{content}\n"


def target_sections(length: int, changes: Iterable[FileChange]) -> str:
    """The target: the changed paths, a line each, then the changes."""
    shown = tuple(changes)
    paths = "".join(_path_line(change) for change in shown)
    return section(length, PATHS, paths) + section(length, CHANGES, "".join(change.text for change in shown))


def _path_line(change: FileChange) -> str:
    if change.old_path is None:
        return f"{change.kind} {quoted(change.path)}\n"
    return f"{change.kind} {quoted(change.old_path)} -> {quoted(change.path)}\n"


def parse_sample(text: str) -> ParsedSample:
    """Take a sample apart. Raises `SampleError` if it is none, or one of its patches cannot be read."""
    first = _RUN.match(text)
    if not first:
        raise SampleError("no marker in the first line")
    if not text.endswith("\n"):
        raise SampleError("the last section has no end")
    pieces = re.split(f"^={{{len(first[1])}}} (.*)\n", text, flags=re.MULTILINE)
    names, contents = pieces[1::2], [piece[:-1] for piece in pieces[2::2]]
    if names[:1] != [MESSAGE] or names[-2:] != [PATHS, CHANGES]:
        raise SampleError(f"sections in another order: {', '.join(names)}")
    try:
        target = parse_changes(contents[-1])
    except ValueError as error:
        raise SampleError(str(error)) from error
    if contents[-2] != "".join(map(_path_line, target)):
        raise SampleError("the paths are not those of the changes")
    return ParsedSample(contents[0], tuple(map(_part, names[1:-2], contents[1:-2])), target)


def _part(name: str, content: str) -> Part:
    match = _NAME.fullmatch(name)
    if not match:
        raise SampleError(f"no such section: {name}")
    return Part(match[1], None if match[3] is None else unquoted(match[3]), content, bool(match[2]))
