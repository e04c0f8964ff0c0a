"""Settings: where each value comes from, and what happens to one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from seed_platform.settings import Settings


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_without_anything_the_lake_is_in_the_working_directory():
    assert Settings().lake == "lake"
    assert Settings().workers >= 1


def test_an_argument_beats_the_environment_which_beats_the_file(monkeypatch: pytest.MonkeyPatch):
    Path("seed.toml").write_text('lake = "from-file"\nworkers = 3\n')
    assert (Settings().lake, Settings().workers) == ("from-file", 3)
    monkeypatch.setenv("SEED_LAKE", "from-environment")
    assert (Settings().lake, Settings().workers) == ("from-environment", 3)
    assert Settings(lake="given").lake == "given"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "0"),
        ("WORKERS", "two"),
        ("ROW_GROUP_BYTES", "10"),
        ("MAX_ARCHIVE_RATIO", "1"),
        ("CONNECT_TIMEOUT", "0"),
    ],
)
def test_a_value_out_of_range_names_its_field(monkeypatch: pytest.MonkeyPatch, name: str, value: str):
    monkeypatch.setenv(f"SEED_{name}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert caught.value.errors()[0]["loc"] == (name.lower(),)


def test_an_unknown_name_in_the_file_is_an_error_and_not_a_default():
    Path("seed.toml").write_text("worker = 3\n")
    with pytest.raises(ValidationError, match="worker"):
        Settings()


def test_only_the_cores_this_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {3}, raising=False)
    assert Settings().workers == 1
