"""The distilled scorer: a Llama-architecture model with a regression head that has learnt a judge's ratings.

What belongs here: distilling it, loading it, scoring with it in this process. What does not: how it is trained
(`pretraining.py`, `regression.py`), how good it is (`metrics.py`) and which documents are dropped (the policy). What is
saved is an ordinary `LlamaForSequenceClassification` checkpoint, so a server of such models can take its place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from seed_platform.scoring.about import About
from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.examples import counts, make_examples, taught_examples
from seed_platform.scoring.inputs import Inputs
from seed_platform.scoring.last_token import last_token_logits
from seed_platform.scoring.pretraining import pretrain
from seed_platform.scoring.regression import pad, train_regression

ENVIRONMENT = {
    # The C library gives large blocks back at once and pays for fresh pages in every step: half the speed on a CPU.
    "MALLOC_MMAP_THRESHOLD_": "4294967295",
    "MALLOC_TRIM_THRESHOLD_": "4294967295",
    "MALLOC_TOP_PAD_": "268435456",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
"""What a process that trains or scores is to be started with on a CPU; read before its first line runs."""

_SCORER = "scorer.json"
_CHUNK = 1024
"""Texts that are tokenized, sorted by length and scored together."""
_BATCH_TOKENS = {"cpu": 2048, "cuda": 32_768}
"""Tokens in a batch with its padding. On a CPU what fits its caches: 2,048 scored 188 files per core-second of the tiny
model where 16,384 scored 130 (2026-11). On a GPU what keeps it busy."""


class BackboneScorer:
    """A trained scorer, ready to score.

    Attributes:
        policy: the one it was trained under.
        device: "cpu" or "cuda".
    """

    def __init__(self, folder: Path, *, threads: int | None = None) -> None:
        """Load the checkpoint that `distil` left in `folder`.

        Args:
            folder: with the model, the tokenizer, the policy and the grades.
            threads: of a CPU; None leaves them as they are.

        Raises:
            ValueError: `folder` holds no scorer.
            WorkError: it is of another version of the measures.
        """
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if not (folder / _SCORER).is_file():
            raise ValueError(f"no scorer in {folder}")
        if threads is not None:
            torch.set_num_threads(threads)
        stored = json.loads((folder / _SCORER).read_text(encoding="utf-8"))
        self.policy = BackbonePolicy.model_validate(stored["policy"])
        about = About(stored["measures"], tuple(map(tuple, stored["grades"])))
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        kind = torch.bfloat16 if self.device == "cuda" else torch.float32
        model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=kind)
        self._model = model.to(self.device).eval()
        self._forward = last_token_logits if model.config.model_type == "llama" else _plain_logits
        self._inputs = Inputs(AutoTokenizer.from_pretrained(folder), self.policy, about)

    def score(self, texts: Sequence[str], languages: Sequence[str]) -> npt.NDArray[np.float64]:
        """The rating of each text, 0 to 10, in their order; independent of what else is scored with it, up to rounding.

        Raises:
            ValueError: `texts` and `languages` differ in length.
        """
        return np.clip(self.logits(texts, languages) * 10, 0.0, 10.0)

    def logits(self, texts: Sequence[str], languages: Sequence[str]) -> npt.NDArray[np.float64]:
        """What the regression head says, about 0 to 1: what a server with its activation off answers."""
        import torch

        if len(texts) != len(languages):
            raise ValueError(f"{len(texts)} texts and {len(languages)} languages")
        found = np.empty(len(texts))
        with torch.inference_mode():
            for start in range(0, len(texts), _CHUNK):
                ids = self._inputs.ids(texts[start : start + _CHUNK], languages[start : start + _CHUNK])
                for batch in _batches([len(row) for row in ids], _BATCH_TOKENS[self.device]):
                    rows = pad([ids[index] for index in batch], self._inputs.pad).to(self.device)
                    lengths = torch.tensor([len(ids[index]) for index in batch], device=self.device)
                    answer = self._forward(self._model, rows, lengths).float().cpu().numpy()
                    found[np.asarray(batch) + start] = answer
        return found

    def token_ids(self, texts: Sequence[str], languages: Sequence[str]) -> list[list[int]]:
        """What a server is to be given for each text, so that it sees the same as `score`."""
        return self._inputs.ids(texts, languages)


def distil(
    labelled: tuple[Sequence[str], Sequence[str], Sequence[float]],
    corpus: tuple[Sequence[str], Sequence[str]],
    folder: Path,
    policy: BackbonePolicy,
) -> dict[str, Any]:
    """Train a scorer into `folder` and say how.

    Args:
        labelled: texts, languages and a judge's ratings (0 to 10) of the training files.
        corpus: texts and languages to pretrain on if the policy names no checkpoint, and of which `taught` examples are
            made; must hold no held-out file.
        folder: for the checkpoint; made if it is not there. Nothing is written elsewhere.
        policy: shape, input and training.

    Returns:
        The report: the numbers of `Pretrained` and `Trained`, examples by kind, processor seconds and library versions.

    Raises:
        ValueError: no labelled files, or nothing to pretrain on.
    """
    from accelerate import PartialState  # noqa: PLC0415 - extra `train`

    if not labelled[0]:
        raise ValueError("a scorer needs at least one labelled file")
    started = time.process_time()
    folder.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"backend": "backbone", "labelled_files": len(labelled[0])}
    # Under a launcher of many processes all get here with the same arguments; one makes the files.
    processes = PartialState()
    about = About.fit(*labelled[:2])
    if policy.checkpoint is None:
        base = folder / "base"
        if processes.is_main_process:
            report["pretraining"] = pretrain(*corpus, base, policy, about).as_dict()
        processes.wait_for_everyone()
    else:
        base = Path(policy.checkpoint)
    examples = make_examples(*labelled, policy) + taught_examples(labelled, corpus, policy)
    report["examples"] = counts(examples)
    report["training"] = train_regression(base, examples, folder, policy, about).as_dict()
    report["cpu_seconds"] = time.process_time() - started
    report["versions"] = _versions()
    if processes.is_main_process:
        (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
        stored = {"policy": policy.model_dump(), "measures": about.version, "grades": about.edges}
        (folder / _SCORER).write_text(json.dumps(stored), encoding="utf-8")
    return report


def _plain_logits(model: Any, rows: Any, lengths: Any) -> Any:  # noqa: ANN401, ARG001 - as `last_token_logits`
    """The same by the model's own forward pass, for the relatives of Llama that `checkpoint` may name."""
    return model(input_ids=rows).logits[:, 0]


def _batches(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Indices of alike length, longest first, so that each padded batch holds at most `tokens`; at least one index."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        size = max(1, tokens // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _versions() -> dict[str, str]:
    """Of the libraries that decide what training gives."""
    from importlib.metadata import version  # noqa: PLC0415

    return {name: version(name) for name in ("torch", "transformers", "tokenizers", "accelerate")}
