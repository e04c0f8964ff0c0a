"""Sources that failed when their batch was read: they can be added again, and a run says which they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sources_support import files_handler, serving
from support import lake_of, settings_of
from test_package_source import index  # noqa: F401 - a fixture

from seed_platform.batches import Added, add_batch, list_batches, pin_sources
from seed_platform.errors import UsageError
from seed_platform.lake.schemas import FILES
from seed_platform.policy import Policy
from seed_platform.steps.base import Context
from seed_platform.steps.read import limits_of, read_batch

PACKAGE = "pypi:demo-pkg==1.0"
DOWN = "http://127.0.0.1:9/simple"


class _Here:
    """Runs tasks in this process, which knows where the index is; workers have the environment they started with."""

    workers = 1

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any], **_: object) -> Iterator[tuple[Any, Any]]:
        return ((task, function(task)) for task in tasks)


def _add(root: str, *specs: str | Path) -> Added:
    settings = settings_of(root)
    return add_batch(lake_of(settings), pin_sources([str(spec) for spec in specs], limits_of(settings), {}))


def _read(root: str, added: Added) -> dict[str, int]:
    settings = settings_of(root)
    context = Context(lake_of(settings), _Here(), settings, Policy(), "run")
    return read_batch(context, added.batch).failures


def _rejected(added: Added) -> dict[str, str]:
    return {source.pinned.spec: source.rejected[0] for source in added.batch.sources if source.rejected}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.py").write_text("x = 1\n")
    return tmp_path / "folder"


def test_the_same_sources_again_after_a_passing_failure_are_a_new_batch_that_reads_what_failed(
    lake_root: str,
    folder: Path,
    index: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("PIP_INDEX_URL", DOWN)
    first = _add(lake_root, folder, PACKAGE)
    assert not _add(lake_root, folder, PACKAGE).new, "not read yet"
    assert _read(lake_root, first) == {"unreachable": 1}
    second = _add(lake_root, PACKAGE, folder)
    assert (second.new, _rejected(second)) == (True, {str(folder): "already_arrived"})
    assert not _add(lake_root, folder, PACKAGE).new, "the second batch has yet to try"
    assert _read(lake_root, second) == {"already_arrived": 1, "unreachable": 1}
    third = _add(lake_root, folder, PACKAGE)
    assert third.new
    with serving(files_handler(index)) as base:
        monkeypatch.setenv("PIP_INDEX_URL", f"{base}/simple")
        assert _read(lake_root, third) == {"already_arrived": 1}
    lake = lake_of(settings_of(lake_root))
    assert sum(part.rows for part in lake.parts(FILES, batch=third.batch.key)) == 3
    assert not _add(lake_root, folder, PACKAGE).new
    with pytest.raises(UsageError, match=f"nothing new: .* in batch {third.batch.key}"):
        _add(lake_root, PACKAGE)
    fingerprints = [batch.fingerprint for batch in list_batches(lake)]
    assert len(set(fingerprints)) == len(fingerprints) == 3


def test_a_source_that_failed_for_good_is_held_by_no_batch_but_the_same_sources_change_nothing(
    lake_root: str, folder: Path, tmp_path: Path
):
    (tmp_path / "broken.tar.gz").write_bytes(b"\x1f\x8b\x08\0not gzip")
    first = _add(lake_root, folder, tmp_path / "broken.tar.gz")
    assert _read(lake_root, first) == {"corrupt_archive": 1}
    assert not _add(lake_root, folder, tmp_path / "broken.tar.gz").new
    alone = _add(lake_root, tmp_path / "broken.tar.gz")
    assert (alone.new, _rejected(alone)) == (True, {})


def test_what_could_not_even_be_looked_up_makes_no_new_batch_while_it_stays_so(lake_root: str, folder: Path):
    down = "http://127.0.0.1:9/p.git"
    first = _add(lake_root, folder, down)
    assert _rejected(first) == {down: "unreachable"}
    _read(lake_root, first)
    assert not _add(lake_root, folder, down).new


def test_a_run_names_each_source_that_it_could_not_read_and_how_to_retry(lake_root: str, tmp_path: Path):
    changed = tmp_path / "[red]changed"
    changed.mkdir()
    (changed / "a.py").write_text("x = 1\n")
    _add(lake_root, changed, PACKAGE)
    (changed / "a.py").write_text("x = 2\n")
    command = [sys.executable, "-m", "seed_platform", "run", "--select", "github/files", "--lake", lake_root]
    environment = os.environ | {"PIP_INDEX_URL": DOWN}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "done: " in done.stdout
    told = [line for line in done.stderr.splitlines() if line.startswith("rejected ")]
    assert len(told) == 2
    assert told[0].startswith(f"rejected {changed}: changed_since_added (")
    assert not told[0].endswith("retry")
    assert told[1].startswith(f"rejected {PACKAGE}: unreachable (")
    assert told[1].endswith("; add it again to retry")
