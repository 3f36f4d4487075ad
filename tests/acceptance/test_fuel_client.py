"""The unmodified Fuel client drives a live server, with log-in and without: a whole story, and every command."""

from __future__ import annotations

import os
import socket
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from deployments.models import Cluster, Node, Release
from fuelweb import system
from fuelweb.supervisor import Supervisor
from history.models import Transaction
from tests.acceptance.fuel_client import FuelClient, install
from tests.acceptance.fuel_commands import PROVISION, every_command, newest, over, tasks, until, upload

pytestmark = pytest.mark.slow

ROLES = {name: {"name": name.title(), "description": "", "conflicts": []} for name in ("compute", "cinder")}


@pytest.fixture(params=[True, False], ids=["log-in", "no-log-in"])
def client(request: pytest.FixtureRequest, system_env: dict[str, str], clean_redis: str, tmp_path: Path) -> Iterator[FuelClient]:
    """The client, and the whole system that it talks to, pages included."""
    programs = install()
    supervisor = Supervisor(tmp_path / "logs", print, tmp_path / "processes")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    env = {**system_env, "FUELWEB_HOME": os.environ["FUELWEB_HOME"], "FUELWEB_AUTH_REQUIRED": str(request.param).lower()}
    folder = tmp_path / "client"
    folder.mkdir()
    try:
        for child in system.children(settings.BASE_DIR, tmp_path, port, env):
            supervisor.start(child)
        until(lambda: _answers(port))
        yield FuelClient(programs, port, folder, log_in=request.param)
    finally:
        supervisor.kill()
        for log in sorted((tmp_path / "logs").glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}")


@pytest.fixture
def release(transactional_db: None) -> Release:
    """A release, an account, and two machines that have announced themselves."""
    User.objects.create_superuser("admin")
    User.objects.filter(username="admin").update(password=PBKDF2PasswordHasher().encode("admin", "salt", 1000))
    for number in (1, 2):
        Node.objects.create(uid=str(number), mac=f"00:00:00:00:00:0{number}", name=f"node-{number}")
    return Release.objects.create(name="Small", version="small-10.0", roles_metadata=ROLES, operating_system="Ubuntu")


def test_the_whole_story_and_every_command(client: FuelClient, release: Release) -> None:
    # In one test, since a system takes longer to come up than most chapters.
    env = _the_whole_story(client, release)
    if client.log_in:
        assert "requires authentication" in replace(client, password="wrong").fuel2("env list", status=1)
    assert {node["status"] for node in client.read(f"node list -e {env}")} == {"ready"}
    client.fuel2(f"env reset {env}")
    client.fuel2(f"env delete -f {env}")
    every_command(client, release)


def _the_whole_story(client: FuelClient, release: Release) -> int:
    gate = client.folder / "story goes on"
    client.fuel2(f"env create -r {release.id} story")
    env = Cluster.objects.get(name="story").id
    client.fuel2(f"env add nodes -e {env} -n 1 2 -r compute cinder")
    upload(client, env, "provision", PROVISION)
    upload(client, env, "default", tasks(gate))

    said = client.fuel2(f"env deploy {env}")
    first = newest()
    assert said == f"Deployment task with id {first} for the environment {env} has been started.\n"
    assert "409 Client Error" in client.fuel2(f"env deploy {env}", status=1)
    until(lambda: client.runs(first).get(("slow", "1")) == "running")
    said = client.fuel2(f"env stop-deployment {env}")
    stop = Transaction.objects.get(name="stop_deployment").id
    assert said == f"Stop deployment task with id {stop} for the environment {env} has been started.\n"
    assert "409 Client Error" in client.fuel2(f"env stop-deployment {env}", status=1)
    gate.touch()
    over("stopped")
    assert client.read(f"task show {first}")["status"] == "stopped"
    assert client.read(f"env show {env}")["status"] == "partially_deployed"

    runs = client.runs(first, "--nodes", "1,2", "--statuses", "pending", "skipped")
    assert set(runs.values()) <= {"pending", "skipped"}
    assert runs[("last", "1")] == runs[("last", "2")] == "pending"
    shown = client.fuel(f"deployment-tasks --task-id {first} --node-id 1,2 --status error,ready")
    assert "install" in shown and "last" not in shown

    client.fuel2(f"env deploy {env}")
    second = newest()
    over("ready")
    runs = client.runs(second)
    assert runs[("last", "1")] == runs[("last", "2")] == "ready"
    assert runs[("nowhere", "-")] == "skipped"
    assert client.read(f"env show {env}")["status"] == "operational"
    assert Transaction.objects.get(id=second).actor == ("admin" if client.log_in else "anyone")
    return env


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
