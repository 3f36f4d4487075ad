"""The unmodified Fuel client drives a live server: a whole story with log-in, and every command without."""

from __future__ import annotations

import os
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User

from deployments.models import Cluster, Node, Release
from fuelweb import system
from fuelweb.supervisor import Supervisor
from history.models import Transaction
from tests.acceptance.fuel_client import FuelClient, install

pytestmark = pytest.mark.slow

ROLES = {name: {"name": name.title(), "description": "", "conflicts": []} for name in ("compute", "cinder")}
PROVISION = {
    "name": "provisioning",
    "tasks": [{"id": "install", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true", "retries": 0}}],
    "on_success": {"node_attributes": {"status": "provisioned", "pending_addition": False}},
}


def tasks(seconds: float) -> list[dict[str, object]]:
    """`slow` on every node, then `last`; and one task that matches no node."""
    slow = {"id": "slow", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": f"sleep {seconds}", "retries": 0}}
    last = {**slow, "id": "last", "requires": ["slow"], "parameters": {"cmd": "true", "retries": 0}}
    return [slow, last, {**slow, "id": "nowhere", "role": ["nobody"]}]


@pytest.fixture
def serve(system_env: dict[str, str], clean_redis: str, tmp_path: Path) -> Iterator[Callable[..., FuelClient]]:
    """Brings the whole system up, pages included; the client that talks to it."""
    programs = install()
    supervisor = Supervisor(tmp_path / "logs", print, tmp_path / "processes")

    def start(*, auth_required: bool) -> FuelClient:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        env = {**system_env, "FUELWEB_HOME": os.environ["FUELWEB_HOME"], "FUELWEB_AUTH_REQUIRED": str(auth_required).lower()}
        for child in system.children(settings.BASE_DIR, tmp_path, port, env):
            supervisor.start(child)
        _until(lambda: _answers(port))
        folder = tmp_path / "client"
        folder.mkdir()
        return FuelClient(programs, port, folder)

    try:
        yield start
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


def test_the_whole_story(serve: Callable[..., FuelClient], release: Release) -> None:
    client = serve(auth_required=True)
    client.fuel2(f"env create -r {release.id} story")
    env = Cluster.objects.get(name="story").id
    assert client.fuel2(f"env add nodes -e {env} -n 1 2 -r compute cinder") == (
        f"Nodes [1, 2] were added to the environment {env} with roles ['compute', 'cinder']\n"
    )
    _upload(client, env, "provision", PROVISION)
    _upload(client, env, "default", tasks(10))

    said = client.fuel2(f"env deploy {env}")
    first = Transaction.objects.get(parent=None, name="deploy").id
    assert said == f"Deployment task with id {first} for the environment {env} has been started.\n"
    assert "409 Client Error" in client.fuel2(f"env deploy {env}", status=1)
    _until(lambda: _runs(client, first).get(("slow", "1")) == "running")
    said = client.fuel2(f"env stop-deployment {env}")
    stop = Transaction.objects.get(name="stop_deployment").id
    assert said == f"Stop deployment task with id {stop} for the environment {env} has been started.\n"
    _over(client, first, "stopped")
    assert client.read(f"env show {env}")["status"] == "partially_deployed"

    runs = _runs(client, first, "--nodes", "1,2", "--statuses", "pending", "skipped")
    assert set(runs.values()) <= {"pending", "skipped"}
    assert runs[("last", "1")] == runs[("last", "2")] == "pending"
    shown = client.fuel(f"deployment-tasks --task-id {first} --node-id 1,2 --status error,ready")
    assert "install" in shown and "last" not in shown

    _upload(client, env, "default", tasks(0))
    client.fuel2(f"env deploy {env}")
    second = Transaction.objects.filter(parent=None, name="deploy").latest("id").id
    _over(client, second, "ready")
    runs = _runs(client, second)
    assert runs[("last", "1")] == runs[("last", "2")] == "ready"
    assert runs[("nowhere", "-")] == "skipped"
    assert {node["status"] for node in client.read(f"node list -e {env}")} == {"ready"}
    assert client.read(f"env show {env}")["status"] == "operational"
    assert Transaction.objects.get(id=second).actor == "admin"


def test_every_command(serve: Callable[..., FuelClient], release: Release) -> None:
    client = serve(auth_required=False)
    env = _environments(client, release)
    _nodes(client, env)
    _graphs(client, env, release)
    transaction = _work(client, env)
    _transactions(client, env, transaction)
    _sequences(client, env, release)
    _older(client, env, release)
    _ends(client, env)


def test_further_ways_to_say_it(serve: Callable[..., FuelClient], release: Release) -> None:
    client = serve(auth_required=False)
    client.fuel(f"env create --name older --rel {release.id}")
    env = Cluster.objects.get(name="older").id
    client.fuel2(f"env add nodes -e {env} -n 1 2 -r compute")
    folder = client.folder / "graph"
    folder.mkdir()
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"name": "from a folder", "node_filter": "$.pending_addition"}), encoding="utf-8")
    (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks(8)), encoding="utf-8")
    client.fuel2(f"graph upload -e {env} -t default -d graph")
    assert client.read(f"graph list -e {env} --cluster")[0]["name"] == "from a folder"
    (client.folder / "sequence.yaml").write_text(yaml.safe_dump({"name": "s", "graphs": [{"type": "default"}]}), encoding="utf-8")
    client.fuel2(f"sequence upload -r {release.id} --file sequence.yaml")
    assert [row["name"] for row in client.read(f"sequence list -r {release.id}")] == ["s"]

    client.fuel(f"--env {env} deploy-changes")
    _until(lambda: _runs(client, _newest()).get(("slow", "1")) == "running")
    said = client.fuel(f"--env {env} stop")
    stop = Transaction.objects.get(name="stop_deployment").id
    assert f"Stop task of environment with id={env} started. To check task status run 'fuel task --tid {stop}'." in said
    _over(client, _newest(), "stopped")
    assert client.fuel(f"--env {env} reset")
    client.fuel2(f"env remove nodes -e {env} --nodes-all")
    assert not Node.objects.filter(cluster=env).exists()


def _environments(client: FuelClient, release: Release) -> int:
    client.fuel2(f"env create -r {release.id} first")
    env = Cluster.objects.get(name="first").id
    assert client.read("env list") == [{"id": env, "status": "new", "name": "first", "release_id": release.id}]
    client.fuel2(f"env update -n renamed {env}")
    assert client.read(f"env show {env}")["name"] == "renamed"
    assert [row["name"] for row in client.read("release list")] == ["Small"]
    assert {row["name"] for row in client.read(f"role list -r {release.id}")} == {"compute", "cinder"}
    assert {row["name"] for row in client.read(f"role list -e {env}")} == {"compute", "cinder"}
    client.fuel2(f"env settings download -f yaml {env}")
    file = client.folder / f"environment_{env}" / "settings.yaml"
    file.write_text(yaml.safe_dump({"editable": {"common": {"debug": {"value": True}}}}), encoding="utf-8")
    client.fuel2(f"env settings upload -f yaml {env}")
    assert Cluster.objects.get(id=env).settings == {"common": {"debug": {"value": True}}}
    assert "release" in client.fuel2("fuel-version")
    return env


def _nodes(client: FuelClient, env: int) -> None:
    assert {row["id"] for row in client.read("node list")} == {1, 2}
    said = client.fuel2(f"env add nodes -e {env} -n 1 2 -r compute cinder")
    assert said == f"Nodes [1, 2] were added to the environment {env} with roles ['compute', 'cinder']\n"
    assert client.read(f"node list -e {env}")[0]["cluster"] == env
    client.fuel2("node update -H one --name uno 1")
    assert client.read("node show 1")["name"] == "uno"
    client.fuel2("node label set -n 1 -l rack=7")
    assert [row["id"] for row in client.read("node list -l rack=7")] == [1]
    assert client.read("node label list -n 1") == [{"node_id": 1, "label_name": "rack", "label_value": "7"}]
    client.fuel2("node label delete -n 1 -l rack")
    Node.objects.create(uid="9", mac="00:00:00:00:00:09")
    client.fuel2("node undiscover --force -n 9")
    assert not Node.objects.filter(uid="9").exists()
    Node.objects.create(uid="8", mac="00:00:00:00:00:08")
    client.fuel2(f"env add nodes -e {env} -n 8 -r compute")
    assert "were removed" in client.fuel2(f"env remove nodes -e {env} -n 8")
    assert Node.objects.get(uid="8").cluster is None


def _graphs(client: FuelClient, env: int, release: Release) -> None:
    _upload(client, env, "default", tasks(0))
    _upload(client, env, "provision", PROVISION)
    _upload(client, env, "custom", tasks(0))
    _upload(client, env, "custom", tasks(0))
    (client.folder / "release.yaml").write_text(yaml.safe_dump([{"id": "base", "type": "stage"}]), encoding="utf-8")
    client.fuel2(f"graph upload -r {release.id} -t default -f release.yaml")
    assert {row["tasks"] for row in client.read("graph list")} >= {"base", "install"}
    for level in ("", "--cluster", "--release", "--plugins"):
        client.read(f"graph list -e {env} {level}")
    for flag, count in (("-a", 4), ("-c", 3), ("-r", 1), ("-p", 0)):
        client.fuel2(f"graph download -e {env} {flag} -t default -f out.yaml")
        assert len(yaml.safe_load((client.folder / "out.yaml").read_text()) or []) == count
    assert client.fuel2(f"graph delete -e {env} -t custom") == f"Deployment graph 'custom' for environment with id {env} was deleted.\n"
    assert "404 Client Error" in client.fuel2(f"graph delete -e {env} -t custom", status=1)


def _work(client: FuelClient, env: int) -> int:
    said = client.fuel2(f"env nodes provision -e {env} -n 1 2")
    assert said == f"Provisioning task with id {_newest()} for the nodes 1, 2 within the environment {env} has been started.\n"
    _over(client, _newest(), "ready")
    said = client.fuel2(f"env nodes deploy -e {env} -n 1 2 -f")
    assert said == f"Deployment task with id {_newest()} for the nodes 1, 2 within the environment {env} has been started.\n"
    _over(client, _newest(), "ready")
    for command in ("env deploy --dry-run", "env redeploy", "env deploy --noop"):
        assert client.fuel2(f"{command} {env}") == f"Deployment task with id {_newest()} for the environment {env} has been started.\n"
        _over(client, _newest(), "ready")
    said = client.fuel2(f"graph execute -e {env} -t provision default -n 1 2 -T install slow --force")
    assert said.startswith("Deployment task with id")
    return _newest()


def _transactions(client: FuelClient, env: int, transaction: int) -> None:
    assert client.read(f"task show {transaction}")["name"] == "deploy"
    rows = client.read(f"task list -e {env} -t ready -n deployment")
    assert rows and {row["name"] for row in rows} == {"deployment"}
    done = Transaction.objects.filter(parent=None, name="deploy", status="ready", dry_run=False, noop=False).latest("id").id
    assert client.fuel2(f"task history show {done} --include-summary -d slow -p")
    for what, file in (
        ("deployment-info", "deployment_info"),
        ("settings", "cluster_settings"),
        ("network-configuration", "network_configuration"),
    ):
        client.fuel2(f"task {what} download {done}")
        assert (client.folder / f"{file}_{done}.yaml").exists()
    client.fuel2(f"env deployment-facts download -e {env} -f yaml")
    assert client.fuel2(f"task delete -f {done}") == f"Task with id {done} was deleted\n"
    assert client.read(f"task history show {done}")


def _sequences(client: FuelClient, env: int, release: Release) -> None:
    client.fuel2(f"sequence create -r {release.id} -n both -t provision default")
    (sequence,) = client.read(f"sequence list -r {release.id}")
    assert client.read(f"sequence list -e {env}") == [sequence]
    number = sequence["id"]
    client.fuel2(f"sequence update {number} -t default")
    assert client.read(f"sequence show {number}")["graphs"] == "default"
    client.fuel2(f"sequence download {number}")
    _until(lambda: not Transaction.objects.filter(parent=None, name="deploy", status__in=("pending", "running")).exists())
    assert client.fuel2(f"sequence execute -e {env} {number}").startswith("Deployment task with id")
    _over(client, _newest(), "ready")
    client.fuel2(f"sequence delete {number}")
    assert client.read(f"sequence list -r {release.id}") == []


def _older(client: FuelClient, env: int, release: Release) -> None:
    assert "renamed" in client.fuel("env")
    assert "Small" in client.fuel("release")
    assert "topic" in client.fuel("notifications")
    assert client.fuel("fuel-version")
    client.fuel(f"rel --rel {release.id} --deployment-tasks --download --dir .")
    client.fuel(f"rel --rel {release.id} --deployment-tasks --upload --dir .")
    client.fuel(f"--env {env} env --deployment-tasks --download --dir .")
    client.fuel(f"--env {env} env --deployment-tasks --upload --dir .")
    assert "digraph" in client.fuel(f"graph --env {env} --download --tasks slow")
    client.fuel("node --node 1,2 --tasks slow last")
    _over(client, _newest(), "ready")
    client.fuel("node --node 1 --deploy")
    _over(client, _newest(), "ready")
    assert client.fuel(f"--env {env} redeploy-changes --dry-run")
    _over(client, _newest(), "ready")


def _ends(client: FuelClient, env: int) -> None:
    assert "Nothing to stop" in client.fuel2(f"env stop-deployment {env}", status=1)
    said = client.fuel2(f"env reset {env}")
    reset = Transaction.objects.get(name="reset_environment").id
    assert said == f"Reset task with id {reset} for the environment {env} has been started.\n"
    assert client.fuel2(f"env delete -f {env}") == f"Environment with id {env} was deleted\n"
    assert client.read("env list") == []


def _newest() -> int:
    """The newest request to deploy."""
    return Transaction.objects.filter(parent=None, name="deploy").latest("id").id


def _upload(client: FuelClient, env: int, kind: str, graph: object) -> None:
    (client.folder / "graph.yaml").write_text(yaml.safe_dump(graph), encoding="utf-8")
    assert client.fuel2(f"graph upload -e {env} -t {kind} -f graph.yaml") == "Deployment graph was successfully uploaded.\n"


def _runs(client: FuelClient, transaction: int, *filters: str) -> dict[tuple[str, str], str]:
    """(task, node) → status."""
    rows = client.read(f"task history show {transaction}", *filters)
    return {(row["task_name"], row["node_id"]): row["status"] for row in rows}


def _over(client: FuelClient, transaction: int, status: str) -> None:
    _until(lambda: client.read(f"task show {transaction}")["status"] not in ("pending", "running"))
    shown = client.read(f"task show {transaction}")
    assert shown["status"] == status, shown


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.2)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
