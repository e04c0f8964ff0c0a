from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sources_support import LIMITS, commit, contents, git, pin, read

from seed_platform.batches import add_batch, list_batches, pin_sources
from seed_platform.lake.lake import Lake
from seed_platform.sources.base import SourceError, display_text

CAFE = os.fsdecode(b"caf\xe9")


def _folder(path: Path) -> str:
    path.mkdir()
    (path / "a.py").write_text("a\n")
    return str(path)


def _archive(path: Path) -> str:
    path = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(path.open("wb"), "w") as archive:
        archive.writestr("a.py", "a\n")
    return str(path)


def _checkout(path: Path) -> str:
    path.mkdir()
    git(path, "init", "-q")
    commit(path, {"a.py": "a\n"})
    return str(path)


def _at_a_branch(path: Path) -> str:
    return f"{_checkout(path)}#main"


def _bare(path: Path) -> str:
    source = _checkout(path.with_name("source"))
    git(path.parent, "clone", "-q", "--bare", source, os.fsencode(path.name) + b".git")
    return f"{path}.git"


def _file_url(path: Path) -> str:
    return f"file://{_checkout(path)}".replace("\udce9", "%E9")


def _raw_file_url(path: Path) -> str:
    return f"file://{_checkout(path)}"


@pytest.mark.parametrize("make", [_folder, _archive, _checkout, _at_a_branch, _bare, _file_url, _raw_file_url])
def test_a_source_whose_name_is_not_utf8_is_added_listed_and_read(
    make: Callable[[Path], str], tmp_path: Path, cache: Path
):
    lake = Lake(str(tmp_path / "lake"))
    add_batch(lake, pin_sources([make(tmp_path / CAFE)], LIMITS, {}))
    (batch,) = list_batches(lake)
    pinned = batch.sources[0].pinned
    assert batch.sources[0].rejected is None
    for text in (pinned.spec, pinned.repository, pinned.origin, batch.key):
        text.encode("utf-8")
    assert contents(read(pinned, cache)) == {b"a.py": b"a\n"}
    assert make is _bare or pinned.repository == "caf\\xe9"


def test_an_error_about_a_name_that_is_not_utf8_is_plain_text(tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        pin(tmp_path / CAFE)
    assert caught.value.reason == "missing_path"
    assert "caf\\xe9" in caught.value.detail


def test_text_without_odd_bytes_is_shown_as_it_is_and_every_surrogate_is_replaced():
    assert display_text("caf\u00e9 \U0001f600") == "caf\u00e9 \U0001f600"
    assert display_text("\udcff\ud800") == "\\xff\\ud800"
