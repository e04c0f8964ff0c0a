"""What the scorer reads of a document: a line about the whole of it, then its text, cut to a number of tokens.

What belongs here: the one way from (text, language) to token ids, for training, scoring and serving alike. What does
not: batches and models (`regression.py`, `backbone.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seed_platform.scoring.about import About
from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.tokenizer import CUT

_CHARACTERS_PER_TOKEN = 6
"""Characters given to the tokenizer for each token wanted. Source code has 3 to 4; what is denser loses nothing, since
runs that make longer tokens are indentation."""


class Inputs:
    """Token ids of documents, by one tokenizer, one policy and one way to grade.

    Attributes:
        pad: the id that fills up batches; never an input's last id, because pooling takes the last one that differs.
    """

    def __init__(self, tokenizer: Any, policy: BackbonePolicy, about: About) -> None:  # noqa: ANN401 - a class of an optional dependency
        self._tokenizer = tokenizer.backend_tokenizer
        # A text that spells a special token out must not get one.
        self._tokenizer.encode_special_tokens = True
        self._policy = policy
        self._about = about
        end = tokenizer.eos_token_id
        # A checkpoint that was never padded has neither; its unknown token does not occur in byte-level text.
        pads = (tokenizer.pad_token_id, tokenizer.unk_token_id, end)
        self.pad: int = next(int(pad) for pad in pads if pad is not None)
        self._begin = [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        self._end = [] if end in (None, self.pad) else [int(end)]
        cut = self._tokenizer.token_to_id(CUT)
        self._cut = self._encode(["\n"])[0] if cut is None else [int(cut)]

    def ids(self, texts: Sequence[str], languages: Sequence[str]) -> list[list[int]]:
        """For each text at most `max_tokens` ids, at least one of them not the padding."""
        limit = self._policy.max_tokens * _CHARACTERS_PER_TOKEN
        firsts = self._encode(self._about.lines(texts, languages))
        heads = self._encode([text[:limit] for text in texts])
        tails: list[list[int]] = [[] for _ in texts]
        if self._policy.truncation == "head_tail":
            long = [index for index, text in enumerate(texts) if len(text) > limit]
            # The tokenizer may split the first word of the tail otherwise than within the text; only there.
            cut = int(limit * self._policy.tail_share)
            for index, tail in zip(long, self._encode([texts[index][-cut:] for index in long]), strict=True):
                tails[index] = tail
        return [self._join(*parts) for parts in zip(firsts, heads, tails, strict=True)]

    def _join(self, first: list[int], head: list[int], tail: list[int]) -> list[int]:
        """One input; `tail` is empty if `head` is the whole text or the policy wants no tail."""
        room = self._policy.max_tokens - len(self._begin) - len(self._end)
        first = first[: room // 2]  # all of it, unless the policy asks for very short inputs
        room -= len(first)
        if self._policy.truncation == "head_tail" and (tail or len(head) > room):
            of_tail = max(1, int(room * self._policy.tail_share))
            body = head[: room - of_tail - len(self._cut)] + self._cut + (tail or head)[-of_tail:]
        else:
            body = head[:room]
        return self._begin + first + body + self._end

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, without special tokens; half a surrogate pair counts as a question mark."""
        texts = [text if text.isascii() else text.encode("utf-8", "replace").decode() for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
