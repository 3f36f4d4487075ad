"""A server whose whole folder (database, Redis, logs, agents' memory) has no byte left for a while: it goes on by itself."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.acceptance.test_server import System
from tests.disks import SmallDisk, small_disk

LONG = 240.0
FULL_SECONDS = 15.0
"""Long enough for everybody to stumble: Redis refuses writes a second after its file can't grow."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 32_000) as disk:
        yield disk


@pytest.fixture
def system(tmp_path: Path, disk: SmallDisk) -> Iterator[System]:
    system = System(disk.folder / "home")
    yield system
    for pid in [*system.processes(), *([system.server.pid] if system.server and system.server.poll() is None else [])]:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            continue


def test_a_server_on_a_full_disk_goes_on_when_there_is_room(system: System, disk: SmallDisk, tmp_path: Path) -> None:
    # Where it prints stands outside: it must not end for want of a place to say so.
    system.start()
    cluster = {
        "name": "full", "release": {"name": "full", "version": "1"},
        "nodes": [{"uid": f"f{number}", "roles": ["web"]} for number in (1, 2)],
    }  # fmt: skip
    one = {"type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "sleep 0.5; echo $FUELWEB_TASK >> ran", "retries": 0}}
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump(cluster))
    (tmp_path / "graph.yaml").write_text(yaml.safe_dump([{**one, "id": f"t{number:02}"} for number in range(30)]))
    system.manage("load_cluster", str(tmp_path / "cluster.yaml"))
    system.manage("graph", "upload", "--cluster", "full", str(tmp_path / "graph.yaml"))
    system.manage("deploy", "full")
    until(lambda: progress(system) >= 10)

    disk.fill()
    time.sleep(FULL_SECONDS)
    disk.free()

    until(lambda: progress(system) == 100)
    (parent,) = [row for row in rows(system) if row["parent"] is None]
    assert parent["status"] == "ready", system.manage("failures", "1")
    assert "0 findings" in system.manage("verify", str(parent["id"]))
    for number in (1, 2):
        (ran,) = disk.folder.glob(f"home/**/f{number}/ran")
        assert ran.read_text().split() == [f"t{number:02}" for number in range(30)], "each task ran exactly once"
    assert system.server is not None
    assert system.server.poll() is None
    system.interrupt()
    assert system.wait() == 0


def rows(system: System) -> list[dict[str, object]]:
    return json.loads(system.manage("transactions", "list", "--format", "json"))  # type: ignore[no-any-return]


def progress(system: System) -> int:
    return int(next(str(row["progress"]) for row in rows(system) if row["parent"] is None))


def until(condition: object) -> None:
    deadline = time.monotonic() + LONG
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.5)
