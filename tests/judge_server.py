"""A real OpenAI-compatible server on this machine that misbehaves on purpose, and a cache in memory.

The nth request gets the nth behaviour; the last behaviour is that of all further requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from aiohttp import web
from pydantic import SecretStr

from seed_platform.judging.endpoint import JudgeSettings
from seed_platform.judging.judgement import Document, Judgement

KEY = "sk-secret"

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class JudgeServer:
    """Serves in a thread of its own from `with` on.

    Attributes:
        url: of the API.
        requests: the JSON of each request, in order of arrival.
        headers: of each request.
        paths: of each request.
        most_in_flight: requests at once.
        connections: by the client's port.
    """

    def __init__(self, *behaviours: Behaviour) -> None:
        self._behaviours = behaviours
        self.url = ""
        self.requests: list[Any] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.most_in_flight = 0
        self.connections: set[int] = set()
        self._in_flight = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.go_away()

    def go_away(self) -> None:
        """Closes the port and every connection."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"

    async def _stop(self) -> None:
        await self._runner.cleanup()
        slow = asyncio.all_tasks() - {asyncio.current_task()}
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            self.requests.append(json.loads(await request.read()))
            self.headers.append(request.headers)
            self.paths.append(request.path)
            assert request.transport is not None
            self.connections.add(request.transport.get_extra_info("peername")[1])
            number = min(len(self.requests), len(self._behaviours)) - 1
            return await self._behaviours[number](request)
        finally:
            self._in_flight -= 1


def replies(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Behaviour:
    """Answers with this JSON, or with these bytes."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def behave(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, status=status, headers=headers, content_type="application/json")

    return behave


def says(text: str | None, finish: str = "stop", **message: object) -> Behaviour:
    """A chat completion of 100 prompt tokens and 20 completion tokens."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
    return replies({"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 20}})


def rates(rating: object) -> Behaviour:
    """A chat completion in the rubrics' form."""
    return says(f"It is as it is.\nRating: [[{rating}]]")


def fails(status: int, message: str = "no", **headers: str) -> Behaviour:
    """An error in the form of such servers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return replies({"error": {"message": message}}, status, named)


def slowly(seconds: float, then: Behaviour) -> Behaviour:
    """Waits first."""

    async def behave(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await then(request)

    return behave


async def half_closes(request: web.Request) -> web.StreamResponse:
    """Promises more than it sends, and closes."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"choices": [')
    assert request.transport is not None
    request.transport.close()
    return response


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Closes without a word."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


class Memory:
    """A cache of judgements that counts what is asked of it."""

    def __init__(self) -> None:
        self.rows: dict[str, Judgement] = {}
        self.lookups = 0
        self.writes = 0

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Judgement]:
        """Those there are."""
        self.lookups += 1
        return {key: self.rows[key] for key in keys if key in self.rows}

    def put_many(self, rows: Sequence[Judgement]) -> None:
        """Keeps them."""
        self.writes += 1
        self.rows |= {row.key: row for row in rows}


def settings_for(server: JudgeServer | str, **values: Any) -> JudgeSettings:  # noqa: ANN401 - of any setting
    """Settings under which nothing waits for long."""
    url = server if isinstance(server, str) else server.url
    quick: dict[str, Any] = {"timeout": 5.0, "retry_delay": 0.01, "max_retry_delay": 0.3, "max_attempts": 3}
    return JudgeSettings(base_url=url, model="m", **({"api_key": SecretStr(KEY)} | quick | values))


def document(content: str, language: str = "Python") -> Document:
    """A document as the judge takes it."""
    return content, language, hashlib.sha256(content.encode()).hexdigest()
