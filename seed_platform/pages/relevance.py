"""Code relevance: a fastText classifier tuned so that hardly any page about code is lost (PAPER §4.3).

What belongs here: what the classifier is shown, training, the choice of the threshold, scoring. What does not: where
gold labels come from, and which pages skip it (explicit ones do, as in the paper). Reasons: decision 0008.
"""

from __future__ import annotations

import ctypes
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.errors import UsageError, WorkError
from seed_platform.pages.policy import CodeRelevancePolicy
from seed_platform.pages.sampling import positions
from seed_platform.pages.urls import host_of

_UNRELATED = ("news", "shop", "other")

VERSION = "1"
"""Of what the classifier is shown; a model of another version must not be used."""

GOLD_COLUMNS = ("doc_id", "url", "text", "code_related")
"""Of the pages to train on; `code_related` is true or false."""

Scores = npt.NDArray[np.float64]

_POSITIVE, _NEGATIVE = "__label__code", "__label__other"
_CURVE_POINTS = 101
_HALVINGS = 4
_M_MMAP_THRESHOLD = -3
# A token is a word, a number or one mark, so that "foo(bar);" is words that prose shares, and marks that it lacks.
_TOKEN = re.compile(r"[^\W\d_]+|\d+|[^\w\s]")
_MARKUP = frozenset("`|#*~_[]")
_FENCED = re.compile(r"^[ \t]*(`{3,}+|~{3,}+)[^\n]*+\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(`{1,3})([^`\n]+)\1")
# Without the optional end each link that is never closed would be searched to its end again from within it.
_LINK = re.compile(r"\]\([^)\s]*(\)?)")
# Scripts without spaces: each letter is a token, and pairs of them come in by the word n-grams.
_UNSPACED = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff])")


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Precision and recall on the held-out pages when pages with at least `threshold` are kept."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class Trained:
    """A model and what it does on pages that it was not trained on.

    Attributes:
        path: of the model file.
        threshold: pages with at least this score are kept.
        precision: share of code-related pages among those kept, held-out pages only.
        recall: share kept of the code-related pages, held-out pages only.
        kept: share kept of the held-out pages.
        lr: the learning rate that training ended with.
        trained_on: pages (code-related, other) of the training part.
        held_out: the same of the held-out part.
        split_by: "host" or "doc_id".
        curve: at most 101 points, from the highest threshold to the lowest.
    """

    path: Path
    threshold: float
    precision: float
    recall: float
    kept: float
    lr: float
    trained_on: tuple[int, int]
    held_out: tuple[int, int]
    split_by: str
    curve: tuple[CurvePoint, ...]


def embedded_gold(pages: pl.DataFrame) -> pl.DataFrame:
    """Gold labels without a judge: pages with code blocks against plain pages of sites that are about other things.

    Args:
        pages: `doc_id`, `url`, `text`, `explicit`, `code_blocks` and `category`.

    Returns:
        `GOLD_COLUMNS`. Left out are explicit pages without a block, since `<code>` marks much that is none, and plain
        pages of documentation, forums and the like, which may be what is looked for.
    """
    is_code = pl.col("explicit") & (pl.col("code_blocks") > 0)
    is_other = ~pl.col("explicit") & pl.col("category").is_in(_UNRELATED)
    return pages.filter(is_code | is_other).select("doc_id", "url", "text", code_related=is_code)


def shown(text: str, words: int) -> str:
    """What the classifier sees of a page's Markdown: one line, lower case, without code blocks.

    It is used on pages without code markup but trained on explicit ones. Left in, fenced blocks and backticks would be
    all that it learns. The words of inline code stay, since plain pages have them in their prose. Only the first
    `words` * 40 characters are looked at, code included.
    """
    prose = _LINK.sub(
        lambda link: "]" if link[1] else link[0], _INLINE.sub(r" \2 ", _FENCED.sub(" ", text[: words * 40]))
    )
    spaced = _UNSPACED.sub(r" \1 ", prose[: words * 12].lower())
    return " ".join(token for token in _TOKEN.findall(spaced)[:words] if token not in _MARKUP)


def train(pages: pl.DataFrame, policy: CodeRelevancePolicy, path: Path) -> Trained:
    """Train on gold `pages`, choose the threshold on the held-out part and save the model under `path`.

    Whole hosts go to one part, so that recall is not measured on the sites trained on, if that leaves both parts enough
    of both classes; single documents otherwise. One thread and a seed: the same pages give the same bytes in a new
    process; in one that has worked before, fastText may find its memory used.

    Args:
        pages: `GOLD_COLUMNS`; in any order.
        policy: parameters.
        path: of the model file, in an existing folder; written whole or not at all.

    Raises:
        UsageError: there are too few pages of a class.
        WorkError: training fails at every learning rate tried.
    """
    gold = _sampled(pages.select(GOLD_COLUMNS), policy)
    _check_enough(gold, policy)
    gold = gold.with_columns(text=pl.Series([shown(text, policy.text_words) for text in gold["text"]], dtype=pl.String))
    held, split_by = _split(gold, policy)
    model, lr = _fit(gold.filter(~held), policy)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        whole = Path(folder) / "model.bin"
        model.save_model(str(whole))
        whole.replace(path)
    test = gold.filter(held)
    truth = test["code_related"].to_numpy()
    scores = Scorer(path, policy.text_words).score_shown(test["text"].to_list())
    threshold = _threshold(scores, truth, policy.min_recall)
    kept = scores >= threshold
    return Trained(
        path=path,
        threshold=threshold,
        precision=float(truth[kept].mean()),
        recall=float(kept[truth].mean()),
        kept=float(kept.mean()),
        lr=lr,
        trained_on=_counts(gold.filter(~held)),
        held_out=_counts(test),
        split_by=split_by,
        curve=_curve(scores, truth),
    )


class Scorer:
    """A trained model, loaded when first used and once per process; travels to other processes as its path."""

    def __init__(self, path: Path, text_words: int) -> None:
        """`path`: of the model file; `text_words`: as in the policy it was trained under."""
        self.path = path
        self.text_words = text_words

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "text_words": self.text_words}

    def score(self, texts: Sequence[str]) -> Scores:
        """How probably each page (Markdown) is about code; shape (pages,), each in [0, 1]."""
        return self.score_shown([shown(text, self.text_words) for text in texts])

    def score_shown(self, lines: Sequence[str]) -> Scores:
        """The same, from what `shown` returned."""
        if not lines:
            return np.empty(0)
        # The Python wrapper of predict fails with NumPy 2, and fastText reads up to the first newline.
        labels, probabilities = self._native.multilinePredict([f"{line}\n" for line in lines], 2, 0.0, "strict")
        scores = [
            next((value for value, label in zip(*found, strict=True) if label == _POSITIVE), 0.0)
            for found in zip(probabilities, labels, strict=True)
        ]
        return np.clip(np.array(scores, dtype=np.float64), 0.0, 1.0)

    @cached_property
    def _native(self) -> Any:  # noqa: ANN401 - fastText has no types
        import fasttext

        try:
            return fasttext.FastText._FastText(str(self.path)).f  # noqa: SLF001 - load_model prints a warning
        except ValueError as error:
            raise WorkError(f"cannot read the code relevance model {self.path}: {error}") from error


def _sampled(pages: pl.DataFrame, policy: CodeRelevancePolicy) -> pl.DataFrame:
    """At most `policy.sample` pages, those with the lowest hashes, in the order of the hashes."""
    order = positions(pages["doc_id"].to_list(), policy.seed)
    gold = pages.with_columns(position=pl.Series(order, dtype=pl.Float64)).sort("position", "doc_id")
    return gold.head(policy.sample)


def _check_enough(gold: pl.DataFrame, policy: CodeRelevancePolicy) -> None:
    code, other = _counts(gold)
    if min(code, other) < policy.min_pages:
        raise UsageError(
            f"too few gold pages to train code relevance: {code} are about code and {other} are not, of each at least"
            f" {policy.min_pages} are needed; add crawl batches with such pages, or lower code_relevance.min_pages"
        )


def _counts(gold: pl.DataFrame) -> tuple[int, int]:
    """Pages about code, and others."""
    code = int(gold["code_related"].sum())
    return code, gold.height - code


def _split(gold: pl.DataFrame, policy: CodeRelevancePolicy) -> tuple[pl.Series, str]:
    """Which pages are held out, and by what they were told apart."""
    by_host = [host_of(url) for url in gold["url"]]
    for name, keys in (("host", by_host), ("doc_id", gold["doc_id"].to_list())):
        # Another seed than the sample's: the pages with the lowest hashes must not all be held out.
        held = pl.Series(positions(keys, policy.seed + 1) < policy.held_out)
        if _is_balanced(gold, held, policy):
            return held, name
    return held, name


def _is_balanced(gold: pl.DataFrame, held: pl.Series, policy: CodeRelevancePolicy) -> bool:
    """Whether each class has in both parts at least half of the share that it should."""
    labels = gold["code_related"]
    parts = [held.filter(labels), held.filter(~labels)]
    shares = [int(part.sum()) / len(part) for part in parts]
    return all(policy.held_out / 2 <= share <= (1 + policy.held_out) / 2 for share in shares)


def _ask_for_clean_memory() -> None:
    """Have the allocator take large blocks from the kernel, which clears them: fastText does not clear its vectors.

    In a process that has freed large blocks, the C library may hand out one of those instead, and training ends in NaN.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def _fit(gold: pl.DataFrame, policy: CodeRelevancePolicy) -> tuple[Any, float]:
    """A fastText model of `gold`, and the learning rate that it took."""
    import fasttext

    _ask_for_clean_memory()
    lr = policy.lr
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gold.txt"
        lines = (
            f"{_POSITIVE if label else _NEGATIVE} {text}\n"
            for text, label in gold.select("text", "code_related").rows()
        )
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(lines)
        for _ in range(_HALVINGS + 1):
            try:
                model = fasttext.train_supervised(
                    str(file), dim=policy.dim, wordNgrams=policy.word_ngrams, epoch=policy.epoch, lr=lr,
                    bucket=policy.bucket, minCount=policy.min_count, seed=policy.seed, thread=1, verbose=0,
                )  # fmt: skip
            except RuntimeError as error:
                if "NaN" not in str(error):
                    raise WorkError(f"training code relevance failed: {error}") from error
                lr /= 2
            else:
                return model, lr
    raise WorkError(f"training code relevance diverged down to a learning rate of {lr * 2:g}; lower code_relevance.lr")


def _threshold(scores: Scores, truth: npt.NDArray[np.bool_], min_recall: float) -> float:
    """The highest threshold that lets through at least `min_recall` of the pages about code."""
    positive = np.sort(scores[truth])[::-1]
    needed = int(np.ceil(round(min_recall * len(positive), 9)))
    return float(positive[needed - 1])


def _curve(scores: Scores, truth: npt.NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    """The precision-recall curve, at thresholds spread evenly over the ranks."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    # Pages with equal scores are kept or dropped together: a point stands at the last of each.
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    chosen = np.unique(last[np.linspace(0, len(last) - 1, min(_CURVE_POINTS, len(last))).round().astype(int)])
    return tuple(CurvePoint(float(ranked[at]), float(hits[at] / (at + 1)), float(hits[at] / hits[-1])) for at in chosen)
