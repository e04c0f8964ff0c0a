"""Git repositories on a network: listing their references, and keeping a bare clone in a cache.

What belongs here: everything that talks to a git server. What does not: reading commits and trees. Nothing of the
repository runs: there is no checkout, and libgit2 knows no hooks. TLS certificates come from Python's default verify
paths (so `SSL_CERT_FILE` counts), which pygit2 hands to libgit2 when it is imported.

Credentials in a URL are not used and not stored. Private repositories are reached by ssh with a running agent, or over
http(s) with an entry of `~/.netrc`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import netrc
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pygit2
from pygit2.callbacks import RemoteCallbacks
from pygit2.enums import CredentialType
from pygit2.remotes import TransferProgress

from seed_platform.sources.base import Limits, SourceError
from seed_platform.sources.git_tree import GIT_ERRORS
from seed_platform.sources.locations import without_credentials

_STALL_FACTOR = 6
"""A server may stay silent this many times longer than it may take to answer a connection: it counts objects first."""


class _Callbacks(RemoteCallbacks):
    """What libgit2 asks for and reports while it talks to a server; for one connection.

    Credentials are what the user's machine has for the host, once: libgit2 asks again for as long as it is refused.
    """

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self.asked = False
        self._max_bytes = limits.max_archive_bytes

    def transfer_progress(self, stats: TransferProgress) -> None:
        """End the transfer once more than the limit has been received."""
        if stats.received_bytes > self._max_bytes:
            raise SourceError("too_large", f"the server sends more than {self._max_bytes} bytes")

    def credentials(
        self, url: str, username_from_url: str | None, allowed_types: CredentialType
    ) -> pygit2.KeypairFromAgent | pygit2.UserPass | pygit2.Username:
        """The ssh agent's keys, or the host's entry in `~/.netrc`."""
        if allowed_types & CredentialType.USERNAME and username_from_url:
            return pygit2.Username(username_from_url)
        if not self.asked:
            self.asked = True
            if allowed_types & CredentialType.SSH_KEY:
                return pygit2.KeypairFromAgent(username_from_url or "git")
            entry = _netrc_entry(urlsplit(url).hostname or "")
            if entry and allowed_types & CredentialType.USERPASS_PLAINTEXT:
                return pygit2.UserPass(*entry)
        raise SourceError(
            "authentication_required",
            "no such repository, or it is private: use ssh with an agent, or add its host to ~/.netrc "
            "(credentials in the URL are ignored)",
        )


def _netrc_entry(host: str) -> tuple[str, str] | None:
    try:
        entry = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError):
        return None
    return (entry[0], entry[2] or "") if entry else None


def remote_commit(url: str, revision: str | None, limits: Limits) -> str:
    """The commit id that `revision` (HEAD if None) has on the server now, without downloading anything.

    Args:
        url: where the repository is, without credentials.
        revision: a branch, a tag, a full reference name or a full commit id; the last is taken as it is.
        limits: `connect_timeout` in seconds.

    Raises:
        SourceError: `unreachable`, `authentication_required`, `not_a_repository`, `empty_repository`,
            `unknown_revision`.
    """
    if revision and len(revision) == 40 and not revision.strip("0123456789abcdefABCDEF"):
        return revision.lower()
    _set_timeouts(limits)
    try:
        remote = pygit2.Repository().remotes.create_anonymous(url)
        heads = {head.name: str(head.oid) for head in remote.list_heads(callbacks=_Callbacks(limits), proxy=True)}
    except GIT_ERRORS as error:
        raise network_error(error) from None
    if not heads:
        raise SourceError("empty_repository", "the repository has no commits")
    wanted = revision or "HEAD"
    for name in (wanted, f"refs/{wanted}", f"refs/tags/{wanted}", f"refs/heads/{wanted}"):
        if name in heads:
            # A server lists what an annotated tag points to under the tag's name with ^{}.
            return heads.get(f"{name}^{{}}", heads[name])
    hint = "" if revision is None else "; give a branch, a tag or a full commit id"
    raise SourceError("unknown_revision", f"the repository has no {wanted}{hint}")


def cached_clone(url: str, commit: str, limits: Limits, cache: str) -> pygit2.Repository:
    """A bare clone of `url` under `cache` that has `commit`: the one that is there, brought up to date, or a new one.

    Raises:
        SourceError: as `remote_commit`; `unknown_revision` if the server no longer has the commit; `too_large` if it
            sends more than `max_archive_bytes`.
    """
    _set_timeouts(limits)
    folder = Path(cache) / hashlib.sha256(url.encode()).hexdigest()[:32]
    with _alone(folder):
        repository = _opened(folder)
        if repository is None:
            _clone(url, folder, limits)
            repository = pygit2.Repository(str(folder))
        _fetch(repository, commit, limits)
    return repository


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from changing the clone in `folder`, so that what looks unfinished there is stale.

    The system ends the wait for a process that is killed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".busy").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _fetch(repository: pygit2.Repository, commit: str, limits: Limits) -> None:
    """Bring `commit` into the clone if it is not there.

    Raises:
        SourceError: as `cached_clone`.
    """
    remote = repository.remotes["origin"]
    try:
        if commit not in repository:
            remote.fetch(callbacks=_Callbacks(limits), proxy=True)
        refspecs = [] if commit in repository else _refspecs_of(remote, commit, limits)
    except GIT_ERRORS as error:
        raise network_error(error) from None
    if refspecs:
        # The server has just answered: an error now is its refusal to give this commit.
        with contextlib.suppress(*GIT_ERRORS):
            remote.fetch(refspecs, callbacks=_Callbacks(limits), proxy=True)
        if commit not in repository:
            raise SourceError("unknown_revision", f"the server does not have commit {commit}, or no longer")


def _refspecs_of(remote: pygit2.Remote, commit: str, limits: Limits) -> list[str]:
    """What to ask a server for to get a commit that is on no branch: a reference to it, such as that of a pull request.

    Failing that the commit itself, which only some servers allow.
    """
    heads = remote.list_heads(callbacks=_Callbacks(limits), proxy=True)
    names = [head.name.removesuffix("^{}") for head in heads if head.name and str(head.oid) == commit]
    return [f"+{names[0] if names else commit}:refs/pinned/{commit}"]


def _opened(folder: Path) -> pygit2.Repository | None:
    """The clone in `folder`; None if there is none. One that is damaged, or that a fetch was killed in, is removed."""
    if not folder.exists():
        return None
    if next(folder.rglob("*.lock"), None) is not None:
        shutil.rmtree(folder)
        return None
    try:
        repository = pygit2.Repository(str(folder))
        repository.remotes["origin"]
    except GIT_ERRORS:
        shutil.rmtree(folder)
        return None
    return repository


def _clone(url: str, folder: Path, limits: Limits) -> None:
    """Clone under a temporary name and rename, so that `folder` is always a whole clone."""
    for stale in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(stale, ignore_errors=True)
    partial = tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent)
    try:
        pygit2.clone_repository(url, partial, bare=True, callbacks=_Callbacks(limits), proxy=True)
        Path(partial).rename(folder)
    except GIT_ERRORS as error:
        raise network_error(error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def network_error(error: Exception) -> SourceError:
    """What a failure to talk to a server means, in one line without credentials."""
    text = without_credentials(str(error))
    lowered = text.lower()
    if "404" in lowered or "not found" in lowered or "does not appear to be a git" in lowered:
        return SourceError("not_a_repository", f"the server has no git repository there: {text}")
    if "401" in lowered or "403" in lowered or "authenticat" in lowered:
        return SourceError("authentication_required", f"the server refused: {text}")
    return SourceError("unreachable", text)


def _set_timeouts(limits: Limits) -> None:
    milliseconds = max(1, int(limits.connect_timeout * 1000))
    pygit2.settings.server_connect_timeout = milliseconds
    pygit2.settings.server_timeout = milliseconds * _STALL_FACTOR
