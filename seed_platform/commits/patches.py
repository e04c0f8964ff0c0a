"""Unified patches, as git writes them: their parts, the lines they change, and a key that equal changes share.

What belongs here: reading patches. What does not: applying them (`apply.py`), and the scan of the lines
(`patch_scan.py`). Patches without git's own headers (`diff -u`) are read too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa

from seed_platform.commits.patch_scan import (
    ADDED,
    CONTEXT,
    FILE,
    HUNK,
    NO_NEWLINE,
    OLD_PATH,
    REMOVED,
    Bytes,
    Offsets,
    digest,
    scan,
)
from seed_platform.commits.quoting import unquoted

_KEY_BYTES = 16
_SUBMODULE = 0o160000
_IN_HUNK = bytes((CONTEXT, ADDED, REMOVED, NO_NEWLINE))
_OPENING = re.compile(b"[%c%c]" % (FILE, OLD_PATH))
_RANGES = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))?")
_FIELD = re.compile(
    r"(diff --git|old mode|new mode|new file mode|deleted file mode|rename from|rename to|copy from|copy to|index"
    r"|Binary files|GIT binary patch|---|\+\+\+)(?: (.*))?"
)


@dataclass(frozen=True, slots=True)
class Hunk:
    r"""One run of changed lines with its context. Starts are 1-based, 0 in a file of no lines.

    `lines` have their sign first and their "\n" last, unless the file ends without one.
    """

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FilePatch:
    """What a patch says of one file.

    Attributes:
        path: after the change; before it, for a deletion.
        old_path: before the change, if it is another.
        kind: "add", "modify", "delete", "rename", "copy", "mode" or "submodule".
        old_mode: as git counts modes; None where the patch does not say.
        new_mode: as `old_mode`.
        binary: whether the patch says only that the contents differ.
        hunks: in the order of the file.
    """

    path: str
    old_path: str | None
    kind: str
    old_mode: int | None
    new_mode: int | None
    binary: bool
    hunks: tuple[Hunk, ...]


def parse_patch(patch: str) -> list[FilePatch]:
    """The files of a patch, in its order; text around them is skipped.

    Raises:
        ValueError: a hunk has fewer lines than it says, or a path in quotes is not UTF-8.
    """
    return list(iterate_patch(patch))


def iterate_patch(patch: str) -> Iterator[FilePatch]:
    """`parse_patch`, file by file, for who needs not all of them."""
    lines = patch.split("\n")
    found = np.frombuffer(patch.encode(), dtype=np.uint8)
    kinds, starts = np.empty(len(lines) + 1, np.uint8), np.empty(len(lines) + 1, np.int64)
    told = kinds[: scan(found, 0, len(found), kinds, starts)].tobytes()
    begins = _file_starts(told)
    return (_file(lines, told, begin, end) for begin, end in pairwise([*begins, len(told)]))


def changed_lines(patch: str) -> str:
    """Each file's path on a line, then its added and removed lines with their sign; for near duplicates."""
    text = patch.encode()
    bounds = np.array((0, len(text)), dtype=np.int64)
    return _digest(np.frombuffer(text, dtype=np.uint8), bounds, identity=False)[0].tobytes().decode()


def changed_lines_of(column: pl.Series) -> pl.Series:
    """`changed_lines` of each patch of a column of strings; null stays null."""
    array, text, offsets = _bytes_of(column)
    out, ends = _digest(text, offsets, identity=False)
    buffers = [array.is_valid().buffers()[1], pa.py_buffer(ends), pa.py_buffer(out)]
    changes = pa.Array.from_buffers(pa.large_string(), len(array), buffers)
    return pl.Series(column.name, changes, dtype=pl.String)


def change_key(patch: str) -> str:
    """A key that is equal for equal changes, wherever in their files they are made: 32 hex digits.

    As `git patch-id --stable`, it is over paths, modes, changed lines and their context without whitespace, and line
    numbers and the order of the files do not count. Unlike it, neither do similarities of renamed files nor the
    contents of binary files, which a patch does not hold.
    """
    text = patch.encode()
    bounds = np.array((0, len(text)), dtype=np.int64)
    return _key(_digest(np.frombuffer(text, dtype=np.uint8), bounds, identity=True)[0].tobytes())


def change_keys_of(column: pl.Series) -> pl.Series:
    """`change_key` of each patch of a column of strings; null stays null."""
    array, text, offsets = _bytes_of(column)
    out, ends = _digest(text, offsets, identity=True)
    whole, bounds = out.tobytes(), ends.tolist()
    keys = [
        _key(whole[bounds[row] : bounds[row + 1]]) if told else None
        for row, told in enumerate(array.is_valid().to_pylist())
    ]
    return pl.Series(column.name, keys, dtype=pl.String)


def _key(identity: bytes) -> str:
    return blake2b(b"\n".join(sorted(identity.split(b"\n"))), digest_size=_KEY_BYTES).hexdigest()


def _bytes_of(column: pl.Series) -> tuple[pa.LargeStringArray, Bytes, Offsets]:
    """The column as Arrow holds it: its array, the bytes of all rows, and where each begins."""
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    return array, np.frombuffer(data or b"", dtype=np.uint8), starts


def _digest(text: Bytes, offsets: Offsets, *, identity: bool) -> tuple[Bytes, Offsets]:
    if len(offsets) < 2:
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    size = int(offsets[-1] - offsets[0])
    # Each row of scratch is of the longest patch, whose lines are at most its bytes.
    breaks = np.add.reduceat(text == ord("\n"), np.minimum(offsets[:-1], len(text) - 1)) if size else np.zeros(1)
    out, ends = np.empty(size + len(offsets), np.uint8), np.empty(len(offsets), np.int64)
    digest(text, offsets, int(breaks.max()) + 2, identity, out, ends)
    return out[: ends[-1]], ends


def _file_starts(kinds: bytes) -> list[int]:
    """The lines at which files begin: "diff --git" or, where there is none, "---"."""
    begins: list[int] = []
    for found in _OPENING.finditer(kinds):
        line = found.start()
        in_header = begins and kinds[begins[-1]] == FILE and HUNK not in kinds[begins[-1] : line]
        if kinds[line] == FILE or not in_header:
            begins.append(line)
    return begins


def _file(lines: list[str], kinds: bytes, begin: int, end: int) -> FilePatch:
    """The file whose lines are `lines[begin:end]`."""
    first = kinds.find(HUNK, begin, end)
    fields = [_FIELD.match(line) for line in lines[begin : end if first < 0 else first]]
    header = {field[1]: field[2] or "" for field in fields if field}
    old_path, path = _paths(header)
    old_mode, new_mode = _modes(header)
    hunks = []
    while first >= 0:
        hunks.append(_hunk(lines, kinds, first, end))
        first = kinds.find(HUNK, first + 1, end)
    binary = "Binary files" in header or "GIT binary patch" in header
    kind = (
        "submodule" if _SUBMODULE in (old_mode, new_mode)
        else "add" if old_path is None
        else "delete" if path is None
        else "rename" if "rename to" in header
        else "copy" if "copy to" in header
        else "modify" if hunks or binary or "old mode" not in header
        else "mode"
    )  # fmt: skip
    renamed = old_path if path is not None and old_path != path else None
    return FilePatch(path or old_path or "", renamed, kind, old_mode, new_mode, binary, tuple(hunks))


def _paths(header: dict[str, str]) -> tuple[str | None, str | None]:
    """The paths before and after, None where there is no file."""
    if "---" in header and "+++" in header:
        return _side(header["---"]), _side(header["+++"])
    for verb in ("rename", "copy"):
        if f"{verb} to" in header:
            return unquoted(header.get(f"{verb} from", "")), unquoted(header[f"{verb} to"])
    # "a/x b/x": both halves are equal where no other line names the path.
    both = header.get("diff --git", "")
    path = _side(both[: len(both) // 2])
    return None if "new file mode" in header else path, None if "deleted file mode" in header else path


def _side(text: str) -> str | None:
    """The path behind "---" or "+++", without its prefix and what some programs write behind a tab."""
    path = unquoted(text.partition("\t")[0])
    if path == "/dev/null":
        return None
    return path[2:] if path.startswith(("a/", "b/")) else path


def _modes(header: dict[str, str]) -> tuple[int | None, int | None]:
    same = header.get("index", "").partition(" ")[2]
    old = header.get("old mode") or header.get("deleted file mode") or same
    new = header.get("new mode") or header.get("new file mode") or same
    return int(old, 8) if old else None, int(new, 8) if new else None


def _hunk(lines: list[str], kinds: bytes, at: int, end: int) -> Hunk:
    """The hunk whose first line, the one with the line numbers, is `lines[at]`."""
    inside = kinds[at + 1 : end]
    size = len(inside) - len(inside.lstrip(_IN_HUNK))
    inside = inside[:size]
    found = _RANGES.match(lines[at])
    ranges = found.groups(default="1") if found else ("0",) * 4
    old_start, old_count, new_start, new_count = map(int, ranges)
    context = inside.count(CONTEXT)
    if (context + inside.count(REMOVED), context + inside.count(ADDED)) != (old_count, new_count):
        raise ValueError(f"a hunk has fewer lines than it says: {lines[at]}")
    text = [line + "\n" if line else " \n" for line in lines[at + 1 : at + 1 + size]]
    marker = inside.find(NO_NEWLINE)
    while marker >= 0:
        text[marker - 1] = text[marker - 1][:-1]
        marker = inside.find(NO_NEWLINE, marker + 1)
    if NO_NEWLINE in inside:
        text = [line for line, kind in zip(text, inside, strict=True) if kind != NO_NEWLINE]
    return Hunk(old_start, old_count, new_start, new_count, tuple(text))
