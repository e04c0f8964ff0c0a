"""The demo: the whole story on real input, from an empty folder to exported corpora and a few explained documents.

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
from seed_platform.demo_crawl import write_crawl
from seed_platform.judging.labels import shipped
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import open_views
from seed_platform.settings import Settings
from seed_platform.sources.base import SourceError, SourceFile, display_path
from seed_platform.sources.kinds import kind_of, source_of
from seed_platform.steps.page_flow import VERDICT_TABLES
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
# And a mirror of the first batch's lark under another name, as forges are full of: a repository-level duplicate.
_MIRRORED = "pypi:lark==1.1.9"

_STORIES = (
    ("a kept file", "NOT EXISTS (SELECT 1 FROM verdicts x WHERE x.doc_id = f.doc_id AND NOT x.keep)", "rules"),
    ("an exact duplicate", "v.reason = 'exact_duplicate'", "exact_duplicates"),
    ("a near duplicate", "v.reason = 'near_duplicate' AND v.score < 1", "near_duplicates"),
    ("a file with a syntax error", "v.reason = 'syntax_error'", "syntax"),
    ("a file of low quality", "v.reason = 'low_quality'", "quality"),
)


_POLICY = """\
# The paper's gate asks for 100 commits and 100 days of activity; a young history is shown all the same.
commit_gate:
  commits: 10
  active_days: 0
"""


def demo(folder: Path, histories: Sequence[str] = ()) -> None:
    """Run the demo in `folder`; a second run finds everything up to date. `histories` are further git repositories."""
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.yaml").write_text(_POLICY, encoding="utf-8")
    settings = Settings(lake=str(folder / "lake"), policy=folder / "policy.yaml")
    project = Path(__file__).resolve().parents[1]
    own = [*([str(project)] if (project / ".git").exists() else []), *histories]
    if _index_answers(settings, folder):
        _chapter("1. A first batch arrives: four packages and git repositories, this project's own among them")
        _seed(settings, "batch", "add", "repositories", *FIRST, *own, "--name", "first")
        _chapter("2. Dagster materializes it")
        _seed(settings, "run")
        _seed(settings, "funnel")
        _chapter("A judge's labels are distilled into a scorer, which scores every file from now on")
        _seed(settings, "train", "file-quality", "--plot", str(folder / "calibration.png"))
        _chapter("3. A second batch arrives; it is compared with all that came before, which is not computed again")
        mirror = _mirror(settings, folder)
        _seed(settings, "batch", "add", "repositories", *SECOND, *mirror, "--name", "second")
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
    _structure(settings)
    crawled = _crawl(settings, folder)
    _seed(settings, "sql", _LENGTHS)
    _chapter("The corpora, ready for a trainer")
    corpora = ("file_level", "repository_level", *(("commits",) if own else ()), *(("web",) if crawled else ()))
    for corpus in (*corpora, "high_quality", "long_context"):
        _seed(settings, "export", corpus, str(folder / corpus), "--overwrite")
    look = f"seed ui --lake {settings.lake} --policy {settings.policy}"
    out.print(f"\nDone in {time.monotonic() - started:.0f} s. Look around: [bold]{look}[/]")


_LENGTHS = (
    "select source, step, count(*) as documents, sum(tokens) as tokens from long_context group by all order by all"
)


def _structure(settings: Settings) -> None:
    """Corpora that keep structure: the shortest sample and the shortest packed repository, both in full."""
    _chapter("How code changes, and how files belong together: commits and repositories")
    _seed(settings, "funnel", "commits")
    connection = open_views(Lake(settings.lake), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=2)
    sample = connection.execute(
        "SELECT sha FROM commit_samples WHERE len(relevant) > 0 ORDER BY tokens, sha LIMIT 1"
    ).fetchone()
    if sample is not None:
        _seed(settings, "why", sample[0])
        _seed(settings, "show", sample[0])
    packed = connection.execute(
        "SELECT any_value(repository) FROM repository_sequences GROUP BY batch, repository_id HAVING sum(edges) > 0 "
        "ORDER BY sum(tokens), 1 LIMIT 1"
    ).fetchone()
    if packed is not None:
        _seed(settings, "why", packed[0])
        _seed(settings, "show", packed[0])


def _mirror(settings: Settings, folder: Path) -> list[str]:
    """A folder with the files of a package of the first batch and a note of the mirror's own, which no copy has."""
    target = folder / "lark-mirror"
    source, limits = source_of(kind_of(_MIRRORED)), limits_of(settings)
    cache = str(Lake(settings.lake).storage.scratch("downloads"))
    for entry in source.read(source.pin(_MIRRORED, limits), limits, cache):
        if isinstance(entry, SourceFile) and entry.content is not None:
            path = target / display_path(entry.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(entry.content)
    (target / "MIRROR.md").write_text("This mirror is updated every night.\n", encoding="utf-8")
    return [str(target)]


def _crawl(settings: Settings, folder: Path) -> bool:
    """The same for pages: a crawl of documentation, one record of it damaged; False where there is none to be had."""
    crawl = folder / "documentation.warc.gz"
    try:
        pages = write_crawl(crawl, limits_of(settings), Lake(settings.lake).storage.scratch("downloads"))
    except SourceError as error:
        err.print(f"[yellow]no documentation to crawl: {error.detail}[/]")
        return False
    _chapter(f"4. A crawl arrives: {pages} documentation pages that packages ship, one record damaged on purpose")
    _seed(settings, "batch", "add", "crawl", str(crawl), "--name", "documentation")
    _seed(settings, "run")
    _seed(settings, "funnel", "web")
    for title, url in _page_stories(settings):
        out.print(f"\n[italic]{title}[/]   seed why {url}")
        _seed(settings, "why", url, told=False)
    return True


def _page_stories(settings: Settings) -> Sequence[tuple[str, str]]:
    """A kept page with code and one that is dropped: a title and a URL."""
    connection = open_views(Lake(settings.lake), VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=2)
    queries = {
        "a kept page": "SELECT url FROM web JOIN pages USING (url) ORDER BY code_blocks DESC, url LIMIT 1",
        "a near duplicate among pages": "SELECT p.url FROM pages p JOIN verdicts v USING (doc_id) "
        "WHERE v.kind = 'page' AND v.reason = 'near_duplicate' ORDER BY v.score DESC, p.url LIMIT 1",
    }
    rows = {title: connection.execute(query).fetchone() for title, query in queries.items()}
    return [(title, row[0]) for title, row in rows.items() if row is not None]


def _chapter(title: str) -> None:
    out.print()
    out.print(Rule(f"[bold]{title}[/]", align="left"))


def _seed(settings: Settings, *arguments: str, told: bool = True) -> None:
    """Run one `seed` command as a user would, after showing it."""
    if told:
        out.print(f"[bright_black]$ seed {' '.join(arguments)}[/]")
    command = [sys.executable, "-W", "ignore", "-m", "seed_platform", *arguments, "--lake", settings.lake]
    command += ["--policy", str(settings.policy)]
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
            "AND v.kind = 'file' AND f.language = 'Python' AND f.bytes BETWEEN 100 AND 60000 "
            "ORDER BY v.score DESC NULLS LAST, f.doc_id LIMIT 1"
        ).fetchone()
        if row is None:
            err.print(f"[yellow]this run has no Python example of {title}[/]")
        else:
            found.append((title, row[0]))
    labelled = [label.sha256 for label in shipped() if label.language == "Python"]
    row = connection.execute(
        "SELECT doc_id FROM file_level WHERE content_sha256 IN (SELECT unnest($labelled)) ORDER BY doc_id LIMIT 1",
        {"labelled": labelled},
    ).fetchone()
    if row is not None:
        found.append(("a file that a judge has rated", row[0]))
    row = connection.execute(
        "SELECT doc_id FROM verdicts WHERE kind = 'repository' AND NOT keep ORDER BY score DESC NULLS LAST LIMIT 1"
    ).fetchone()
    if row is not None:
        found.append(("a repository that is a copy", row[0]))
    return found
