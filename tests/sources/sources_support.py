"""Helpers of the tests of the sources: real repositories and real servers, all on this machine's loopback."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from seed_platform.sources.base import Limits, PinnedSource, Rejection, SourceFile
from seed_platform.sources.kinds import kind_of, source_of

LIMITS = Limits(
    max_content_bytes=1 << 20,
    max_archive_bytes=64 << 20,
    max_archive_ratio=100.0,
    max_archive_entries=10_000,
    connect_timeout=5.0,
)

_IDENTITY = {
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@b.c",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@b.c",
}
_DATES = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}


def git(folder: Path, *arguments: str | bytes, stdin: bytes = b"") -> str:
    """Run git in `folder` with no configuration but the repository's own."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **_IDENTITY, **_DATES}
    options = ("-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", "-c", "gc.auto=0")
    done = subprocess.run(
        ["git", *options, *arguments], cwd=folder, env=environment, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def commit(folder: Path, files: dict[str, str | bytes], message: str = "change") -> str:
    """Write `files`, commit them, and return the commit's id."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def pin(spec: str | Path, limits: Limits = LIMITS) -> PinnedSource:
    return source_of(kind_of(str(spec))).pin(str(spec), limits)


def read(source: PinnedSource, cache: Path, limits: Limits = LIMITS) -> list[SourceFile | Rejection]:
    return list(source_of(source.kind).read(source, limits, str(cache)))


def contents(items: list[SourceFile | Rejection]) -> dict[bytes, bytes | None]:
    return {item.path: item.content for item in items if isinstance(item, SourceFile)}


def rejections(items: list[SourceFile | Rejection]) -> list[tuple[str, str]]:
    return [(item.path, item.reason) for item in items if isinstance(item, Rejection)]


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler] | Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """Serve on a free loopback port; yields the base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refuse(handler: BaseHTTPRequestHandler) -> None:
    """Ask for a password."""
    handler.send_response(401)
    handler.send_header("WWW-Authenticate", 'Basic realm="test"')
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def files_handler(root: Path, password: str | None = None) -> Callable[..., BaseHTTPRequestHandler]:
    """Serves the files under `root`, silently, to those who know the password if there is one."""

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if password is not None and self.headers.get("Authorization") != password:
                refuse(self)
            else:
                super().do_GET()

        def log_message(self, *arguments: object) -> None:
            pass

    return lambda *arguments: Handler(*arguments, directory=str(root))


def git_handler(root: Path, password: str | None = None) -> type[BaseHTTPRequestHandler]:
    """Serves the repositories under `root` by git's smart protocol, to those who know the password if there is one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond(b"")

        def do_POST(self) -> None:
            self._respond(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _respond(self, body: bytes) -> None:
            if password is not None and self.headers.get("Authorization") != password:
                refuse(self)
                return
            path, _, query = self.path.partition("?")
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_NOSYSTEM": "1",
                "HOME": str(root),
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
            done = subprocess.run(
                ["git", "http-backend"], env=environment, input=body, capture_output=True, check=False
            )
            head, _, payload = done.stdout.partition(b"\r\n\r\n")
            headers = [line.split(": ", 1) for line in head.decode().splitlines()]
            status = next((value for name, value in headers if name == "Status"), "200")
            self.send_response(int(status.split()[0]))
            for name, value in headers:
                if name != "Status":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
