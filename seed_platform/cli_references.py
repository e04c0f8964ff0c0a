"""`seed reference`: sets of documents that the corpus must not resemble, such as an evaluation set.

What belongs here: the commands. What does not: reading sets (`steps/references.py`) and comparing with them.
"""

from __future__ import annotations

import click
from rich.markup import escape

from seed_platform import console
from seed_platform.batches import REFERENCES, Added, add_batch, list_batches, pin_sources, unread_sources
from seed_platform.cli_options import context_of, flow_of, json_option, lake_of, lake_option, outstanding
from seed_platform.cli_remove import remove, yes_option
from seed_platform.lake.locks import only_run
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.steps.base import Report
from seed_platform.steps.flow import READ
from seed_platform.steps.freshness import load_records
from seed_platform.steps.lines import REPOSITORY_LINE
from seed_platform.steps.read import limits_of
from seed_platform.steps.references import read_references


@click.group()
def reference() -> None:
    """Reference sets: what the corpus must not resemble, such as an evaluation set or an existing corpus."""


@reference.command("add")
@click.argument("name")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@json_option
@lake_option
def reference_add(name: str, sources: tuple[str, ...], as_json: bool, settings: Settings) -> None:
    """Add a reference set and read it. The next `seed run` drops every document that resembles one of it.

    SOURCE is whatever `seed batch add` takes; or a data set: a .jsonl, .jsonl.gz or .parquet file, or a folder that
    `seed export` made. A row's text is its column `text`, else `content`; FILE#COLUMN+COLUMN names others.

    \b
    Examples:
      seed reference add humaneval ./HumanEval.jsonl.gz#prompt+canonical_solution
      seed reference add our-corpus ./exported-corpus ./repository.git#v1.2
    """
    context = context_of(settings)
    lake = context.lake
    with console.Bars() as bars, listen(bars):
        pinned = pin_sources(sources, limits_of(settings), {}, kind=REFERENCES)
        with only_run(lake.storage, "launch"):
            # No step may be comparing with the sets that there were.
            with only_run(lake.storage, "work"):
                added = add_batch(lake, pinned, name=name, kind=REFERENCES)
            read_references(context, flow_of(settings, REPOSITORY_LINE))
    report = load_records(lake)[READ.name, added.batch.key].report
    rejected = _rejected(settings, added)
    if as_json:
        console.print_json(
            {
                "reference": added.batch.key,
                "arrival": added.batch.arrival,
                "new": added.new,
                "sources": len(added.batch.sources),
                "documents": report.kept.documents,
                "bytes": report.kept.bytes,
                "rejected": {spec: reason for spec, (reason, _) in rejected.items()},
                "rejections": report.failures,
            }
        )
        return
    for spec, (reason, detail) in rejected.items():
        console.err.print(f"[yellow]rejected[/] {escape(f'{spec}: {reason} ({detail})')}", soft_wrap=True)
    _tell(added, report, settings)


def _rejected(settings: Settings, added: Added) -> dict[str, tuple[str, str]]:
    """The sources that nothing was read of, and why."""
    found = {source.pinned.spec: source.rejected for source in added.batch.sources if source.rejected is not None}
    unread = unread_sources(lake_of(settings), [added.batch])
    return found | {each.spec: (each.reason, each.detail or "") for each in unread}


def _tell(added: Added, report: Report, settings: Settings) -> None:
    held = f"{report.kept.documents:,} documents, {console.size(report.kept.bytes)}"
    if report.failures:
        held += "; rejected: " + ", ".join(f"{number:,} {reason}" for reason, number in report.failures.items())
    key = f"[bold]{added.batch.key}[/]"
    told = f"reference set {key} added" if added.new else f"nothing new: these sources are reference set {key}"
    following = "; next: seed run" if outstanding(settings) else ""
    console.out.print(f"{told}: {held}{following}")


@reference.command("list")
@json_option
@lake_option
def reference_list(as_json: bool, settings: Settings) -> None:
    """List the reference sets in order of arrival, with what was read of them.

    \b
    Examples:
      seed reference list
      seed reference list --json
    """
    lake = lake_of(settings)
    batches = list_batches(lake, kind=REFERENCES)
    records = load_records(lake)
    reports = {each.key: records[READ.name, each.key].report for each in batches if (READ.name, each.key) in records}
    if as_json:
        console.print_json(
            [
                {
                    "reference": each.key,
                    "arrival": each.arrival,
                    "created_at": each.created_at,
                    "documents": reports[each.key].kept.documents if each.key in reports else None,
                    "bytes": reports[each.key].kept.bytes if each.key in reports else None,
                    "rejections": reports[each.key].failures if each.key in reports else {},
                    "sources": [
                        {
                            "spec": source.pinned.spec,
                            "revision": source.pinned.revision,
                            "rejected": source.rejected[0] if source.rejected else None,
                        }
                        for source in each.sources
                    ],
                }
                for each in batches
            ]
        )
    elif batches:
        console.show_references(batches, reports)
    else:
        console.out.print("no reference set yet: seed reference add NAME SOURCE …")


@reference.command("remove")
@click.argument("name")
@yes_option
@lake_option
def reference_remove(name: str, yes: bool, settings: Settings) -> None:
    """Remove a reference set. What was dropped because of it is judged again by the next `seed run`.

    \b
    Examples:
      seed reference remove humaneval
      seed reference remove humaneval --yes
    """
    remove(settings, name, REFERENCES, yes=yes)
