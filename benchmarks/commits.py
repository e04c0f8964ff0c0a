"""Commits from the walk to the record, beside libgit2's own diff of the same commits.

    python benchmarks/commits.py GIT_DIR [--commits N]

Three processes, one after the other: ours reads the history of HEAD (its last N commits) quarter by quarter; libgit2
compares the trees of those commits of which ours keeps a patch, looks for renames and prints the patch, as pygit2 does
by default and again without hashing what it reads, which ours leaves out too. What belongs here: speed and memory of
reading commits. What does not: what is made of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pygit2
from measure import Phase, machine, mark, print_table, run
from pygit2.enums import DiffOption, Option, RepositoryOpenFlag

from seed_platform.commits.changes import CommitLimits, CommitRecord, read_commit
from seed_platform.commits.walk import new_commits

LIMITS = CommitLimits(max_patch_bytes=1 << 20, max_commit_paths=1000)
QUARTERS = 4
OURS = "ours"
PEERS = {"libgit2, as it comes": True, "libgit2, nothing hashed": False}


def read_ours(folder: Path, last: int, patched: Path) -> None:
    """Walk and read; the ids of the commits with a patch go to the file `patched`, one quarter a line."""
    repository = open_repository(folder)
    mark("imports")
    walk = new_commits(repository, str(repository.head.peel(pygit2.Commit).id), [])
    shas = list(walk)[-last:]
    mark("walk", commits=len(walk))
    kept: list[list[str]] = []
    for quarter in quarters(shas):
        found: Counter[str] = Counter()
        kept.append([])
        for sha in quarter:
            record = read_commit(repository, sha, LIMITS)
            if isinstance(record, CommitRecord) and record.patch is not None:
                kept[-1].append(record.sha)
                found["bytes"] += len(record.patch)
            else:
                found[record.omitted or "" if isinstance(record, CommitRecord) else record.reason] += 1
        mark("read", commits=len(quarter), patches=len(kept[-1]), anonymous=anonymous_memory(), **found)
    patched.write_text("\n".join(" ".join(each) for each in kept))


def anonymous_memory() -> int:
    """Bytes of this process's memory that no file backs: packs are mapped, and their pages may be dropped."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:", 1)[1].split(None, 1)[0]) << 10


def read_theirs(folder: Path, patched: Path) -> None:
    """What pygit2 offers for the same: a patch with renames of every commit in `patched`."""
    repository = open_repository(folder)
    mark("imports")
    for line in patched.read_text().split("\n"):
        compare_all(repository, line.split())
        mark("read", commits=len(line.split()))


def compare_all(repository: pygit2.Repository, shas: list[str]) -> int:
    """The characters of all patches."""
    total = 0
    for sha in shas:
        commit = repository[sha].peel(pygit2.Commit)
        if commit.parent_ids:
            parent = repository[commit.parent_ids[0]].peel(pygit2.Commit)
            diff = repository.diff(parent.tree_id, commit.tree_id, flags=DiffOption.INCLUDE_TYPECHANGE)
            diff.find_similar()
        else:
            diff = commit.tree.diff_to_tree(swap=True)
        total += len(diff.patch or "")
    return total


def open_repository(folder: Path) -> pygit2.Repository:
    """The repository, whoever owns it."""
    pygit2.settings.owner_validation = False
    return pygit2.Repository(str(folder), RepositoryOpenFlag.NO_SEARCH)


def quarters(shas: list[bytes]) -> list[list[bytes]]:
    """The list in four parts of about the same length, in order."""
    bounds = [len(shas) * number // QUARTERS for number in range(QUARTERS + 1)]
    return [shas[start:end] for start, end in pairwise(bounds)]


def report(phases: dict[str, list[Phase]]) -> None:
    """The tables: speeds beside each other, and what each quarter of the history costs."""
    walk, *read = phases[OURS][1:]
    commits, patches = (sum(phase.facts[name] for phase in read) for name in ("commits", "patches"))
    ours = walk.cpu + sum(phase.cpu for phase in read)
    rows = [["ours, walk and all records", f"{commits:,}", f"{ours:.1f}", f"{commits / ours:,.0f}", ""]]
    for name in PEERS:
        theirs = sum(phase.cpu for phase in phases[name][1:])
        rows.append([name, f"{patches:,}", f"{theirs:.1f}", f"{patches / theirs:,.0f}", f"{ours / theirs:.2f}"])
    print_table(["", "commits", "CPU s", "commits/CPU-s", "ours / it"], rows)
    facts: Counter[str] = sum((Counter(phase.facts) for phase in read), Counter())
    del facts["anonymous"]
    print(", ".join(f"{name} {count:,}" for name, count in facts.most_common()), end="\n\n")
    growth = [
        [f"walk of {walk.facts['commits']:,}", "", f"{walk.cpu:.1f}", "", f"{walk.peak_pss / 1e6:.0f}", "", ""],
        *(
            [
                f"quarter {number}",
                f"{phase.facts['commits']:,}",
                f"{phase.cpu:.1f}",
                f"{phase.facts['commits'] / phase.cpu:,.0f}",
                f"{phase.peak_pss / 1e6:.0f}",
                f"{phase.facts['anonymous'] / 1e6:.0f}",
                f"{phase.foreign / phase.wall:.2f}",
            ]
            for number, phase in enumerate(read, 1)
        ),
    ]
    columns = ["ours", "commits", "CPU s", "commits/CPU-s", "peak PSS, MB", "not mapped, MB", "others' load"]
    print_table(columns, growth)


def main() -> None:
    """Run the three processes, or be one of them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path, help="a .git folder or a bare repository")
    options.add_argument("--commits", type=int, default=sys.maxsize, help="only the last N of the history")
    options.add_argument("--part", choices=[OURS, *PEERS], help=argparse.SUPPRESS)
    options.add_argument("--patched", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    parts: dict[str, Callable[[], None]] = {
        OURS: lambda: read_ours(given.folder, given.commits, given.patched),
        **dict.fromkeys(PEERS, lambda: read_theirs(given.folder, given.patched)),
    }
    if given.part:
        pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, PEERS.get(given.part, True))
        parts[given.part]()
        return
    print(f"{machine()}, pygit2 {pygit2.__version__}, libgit2 {pygit2.LIBGIT2_VERSION}", end="\n\n")
    with tempfile.TemporaryDirectory() as scratch:
        common = [given.folder, "--commits", given.commits, "--patched", Path(scratch) / "patched"]
        report({part: run([sys.executable, __file__, *common, "--part", part]) for part in (OURS, *PEERS)})


if __name__ == "__main__":
    main()
