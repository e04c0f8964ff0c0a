"""The judge: documents in, judgements out as they are made, each paid once.

What belongs here: the two ways to call it, and an end that leaves no task behind however it comes about. What does not:
the state of a run (`run.py`), the forms of question and answer (`modes.py`), where the cache is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Generator, Iterable

from seed_platform.judging.endpoint import Endpoint, JudgeSettings
from seed_platform.judging.judgement import Cache, Document, Judgement, JudgeStats
from seed_platform.judging.modes import check_mode
from seed_platform.judging.rubrics import Rubric
from seed_platform.judging.run import Run


async def judge_many(
    settings: JudgeSettings,
    rubric: Rubric,
    documents: AsyncIterable[Document] | Iterable[Document],
    cache: Cache,
    stats: JudgeStats | None = None,
) -> AsyncGenerator[Judgement, None]:
    """One judgement for every document, in the order in which they are made.

    At most `settings.concurrency` documents are held: a document is taken when an earlier one's judgement has been
    consumed. A document whose content is being judged already waits for that judgement. However the run ends, its
    requests are cancelled and what was paid is in the cache. As with every async generator, a caller that may leave the
    loop early, by an error or a cancellation in its body, closes it with `contextlib.aclosing`; otherwise the event
    loop does so some time later.

    Args:
        settings: the server and how it is asked.
        rubric: what is asked; a question for the mode "yes_no", one that asks for a rating for the others.
        documents: read once, from the event loop's thread.
        cache: asked before the server.
        stats: totals to add to.

    Raises:
        UsageError: the rubric does not fit the mode or the length of prompts.
        KeyRefusedError: the server refuses the key.
        WorkError: the server cannot be reached for many documents in a row.
    """
    check_mode(settings, rubric)
    async with Endpoint(settings) as endpoint:
        run = Run(settings, rubric, cache, stats or JudgeStats(), endpoint)
        feeder = run.start(documents)
        try:
            while (judgement := await run.next()) is not None:
                yield judgement
                run.release()
        finally:
            await run.stop(feeder)


def judge_documents(
    settings: JudgeSettings,
    rubric: Rubric,
    documents: Iterable[Document],
    cache: Cache,
    stats: JudgeStats | None = None,
) -> Generator[Judgement, None, None]:
    """`judge_many` for callers without an event loop; requests advance while the next judgement is waited for.

    An interrupt while it waits cancels the requests and is raised as KeyboardInterrupt; closing the generator early
    does the same without raising.
    """
    with asyncio.Runner() as runner:
        judgements = judge_many(settings, rubric, documents, cache, stats)
        try:
            while (judgement := runner.run(_next(judgements))) is not None:
                yield judgement
        finally:
            runner.run(judgements.aclose())


async def _next(judgements: AsyncIterator[Judgement]) -> Judgement | None:
    return await anext(judgements, None)
