"""What users see in a terminal: tables, the funnel, the story of a document, progress bars.

What belongs here: rendering. What does not: computing anything that is rendered.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from seed_platform.batches import Batch
from seed_platform.lineage.funnel import Funnel, grouped_by
from seed_platform.lineage.story import Story
from seed_platform.steps.base import Report

# Output that is not a terminal has no width of its own; 80 columns would fold paths and reasons.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 140
out = Console(width=_WIDTH, highlight=False)
err = Console(stderr=True, width=_WIDTH, highlight=False)

_BAR = 34
_PATHS = 8
_OVERLAPS = {
    "file": ("repository_duplicates",),
    "repository": ("exact_duplicates", "near_duplicates"),
    "commit": (),
    "page": (),
}
"""By kind of document, the filters whose score is an overlap."""
_NAMES = {
    "file": "{repository}:{path}",
    "repository": "{repository}",
    "commit": "{repository}@{sha:.12}",
    "page": "{url}",
}
"""What a document is called, by its kind."""


def print_json(value: object) -> None:
    """One JSON document on standard output, for programs."""
    sys.stdout.write(json.dumps(value, indent=2, default=_plain, ensure_ascii=False) + "\n")


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value)


class Bars:
    """Progress bars on standard error; a line at the end of each piece of work where there is no terminal."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<36}"),
            BarColumn(bar_width=_BAR),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=err,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress.tasks:
            self._progress.stop()

    def begin(self, label: str, total: int) -> int:
        """See `progress.Listener`."""
        self._progress.start()  # not before there is work, so that a refusal is one line and nothing else
        return self._progress.add_task(escape(label), total=total)

    def advance(self, handle: int, units: int) -> None:
        """See `progress.Listener`."""
        self._progress.advance(handle, units)  # type: ignore[arg-type]

    def end(self, handle: int) -> None:
        """See `progress.Listener`."""
        self._progress.stop_task(handle)  # type: ignore[arg-type]


def size(number: int) -> str:
    """Bytes for people, in powers of 1000."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"
        value /= 1000
    return ""


def show_batches(batches: Sequence[Batch], outstanding: dict[str, int]) -> None:
    """The batches in order of arrival."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("arrival", "batch", "kind", "sources", "added", ""):
        table.add_column(column, justify="right" if column in ("arrival", "sources") else "left")
    for batch in batches:
        left = outstanding.get(batch.key, 0)
        state = f"[yellow]{left} steps outstanding[/]" if left else "[green]up to date[/]"
        added = f"{batch.created_at:%Y-%m-%d %H:%M}"
        table.add_row(str(batch.arrival), batch.key, batch.kind, str(len(batch.sources)), added, state)
    out.print(table)


def show_references(batches: Sequence[Batch], reports: Mapping[str, Report]) -> None:
    """The reference sets in order of arrival, with what was read of each."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("arrival", "reference set", "documents", "bytes", "rejected", "added"):
        table.add_column(column, justify="left" if column in ("reference set", "added") else "right")
    for batch in batches:
        report = reports.get(batch.key)
        if report is None:
            held = ("[yellow]not read yet[/]", "", "")
        else:
            number = sum(report.failures.values())
            held = (f"{report.kept.documents:,}", size(report.kept.bytes), f"{number:,}" if number else "")
        table.add_row(str(batch.arrival), batch.key, *held, f"{batch.created_at:%Y-%m-%d %H:%M}")
    out.print(table)


def show_funnel(funnel: Funnel) -> None:
    """The funnel as a table and a picture, then by language, then what never became a document."""
    documents, sizes = funnel.documents, funnel.bytes
    noun = {"repository_level": "repositories", "commits": "commits", "web": "pages"}.get(funnel.corpus, "files")
    out.print(f"\n[bold]{funnel.corpus}[/]: {documents.kept:,} of {documents.seen:,} {noun} kept")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "documents", "bytes", "tokens*", ""):
        table.add_column(column, justify="right" if column else "left")
    seen = max(documents.seen, 1)

    def line(label: str, number: int, amount: int, color: str) -> None:
        bar = "█" * round(_BAR * number / seen) or ("▏" if number else "")
        table.add_row(label, f"{number:,}", size(amount), f"{funnel.tokens(amount):,}", f"[{color}]{bar}[/]")

    line("[bold]seen[/]", documents.seen, sizes.seen, "white")
    for name, reasons in documents.dropped.items():
        line(f"[bold]dropped by {name}[/]", sum(reasons.values()), sum(sizes.dropped[name].values()), "red")
        for reason, number in sorted(reasons.items(), key=lambda item: -item[1]):
            line(f"  {reason}", number, sizes.dropped[name][reason], "bright_black")
    if documents.outstanding:
        line("[bold]outstanding (seed run)[/]", documents.outstanding, sizes.outstanding, "yellow")
    line("[bold]kept[/]", documents.kept, sizes.kept, "green")
    out.print(table)
    _show_languages(funnel)
    if funnel.rejected:
        told = ", ".join(f"{number:,} {reason}" for reason, number in funnel.rejected.items())
        out.print(f"\nNever became a document (view rejections): {told}")
    out.print(f"[bright_black]* estimated: bytes / {funnel.bytes_per_token}[/]")


def _show_languages(funnel: Funnel, most: int = 12) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    group = grouped_by(funnel.corpus)
    for column in (group, "seen", "kept", "kept bytes", "tokens*"):
        table.add_column(column, justify="left" if column == group else "right")
    named = [(language, flows) for language, flows in funnel.languages.items() if language and flows[0].kept]
    for language, (documents, sizes) in named[:most]:
        tokens = f"{funnel.tokens(sizes.kept):,}"
        table.add_row(language, f"{documents.seen:,}", f"{documents.kept:,}", size(sizes.kept), tokens)
    if len(named) > most:
        kept = sum(flows[0].kept for _, flows in named[most:])
        table.add_row(f"{len(named) - most} more", "", f"{kept:,}", "", "")
    if named:
        out.print()
        out.print(table)


def show_story(story: Story) -> None:
    """The story of one document, as a person would ask for it."""
    document = story.document
    if document["kind"] == "rejection":
        place = document["repository"] or document["spec"]
        place = escape(place if document["path"] is None else f"{place}:{document['path']}")
        out.print(f"[bold]{place}[/] never became a document: {document['reason']}")
        _show_facts(document, ("detail", "spec", "batch"))
        return
    name = _NAMES[document["kind"]].format(**document)
    verdict = {True: "[green]kept[/]", False: "[red]dropped[/]", None: "[yellow]not judged yet[/]"}[story.kept]
    if document["reference_set"]:
        verdict = f"in the reference set [bold]{document['reference_set']}[/], which is in no corpus"
    out.print(f"[bold]{escape(name)}[/] is {verdict}")
    if story.matches > 1:
        in_corpus = document["kind"] in ("page", "commit") and story.kept
        which = "the one in the corpus" if in_corpus else "the last that arrived"
        out.print(f"[bright_black]{story.matches} documents have this name; this is {which}[/]")
    if document["kind"] == "file":
        _show_file(story)
    elif document["kind"] == "page":
        _show_page(document)
    elif document["kind"] == "commit":
        _show_commit(document)
    else:
        _show_repository(document)
    for each in story.verdicts:
        overlap = each["filter"] in _OVERLAPS[document["kind"]]
        out.print(_verdict_line(each, overlap=overlap))
    number, some = story.duplicates
    if number:
        more = f" and {number - len(some)} more" if number > len(some) else ""
        out.print(f"  {number} dropped as duplicates of it: {escape(', '.join(some))}{more}")


def _show_file(story: Story) -> None:
    document = story.document
    facts = {**document, "size": size(document["bytes"]), "sha256": document["content_sha256"]}
    if story.repository:
        facts["from"] = f"{story.repository['origin']} at {document['revision'][:20]} ({story.repository['source']})"
        if story.repository["kept_repository"]:
            facts["copy"] = f"its repository is dropped as {_copy_of(story.repository)}"
    for number, each in enumerate(document["judged"]):
        score = "no rating" if each["score"] is None else f"{each['score']:g}"
        facts[f"judged {number + 1}"] = f"{score} by {each['judge']} ({each['rubric']}): {each['explanation']}"
    told = [name for name in facts if name.startswith("judged ")]
    _show_facts(facts, ("doc_id", "from", "copy", "batch", "language", "size", "encoding", "sha256", *told))


def _show_page(document: dict[str, Any]) -> None:
    facts = {**document, "captured": document["captured_at"], "sha256": document["content_sha256"]}
    facts["from"] = f"{document['crawl_file']}, record {document['record_id']} at byte {document['offset']}"
    facts["text"] = f"{size(document['text_bytes'])} of {size(document['bytes'])} HTML ({document['encoding']})"
    facts["code"] = f"{document['code_blocks']} blocks, {size(document['code_bytes'])} in all"
    names = ("doc_id", "title", "from", "captured", "batch", "category", "language", "text", "code", "extraction")
    _show_facts(facts, (*names, "sha256"))


def _show_repository(document: dict[str, Any]) -> None:
    facts = {**document, "from": f"{document['origin']} at {document['revision'][:20]}"}
    facts["size"] = f"{document['files']:,} files, {size(document['bytes'])}"
    if document["kept_files"] is not None:
        facts["size"] += f"; the rules keep {document['kept_files']:,} files"
    if document["kept_repository"]:
        facts["instead"] = _copy_of(document)
    if document["history"]:
        facts["history"] = _history(document["history"])
    if document["sequences"]:
        facts["packed"] = (
            "{sequences:,} sequences, {tokens:,} tokens, the longest {longest:,}; of {edges:,} dependencies "
            "{edges_inside:,} in one sequence, {edges_respected:,} before their user".format(**document["sequences"])
        )
    names = ("doc_id", "from", "instead", "source", "spec", "batch", "size", "rejected", "stars", "forks", "commits")
    _show_facts(facts, (*names, "committed_at", "license_files", "history", "packed"))


def _history(walk: dict[str, Any]) -> str:
    """What was read of a repository's commits, in a line."""
    if walk["reason"]:
        return f"could not be walked: {walk['reason']}" + (f" ({walk['detail']})" if walk["detail"] else "")
    told = f"{walk['commits']:,} new commits of {walk['branch']}, {walk['samples']:,} of them samples"
    if walk["seen"]:
        told += f"; walked before from {', '.join(tip[:12] for tip in walk['seen'])}"
    if walk["unknown"]:
        told += f"; of these it lacks {len(walk['unknown'])}, so its history was rewritten"
    return told + (f"; {len(walk['missing'])} parents are not there" if walk["missing"] else "")


def _show_commit(document: dict[str, Any]) -> None:
    facts = {**document, "authored": document["authored_at"]}
    facts["from"] = f"{document['repository']} ({document['origin']}), branch {document['branch']}"
    facts["message"] = document["message"].strip().partition("\n")[0]
    told = [
        f"{change['kind']} {change['old_path']} → {change['path']}"
        if change.get("old_path")
        else f"{change['kind']} {change['path']}"
        for change in document["changes"][:_PATHS]
    ]
    more = document["changed_paths"] - len(told)
    facts["changes"] = ", ".join(told) + (f" and {more:,} more" if more > 0 else "")
    facts["lines"] = f"+{document['added']:,} -{document['deleted']:,}" + (
        f"; the patch is left out: {document['omitted']}" if document["omitted"] else ""
    )
    if document["tokens"]:
        facts["sample"] = f"{document['tokens']:,} tokens, {document['context_tokens']:,} of them context; it shows "
        facts["sample"] += ", ".join(document["relevant"]) or "no other file"
    names = ("doc_id", "sha", "from", "batch", "authored", "author", "message", "changes", "lines", "sample")
    _show_facts(facts, (*names, "truncated"))


def _copy_of(repository: dict[str, Any]) -> str:
    """What is kept instead of a repository that is a copy, in a few words."""
    kept = repository["kept_repository"]
    return f"a copy of {kept['name'] or kept['doc_id']}, overlap {kept['overlap']:.4g}"


def _show_facts(values: dict[str, Any], names: Sequence[str]) -> None:
    for name in names:
        if values.get(name) not in (None, "", []):
            out.print(f"  [bright_black]{name:<9}[/] {escape(str(values[name]))}")


def _verdict_line(verdict: dict[str, Any], *, overlap: bool) -> str:
    mark = "[green]✓[/]" if verdict["keep"] else "[red]✗[/]"
    parts = [f"  {mark} [bold]{verdict['filter']}[/]"]
    if verdict["reason"]:
        parts.append(verdict["reason"])
    if verdict["related"]:
        relation = "nearest kept document" if verdict["keep"] else "of"
        parts.append(f"{relation} {escape(verdict['related'])}")
    if verdict["score"] is not None:
        parts.append(f"{'overlap' if overlap else 'score'} {verdict['score']:.4g}")
    if verdict["evidence"]:
        parts.append(escape(", ".join(f"{key} {_fact(value)}" for key, value in verdict["evidence"].items())))
    parts.append(f"[bright_black](version {verdict['filter_version']}, run {verdict['run_id'][:8]})[/]")
    return "  ".join(parts)


def _fact(value: object) -> object:
    """A fact with its threshold, as `{"value": 12, "least": 100}`, or as it is."""
    if isinstance(value, dict) and set(value) == {"value", "least"}:
        return f"{value['value']} (at least {value['least']})"
    return value


def show_rows(columns: Sequence[str], rows: Sequence[tuple[Any, ...]], *, cut: bool) -> None:
    """The rows of a query; long cells are cut to one line."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(escape(column), overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*(escape(_cell(value)) for value in row))
    out.print(table)
    if cut:
        err.print(f"[bright_black]first {len(rows):,} rows; --limit 0 for all[/]")


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return text.replace("\n", "⏎")[:200]
