"""What every test starts from: none of the user's configuration, and nothing that reaches beyond this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import boto3
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


# In a process of its own: parts of `deltalake` hold the interpreter's lock while they wait for an answer.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()  # until whoever started this ends
"""


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The URL of an S3 server, one for all tests: file systems are kept by the process that used them."""
    command = [sys.executable, "-c", _SERVER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The root of an empty bucket; this process and those it starts can reach it."""
    values = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": "us-east-1"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"bucket-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=name)
    return f"s3://{name}"
