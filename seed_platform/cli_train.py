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
from seed_platform.lineage.plots import calibration_figure, precision_recall_figure, save
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


@train.command("file-quality")
@click.option(
    "--labels",
    metavar="WHICH",
    default="shipped",
    show_default=True,
    help="shipped: the project's own; judged: those of the judge in SEED_JUDGE_URL; or a JSON Lines file.",
)
@click.option("--fetch/--no-fetch", default=True, show_default=True, help="Fetch labelled packages the lake lacks.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Also save the calibration as PNG.")
@json_option
@lake_option
def file_quality(labels: str, fetch: bool, plot: Path | None, as_json: bool, settings: Settings) -> None:
    """Distil the scorer of files from a judge's labels, measure it on held-out ones, and put it in use.

    What learns is the policy's `quality_scorer.backend`. Scores are outstanding afterwards: `seed run` makes them anew.

    \b
    Examples:
      seed train file-quality
      seed train file-quality --labels judged --plot calibration.png
    """
    from seed_platform.judging.labels import read_labels, shipped  # noqa: PLC0415 - only here
    from seed_platform.steps.judge_sample import judged_labels  # noqa: PLC0415 - loads an HTTP client
    from seed_platform.steps.quality_model import train_quality  # noqa: PLC0415 - loads fastText

    context = context_of(settings)
    if labels == "shipped":
        known = shipped()
    elif labels == "judged":
        known = judged_labels(context.lake, settings, context.policy.judge_sample)
    else:
        known = read_labels(Path(labels))
    with only_run(context.lake.storage, "launch"), console.Bars() as bars, listen(bars):
        model = train_quality(context, known, labels, fetch=fetch)
    report = model.report
    if as_json:
        console.print_json({"id": model.id, **report})
        return
    if model.path is None:
        console.out.print(f"no scorer: {report['why_none']}. Until then every file passes, noted as not_scored.")
        return
    measured = (
        f"on {report['held_out']:,} held-out files MAE {_told(report['mae'])} (the mean alone "
        f"{_told(report['baselines']['mean']['mae'])}), class-averaged {_told(report['class_averaged_mae'])}, "
        f"rank correlation {_told(report['rank_correlation'])}"
    )
    console.out.print(
        f"scorer {model.id[:12]} ({report['backend']}) of labels {report['judge']}: "
        f"{measured if report['held_out'] else 'no label is held out, so nothing is measured'}; trained on "
        f"{report['trained_on']:,}"
    )
    if plot is not None and not report["held_out"]:
        console.err.print("[yellow]note[/] no picture: nothing is measured")
    elif plot is not None:
        save(calibration_figure(report), plot)
        console.err.print(f"picture saved to {plot}")
    left = len(outstanding(settings))
    if left:
        console.out.print(f"{left} results are outstanding; next: seed run")


def _told(measure: float | None) -> str:
    """A measure for people; it may be undefined, as a correlation with ratings that are all the same is."""
    return "undefined" if measure is None else f"{measure:.3f}"
