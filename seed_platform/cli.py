"""The `seed` command: every verb a user has, thin over the packages that do the work.

Exit codes: 0 done, 1 the work failed, 2 the call was wrong; errors are one line on standard error. What belongs here:
arguments, help, and calling one function. What does not: work, or how results look (`console.py`).
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import click
import duckdb
from deltalake.exceptions import DeltaError
from rich.markup import escape

from seed_platform import __version__, console
from seed_platform.batches import list_batches, unread_sources
from seed_platform.cli_batches import batch
from seed_platform.cli_judge import judge
from seed_platform.cli_look import export_command, funnel_command, show_command, sql, why_command
from seed_platform.cli_options import existing_lake, lake_of, lake_option, outstanding
from seed_platform.cli_references import reference
from seed_platform.cli_train import train
from seed_platform.errors import SeedError, UsageError
from seed_platform.lake.lake import Lake
from seed_platform.policy import load_policy
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.steps.flow import QUALITY_SCORES, READ
from seed_platform.steps.lines import WHOLE_CORPORA
from seed_platform.steps.models import models
from seed_platform.steps.page_flow import CODE_RELEVANCE, PAGE_STEPS, READ_PAGES
from seed_platform.steps.quality_model import MODEL as QUALITY_MODEL
from seed_platform.steps.whole import WHOLE_LAKE


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
      seed show flask
      seed export file_level ./corpus
      seed reference add humaneval ./HumanEval.jsonl.gz#prompt+canonical_solution
      seed batch add crawl ./segment.warc.gz && seed run && seed funnel web
    """


cli.add_command(batch)
cli.add_command(train)
cli.add_command(judge)
cli.add_command(reference)
for command in (funnel_command, why_command, show_command, export_command, sql):
    cli.add_command(command)


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
    lake = existing_lake(settings)
    policy = load_policy(settings.policy)
    stale = any(corpus.is_outstanding(lake, policy) for corpus in WHOLE_CORPORA)
    if select is None and not stale and not outstanding(settings):
        console.out.print("everything is up to date")
        return
    # Dagster takes a second to import, which is not spent to find that there is nothing to do.
    from seed_platform.automation.launch import launch  # noqa: PLC0415

    with console.Bars() as bars, listen(bars):
        launched = launch(settings, batch=batch_name, select=select)
    if not launched.computed:
        console.out.print("everything is up to date")
        return
    batches = {key for key, _ in launched.computed if key != WHOLE_LAKE}
    steps = {step for _, step in launched.computed}
    following = "seed funnel web" if steps <= {step.name for step in PAGE_STEPS} else "seed funnel"
    console.out.print(f"done: {len(launched.computed)} results for {len(batches)} batches; next: {following}")
    if QUALITY_SCORES.name in steps and (why_none := models(lake)[QUALITY_MODEL].report.get("why_none")):
        told = f"no file is scored: {why_none}; seed train file-quality fetches what it needs"
        console.err.print(f"[yellow]note[/] {escape(told)}", soft_wrap=True)
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

    existing_lake(settings)
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
@click.argument("histories", nargs=-1, metavar="[GIT_REPOSITORY]...")
def demo_command(folder: Path, histories: tuple[str, ...]) -> None:
    """Show the whole story on real packages and histories, in FOLDER (default: ./demo).

    The histories are this project's own and those of the git repositories given by path or URL.

    \b
    Examples:
      seed demo
      seed demo ./somewhere ../my-repository
    """
    from seed_platform.demo import demo  # noqa: PLC0415 - only here

    demo(folder, histories)


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
