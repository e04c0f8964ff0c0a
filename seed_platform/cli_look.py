"""The commands of `seed` that look at a lake: funnel, why, show, export, sql.

What belongs here: arguments, help, and calling one function. What does not: commands that change a lake (`cli.py`), and
how results look (`console.py`).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import click
import duckdb
from rich.text import Text

from seed_platform import console
from seed_platform.batches import CRAWL, REFERENCES, REPOSITORIES, find_batch, list_batches
from seed_platform.cli_options import existing_lake, json_option, lake_option, outstanding
from seed_platform.corpora.base import Corpus
from seed_platform.corpora.commits import COMMIT_CORPUS
from seed_platform.corpora.export import FORMATS, export
from seed_platform.corpora.file_level import FILE_LEVEL_CORPUS
from seed_platform.corpora.high_quality import HIGH_QUALITY_CORPUS
from seed_platform.corpora.long_context import LONG_CONTEXT_CORPUS
from seed_platform.corpora.repository_level import REPOSITORY_LEVEL_CORPUS
from seed_platform.corpora.web import WEB_CORPUS
from seed_platform.errors import UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import open_views
from seed_platform.lineage.commits import commit_funnel
from seed_platform.lineage.funnel import Funnel, funnel, repository_funnel
from seed_platform.lineage.pages import web_funnel
from seed_platform.lineage.show import texts
from seed_platform.lineage.why import why
from seed_platform.policy import Policy, load_policy
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.steps.lines import LINES, WHOLE_CORPORA
from seed_platform.steps.page_flow import VERDICT_TABLES

_Count = Callable[[duckdb.DuckDBPyConnection, Policy, list[str] | None], Funnel]
_FUNNELS: dict[str, tuple[str, _Count]] = {
    "file_level": (REPOSITORIES, lambda views, policy, named: funnel(views, policy.file_level, named)),
    "repository_level": (REPOSITORIES, lambda views, policy, named: repository_funnel(views, policy.file_level, named)),
    "commits": (REPOSITORIES, lambda views, policy, named: commit_funnel(views, policy.commit_samples, named)),
    "web": (CRAWL, lambda views, policy, named: web_funnel(views, policy.web, named)),
}
"""Of each corpus that is made by filters: the kind of batch that it is made of, and how its funnel is counted."""
_EXPORTS: dict[str, tuple[Corpus, tuple[str, ...]]] = {
    "file_level": (FILE_LEVEL_CORPUS, (REPOSITORIES,)),
    "repository_level": (REPOSITORY_LEVEL_CORPUS, (REPOSITORIES,)),
    "commits": (COMMIT_CORPUS, (REPOSITORIES,)),
    "web": (WEB_CORPUS, (CRAWL,)),
    "high_quality": (HIGH_QUALITY_CORPUS, (REPOSITORIES,)),
    "long_context": (LONG_CONTEXT_CORPUS, (REPOSITORIES, CRAWL)),
}
"""Every corpus, and the kinds of batches that it is made of."""


@click.command("funnel")
@click.argument("corpus", type=click.Choice(list(_FUNNELS)), default="file_level")
@click.option("--batch", "batch_names", metavar="NAME", multiple=True, help="Only this batch; may be repeated.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also save the picture as PNG.")
@json_option
@lake_option
def funnel_command(
    corpus: str, batch_names: tuple[str, ...], plot: Path | None, as_json: bool, settings: Settings
) -> None:
    """Show what was seen, what each filter dropped and why, and what is kept.

    \b
    Examples:
      seed funnel
      seed funnel repository_level
      seed funnel commits
      seed funnel web
      seed funnel file_level --batch 00001-flask --plot funnel.png
    """
    lake = existing_lake(settings)
    kind, count = _FUNNELS[corpus]
    known = [each for each in list_batches(lake, kind=None) if each.kind != REFERENCES]
    named = [find_batch(known, name) for name in batch_names]
    for each in named:
        if each.kind != kind:
            raise UsageError(f"batch {each.key} is of {each.kind}, of which {corpus} has nothing")
    chosen = [each.key for each in named] or None
    counted = count(_views(lake, settings), load_policy(settings.policy), chosen)
    _tell_outstanding(settings)
    if as_json:
        console.print_json(counted.to_json())
    else:
        console.show_funnel(counted)
    if plot is not None:
        from seed_platform.lineage.plots import funnel_figure, save  # noqa: PLC0415 - imports matplotlib

        save(funnel_figure(counted), plot)
        console.err.print(f"picture saved to {plot}")


@click.command("why")
@click.argument("document", metavar="REPO[@REVISION][:PATH]|[REPO@]SHA|URL|DOC_ID")
@json_option
@lake_option
def why_command(document: str, as_json: bool, settings: Settings) -> None:
    """Tell the whole story of one file, repository, commit or page: where it came from and what every filter said.

    \b
    Examples:
      seed why flask:src/flask/app.py
      seed why flask@3.0.0:src/flask/app.py
      seed why flask
      seed why 8a93f46
      seed why https://docs.example.org/page.html
      seed why 9f86d081884c7d659a2feaa0c55ad015
    """
    lake = existing_lake(settings)
    _tell_outstanding(settings)
    story = why(_views(lake, settings), document, load_policy(settings.policy))
    if as_json:
        console.print_json(story.to_json())
    else:
        console.show_story(story)


@click.command("show")
@click.argument("document", metavar="REPO[@REVISION][:PATH]|[REPO@]SHA|URL|DOC_ID")
@click.option("--first", type=click.IntRange(min=1), help="Only so many sequences of a repository.")
@lake_option
def show_command(document: str, first: int | None, settings: Settings) -> None:
    """Print the text of one document: a file, a page, a commit's sample, or a repository as it is packed.

    \b
    Examples:
      seed show flask:src/flask/app.py
      seed show 8a93f46
      seed show flask --first 1
    """
    lake = existing_lake(settings)
    views = _views(lake, settings)
    story = why(views, document, load_policy(settings.policy))
    for number, (title, text) in enumerate(texts(lake, views, story)):
        if first is not None and number == first:
            break
        console.err.rule(Text(title), align="left")
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


@click.command("export")
@click.argument("corpus", type=click.Choice(list(_EXPORTS)))
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--format", "file_format", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export in DEST.")
@json_option
@lake_option
def export_command(
    corpus: str, destination: Path, file_format: str, overwrite: bool, as_json: bool, settings: Settings
) -> None:
    """Write a corpus to the folder DEST as shards, with a dataset card and a manifest.

    \b
    Examples:
      seed export file_level ./corpus
      seed export commits ./commits
      seed export web ./pages --format jsonl
      python -c "import datasets; print(datasets.load_dataset('./corpus'))"
    """
    lake = existing_lake(settings)
    policy = load_policy(settings.policy)
    what, kinds = _EXPORTS[corpus]
    batches = [each for each in list_batches(lake, kind=None) if each.kind in kinds]
    made_by = {step for line in LINES for step in line.making(what.chosen)}
    pending = [f"{step.name} of {each.key}" for each, step in outstanding(settings) if step in made_by]
    if pending:
        raise WorkError(f"{len(pending)} results are outstanding ({pending[0]}, …): seed run first")
    if any(each.table is what.chosen and each.is_outstanding(lake, policy) for each in WHOLE_CORPORA):
        raise WorkError(f"the corpus {corpus} is older than what it is made of: seed run first")
    with console.Bars() as bars, listen(bars):
        manifest = export(lake, batches, policy, destination, corpus=what, file_format=file_format, overwrite=overwrite)
    if as_json:
        console.print_json(
            {
                "destination": str(destination),
                "documents": manifest.documents,
                "text_bytes": manifest.text_bytes,
                "shards": [shard.path for shard in manifest.shards],
            }
        )
    else:
        text = console.size(manifest.text_bytes)
        console.out.print(f"{manifest.documents:,} documents, {text} in {len(manifest.shards)} shards: {destination}")


@click.command()
@click.argument("query")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(min=0), help="Most rows to print; 0 for all."
)
@json_option
@lake_option
def sql(query: str, limit: int, as_json: bool, settings: Settings) -> None:
    """Ask the lake in SQL (DuckDB), read-only.

    Views: batches, repositories, files, dependencies, commit_walks, commits, crawl_files, pages, rejections, verdicts,
    models, materializations, and the corpora file_level, repository_level, repository_sequences, commit_samples, web,
    high_quality and long_context.

    \b
    Examples:
      seed sql "select language, count(*) from file_level group by 1 order by 2 desc"
      seed sql "select reason, count(*) from verdicts where filter = 'syntax' group by 1"
    """
    lake = existing_lake(settings)
    try:
        connection = _views(lake, settings)
        statements = connection.extract_statements(query)
        if [each.type for each in statements] not in ([duckdb.StatementType.SELECT], [duckdb.StatementType.EXPLAIN]):
            raise UsageError("one SELECT (or EXPLAIN) is wanted; the lake is read-only")
        result = connection.execute(statements[0])
        columns = [column[0] for column in result.description or []]
        rows = result.fetchmany(limit + 1) if limit else result.fetchall()
    except duckdb.Error as error:
        raise UsageError(str(error).splitlines()[0]) from error
    cut = bool(limit) and len(rows) > limit
    rows = rows[:limit] if limit else rows
    if as_json:
        console.print_json([dict(zip(_distinct(columns), row, strict=True)) for row in rows])
    else:
        console.show_rows(columns, rows, cut=cut)


def _distinct(names: list[str]) -> list[str]:
    """The names, with a number after those that came before, since a JSON object would lose the first."""
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        told.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return told


def _tell_outstanding(settings: Settings) -> None:
    """A lake holds the verdicts of the policy that ran last; say so where that is not the one asked about."""
    left = len(outstanding(settings))
    if left:
        console.err.print(f"[yellow]{left} results are outstanding under this policy; next: seed run[/]")


def _views(lake: Lake, settings: Settings) -> duckdb.DuckDBPyConnection:
    return open_views(lake, VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=settings.workers)
