"""What a scorer learns from: labelled files as inputs, with crops and variants where the label set is small.

What belongs here: which examples are made and drawn, by a seed, who rated them, and the count of each kind. What does
not: how they become tokens (`inputs.py`) and how a model learns them (`regression.py`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from seed_platform.scoring.backbone_policy import BackbonePolicy
from seed_platform.scoring.kernel import KernelScorer
from seed_platform.scoring.variants import VARIANTS, variant

_GOOD = 5.0
"""Least rating of a file that variants are made of: one that was bad already would be no worse for it."""


@dataclass(frozen=True, slots=True)
class Example:
    """One input and its rating.

    Attributes:
        text: not yet truncated.
        language: of the file.
        score: 0 to 10.
        kind: "judged" (the file as it is scored), "crop" (a part of it, under the file's rating), "taught" (a file that
            another scorer rated), or a name of `VARIANTS` (rated by rule).
    """

    text: str
    language: str
    score: float
    kind: str


def make_examples(
    texts: Sequence[str], languages: Sequence[str], scores: Sequence[float], policy: BackbonePolicy
) -> list[Example]:
    """The examples of one epoch, in random order; the same for the same arguments.

    Every file appears once as it is scored. The other `views - 1` per file are crops of files drawn by the rarity of
    their score. Variants are then added until they are the policy's share.
    """
    rng = random.Random(policy.seed)  # noqa: S311 - not for secrets
    examples = [
        Example(text, language, score, "judged") for text, language, score in zip(texts, languages, scores, strict=True)
    ]
    for index in rng.choices(range(len(texts)), _weights(scores, policy.balance), k=len(texts) * (policy.views - 1)):
        crop = _crop(texts[index], rng)
        kind = "crop" if crop is not texts[index] else "judged"
        examples.append(Example(crop, languages[index], scores[index], kind))
    good = [index for index, score in enumerate(scores) if score >= _GOOD]
    wanted = int(len(examples) * policy.variants / (1 - policy.variants)) if good else 0
    kinds = list(VARIANTS)
    for number in range(wanted):
        kind, index = kinds[number % len(kinds)], rng.choice(good)
        text = variant(texts[index], kind, rng)
        examples.append(Example(text, languages[index], VARIANTS[kind][1], kind))
    rng.shuffle(examples)
    return examples


def taught_examples(
    labelled: tuple[Sequence[str], Sequence[str], Sequence[float]],
    corpus: tuple[Sequence[str], Sequence[str]],
    policy: BackbonePolicy,
) -> list[Example]:
    """Files of `corpus` that nobody judged, rated by a scorer over cheap features that has learned from `labelled`.

    At most `policy.taught` of them, drawn by the seed; none of them is a labelled file. What the teacher knows it has
    from the same judge, so that the student sees its ratings on far more texts than the judge has read.
    """
    known = set(labelled[0])
    free = [index for index, text in enumerate(corpus[0]) if text not in known]
    rng = random.Random(policy.seed)  # noqa: S311 - not for secrets
    drawn = rng.sample(free, min(policy.taught, len(free)))
    if not drawn:
        return []
    texts, languages = [corpus[0][index] for index in drawn], [corpus[1][index] for index in drawn]
    scores = KernelScorer.train(*labelled, policy.seed).score(texts, languages)
    return [
        Example(text, language, float(score), "taught")
        for text, language, score in zip(texts, languages, scores, strict=True)
    ]


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """How many examples there are of each kind, for the report."""
    return dict(sorted(Counter(example.kind for example in examples).items()))


def _weights(scores: Sequence[float], balance: float) -> list[float]:
    """How often each file is drawn: the count of its rounded score to the power of minus `balance`."""
    frequency = Counter(round(score) for score in scores)
    return [frequency[round(score)] ** -balance for score in scores]


def _crop(text: str, rng: random.Random) -> str:
    """`text` from a random line of its first half on, or `text` itself if it is too short to spare any."""
    if len(text) < 400:
        return text
    start = text.find("\n", rng.randrange(len(text) // 2)) + 1
    return text[start:] if 0 < start < len(text) - 200 else text
