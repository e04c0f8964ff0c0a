"""A program of its own: find the source distribution of one release with this environment's pip, and download it.

What belongs here: what needs pip's internals, and so runs in a process of its own. What does not: caching and reading
(`package.py`). pip is used for what only it knows, which is the user's configuration: indexes, find-links, proxies,
certificates, credentials. No code of the package runs: there is no resolution, no metadata, no build.

Usage: `python pip_fetch.py NAME VERSION FOLDER TIMEOUT_SECONDS MAX_BYTES`. The last line of its output is a JSON
object: `{"file": …, "sha256": …}` for a file in FOLDER, or `{"error": …, "detail": …}`, which never names a host or a
URL. It imports nothing of the platform, so that it starts fast.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pip._internal.commands import create_command
from pip._vendor.packaging.version import parse

CHUNK = 1 << 20


class FetchError(Exception):
    """Why there is no file: a stable reason and one line."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Outcomes:
    """What became of the requests of one session; pip itself skips an index that fails without a word."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - pip has no types to rely on
        self.failures: list[str] = []
        self._request = session.request
        session.request = self._recorded

    def _recorded(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        try:
            response = self._request(*args, **kwargs)
        except Exception as error:
            self.failures.append(type(error).__name__)
            raise
        if response.status_code in (401, 403, 407, 429) or response.status_code >= 500:
            self.failures.append(f"status {response.status_code}")
        return response


def fetch(name: str, version: str, folder: Path, timeout: str, max_bytes: int) -> dict[str, str]:
    """Download the source distribution of `name` at `version` into `folder`.

    Raises:
        FetchError: `package_not_found`, `no_source_distribution`, `unreachable`, `hash_mismatch`, `archive_bomb`.
    """
    sources = ["--no-binary", ":all:"]
    command: Any = create_command("download")
    options, _ = command.parse_args(["--no-deps", "--no-input", "--timeout", timeout, *sources, name])
    with command.main_context():
        session = command.get_default_session(options)
        outcomes = Outcomes(session)
        finder = _finder(command, options, session)
        wanted = parse(version)
        links = [candidate.link for candidate in finder.find_all_candidates(name) if candidate.version == wanted]
        if links:
            link = min(links, key=lambda link: (not link.filename.endswith(".tar.gz"), link.filename))
            return _download(session, link, folder, max_bytes)
        if outcomes.failures:
            raise FetchError("unreachable", f"a package index did not answer ({outcomes.failures[0]})")
        # A new command: the first one's options go on refusing wheels.
        command = create_command("download")
        options, _ = command.parse_args(["--no-deps", "--no-input", "--timeout", timeout, name])
        built = {candidate.version for candidate in _finder(command, options, session).find_all_candidates(name)}
        if wanted in built:
            raise FetchError("no_source_distribution", f"{name} {version} is published as built wheels only")
        others = "other versions are" if built else "nor is any other that this Python can use"
        raise FetchError("package_not_found", f"{name} {version} is not on the configured package indexes, {others}")


def _finder(command: Any, options: Any, session: Any) -> Any:  # noqa: ANN401
    return command._build_package_finder(  # noqa: SLF001 - pip has no public interface
        options=options, session=session, target_python=None, ignore_requires_python=True
    )


def _download(session: Any, link: Any, folder: Path, max_bytes: int) -> dict[str, str]:  # noqa: ANN401
    """Stream the file of `link` into `folder` and check it against the hash that the index gives, if it gives one."""
    filename = Path(link.filename).name
    # Without this header a server may compress the file once more, and its hash would be that of something else.
    try:
        response = session.get(link.url_without_fragment, headers={"Accept-Encoding": "identity"}, stream=True)
    except OSError as error:
        raise FetchError("unreachable", f"the download failed ({type(error).__name__})") from error
    if response.status_code >= 400:
        raise FetchError("unreachable", f"the download failed (status {response.status_code})")
    sha256 = hashlib.sha256()
    expected = hashlib.new(link.hash_name) if link.hash_name else None
    size = 0
    with (folder / filename).open("wb") as file:
        for chunk in _chunks(response.raw):
            size += len(chunk)
            if size > max_bytes:
                raise FetchError("archive_bomb", f"the file is larger than {max_bytes} bytes")
            sha256.update(chunk)
            if expected is not None:
                expected.update(chunk)
            file.write(chunk)
    if expected is not None and expected.hexdigest() != link.hash.lower():
        raise FetchError("hash_mismatch", f"{filename} does not have the {link.hash_name} that the index gives")
    return {"file": filename, "sha256": sha256.hexdigest()}


def _chunks(raw: Any) -> Iterator[bytes]:  # noqa: ANN401
    """The bytes as they were sent; a file of a local index has no `stream`."""
    try:
        if hasattr(raw, "stream"):
            yield from raw.stream(CHUNK, decode_content=False)
        else:
            while chunk := raw.read(CHUNK):
                yield chunk
    except Exception as error:
        raise FetchError("unreachable", f"the download was cut off ({type(error).__name__})") from error


def main(arguments: list[str]) -> int:
    """Run `fetch` and print its outcome; 0 if there is a file."""
    name, version, folder, timeout, max_bytes = arguments
    try:
        # pip reports to standard output, which is for the outcome alone.
        with contextlib.redirect_stdout(sys.stderr):
            outcome = fetch(name, version, Path(folder), timeout, int(max_bytes))
    except FetchError as error:
        outcome = {"error": error.reason, "detail": error.detail}
    except Exception as error:  # noqa: BLE001 - pip's internals may fail in any way; its texts may hold URLs
        outcome = {"error": "pip_failed", "detail": f"pip could not look the package up ({type(error).__name__})"}
    sys.stdout.write(json.dumps(outcome) + "\n")
    return 1 if "error" in outcome else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
