"""One run of the judge: which documents are in flight, what is known already, what has been paid.

What belongs here: bounded concurrency, the cache's use, totals, when to give up. What does not: requests
(`endpoint.py`), what is asked and how an answer is read (`modes.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Final

from seed_platform.errors import WorkError
from seed_platform.judging.endpoint import Endpoint, JudgeSettings, Reply
from seed_platform.judging.judgement import Cache, Document, Judgement, JudgeStats, cache_key
from seed_platform.judging.modes import Reading, fill, read, request, tokens
from seed_platform.judging.rubrics import Rubric

WRITE_ROWS: Final = 256
WRITE_SECONDS: Final = 30.0
"""Judgements go to the cache after so many or so long, so that a killed run pays for few a second time."""

MIN_UNREACHABLE: Final = 16
"""A run ends when so many documents in a row, or twice as many as are in flight, met no server at all."""

_PAID: Final = frozenset({None, "refused", "cut_off", "unparsable", "ambiguous", "out_of_range"})
"""The reasons that are a model's own: asking again would be paid again and end the same."""


@dataclass(frozen=True, slots=True)
class _Question:
    """What is left of a document once it can be asked about."""

    key: str
    content_sha256: str
    prompt: str
    truncated: bool


class Run:
    """The state of one `judge_many`: a feeder takes documents and starts a task for each, a queue brings them back."""

    def __init__(
        self, settings: JudgeSettings, rubric: Rubric, cache: Cache, stats: JudgeStats, endpoint: Endpoint
    ) -> None:
        self._settings = settings
        self._rubric = rubric
        self._cache = cache
        self._stats = stats
        self._endpoint = endpoint
        self._free = settings.concurrency
        # Several at a time, so that the cache is asked for blocks, and few, so that nearly all requests are in flight.
        self._block = max(1, settings.concurrency // 8)
        self._has_room = asyncio.Event()
        self._tasks: set[asyncio.Task[Judgement]] = set()
        self._asked: dict[str, asyncio.Task[Judgement]] = {}
        self._finished: asyncio.Queue[Callable[[], Judgement | None]] = asyncio.Queue()
        self._unwritten: dict[str, Judgement] = {}
        self._unreachable = 0
        self._written = self._updated = time.monotonic()

    def start(self, documents: AsyncIterable[Document] | Iterable[Document]) -> asyncio.Task[None]:
        """Starts the feeder, whose end is the last thing in the queue."""
        feeder = asyncio.create_task(self._feed(documents))
        feeder.add_done_callback(lambda ended: self._finished.put_nowait(ended.result))
        return feeder

    async def next(self) -> Judgement | None:
        """The next judgement, or None after the last one; raises what ended the run."""
        judgement = (await self._finished.get())()
        self._tick()
        if judgement is not None:
            self._count(judgement)
        return judgement

    def release(self) -> None:
        """A judgement has been consumed: there is room for another document."""
        self._free += 1
        if self._free >= self._block:
            self._has_room.set()

    async def stop(self, feeder: asyncio.Task[None]) -> None:
        """Ends what is under way; what was paid goes to the cache."""
        feeder.cancel()
        for task in self._tasks:
            task.cancel()
        try:
            await asyncio.gather(feeder, *self._tasks, return_exceptions=True)
        finally:
            self._write()
            self._tick()

    async def _feed(self, documents: AsyncIterable[Document] | Iterable[Document]) -> None:
        if isinstance(documents, AsyncIterable):
            # One by one: a further document may be long in coming.
            async for document in documents:
                self._begin([document])
                del document
                await self._room(1)
        else:
            source = iter(documents)
            while self._begin(list(islice(source, self._free))):
                await self._room(self._block)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _room(self, wanted: int) -> None:
        while self._free < wanted:
            self._has_room.clear()
            await self._has_room.wait()

    def _begin(self, documents: list[Document]) -> bool:
        """Answers documents from the cache or asks about them; False if there are none."""
        self._free -= len(documents)
        questions = [self._question(*document) for document in documents]
        known = dict(self._cache.get_many(list({each.key for each in questions}))) if questions else {}
        for question in questions:
            found = self._unwritten.get(question.key) or known.get(question.key)
            if found is not None and not self._was_cut_shorter(found):
                self._finished.put_nowait(partial(replace, found, cached=True))
            else:
                self._ask(question)
        return bool(questions)

    def _question(self, content: str, language: str, content_sha256: str) -> _Question:
        prompt = fill(self._settings, self._rubric, content, language)
        key = cache_key(self._settings, self._rubric, language, content_sha256, truncated=prompt.truncated)
        return _Question(key, content_sha256, prompt.text, prompt.truncated)

    def _was_cut_shorter(self, judgement: Judgement) -> bool:
        """Whether an answer was cut off at fewer tokens than it would be given now."""
        return judgement.reason == "cut_off" and 0 < judgement.completion_tokens < self._settings.max_tokens

    def _ask(self, question: _Question) -> None:
        first = self._asked.get(question.key)
        if first is None:
            task = self._asked[question.key] = asyncio.create_task(self._judge(question))
        else:
            task = asyncio.create_task(_same(first))
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Judgement]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Looked at here, because only the first of several errors is raised.
            task.exception()
        self._finished.put_nowait(task.result)

    async def _judge(self, question: _Question) -> Judgement:
        try:
            reply = await self._endpoint.post(*request(self._settings, question.prompt))
        finally:
            del self._asked[question.key]
        self._note_reachable(reply)
        if reply.reason is None:
            reading = read(self._settings.mode, reply.data)
        else:
            reading = Reading(None, reply.reason, reply.detail)
        used = tokens(reply.data)
        self._pay(reply.attempts, *used)
        judgement = Judgement(
            question.key,
            reading.score,
            reading.reason,
            reading.explanation,
            *used,
            truncated=question.truncated,
            cached=False,
            content_sha256=question.content_sha256,
        )
        if judgement.reason in _PAID:
            self._keep(judgement)
        return judgement

    def _note_reachable(self, reply: Reply) -> None:
        self._unreachable = self._unreachable + 1 if reply.reason == "unreachable" else 0
        if self._unreachable >= max(MIN_UNREACHABLE, 2 * self._settings.concurrency):
            raise WorkError(
                f"the judge at {self._settings.base_url} cannot be reached, for {self._unreachable} documents in a row"
            )

    def _pay(self, attempts: int, prompt_tokens: int, completion_tokens: int) -> None:
        self._stats.requests += attempts
        self._stats.retries += attempts - 1
        self._stats.prompt_tokens += prompt_tokens
        self._stats.completion_tokens += completion_tokens
        price = prompt_tokens * self._settings.prompt_price + completion_tokens * self._settings.completion_price
        self._stats.cost += price / 1e6

    def _count(self, judgement: Judgement) -> None:
        if judgement.reason is None:
            self._stats.judged += 1
        else:
            self._stats.rejected[judgement.reason] += 1
        self._stats.cached += judgement.cached
        self._stats.truncated += judgement.truncated

    def _keep(self, judgement: Judgement) -> None:
        self._unwritten[judgement.key] = judgement
        if len(self._unwritten) >= WRITE_ROWS or time.monotonic() - self._written >= WRITE_SECONDS:
            self._write()

    def _write(self) -> None:
        if self._unwritten:
            self._cache.put_many(list(self._unwritten.values()))
            self._unwritten.clear()
        self._written = time.monotonic()

    def _tick(self) -> None:
        now = time.monotonic()
        self._stats.seconds += now - self._updated
        self._updated = now


async def _same(first: asyncio.Task[Judgement]) -> Judgement:
    """The judgement of a document with the same content, for nothing."""
    judgement = await asyncio.shield(first)
    return replace(judgement, cached=judgement.reason in _PAID)
