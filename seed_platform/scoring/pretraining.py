"""A tiny backbone from nothing: next-token prediction on the corpus at hand, for a machine without any checkpoint.

What belongs here: making the tokenizer and the causal language model, and saving both as one checkpoint folder. What
does not: the regression head (`regression.py`). With a real checkpoint none of this runs.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seed_platform.scoring.about import About
from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.inputs import Inputs
from seed_platform.scoring.tokenizer import train_tokenizer


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What pretraining did: model size, tokens seen, mean loss of the last tenth (nats per token), and time.

    `cut_short` says that the limit on processor time ended it, so another run may see another number of tokens.
    """

    parameters: int
    vocabulary: int
    tokens: int
    loss: float
    cpu_seconds: float
    cut_short: bool

    def as_dict(self) -> dict[str, Any]:
        """For a report."""
        return asdict(self)


def pretrain(
    texts: Sequence[str], languages: Sequence[str], folder: Path, policy: BackbonePolicy, about: About
) -> Pretrained:
    """A causal language model and its tokenizer in `folder`, trained on `texts`.

    The model sees what the scorer will see: a line about a stretch of a document, then its text. On one CPU thread the
    result is the same for the same arguments, unless `cut_short`.

    Raises:
        ValueError: there are no texts.
    """
    import torch

    if not texts:
        raise ValueError("pretraining needs at least one text")
    started = time.process_time()
    tiny = policy.tiny
    rng = random.Random(policy.seed)  # noqa: S311 - not for secrets
    order = rng.sample(range(len(texts)), len(texts))
    shuffled = [texts[index] for index in order], [languages[index] for index in order]
    tokenizer = train_tokenizer(
        _with_lines(*shuffled, about), vocabulary=tiny.vocabulary, characters=tiny.tokenizer_characters
    )
    torch.manual_seed(policy.seed)
    model = _fresh_model(tokenizer, policy)
    inputs = Inputs(tokenizer, policy, about)
    optimizer = torch.optim.AdamW(model.parameters(), lr=tiny.learning_rate, betas=(0.9, 0.95), weight_decay=0.1)
    losses: list[float] = []
    seen = 0
    model.train()
    for batch in _batches(texts, languages, inputs, policy, rng):
        spent = time.process_time() - started
        if seen >= tiny.tokens or spent >= tiny.cpu_seconds:
            break
        for group in optimizer.param_groups:
            group["lr"] = tiny.learning_rate * _schedule(seen / tiny.tokens)
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(row) for row in batch], batch_first=True, padding_value=inputs.pad
        )
        loss = model(input_ids=ids, labels=ids.masked_fill(ids == inputs.pad, -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seen += sum(map(len, batch))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    last = losses[-max(1, len(losses) // 10) :]
    return Pretrained(
        parameters=model.num_parameters(),
        vocabulary=len(tokenizer),
        tokens=seen,
        loss=sum(last) / len(last) if last else math.log(len(tokenizer)),
        cpu_seconds=time.process_time() - started,
        cut_short=seen < tiny.tokens,
    )


def _fresh_model(tokenizer: Any, policy: BackbonePolicy) -> Any:  # noqa: ANN401 - classes of an optional dependency
    """A Llama of the policy's shape with random weights and tied embeddings."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tiny = policy.tiny
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=tiny.hidden,
            intermediate_size=tiny.intermediate,
            num_hidden_layers=tiny.layers,
            num_attention_heads=tiny.heads,
            num_key_value_heads=tiny.heads,
            max_position_embeddings=policy.max_tokens,
            tie_word_embeddings=True,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )


def _schedule(progress: float) -> float:
    """Share of the peak learning rate: a warm-up over 5 %, then a cosine to a tenth."""
    return min(1.0, 0.01 + progress / 0.05) * (0.55 + 0.45 * math.cos(math.pi * min(1.0, progress)))


def _batches(
    texts: Sequence[str], languages: Sequence[str], inputs: Inputs, policy: BackbonePolicy, rng: random.Random
) -> Iterator[list[list[int]]]:
    """Batches of inputs without end: each pass takes every document once, in random order, from a random line on."""
    while True:
        order = rng.sample(range(len(texts)), len(texts))
        for start in range(0, len(order), policy.tiny.batch):
            chosen = order[start : start + policy.tiny.batch]
            windows = []
            for index in chosen:
                text = texts[index]
                at = rng.randrange(len(text)) if len(text) > 8 * policy.max_tokens and rng.random() < 0.5 else 0
                windows.append(text[text.find("\n", at) + 1 if at else 0 :])
            yield inputs.ids(windows, [languages[index] for index in chosen])


def _with_lines(texts: Sequence[str], languages: Sequence[str], about: About) -> Iterator[str]:
    """Each text under the line about it, so that the words of such lines get tokens of their own."""
    for start in range(0, len(texts), 256):
        some = texts[start : start + 256]
        yield from map("".join, zip(about.lines(some, languages[start : start + 256]), some, strict=True))
