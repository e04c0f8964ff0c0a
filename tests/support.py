"""Helpers of the tests: real repositories made with git, generated source text, and the flow run without Dagster."""

from __future__ import annotations

import os
import random
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from seed_platform.batches import CRAWL, add_batch, pin_sources
from seed_platform.crawl.arrivals import pin_crawl
from seed_platform.engine.local import LocalEngine
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import open_views
from seed_platform.policy import Policy
from seed_platform.settings import Settings
from seed_platform.steps.base import Context, Step
from seed_platform.steps.code_relevance import MODEL, train_relevance
from seed_platform.steps.flow import FILE_DEPENDENCIES, SEQUENCES, STEPS
from seed_platform.steps.freshness import Done, bring_up_to_date, load_records
from seed_platform.steps.lines import CRAWL_LINE, REPOSITORY_LINE, Line
from seed_platform.steps.models import models
from seed_platform.steps.page_flow import VERDICT_TABLES
from seed_platform.steps.quality_model import MODEL as QUALITY_MODEL
from seed_platform.steps.quality_model import train_quality
from seed_platform.steps.read import limits_of
from seed_platform.steps.references import read_references

_SYLLABLES = tuple("ba ce di fo gu ka le mi no pu ra se ti vo xa zen tor lin mar pel dos gan hol fer".split(" "))  # noqa: SIM905
_DEFAULTS = Policy()
FILE_STEPS = tuple(step for step in STEPS if step not in (FILE_DEPENDENCIES, SEQUENCES))
"""The steps that files and copies of repositories go through."""
_GIT = {
    **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_EMAIL": "a@b.c" for who in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{who}_DATE": "1700000000 +0000" for who in ("AUTHOR", "COMMITTER")},
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in `folder` with no configuration but the repository's own; what it printed."""
    command = ["git", "-c", "init.defaultBranch=main", "-c", "gc.auto=0", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **_GIT}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def make_repository(path: Path, files: dict[str, str | bytes]) -> str:
    """Commit `files` to the repository at `path`, made if it is not there; the commit's id.

    Author and date are fixed, so the same files on the same history give the same id. Whatever else lies in the
    folder already (a symlink, say) is committed too.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not (path / ".git").exists():
        git(path, "init", "-q")
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    git(path, "add", "-A")
    git(path, "commit", "-q", "--allow-empty", "-m", "change")
    return git(path, "rev-parse", "HEAD")


def python_source(seed: int, lines: int) -> str:
    """Valid Python of `lines` lines (at least 1) from a vocabulary of its own: two seeds share next to nothing."""
    chance = random.Random(seed)
    vocabulary = ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 4))) + str(seed % 97) for _ in range(60)]

    def word() -> str:
        return chance.choice(vocabulary)

    def statement() -> str:
        return chance.choice(
            (
                f"{word()} = {word()}_{word()}({word()}, {chance.randint(0, 999)})",
                f"self.{word()}.append({word()} * {chance.randint(2, 99)} - {word()})",
                f'if {word()} > {chance.randint(0, 99)}: print("{word()} {word()} of {word()}")',
                f"{word()} = [{word()} for {word()} in {word()}.{word()} if {word()} is not None]",
                f"{word()}['{word()}'] = {word()} or {{'{word()}': {word()}}}",
            )
        )

    written = [f'"""{word().title()} {word()} for the {word()} {word()}."""']
    while len(written) < lines:
        body = min(chance.randint(3, 9), lines - len(written) - 1)
        if body < 1:
            written.append(f"{word()} = {chance.randint(0, 9999)}")
            continue
        written.append(f"def {word()}_{word()}(self, {word()}_, {word()}=None):")
        written += [f"    {statement()}" for _ in range(body)]
    return "\n".join(written) + "\n"


def edited(source: str, lines: Sequence[int]) -> str:
    """`source` with the given lines (0-based) replaced by a comment: a near duplicate if they are few."""
    kept = source.splitlines()
    for number in lines:
        indent = kept[number][: len(kept[number]) - len(kept[number].lstrip())]
        kept[number] = f"{indent}edited_{number} = {number}"
    return "\n".join(kept) + "\n"


def settings_of(lake_root: str, workers: int = 2) -> Settings:
    """Settings of a small machine."""
    return Settings(lake=lake_root, workers=workers)


def lake_of(settings: Settings) -> Lake:
    """The lake that the settings name."""
    return Lake(settings.lake, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)


def run_flow(
    lake_root: str,
    specs: Sequence[str],
    *,
    policy: Policy = _DEFAULTS,
    name: str | None = None,
    workers: int = 2,
    steps: Sequence[Step] = FILE_STEPS,
    metadata: Mapping[str, Mapping[str, object]] | None = None,
) -> list[Done]:
    """Add a batch of `specs` (none if empty) and bring every outstanding one of `steps` of every batch up to date.

    By default these are the steps of files and of copies of repositories, which most tests are about.
    """
    settings = settings_of(lake_root, workers)
    lake = lake_of(settings)
    if specs:
        add_batch(lake, pin_sources(specs, limits_of(settings), metadata or {}), name=name)
    context = Context(lake, LocalEngine(workers), settings, policy, uuid.uuid4().hex)
    without_scorer(context)
    read_references(context, REPOSITORY_LINE.flow(lake, policy, settings))
    return _bring_up_to_date(context, REPOSITORY_LINE, set(steps))


def without_scorer(context: Context) -> None:
    """Where no scorer of files is in use, use one that scores nothing: every file passes as not_scored."""
    if models(context.lake).get(QUALITY_MODEL) is None:
        train_quality(context, [], "none", fetch=False)


def run_crawl(
    lake: str | Lake,
    specs: Sequence[str | Path],
    *,
    policy: Policy = _DEFAULTS,
    name: str | None = None,
    workers: int = 2,
    base_url: str | None = None,
) -> list[Done]:
    """The same for a crawl: add a batch of `specs` (none if empty), compute, train where there is no model, compute.

    `lake` is a root, or a lake that cuts its files in a way of its own.
    """
    lake = lake if isinstance(lake, Lake) else lake_of(settings_of(lake, workers))
    settings = settings_of(lake.root, workers)
    if specs:
        add_batch(lake, pin_crawl([str(spec) for spec in specs], limits_of(settings), base_url), name=name, kind=CRAWL)
    context = Context(lake, LocalEngine(workers), settings, policy, uuid.uuid4().hex)
    judged = CRAWL_LINE.that_need_models()
    done = _bring_up_to_date(context, CRAWL_LINE, set(CRAWL_LINE.steps) - judged)
    known = models(lake).get(MODEL)
    if known is None or known.path is None:
        train_relevance(context)
    return done + _bring_up_to_date(context, CRAWL_LINE, judged)


def _bring_up_to_date(context: Context, line: Line, steps: set[Step]) -> list[Done]:
    """Compute what is outstanding of `steps`."""
    flow = line.flow(context.lake, context.policy, context.settings)
    todo = flow.outstanding(load_records(context.lake))
    return [bring_up_to_date(context, flow, step, batch) for batch, step in todo if step in steps]


@contextmanager
def views(lake_root: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the lake's views, as `seed sql` has it."""
    settings = settings_of(lake_root)
    connection = open_views(
        lake_of(settings), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=settings.workers
    )
    try:
        yield connection
    finally:
        connection.close()
