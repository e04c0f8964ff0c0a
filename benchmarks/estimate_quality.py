"""Bias and spread of MinHash estimates against true similarities, for our permutations and datasketch's schemes.

An ideal estimate from k permutations has no bias and a standard deviation of sqrt(J (1 - J) / k). Ours are 32-bit
affine permutations of 32-bit shingle hashes; datasketch's "affine32" (its default) has the same ones over SHA-1,
"affine64" the same over 64 bits, and "legacy" is what it had before, arithmetic modulo a prime. All pairs share the
permutations of a seed, and many pairs share a document or a licence, so one seed's mean error is mostly chance: whether
ours are biased is seen from the mean over many seeds beside its standard error. What belongs here: the estimate. What
does not: who finds which pair (`near_duplicate_recall.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from datasketch import MinHash
from datasketch.hashfunc import sha1_hash32, sha1_hash64
from measure import print_table
from near_duplicate_truth import Numbers, Ratios, Truth

from seed_platform.filters.minhash import signature
from seed_platform.filters.shingles import shingle_set
from seed_platform.policy import NearDuplicatesPolicy

mpl.use("agg")

SEEDS = 32
"""How many seeds of ours; of datasketch's the first one, since they take most of the time."""
PAIRS = 3000
"""Pairs taken from each tenth of the similarities."""
OURS = "ours"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Errors (estimate less truth) of one scheme on pairs whose true similarity is in one tenth.

    Attributes:
        scheme: its name.
        low: where the tenth begins.
        pairs: how many.
        first: mean error of the first seed.
        mean: mean over all seeds.
        uncertainty: standard error of that mean, from how the seeds differ; NaN if there is one seed.
        deviation: standard deviation of the errors.
        expected: that of an ideal estimate.
    """

    scheme: str
    low: float
    pairs: int
    first: float
    mean: float
    uncertainty: float
    deviation: float
    expected: float


def sample(pairs: tuple[Numbers, Numbers, Ratios]) -> tuple[Numbers, Numbers, Ratios]:
    """At most `PAIRS` pairs of each tenth, chosen by chance with a fixed seed."""
    chance = np.random.default_rng(1)
    tenth = np.minimum((pairs[2] * 10).astype(np.int64), 9)
    chosen = []
    for number in range(10):
        here = np.flatnonzero(tenth == number)
        chosen.append(chance.choice(here, min(PAIRS, len(here)), replace=False))
    index = np.concatenate(chosen)
    return pairs[0][index], pairs[1][index], pairs[2][index]


def estimates(
    texts: Sequence[str], truth: Truth, pairs: tuple[Numbers, Numbers, Ratios], policy: NearDuplicatesPolicy
) -> list[Estimate]:
    """All schemes on one sample of the pairs."""
    one, other, similarity = sample(pairs)
    needed = np.unique(np.concatenate([one, other]))
    left, right = np.searchsorted(needed, one), np.searchsorted(needed, other)
    found: list[Estimate] = []
    for scheme, seeds, signatures in _schemes([texts[place] for place in needed], truth, needed, policy):
        errors = np.empty((seeds, len(one)))
        for number, values in enumerate(signatures):
            errors[number] = (values[left] == values[right]).mean(axis=1) - similarity
        found += _summary(scheme, errors, similarity, policy.permutations)
    return found


def _schemes(
    texts: Sequence[str], truth: Truth, needed: Numbers, policy: NearDuplicatesPolicy
) -> Iterator[tuple[str, int, Iterator[npt.NDArray[np.generic]]]]:
    """Name, number of seeds, and for each seed the signatures of the needed documents."""
    width, count = policy.shingle_words, policy.permutations
    sets = [shingle_set(np.frombuffer(text.encode(), dtype=np.uint8), width) for text in texts]
    ours = (np.array([signature(each, count, seed) for each in sets]) for seed in range(1, SEEDS + 1))
    yield OURS, SEEDS, ours
    words = [shingle.encode() for shingle in truth.vocabulary]
    for scheme, hashed, kind in (
        ("affine32", sha1_hash32, np.uint32),
        ("affine64", sha1_hash64, np.uint64),
        ("legacy", sha1_hash32, np.uint32),
    ):
        hashes = np.fromiter(map(hashed, words), dtype=kind, count=len(words))
        theirs = [hashes[truth.ids[place]] for place in needed]
        yield f"datasketch {scheme}", 1, map(partial(_datasketch, theirs, count, scheme), [1])


def _datasketch(sets: Sequence[npt.NDArray[np.generic]], count: int, scheme: str, seed: int) -> npt.NDArray[np.generic]:
    empty = MinHash(num_perm=count, seed=seed, scheme=scheme, hashfunc=lambda value: value)
    found = []
    for each in sets:
        sketch = empty.copy()
        # In pieces: it holds all permutations of all values at once.
        for start in range(0, len(each), 4096):
            sketch.update_batch(each[start : start + 4096].tolist())
        found.append(sketch.hashvalues)
    return np.array(found)


def _summary(scheme: str, errors: Ratios, similarity: Ratios, count: int) -> list[Estimate]:
    tenth = np.minimum((similarity * 10).astype(np.int64), 9)
    found = []
    for number in range(10):
        here = errors[:, tenth == number]
        truth = similarity[tenth == number]
        if not len(truth):
            continue
        means = here.mean(axis=1)
        uncertainty = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else float("nan")
        expected = float(np.sqrt(np.mean(truth * (1 - truth)) / count))
        found.append(
            Estimate(
                scheme,
                number / 10,
                len(truth),
                float(means[0]),
                float(means.mean()),
                uncertainty,
                float(here.std()),
                expected,
            )
        )
    return found


def print_estimates(found: Sequence[Estimate], count: int) -> None:
    """One row for each scheme and tenth."""
    print(f"Estimates from {count} permutations; ours with {SEEDS} seeds.\n")
    columns = (
        "scheme", "true similarity", "pairs", "mean error, first seed", "all seeds", "+-", "standard deviation",
        "ideal", "ratio",
    )  # fmt: skip
    rows = [
        (
            each.scheme,
            f"{each.low:.1f} - {each.low + 0.1:.1f}",
            f"{each.pairs:,}",
            f"{each.first:+.4f}",
            "" if np.isnan(each.uncertainty) else f"{each.mean:+.4f}",
            "" if np.isnan(each.uncertainty) else f"{each.uncertainty:.4f}",
            f"{each.deviation:.4f}",
            f"{each.expected:.4f}",
            f"{each.deviation / each.expected:.2f}" if each.expected else "",
        )
        for each in found
    ]
    print_table(columns, rows)


def plot(path: Path, curve: Sequence[tuple[float, float, float, float]], found: Sequence[Estimate]) -> None:
    """Draw recall by similarity, and the errors of our estimate.

    Args:
        path: the image; its suffix says which format.
        curve: (similarity, pairs that share a band, the same in theory, documents removed), in order.
        found: from `estimates`.
    """
    from matplotlib import pyplot as plt  # noqa: PLC0415 - it opens a display unless a back end is chosen first

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    similarity, met, theory, dropped = zip(*curve, strict=True)
    left.plot(similarity, theory, "--", color="grey", label="pairs that share a band, in theory")
    left.plot(similarity, met, "o-", label="pairs that share a band, measured")
    left.plot(similarity, dropped, "s-", label="documents removed, by their nearest kept one")
    left.set(xlabel="true Jaccard similarity", ylabel="share", title="Found")
    left.legend(fontsize=8)
    for scheme in dict.fromkeys(each.scheme for each in found):
        mine = [each for each in found if each.scheme == scheme]
        places = [each.low + 0.05 for each in mine]
        right.plot(places, [each.deviation for each in mine], "o-", label=f"{scheme}: standard deviation")
        if scheme == OURS:
            right.plot(places, [each.expected for each in mine], "--", color="grey", label="ideal deviation")
            right.plot(places, [each.mean for each in mine], "s-", label=f"{scheme}: mean")
    right.set(xlabel="true Jaccard similarity", ylabel="estimate less truth", title="Error of the estimate")
    right.legend(fontsize=8)
    figure.savefig(path, dpi=130)
