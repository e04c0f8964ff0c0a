from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar

import pytest
from aiohttp import web
from judge_server import (
    KEY,
    Behaviour,
    JudgeServer,
    fails,
    half_closes,
    hangs_up,
    rates,
    replies,
    settings_for,
    slowly,
)
from pydantic import SecretStr

from seed_platform.errors import UsageError
from seed_platform.judging.endpoint import MAX_REPLY_BYTES, Endpoint, JudgeSettings, KeyRefusedError, Reply

T = TypeVar("T")

URL = "http://localhost:1/v1"


def within(settings: JudgeSettings, use: Callable[[Endpoint], Awaitable[T]]) -> T:
    """What `use` gives, with an endpoint that is open for it."""

    async def run() -> T:
        async with Endpoint(settings) as endpoint:
            return await use(endpoint)

    return asyncio.run(run())


def post(settings: JudgeSettings, count: int = 1) -> list[Reply]:
    """The replies to so many requests, one after another."""

    async def use(endpoint: Endpoint) -> list[Reply]:
        return [await endpoint.post("chat/completions", b'{"model": "m"}') for _ in range(count)]

    return list(within(settings, use))


def test_a_healthy_server_gets_the_key_and_gives_its_json_over_one_connection():
    with JudgeServer(rates(7)) as server:
        all_replies = post(settings_for(server), 5)
    assert [(reply.reason, reply.attempts) for reply in all_replies] == [(None, 1)] * 5
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.paths[0] == "/v1/chat/completions"
    assert len(server.connections) == 1


def test_a_server_without_keys_gets_none():
    with JudgeServer(rates(7)) as server:
        post(settings_for(server.url + "/", api_key=SecretStr("")))
    assert "Authorization" not in server.headers[0]
    assert server.paths == ["/v1/chat/completions"]


@pytest.mark.parametrize("fault", [*map(fails, (408, 409, 425, 429, 500, 502, 503, 529)), half_closes, hangs_up])
def test_what_may_pass_is_asked_again(fault: Behaviour):
    with JudgeServer(fault, fault, rates(7)) as server:
        (reply,) = post(settings_for(server))
    assert (reply.reason, reply.attempts) == (None, 3)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(fails(429), "http_429"), (fails(500), "http_500"), (half_closes, "broken_stream"), (hangs_up, "broken_stream")],
)
def test_what_does_not_pass_is_given_up_after_the_attempts_and_named(fault: Behaviour, reason: str):
    with JudgeServer(fault) as server:
        (reply,) = post(settings_for(server, max_attempts=4))
    assert (reply.data, reply.reason, reply.attempts) == (None, reason, 4)
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", [301, 307, 400, 404, 405, 413, 422])
def test_what_will_not_pass_is_asked_once(status: int):
    with JudgeServer(fails(status, "it is wrong", Location="/elsewhere")) as server:
        (reply,) = post(settings_for(server))
    assert (reply.reason, reply.attempts, len(server.requests)) == (f"http_{status}", 1, 1)
    assert "it is wrong" in reply.detail


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("This model's maximum context length is 4096 tokens. However, you requested 5000.", "too_long"),
        ("The decoder prompt (length 5000) is longer than the maximum model length of 4096.", "too_long"),
        ("context_length_exceeded", "too_long"),
        ("top_logprobs must be at most 5", "no_logprobs"),
        ("temperature must be non-negative", "http_400"),
    ],
)
def test_a_400_is_told_apart_by_what_it_says(message: str, reason: str):
    with JudgeServer(fails(400, message)) as server:
        assert post(settings_for(server))[0].reason == reason


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"choices": [', b"\xff\xfe", b"[" * 100_000])
def test_a_reply_that_is_no_json_is_named_and_not_asked_for_again(body: bytes):
    with JudgeServer(replies(body)) as server:
        (reply,) = post(settings_for(server))
    assert (reply.reason, reply.attempts) == ("invalid_json", 1)


def test_a_reply_that_does_not_end_is_not_read_to_its_end():
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None:
            await response.write(b" " * 65_536)
        return response

    with JudgeServer(endless) as server:
        (reply,) = post(settings_for(server))
    assert (reply.reason, reply.attempts) == ("oversized", 1)
    assert MAX_REPLY_BYTES >= 1 << 20


def test_a_slow_server_runs_into_the_time_limit_of_every_attempt():
    with JudgeServer(slowly(30, rates(7))) as server:
        started = time.monotonic()
        (reply,) = post(settings_for(server, timeout=0.1, max_attempts=2))
    assert (reply.reason, reply.attempts) == ("timeout", 2)
    assert 0.2 <= time.monotonic() - started < 5


def test_a_server_that_goes_away_is_unreachable():
    with JudgeServer(rates(7)) as server:

        async def use(endpoint: Endpoint) -> list[Reply]:
            before = await endpoint.post("chat/completions", b"{}")
            await asyncio.to_thread(server.go_away)
            return [before, await endpoint.post("chat/completions", b"{}")]

        before, after = within(settings_for(server), use)
    assert before.reason is None
    assert (after.reason, after.attempts) == ("unreachable", 3)


@pytest.mark.parametrize("value", ["0.25", format_datetime(datetime.now(UTC) + timedelta(hours=1)), "99999", "1e400"])
def test_retry_after_is_honoured_up_to_the_bound(value: str):
    with JudgeServer(fails(429, Retry_After=value), rates(7)) as server:
        started = time.monotonic()
        (reply,) = post(settings_for(server, max_retry_delay=0.3, retry_delay=0.001))
        waited = time.monotonic() - started
    assert reply.reason is None
    # An endless time is none.
    assert waited < 3
    assert waited >= 0.24 or value == "1e400"


@pytest.mark.parametrize("value", ["-5", "soon", "", "nan", "Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 99 Oct 2015"])
def test_a_retry_after_that_makes_no_sense_or_is_past_delays_nothing(value: str):
    with JudgeServer(fails(503, Retry_After=value), rates(7)) as server:
        started = time.monotonic()
        (reply,) = post(settings_for(server, max_retry_delay=20, retry_delay=0.001))
    assert reply.reason is None
    assert time.monotonic() - started < 5


def test_while_a_server_wants_rest_nothing_else_is_sent_to_it():
    arrivals: list[float] = []

    async def noted(request: web.Request) -> web.StreamResponse:
        arrivals.append(time.monotonic())
        return await rates(7)(request)

    with JudgeServer(fails(429, Retry_After="0.6"), noted) as server:

        async def use(endpoint: Endpoint) -> float:
            first = asyncio.create_task(endpoint.post("x", b"{}"))
            while not server.requests:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.1)
            started = time.monotonic()
            await asyncio.gather(first, *(endpoint.post("x", b"{}") for _ in range(3)))
            return started

        started = within(settings_for(server, retry_delay=0.001, max_retry_delay=5), use)
    assert len(arrivals) == 4
    assert min(arrivals) >= started + 0.1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_one_clear_error_that_does_not_hold_the_key(status: int, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with (
        JudgeServer(fails(status, f"Incorrect API key provided: {KEY}")) as server,
        pytest.raises(KeyRefusedError, match="refused the key") as caught,
    ):
        post(settings_for(server))
    assert len(server.requests) == 1
    assert KEY not in f"{caught.getrepr()}{caught.value!r}{caplog.text}"


def test_the_key_is_in_nothing_that_can_be_shown(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    with JudgeServer(fails(400, f"key {KEY} may not do this"), fails(500, KEY), half_closes) as server:
        settings = settings_for(server)
        shown = [repr(settings), str(settings), repr(dataclasses.asdict(settings)), repr(post(settings, 2))]
    assert "key *** may not do this" in shown[-1]
    assert not [text for text in (*shown, caplog.text) if KEY in text]


@pytest.mark.parametrize("key", ["sk-se cret", "sk-secret\n", "sk-secret\r\nX: y", "sk-s\u00e9cret"])
def test_a_key_that_no_header_can_hold_is_refused_without_showing_it(key: str):
    with pytest.raises(UsageError) as caught:
        settings_for(URL, api_key=SecretStr(key))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost:8000", "ftp://host/v1", "http://", "http://user:sk-secret@host/v1"])
def test_a_base_url_that_cannot_work_is_refused(url: str):
    with pytest.raises(UsageError, match="base URL") as caught:
        settings_for(url)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("name", ["concurrency", "timeout", "max_attempts", "max_tokens"])
def test_limits_of_nothing_are_refused(name: str):
    with pytest.raises(UsageError):
        settings_for(URL, **{name: 0})


def test_cancelled_requests_leave_no_task_and_the_endpoint_usable():
    with JudgeServer(*[slowly(30, rates(1))] * 8, rates(7)) as server:

        async def use(endpoint: Endpoint) -> Reply:
            tasks = [asyncio.create_task(endpoint.post("x", b"{}")) for _ in range(8)]
            while len(server.requests) < 8:
                await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            assert all(isinstance(each, asyncio.CancelledError) for each in await _settled(tasks))
            reply = await endpoint.post("x", b"{}")
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return reply

        assert within(settings_for(server, concurrency=8), use).reason is None


async def _settled(tasks: list[asyncio.Task[Reply]]) -> list[Reply | BaseException]:
    return list(await asyncio.gather(*tasks, return_exceptions=True))
