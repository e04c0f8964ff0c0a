"""Extraction of pages from WARC files: speed and accuracy in one run, beside trafilatura and resiliparse.

    python benchmarks/page_extraction.py FOLDER [--peer-venv DIR] [--repeats 3]

FOLDER holds WARC files; a `labels.parquet` beside them, with the columns record_id and category, tells articles from
documentation, otherwise every page counts as both. Speed: from the bytes of a WARC to text, one process, the repeat
that took least CPU; compiled code is loaded before. Accuracy: the share of <pre> blocks that come out identical,
compared with the text that the parser's own nodes give without line numbers; the F1 of words against trafilatura's
precision mode on articles; the share of pages that have a link of the site's navigation in the first three lines. What
belongs here: these measures.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from measure import Phase, machine, mark, prepare_peers, print_table, run
from resiliparse.parse.html import HTMLTree

from seed_platform.crawl.warc import Capture, CrawlLimits, read_captures
from seed_platform.extraction import extract

HERE = Path(__file__).parent
ARTICLES = {"blog", "tutorial", "tutorial_or_blog", "news"}
DOCUMENTATION = {"documentation"}
WORD = re.compile(r"\w+")
FENCED = re.compile(r"^(`{3,})[^\n`]*\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
GUTTER = re.compile(
    r"\b(linenos?|lineno|linenodiv|line-numbers-rows|hljs-ln-numbers|blob-num|src-line-nums|src-line-numbers|gutter|"
    r"rouge-gutter|lnt|ln|line-numbers?)\b"
)
NAVIGATION = "nav a, [role=navigation] a, .breadcrumb a, .breadcrumbs a, .navbar a, .sidebar a, footer a, .related a"
NO_CODE = {"button", "script", "style", "svg", "textarea", "select"}
ELEMENT, TEXT = 1, 3


def captures(folder: Path) -> Iterator[Capture]:
    """The pages of the WARC files."""
    for path in sorted(folder.glob("*.warc*")):
        with path.open("rb") as stream:
            for item in read_captures(stream, CrawlLimits()):
                if isinstance(item, Capture):
                    yield item


def ours(folder: Path) -> None:
    """Read and extract all pages; measured from outside."""
    extract("<html><body><p>text <code>x</code></p><pre>y</pre></body></html>")
    mark("start")
    pages = size = 0
    for capture in captures(folder):
        extract(capture.html)
        pages += 1
        size += capture.size
    mark("extract", pages=pages, bytes=size)


def _text(node: Any, out: list[str]) -> None:  # noqa: ANN401 - the library types all nodes as one
    """The text of a <pre>, node by node, without line numbers."""
    child = node.first_child
    while child is not None:
        if child.type == TEXT:
            out.append(child.text)
        elif child.type == ELEMENT and child.tag == "br":
            out.append("\n")
        elif child.type == ELEMENT and child.tag not in NO_CODE:
            number = GUTTER.search(child.getattr("class") or "") and not any(map(str.isalpha, child.text))
            if not number:
                _text(child, out)
        child = child.next


def pre_blocks(tree: HTMLTree) -> list[str]:
    """The texts of the <pre> blocks that have letters and are in no other, each with a line end at its end."""
    found = []
    for block in tree.body.get_elements_by_tag_name("pre") if tree.body else ():
        above: Any = block.parent
        while above is not None and above.tag not in ("pre", "template"):
            above = above.parent
        if above is None:
            out: list[str] = []
            _text(block, out)
            text = "".join(out)
            if any(map(str.isalpha, text)):
                found.append(text if text.endswith("\n") else text + "\n")
    return found


def f1(text: str, reference: str) -> float:
    """The F1 of the words of two texts, repeats included."""
    a, b = Counter(WORD.findall(text)), Counter(WORD.findall(reference))
    return 2 * (a & b).total() / max(1, a.total() + b.total())


def has_navigation(tree: HTMLTree, text: str) -> bool:
    """Whether one of the first three lines is a link of the site's navigation and nothing else."""
    links = (
        {" ".join((link.text or "").split()) for link in tree.body.query_selector_all(NAVIGATION)}
        if tree.body
        else set()
    )
    lines = [line for line in text.split("\n") if line.strip()][:3]
    # A heading has the page's own name, which navigation has too.
    return any(line.lstrip("-*0123456789. ") in links for line in lines if not line.startswith("#"))


def accuracy(folder: Path, references: dict[str, str]) -> None:
    """Print what comes out of the pages."""
    labels = folder / "labels.parquet"
    categories: dict[str, str] = {}
    if labels.is_file():
        table = pq.read_table(labels, columns=["record_id", "category"])
        names = (str(name).strip("<>").removeprefix("urn:uuid:") for name in table["record_id"].to_pylist())
        categories = dict(zip(names, table["category"].to_pylist(), strict=True))
    scores, navigation = [], 0
    blocks: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for capture in captures(folder):
        category = categories.get(capture.record_id)
        extraction, tree = extract(capture.html), HTMLTree.parse(capture.html)
        outcomes[extraction.reason or "text"] += 1
        navigation += has_navigation(tree, extraction.text)
        if category is None or category in DOCUMENTATION:
            wanted = Counter(pre_blocks(tree))
            blocks["all"] += wanted.total()
            blocks["same"] += (wanted & Counter(match[2] for match in FENCED.finditer(extraction.text))).total()
        reference = references.get(capture.record_id, "")
        if reference and (category is None or category in ARTICLES):
            scores.append(f1(extraction.text, reference))
    rows = [
        (
            "<pre> blocks of documentation",
            f"{blocks['all']}",
            f"{blocks['same'] / max(1, blocks['all']):.4f} identical",
        ),
        ("articles", f"{len(scores)}", f"F1 {sum(scores) / max(1, len(scores)):.4f} against trafilatura"),
        ("pages", f"{outcomes.total()}", f"{navigation / max(1, outcomes.total()):.4f} begin with navigation"),
        *((f"outcome: {name}", f"{count}", "") for name, count in sorted(outcomes.items())),
    ]
    print_table(("", "count", "result"), rows)


def row(name: str, phase: Phase) -> tuple[str, ...]:
    """A line of the table of speeds."""
    pages, size = phase.facts["pages"], phase.facts["bytes"] / 1e6
    speeds = f"{pages / phase.cpu:,.0f}", f"{size / phase.cpu:.1f}"
    return (name, f"{pages:,}", f"{size:.1f}", f"{phase.cpu:.2f}", *speeds, f"{phase.peak_pss / 1e6:.0f}")


def least(command: list[object], repeats: int) -> Phase:
    """The extraction of the repeat that took least CPU."""
    return min((run(command)[1] for _ in range(repeats)), key=lambda phase: phase.cpu)


def main() -> None:
    """Measure speed, then accuracy."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--peer-venv", type=Path, default=Path(tempfile.gettempdir()) / "seed-peers")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.ours:
        ours(given.folder)
        return
    peers = prepare_peers(given.peer_venv)
    print(machine(), end="\n\n")
    with tempfile.TemporaryDirectory() as work:
        texts = Path(work) / "texts.jsonl"
        rows = [row("ours", least([sys.executable, __file__, given.folder, "--ours"], given.repeats))]
        for name, repeats in (("resiliparse", given.repeats), ("trafilatura", 1)):
            command = [peers, HERE / "peer_extraction.py", name, given.folder, texts]
            rows.append(row(name, least(command, repeats)))
        references = dict(json.loads(line) for line in texts.open())
    print_table(("", "pages", "MB of HTML", "CPU s", "pages/CPU-s", "MB/CPU-s", "peak PSS, MB"), rows)
    accuracy(given.folder, references)


if __name__ == "__main__":
    main()
