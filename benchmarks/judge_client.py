"""What the judge's client costs: requests per second and per CPU second of its one core.

A stub server in a process of its own answers every request after a fixed time with a chat completion. The client asks
it about documents that all differ, with nothing in the cache, as a run does: prompt, key, request, reading.

    python benchmarks/judge_client.py --requests 20000 --in-flight 256

What belongs here: the measurement. What does not: a model's own speed. The target is 2,000 requests per CPU second. Few
documents in flight and a slow answer bound the requests per second of wall clock: 256 at 100 ms give at most 2,560.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from pydantic import SecretStr

from seed_platform.judging.endpoint import JudgeSettings
from seed_platform.judging.judge import judge_many
from seed_platform.judging.judgement import Document, Judgement, JudgeStats
from seed_platform.judging.rubrics import load_rubric

ANSWER = "Clear names and short functions, but errors are printed and ignored.\nRating: [[6]]"
REPLY = {
    "id": "chatcmpl-0",
    "object": "chat.completion",
    "model": "stub",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1500, "completion_tokens": 24, "total_tokens": 1524},
}


class Stub(asyncio.Protocol):
    """Just enough HTTP for a keep-alive client that sends one request at a time on a connection."""

    def __init__(self, response: bytes, seconds: float) -> None:
        self._response = response
        self._seconds = seconds
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call for a new connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answers, later, once a whole request is there."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(self._received) >= end + 4 + length:
            self._received.clear()
            asyncio.get_running_loop().call_later(self._seconds, self._transport.write, self._response)


async def serve(seconds: float) -> None:
    """Serves on a free port, which it prints."""
    body = json.dumps(REPLY).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    response = head.encode() + body
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Stub(response, seconds), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Memory:
    """A cache in a dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, Judgement] = {}

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Judgement]:
        """Those there are."""
        return {key: self._rows[key] for key in keys if key in self._rows}

    def put_many(self, rows: Sequence[Judgement]) -> None:
        """Keeps them."""
        self._rows |= {row.key: row for row in rows}


def documents(count: int, size: int) -> Iterator[Document]:
    """So many texts of so many characters; no two are equal."""
    line = "total = total + weights[index] * values[index]\n"
    text = line * (size // len(line))
    for number in range(count):
        content = f"# {number}\n{text}"
        yield content, "Python", hashlib.sha256(content.encode()).hexdigest()


async def measure(settings: JudgeSettings, count: int, size: int) -> JudgeStats:
    """Judges them all."""
    stats = JudgeStats()
    async for _ in judge_many(settings, load_rubric("code_quality", "1"), documents(count, size), Memory(), stats):
        pass
    return stats


def main() -> None:
    """Prints the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--answer-seconds", type=float, default=0.1)
    parser.add_argument("--characters", type=int, default=4_000, help="of each document")
    parser.add_argument("--serve", action="store_true", help="be the stub server")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.answer_seconds))
        return
    command = [sys.executable, __file__, "--serve", "--answer-seconds", str(options.answer_seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            base_url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            settings = JudgeSettings(
                base_url=base_url, model="stub", api_key=SecretStr("none"), concurrency=options.in_flight
            )
            asyncio.run(measure(settings, 2 * options.in_flight, options.characters))
            started = time.process_time()
            stats = asyncio.run(measure(settings, options.requests, options.characters))
            cpu = time.process_time() - started
        finally:
            server.terminate()
    print(f"{stats.judged:,} judged, {stats.retries} retries, {dict(stats.rejected)} rejected")
    print(f"wall {stats.seconds:.2f} s: {stats.requests / stats.seconds:,.0f} requests per second")
    print(f"client CPU {cpu:.2f} s: {stats.requests / cpu:,.0f} requests per CPU second")


if __name__ == "__main__":
    main()
