"""Build the corpus of a benchmark: source distributions from the configured package index, by name and version.

    python benchmarks/corpus.py FOLDER [--list FILE] [--cache DIR] [--jobs 3]

Each release goes into FOLDER/<name>-<version>/, which is what the other benchmarks take. Without --list it is
`corpus.txt` beside this file. Nothing of a package is run: the platform's own package source fetches it and reads the
archive, which also sees to it that no name leads out of the folder; links are left out, and files larger than the
platform reads. A release that the index does not have is named and left out. Run it again to get what is missing: what
is there stays, and downloads are kept in --cache. What belongs here: fetching and unpacking. What does not: measuring.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from seed_platform.settings import Settings
from seed_platform.sources.base import SourceError, SourceFile
from seed_platform.sources.package import PREFIX, PackageSource
from seed_platform.steps.read import limits_of

PARTIAL = ".partial-"
"""What the name of a folder begins with until it is whole."""


@dataclass(slots=True)
class Unpacked:
    """What became of one release.

    Attributes:
        spec: name==version.
        folder: where it is; None if it could not be had.
        files: how many were written; 0 if the folder was there already.
        bytes: their sizes together.
        left_out: how many entries were not, by reason.
        error: why there is no folder.
    """

    spec: str
    folder: Path | None = None
    files: int = 0
    bytes: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    error: str = ""


def read_list(path: Path) -> list[str]:
    """The lines name==version of a list; "#" begins a comment."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def build(specs: Sequence[str], folder: Path, cache: Path, jobs: int = 3) -> list[Path]:
    """Fetch and unpack releases that `folder` does not have, with progress on standard error; the folders, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(f"{PARTIAL}*"):
        shutil.rmtree(left_over)
    with ProcessPoolExecutor(jobs) as pool:
        work = partial(unpack, folder=folder, cache=cache)
        places = {pool.submit(work, spec): place for place, spec in enumerate(specs)}
        found: dict[int, Path] = {}
        for number, done in enumerate(as_completed(places), start=1):
            result = done.result()
            if result.folder is not None:
                found[places[done]] = result.folder
            print(f"[{number}/{len(specs)}] {describe(result)}", file=sys.stderr, flush=True)
    return [found[place] for place in sorted(found)]


def unpack(spec: str, folder: Path, cache: Path) -> Unpacked:
    """Fetch and unpack one release unless it is there; whole or not at all."""
    limits = limits_of(Settings())
    source = PackageSource()
    try:
        pinned = source.pin(f"{PREFIX}{spec}", limits)
        destination = folder / f"{pinned.repository}-{pinned.revision}"
        result = Unpacked(spec, destination)
        if destination.is_dir():
            return result
        partial_folder = Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder))
        try:
            for item in source.read(pinned, limits, str(cache)):
                if not isinstance(item, SourceFile):
                    result.left_out[item.reason] += 1
                elif item.content is None:
                    result.left_out["too_large"] += 1
                elif write(partial_folder, item.path, item.content):
                    result.files, result.bytes = result.files + 1, result.bytes + item.size
                else:
                    result.left_out["not_writable"] += 1
            partial_folder.chmod(0o755)
            partial_folder.rename(destination)
        finally:
            shutil.rmtree(partial_folder, ignore_errors=True)
    except SourceError as error:
        return Unpacked(spec, error=f"{error.reason}: {error.detail}")
    return result


def write(folder: Path, name: bytes, content: bytes) -> bool:
    """Write one file inside `folder`, which holds no links; False if the name leads out of it or cannot be had."""
    path = folder / os.fsdecode(name)
    if ".." in path.parts or not path.is_relative_to(folder):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError:  # too long for this file system, or a file where this one wants a folder
        return False
    return True


def describe(result: Unpacked) -> str:
    """One line about one release."""
    if result.folder is None:
        return f"{result.spec}: left out, {result.error}"
    if not result.files:
        return f"{result.spec}: is there"
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(result.left_out.items()))
    return f"{result.spec}: {result.files:,} files, {result.bytes / 1e6:,.1f} MB" + (left_out and f"; not {left_out}")


def main() -> None:
    """Build, and say what there is."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("--list", type=Path, default=Path(__file__).with_name("corpus.txt"))
    options.add_argument("--cache", type=Path, help="where downloads are kept; by default FOLDER-downloads")
    options.add_argument("--jobs", type=int, default=3, help="releases at a time")
    given = options.parse_args()
    folder = given.folder.resolve()
    cache = given.cache or folder.with_name(f"{folder.name}-downloads")
    specs = read_list(given.list)
    folders = build(specs, folder, cache, given.jobs)
    sizes = [path.stat().st_size for each in folders for path in each.rglob("*") if path.is_file()]
    print(f"{len(folders)} of {len(specs)} releases, {len(sizes):,} files, {sum(sizes) / 1e6:,.0f} MB in {folder}")


if __name__ == "__main__":
    main()
