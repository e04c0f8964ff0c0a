"""Crawl files behind HTTP: servers that are busy, connections that break, URLs that hold a secret."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from seed_platform.crawl import locations
from seed_platform.crawl.locations import opened, pin
from seed_platform.sources.base import Limits, SourceError

_LIMITS = Limits(1 << 20, 1 << 30, 200.0, 1000, 5.0)
_BODY = bytes(range(256)) * 3000  # more than one chunk is not needed: the server breaks where it wants

Answer = Callable[[BaseHTTPRequestHandler, int], None]


class _Server:
    """Serves `_BODY`; `answer` decides request by request what goes wrong."""

    def __init__(self) -> None:
        self.requests: list[str | None] = []
        self.answer: Answer = whole
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append(self.headers.get("Range"))
                outer.answer(self, len(outer.requests))

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/some%20where/my%20crawl.warc.gz"


def whole(request: BaseHTTPRequestHandler, _: int, cut: int | None = None) -> None:
    """All that is asked for; with `cut`, the connection ends so many bytes after the start of the body."""
    asked = request.headers.get("Range")
    start, _, end = (asked or "bytes=0-").removeprefix("bytes=").partition("-")
    body = _BODY[int(start) : int(end) + 1 if end else None]
    request.send_response(206 if asked else 200)
    request.send_header("Content-Length", str(len(body)))
    if asked:
        request.send_header("Content-Range", f"bytes {start}-{int(start) + len(body) - 1}/{len(_BODY)}")
    request.end_headers()
    request.wfile.write(body if cut is None else body[:cut])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    monkeypatch.setattr(locations, "_PAUSES", (0.0, 0.0, 0.0))
    serving = _Server()
    yield serving
    serving.server.shutdown()


def _read(server: _Server, cache: Path, url: str = "") -> bytes:
    (source,) = pin(url or server.url, _LIMITS)
    with opened(source, _LIMITS, cache) as stream:
        return stream.read()


def test_a_busy_server_is_asked_again(server: _Server, tmp_path: Path):
    def busy_twice(request: BaseHTTPRequestHandler, number: int) -> None:
        if number <= 2:
            request.send_error(503)
        else:
            whole(request, number)

    server.answer = busy_twice
    assert _read(server, tmp_path) == _BODY
    assert list(tmp_path.iterdir()) == []


def test_a_broken_connection_is_taken_up_where_it_ended(server: _Server, tmp_path: Path):
    def breaking(request: BaseHTTPRequestHandler, number: int) -> None:
        whole(request, number, cut=200_000 if number in (3, 4) else None)

    server.answer = breaking
    assert _read(server, tmp_path) == _BODY
    assert server.requests[2:] == [None, "bytes=200000-", "bytes=400000-"]


def test_a_server_that_stays_busy_is_unreachable_and_one_that_has_no_such_file_is_asked_once(server: _Server):
    server.answer = lambda request, _: request.send_error(503)
    with pytest.raises(SourceError) as busy:
        pin(server.url, _LIMITS)
    assert busy.value.reason == "unreachable"
    asked = len(server.requests)
    assert asked == 4
    server.answer = lambda request, _: request.send_error(404)
    with pytest.raises(SourceError) as missing:
        pin(server.url, _LIMITS)
    assert missing.value.reason == "missing_path"
    assert len(server.requests) == asked + 1


def test_a_signed_url_is_read_with_its_secret_and_told_without(server: _Server, tmp_path: Path):
    (source,) = pin(f"{server.url}?X-Signature=secret", _LIMITS)
    assert "secret" not in source.spec
    assert _read(server, tmp_path, f"{server.url}?X-Signature=secret") == _BODY
    server.answer = lambda request, _: request.send_error(403)
    with pytest.raises(SourceError) as refused:
        pin(f"{server.url}?X-Signature=secret", _LIMITS)
    assert "secret" not in refused.value.detail


def test_a_file_is_the_same_source_from_disk_and_over_http_whatever_its_name(server: _Server, tmp_path: Path):
    (tmp_path / "my crawl.warc.gz").write_bytes(_BODY)
    (local,) = pin(str(tmp_path / "my crawl.warc.gz"), _LIMITS)
    (remote,) = pin(server.url, _LIMITS)
    assert (local.origin, local.revision) == (remote.origin, remote.revision)
