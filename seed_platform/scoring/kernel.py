"""Kernel ridge regression over the measures of a file: the backend "features", in NumPy alone.

What belongs here: learning a score from `features.py` and computing it. What does not: the measures themselves. Chosen
over gradient boosting, which was as good on the labels that are shipped and would need another dependency.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from seed_platform.errors import WorkError
from seed_platform.scoring import features

Array = npt.NDArray[np.float64]

RIDGE = 0.1
"""How much the weights are held back, per unit of the kernel's diagonal ..."""
WIDTH = 0.5
"""... and how fast the kernel falls with the mean squared distance of two files' measures; both by cross-validation
over the training split alone."""
MOST_LANDMARKS = 2000
"""Files that a score is computed from; of more training files a sample, so that scoring does not grow with them."""
_CLIP = 3.0
"""Standard deviations at which a measure is cut: a file stranger than that is not more so."""
_ROWS = 1024
"""Files whose kernel is held in memory at once."""
FILE = "kernel.npz"


@dataclass(frozen=True, slots=True, eq=False)
class KernelScorer:
    """Weights over landmark files; immutable.

    Attributes:
        center: shape (measures,); the mean of the training files.
        scale: shape (measures,); their standard deviation.
        landmarks: shape (landmarks, measures), standardised.
        weights: shape (landmarks,).
        offset: the mean label.
    """

    center: Array
    scale: Array
    landmarks: Array
    weights: Array
    offset: float

    backend = "features"
    marker = FILE

    @classmethod
    def train(cls, texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], seed: int) -> KernelScorer:
        """Learn from labelled files; the same for the same arguments. `seed` draws the landmarks."""
        return cls.fit(features.features(texts, languages), np.asarray(scores, dtype=np.float64), seed)

    @classmethod
    def fit(cls, table: Array, labels: Array, seed: int) -> KernelScorer:
        """Learn from measures, shape (files, measures), and labels, shape (files,)."""
        center, scale = table.mean(axis=0), table.std(axis=0) + 1e-9
        inputs = np.clip((table - center) / scale, -_CLIP, _CLIP)
        drawn = np.random.default_rng(seed).permutation(len(inputs))[:MOST_LANDMARKS]
        landmarks = inputs[np.sort(drawn)]
        across, among = _kernel(inputs, landmarks), _kernel(landmarks, landmarks)
        # With every file a landmark this is kernel ridge regression itself (else Nyström's approximation of it).
        system = across.T @ across + RIDGE * among
        # Files that are alike make the system singular, which a little on its diagonal prevents.
        system[np.diag_indices_from(system)] += 1e-9 * np.trace(system)
        weights = np.linalg.solve(system, across.T @ (labels - labels.mean()))
        return cls(center, scale, landmarks, weights, float(labels.mean()))

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> Array:
        """The score of each text, 0 to 10; shape (texts,)."""
        return self.score_table(features.features(texts, languages))

    def score_table(self, table: Array) -> Array:
        """The score of each row of measures."""
        scores = np.empty(len(table))
        for start in range(0, len(table), _ROWS):
            inputs = np.clip((table[start : start + _ROWS] - self.center) / self.scale, -_CLIP, _CLIP)
            scores[start : start + _ROWS] = _kernel(inputs, self.landmarks) @ self.weights + self.offset
        return np.clip(scores, 0.0, 10.0)

    @property
    def id(self) -> str:
        """32 hex digits of what its scores depend on."""
        digest = hashlib.blake2b(features.VERSION.encode(), digest_size=16)
        for part in (self.center, self.scale, self.landmarks, self.weights, np.array(self.offset)):
            digest.update(np.ascontiguousarray(part).tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write the model into `folder`, which is made if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / FILE).open("wb") as file:
            np.savez(
                file, version=np.array(features.VERSION), center=self.center, scale=self.scale,
                landmarks=self.landmarks, weights=self.weights, offset=np.array(self.offset),
            )  # fmt: skip

    @classmethod
    def load(cls, folder: Path) -> KernelScorer:
        """The model that `save` wrote.

        Raises:
            WorkError: there is none, or it is of another version of the measures.
        """
        try:
            with np.load(folder / FILE, allow_pickle=False) as stored:
                values = {name: stored[name] for name in stored.files}
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise WorkError(f"cannot read the scorer in {folder}: {error}") from error
        if str(values["version"]) != features.VERSION:
            raise WorkError(f"the scorer in {folder} is of version {values['version']} of the measures; train it again")
        return cls(values["center"], values["scale"], values["landmarks"], values["weights"], float(values["offset"]))


def _kernel(one: Array, other: Array) -> Array:
    """The Gaussian kernel; shape (rows of one, rows of other)."""
    square = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.asarray(np.exp(-WIDTH * np.maximum(square, 0.0) / one.shape[1]))
