"""Training a fastText classifier so that the same lines give the same model, and asking it for all its classes.

What belongs here: what fastText needs around it (one thread, clean memory, a lower rate where training diverges). What
does not: what the lines hold and what the classes mean.
"""

from __future__ import annotations

import ctypes
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from seed_platform.errors import WorkError

_HALVINGS = 4
_M_MMAP_THRESHOLD = -3


def train_model(lines: Iterable[str], options: dict[str, Any], lr: float, seed: int) -> bytes:
    """The bytes of a fastText model of `lines`, each "__label__<class> <tokens>".

    One thread and a seed: the same lines give the same bytes in a new process.

    Args:
        lines: without line ends.
        options: of `fasttext.train_supervised`; the vectors must take over a MiB, since smaller ones are put into
            memory that is not clean.
        lr: the learning rate; halved up to 4 times where training diverges.
        seed: of all that is drawn by chance.

    Raises:
        WorkError: training fails at every learning rate tried.
    """
    import fasttext

    _ask_for_clean_memory()
    with tempfile.TemporaryDirectory() as folder:
        file, model = Path(folder) / "lines.txt", Path(folder) / "model.bin"
        with file.open("w", encoding="utf-8", newline="\n") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        for halving in range(_HALVINGS + 1):
            try:
                trained = fasttext.train_supervised(
                    str(file), lr=lr / 2**halving, seed=seed, thread=1, verbose=0, **options
                )
            except RuntimeError as error:
                if "NaN" not in str(error):
                    raise WorkError(f"training a fastText model failed: {error}") from error
            else:
                trained.save_model(str(model))
                return model.read_bytes()
    raise WorkError(f"training a fastText model diverged down to a learning rate of {lr / 2**_HALVINGS:g}")


def load_native(model: bytes) -> Any:  # noqa: ANN401 - fastText has no types
    """The model that `train_model` returned, to ask with `probabilities`.

    Raises:
        WorkError: the bytes are no model.
    """
    import fasttext

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.bin"
        file.write_bytes(model)
        try:
            return fasttext.FastText._FastText(str(file)).f  # noqa: SLF001 - load_model prints a warning
        except ValueError as error:
            raise WorkError(f"cannot read a fastText model: {error}") from error


def probabilities(native: Any, lines: Sequence[str], classes: int) -> list[dict[str, float]]:  # noqa: ANN401
    """Of each line, the probability of each of at most `classes` classes, under its name without "__label__"."""
    if not lines:
        return []
    # The Python wrapper of predict fails with NumPy 2, and fastText reads up to the first newline.
    found, values = native.multilinePredict([f"{line}\n" for line in lines], classes, 0.0, "strict")
    return [
        {label.removeprefix("__label__"): float(value) for label, value in zip(labels, row, strict=True)}
        for labels, row in zip(found, values, strict=True)
    ]


def _ask_for_clean_memory() -> None:
    """Have the allocator take large blocks from the kernel, which clears them: fastText does not clear its vectors.

    In a process that has freed large blocks, the C library may hand out one of those instead, and training ends in NaN.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # not in every C library
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 1 << 20)
