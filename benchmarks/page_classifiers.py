"""How well pages are told apart: site categories and code relevance on labelled pages.

    python benchmarks/page_classifiers.py read WARC_FOLDER PAGES.parquet      # labelled WARC files to pages
    python benchmarks/page_classifiers.py categories PAGES.parquet            # 5 folds, whole hosts held out
    python benchmarks/page_classifiers.py train PAGES.parquet                 # weights on all pages, into the package
    python benchmarks/page_classifiers.py relevance PAGES.parquet             # held-out precision, recall and speed

WARC_FOLDER holds `*.warc.gz` and `labels.parquet` with `warc_file`, `offset`, `category` (a name of `CATEGORIES` or of
`ALIASES`) and `code_related` (1, 0, or -1 for unknown). PAGES has `doc_id, url, title, text, counts, category,
code_related`, `counts` as JSON; pages labelled by other means can be appended to it. NumPy alone trains the categories.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from page_category_prior import PRIOR

from seed_platform.crawl.warc import CrawlLimits, Refusal, read_captures
from seed_platform.extraction import extract
from seed_platform.pages import categories as package
from seed_platform.pages.categories import CATEGORIES, WEIGHTS_FILE, Weights
from seed_platform.pages.features import NAMES, features, prose_language
from seed_platform.pages.policy import CodeRelevancePolicy
from seed_platform.pages.relevance import Scorer, train
from seed_platform.pages.sampling import positions
from seed_platform.pages.urls import host_of

ALIASES = {
    "blog": "tutorial_or_blog",
    "tutorial": "tutorial_or_blog",
    "qa_faq": "qa",
    "non_code_manual": "documentation",
}
FOLDS = 5
PULL = 8.0
"""Strength of the pull towards the prior: of all pages together, in units of one page's loss per squared logit."""

Matrix = npt.NDArray[np.float64]


def read(folder: Path, target: Path) -> None:
    """The labelled pages of `folder` as Markdown, into `target`."""
    pl.DataFrame(list(_pages(folder)), infer_schema_length=None).write_parquet(target)


def _pages(folder: Path) -> Iterator[dict[str, object]]:
    labels = pl.read_parquet(folder / "labels.parquet")
    for name in labels["warc_file"].unique().sort():
        by_offset = {row["offset"]: row for row in labels.filter(pl.col("warc_file") == name).iter_rows(named=True)}
        with (folder / name).open("rb") as stream:
            for capture in read_captures(stream, CrawlLimits()):
                label = None if isinstance(capture, Refusal) else by_offset.get(capture.offset)
                if isinstance(capture, Refusal) or label is None:
                    continue
                found = extract(capture.html)
                yield {
                    "doc_id": capture.record_id, "url": capture.url, "title": found.title, "text": found.text,
                    "counts": json.dumps(found.counts), "explicit": found.explicit,
                    "category": ALIASES.get(label["category"], label["category"]),
                    "code_blocks": found.code_blocks, "code_related": label["code_related"],
                }  # fmt: skip


def vectors(pages: pl.DataFrame) -> Matrix:
    """Features of `pages`; shape (pages, features)."""
    rows = pages.select("url", "counts", "title", "text").rows()
    return np.array([features(url, json.loads(counts), title, text) for url, counts, title, text in rows])


def prior() -> Weights:
    """The weights expected before any page is seen."""
    weights = np.array([[PRIOR[category].get(name, 0.0) for name in NAMES] for category in CATEGORIES])
    return Weights(weights, np.array([PRIOR[category]["bias"] for category in CATEGORIES]))


def importances(hosts: list[str], truth: npt.NDArray[np.int64]) -> Matrix:
    """How much each page counts: a host's pages of one category as much as the square root of their number."""
    keys = [f"{host} {label}" for host, label in zip(hosts, truth, strict=True)]
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / np.sqrt(counts[inverse]))


def fit(x: Matrix, truth: npt.NDArray[np.int64], importance: Matrix, steps: int = 3000) -> Weights:
    """Maximum a posteriori weights, by gradient descent with momentum: the prior is normal around `prior()`."""
    start = prior()
    ones = np.column_stack([x, np.ones(len(x))])
    origin = np.column_stack([start.weights, start.bias])
    weights, velocity = origin.copy(), np.zeros_like(origin)
    target = np.eye(len(CATEGORIES))[truth]
    # A category without a page would only be pushed away from everybody else's; it keeps the prior.
    seen = np.isin(np.arange(len(CATEGORIES)), truth)[:, None]
    rate = 1.0 / (PULL + 0.5 * float((importance[:, None] * ones**2).sum()))
    for _ in range(steps):
        ahead = weights + 0.95 * velocity
        probabilities = Weights(ahead[:, :-1], ahead[:, -1]).probabilities(x)
        gradient = ((probabilities - target) * importance[:, None]).T @ ones + PULL * (ahead - origin)
        velocity = 0.95 * velocity - rate * gradient * seen
        weights += velocity
    return Weights(weights[:, :-1], weights[:, -1])


def labelled(path: Path) -> tuple[pl.DataFrame, Matrix, npt.NDArray[np.int64], list[str]]:
    """The pages with a category, their features, categories by number, and hosts."""
    pages = pl.read_parquet(path).filter(pl.col("category").is_in(CATEGORIES) & (pl.col("text") != ""))
    truth = np.array([CATEGORIES.index(name) for name in pages["category"]])
    return pages, vectors(pages), truth, [host_of(url) for url in pages["url"]]


def measure_categories(path: Path) -> None:
    """Print accuracy with whole hosts held out, beside the prior's and the shipped weights', and the confusion."""
    _, x, truth, hosts = labelled(path)
    folds = np.floor(positions(hosts, 5) * FOLDS).astype(int)
    guess = np.zeros(len(truth), dtype=np.int64)
    importance = importances(hosts, truth)
    for fold in range(FOLDS):
        train_on, test = folds != fold, folds == fold
        weights = fit(x[train_on], truth[train_on], importance[train_on])
        guess[test] = weights.probabilities(x[test]).argmax(axis=1)
    expected = prior().probabilities(x).argmax(axis=1)
    for name, found in (("held-out hosts", guess), ("prior alone", expected)):
        right = found == truth
        each = [right[truth == label].mean() for label in np.unique(truth)]
        by_host = pl.DataFrame({"host": hosts, "right": right}).group_by("host").mean()["right"].mean()
        print(
            f"{name}: accuracy {right.mean():.3f}, mean of categories {np.mean(each):.3f}, mean of hosts {by_host:.3f}"
        )
    print(f"\n| labelled \\ found | {' | '.join(CATEGORIES)} | recall |\n|{' --- |' * (len(CATEGORIES) + 2)}")
    for row, category in enumerate(CATEGORIES):
        counts = np.bincount(guess[truth == row], minlength=len(CATEGORIES))
        if counts.sum():
            print(f"| {category} | {' | '.join(map(str, counts))} | {counts[row] / counts.sum():.2f} |")


def train_categories(path: Path) -> None:
    """Write the weights trained on all pages into the package."""
    _, x, truth, hosts = labelled(path)
    weights = fit(x, truth, importances(hosts, truth))
    (Path(package.__file__).parent / WEIGHTS_FILE).write_text(weights.as_json(), encoding="utf-8")
    right = (weights.probabilities(x).argmax(axis=1) == truth).mean()
    print(f"{len(truth)} pages of {len(set(hosts))} hosts; right on {right:.3f} of what it was trained on")


def measure_relevance(path: Path) -> None:
    """Print held-out precision and recall over seeds, and speed."""
    pages = pl.read_parquet(path).filter((pl.col("code_related") >= 0) & (pl.col("text") != ""))
    gold = pages.select("doc_id", "url", "text", code_related=pl.col("code_related") == 1)
    print("| seed | split by | trained on | held out | threshold | precision | recall | kept | train s |")
    print(f"|{' --- |' * 9}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.bin"
        for seed in range(1, 6):
            policy = CodeRelevancePolicy(seed=seed)
            start = time.process_time()
            found = train(gold, policy, file)
            spent = time.process_time() - start
            print(
                f"| {seed} | {found.split_by} | {found.trained_on} | {found.held_out} | {found.threshold:.4f}"
                f" | {found.precision:.3f} | {found.recall:.3f} | {found.kept:.3f} | {spent:.1f} |"
            )
        scorer = Scorer(file, policy.text_words)
        texts = gold["text"].to_list()
        scorer.score(texts[:1])
        _speed("code relevance", lambda: scorer.score(texts), texts)
    rows = pages.select("url", "counts", "title", "text").rows()
    _speed("category", lambda: [package.categorize(u, json.loads(c), ti, te) for u, c, ti, te in rows], texts)
    prose_language("a first call loads the model of languages")
    _speed("language", lambda: [prose_language(text) for text in texts], texts)


def _speed(name: str, work: object, texts: list[str]) -> None:
    start = time.process_time()
    work()  # type: ignore[operator]
    spent = time.process_time() - start
    size = sum(len(text.encode()) for text in texts)
    pages, megabytes = len(texts) / spent, size / spent / 1e6
    print(f"{name}: {pages:,.0f} pages/CPU-s, {megabytes:.1f} MB of text/CPU-s, {1e3 / pages:.2f} ms a page")


def main() -> None:
    """Run one of the commands of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("read", "categories", "train", "relevance"))
    parser.add_argument("paths", nargs="+", type=Path)
    arguments = parser.parse_args()
    commands = {
        "read": read,
        "categories": measure_categories,
        "train": train_categories,
        "relevance": measure_relevance,
    }
    commands[arguments.command](*arguments.paths)


if __name__ == "__main__":
    main()
