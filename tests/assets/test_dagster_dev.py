"""`seed ui` for real: webserver, code server and daemon as processes, asked over GraphQL as the browser asks."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import lake_of, make_repository, python_source, settings_of

from seed_platform.batches import add_batch, pin_sources
from seed_platform.lake.schemas import FILES
from seed_platform.steps.read import limits_of

_STARTS_WITHIN, _RUNS_WITHIN = 60.0, 60.0

_LOCATIONS = """
{ workspaceOrError { __typename ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
  __typename ... on RepositoryLocation { repositories { name } } ... on PythonError { message } } } } } }
"""
_ASSETS = "{ assetNodes { assetKey { path } isPartitioned } }"
_PARTITIONS = '{ assetNodes(assetKeys: [{path: ["github", "files"]}]) { partitionKeysByDimension { partitionKeys } } }'
_LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_MATERIALIZATION = """
{ assetOrError(assetKey: {path: ["github", "files"]}) { ... on Asset { assetMaterializations(limit: 1) {
  partition metadataEntries {
    label ... on IntMetadataEntry { intValue } ... on BoolMetadataEntry { boolValue } } } } } }
"""


@dataclass(frozen=True)
class Server:
    """A running deployment."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    root: str

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        assert not answer.get("errors"), answer
        return dict(answer["data"])

    def wait(self, what: Callable[[], Any], seconds: float) -> Any:  # noqa: ANN401 - whatever `what` gives
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                found = what()
                if found:
                    return found
            time.sleep(0.25)
        raise AssertionError(f"nothing within {seconds} s:\n{self.log.read_text()[-4000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end as Ctrl-C does, then end whatever of it is left."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=10)
    _, alive = psutil.wait_procs(family, timeout=3)
    for each in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait(timeout=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """`seed ui` on a lake with one batch, on a free port of the loopback, in a process group of its own."""
    root, log = str(tmp_path / "lake"), tmp_path / "log"
    make_repository(tmp_path / "project", {"a.py": python_source(1, 20), "b.py": "def f(:\n"})
    settings = settings_of(root)
    add_batch(lake_of(settings), pin_sources([str(tmp_path / "project")], limits_of(settings), {}), name="only")
    port = _free_port()
    command = [sys.executable, "-m", "seed_platform", "ui", "--port", str(port), "--lake", root]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield Server(f"http://127.0.0.1:{port}", process, log, root)
    finally:
        _end(process)


def _partition_keys(server: Server) -> list[str]:
    (node,) = server.ask(_PARTITIONS)["assetNodes"]
    return [key for dimension in node["partitionKeysByDimension"] for key in dimension["partitionKeys"]]


def _launch(server: Server, location: str, repository: str) -> str:
    assets = [{"path": ["github", "repositories"]}, {"path": ["github", "files"]}]
    launched = server.ask(
        _LAUNCH,
        params={
            "selector": {
                "repositoryLocationName": location,
                "repositoryName": repository,
                "jobName": "__ASSET_JOB",
                "assetSelection": assets,
                "assetCheckSelection": None,
            },
            "runConfigData": {},
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "only"}]},
        },
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def test_the_ui_loads_the_graph_finds_the_batch_and_materializes_it(server: Server):
    server.wait(lambda: server.ask("{ version }"), _STARTS_WITHIN)
    (entry,) = server.wait(lambda: server.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"], 30)
    assert entry["locationOrLoadError"]["__typename"] == "RepositoryLocation", entry
    (repository,) = entry["locationOrLoadError"]["repositories"]

    assets = {"/".join(node["assetKey"]["path"]): node["isPartitioned"] for node in server.ask(_ASSETS)["assetNodes"]}
    assert assets["github/files"] is True
    assert assets["corpora/file_level"] is True
    assert assets["reports/file_level_funnel"] is False
    assert (Path(server.root) / "_dagster" / "dagster.yaml").is_file()

    # The sensor that runs in the daemon makes a partition of the batch; nobody has to.
    assert server.wait(lambda: _partition_keys(server), 30) == ["only"]

    run_id = _launch(server, entry["name"], repository["name"])
    finished = ("SUCCESS", "FAILURE", "CANCELED")
    status = server.wait(
        lambda: next((s for s in [server.ask(_STATUS, id=run_id)["runOrError"]["status"]] if s in finished), None),
        _RUNS_WITHIN,
    )
    assert status == "SUCCESS", server.log.read_text()[-4000:]

    (recorded,) = server.ask(_MATERIALIZATION)["assetOrError"]["assetMaterializations"]
    values = {entry["label"]: entry.get("intValue", entry.get("boolValue")) for entry in recorded["metadataEntries"]}
    assert recorded["partition"] == "only"
    assert (values["seen"], values["kept"], values["computed"]) == (2, 2, True)
    assert sum(part.rows for part in lake_of(settings_of(server.root)).parts(FILES)) == 2
