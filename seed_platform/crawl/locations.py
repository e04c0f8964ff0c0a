"""Where crawl files are: on this machine, on S3, behind HTTPS; listing them, pinning them and opening them.

What belongs here: places. What does not: what is in the files (`warc.py`), and which files a crawl of Common Crawl has
(`common_crawl.py`).

A crawl file is pinned by its size and a digest of its beginning, which holds the id of its first record. So the same
file is the same source whichever road it comes by.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

import fsspec

from seed_platform.sources.base import CHUNK, Limits, PinnedSource, SourceError, display_text
from seed_platform.sources.folder import FolderSource
from seed_platform.sources.locations import absolute, without_credentials

SUFFIXES = (".warc", ".warc.gz", ".warc.zst")
PAGE_SUFFIXES = (".html", ".htm", ".xhtml")
WARC, HTML = "warc", "html"
"""Kinds of sources of a crawl."""

_BEGINNING = 1 << 16
_S3 = "s3://"
_WEB = ("https://", "http://")
_BASE = re.compile(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?")
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each new try of a request."""
_BUSY = frozenset({429, 500, 502, 503, 504})
_ANONYMOUS_BUCKETS = ("commoncrawl",)
"""Public buckets that are read without credentials, which would be refused there if they are another account's."""


def pin(spec: str, limits: Limits, base_url: str | None = None) -> list[PinnedSource]:
    """The sources that `spec` names: WARC files, those in a folder or under a prefix, or a folder of HTML.

    Args:
        spec: a path, `s3://BUCKET/KEY_OR_PREFIX`, or an HTTPS URL of a WARC file.
        limits: as for any source.
        base_url: of the pages of a folder of HTML; the page at `a/b.html` has this URL with `a/b.html` behind it.

    Raises:
        SourceError: `missing_path`, `permission_denied`, `unreachable`, `unsupported_source`, `no_crawl_files`.
    """
    if spec.startswith(_S3):
        return [_pin_remote(spec, each, limits) for each in _on_s3(spec)]
    if spec.startswith(_WEB):
        if not _path_of(spec).lower().endswith(SUFFIXES):
            raise SourceError("unsupported_source", f"{without_credentials(spec)} is not one of {', '.join(SUFFIXES)}")
        return [_pin_remote(spec, spec, limits)]
    path = absolute(Path(spec))
    try:
        is_folder, is_there, is_file = path.is_dir(), path.exists(), path.is_file()
    except OSError as error:  # a name that is too long, a folder that may not be entered
        raise SourceError("missing_path", f"{display_text(spec)}: {error.strerror}") from error
    if is_folder:
        return _pin_folder(spec, path, limits, base_url)
    if not is_there:
        raise SourceError("missing_path", f"{display_text(spec)} does not exist")
    if not is_file or not path.name.lower().endswith(SUFFIXES):
        raise SourceError("unsupported_source", f"{display_text(spec)} is not one of {', '.join(SUFFIXES)}")
    return [_pin_file(spec, path)]


def _path_of(url: str) -> str:
    """The path of a URL of the web.

    Raises:
        SourceError: `unsupported_source` if it is none, or has a user name, which would be kept in the lake.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # a ValueError if it is no number
    except ValueError as error:
        raise SourceError("unsupported_source", f"{without_credentials(url)} is no URL") from error
    if not parts.hostname or parts.username is not None:
        raise SourceError("unsupported_source", f"{without_credentials(url)} needs a host, and no user name before it")
    return parts.path


def _pin_folder(spec: str, folder: Path, limits: Limits, base_url: str | None) -> list[PinnedSource]:
    files = sorted(each for each in folder.rglob("*") if each.name.lower().endswith(SUFFIXES) and each.is_file())
    if files and base_url is None:
        return [_pin_file(spec, each) for each in files]
    if base_url is None:
        raise SourceError("no_crawl_files", f"{display_text(spec)} has no WARC file; a folder of HTML needs --base-url")
    if not _BASE.fullmatch(base_url):
        shown = without_credentials(base_url)
        raise SourceError("unsupported_source", f"--base-url is https://HOST/PATH/, not {shown!r}")
    _path_of(base_url)
    if not any(each.name.lower().endswith(PAGE_SUFFIXES) for each in folder.rglob("*")):
        raise SourceError("no_crawl_files", f"{display_text(spec)} has no file that ends in {', '.join(PAGE_SUFFIXES)}")
    pinned = FolderSource().pin(spec, limits)
    base = base_url if base_url.endswith("/") else f"{base_url}/"
    return [
        PinnedSource(
            spec=pinned.spec,
            kind=HTML,
            locator=pinned.locator,
            repository=pinned.repository,
            origin=base,
            revision=pinned.revision,
        )
    ]


def _pin_file(spec: str, path: Path) -> PinnedSource:
    try:
        with path.open("rb") as file:
            beginning, size = file.read(_BEGINNING), path.stat().st_size
    except OSError as error:
        reason = {PermissionError: "permission_denied", FileNotFoundError: "missing_path"}.get(
            type(error), "unreachable"
        )
        raise SourceError(reason, f"{display_text(str(path))}: {error.strerror}") from error
    return _pinned(spec, str(path), path.name, beginning, size)


def _pinned(spec: str, locator: str, name: str, beginning: bytes, size: int) -> PinnedSource:
    if not size:
        raise SourceError("empty_file", f"{display_text(name)} has no bytes")
    name = display_text(name)
    digest = hashlib.blake2b(beginning + size.to_bytes(8, "little"), digest_size=20).hexdigest()
    # A signed URL has its secret in the query.
    spec = display_text(without_credentials(spec.partition("?")[0] if spec.startswith(_WEB) else spec))
    return PinnedSource(spec=spec, kind=WARC, locator=locator, repository=name, origin=f"warc/{name}", revision=digest)


def _pin_remote(spec: str, url: str, limits: Limits) -> PinnedSource:
    if url.startswith(_S3):
        name = url.rpartition("/")[2]  # whose ? and # are a part of it
        with _s3_errors(url):
            filesystem = s3(url)
            size = int(filesystem.info(url)["size"])
            beginning = cast(bytes, filesystem.cat_file(url, start=0, end=min(size, _BEGINNING)))
        return _pinned(spec, url, name, beginning, size)
    name = PurePosixPath(unquote(urlsplit(url).path) if url.startswith(_WEB) else urlsplit(url).path).name
    with _response(url, limits, {"Range": f"bytes=0-{_BEGINNING - 1}"}) as response, _reading(url):
        beginning = response.read(_BEGINNING)
        told = response.headers.get("Content-Range", "").rpartition("/")[2] or response.headers.get("Content-Length")
    if not str(told).isdigit():
        raise SourceError("unreachable", f"{without_credentials(url)} does not say how large it is")
    return _pinned(spec, url, name, beginning, int(str(told)))


def _on_s3(spec: str) -> list[str]:
    if spec.lower().endswith(SUFFIXES):
        return [spec]
    with _s3_errors(spec):
        found = sorted(f"{_S3}{key}" for key in s3(spec).find(spec) if key.lower().endswith(SUFFIXES))
    if not found:
        raise SourceError("no_crawl_files", f"nothing under {spec} ends in one of {', '.join(SUFFIXES)}")
    return found


def s3(url: str) -> Any:  # noqa: ANN401 - fsspec is untyped
    """The file system of an S3 URL.

    Raises:
        SourceError: `unsupported_source` if the extra s3 is not installed.
    """
    try:
        # Listings are not kept: a sensor asks again and again, and what has arrived since must be seen.
        anonymous = urlsplit(url).netloc in _ANONYMOUS_BUCKETS
        return fsspec.filesystem("s3", anon=anonymous, use_listings_cache=False)
    except ImportError as error:
        raise SourceError("unsupported_source", "S3 needs the extra s3: pip install 'seed-platform[s3]'") from error


@contextmanager
def _s3_errors(url: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise SourceError("missing_path", f"{url} does not exist") from error
    except PermissionError as error:
        raise SourceError("permission_denied", f"{url}: {error}") from error
    except OSError as error:
        raise SourceError("unreachable", f"{url}: {error}") from error
    except Exception as error:
        if type(error).__module__.startswith(("botocore", "aiobotocore")):  # an optional dependency's own
            raise SourceError("unreachable", f"{url}: {error}") from error
        raise


def _response(url: str, limits: Limits, headers: dict[str, str]) -> Any:  # noqa: ANN401 - http.client.HTTPResponse, or what a handler gives
    """The answer to a request, asked again after a while where the server is busy or cannot be reached."""
    request = urllib.request.Request(url, headers={"User-Agent": "seed-platform", **headers})  # noqa: S310 - http(s)
    for pause in (*_PAUSES, None):
        try:
            return urllib.request.urlopen(request, timeout=limits.connect_timeout)  # noqa: S310 - http(s)
        except urllib.error.HTTPError as error:
            if pause is None or error.code not in _BUSY:
                reason = "missing_path" if error.code in (404, 410) else "unreachable"
                raise SourceError(reason, f"{_shown(url)}: HTTP {error.code}") from error
        except (OSError, http.client.HTTPException) as error:
            if pause is None:
                raise SourceError("unreachable", f"{_shown(url)}: {error}") from error
        time.sleep(pause)
    raise AssertionError("the last try has no pause")


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """What fails while an answer is read is the server's fault."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise SourceError("unreachable", f"{_shown(url)}: {error}") from error


def _shown(url: str) -> str:
    return without_credentials(url).partition("?")[0]


@contextmanager
def opened(source: PinnedSource, limits: Limits, cache: Path) -> Iterator[BinaryIO]:
    """The crawl file of a pinned source; one behind HTTPS is fetched to `cache` first, and deleted afterwards.

    Raises:
        SourceError: it is not there any more, or is another one than the one that was pinned.
    """
    url = source.locator
    if url.startswith(_S3):
        _require_same(source, _pin_remote(source.spec, url, limits))
        with _s3_errors(url), s3(url).open(url, "rb", block_size=8 << 20) as file:
            yield cast(BinaryIO, file)
    elif url.startswith(_WEB):
        _require_same(source, _pin_remote(source.spec, url, limits))
        local = cache / f"{source.revision}.{uuid.uuid4().hex}"
        try:
            _fetch(url, local, limits)
            _require_whole(source, local)
            with local.open("rb") as file:
                yield file
        finally:
            local.unlink(missing_ok=True)
    else:
        path = Path(url)
        if not path.is_file():
            raise SourceError("missing_path", f"{display_text(url)} does not exist")
        _require_same(source, _pin_file(source.spec, path))
        with path.open("rb") as file:
            yield file


def _require_same(source: PinnedSource, found: PinnedSource) -> None:
    if found.revision != source.revision:
        raise SourceError("changed_since_added", f"{source.spec} is not as it was when it was added")


def _require_whole(source: PinnedSource, local: Path) -> None:
    """A connection that ends early looks like the end of the file: what is missing must not pass for damage."""
    with local.open("rb") as file:
        beginning = file.read(_BEGINNING)
    found = _pinned(source.spec, source.locator, source.repository, beginning, local.stat().st_size)
    if found.revision != source.revision:
        raise SourceError("unreachable", f"{source.spec}: the download ended early, or the file changed meanwhile")


def _fetch(url: str, destination: Path, limits: Limits) -> None:
    """Download to a file; a broken connection is taken up where it ended."""
    for attempt in range(len(_PAUSES) + 1):
        size = destination.stat().st_size if attempt else 0
        with _response(url, limits, {"Range": f"bytes={size}-"} if size else {}) as response:
            begun = size if response.status == http.client.PARTIAL_CONTENT else 0
            with destination.open("ab" if begun else "wb") as out:
                if _copy(response, out, begun, url, limits):
                    return
    raise SourceError("unreachable", f"{_shown(url)}: the connection broke {len(_PAUSES) + 1} times")


def _copy(response: Any, out: BinaryIO, size: int, url: str, limits: Limits) -> bool:  # noqa: ANN401 - as `_response`
    """Copy what is left of an answer; False if the connection broke before its end."""
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, http.client.HTTPException):
            return False
        if not chunk:
            return not response.length  # what was announced and did not come
        size += out.write(chunk)
        if size > limits.max_archive_bytes:
            raise SourceError("too_large", f"{_shown(url)} is over {limits.max_archive_bytes} bytes")


def read_bytes(url: str, limits: Limits, most: int) -> bytes:
    """A small file behind an HTTP(S) URL or on S3, such as a list of paths.

    Raises:
        SourceError: it cannot be had, or has more than `most` bytes.
    """
    if url.startswith(_S3):
        with _s3_errors(url), s3(url).open(url, "rb") as file:
            data = cast(bytes, file.read(most + 1))
    else:
        with _response(url, limits, {}) as response, _reading(url):
            data = response.read(most + 1)
    if len(data) > most:
        raise SourceError("too_large", f"{without_credentials(url)} is over {most} bytes")
    return data
