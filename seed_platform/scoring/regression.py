"""Training the regression head and its backbone on ratings: mean squared error on score/10 (PAPER §2.2.1, A.2).

What belongs here: the training loop, on a CPU, a GPU or as many as `torchrun` or `accelerate launch` starts. What does
not: which examples (`examples.py`) and the use of the result (`backbone.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seed_platform.scoring.about import About
from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.examples import Example
from seed_platform.scoring.inputs import Inputs

_SORTED_BATCHES = 16
"""Batches whose examples are sorted by length together: little padding, and still nearly random batches."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training did: examples and steps, mean loss of the first and last tenth (on score/10), devices and time."""

    examples: int
    steps: int
    first_loss: float
    last_loss: float
    devices: int
    cpu_seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


def train_regression(
    checkpoint: Path, examples: Sequence[Example], folder: Path, policy: BackbonePolicy, about: About
) -> Trained:
    """An ordinary sequence-classification checkpoint in `folder`, trained from the causal one in `checkpoint`.

    Under a distributed launcher every process calls this with the same arguments; the first one writes. On one CPU
    thread the result is the same for the same arguments. GPUs train in bf16 with weights in fp32.

    Args:
        checkpoint: folder of the causal model and its tokenizer.
        examples: at least one.
        folder: for the result.
        policy: how.
        about: the line that opens an input.
    """
    import torch
    from accelerate import Accelerator  # noqa: PLC0415
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    started = time.process_time()
    accelerator = Accelerator(mixed_precision="bf16" if torch.cuda.is_available() else "no")
    torch.manual_seed(policy.seed)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    inputs = Inputs(tokenizer, policy, about)
    model = AutoModelForSequenceClassification.from_pretrained(
        checkpoint, num_labels=1, problem_type="regression", pad_token_id=inputs.pad, dtype=torch.float32
    )
    ids = inputs.ids([example.text for example in examples], [example.language for example in examples])
    targets = [example.score / 10 for example in examples]
    batches = [
        batch for epoch in range(policy.epochs) for batch in _epoch(ids, policy, accelerator.num_processes, epoch)
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=policy.learning_rate, weight_decay=0.01)
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    losses = []
    wrapped.train()
    for step, batch in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = policy.learning_rate * _schedule(step / len(batches), policy.warmup)
        own = batch[accelerator.process_index :: accelerator.num_processes]
        rows = pad([ids[index] for index in own], inputs.pad).to(accelerator.device)
        labels = torch.tensor([targets[index] for index in own], device=accelerator.device)
        loss = wrapped(input_ids=rows, labels=labels).loss
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(wrapped.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach())
    if accelerator.is_main_process:
        accelerator.unwrap_model(wrapped).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    accelerator.wait_for_everyone()
    values = accelerator.reduce(torch.stack(losses), "mean").tolist()
    tenth = max(1, len(values) // 10)
    return Trained(
        examples=len(examples),
        steps=len(values),
        first_loss=sum(values[:tenth]) / tenth,
        last_loss=sum(values[-tenth:]) / tenth,
        devices=accelerator.num_processes,
        cpu_seconds=time.process_time() - started,
    )


def pad(rows: Sequence[Sequence[int]], value: int) -> Any:  # noqa: ANN401 - a torch.Tensor
    """`rows` as one matrix, filled up on the right.

    Attention is causal and pooling takes the last id that is not padding, so that padding on the right changes nothing
    and no mask is needed; without one the fast kernels of attention are used.
    """
    import torch

    return torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def _schedule(progress: float, warmup: float) -> float:
    """Share of the peak learning rate: up during `warmup`, then linearly to zero."""
    return (progress + 1e-3) / (warmup + 1e-3) if progress < warmup else (1 - progress) / (1 - warmup)


def _epoch(ids: Sequence[Sequence[int]], policy: BackbonePolicy, processes: int, epoch: int) -> Iterator[list[int]]:
    """Batches of indices of alike length, in random order; each a multiple of `processes` long.

    The last examples of a batch that does not divide are left out, fewer than `processes` in an epoch, so that every
    process takes part in every step.
    """
    rng = random.Random(f"{policy.seed} {epoch}")  # noqa: S311 - not for secrets
    order = rng.sample(range(len(ids)), len(ids))
    size = max(policy.batch // processes, 1) * processes
    order = order[: len(order) // processes * processes] or (order * processes)[:processes]
    for start in range(0, len(order), size * _SORTED_BATCHES):
        part = sorted(order[start : start + size * _SORTED_BATCHES], key=lambda index: len(ids[index]))
        chunks = [part[at : at + size] for at in range(0, len(part), size)]
        yield from rng.sample(chunks, len(chunks))
