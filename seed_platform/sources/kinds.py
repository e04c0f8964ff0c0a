"""Which kind of source a spec names, and the reader of each kind.

What belongs here: the choice. What does not: reading; each kind has its own module.

- package: `pypi:name==version`;
- git: a URL (https, http, ssh, git, file), `user@host:path`, a checkout or a bare repository, each with `#REVISION` or
  without;
- archive: a file that ends in .tar, .tar.gz, .tgz, .tar.bz2, .tar.xz, .tar.zst, .zip, .whl or .jar;
- dataset: a file that ends in .jsonl, .jsonl.gz or .parquet, or a folder that `seed export` made; only where data sets
  are asked for, else a file of it is no source and a folder is one like any other;
- folder: any other folder.
"""

from __future__ import annotations

from pathlib import Path

import pygit2

from seed_platform.sources.archive import SUFFIXES, ArchiveSource
from seed_platform.sources.base import History, Limits, PinnedSource, Source, SourceError
from seed_platform.sources.dataset import DatasetSource, is_dataset
from seed_platform.sources.folder import FolderSource
from seed_platform.sources.git import GitSource, looks_like_repository
from seed_platform.sources.locations import check_url, is_url, split_revision, without_credentials
from seed_platform.sources.package import PREFIX, PackageSource

_GIT = GitSource()
_SOURCES: dict[str, Source] = {
    "git": _GIT,
    "folder": FolderSource(),
    "archive": ArchiveSource(),
    "package": PackageSource(),
    "dataset": DatasetSource(),
}


def kind_of(spec: str, *, datasets: bool = False) -> str:
    """The kind of source that `spec` names: "git", "folder", "archive", "package" or, if asked for, "dataset".

    Raises:
        SourceError: `missing_path`, `permission_denied`, or `unsupported_source` for a URL of another scheme, a file
            that is no archive, or a revision of something that has none.
    """
    if spec.startswith(PREFIX):
        return "package"
    if datasets and is_dataset(spec):
        return "dataset"
    location, revision = split_revision(spec)
    if not location:
        raise SourceError("missing_path", "nothing is named: write a path, a URL or pypi:name==version")
    if is_url(location):
        check_url(location)
        return "git"
    try:
        kind = _kind_of_path(Path(location))
    except PermissionError as error:
        raise SourceError("permission_denied", f"{location}: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise SourceError("missing_path", f"{without_credentials(location)!r} is not a path") from error
    if revision is not None and kind != "git":
        raise SourceError("unsupported_source", f"only git repositories have revisions; {location} is not one")
    return kind


def source_of(kind: str) -> Source:
    """The reader of a kind of source.

    Raises:
        SourceError: `unsupported_source`.
    """
    if kind not in _SOURCES:
        raise SourceError("unsupported_source", f"{kind!r} is not one of {', '.join(sorted(_SOURCES))}")
    return _SOURCES[kind]


def history_of(source: PinnedSource, limits: Limits, cache: str) -> History:
    """What the history of a pinned source says, if its kind has one. Raises `SourceError` as reading it does."""
    return _GIT.history(source, limits, cache) if source.kind == "git" else History()


def git_repository(source: PinnedSource, limits: Limits, cache: str) -> pygit2.Repository:
    """The repository of a pinned source of the kind "git". Raises `SourceError` as reading it does."""
    return _GIT.repository(source, limits, cache)


def _kind_of_path(path: Path) -> str:
    if path.is_dir():
        return "git" if looks_like_repository(path) else "folder"
    if path.is_file():
        if path.name.lower().endswith(SUFFIXES):
            return "archive"
        raise SourceError("unsupported_source", f"{path} is neither a folder nor one of {', '.join(SUFFIXES)}")
    if path.exists() or path.is_symlink():
        raise SourceError("unsupported_source", f"{path} is neither a folder nor a file")
    raise SourceError("missing_path", f"{without_credentials(str(path))} does not exist")
