"""Data sets as a source of reference documents: JSON Lines, Parquet, or a folder that `seed export` made.

Each row is a file, named by its place: "humaneval.jsonl/000012". Its text is the column `text`, else `content`, or the
columns that the spec names (`FILE#prompt+canonical_solution`), joined with newlines. What belongs here: rows of local
files as texts, one at a time. What does not: where else rows may come from, and any judgement of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from seed_platform.sources.archive import open_archive, sha256_of
from seed_platform.sources.base import Limits, PinnedSource, Rejection, SourceError, SourceFile, display_text
from seed_platform.sources.dataset_rows import SUFFIXES, Broken, columns_of, read_rows
from seed_platform.sources.locations import absolute

MANIFEST = "manifest.json"
TEXT_COLUMNS = ("text", "content")
"""What a text is in when no column is named: the first of these that there is."""

_MOST_MANIFEST_BYTES = 64 << 20


def is_dataset(spec: str) -> bool:
    """Whether `spec` names a data set on this machine, with columns behind a '#' or without."""
    try:
        path = Path(_split(spec)[0])
        return path.is_file() if path.name.lower().endswith(SUFFIXES) else _shards(path) is not None
    except (OSError, ValueError):
        return False


class DatasetSource:
    """Reads the rows of a data set in their order; the revision is the digest of its bytes."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Take the SHA-256 of the file, or of the names and digests of an export's files, and look for the columns.

        Raises:
            SourceError: `missing_path`, `permission_denied`, `corrupt_dataset`, `no_text_column`.
        """
        given, columns = _split(spec)
        path = absolute(Path(given))
        found = columns_of(_files(path)[0][1], limits)
        missing = [name for name in columns if name not in found]
        if missing or not (columns or set(TEXT_COLUMNS) & found.keys()):
            wanted = " and ".join(missing) if missing else " or ".join(TEXT_COLUMNS)
            there = ", ".join(sorted(found)[:20]) or "none"
            told = f"{given} has no column of text called {wanted} (there are: {there}); name one as FILE#COLUMN"
            raise SourceError("no_text_column", told)
        suffix = next((end for end in SUFFIXES if path.name.lower().endswith(end)), "")
        name = display_text(path.name)
        named = f"#{'+'.join(columns)}"
        return PinnedSource(
            spec=display_text(spec),
            kind="dataset",
            locator=f"{path}{named}",
            repository=name[: len(name) - len(suffix)] or name,
            origin=f"local/{name}{display_text(named) if columns else ''}",
            revision=_digest(path),
        )

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield a file for each row that has a text.

        Raises:
            SourceError: `changed_since_added`, `archive_bomb`, and as `pin`.
        """
        del cache
        location, _, named = source.locator.rpartition("#")
        columns = tuple(named.split("+")) if named else ()
        path = Path(location)
        if _digest(path) != source.revision:
            raise SourceError("changed_since_added", f"{location} is not as it was when it was added")
        for name, file in _files(path):
            for number, row in enumerate(read_rows(file, columns or TEXT_COLUMNS, limits)):
                yield _document(f"{name}/{number:06d}", row, columns, limits)


def _split(spec: str) -> tuple[str, tuple[str, ...]]:
    """The path and the columns that a spec names; a path that exists as it is written names none."""
    path, mark, named = spec.rpartition("#")
    if not mark or Path(spec).exists():
        return spec, ()
    columns = tuple(named.split("+"))
    return path, columns if all(columns) else ()


def _files(path: Path) -> list[tuple[str, Path]]:
    """The data set's files in order, each with the name that its rows go by."""
    if path.name.lower().endswith(SUFFIXES) and not path.is_dir():
        return [(display_text(path.name), path)]
    shards = _shards(path)
    if not shards:
        raise SourceError("missing_path", f"{path} does not exist, or is no folder that `seed export` made")
    return [(f"data/{name}", path / "data" / name) for name in shards]


def _shards(folder: Path) -> list[str] | None:
    """The names of an export's files, in order; None if the folder is no export."""
    manifest = folder / MANIFEST
    if not (folder / "data").is_dir() or not manifest.is_file() or manifest.stat().st_size > _MOST_MANIFEST_BYTES:
        return None
    try:
        value = json.loads(manifest.read_bytes())
        paths = [Path(shard["path"]) for shard in value["shards"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    plain = all(len(path.parts) == 2 and path.parts[0] == "data" for path in paths)
    return sorted(path.name for path in paths) if plain and paths else None


def _digest(path: Path) -> str:
    digests = []
    for name, file in _files(path):
        with open_archive(file) as stream:
            digests.append((name, sha256_of(stream)))
    if path.is_dir():
        return hashlib.sha256("".join(f"{name}\0{digest}\0" for name, digest in digests).encode()).hexdigest()
    return digests[0][1]


def _document(
    name: str, row: dict[str, object] | Broken, columns: tuple[str, ...], limits: Limits
) -> SourceFile | Rejection:
    if isinstance(row, Broken):
        return Rejection(name, row.reason, row.detail)
    wanted = columns or tuple(islice((each for each in TEXT_COLUMNS if isinstance(row.get(each), str)), 1))
    texts = [row.get(each) for each in wanted]
    known = [text for text in texts if isinstance(text, str)]
    if not known or len(known) < len(texts):
        without = next((each for each in wanted if not isinstance(row.get(each), str)), " or ".join(TEXT_COLUMNS))
        return Rejection(name, "no_text", f"no text in {display_text(without)}")
    # A lone surrogate, which JSON may hold, makes bytes that are no text, as they would be in a file.
    content = "\n".join(known).encode("utf-8", "surrogatepass")
    size = len(content)
    kept = content if size <= limits.max_content_bytes else None
    return SourceFile(name.encode("utf-8"), size, kept, hashlib.sha256(content).hexdigest())
