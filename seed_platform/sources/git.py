"""Git repositories as a source: a checkout, a bare repository, or a URL, at the commit that was current when added.

What belongs here: opening repositories, resolving revisions, and the repository's name and origin. What does not:
walking a tree (`git_tree.py`) and talking to servers (`git_remote.py`).

A spec is `LOCATION` or `LOCATION#REVISION`; without a revision HEAD is meant. `file://` URLs are read in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pygit2
from pygit2.enums import RepositoryOpenFlag

from seed_platform.sources.base import History, Limits, PinnedSource, Rejection, SourceError, SourceFile, display_text
from seed_platform.sources.git_remote import cached_clone, remote_commit
from seed_platform.sources.git_tree import GIT_ERRORS, TreeWalk
from seed_platform.sources.locations import (
    absolute,
    check_url,
    is_url,
    local_name,
    local_path,
    network_name,
    network_origin,
    scheme_of,
    split_revision,
    without_credentials,
)

_MAX_HOPS = 8
"""How many clones of clones are followed to the repository that knows where it came from."""

_MAX_COMMITS = 1_000_000
"""As many commits are counted: about as many as the longest histories have, at some 15 microseconds each."""


class GitSource:
    """Reads the tree of one commit from the object database: no checkout, no hooks, no filters."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Look up the commit of `spec` as of now.

        Raises:
            SourceError: `missing_path`, `not_a_repository`, `empty_repository`, `unknown_revision`,
                `corrupt_repository`, `unsupported_source`, `unreachable`, `authentication_required`.
        """
        location, revision = split_revision(spec)
        if is_url(location):
            check_url(location)
            location = without_credentials(location)
        origin = network_origin(location)
        if origin is not None:
            repository, locator = network_name(origin), location
            commit = remote_commit(location, revision, limits)
        else:
            path = _path_of(location)
            repository, origin = local_name(path), _local_origin(path)
            locator = location if scheme_of(location) == "file" else str(path)
            commit = str(_resolve(_open(path), revision).id)
        return PinnedSource(
            spec=display_text(without_credentials(spec) if is_url(location) else spec),
            kind="git",
            locator=locator,
            repository=repository,
            origin=origin,
            revision=commit,
        )

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield the files of the pinned commit in tree order.

        Raises:
            SourceError: as `pin`, and `tree_bomb`.
        """
        repository = _repository_of(source, limits, cache)
        tree = _tree_of(repository, source.revision)
        yield from TreeWalk(repository, limits).files(tree)

    def history(self, source: PinnedSource, limits: Limits, cache: str) -> History:
        """When the pinned commit and the oldest were made, and how many commits it can reach, up to a million.

        The last two are unknown where the history is cut off (a shallow clone) or damaged.

        Raises:
            SourceError: as `pin`.
        """
        repository = _repository_of(source, limits, cache)
        try:
            commit = repository[source.revision].peel(pygit2.Commit)
        except GIT_ERRORS:
            return History()
        number, oldest = _count_commits(repository, commit)
        return History(number, _moment(commit.commit_time), _moment(oldest))

    def repository(self, source: PinnedSource, limits: Limits, cache: str) -> pygit2.Repository:
        """The repository that a pinned source is read from: a local one, or its clone in `cache`.

        Raises:
            SourceError: as `pin`.
        """
        return _repository_of(source, limits, cache)


def _repository_of(source: PinnedSource, limits: Limits, cache: str) -> pygit2.Repository:
    """The repository that a pinned source is read from. Raises `SourceError` as `GitSource.pin`."""
    if network_origin(source.locator) is not None:
        return cached_clone(source.locator, source.revision, limits, cache)
    return _open(_path_of(source.locator))


def _count_commits(repository: pygit2.Repository, commit: pygit2.Commit) -> tuple[int | None, int | None]:
    """The commits reachable from `commit`, `_MAX_COMMITS` if there are more, and when the oldest was made.

    None if some of them are not there.
    """
    if repository.is_shallow:
        return None, None
    number, oldest = 0, commit.commit_time
    try:
        for each in islice(repository.walk(commit.id), _MAX_COMMITS):
            number += 1
            oldest = min(oldest, each.commit_time)
    except GIT_ERRORS:
        return None, None
    return number, oldest


def _moment(seconds: int | None) -> datetime | None:
    """Seconds since 1970; None if that is no date of the calendar, since it is whatever a commit's author wrote."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def looks_like_repository(path: Path) -> bool:
    """Whether the folder `path` is a checkout (has `.git`) or a bare repository, judged by names alone."""
    if (path / ".git").exists():
        return True
    return (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()


def _path_of(location: str) -> Path:
    return absolute(local_path(location) if scheme_of(location) == "file" else Path(location))


def _open(path: Path) -> pygit2.Repository:
    """Open the repository at `path` itself, whoever owns it; never one in a folder above.

    Raises:
        SourceError: `missing_path`, `permission_denied`, `not_a_repository`, `unsupported_source`.
    """
    # Reading objects runs nothing of the repository, so a repository of another user is safe to read.
    pygit2.settings.owner_validation = False
    try:
        if not path.exists():
            raise SourceError("missing_path", f"{path} does not exist")
        return pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH)
    except PermissionError as error:
        raise SourceError("permission_denied", f"{path}: {error.strerror}") from error
    except GIT_ERRORS as error:
        if "object format" in str(error) or "extension" in str(error):
            raise SourceError("unsupported_source", without_credentials(str(error))) from error
        raise SourceError("not_a_repository", without_credentials(str(error))) from error


def _resolve(repository: pygit2.Repository, revision: str | None) -> pygit2.Commit:
    """The commit of `revision`, HEAD if None.

    Raises:
        SourceError: `empty_repository`, `unknown_revision`, `corrupt_repository`.
    """
    try:
        if revision is None and repository.head_is_unborn:
            if not any(True for _ in repository.references):
                raise SourceError("empty_repository", "the repository has no commits")
            raise SourceError("unknown_revision", "HEAD names a branch that has no commits; write LOCATION#REVISION")
        commit = repository.revparse_single(revision or "HEAD").peel(pygit2.Commit)
    except GIT_ERRORS as error:
        if revision is None:
            raise SourceError(
                "corrupt_repository", f"HEAD cannot be read: {without_credentials(str(error))}"
            ) from error
        raise SourceError("unknown_revision", f"the repository has no commit {revision!r}") from error
    return commit


def _tree_of(repository: pygit2.Repository, commit: str) -> pygit2.Tree:
    """The root tree of a commit.

    Raises:
        SourceError: `unknown_revision` if the commit is gone, `corrupt_repository` if its tree is.
    """
    try:
        found = repository.get(commit)
    except GIT_ERRORS as error:
        raise SourceError("corrupt_repository", f"commit {commit}: {without_credentials(str(error))}") from error
    if not isinstance(found, pygit2.Commit):
        raise SourceError("unknown_revision", f"the repository no longer has commit {commit}")
    try:
        return found.tree
    except GIT_ERRORS as error:
        raise SourceError("corrupt_repository", f"the tree of commit {commit} is missing or damaged") from error


def _local_origin(path: Path) -> str:
    """The origin of a local repository: that of its remote `origin`, followed through clones on this machine."""
    for _ in range(_MAX_HOPS):
        url = _origin_url(path)
        if url is None:
            break
        origin = network_origin(url)
        if origin is not None:
            return origin
        if is_url(url) and scheme_of(url) != "file":
            break
        target = _path_of(url) if is_url(url) else absolute(path / url)
        if target == path:
            break
        path = target
    return f"local/{local_name(path)}"


def _origin_url(path: Path) -> str | None:
    """The URL of the remote `origin` of the repository at `path`; None if there is no such remote or repository."""
    try:
        return _open(path).remotes["origin"].url
    except (SourceError, *GIT_ERRORS):
        return None
