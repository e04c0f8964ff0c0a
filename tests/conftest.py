"""What every test starts from: none of the user's configuration, and nothing that reaches beyond this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from calls import Outcome, Seed

# Read when the library is imported, so it is set before any test imports it.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lake, policy, credentials or proxy of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("SEED_", "AWS_", "DAGSTER_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def lake_root(tmp_path: Path) -> str:
    """Where a test's lake is; nothing is there yet."""
    return str(tmp_path / "lake")


@pytest.fixture
def seed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Seed:
    """Calls the command in this process, in a folder of its own."""
    from seed_platform.cli import main  # noqa: PLC0415 - not for the tests that do not call it

    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["seed", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return call
