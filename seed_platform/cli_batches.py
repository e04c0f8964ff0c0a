"""`seed batch`: what has arrived.

What belongs here: arguments, help, and calling one function. What does not: work, or how results look (`console.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.markup import escape

from seed_platform import console
from seed_platform.batches import (
    CRAWL,
    REFERENCES,
    REPOSITORIES,
    BatchSource,
    add_batch,
    list_batches,
    pin_sources,
    read_metadata,
)
from seed_platform.cli_options import json_option, lake_of, lake_option, outstanding
from seed_platform.cli_remove import remove, yes_option
from seed_platform.crawl.arrivals import pin_crawl
from seed_platform.crawl.common_crawl import Range, warc_urls
from seed_platform.errors import UsageError
from seed_platform.progress import listen
from seed_platform.settings import Settings
from seed_platform.sources.base import SourceError
from seed_platform.steps.read import limits_of

_name_option = click.option("--name", help="Name of the batch. [default: its arrival number and its first source]")


@click.group()
def batch() -> None:
    """Batches: what has arrived."""


@batch.group("add")
def batch_add() -> None:
    """Add a batch: of repositories, or of a crawl. Reading happens in `seed run`.

    \b
    Examples:
      seed batch add repositories ./checkout pypi:flask==3.0.0
      seed batch add crawl ./segment.warc.gz s3://bucket/prefix/
      seed batch add common-crawl CC-MAIN-2025-05 --segments 0:3
    """


@batch_add.command("repositories")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@_name_option
@click.option("--metadata", type=click.Path(path_type=Path), help='JSON Lines: {"repository": …, "stars": …}')
@json_option
@lake_option
def add_repositories(
    sources: tuple[str, ...], name: str | None, metadata: Path | None, as_json: bool, settings: Settings
) -> None:
    """Add a batch of repositories. Revisions are looked up now; reading happens in `seed run`.

    SOURCE is a git checkout, a bare repository or a URL (REVISION may follow as #REVISION), a folder, an archive
    (.tar.*, .zip, .whl), or pypi:NAME==VERSION. Adding the same sources again changes nothing.

    \b
    Examples:
      seed batch add repositories ./checkout https://example.org/project.git#v1.2
      seed batch add repositories pypi:flask==3.0.0 ./bundle.tar.gz --name first
    """
    facts = read_metadata(metadata) if metadata is not None else {}
    with console.Bars() as bars, listen(bars):
        pinned = pin_sources(sources, limits_of(settings), facts)
    _add(settings, pinned, name, REPOSITORIES, as_json=as_json)


@batch_add.command("crawl")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--base-url", metavar="URL", help="Of the pages of a folder of HTML: a/b.html has URL a/b.html.")
@_name_option
@json_option
@lake_option
def add_crawl(
    sources: tuple[str, ...], base_url: str | None, name: str | None, as_json: bool, settings: Settings
) -> None:
    """Add a batch of crawled pages. Files are looked up now; reading happens in `seed run`.

    SOURCE is a WARC file (.warc, .warc.gz, .warc.zst), a folder or an s3://BUCKET/PREFIX/ with such files, an HTTPS URL
    of one, or, with --base-url, a folder of HTML. Adding the same sources again changes nothing.

    \b
    Examples:
      seed batch add crawl ./segment.warc.gz s3://bucket/prefix/
      seed batch add crawl ./site-mirror/ --base-url https://docs.example.org/
    """
    with console.Bars() as bars, listen(bars):
        pinned = pin_crawl(sources, limits_of(settings), base_url)
    _add(settings, pinned, name, CRAWL, as_json=as_json)


@batch_add.command("common-crawl")
@click.argument("crawl")
@click.option("--segments", default="0", show_default=True, metavar="RANGE", help="Which segments: 3, 0:3 or 10:.")
@click.option("--files", metavar="RANGE", help="Which files of each segment. [default: all]")
@_name_option
@json_option
@lake_option
def add_common_crawl(
    crawl: str, segments: str, files: str | None, name: str | None, as_json: bool, settings: Settings
) -> None:
    """Add WARC files of a crawl of Common Crawl, such as CC-MAIN-2025-05, by segment.

    They are read from its public bucket, by HTTPS or, with SEED_COMMON_CRAWL=s3://commoncrawl, by anonymous S3. A
    segment has about 900 files of 1 GB: begin with --files 0:1.

    \b
    Examples:
      seed batch add common-crawl CC-MAIN-2025-05 --segments 0:3
      seed batch add common-crawl CC-MAIN-2025-05 --segments 0 --files 0:2 --name first-look
    """
    limits = limits_of(settings)
    wanted = Range.parse(files) if files is not None else None
    try:
        urls = warc_urls(settings.common_crawl.rstrip("/"), crawl, Range.parse(segments), wanted, limits)
    except SourceError as error:
        raise UsageError(f"{crawl}: {error.detail}") from error
    with console.Bars() as bars, listen(bars):
        pinned = pin_crawl(urls, limits)
    _add(settings, pinned, name, CRAWL, as_json=as_json)


def _add(settings: Settings, sources: Sequence[BatchSource], name: str | None, kind: str, *, as_json: bool) -> None:
    added = add_batch(lake_of(settings), sources, name=name, kind=kind)
    rejected = [source for source in added.batch.sources if source.rejected is not None]
    if as_json:
        console.print_json(
            {
                "batch": added.batch.key,
                "arrival": added.batch.arrival,
                "new": added.new,
                "sources": len(added.batch.sources),
                "rejected": {source.pinned.spec: source.rejected[0] for source in rejected if source.rejected},
            }
        )
        return
    for source in rejected:
        if source.rejected is not None:
            told = escape(f"{source.pinned.spec}: {source.rejected[0]} ({source.rejected[1]})")
            console.err.print(f"[yellow]rejected[/] {told}")
    readable = len(added.batch.sources) - len(rejected)
    what = "repositories" if kind == REPOSITORIES else "crawl files"
    if added.new:
        console.out.print(f"batch [bold]{added.batch.key}[/] added with {readable} {what}; next: seed run")
    else:
        console.out.print(f"nothing new: these sources are batch [bold]{added.batch.key}[/]")


@batch.command("list")
@json_option
@lake_option
def batch_list(as_json: bool, settings: Settings) -> None:
    """List the batches in order of arrival, and whether work on them is outstanding.

    \b
    Examples:
      seed batch list
      seed batch list --json --lake s3://bucket/lake
    """
    batches = [each for each in list_batches(lake_of(settings), kind=None) if each.kind != REFERENCES]
    left = Counter(each.key for each, _ in outstanding(settings))
    if as_json:
        console.print_json(
            [
                {
                    "batch": each.key,
                    "arrival": each.arrival,
                    "kind": each.kind,
                    "created_at": each.created_at,
                    "outstanding": left[each.key],
                    "sources": [
                        {
                            "spec": source.pinned.spec,
                            "repository": source.pinned.repository,
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
        console.show_batches(batches, left)
    else:
        console.out.print("no batch yet: seed batch add repositories PATH_OR_URL …, or seed batch add crawl FILE …")


@batch.command("remove")
@click.argument("name")
@yes_option
@lake_option
def batch_remove(name: str, yes: bool, settings: Settings) -> None:
    """Remove a batch: its documents, verdicts and index, and its place in the order of arrival.

    Later batches that were compared with it are outstanding then: what was dropped as a duplicate of its documents is
    judged again by the next `seed run`. Asks first, or needs --yes where nobody can be asked.

    \b
    Examples:
      seed batch remove 00002-flask
      seed batch remove 00002-flask --yes && seed run
    """
    remove(settings, name, REPOSITORIES, yes=yes)
