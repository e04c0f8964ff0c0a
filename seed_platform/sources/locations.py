"""Where a source is: what a spec's text says, and the machine-independent name of the place.

What belongs here: parsing of URLs and paths of git repositories, credential stripping, origins. What does not: opening
or reading anything (`git.py`) and the choice of a source (`kinds.py`).

An *origin* names a repository in the same way from whichever road it was reached: "github.com/pallets/markupsafe" for
`https://user:token@GitHub.com/pallets/markupsafe.git/`, for `git@github.com:pallets/markupsafe.git` and for a checkout
whose remote `origin` is either. Something that has no place on a network is "local/<its name>", never a path.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from seed_platform.sources.base import SourceError, display_text

GIT_SCHEMES = ("https", "http", "ssh", "git", "file")
"""Transports that may be used, whatever else libgit2 or a user's configuration knows."""

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?P<user>[^@/\\:\s]+)@(?P<host>[^@/\\:\s]+):(?P<path>[^\s].*)")
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<userinfo>[^/\s]*)@")
_SECRET = re.compile(r"(?<![^\s'\"])[^\s/@:]+:[^\s/@]+@")
_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22, "git": 9418}


def is_url(spec: str) -> bool:
    """Whether `spec` is a URL of any scheme, or scp-like (`user@host:path`)."""
    return _URL.match(spec) is not None or _SCP.fullmatch(spec) is not None


def scheme_of(url: str) -> str:
    """The lower-case scheme of a URL; "ssh" for scp-like syntax, "" for a path."""
    match = _URL.match(url)
    if match:
        return match[1].lower()
    return "ssh" if _SCP.fullmatch(url) else ""


def split_revision(spec: str) -> tuple[str, str | None]:
    """Split `LOCATION#REVISION`; a local path that exists as it is written has no revision.

    Raises:
        SourceError: `unknown_revision` if the part after `#` is empty or cannot be a revision.
    """
    location, mark, revision = spec.rpartition("#")
    if not mark or (not is_url(spec) and _exists(spec)):
        return spec, None
    if not revision or revision.startswith("-") or any(ch.isspace() or not ch.isprintable() for ch in revision):
        raise SourceError("unknown_revision", f"{revision!r} after '#' cannot be a revision")
    return location, revision


def _exists(path: str) -> bool:
    """Whether the path exists; one that cannot be asked about does not."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def without_credentials(text: str) -> str:
    """`text` with what stands before the host removed from every URL in it, except a bare user name of ssh.

    A token is often the user name alone, so http(s) keeps neither; ssh needs its user name, which is no secret.
    """

    def kept(match: re.Match[str]) -> str:
        user = match["userinfo"].partition(":")[0] if match["scheme"].lower() == "ssh" else ""
        return f"{match['scheme']}://{user}{'@' if user else ''}"

    return _SECRET.sub("", _USERINFO.sub(kept, text))


def check_url(url: str) -> None:
    """Refuse a URL that git could not use, in words that do not repeat it: it may hold a secret in the wrong place.

    Raises:
        SourceError: `unsupported_source`.
    """
    scheme = scheme_of(url)
    if scheme not in GIT_SCHEMES:
        raise SourceError("unsupported_source", f"{scheme}:// is not one of {', '.join(GIT_SCHEMES)}")
    if "://" not in url:
        return
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname or scheme == "file") and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query:
        raise SourceError("unsupported_source", f"not a usable {scheme}:// URL: write {scheme}://HOST/PATH")


def local_path(url: str) -> Path:
    """The path that a `file://` URL names.

    Raises:
        SourceError: `unsupported_source` if it names another host.
    """
    parts = urlsplit(url)
    if parts.netloc.lower() not in ("", "localhost"):
        raise SourceError("unsupported_source", "a file:// URL must not name a host: write file:///path")
    return Path(unquote(parts.path, errors="surrogateescape"))


def absolute(path: Path) -> Path:
    """`path` without "." and ".." and from the root on, by its text alone: a symlink keeps the name the user gave."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow symlinks


def local_name(path: Path) -> str:
    """The name of a local repository, as plain text: its folder's, without `.git`, also where `path` is that `.git`."""
    path = absolute(path)
    return display_text((path.parent.name if path.name == ".git" else path.name.removesuffix(".git")) or "root")


def network_origin(url: str) -> str | None:
    """The origin of a URL: host and path, without scheme, credentials, default port, `.git` or a trailing slash.

    Returns:
        None if `url` does not name a place on a network (a path, a `file://` URL, another scheme).
    """
    scheme = scheme_of(url)
    if scheme == "file":
        return None
    try:
        check_url(url)
    except SourceError:
        return None
    scp = _SCP.fullmatch(url) if "://" not in url else None
    if scp:
        host, path = scp["host"].lower(), scp["path"]
    else:
        parts = urlsplit(without_credentials(url))
        host, path = (parts.hostname or "").lower(), unquote(parts.path)
        port = parts.port
        if port is not None and port != _DEFAULT_PORTS[scheme]:
            host = f"{host}:{port}"
    path = re.sub(r"/{2,}", "/", path).strip("/").removesuffix(".git").rstrip("/")
    return display_text(f"{host}/{path}") if host and path else None


def slug(name: str) -> str:
    """`name` in lower-case letters, digits, '_', '.' and '-', at most 60; "" if nothing of it is left."""
    return re.sub(r"[^a-z0-9_.]+", "-", name.lower()).strip("-._")[:60]


def network_name(origin: str) -> str:
    """The name of a repository on a network: the last two parts of its path, "owner/name" on most forges."""
    return "/".join(origin.split("/")[1:][-2:])
