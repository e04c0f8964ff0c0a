"""The `seed` command: every verb a user has, thin over the packages that do the work.

Exit codes: 0 done, 1 the work failed, 2 the call was wrong; errors are one line on standard error. What belongs here:
arguments, help, and calling one function. What does not: work, or how results look (`console.py`).
"""

from __future__ import annotations

import os
import socket
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
import duckdb
from deltalake.exceptions import DeltaError
from rich.markup import escape

from seed_platform import __version__, console
from seed_platform.batches import CRAWL, REFERENCES, REPOSITORIES, find_batch, list_batches, unread_sources
from seed_platform.cli_batches import batch
from seed_platform.cli_options import json_option, lake_of, lake_option, outstanding
from seed_platform.cli_references import reference
from seed_platform.cli_train import train
from seed_platform.corpora.export import FORMATS, export
from seed_platform.corpora.file_level import FILE_LEVEL_CORPUS
from seed_platform.corpora.web import WEB_CORPUS
from seed_platform.errors import SeedError, UsageError, WorkError
from seed_platform.lake.lake import Lake
from seed_platform.lake.query import open_views
from seed_platform.lineage.funnel import funnel, repository_funnel
from seed_platform.lineage.pages import web_funnel
from seed_platform.lineage.why import why
from seed_platform.policy import load_policy
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.steps.flow import READ
from seed_platform.steps.models import models
from seed_platform.steps.page_flow import CODE_RELEVANCE, PAGE_STEPS, READ_PAGES, VERDICT_TABLES

_CORPORA = click.Choice(["file_level", "repository_level", "web"])
_FUNNELS = {"file_level": REPOSITORIES, "repository_level": REPOSITORIES, "web": CRAWL}
"""The kind of batch that each corpus is made of."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="seed")
def cli() -> None:
    """Raw repositories and web crawls in, explained training corpora for code language models out.

    \b
    Examples:
      seed batch add repositories ./my-checkout pypi:flask==3.0.0
      seed run
      seed funnel
      seed why flask:src/flask/app.py
      seed export file_level ./corpus
      seed reference add humaneval ./HumanEval.jsonl.gz#prompt+canonical_solution
      seed batch add crawl ./segment.warc.gz && seed run && seed funnel web
    """


cli.add_command(batch)
cli.add_command(train)
cli.add_command(reference)


@cli.command()
@click.option("--batch", "batch_name", metavar="NAME", help="Only this batch, and earlier ones it is compared with.")
@click.option("--select", metavar="ASSETS", help="Only these assets, and what they depend on.")
@lake_option
def run(batch_name: str | None, select: str | None, settings: Settings) -> None:
    """Materialize what is outstanding, through Dagster.

    \b
    Examples:
      seed run
      seed run --batch 00002-flask
      seed run --select verdicts/files/syntax
    """
    lake = _existing_lake(settings)
    if select is None and not outstanding(settings):
        console.out.print("everything is up to date")
        return
    # Dagster takes a second to import, which is not spent to find that there is nothing to do.
    from seed_platform.automation.launch import launch  # noqa: PLC0415

    with console.Bars() as bars, listen(bars):
        launched = launch(settings, batch=batch_name, select=select)
    if not launched.computed:
        console.out.print("everything is up to date")
        return
    batches = {key for key, _ in launched.computed}
    steps = {step for _, step in launched.computed}
    following = "seed funnel web" if steps <= {step.name for step in PAGE_STEPS} else "seed funnel"
    console.out.print(f"done: {len(launched.computed)} results for {len(batches)} batches; next: {following}")
    if CODE_RELEVANCE.name in steps and (why_none := models(lake)[CODE_RELEVANCE.models[0]].report.get("why_none")):
        told = f"no model judges relevance, so every page passes it: {why_none}"
        console.err.print(f"[yellow]note[/] {escape(told)}", soft_wrap=True)
    _tell_unread(lake, {key for key, step in launched.computed if step in (READ.name, READ_PAGES.name)})


def _tell_unread(lake: Lake, read: set[str]) -> None:
    """One line for each source that failed in this run; those that failed when added were told then."""
    for each in unread_sources(lake, [known for known in list_batches(lake, kind=None) if known.key in read]):
        told = f"{each.spec}: {each.reason}" + (f" ({each.detail})" if each.detail else "")
        hint = "; add it again to retry" if each.passing else ""
        console.err.print(f"[yellow]rejected[/] {escape(told + hint)}", soft_wrap=True)


@cli.command("funnel")
@click.argument("corpus", type=_CORPORA, default="file_level")
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
      seed funnel web
      seed funnel file_level --batch 00001-flask --plot funnel.png
    """
    lake = _existing_lake(settings)
    known = [each for each in list_batches(lake, kind=None) if each.kind != REFERENCES]
    named = [find_batch(known, name) for name in batch_names]
    for each in named:
        if each.kind != _FUNNELS[corpus]:
            raise UsageError(f"batch {each.key} is of {each.kind}, of which {corpus} has nothing")
    chosen = [each.key for each in named] or None
    connection, policy = _views(lake, settings), load_policy(settings.policy)
    if corpus == "web":
        counted = web_funnel(connection, policy.web, chosen)
    else:
        count = repository_funnel if corpus == "repository_level" else funnel
        counted = count(connection, policy.file_level, chosen)
    _tell_outstanding(settings)
    if as_json:
        console.print_json(counted.to_json())
    else:
        console.show_funnel(counted)
    if plot is not None:
        from seed_platform.lineage.plots import funnel_figure, save  # noqa: PLC0415 - imports matplotlib

        save(funnel_figure(counted), plot)
        console.err.print(f"picture saved to {plot}")


@cli.command("why")
@click.argument("document", metavar="REPO[@REVISION][:PATH]|URL|DOC_ID")
@json_option
@lake_option
def why_command(document: str, as_json: bool, settings: Settings) -> None:
    """Tell the whole story of one file, repository or page: where it came from and what every filter said.

    \b
    Examples:
      seed why flask:src/flask/app.py
      seed why flask@3.0.0:src/flask/app.py
      seed why flask
      seed why https://docs.example.org/page.html
      seed why 9f86d081884c7d659a2feaa0c55ad015
    """
    lake = _existing_lake(settings)
    _tell_outstanding(settings)
    story = why(_views(lake, settings), document, load_policy(settings.policy))
    if as_json:
        console.print_json(story.to_json())
    else:
        console.show_story(story)


@cli.command("export")
@click.argument("corpus", type=_CORPORA)
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
      seed export web ./pages --format jsonl
      python -c "import datasets; print(datasets.load_dataset('./corpus'))"
    """
    if corpus == "repository_level":
        raise UsageError("repository_level has no export yet: its files are not packed; see the view repository_level")
    lake = _existing_lake(settings)
    policy = load_policy(settings.policy)
    batches = list_batches(lake, kind=_FUNNELS[corpus])
    pending = [f"{step.name} of {each.key}" for each, step in outstanding(settings) if each in batches]
    if pending:
        raise WorkError(f"{len(pending)} results are outstanding ({pending[0]}, …): seed run first")
    with console.Bars() as bars, listen(bars):
        what = WEB_CORPUS if corpus == "web" else FILE_LEVEL_CORPUS
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


@cli.command()
@click.argument("query")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(min=0), help="Most rows to print; 0 for all."
)
@json_option
@lake_option
def sql(query: str, limit: int, as_json: bool, settings: Settings) -> None:
    """Ask the lake in SQL (DuckDB), read-only.

    Views: batches, repositories, files, crawl_files, pages, rejections, verdicts, models, materializations, and the
    corpora file_level, repository_level and web.

    \b
    Examples:
      seed sql "select language, count(*) from file_level group by 1 order by 2 desc"
      seed sql "select reason, count(*) from verdicts where filter = 'syntax' group by 1"
    """
    lake = _existing_lake(settings)
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


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=3000, show_default=True, type=click.IntRange(1, 65535))
@lake_option
def ui(host: str, port: int, settings: Settings) -> None:
    """Start Dagster's webserver and daemon on the committed dagster.yaml and workspace.yaml.

    \b
    Examples:
      seed ui
      seed ui --port 3001 --lake ./other-lake
    """
    from seed_platform.automation.launch import deployment_file, prepare_home  # noqa: PLC0415 - imports Dagster

    _existing_lake(settings)
    _require_free(host, port)
    home = prepare_home(settings)
    workspace = deployment_file("workspace.yaml")
    os.environ["SEED_LAKE"] = lake_of(settings).root
    if settings.policy is not None:
        os.environ["SEED_POLICY"] = str(settings.policy.absolute())
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    console.err.print(f"http://{host}:{port}  (instance: {home}; Ctrl-C ends it)")
    arguments = ["-m", "dagster", "dev", "-w", str(workspace), "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - the same interpreter, constant arguments


def _require_free(host: str, port: int) -> None:
    """Dagster's daemon would go on without its webserver if the port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UsageError(f"cannot listen on {host}:{port} ({error.strerror}); give another --port") from error


@cli.command("demo")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path("demo"))
def demo_command(folder: Path) -> None:
    """Show the whole story on real packages, in FOLDER (default: ./demo).

    \b
    Examples:
      seed demo
      seed demo ./somewhere
    """
    from seed_platform.demo import demo  # noqa: PLC0415 - only here

    demo(folder)


@cli.group("policy")
def policy_group() -> None:
    """The curation policy: every threshold."""


@policy_group.command("show")
@lake_option
def policy_show(settings: Settings) -> None:
    """Print the policy in force, defaults included, as YAML that can be edited and given as --policy.

    \b
    Examples:
      seed policy show > policy.yaml
      seed policy show --policy policy.yaml
    """
    import yaml  # noqa: PLC0415 - only here

    policy = load_policy(settings.policy)
    text = yaml.safe_dump(policy.model_dump(mode="json"), sort_keys=False)
    sys.stdout.write(f"# policy {policy.digest()[:16]}\n{text}")


def _existing_lake(settings: Settings) -> Lake:
    lake = lake_of(settings)
    if all(each.kind == REFERENCES for each in list_batches(lake, kind=None)):
        raise UsageError(f"{lake.root} has no batch yet: seed batch add repositories PATH_OR_URL … (or give --lake)")
    return lake


def _tell_outstanding(settings: Settings) -> None:
    """A lake holds the verdicts of the policy that ran last; say so where that is not the one asked about."""
    left = len(outstanding(settings))
    if left:
        console.err.print(f"[yellow]{left} results are outstanding under this policy; next: seed run[/]")


def _views(lake: Lake, settings: Settings) -> duckdb.DuckDBPyConnection:
    return open_views(lake, VERDICT_TABLES, memory_bytes=settings.query_memory_bytes, threads=settings.workers)


def main() -> NoReturn:
    """Run the command and turn errors into exit codes."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except UsageError as error:
        _fail(str(error), 2)
    except SeedError as error:
        _fail(str(error), 1)
    except BrokenPipeError:
        # Whoever read the output has seen enough; the interpreter must not complain about it once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (OSError, DeltaError, duckdb.Error) as error:
        _fail(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; what was published stays, `seed run` goes on from there", 1)
    sys.exit(0)


def entry() -> NoReturn:
    """The process of the command: `main`, and an end that nothing can spoil.

    Once in a long while a thread of a native library aborts an interpreter that is being taken down, after all work is
    done; so it is not taken down.
    """
    try:
        main()
    except SystemExit as end:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)


def _fail(message: str, code: int) -> NoReturn:
    sys.stderr.write("seed: " + " ".join(message.split()) + "\n")
    sys.exit(code)
