"""The demo: the whole story on real input, from an empty folder to an exported corpus and four explained documents.

It uses the same commands that a user has. Source distributions come from the configured package index; where none can
be reached, the environment's own installed packages take their place, and the demo says so. Every number it prints
comes from this run. What belongs here: choosing input and telling the story. What does not: any work.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

from rich.rule import Rule

from seed_platform.console import err, out
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import open_views
from seed_platform.settings import Settings
from seed_platform.sources.base import SourceError
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.steps.flow import VERDICT_TABLES
from seed_platform.steps.read import limits_of

FIRST = ("pypi:flask==3.0.0", "pypi:lark==1.1.9", "pypi:tornado==6.4", "pypi:markupsafe==2.1.5")
"""A small first batch, so that there is something to see in the first minute."""

SECOND = (
    "pypi:flask==3.0.3",  # a later release of what the first batch has: exact and near duplicates across batches
    "pypi:django==4.2.16",  # Python, JavaScript, HTML, CSS
    "pypi:pygments==2.17.2",  # examples in hundreds of languages
    "pypi:sphinx==7.2.6",
    "pypi:sqlalchemy==2.0.30",
    "pypi:bokeh==3.3.4",  # TypeScript
    "pypi:jpype1==1.5.0",  # Java, C++
    "pypi:rpds-py==0.18.0",  # Rust
    "pypi:psycopg2==2.9.9",  # C
    "pypi:ujson==5.9.0",  # C++
)

_STORIES = (
    ("a kept file", "NOT EXISTS (SELECT 1 FROM verdicts x WHERE x.doc_id = f.doc_id AND NOT x.keep)", "rules"),
    ("an exact duplicate", "v.reason = 'exact_duplicate'", "exact_duplicates"),
    ("a near duplicate", "v.reason = 'near_duplicate' AND v.score < 1", "near_duplicates"),
    ("a file with a syntax error", "v.reason = 'syntax_error'", "syntax"),
)


def demo(folder: Path) -> None:
    """Run the demo in `folder`; a second run finds everything up to date."""
    started = time.monotonic()
    settings = Settings(lake=str(folder / "lake"))
    project = Path(__file__).resolve().parents[1]
    own = [str(project)] if (project / ".git").exists() else []
    if _index_answers(settings, folder):
        _chapter("1. A first batch arrives: four packages and this project's own repository")
        _seed(settings, "batch", "add", "repositories", *FIRST, *own, "--name", "first")
        _chapter("2. Dagster materializes it")
        _seed(settings, "run")
        _seed(settings, "funnel")
        _chapter("3. A second batch arrives; it is compared with all that came before, which is not computed again")
        _seed(settings, "batch", "add", "repositories", *SECOND, "--name", "second")
    else:
        packages = sysconfig.get_paths()["purelib"]
        out.print("[yellow]No package index can be reached: the input is this environment's installed packages.[/]")
        _chapter("1. A batch arrives")
        _seed(settings, "batch", "add", "repositories", packages, *own, "--name", "installed")
        _chapter("2. Dagster materializes it")
    _seed(settings, "run")
    _seed(settings, "funnel", "--plot", str(folder / "funnel.png"))
    _chapter("Why? Any document can be explained")
    for title, doc_id in _stories(settings):
        out.print(f"\n[italic]{title}[/]   seed why {doc_id}")
        _seed(settings, "why", doc_id, told=False)
    _chapter("The corpus, ready for a trainer")
    _seed(settings, "export", "file_level", str(folder / "file_level"), "--overwrite")
    out.print(f"\nDone in {time.monotonic() - started:.0f} s. Look around: [bold]seed ui --lake {settings.lake}[/]")


def _chapter(title: str) -> None:
    out.print()
    out.print(Rule(f"[bold]{title}[/]", align="left"))


def _seed(settings: Settings, *arguments: str, told: bool = True) -> None:
    """Run one `seed` command as a user would, after showing it."""
    if told:
        out.print(f"[bright_black]$ seed {' '.join(arguments)}[/]")
    command = [sys.executable, "-W", "ignore", "-m", "seed_platform", *arguments, "--lake", settings.lake]
    code = subprocess.run(command, check=False).returncode  # noqa: S603 - this interpreter, this package
    if code:
        err.print(f"[red]seed {arguments[0]} ended with exit code {code}[/]")
        sys.exit(code)


def _index_answers(settings: Settings, folder: Path) -> bool:
    """Whether the smallest package of the first batch can be had; it stays in the cache for the run."""
    spec = FIRST[-1]
    cache = Lake(str(folder / "lake")).storage.scratch("downloads")
    source = source_of(kind_of(spec))
    try:
        next(iter(source.read(source.pin(spec, limits_of(settings)), limits_of(settings), str(cache))))
    except SourceError as error:
        err.print(f"[bright_black]{spec}: {error.detail}[/]")
        return False
    return True


def _stories(settings: Settings) -> Sequence[tuple[str, str]]:
    """One document of each kind that this run has: a title and a doc_id."""
    connection = open_views(Lake(settings.lake), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=2)
    found = []
    for title, condition, name in _STORIES:
        row = connection.execute(
            f"SELECT f.doc_id FROM files f JOIN verdicts v USING (doc_id) WHERE v.filter = '{name}' AND {condition} "
            "AND f.repository_id NOT IN (SELECT doc_id FROM repositories WHERE source = 'git') "
            "AND f.language = 'Python' AND f.bytes BETWEEN 200 AND 60000 "
            "ORDER BY v.score DESC NULLS LAST, f.doc_id LIMIT 1"
        ).fetchone()
        if row is None:
            err.print(f"[yellow]this run has no Python example of {title}[/]")
        else:
            found.append((title, row[0]))
    return found
