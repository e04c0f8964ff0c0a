"""The tokenizer of a backbone that starts from nothing: byte-level BPE, trained on the corpus at hand.

What belongs here: training and its special tokens. What does not: how a document becomes an input (`inputs.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

# Distinct, because pooling takes the last token that is not padding.
PAD, BEGIN, END, CUT = "<|pad|>", "<|begin|>", "<|end|>", "<|cut|>"
"""Padding, start and end of an input, and the place where a truncated text lacks its middle."""


def train_tokenizer(texts: Iterable[str], *, vocabulary: int, characters: int) -> Any:  # noqa: ANN401 - a class of an optional dependency
    """A `transformers.PreTrainedTokenizerFast` trained on `texts`.

    Bytes are the alphabet, so no text is unknown. Digits are split, as in the tokenizer of Seed-Coder.

    Args:
        texts: the corpus, in the order in which it is to be used.
        vocabulary: entries wanted, special tokens included.
        characters: how much of the corpus is read, in characters; at most 8,192 of one text.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: PLC0415 - extra `train`
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, BEGIN, END, CUT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_bounded(texts, characters), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BEGIN,
        eos_token=END,
        extra_special_tokens={"cut_token": CUT},
    )


def _bounded(texts: Iterable[str], characters: int) -> Iterator[str]:
    """The beginnings of texts, until so many characters have been given."""
    for text in texts:
        if characters <= 0:
            return
        beginning = text[: min(characters, 8192)]
        characters -= len(beginning)
        yield beginning
