"""How many near duplicates we find, whether any removal is wrong, and how good the estimate is, against brute force.

    python benchmarks/near_duplicate_recall.py [--list FILE] [--folder DIR] [--cache DIR] [--batches 3] [--plot FILE]

Real files: successive releases of packages (`near_duplicate_recall.txt` beside this file, or --list), fetched by name
as `corpus.py` does it. Files with a content that an earlier one has are left out beforehand; the others are dealt out
to batches by their paths, so that near duplicates meet within and across batches, and go through the flow under the
default policy. The documents that the near-duplicate filter judged are then compared all with all
(`near_duplicate_truth.py`). Prints Markdown tables. What belongs here: accuracy. What does not: speed, or peers.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from corpus import build, read_list
from estimate_quality import Estimate, estimates, plot, print_estimates
from measure import machine, print_table, run
from near_duplicate_truth import Numbers, Ratios, Truth
from ours import documents

from seed_platform.batches import list_batches
from seed_platform.filters.minhash import signature
from seed_platform.filters.shingles import shingle_set
from seed_platform.lake.lake import Lake
from seed_platform.policy import NearDuplicatesPolicy, Policy
from seed_platform.settings import Settings
from seed_platform.steps.flow import NEAR_DUPLICATES, STEPS

HERE = Path(__file__).parent
MARGIN = 0.05
"""What is promised to be found is this much above the threshold."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The documents that the filter judged, in order of arrival, and its verdicts on them.

    Attributes:
        texts: what they say.
        keep: whether it is kept.
        score: the similarity that the verdict states; NaN if none.
        related: place of the document that the verdict names; -1 if none, or if it names one that was not judged.
        named: whether the verdict names one.
    """

    texts: list[str]
    keep: npt.NDArray[np.bool_]
    score: Ratios
    related: Numbers
    named: npt.NDArray[np.bool_]


def deal(folders: Sequence[Path], destination: Path, batches: int) -> list[Path]:
    """Hard-link each content once, its first file, into one of `batches` folders, chosen by the file's path.

    All releases of a batch are in one folder, hence one repository: releases as repositories of their own would be
    near duplicates as a whole, and their files never compared.
    """
    seen: set[bytes] = set()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            digest = hashlib.sha256(path.read_bytes()).digest()
            if digest in seen:
                continue
            seen.add(digest)
            relative = path.relative_to(folder.parent)
            number = hashlib.blake2b(os.fsencode(relative), digest_size=2).digest()[0] % batches
            target = destination / f"part-{number + 1}" / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, target)
    return sorted(destination.iterdir())


def judge(lake: Path, parts: Sequence[Path]) -> Judged:
    """Run the flow, a batch for each folder, up to near duplicates, and read what it says."""
    ours = [sys.executable, HERE / "ours.py", lake]
    for part in parts:
        run([*ours, "add", part.name, part])
    run([*ours, "run", *(step.name for step in STEPS[: STEPS.index(NEAR_DUPLICATES) + 1])])
    settings = Settings(lake=str(lake))
    opened = Lake(settings.lake, row_group_bytes=settings.row_group_bytes, part_bytes=settings.part_bytes)
    texts = pl.concat(list(documents(opened, NEAR_DUPLICATES.name, 1.0)))
    columns = ["doc_id", "keep", "score", "related_doc_id"]
    table = NEAR_DUPLICATES.tables[0]
    verdicts = pl.concat([opened.column(table, columns, batch=batch.key) for batch in list_batches(opened)])
    joined = texts.join(verdicts, left_on="id", right_on="doc_id", how="left", maintain_order="left", validate="1:1")
    if joined["keep"].null_count() or joined.height != verdicts.height:
        raise SystemExit("the verdicts are not those of the documents")
    place = {name: number for number, name in enumerate(joined["id"])}
    return Judged(
        joined["text"].to_list(),
        joined["keep"].to_numpy(),
        joined["score"].fill_null(float("nan")).to_numpy(),
        np.array([place.get(name, -1) for name in joined["related_doc_id"]], dtype=np.int64),
        joined["related_doc_id"].is_not_null().to_numpy(),
    )


def nearest_kept(truth: Truth, keep: npt.NDArray[np.bool_]) -> Ratios:
    """Each document's greatest true similarity to an earlier one that is kept; 0 if there is none."""
    found = np.zeros(len(keep))
    for document in range(1, len(keep)):
        found[document] = np.max(truth.to_earlier(document), initial=0.0, where=keep[:document])
    return found


def print_verdicts(judged: Judged, truth: Truth, nearest: Ratios, threshold: float) -> None:
    """What was found, and what was removed wrongly."""
    dropped = ~judged.keep
    wanted = nearest >= threshold + MARGIN
    drops = np.flatnonzero(dropped)
    related = judged.related[drops]
    usable = related >= 0
    similarity = truth.jaccard(drops, np.where(usable, related, 0))
    chain = ~usable | (related >= drops) | ~judged.keep[related]
    stated = np.flatnonzero(judged.named & (judged.related >= 0))
    error = np.abs(judged.score[stated] - truth.jaccard(stated, judged.related[stated]))
    reach = nearest >= threshold
    rows = [
        ("documents judged", f"{len(judged.texts):,}"),
        ("text, MB", f"{sum(len(text.encode()) for text in judged.texts) / 1e6:.1f}"),
        ("removed", f"{len(drops):,}"),
        (f"resemble a kept earlier one by {threshold + MARGIN:.2f} or more", f"{wanted.sum():,}"),
        ("... of which removed", f"{(wanted & dropped).sum():,}"),
        ("... recall", f"{(wanted & dropped).sum() / max(wanted.sum(), 1):.5f}"),
        (f"resemble a kept earlier one by {threshold:.2f} or more", f"{reach.sum():,}"),
        ("... recall", f"{(reach & dropped).sum() / max(reach.sum(), 1):.5f}"),
        ("removed though less similar to the named one than the threshold", f"{(similarity < threshold).sum():,}"),
        ("removed with a named one that is not kept, not earlier or unknown", f"{chain.sum():,}"),
        ("removed, and the named one is the nearest kept", f"{(similarity >= nearest[drops]).sum():,}"),
        ("verdicts that state a similarity", f"{len(stated):,}"),
        ("largest difference between stated and true similarity", f"{error.max(initial=0.0):.2e}"),
        ("verdicts where they differ at all (shingles with equal 32-bit hashes)", f"{(error > 1e-12).sum():,}"),
    ]
    print_table(("", "documents"), rows)


def print_pairs(judged: Judged, pairs: tuple[Numbers, Numbers, Ratios], threshold: float) -> None:
    """What is left among the kept."""
    one, other, similarity = pairs
    rows = []
    for least in (threshold, threshold + MARGIN, 0.8, 0.9):
        alike = similarity >= least
        left = alike & judged.keep[one] & judged.keep[other]
        rows.append(
            (f"J >= {least:.2f}", f"{alike.sum():,}", f"{left.sum():,}", f"{left.sum() / max(alike.sum(), 1):.5f}")
        )
    print_table(("pairs of documents", "in all", "both kept", "share"), rows)


def bands_of(texts: Sequence[str], policy: NearDuplicatesPolicy) -> npt.NDArray[np.uint32]:
    """The values in each band: (texts, bands, rows)."""
    sets = (shingle_set(np.frombuffer(text.encode(), dtype=np.uint8), policy.shingle_words) for text in texts)
    values = np.array([signature(each, policy.permutations, policy.seed) for each in sets])
    return values[:, : policy.bands * policy.rows].reshape(len(values), policy.bands, policy.rows)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What became of pairs and documents whose similarity is in one interval."""

    low: float
    high: float
    pairs: int
    met: float
    met_twice: float
    theory: float
    theory_twice: float
    documents: int
    dropped: float


def recall_by_similarity(
    judged: Judged, nearest: Ratios, pairs: tuple[Numbers, Numbers, Ratios], policy: NearDuplicatesPolicy
) -> list[Bucket]:
    """Pairs that share a band, beside what chance says, and documents dropped, by similarity."""
    bands = bands_of(judged.texts, policy)
    edges = [0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0 + 1e-9]
    one, other, similarity = pairs
    found = []
    for low, high in pairwise(edges):
        here = np.flatnonzero((similarity >= low) & (similarity < high))
        shared = np.array(
            [(bands[a] == bands[b]).all(axis=1).sum() for a, b in zip(one[here], other[here], strict=True)]
        )
        chance = similarity[here] ** policy.rows
        none = (1 - chance) ** policy.bands
        single = policy.bands * chance * (1 - chance) ** (policy.bands - 1)
        mine = (nearest >= low) & (nearest < high)
        found.append(
            Bucket(
                low,
                min(high, 1.0),
                len(here),
                _mean(shared >= 1),
                _mean(shared >= 2),
                _mean(1 - none),
                _mean(1 - none - single),
                int(mine.sum()),
                _mean(~judged.keep[mine]),
            )
        )
    return found


def _mean(values: npt.NDArray[np.bool_] | Ratios) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def print_buckets(buckets: Sequence[Bucket], policy: NearDuplicatesPolicy) -> None:
    """The S-curve, measured and in theory."""
    columns = (
        "true similarity", "pairs", "share a band", f"theory, {policy.bands} x {policy.rows}", "share two", "theory",
        "documents whose nearest kept is so similar", "removed",
    )  # fmt: skip
    rows = [
        (
            f"{each.low:.2f} - {each.high:.2f}",
            f"{each.pairs:,}",
            f"{each.met:.4f}",
            f"{each.theory:.4f}",
            f"{each.met_twice:.4f}",
            f"{each.theory_twice:.4f}",
            f"{each.documents:,}",
            f"{each.dropped:.4f}",
        )
        for each in buckets
    ]
    print_table(columns, rows)


def measure(work: Path, folders: Sequence[Path], batches: int) -> tuple[list[Bucket], list[Estimate]]:
    """Judge, compare, print."""
    policy = Policy().near_duplicates
    judged = judge(work / "lake", deal(folders, work / "parts", batches))
    truth = Truth(judged.texts, policy.shingle_words)
    pairs = truth.pairs()
    nearest = nearest_kept(truth, judged.keep)
    print_verdicts(judged, truth, nearest, policy.threshold)
    print_pairs(judged, pairs, policy.threshold)
    buckets = recall_by_similarity(judged, nearest, pairs, policy)
    print_buckets(buckets, policy)
    found = estimates(judged.texts, truth, pairs, policy)
    print_estimates(found, policy.permutations)
    return buckets, found


def main() -> None:
    """Fetch, measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--list", type=Path, default=Path(__file__).with_suffix(".txt"))
    options.add_argument("--folder", type=Path, help="where the releases are, or go; by default temporary")
    options.add_argument("--cache", type=Path, help="where downloads are kept; by default temporary")
    options.add_argument("--batches", type=int, default=3)
    options.add_argument("--plot", type=Path, help="an image of the curves")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="seed-benchmark-") as temporary:
        work = Path(temporary)
        specs = read_list(given.list)
        folders = build(specs, (given.folder or work / "releases").resolve(), given.cache or work / "downloads")
        print(f"{machine()}, datasketch {version('datasketch')}; {len(folders)} of {len(specs)} releases\n", flush=True)
        buckets, found = measure(work, folders, given.batches)
    if given.plot is not None:
        curve = [((each.low + each.high) / 2, each.met, each.theory, each.dropped) for each in buckets]
        plot(given.plot, curve, found)


if __name__ == "__main__":
    main()
