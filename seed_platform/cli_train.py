"""`seed train`: the models that judge documents, each by a loop of its own.

What belongs here: arguments, help, and calling one function. What does not: training (`steps/code_relevance.py`).
"""

from __future__ import annotations

from pathlib import Path

import click

from seed_platform import console
from seed_platform.batches import CRAWL, list_batches
from seed_platform.cli_options import context_of, json_option, lake_of, lake_option, outstanding
from seed_platform.errors import UsageError
from seed_platform.lake.locks import only_run
from seed_platform.lineage.plots import precision_recall_figure, save
from seed_platform.progress import listen
from seed_platform.settings import Settings


@click.group()
def train() -> None:
    """Train the models that judge documents."""


@train.command("code-relevance")
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    help='Gold labels, JSON Lines: {"url": …, "code_related": true}. [default: pages that mark code against others]',
)
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also save precision over recall as PNG.")
@json_option
@lake_option
def code_relevance(labels: Path | None, plot: Path | None, as_json: bool, settings: Settings) -> None:
    """Train the classifier that finds pages about code, on the pages of the lake, and put it in use.

    The threshold is the highest one that keeps `code_relevance.min_recall` of the held-out pages about code. Verdicts
    on relevance are outstanding afterwards: `seed run` makes them anew.

    \b
    Examples:
      seed train code-relevance
      seed train code-relevance --labels judged.jsonl --plot curve.png
    """
    from seed_platform.steps.code_relevance import read_labels, train_relevance  # noqa: PLC0415 - loads fastText

    gold = read_labels(labels) if labels is not None else None
    if not list_batches(lake_of(settings), kind=CRAWL):
        raise UsageError(f"{settings.lake} has no crawl batch yet: seed batch add crawl FILE … (or give --lake)")
    context = context_of(settings)
    with only_run(context.lake.storage, "launch"), console.Bars() as bars, listen(bars):
        model = train_relevance(context, gold)
    report = model.report
    if as_json:
        console.print_json({"id": model.id, "threshold": model.threshold, **report})
        return
    if model.path is None:
        console.out.print(f"no model: {report['why_none']}. Until then every page passes, noted as not_scored.")
        return
    console.out.print(
        f"model {model.id[:12]}: recall {report['recall']:.3f} at precision {report['precision']:.3f} on held-out "
        f"pages ({report['held_out'][0]:,} about code, {report['held_out'][1]:,} others, by {report['split_by']}); "
        f"threshold {model.threshold:.3g} keeps {report['kept']:.1%}"
    )
    if report["labels_without_page"]:
        told = f"{report['labels_without_page']:,} labels are of no page that is left after deduplication"
        console.err.print(f"[yellow]note[/] {told}")
    if plot is not None:
        save(precision_recall_figure(report), plot)
        console.err.print(f"picture saved to {plot}")
    left = len(outstanding(settings))
    if left:
        console.out.print(f"{left} results are outstanding; next: seed run")
