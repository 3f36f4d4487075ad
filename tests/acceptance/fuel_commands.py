"""Every command of the Fuel client whose resource this system has, chapter by chapter, on one environment."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from deployments.models import Cluster, Node, Release
from history.models import Transaction
from tests.acceptance.fuel_client import FuelClient

PROVISION = {
    "name": "provisioning",
    "tasks": [{"id": "install", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true", "retries": 0}}],
    "on_success": {"node_attributes": {"status": "provisioned", "pending_addition": False}},
}
_PATIENCE = 120.0


def tasks(until: Path | None = None) -> list[dict[str, object]]:
    """`slow` on every node, which takes until that file is there, then `last`; and one task that matches no node."""
    command = f"while [ ! -e '{until}' ]; do sleep 0.1; done" if until else "true"
    slow = {"id": "slow", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": command, "retries": 0}}
    last = {**slow, "id": "last", "requires": ["slow"], "parameters": {"cmd": "true", "retries": 0}}
    return [slow, last, {**slow, "id": "nowhere", "role": ["nobody"]}]


def every_command(client: FuelClient, release: Release) -> None:
    """From the first environment until there is none any more."""
    env = environments(client, release)
    nodes(client, env)
    graphs(client, env, release)
    provisioning(client, env)
    deploying(client, env)
    transactions(client, env)
    sequences(client, env, release)
    older_to_read(client, env, release)
    older_to_run(client, env)
    further_ways(client, env, release)
    ends(client, env)


def environments(client: FuelClient, release: Release) -> int:
    """`env`, `release`, `role`, settings, version; the environment that all others work on."""
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
    client.fuel(f"env create --name older --rel {release.id}")
    assert client.fuel2(f"env delete {Cluster.objects.get(name='older').id}").endswith(" was deleted\n")
    return env


def nodes(client: FuelClient, env: int) -> None:
    """`node`, its labels, and who belongs to the environment."""
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


def graphs(client: FuelClient, env: int, release: Release) -> None:
    """`graph upload`, `list`, `download`, `delete`."""
    for kind, graph in (("default", tasks()), ("provision", PROVISION), ("custom", tasks()), ("custom", tasks())):
        upload(client, env, kind, graph)
    (client.folder / "release.yaml").write_text(yaml.safe_dump([{"id": "base", "type": "stage"}]), encoding="utf-8")
    for kind in ("default", "other"):
        client.fuel2(f"graph upload -r {release.id} -t {kind} -f release.yaml")
    assert {row["tasks"] for row in client.read("graph list")} >= {"base", "install"}
    for level in ("", "--cluster", "--release", "--plugins"):
        client.read(f"graph list -e {env} {level}")
    for flag, count in (("-a", 4), ("-c", 3), ("-r", 1), ("-p", 0)):
        client.fuel2(f"graph download -e {env} {flag} -t default -f out.yaml")
        assert len(yaml.safe_load((client.folder / "out.yaml").read_text()) or []) == count
    assert client.fuel2(f"graph delete -e {env} -t custom") == f"Deployment graph 'custom' for environment with id {env} was deleted.\n"
    assert "404 Client Error" in client.fuel2(f"graph delete -e {env} -t custom", status=1)
    assert client.fuel2(f"graph delete -r {release.id} -t other").endswith(f"release with id {release.id} was deleted.\n")


def provisioning(client: FuelClient, env: int) -> None:
    """`env nodes provision`, and the same the older way."""
    said = client.fuel2(f"env nodes provision -e {env} -n 1 2")
    assert said == f"Provisioning task with id {newest()} for the nodes 1, 2 within the environment {env} has been started.\n"
    over("ready")
    assert "Started provisioning" in client.fuel("node --node 1,2 --provision")
    over("ready")


def deploying(client: FuelClient, env: int) -> None:
    """Everything that starts a deployment."""
    for flags in ("-f", "--noop"):
        said = client.fuel2(f"env nodes deploy -e {env} -n 1 2 {flags}")
        assert said == f"Deployment task with id {newest()} for the nodes 1, 2 within the environment {env} has been started.\n"
        over("ready")
    for command in ("env deploy --dry-run", "env redeploy", "env deploy --noop"):
        assert client.fuel2(f"{command} {env}") == f"Deployment task with id {newest()} for the environment {env} has been started.\n"
        over("ready")
    said = client.fuel2(f"graph execute -e {env} -t provision default -n 1 2 -T install slow --force --trace")
    assert said == f"Deployment task with id {newest()} for the environment {env} has been started.\n"
    over("ready")
    said = client.fuel2(f"graph execute -e {env} -t default -S slow/1:last --dry-run --format json")
    assert json.loads(said)["id"] == newest()
    over("ready")


def transactions(client: FuelClient, env: int) -> None:
    """`task`."""
    done = Transaction.objects.filter(parent=None, name="deploy", status="ready", dry_run=False, noop=False).latest("id").id
    assert client.read(f"task show {done}")["name"] == "deploy"
    rows = client.read(f"task list -e {env} -t ready -n deployment")
    assert rows and {row["name"] for row in rows} == {"deployment"}
    assert "status_by_node" in client.fuel2(f"task history show {done} --include-summary -d slow -p")
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


def sequences(client: FuelClient, env: int, release: Release) -> None:
    """`sequence`."""
    client.fuel2(f"sequence create -r {release.id} -n both -t provision default")
    (sequence,) = client.read(f"sequence list -r {release.id}")
    assert client.read(f"sequence list -e {env}") == [sequence]
    number = sequence["id"]
    client.fuel2(f"sequence update {number} -t default")
    assert client.read(f"sequence show {number}")["graphs"] == "default"
    client.fuel2(f"sequence download {number}")
    for flags in ("--dry-run", "--noop --force --trace"):
        said = client.fuel2(f"sequence execute -e {env} {number} {flags}")
        assert said == f"Deployment task with id {newest()} for the environment {env} has been started.\n"
        over("ready")
    client.fuel2(f"sequence delete {number}")
    assert client.read(f"sequence list -r {release.id}") == []
    (client.folder / "sequence.yaml").write_text(yaml.safe_dump({"name": "s", "graphs": [{"type": "default"}]}), encoding="utf-8")
    client.fuel2(f"sequence upload -r {release.id} --file sequence.yaml")
    assert [row["name"] for row in client.read(f"sequence list -r {release.id}")] == ["s"]


def older_to_read(client: FuelClient, env: int, release: Release) -> None:
    """`fuel …` as far as it reads and writes tasks."""
    assert "renamed" in client.fuel("env")
    assert "Small" in client.fuel("release")
    assert "topic" in client.fuel("notifications")
    assert "api" in client.fuel("fuel-version")
    if client.log_in:
        assert len(client.fuel("token").strip()) > 20
    client.fuel(f"rel --rel {release.id} --deployment-tasks --download --dir .")
    client.fuel(f"rel --rel {release.id} --deployment-tasks --upload --dir .")
    puppet = client.folder / "puppet" / release.version
    puppet.mkdir(parents=True)
    (puppet / "tasks.yaml").write_text(yaml.safe_dump([{"id": "base", "type": "stage"}]), encoding="utf-8")
    said = client.fuel("rel --sync-deployment-tasks --dir puppet")
    assert f"Deployment tasks synchronized for release {release.name} of version {release.version}" in said
    client.fuel(f"--env {env} env --deployment-tasks --download --dir .")
    client.fuel(f"--env {env} env --deployment-tasks --upload --dir .")
    assert "digraph" in client.fuel(f"graph --env {env} --download --tasks slow")
    drawn = client.fuel(f"graph --env {env} --download --parents-for last --remove stage")
    assert '"slow" -> "last"' in drawn and "nowhere" not in drawn


def older_to_run(client: FuelClient, env: int) -> None:
    """`fuel …` as far as it starts something."""
    for flags in ("", "--force", "--noop"):
        assert "Started tasks" in client.fuel(f"node --node 1,2 --tasks slow last {flags}")
        over("ready")
    said = client.fuel("node --node 1 --start slow --end last", status=1)
    assert 'Both "start" and "end" parameters are not allowed for task-based deployment.' in said
    assert "Started tasks" in client.fuel("node --node 1 --skip slow")
    over("ready")
    assert "Started deploying" in client.fuel("node --node 1 --deploy")
    over("ready")
    for command in ("deploy-changes --dry-run", "redeploy-changes --dry-run"):
        assert client.fuel(f"--env {env} {command}")
        over("ready")


def further_ways(client: FuelClient, env: int, release: Release) -> None:
    """A graph that is a folder; deploy, stop and reset the older way; the nodes leave all at once."""
    folder, gate = client.folder / "graph", client.folder / "gate"
    folder.mkdir()
    (folder / "metadata.yaml").write_text(yaml.safe_dump({"name": "from a folder", "node_filter": "$.status = ready"}), encoding="utf-8")
    (folder / "tasks.yaml").write_text(yaml.safe_dump(tasks(gate)), encoding="utf-8")
    client.fuel2(f"graph upload -e {env} -t default -d graph")
    assert "from a folder" in {row["name"] for row in client.read(f"graph list -e {env} --cluster")}
    client.fuel(f"--env {env} deploy-changes")
    until(lambda: client.runs(newest()).get(("slow", "1")) == "running")
    said = client.fuel(f"--env {env} stop")
    stop = Transaction.objects.filter(name="stop_deployment").latest("id").id
    assert f"Stop task of environment with id={env} started. To check task status run 'fuel task --tid {stop}'." in said
    gate.touch()
    over("stopped")
    assert client.fuel(f"--env {env} reset")
    client.fuel2(f"env remove nodes -e {env} --nodes-all")
    assert not Node.objects.filter(cluster=env).exists()


def ends(client: FuelClient, env: int) -> None:
    """Nothing to stop; reset and delete."""
    assert "Nothing to stop" in client.fuel2(f"env stop-deployment {env}", status=1)
    said = client.fuel2(f"env reset {env}")
    reset = Transaction.objects.filter(name="reset_environment").latest("id").id
    assert said == f"Reset task with id {reset} for the environment {env} has been started.\n"
    assert client.fuel2(f"env delete -f {env}") == f"Environment with id {env} was deleted\n"
    assert client.read("env list") == []


def newest() -> int:
    """The newest request to deploy."""
    return Transaction.objects.filter(parent=None, name="deploy").latest("id").id


def over(status: str) -> None:
    """Wait for the newest deployment's end, which must be this."""
    row = Transaction.objects.get(id=newest())
    until(lambda: Transaction.objects.filter(id=row.id).exclude(status__in=("pending", "running")).exists())
    row.refresh_from_db()
    assert row.status == status, row.message


def upload(client: FuelClient, env: int, kind: str, graph: object) -> None:
    """Give the environment a graph."""
    (client.folder / "graph.yaml").write_text(yaml.safe_dump(graph), encoding="utf-8")
    assert client.fuel2(f"graph upload -e {env} -t {kind} -f graph.yaml") == "Deployment graph was successfully uploaded.\n"


def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.1)
