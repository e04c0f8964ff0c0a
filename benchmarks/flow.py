"""The flow over a folder of package folders, step by step, beside datatrove on the same files.

    python benchmarks/flow.py FOLDER [--peer-venv DIR] [--work DIR] [--no-peer]

Ours: a fresh lake, one batch of all sub-folders, every step, and the export. datatrove has no repository reader, so it
gets the same texts as JSON Lines, written beforehand and not timed; it keeps files by extension, removes exact
duplicates of the text, and writes what is left. Prints Markdown tables. What belongs here: the comparison of the whole
flow. What does not: near duplicates beside peers (`near_duplicates.py`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measure import Phase, machine, prepare_peers, print_table, run

from seed_platform.filters.languages import infer_language

HERE = Path(__file__).parent
COLUMNS = (
    "", "documents", "MB", "CPU s", "wall s", "docs/s", "MB/CPU-s", "MB/s", "peak PSS, MB", "others' load"
)  # fmt: skip


def ours(work: Path, folder: Path) -> list[Phase]:
    """Every step and the export, each a phase."""
    lake = work / "lake"
    folders = sorted(str(path) for path in folder.iterdir() if path.is_dir())
    phases = run([sys.executable, HERE / "ours.py", lake, "add", "all", *folders])
    phases += run([sys.executable, HERE / "ours.py", lake, "run"])
    return phases + run([sys.executable, HERE / "ours.py", lake, "export", work / "export"])


def extensions(folder: Path) -> list[str]:
    """The extensions in the folder that mean a language by themselves, as the peer's filter can know them."""
    found = {path.suffix[1:].lower() for path in folder.rglob("*") if path.suffix}
    return sorted(extension for extension in found if infer_language(f"name.{extension}", None))


def datatrove(work: Path, folder: Path, python: Path, workers: int) -> tuple[Phase, list[Phase]]:
    """What was written as its input, and its stages."""
    texts = work / "jsonl"
    written = run([sys.executable, HERE / "ours.py", work / "lake", "documents", texts, "--format", "jsonl"])[-1]
    kept = work / "extensions.json"
    kept.write_text(json.dumps(extensions(folder)))
    command = [python, HERE / "peer_datatrove.py", "exact", texts, work / "datatrove", kept, "--workers", str(workers)]
    return written, run(command)


def row(name: str, phases: Sequence[Phase], documents: int, size: int) -> tuple[str, ...]:
    """One row: several phases as one piece of work on so many documents and bytes."""
    cpu, wall = sum(phase.cpu for phase in phases), sum(phase.wall for phase in phases)
    return (
        name,
        f"{documents:,}",
        f"{size / 1e6:,.0f}",
        f"{cpu:.1f}",
        f"{wall:.1f}",
        f"{documents / wall:,.0f}",
        f"{size / 1e6 / cpu:.1f}",
        f"{size / 1e6 / wall:.1f}",
        f"{max(phase.peak_pss for phase in phases) / 1e6:,.0f}",
        f"{sum(phase.foreign for phase in phases) / wall:.2f}",
    )


def print_ours(phases: Sequence[Phase]) -> None:
    """The steps, and the sum that the target is about."""
    by_name = {phase.name: phase for phase in phases}
    seen = by_name["files"].facts
    documents, size = seen["documents"], seen["bytes"]
    rows = [row("adding (pins: reads and hashes)", [by_name["adding"]], documents, size)]
    rows += [
        row(phase.name, [phase], phase.facts["documents"], phase.facts["bytes"])
        for phase in phases
        if phase.name not in {"start", "adding"}
    ]
    names = [
        "files",
        "verdicts/files/rules",
        "verdicts/repositories/exact_duplicates",
        "verdicts/repositories/near_duplicates",
        "verdicts/files/repository_duplicates",
        "verdicts/files/exact_duplicates",
        "corpora/file_level",
    ]
    chosen = [by_name[name] for name in names]
    rows.append(row("reading, rules, repositories, exact duplicates, corpus", chosen, documents, size))
    rows.append(
        row("the same with adding and export", [*chosen, by_name["adding"], by_name["export"]], documents, size)
    )
    print_table(COLUMNS, rows)


def print_peer(written: Phase, stages: Sequence[Phase]) -> None:
    """The stages of datatrove and their sum."""
    documents, size = written.facts["documents"], written.facts["bytes"]
    work = [stage for stage in stages if stage.name in {"signatures", "find", "filter"}]
    rows = [row(f"datatrove: {stage.name}", [stage], documents, size) for stage in work]
    rows.append(row("datatrove: all", work, documents, size))
    print_table(COLUMNS, rows)
    print(f"datatrove keeps {stages[-1].facts['kept']:,} documents")


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--peer-venv", type=Path, default=Path(tempfile.gettempdir()) / "seed-benchmark-peers")
    options.add_argument("--work", type=Path, help="where the lake and the outputs go; a folder that is not there yet")
    options.add_argument("--workers", type=int, default=2, help="processes of the peer; ours come from the settings")
    options.add_argument("--no-peer", action="store_true")
    given = options.parse_args()
    python = None if given.no_peer else prepare_peers(given.peer_venv)
    work = given.work or Path(tempfile.mkdtemp(prefix="seed-benchmark-"))
    work.mkdir(parents=True, exist_ok=True)
    try:
        print(f"{machine()}\n", flush=True)
        print_ours(ours(work, given.folder))
        if python is not None:
            print_peer(*datatrove(work, given.folder, python, given.workers))
    finally:
        if given.work is None:
            shutil.rmtree(work)


if __name__ == "__main__":
    main()
