"""The backend "backbone" behind the interface that all scorers share.

What belongs here: where its checkpoint lies before it is saved. What does not: the model and its training
(`backbone.py`), which need the extra `train` and are imported when they are used.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from seed_platform.scoring.backbone import BackboneScorer


@dataclass(frozen=True, eq=False)
class DistilledScorer:
    """A checkpoint in a folder; `owner` keeps a temporary one as long as this scorer lives."""

    folder: Path
    owner: tempfile.TemporaryDirectory[str] | None = None

    backend = "backbone"
    marker = "scorer.json"

    @classmethod
    def train(
        cls, texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], seed: int
    ) -> DistilledScorer:
        """Pretrain a tiny backbone on the texts and learn from their scores, under the default policy and `seed`."""
        from seed_platform.scoring.backbone import distil  # noqa: PLC0415 - needs torch
        from seed_platform.scoring.backbone_policy import BackbonePolicy  # noqa: PLC0415

        owner = tempfile.TemporaryDirectory()
        distil((texts, languages, scores), (texts, languages), Path(owner.name), BackbonePolicy(seed=seed))
        return cls(Path(owner.name), owner)

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> npt.NDArray[np.float64]:
        """The score of each text, 0 to 10; shape (texts,)."""
        return self._scorer.score(texts, languages)

    @property
    def id(self) -> str:
        """32 hex digits of the weights, the tokenizer and the policy."""
        digest = hashlib.blake2b(digest_size=16)
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.name != "report.json":
                digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Copy the checkpoint into `folder`, which is made if it is not there; without what it was pretrained to."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("base"))

    @classmethod
    def load(cls, folder: Path) -> DistilledScorer:
        """The checkpoint that `save` left."""
        return cls(folder)

    @cached_property
    def _scorer(self) -> BackboneScorer:
        from seed_platform.scoring.backbone import BackboneScorer  # noqa: PLC0415 - needs torch

        return BackboneScorer(self.folder)
