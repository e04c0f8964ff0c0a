"""The same lake on S3, against moto's real HTTP server on loopback: only the root differs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
from crawl_world import POLICY, world
from support import edited, make_repository, python_source, run_crawl, run_flow, views

from seed_platform.commits.policy import CommitGatePolicy
from seed_platform.lake.lake import Commit, Lake
from seed_platform.lake.schemas import FILES, verdicts
from seed_platform.lake.storage import Storage
from seed_platform.policy import Policy
from seed_platform.steps.lines import REPOSITORY_LINE

_COMMIT = Commit("run-1", "1.2.3", "abc")
_TABLE = verdicts("files", "rules")


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
    _, errors = process.communicate(timeout=480)
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
import sys
from seed_platform.policy import Policy
from seed_platform.steps.lines import REPOSITORY_LINE
from support import run_flow
policy = Policy.model_validate_json(sys.argv[2])
for spec in sys.argv[3:]:
    run_flow(sys.argv[1], [spec], policy=policy, steps=REPOSITORY_LINE.steps)
"""


def test_the_whole_flow_gives_the_same_rows_on_s3_as_in_a_folder(bucket: str, lake_root: str, tmp_path: Path):
    text, policy = python_source(1, 60), Policy(commit_gate=CommitGatePolicy(commits=0, active_days=0))
    first = {"a.py": text, "copy.py": text, "bad.py": "def (:\n", "empty.py": "", "data.bin": b"\0\1"}
    make_repository(tmp_path / "one", first)
    make_repository(tmp_path / "two", {"b.py": text, "c.py": edited(text, [5, 30]), "d.py": python_source(2, 40)})
    specs = [str(tmp_path / "one"), str(tmp_path / "two")]
    process = _python(_FLOW, f"{bucket}/lake", policy.model_dump_json(), *specs)
    for spec in specs:
        run_flow(lake_root, [spec], policy=policy, steps=REPOSITORY_LINE.steps)
    _finish(process)
    questions = (
        "SELECT * FROM file_level ORDER BY batch, ordinal",
        "SELECT * EXCLUDE run_id FROM verdicts ORDER BY batch, kind, ordinal, filter",
        "SELECT * FROM files ORDER BY batch, ordinal",
        "SELECT * FROM repository_sequences ORDER BY batch, ordinal",
        "SELECT * FROM commits ORDER BY batch, ordinal",
    )
    answers = []
    for root in (lake_root, f"{bucket}/lake"):
        with views(root) as connection:
            answers.append([json.dumps(connection.execute(each).fetchall(), default=str) for each in questions])
    assert answers[0] == answers[1]
    assert [len(json.loads(answer)) for answer in (answers[0][0], *answers[0][3:])] == [2, 2, 2]


_CRAWL = """
import sys
from crawl_world import POLICY
from support import run_crawl
for lake, *specs in (line.split() for line in sys.argv[1:]):
    for name, spec in zip(("first", "second"), specs):
        run_crawl(lake, [spec], policy=POLICY, name=name)
"""


def test_a_crawl_gives_the_same_rows_from_s3_as_from_disk_and_in_a_lake_on_s3(
    bucket: str, lake_root: str, tmp_path: Path
):
    files = world(tmp_path / "crawl")
    storage = Storage(bucket)
    for name, file in zip(("first", "second"), files, strict=True):
        with storage.open(f"crawl/{name}/{file.name}", "wb") as out:
            out.write(file.read_bytes())
        with storage.open(f"crawl/{name}/notes.txt", "wb") as out:
            out.write(b"not a crawl file")
    from_s3 = f"{tmp_path}/from_s3 {bucket}/crawl/first/ {bucket}/crawl/second/{files[1].name}"
    process = _python(_CRAWL, from_s3, f"{bucket}/lake {files[0]}")
    for name, file in zip(("first", "second"), files, strict=True):
        run_crawl(lake_root, [file], policy=POLICY, name=name)
    _finish(process)
    questions = (
        "SELECT * FROM pages ORDER BY batch, ordinal",
        "SELECT * EXCLUDE run_id FROM verdicts ORDER BY batch, kind, ordinal, filter",
        "SELECT * FROM web ORDER BY batch, ordinal",
        "SELECT * EXCLUDE spec FROM crawl_files ORDER BY batch, ordinal",
        "SELECT * EXCLUDE spec FROM rejections ORDER BY batch, path",
    )
    answers = []
    for root in (lake_root, str(tmp_path / "from_s3"), f"{bucket}/lake"):
        with views(root) as connection:
            answers.append([connection.execute(question).fetchall() for question in questions])
    assert answers[0] == answers[1]
    of_first = [[row for row in rows if "first" in row] for rows in answers[0]]
    assert of_first == answers[2]
    assert all(of_first)
