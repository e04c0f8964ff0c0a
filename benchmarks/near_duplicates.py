"""Near-duplicate detection beside Daft and datatrove, its growth, and what a batch costs that comes late.

    python benchmarks/near_duplicates.py FOLDER [--parts table,growth,batches] [--copies 1,2,4,8] [--batches 20]
                                                [--peer-venv DIR] [--work DIR] [--sample-mb 60] [--repeats 3]

FOLDER holds package folders, such as `corpus.py` makes. Ours is the step of the flow with its default policy, from
files that are in the lake and passed the filters before it, to published verdicts. Peers get the documents that ours
judged: Daft as Parquet, datatrove a sample as JSON Lines, both written beforehand and not timed. Growth takes nested
eighths of the corpus, chosen file by file; a late batch is the last of equal batches chosen the same way. No piece of a
release is a near duplicate of another's as a whole, so these two may judge more documents than the first. Prints
Markdown tables; ours and Daft run `--repeats` times, and the run that took least CPU counts. What belongs here: the
comparison. What does not: accuracy, or the whole flow (`flow.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import Phase, machine, prepare_peers, print_table, run

from seed_platform.steps.flow import NEAR_DUPLICATES, STEPS

HERE = Path(__file__).parent
BEFORE = [step.name for step in STEPS[: STEPS.index(NEAR_DUPLICATES)]]
COLUMNS = (
    "", "documents", "MB", "pairs verified", "removed", "CPU s", "wall s", "docs/CPU-s", "MB/CPU-s", "peak PSS, MB",
    "others' load",
)  # fmt: skip


def stage(folder: Path, destination: Path, pieces: int) -> list[list[str]]:
    """Divide the files of each package evenly into `pieces`; returns the package folders of each piece.

    Which piece a file is in depends on its path only. Files are hard links, or copies on another file system.
    """
    found: list[set[str]] = [set() for _ in range(pieces)]
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        relative = path.relative_to(folder)
        if len(relative.parts) < 2:
            continue
        digest = hashlib.blake2b(os.fsencode(relative), digest_size=8).digest()
        number = int.from_bytes(digest, "little") % pieces
        package = destination / str(number) / relative.parts[0]
        target = package.joinpath(*relative.parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            target.hardlink_to(path)
        except OSError:
            shutil.copyfile(path, target)
        found[number].add(str(package))
    return [sorted(packages) for packages in found]


def call(lake: Path, *arguments: str | Path) -> list[Phase]:
    """One command of ours."""
    return run([sys.executable, HERE / "ours.py", lake, *arguments])


def detect(lake: Path, repeats: int) -> Phase:
    """The step alone, in a process of its own, on copies of the lake; the last batch's cheapest phase.

    Each repetition does the same work; what else the machine does can only add to it.
    """
    phases = []
    for number in range(repeats):
        copy = lake.with_name(f"{lake.name}-{number}")
        shutil.copytree(lake, copy)
        phases.append(call(copy, "run", NEAR_DUPLICATES.name)[-1])
        if number < repeats - 1:
            shutil.rmtree(copy)
    shutil.rmtree(lake)
    copy.rename(lake)
    return cheapest([[phase] for phase in phases])[0]


def cheapest(runs: Sequence[list[Phase]]) -> list[Phase]:
    """The run that took least CPU time."""
    return min(runs, key=lambda phases: sum(phase.cpu for phase in phases))


def judged(lake: Path, name: str, folders: Sequence[str], repeats: int = 1) -> Phase:
    """Add one batch, do what comes before, and detect."""
    call(lake, "add", name, *folders)
    call(lake, "run", *BEFORE)
    return detect(lake, repeats)


def row(
    name: str, phases: Sequence[Phase], documents: int, size: int, removed: int, verified: int | None = None
) -> tuple[str, ...]:
    """One row: several phases as one piece of work; `verified` only for what verifies."""
    cpu, wall = sum(phase.cpu for phase in phases), sum(phase.wall for phase in phases)
    return (
        name,
        f"{documents:,}",
        f"{size / 1e6:,.1f}",
        "" if verified is None else f"{verified:,}",
        f"{removed:,}",
        f"{cpu:.1f}",
        f"{wall:.1f}",
        f"{documents / cpu:,.0f}",
        f"{size / 1e6 / cpu:.1f}",
        f"{max(phase.peak_pss for phase in phases) / 1e6:,.0f}",
        f"{sum(phase.foreign for phase in phases) / wall:.2f}",
    )


def our_row(name: str, phase: Phase) -> tuple[str, ...]:
    """A row of ours."""
    facts = phase.facts
    removed = facts["documents"] - facts["kept"]
    return row(name, [phase], facts["documents"], facts["bytes"], removed, facts.get("pairs_verified"))


def table(work: Path, folder: Path, python: Path, sample_bytes: int, repeats: int) -> None:
    """Ours, Daft and datatrove on the whole corpus, datatrove on a sample."""
    lake = work / "lake"
    folders = sorted(str(path) for path in folder.iterdir() if path.is_dir())
    rows = [our_row("ours, 256 permutations, verified", judged(lake, "all", folders, repeats))]
    wanted = ["--judged-by", NEAR_DUPLICATES.name]
    texts = work / "parquet"
    told = call(lake, "documents", texts, "--format", "parquet", *wanted)[-1].facts
    for how, hashes, bands in (("lean", 112, 8), ("lean", 256, 6), ("documented", 112, 8)):
        command = [python, HERE / "peer_daft.py", how, texts]
        sizes = ["--hashes", hashes, "--rows", bands]
        outputs = [work / f"daft-{how}-{hashes}-{number}" for number in range(repeats)]
        phases = cheapest([run([*command, output, *sizes])[1:] for output in outputs])
        name = f"Daft, {how}, {hashes // bands} bands of {bands}, unverified"
        rows.append(row(name, phases, told["documents"], told["bytes"], phases[-1].facts["removed"]))
    sample = work / "jsonl"
    share = str(min(1.0, sample_bytes / told["bytes"]))
    told = call(lake, "documents", sample, "--format", "jsonl", "--share", share, *wanted)[-1].facts
    phases = run([python, HERE / "peer_datatrove.py", "near", sample, work / "datatrove"])[1:]
    removed = told["documents"] - phases[-1].facts["kept"]
    rows.append(
        row("datatrove, defaults, unverified, a sample", phases[:-1], told["documents"], told["bytes"], removed)
    )
    print_table(COLUMNS, rows)


def growth(work: Path, folder: Path, eighths: Sequence[int], repeats: int) -> None:
    """Ours on so many eighths of the corpus."""
    pieces = stage(folder, work / "eighths", 8)
    rows = []
    for count in eighths:
        folders = [package for piece in pieces[:count] for package in piece]
        rows.append(our_row(f"{count}/8 of the corpus", judged(work / f"lake-{count}", "all", folders, repeats)))
        shutil.rmtree(work / f"lake-{count}")
    print_table(COLUMNS, rows)


def batches(work: Path, folder: Path, count: int) -> None:
    """Ours on equal batches, one after the other in one process, each compared with all before it."""
    lake = work / "lake-batches"
    pieces = stage(folder, work / "batches", count)
    for number, packages in enumerate(pieces, start=1):
        call(lake, "add", f"batch-{number:02d}", *packages)
    call(lake, "run", *BEFORE)
    phases = [phase for phase in call(lake, "run", NEAR_DUPLICATES.name) if phase.name == NEAR_DUPLICATES.name]
    print_table(COLUMNS, [our_row(phase.facts["batch"], phase) for phase in phases])
    first, last = phases[0], phases[-1]
    print(f"last batch / first batch: {last.cpu / first.cpu:.2f} in CPU s, {last.wall / first.wall:.2f} in wall s\n")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--parts", default="table,growth,batches", help="which of the three")
    options.add_argument("--copies", default="1,2,4,8", help="eighths of the corpus")
    options.add_argument("--batches", type=int, default=20)
    options.add_argument("--repeats", type=int, default=3, help="of ours and Daft; the cheapest counts")
    options.add_argument("--sample-mb", type=float, default=60, help="text that datatrove gets")
    options.add_argument("--peer-venv", type=Path, default=Path(tempfile.gettempdir()) / "seed-benchmark-peers")
    options.add_argument("--work", type=Path, help="where lakes and outputs go; best on the file system of FOLDER")
    given = options.parse_args()
    parts = given.parts.split(",")
    python = prepare_peers(given.peer_venv) if "table" in parts else None
    work = given.work or Path(tempfile.mkdtemp(prefix="seed-benchmark-"))
    work.mkdir(parents=True, exist_ok=True)
    folder = given.folder.resolve()
    try:
        print(f"{machine()}\n", flush=True)
        warm_up(work, folder)
        if python is not None:
            table(work, folder, python, int(given.sample_mb * 1e6), given.repeats)
        if "growth" in parts:
            growth(work, folder, [int(count) for count in given.copies.split(",")], given.repeats)
        if "batches" in parts:
            batches(work, folder, given.batches)
    finally:
        if given.work is None:
            shutil.rmtree(work)


def warm_up(work: Path, folder: Path) -> None:
    """Compile the kernels and fill their cache on the smallest package."""
    packages = [path for path in folder.iterdir() if path.is_dir()]
    smallest = min(packages, key=lambda package: sum(1 for _ in package.rglob("*")))
    judged(work / "lake-warm-up", "all", [str(smallest)])


if __name__ == "__main__":
    main()
