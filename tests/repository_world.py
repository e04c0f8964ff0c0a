"""A small world of repositories that copy each other in every way, for the tests of repository-level deduplication.

Its policy lets quality drop only what holds nothing to choose, so that what copies do is told apart from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import FILE_STEPS, lake_of, make_repository, python_source, run_flow, settings_of

from seed_platform.batches import add_batch, pin_sources
from seed_platform.corpora.policy import RepositoryLevelPolicy
from seed_platform.lake.lake import Lake
from seed_platform.policy import Policy
from seed_platform.steps.base import Step
from seed_platform.steps.read import limits_of

POLICY = Policy(repository_level=RepositoryLevelPolicy(min_quality=0, min_files=1))
LIB: dict[str, str | bytes] = {f"src/m{number}.py": python_source(number, 25) for number in range(12)}
BOILERPLATE: dict[str, str | bytes] = {
    "LICENSE.md": "# Licence\n\n" + "Do with it what you like, and leave this notice as it is.\n" * 20,
    "CONTRIBUTING.md": "# Contributing\n\n" + "Write a test, then write the code that it is about.\n" * 20,
    ".github/ISSUE_TEMPLATE.md": "## What did you do\n\n" + "And what happened instead of what you expected?\n" * 9,
}
README = {"README.md": "# A library\n\nIt is here to be copied.\n"}
LIBRARY = {**LIB, **BOILERPLATE, **README, "logo.png": b"\x89PNG\r\n\x1a\n\0\0"}
FORK = {**LIBRARY, "src/m0.py": python_source(50, 25), "src/own.py": python_source(51, 10)}

FIRST: dict[str, dict[str, str | bytes]] = {
    "fork": FORK,
    "mirror": LIBRARY,
    "moved": {f"lib/{name.replace('src/', 'pkg/')}": content for name, content in LIBRARY.items()},
    "snapshot": {**{f"copied/{name}": content for name, content in LIB.items()}, "main.py": python_source(52, 20)},
    "app": {
        **{f"third_party/lib/{name}": content for name, content in LIBRARY.items()},
        **{f"app/a{number}.py": python_source(60 + number, 8) for number in range(4)},
    },
    "one": {**BOILERPLATE, **{f"one{number}.py": python_source(70 + number, 20) for number in range(4)}},
    "two": {**BOILERPLATE, **{f"two{number}.py": python_source(80 + number, 20) for number in range(4)}},
    "lib": LIBRARY,
    "void": {},
    "picture": {"logo.png": b"\x89PNG\r\n\x1a\n\0\1"},
}
STARS = {"lib": 50, "mirror": 9, "fork": 3, "popular": 1000}
SECOND: dict[str, dict[str, str | bytes]] = {
    "popular": {**LIBRARY, "src/m1.py": python_source(53, 25)},
    "fork_of_fork": FORK,
}

FATES = {
    "fork": "near_duplicates of lib",
    "mirror": "exact_duplicates of lib",
    "moved": "near_duplicates of lib",
    "snapshot": "near_duplicates of lib",
    "app": "kept",
    "one": "kept",
    "two": "kept",
    "lib": "kept",
    "void": "quality: no_kept_files",
    "picture": "quality: no_kept_files",
    "popular": "near_duplicates of lib",
    "fork_of_fork": "exact_duplicates of fork",
}
"""What becomes of each: the filter that drops it, and the repository that it is a copy of or the reason."""


def add(root: str, folders: list[Path], name: str, metadata: dict[str, dict[str, Any]] | None = None) -> Lake:
    """Register a batch of repositories with facts about them; nothing is computed."""
    settings = settings_of(root)
    lake = lake_of(settings)
    add_batch(lake, pin_sources([str(folder) for folder in folders], limits_of(settings), metadata or {}), name=name)
    return lake


def make(folder: Path, repositories: dict[str, dict[str, str | bytes]]) -> list[Path]:
    """Commit each to a repository of its own under `folder`; where they are."""
    for name, files in repositories.items():
        make_repository(folder / name, files)
    return [folder / name for name in repositories]


def world(folder: Path, policy: Policy = POLICY, steps: Sequence[Step] = FILE_STEPS) -> str:
    """The repositories in two batches and a lake where `steps` are computed; the lake's root."""
    root = str(folder / "lake")
    stars = {name: {"stars": number} for name, number in STARS.items()}
    for name, repositories in (("first", FIRST), ("second", SECOND)):
        add(root, make(folder, repositories), name, stars)
        run_flow(root, [], policy=policy, steps=steps)
    return root
