from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from seed_platform.errors import UsageError
from seed_platform.lake.storage import Storage


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"seed-{os.getuid()}"


def test_the_scratch_of_lakes_on_s3_is_this_users_alone_and_apart_from_other_lakes(private: Path):
    one, other = Storage("s3://bucket/one").scratch("read-a"), Storage("s3://bucket/other").scratch("read-a")
    assert one != other
    assert one == Storage("s3://bucket/one/").scratch("read-a")
    assert one.is_relative_to(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


def test_a_scratch_folder_that_someone_else_could_have_prepared_is_refused(private: Path, tmp_path: Path):
    target = tmp_path / "target"
    target.mkdir(mode=0o700)
    for prepare in (
        lambda: private.symlink_to(target),
        private.touch,
        lambda: private.symlink_to(tmp_path / "nowhere"),
    ):
        prepare()
        with pytest.raises(UsageError):
            Storage("s3://bucket/lake").scratch("x")
        private.unlink()
    private.mkdir()
    private.chmod(0o750)
    with pytest.raises(UsageError):
        Storage("s3://bucket/lake").scratch("x")
    assert not list(target.iterdir())
