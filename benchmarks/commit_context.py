"""What the samples of commits cost on real repositories, and whether their changes give the files after.

For the latest commits of each git folder: samples per CPU-second of one core, reading included, oldest commit first,
with the first snapshot's index in it and apart; the same search by `bm25s`, indexed anew for each of a few commits from
terms cut beforehand; the index's memory; the share of modified files that are among the relevant ones, by message and
by message with README; how many samples there are, why there is none for the others, and how many of them give every
changed file byte for byte when their change is applied.

    python benchmarks/commit_context.py --commits 400 GIT_FOLDER [GIT_FOLDER...]

What belongs here: the measurement. What does not: the speed of reading commits (`commits.py`). Each figure is of one
process; nothing is run in parallel.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import bm25s
import pygit2
from pygit2.enums import SortMode

from seed_platform.commits.apply import FileChange, apply_changes, parse_changes
from seed_platform.commits.changes import CommitLimits, CommitRecord, read_commit
from seed_platform.commits.relevance import Relevance, searchable
from seed_platform.commits.sample import CommitView, NoSample, Sample, build_sample
from seed_platform.commits.sample_policy import CommitSamplePolicy
from seed_platform.commits.snapshot import TreeSnapshot
from seed_platform.commits.template import parse_sample

LIMITS = CommitLimits(max_patch_bytes=1 << 20, max_commit_paths=1000)
PEER_COMMITS = 5
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


@dataclass
class Figures:
    """Of one repository under one policy; times in CPU seconds."""

    samples: int = 0
    first: float = 0.0
    total: float = 0.0
    tokens: int = 0
    modified: int = 0
    found: int = 0
    exact: int = 0
    memory: int = 0
    files: int = 0
    searched: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def latest(repository: pygit2.Repository, count: int) -> list[CommitRecord]:
    """The latest commits that are no merges and have a parent, oldest first."""
    walk = repository.walk(repository.head.target, SortMode.TOPOLOGICAL)
    single = (str(commit.id) for commit in walk if len(commit.parent_ids) == 1)
    records = [read_commit(repository, sha, LIMITS) for sha in islice(single, count)]
    return [record for record in reversed(records) if isinstance(record, CommitRecord) and record.parent_tree]


def before(repository: pygit2.Repository, tree: str | None, changes: Sequence[FileChange]) -> dict[str, bytes]:
    """The files that the changes start from."""
    root = repository[tree]
    names = [change.old_path or change.path for change in changes if change.kind != "add"]
    return {name: root[name].data for name in names}


def is_exact(repository: pygit2.Repository, record: CommitRecord, sample: Sample) -> bool:
    """Whether the sample's text alone, applied to the files before, gives the files after."""
    target = parse_sample(sample.text).target
    after = repository[record.tree]
    for path, content in apply_changes(target, before(repository, record.parent_tree, target)).items():
        try:
            expected = after[path].data
        except KeyError:
            expected = None
        if content != expected:
            return False
    return True


def measure(repository: pygit2.Repository, records: Sequence[CommitRecord], policy: CommitSamplePolicy) -> Figures:
    """Build the samples of all commits."""
    figures, relevance = Figures(), Relevance(policy)
    for record in records:
        view = CommitView(record.message, record.changes, record.patch, record.omitted)
        started = time.process_time()
        built = build_sample(view, TreeSnapshot(repository, record.parent_tree or ""), relevance, policy)
        spent = time.process_time() - started
        figures.total += spent
        if isinstance(built, NoSample):
            figures.reasons[built.reason] += 1
            continue
        figures.first = figures.first or spent
        figures.samples += 1
        figures.tokens += built.tokens
        modified = {change.old_path or change.path for change in parse_changes(record.patch or "")}
        modified &= {path.decode() for path in relevance.files.paths()}
        figures.modified += len(modified)
        figures.found += len(modified & set(built.relevant))
        figures.exact += is_exact(repository, record, built)
        figures.memory = max(figures.memory, relevance.nbytes)
    entries = relevance.files.entries.values()
    figures.files = len(entries)
    figures.searched = sum(entry.size or 0 for entry in entries if (entry.size or 0) <= policy.max_indexed_bytes)
    return figures


def words(text: str) -> list[str]:
    """Identifiers and their parts, much as the platform cuts them; only the cost of indexing them is compared."""
    found = re.findall(r"\w+", text)
    return [part.lower() for word in found for part in [word, *_PART.findall(word)]]


def peer(repository: pygit2.Repository, records: Sequence[CommitRecord], policy: CommitSamplePolicy) -> float:
    """CPU seconds a commit of indexing with bm25s anew and asking for five, with terms cut and files read for free."""
    spent = 0.0
    asked = records[-PEER_COMMITS:]
    for record in asked:
        snapshot = TreeSnapshot(repository, record.parent_tree or "")
        sizes = ((entry.oid, entry.size) for entry in snapshot.entries())
        contents = [snapshot.read(oid) for oid, size in sizes if size is not None and size <= policy.max_indexed_bytes]
        documents = [words(content.decode()) for content in contents if searchable(content)]
        query = words(record.message)
        started = time.process_time()
        index = bm25s.BM25(method="lucene", k1=policy.k1, b=policy.b)
        index.index(documents, show_progress=False)
        known = [word for word in query if word in index.vocab_dict]
        if known:
            index.get_scores(known)
        spent += time.process_time() - started
    return spent / len(asked)


def main() -> None:
    """See the module's docstring."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", nargs="+", type=Path, help="git folders, bare or not")
    arguments.add_argument("--commits", type=int, default=400, help="the latest commits of each")
    given = arguments.parse_args()
    policy = CommitSamplePolicy()
    both = CommitSamplePolicy(query=("message", "readme"))
    print(
        "| repository | files | searched MB | samples | exact | samples/CPU-s | first s | after it "
        "| bm25s anew, s each | index and cache MB | tokens each | modified files found | with README | no sample |"
    )
    print("| --- |" + " ---: |" * 12 + " --- |")
    for folder in given.folders:
        repository = pygit2.Repository(str(folder))
        records = latest(repository, given.commits)
        measure(repository, records[:2], policy)  # compiled code is loaded
        ours = measure(repository, records, policy)
        readme = measure(repository, records, both)
        after = (ours.samples - 1) / (ours.total - ours.first)
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(ours.reasons.items()))
        print(
            f"| {folder} | {ours.files:,} | {ours.searched / 1e6:.1f} | {ours.samples} | {ours.exact} "
            f"| {ours.samples / ours.total:.0f} | {ours.first:.2f} | {after:.0f} "
            f"| {peer(repository, records, policy):.2f} | {ours.memory / 1e6:.0f} "
            f"| {ours.tokens // max(1, ours.samples):,} | {ours.found / max(1, ours.modified):.1%} "
            f"| {readme.found / max(1, readme.modified):.1%} | {reasons} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
