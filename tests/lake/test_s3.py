"""The same lake on S3, against moto's real HTTP server on loopback: only the root differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import polars as pl
import pytest
from support import edited, make_repository, python_source, run_flow, views

from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import FILES, verdicts

_COMMIT = Commit("run-1", "1.2.3", "abc")
_TABLE = verdicts("files", "rules")


# In a process of its own: parts of `deltalake` hold the interpreter's lock while they wait for an answer.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()  # until whoever started this ends
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    command = [sys.executable, "-c", _SERVER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **pipes) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        finally:
            server.terminate()


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The root of an empty bucket; this process and those it starts can reach it."""
    values = {"ENDPOINT_URL": endpoint, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": "us-east-1"}
    for name, value in values.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    name = f"bucket-{abs(hash(request.node.name))}"
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=name)
    return f"s3://{name}"


def _rows(first: int, number: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ordinal": range(first, first + number),
            "doc_id": [f"{n:032x}" for n in range(first, first + number)],
            "keep": [True] * number,
            **{name: [None] * number for name in ("reason", "score", "related_doc_id", "evidence")},
            "filter_version": ["1"] * number,
            "run_id": ["r"] * number,
        }
    )


def _publish(lake: Lake, batch: str, *frames: pl.DataFrame) -> None:
    with lake.writer(_TABLE, batch=batch) as writer:
        for frame in frames:
            writer.write(frame)
    lake.publish(_TABLE, writer.parts, _COMMIT, batch=batch)


def _ordinals(lake: Lake, batch: str) -> list[int]:
    return lake.column(_TABLE, ["ordinal"], batch=batch)["ordinal"].to_list()


def _python(code: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of its own: the fork server of this one was perhaps started before the bucket was known."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.Popen([sys.executable, "-c", code, *arguments], env=environment, stderr=subprocess.PIPE)


def _finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def test_rows_come_back_and_a_batch_is_replaced_as_a_whole(bucket: str):
    lake = Lake(f"{bucket}/deep/prefix/", row_group_bytes=2_000, part_bytes=8_000)
    assert lake.open(_TABLE) is None
    _publish(lake, "a", *(_rows(first, 50) for first in range(0, 500, 50)))
    _publish(lake, "b", _rows(0, 3))
    assert len(lake.parts(_TABLE, batch="a")) > 1
    assert _ordinals(lake, "a") == list(range(500))
    _publish(lake, "a", _rows(7, 1))
    assert (_ordinals(lake, "a"), _ordinals(lake, "b")) == ([7], [0, 1, 2])
    _publish(lake, "a")
    assert _ordinals(lake, "a") == []
    assert lake.parts(FILES, batch="a") == []


_WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_s3 import Lake, _publish, _rows
for turn in range(6):
    _publish(Lake(sys.argv[1]), sys.argv[2], _rows(0, turn + 1))
"""


def test_processes_that_publish_two_batches_at_once_lose_nothing(bucket: str):
    running = [_python(_WRITER, f"{bucket}/lake", batch, str(Path(__file__).parent)) for batch in ("a", "b")]
    for process in running:
        _finish(process)
    lake = Lake(f"{bucket}/lake")
    assert (_ordinals(lake, "a"), _ordinals(lake, "b")) == (list(range(6)), list(range(6)))
    delta = lake.open(_TABLE)
    assert delta is not None
    assert len([entry for entry in delta.history() if "partition_batch" in entry]) == 12


_FLOW = """
import json, sys
from support import run_flow, views
for spec in sys.argv[2:]:
    run_flow(sys.argv[1], [spec])
"""


def test_the_whole_flow_gives_the_same_rows_on_s3_as_in_a_folder(bucket: str, lake_root: str, tmp_path: Path):
    text = python_source(1, 60)
    first = {"a.py": text, "copy.py": text, "bad.py": "def (:\n", "empty.py": "", "data.bin": b"\0\1"}
    make_repository(tmp_path / "one", first)
    make_repository(tmp_path / "two", {"b.py": text, "c.py": edited(text, [5, 30]), "d.py": python_source(2, 40)})
    specs = [str(tmp_path / "one"), str(tmp_path / "two")]
    process = _python(_FLOW, f"{bucket}/lake", *specs)
    for spec in specs:
        run_flow(lake_root, [spec])
    _finish(process)
    questions = (
        "SELECT * FROM file_level ORDER BY batch, ordinal",
        "SELECT * EXCLUDE run_id FROM verdicts ORDER BY batch, ordinal, filter",
        "SELECT * FROM files ORDER BY batch, ordinal",
    )
    answers = []
    for root in (lake_root, f"{bucket}/lake"):
        with views(root) as connection:
            answers.append([json.dumps(connection.execute(question).fetchall()) for question in questions])
    assert answers[0] == answers[1]
    assert len(json.loads(answers[0][0])) == 2
