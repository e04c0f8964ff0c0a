"""Pictures of funnels and of models, for people who would rather look than read."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seed_platform.lineage.funnel import Funnel, grouped_by

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seed_platform.lineage.judges import Agreement

_LANGUAGES = 15
_KEPT, _SEEN = "#2b6cb0", "#cbd5e0"


def funnel_figure(funnel: Funnel) -> bytes:
    """The funnel as PNG: documents left after each filter, and bytes seen and kept by language."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second of imports
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    stages, counts = _stages(funnel)
    left.barh(stages, counts, color=[_SEEN] + [_KEPT] * (len(stages) - 1))
    left.bar_label(left.containers[0], [f" {count:,}" for count in counts], fontsize=8)
    left.invert_yaxis()
    left.margins(x=0.18)
    left.set(title=f"{funnel.corpus}: documents left after each filter", xlabel="documents")
    top = [item for item in funnel.languages.items() if item[0]][:_LANGUAGES]
    names = [language for language, _ in top]
    right.barh(names, [sizes.seen / 1e6 for _, (_, sizes) in top], color=_SEEN, label="seen")
    right.barh(names, [sizes.kept / 1e6 for _, (_, sizes) in top], color=_KEPT, label="kept")
    right.invert_yaxis()
    right.set(title=f"megabytes by {grouped_by(funnel.corpus)}", xlabel="MB")
    right.legend(frameon=False, loc="lower right")
    return _png(figure)


def precision_recall_figure(report: Mapping[str, Any]) -> bytes:
    """Precision over recall on the held-out pages as PNG, with the threshold chosen; `report` is a model's."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second of imports
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(5, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    curve = report["curve"]
    axes.plot([point["recall"] for point in curve], [point["precision"] for point in curve], color=_KEPT)
    axes.plot([report["recall"]], [report["precision"]], "o", color=_KEPT)
    axes.annotate(f" threshold {report['threshold']:.3g}", (report["recall"], report["precision"]), fontsize=8)
    axes.set(title="held-out pages", xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    return _png(figure)


def agreement_figure(found: Agreement, one: str, other: str) -> bytes:
    """The confusion of two judges as a heat map (PNG), each row's shares in percent."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second of imports
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(5.4, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = [[100 * count / max(sum(row), 1) for count in row] for row in found.confusion]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, origin="lower")
    for place, row in enumerate(found.confusion):
        for column, count in enumerate(row):
            if count:
                axes.text(column, place, str(count), ha="center", va="center", fontsize=7)
    axes.set(title=f"{found.files:,} files, Pearson {found.pearson:.2f}", xlabel=other, ylabel=one)
    axes.set_xticks(range(11))
    axes.set_yticks(range(11))
    return _png(figure)


def calibration_figure(report: Mapping[str, Any]) -> bytes:
    """What a scorer of files says against what the judge said on held-out files, as PNG; `report` is a model's."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second of imports
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    bins = [each for each in report["calibration"] if each["count"]]
    left.plot([0, 10], [0, 10], color=_SEEN)
    left.plot([each["mean_score"] for each in bins], [each["mean_label"] for each in bins], "o-", color=_KEPT)
    left.set(title=f"held-out files: MAE {report['mae']:.2f}", xlabel="mean score", ylabel="judge's mean rating")
    errors = dict(list(report["mae_by_language"].items())[:_LANGUAGES])
    right.barh(list(errors), [each["mae"] for each in errors.values()], color=_KEPT)
    right.invert_yaxis()
    right.set(title="mean absolute error by language", xlabel="MAE")
    return _png(figure)


def length_figure(rows: Sequence[tuple[str, int, int, int]]) -> bytes:
    """How long the documents of a corpus are, as PNG: tokens in each half power of two, by source.

    `rows` are (source, half power, documents, tokens), where a document of n tokens has the half power floor(2 log2 n).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - half a second of imports
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = sorted({row[1] for row in rows})
    below = dict.fromkeys(places, 0.0)
    for source in sorted({row[0] for row in rows}):
        amounts = {place: tokens / 1e6 for name, place, _, tokens in rows if name == source}
        heights = [amounts.get(place, 0.0) for place in places]
        axes.bar(places, heights, bottom=[below[place] for place in places], width=0.9, label=source)
        below = {place: below[place] + height for place, height in zip(places, heights, strict=True)}
    axes.set_xticks(places, [f"{2 ** (place / 2):,.0f}" for place in places])
    axes.set(title="long context: tokens by length of document", xlabel="tokens of a document, from", ylabel="M tokens")
    if rows:
        axes.legend(frameon=False)
    return _png(figure)


def _png(figure: Figure) -> bytes:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _stages(funnel: Funnel) -> tuple[list[str], list[int]]:
    stages, counts = ["seen"], [funnel.documents.seen]
    for name in funnel.filters:
        stages.append(f"after {name}")
        counts.append(counts[-1] - sum(funnel.documents.dropped.get(name, {}).values()))
    return stages, counts


def save(picture: bytes, path: Path) -> None:
    """Write a picture to a file of the user's choice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
