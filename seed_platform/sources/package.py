"""Releases on a package index as a source: `pypi:name==version`, read from the source distribution.

What belongs here: the spec, the cache of downloads, and the errors. What does not: talking to an index (`pip_fetch.py`,
in a process of its own) and reading the archive (`archive.py`).

Paths are those inside the distribution's single folder: `src/flask/app.py`, not `flask-3.0.0/src/flask/app.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from seed_platform.sources.archive import open_archive, read_archive, sha256_of
from seed_platform.sources.base import Limits, PinnedSource, Rejection, SourceError, SourceFile

PREFIX = "pypi:"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_RECORD = "download.json"
_FETCHER = Path(__file__).with_name("pip_fetch.py")
_FETCH_SECONDS = 900
"""Limit for one download. The connect timeout bounds each wait for bytes; an index that drips them has no end without
this, and the largest source distributions take minutes on a slow line."""


class PackageSource:
    """Downloads a source distribution through the configured pip and reads it; nothing of the package is run."""

    def pin(self, spec: str, limits: Limits) -> PinnedSource:
        """Take name and version from `spec`; a release does not change, so nothing is looked up.

        Raises:
            SourceError: `version_required`, `unsupported_source`.
        """
        del limits
        name, mark, version = (part.strip() for part in spec.removeprefix(PREFIX).partition("=="))
        if not _NAME.fullmatch(name):
            raise SourceError("unsupported_source", f"not a package: write {PREFIX}name==version")
        if not mark or not _VERSION.fullmatch(version):
            raise SourceError("version_required", f"an exact version is needed: write {PREFIX}{name}==version")
        name = re.sub(r"[-_.]+", "-", name).lower()
        return PinnedSource(
            spec=spec,
            kind="package",
            locator=f"{name}=={version}",
            repository=name,
            origin=f"pypi/{name}",
            revision=version,
        )

    def read(self, source: PinnedSource, limits: Limits, cache: str) -> Iterator[SourceFile | Rejection]:
        """Yield the files of the source distribution, downloading it unless `cache` has it.

        Raises:
            SourceError: `package_not_found`, `no_source_distribution`, `unreachable`, `hash_mismatch`, `pip_failed`,
                and as `archive.read_archive`.
        """
        folder = Path(cache) / hashlib.sha256(f"{PREFIX}{source.locator}".encode()).hexdigest()[:32]
        path = _cached(folder)
        if path is None:
            _download(source.repository, source.revision, folder, limits)
            path = _cached(folder)
            if path is None:
                raise SourceError("hash_mismatch", "the downloaded file changed on the disk")
        with open_archive(path) as stream:
            yield from read_archive(stream, limits, top_folder=source.repository)


def _cached(folder: Path) -> Path | None:
    """The download in `folder` if it is whole; None if there is none. A damaged one is removed."""
    if not folder.exists():
        return None
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        path = folder / str(record["file"])
        with path.open("rb") as stream:
            whole = sha256_of(stream) == record["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        shutil.rmtree(folder)
        return None
    return path


def _download(name: str, version: str, folder: Path, limits: Limits) -> None:
    """Download under a temporary name and rename, so that `folder` is always a whole download."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".partial", dir=folder.parent))
    try:
        outcome = _fetch(name, version, partial, limits)
        if "error" in outcome:
            raise SourceError(outcome["error"], outcome["detail"])
        (partial / _RECORD).write_text(json.dumps(outcome), encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:
            # Another process may have been faster; its download is as good as this one.
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _fetch(name: str, version: str, folder: Path, limits: Limits) -> dict[str, str]:
    arguments = [name, version, str(folder), str(limits.connect_timeout), str(limits.max_archive_bytes)]
    # -P keeps this folder's modules out of pip's way: none of them may shadow one that pip imports.
    command = [sys.executable, "-P", str(_FETCHER), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter on a file of this package
            command, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=_FETCH_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SourceError("unreachable", f"the download took more than {_FETCH_SECONDS} s") from None
    try:
        outcome = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise SourceError("pip_failed", f"pip ended with status {done.returncode} and no result") from None
    return {str(key): str(value) for key, value in outcome.items()}
