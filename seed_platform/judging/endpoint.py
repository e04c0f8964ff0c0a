"""An OpenAI-compatible server as `vllm serve` and hosted services are: requests out, JSON or a named reason back.

What belongs here: the connection, time limits, retries, and keeping the key out of everything that is shown. What does
not: what is asked and what an answer means (`modes.py`), and which documents are asked about (`judge.py`).
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr

from seed_platform.errors import UsageError, WorkError

if TYPE_CHECKING:
    import aiohttp

Mode = Literal["rating", "schema", "expected", "yes_no"]
Api = Literal["chat", "completions"]

MAX_REPLY_BYTES: Final = 4 << 20
"""A reply holds at most a few thousand tokens and their probabilities; what is longer is no reply."""

# uvicorn, and so vLLM, closes a connection that was idle for 5 s; one that is reused just then breaks the request.
_KEEP_ALIVE_SECONDS: Final = 4.0
_NO_KEY: Final = SecretStr("")
_RETRIED: Final = frozenset({408, 409, 425, 429})
_TOO_LONG: Final = (
    *("context length", "context_length", "context window"),
    *("maximum model length", "max_model_len", "prompt is too long"),
)


class KeyRefusedError(WorkError):
    """The server does not accept the key, so that no request of the run can succeed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSettings:
    """Where a judge is, how it is asked, and what it costs.

    Attributes:
        base_url: up to and including the version, such as "http://localhost:8000/v1".
        model: the server's name for the model.
        api_key: sent as a bearer token; empty for a server that wants none.
        mode: how a rating is obtained; see `modes.py`.
        api: chat completions, or plain completions for a model without a chat template.
        concurrency: most requests, and most documents in memory, at once.
        timeout: seconds for one attempt.
        max_attempts: per document, the first included.
        retry_delay: seconds before the second attempt; doubled for each further one, less up to half by chance.
        max_retry_delay: most seconds between attempts, also where the server's Retry-After asks for more.
        max_prompt_chars: most characters of a prompt; a longer document is cut.
        max_tokens: most tokens of an answer.
        temperature: of sampling.
        prompt_price: of a million prompt tokens, in any currency.
        completion_price: of a million completion tokens.

    Raises:
        UsageError: a value that cannot work; the message never holds the key.
    """

    base_url: str
    model: str
    api_key: SecretStr = _NO_KEY
    mode: Mode = "rating"
    api: Api = "chat"
    concurrency: int = 64
    timeout: float = 120.0
    max_attempts: int = 6
    retry_delay: float = 0.5
    max_retry_delay: float = 60.0
    max_prompt_chars: int = 24_000
    max_tokens: int = 300
    temperature: float = 0.0
    prompt_price: float = 0.0
    completion_price: float = 0.0

    def __post_init__(self) -> None:
        address = urlsplit(self.base_url)
        if address.scheme not in {"http", "https"} or not address.hostname:
            raise UsageError("the judge's base URL must be like http://localhost:8000/v1")
        if "@" in address.netloc:
            raise UsageError("the judge's base URL must not hold a password; a key has its own setting")
        key = self.api_key.get_secret_value()
        if not (key.isascii() and key.isprintable() and " " not in key):
            raise UsageError("the judge's key holds a space or another character that no key can have")
        if min(self.concurrency, self.max_attempts, self.max_tokens) < 1 or self.timeout <= 0:
            raise UsageError("a judge's concurrency, attempts, tokens and timeout must be above 0")


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        data: the JSON of a successful reply.
        reason: why there is none: "http_<status>", "too_long", "no_logprobs", "invalid_json", "oversized", "timeout",
            "unreachable" or "broken_stream".
        detail: what the server said of it, shortened, without the key.
        attempts: how often it was sent.
    """

    data: object = None
    reason: str | None = None
    detail: str = ""
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One sending: its status and body, or the transport's fault."""

    status: int = 0
    body: bytes = b""
    fault: str | None = None
    retry_after: float | None = None

    @property
    def may_be_repeated(self) -> bool:
        return (self.fault not in {None, "oversized"}) or self.status in _RETRIED or self.status >= 500


class Endpoint:
    """A server to which many tasks of one event loop post at once; connections are kept and reused.

    An async context manager. Cancelling a task that posts gives its connection back.
    """

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession
        self._not_before = 0.0

    async def __aenter__(self) -> Self:
        import aiohttp  # noqa: PLC0415 - a quarter of a second that only judging needs

        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key := self._settings.api_key.get_secret_value():
            headers["Authorization"] = f"Bearer {key}"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._settings.concurrency, keepalive_timeout=_KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=headers,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def post(self, path: str, body: bytes) -> Reply:
        """Sends JSON to a path below the base URL, again and again while that may help.

        Repeated: transport faults, 408, 409, 425, 429 and 5xx, after a growing delay. Not repeated: everything else.

        Raises:
            KeyRefusedError: the server answers 401 or 403.
        """
        url = f"{self._settings.base_url.rstrip('/')}/{path}"
        number = 0
        while True:
            number += 1
            await self._until_allowed()
            attempt = await self._attempt(url, body)
            if number == self._settings.max_attempts or not attempt.may_be_repeated:
                return self._reply(attempt, number)
            await asyncio.sleep(self._delay(number, attempt.retry_after))

    async def _attempt(self, url: str, body: bytes) -> _Attempt:
        import aiohttp  # noqa: PLC0415 - as above

        try:
            # A redirect would carry the key to another server.
            async with self._session.post(url, data=body, allow_redirects=False) as response:
                status = response.status
                if status in {401, 403}:
                    raise KeyRefusedError(
                        f"the judge's server refused the key (HTTP {status}); check it and start again"
                    )
                received = await _body(response)
                if received is None:
                    return _Attempt(status, fault="oversized")
                return _Attempt(status, received, retry_after=_retry_after(response.headers.get("Retry-After")))
        except TimeoutError:
            return _Attempt(fault="timeout")
        except aiohttp.ClientConnectorError:
            return _Attempt(fault="unreachable")
        except (aiohttp.ClientError, OSError):
            return _Attempt(fault="broken_stream")

    def _delay(self, number: int, retry_after: float | None) -> float:
        """Seconds to wait after an attempt; a server that names a time makes all requests wait for it."""
        most = self._settings.max_retry_delay
        spread = 0.5 + random.random() / 2  # noqa: S311 - it spreads load and guards nothing
        delay = min(most, self._settings.retry_delay * 2.0 ** min(number - 1, 60)) * spread
        if retry_after is not None:
            until = asyncio.get_running_loop().time() + min(retry_after, most)
            self._not_before = max(self._not_before, until)
        return delay

    async def _until_allowed(self) -> None:
        while (wait := self._not_before - asyncio.get_running_loop().time()) > 0:
            # Not all at the same moment, or the server is at once where it was.
            await asyncio.sleep(wait + self._settings.retry_delay * random.random())  # noqa: S311 - as above

    def _reply(self, attempt: _Attempt, attempts: int) -> Reply:
        if attempt.fault is not None:
            return Reply(reason=attempt.fault, attempts=attempts)
        if attempt.status == 200:
            try:
                return Reply(json.loads(attempt.body), attempts=attempts)
            except (ValueError, RecursionError):
                return Reply(reason="invalid_json", detail=self._shown(attempt.body), attempts=attempts)
        detail = self._shown(attempt.body)
        return Reply(reason=_reason(attempt.status, detail), detail=detail, attempts=attempts)

    def _shown(self, body: bytes) -> str:
        """The start of what a server said, on one line; some servers repeat the key that they were sent."""
        text = body.decode("utf-8", "replace")
        if key := self._settings.api_key.get_secret_value():
            text = text.replace(key, "***")
        return " ".join(text[:400].split())


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    """A reply's body, or None for one that is over `MAX_REPLY_BYTES`."""
    chunks = []
    size = 0
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            return None
    return b"".join(chunks)


def _retry_after(value: str | None) -> float | None:
    """Seconds from now that a Retry-After header names, as a number or a date; None where it names none."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _reason(status: int, detail: str) -> str:
    """The name of a status; a 400 is told apart by the server's words, which no standard lays down."""
    if status == 400:
        said = detail.lower()
        if any(words in said for words in _TOO_LONG):
            return "too_long"
        if "logprobs" in said:
            return "no_logprobs"
    return f"http_{status}"
