"""The fastText classifier of one source and round: what it is shown of a file, training, scoring.

What belongs here: tokens and fastText. What does not: which files it is trained on (`seeds.py`, `negatives.py`). It
differs from `pages.relevance` in what it sees (code, not prose) and in that its training set may exceed memory.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import polars as pl

from seed_platform.errors import WorkError
from seed_platform.scoring.high_quality.policy import HighQualityPolicy
from seed_platform.scoring.high_quality.seeds import hashes

Probabilities = npt.NDArray[np.float64]

_POSITIVE, _NEGATIVE = "__label__high", "__label__other"
_HALVINGS = 4
_M_MMAP_THRESHOLD = -3
_CHARACTERS_PER_TOKEN = 6
# A word in lower case, so `snake_case` and the comment "snake case" share words; a number; a rule such as "-----"; one
# mark; the end of a line. Marks are without "_", so no text can form one of fastText's labels.
_PATTERN = r"[\p{L}\p{M}]+|\p{Nd}+|[=*#~/-]{4,}|[^\w\s\p{C}]|\n"
_LINE_END = "\u23ce"


def shown(texts: pl.Series, tokens: int) -> list[str]:
    """What the classifier sees of each text: one line of at most `tokens` tokens.

    A text of more than 6 characters per token is seen in two halves, from its start and from its middle, since many
    files start with a licence.
    """
    half = tokens * _CHARACTERS_PER_TOKEN // 2
    content = pl.col("content")
    length = content.str.len_chars()
    long = length > 2 * half
    # A slice of length zero, not a branch: both branches of a condition would be split into tokens.
    head = content.str.slice(0, pl.when(long).then(half).otherwise(length))
    middle = content.str.slice((length // 2 - half // 2).clip(0), pl.when(long).then(half).otherwise(0))
    first = head.str.extract_all(_PATTERN).list.head(pl.when(long).then(tokens // 2).otherwise(tokens))
    second = middle.str.extract_all(_PATTERN).list.head(tokens // 2)
    lines = (
        texts.fill_null("").str.to_lowercase().to_frame("content").select(pl.concat_list(first, second).list.join(" "))
    )
    # Only line ends are left of all white space but the blanks that join.
    return lines.to_series().str.replace_all("\n", _LINE_END, literal=True).to_list()


class TrainingFile:
    """The training file of one classifier, written as texts come and put in the order of the ids' hashes.

    fastText on one thread learns in the order of the file, so that order must not be the order of storage. Texts are
    kept on disk; in memory are only their places.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        """`folder`: existing, for two files."""
        self.path = folder / "training.txt"
        self._spool = (folder / "spool.txt").open("w+b")
        self._seed = seed
        self._places: dict[str, tuple[int, int]] = {}
        self.positives = 0

    def add(self, doc_id: str, line: str, *, positive: bool) -> None:
        """Add what is `shown` of one document."""
        raw = f"{_POSITIVE if positive else _NEGATIVE} {line}\n".encode()
        self._places[doc_id] = (self._spool.tell(), len(raw))
        self._spool.write(raw)
        self.positives += positive

    @property
    def negatives(self) -> int:
        """Negatives added so far."""
        return len(self._places) - self.positives

    def finish(self) -> None:
        """Write the file itself and remove the other."""
        ids = sorted(self._places)
        order = np.argsort(hashes(ids, self._seed), kind="stable")
        with self._spool as spool, self.path.open("wb") as file:
            file.writelines(_read(spool, [self._places[ids[place]] for place in order]))
        Path(spool.name).unlink()


def _read(spool: IO[bytes], places: Iterable[tuple[int, int]]) -> Iterable[bytes]:
    for offset, length in places:
        spool.seek(offset)
        yield spool.read(length)


def train(file: TrainingFile, policy: HighQualityPolicy, path: Path) -> float:
    """Train on a finished `file`, save the model under `path` and return the learning rate that it took.

    One thread, a seed and clean memory: the same file gives the same model.

    Raises:
        WorkError: fastText fails, or diverges at every learning rate tried.
    """
    import fasttext

    _ask_for_clean_memory()
    lr = policy.lr
    epochs = max(policy.epoch, -(-policy.min_updates // max(file.positives + file.negatives, 1)))
    for _ in range(_HALVINGS + 1):
        try:
            model = fasttext.train_supervised(
                str(file.path), dim=policy.dim, wordNgrams=policy.word_ngrams, epoch=epochs, lr=lr,
                bucket=policy.bucket, minCount=policy.min_count, seed=policy.seed, thread=1, verbose=0,
            )  # fmt: skip
        except (RuntimeError, ValueError) as error:
            if "NaN" not in str(error):
                raise WorkError(f"training a classifier of high quality failed: {error}") from error
            lr /= 2
        else:
            model.save_model(str(path))
            return lr
    raise WorkError(f"training diverged down to a learning rate of {lr * 2:g}; lower high_quality.lr")


class Classifier:
    """A trained model."""

    def __init__(self, path: Path, policy: HighQualityPolicy) -> None:
        """`path`: of the model file; `policy`: the one it was trained under."""
        import fasttext

        self._words = policy.text_words
        self._native: Any = fasttext.FastText._FastText(str(path)).f  # noqa: SLF001 - load_model prints a warning

    def probabilities(self, texts: pl.Series) -> Probabilities:
        """How probably each text is of high quality; shape (texts,), each in [0, 1]."""
        return self._of_lines(shown(texts, self._words))

    def _of_lines(self, lines: Sequence[str]) -> Probabilities:
        if not lines:
            return np.empty(0)
        # The Python wrapper of predict fails with NumPy 2, and fastText reads up to the first newline.
        labels, values = self._native.multilinePredict([f"{line}\n" for line in lines], 2, 0.0, "strict")
        found = (dict(zip(names, each, strict=True)) for names, each in zip(labels, values, strict=True))
        return np.clip(np.fromiter((each.get(_POSITIVE, 0.0) for each in found), np.float64, len(lines)), 0.0, 1.0)


def _ask_for_clean_memory() -> None:
    """Have the allocator take large blocks from the kernel, which clears them: fastText does not clear its vectors.

    In a process that has freed large blocks, the C library may hand out one of those instead, and training ends in NaN.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 1 << 20)
