"""Clusters, their settings, their nodes and what can be started on them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from deployments.models import Cluster, Graph, Node, Release, Sequence
from history.models import Transaction
from tests.integration.api.conftest import TASK, body

pytestmark = pytest.mark.usefixtures("clean_redis")


def send(api: APIClient, method: str, address: str, given: Any = None, status: int = 200) -> Any:
    """The answer's data; `status` is what is expected."""
    answer = getattr(api, method)(f"/api/v1/{address}", {} if given is None else given, format="json")
    said = body(answer)
    assert answer.status_code == status, said
    return json.loads(said) if said else None


# -- clusters and settings ------------------------------------------------------------------------------------------------------
def test_a_cluster_is_made_as_the_client_asks(api: APIClient, cluster: Cluster) -> None:
    body = {"nodes": ["n3"], "tasks": [], "name": "new", "release_id": cluster.release_id, "net_segment_type": "vlan"}
    made = send(api, "post", "clusters/", body, 201)
    assert (made["status"], made["is_locked"], made["changes"]) == ("new", False, [{"name": "attributes", "node_id": None}])
    editable = send(api, "get", f"clusters/{made['id']}/attributes")["editable"]
    assert editable["common"]["debug"] == {"value": False}
    assert Node.objects.get(uid="n3").cluster_id == made["id"]
    assert send(api, "post", "clusters/", body, 409)["message"] == "Environment with this name already exists"
    more = {"name": "more", "release": cluster.release_id, "net_provider": "nova_network", "components": ["hypervisor:qemu"]}
    made = send(api, "post", "clusters/", more, 201)
    assert (made["net_provider"], made["components"]) == ("nova_network", ["hypervisor:qemu"])
    send(api, "put", f"clusters/{made['id']}/", {"net_provider": "neutron"}, 400)
    send(api, "post", "clusters/", {**more, "name": "yet another", "net_provider": "telepathy"}, 400)


def test_a_release_that_is_not_available_makes_no_cluster(api: APIClient, cluster: Cluster) -> None:
    assert send(api, "post", "clusters/", {"name": "x", "release": 10**6}, 400)["message"] == "Invalid release ID"
    cluster.release.state = "manageonly"
    cluster.release.save()
    said = send(api, "post", "clusters/", {"name": "x", "release_id": cluster.release_id}, 403)
    assert said["message"] == f"Release with ID '{cluster.release_id}' is not deployable."


def test_a_cluster_that_its_nodes_can_not_join_is_not_made(api: APIClient, cluster: Cluster) -> None:
    asked = {"name": "new", "release_id": cluster.release_id}
    for nodes, message in (
        ([4711], "Nodes with ids 4711 were not found."),
        (["n3", 1], "Nodes 1 belong to other environments: unassign them there first."),
        ({"n3": 1}, "nodes: must be a list of node ids"),
    ):
        assert send(api, "post", "clusters/", {**asked, "nodes": nodes}, 400)["message"] == message
    assert list(Cluster.objects.values_list("name", flat=True)) == ["shop"]
    assert Node.objects.get(uid="n3").cluster is None
    send(api, "post", "clusters/", {**asked, "nodes": ["n3"]}, 201)


def test_several_nodes_are_changed_together_or_not_at_all(api: APIClient, cluster: Cluster) -> None:
    send(api, "put", "nodes/", [{"id": 1, "name": "changed"}, {"id": 2, "labels": []}], 400)
    assert Node.objects.get(uid="1").name == "node-1"


def test_settings_are_changed_but_not_during_a_deployment(api: APIClient, cluster: Cluster) -> None:
    address = f"clusters/{cluster.id}/attributes"
    send(api, "put", address, {"editable": {"a": {"x": {"value": 1}, "y": {"value": 2}}}})
    send(api, "patch", address, {"editable": {"a": {"x": {"value": 3}}}})
    assert Cluster.objects.get().settings == {"a": {"x": {"value": 3}, "y": {"value": 2}}}
    assert send(api, "put", f"{address}/defaults")["editable"]["common"]["debug"] == {"value": False}
    assert send(api, "get", f"{address}/deployed", status=404)["message"] == "Cluster has no deployed configuration!"
    send(api, "put", address, {"editable": {}, "generated": {}}, 400)
    Cluster.objects.update(status="deployment")
    said = send(api, "put", address, {"editable": {"a": {}}}, 403)
    assert said["message"] == "Environment attribute 'a' couldn't be changed after or during deployment."
    send(api, "put", f"{address}?force=1", {"editable": {"a": {}}})


def test_deleting_frees_the_nodes_and_keeps_the_history(api: APIClient, cluster: Cluster) -> None:
    task = send(api, "delete", f"clusters/{cluster.id}/")
    assert (task["name"], task["status"], task["cluster"]) == ("cluster_deletion", "ready", cluster.id)
    assert not Cluster.objects.exists()
    assert set(Node.objects.values_list("cluster", "status")) == {(None, "discover")}
    assert send(api, "get", f"transactions/{task['id']}/")["actor"] == "ann"


# -- nodes join and leave -------------------------------------------------------------------------------------------------------
def test_nodes_join_and_leave(api: APIClient, cluster: Cluster) -> None:
    address = f"clusters/{cluster.id}"
    assert send(api, "post", f"{address}/assignment/", [{"id": "n3", "roles": ["db"]}]) is None
    node = Node.objects.get(uid="n3")
    assert (node.cluster_id, node.pending_roles, node.pending_addition) == (cluster.id, ["db"], True)
    send(api, "post", f"{address}/unassignment/", [{"id": "n3"}, {"id": 1}])
    assert Node.objects.get(uid="n3").cluster is None
    assert Node.objects.get(uid="1").pending_deletion


@pytest.mark.parametrize(
    ("what", "body", "message"),
    [
        ("assignment", [{"id": 9, "roles": ["web"]}], "Nodes with ids 9 were not found."),
        ("assignment", [{"id": 1, "roles": ["cook"]}], "cook are not valid roles for node in environment {id}"),
        ("assignment", [{"id": 1, "roles": ["web", "db"]}], "Role 'db' in conflict with role 'web'."),
        ("assignment", [{"id": 1, "roles": ["web"]}, {"id": "1", "roles": ["web"]}], "Node 1 is named twice."),
        ("assignment", {"id": 1}, "The body must be a list."),
        ("unassignment", [{"id": "n3"}], "Nodes [n3] are not members of environment {id}."),
    ],
)
def test_what_can_not_join_or_leave(api: APIClient, cluster: Cluster, what: str, body: Any, message: str) -> None:
    said = send(api, "post", f"clusters/{cluster.id}/{what}/", body, 400)
    assert said["message"] == message.format(id=cluster.id)


def test_a_node_announces_itself_and_changes(api: APIClient, cluster: Cluster) -> None:
    node = send(api, "post", "nodes/", {"mac": "AA:00:00:00:00:00", "meta": {"cpu": 2}}, 201)
    assert (node["id"], node["status"], node["mac"]) == (3, "discover", "aa:00:00:00:00:00")
    send(api, "post", "nodes/", {"mac": "aa:00:00:00:00:00"}, 409)
    send(api, "post", "nodes/", {"mac": "bb:00:00:00:00:00", "status": "ready"}, 403)
    assert send(api, "post", "nodes/", {}, 400)["message"] == "No mac address specified"
    Node.objects.update(online=False)
    assert send(api, "put", "nodes/agent/", {"mac": "aa:00:00:00:00:00", "ip": "10.0.0.1"}) == {"id": 3}
    assert Node.objects.get(uid="3").online
    send(api, "put", "nodes/", [{"id": 1, "name": "a"}, {"mac": "aa:00:00:00:00:00", "labels": {"rack": "7"}}])
    assert Node.objects.get(uid="3").labels == {"rack": "7"}
    assert send(api, "put", "nodes/1/", {"cluster_id": 99}, 400)["message"].startswith("Changing cluster on the fly is not allowed")
    send(api, "put", "nodes/1/", {"hostname": "twin"})
    send(api, "put", "nodes/2/", {"hostname": "twin"}, 409)
    assert send(api, "delete", "nodes/?ids=3,n3")["name"] == "node_deletion"
    assert set(Node.objects.values_list("uid", flat=True)) == {"1", "2"}


# -- starting work --------------------------------------------------------------------------------------------------------------
def test_changes_are_deployed_once_at_a_time(api: APIClient, cluster: Cluster) -> None:
    address = f"clusters/{cluster.id}/changes"
    task = send(api, "put", f"{address}?reason=tea", status=202)
    assert (task["name"], task["status"], task["cluster"], task["parent_id"]) == ("deploy", "pending", cluster.id, None)
    assert send(api, "put", address, status=409)["message"].startswith("Deployment already started")
    assert send(api, "delete", f"clusters/{cluster.id}/", status=400)["message"].startswith("Can't delete environment")
    assert send(api, "put", f"clusters/{cluster.id}/reset/", status=400)["message"].startswith("Can't reset environment")
    assert send(api, "delete", "nodes/1/", status=403)["message"].startswith("Nodes of a cluster that is being deployed")
    stop = send(api, "put", f"clusters/{cluster.id}/stop_deployment/", status=202)
    assert stop["name"] == "stop_deployment"
    assert send(api, "put", f"clusters/{cluster.id}/stop_deployment/", status=409)["message"].startswith("Stopping deployment task")
    assert Transaction.objects.get(id=task["id"]).reason == "tea"


def children(parent_id: int) -> list[tuple[str, dict[str, Any]]]:
    return list(Transaction.objects.filter(parent=parent_id).order_by("position").values_list("graph_type", "arguments"))


def test_changes_provision_first_what_waits_for_it(api: APIClient, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="provision", tasks=[{"id": "install", "type": "shell"}])
    Node.objects.filter(uid="2").update(status="discover", pending_addition=True)
    task = send(api, "put", f"clusters/{cluster.id}/changes", status=202)
    assert children(task["id"]) == [("provision", {"nodes": ["2"]}), ("default", {})]


def test_a_sequence_says_what_changes_mean(api: APIClient, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="after", tasks=[{"id": "x", "type": "shell"}])
    graphs = [{"type": "after", "nodes": [1]}, {"type": "default"}]
    Sequence.objects.create(release=cluster.release, name="deploy-changes", graphs=graphs)
    task = send(api, "put", f"clusters/{cluster.id}/changes", status=202)
    assert children(task["id"]) == [("after", {"nodes": ["1"]}), ("default", {})]


@pytest.mark.parametrize(
    ("address", "body", "status", "message"),
    [
        ("changes?dry_run=maybe", None, 400, "Cannot convert 'maybe' to a boolean: write 1 or 0 for dry_run."),
        ("changes?graph_type=none", None, 400, "There are no tasks for graph type 'none' in cluster shop: upload a graph first."),
        ("deploy/?nodes=99", None, 404, "Nodes with ids 99 were not found."),
        ("deploy/?nodes=n3", None, 400, "Nodes n3 do not belong to cluster {id}"),
        ("deploy_tasks/?nodes=1", [], 400, "Tasks list must be specified."),
        ("provision/", None, 400, "No node of environment {id} waits to be provisioned: name some."),
        ("stop_deployment/", None, 400, "Nothing to stop - deployment is not running on cluster shop."),
    ],
)
def test_what_can_not_be_started(api: APIClient, cluster: Cluster, address: str, body: Any, status: int, message: str) -> None:
    said = send(api, "put", f"clusters/{cluster.id}/{address}", body, status)
    assert said["message"] == message.format(id=cluster.id)


def test_nodes_that_have_no_system_are_not_deployed(api: APIClient, cluster: Cluster) -> None:
    Node.objects.filter(uid="1").update(status="discover")
    said = send(api, "put", f"clusters/{cluster.id}/deploy/?nodes=1,2", status=400)
    assert said["message"].endswith("Nodes with uids [1] are not provisioned yet.")


def test_reset_forgets_what_was_deployed(api: APIClient, cluster: Cluster) -> None:
    task = send(api, "put", f"clusters/{cluster.id}/reset/?force=0")
    assert (task["name"], task["status"]) == ("reset_environment", "ready")
    nodes = set(Node.objects.filter(cluster=cluster).values_list("status", "pending_addition"))
    assert nodes == {("discover", True)}


# -- graphs and sequences ---------------------------------------------------------------------------------------------------------
def test_graphs_are_run_one_after_the_other(api: APIClient, cluster: Cluster) -> None:
    body = {
        "cluster": cluster.id, "graphs": [{"type": "default", "nodes": [1], "tasks": ["first"]}], "dry_run": True,
        "subgraphs": [{"start": ["first"], "end": [None]}],
    }  # fmt: skip
    task = send(api, "post", "graphs/execute/", body, 202)
    assert task["dry_run"] is True
    assert children(task["id"]) == [("default", {"nodes": ["1"], "tasks": ["first"]})]
    assert Transaction.objects.get(id=task["id"]).arguments["subgraphs"] == body["subgraphs"]


def test_each_graph_runs_those_of_the_named_tasks_that_it_has(api: APIClient, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="other", tasks=[{**TASK, "id": "third"}])
    graphs = [{"type": kind, "tasks": ["first", "third"]} for kind in ("default", "other")]
    task = send(api, "post", "graphs/execute/", {"cluster": cluster.id, "graphs": graphs}, 202)
    assert children(task["id"]) == [("default", {"tasks": ["first"]}), ("other", {"tasks": ["third"]})]


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"graphs": [{"type": "none"}]}, 404, "Graph with type: none is not defined for cluster {id}"),
        ({"graphs": []}, 400, "graphs: "),
        ({"graphs": [{"type": "default", "tasks": ["no"]}]}, 400, "Tasks no are not present in deployment graph"),
        ({"graphs": [{"type": "default", "nodes": [99]}]}, 400, "Nodes 99 do not belong to the same cluster {id}"),
        ({"cluster": 999}, 404, "Cluster not found"),
        ({"cluster": "x"}, 400, "cluster: must be the id of a cluster"),
        ({"more": 1}, 400, "more: Additional properties are not allowed."),
    ],
)
def test_graphs_that_can_not_be_run(api: APIClient, cluster: Cluster, change: dict[str, Any], status: int, message: str) -> None:
    said = send(api, "post", "graphs/execute/", {"cluster": cluster.id, "graphs": [{"type": "default"}], **change}, status)
    assert said["message"].startswith(message.format(id=cluster.id))


def test_a_graph_is_uploaded_changed_and_deleted(api: APIClient, cluster: Cluster) -> None:
    address = f"clusters/{cluster.id}/deployment_graphs/extra"
    assert "404" not in send(api, "get", address, status=404)["message"]
    graph = {"name": "Extra", "tasks": [{"id": "a", "type": "shell", "role": ["master"], "cross-depends": [{"name": "b"}], "requires": []}]}
    made = send(api, "post", address, graph)
    assert made["relations"] == [{"type": "extra", "model": "cluster", "model_id": cluster.id}]
    assert made["tasks"] == [{
        "id": "a", "task_name": "a", "type": "shell", "role": "master", "roles": "master", "cross-depends": [{"name": "b"}],
        "cross_depends": [{"name": "b"}],
    }]  # fmt: skip
    assert send(api, "post", address, graph, 409)["message"] == 'Deployment graph with type "extra" already exist.'
    assert send(api, "patch", address, {"name": "Other"})["tasks"] == made["tasks"]
    assert send(api, "put", f"graphs/{made['id']}/", {"tasks": []})["name"] == "Other"
    send(api, "put", address, {"tasks": [{"id": "a"}]}, 400)
    send(api, "put", address, {"unknown": 1}, 400)
    assert [each["name"] for each in send(api, "get", "graphs/?graph_types=extra")] == ["Other"]
    send(api, "delete", address, status=204)
    send(api, "delete", address, status=404)


def test_tasks_by_level(api: APIClient, cluster: Cluster) -> None:
    address = f"clusters/{cluster.id}/deployment_tasks"
    send(api, "put", f"releases/{cluster.release_id}/deployment_tasks", [{"id": "base", "type": "stage"}, {"id": "first", "type": "stage"}])
    found = {level: [task["id"] for task in send(api, "get", f"{address}/{level}")] for level in ("", "own", "release", "plugins")}
    assert found == {"": ["base", "first", "second"], "own": ["first", "second"], "release": ["base", "first"], "plugins": []}
    assert "task-based deployment" in send(api, "get", f"{address}?start=first", status=400)["message"]
    send(api, "put", address, [{"id": name, "type": "shell", "requires": [before]} for before, name in ("ab", "bc", "cd")])
    assert [task["id"] for task in send(api, "get", f"{address}?start=b&end=c")] == ["b", "c"]
    assert send(api, "get", f"{address}?end=zz", status=400)["message"] == "Cannot find task zz by its name."


def test_the_graph_is_drawn(api: APIClient, cluster: Cluster) -> None:
    address = f"/api/v1/clusters/{cluster.id}/deploy_tasks/graph.gv"
    answer = api.get(f"{address}?tasks=first&parents_for=&remove=", headers={"accept": "application/json"})
    assert answer["Content-Type"].startswith("text/vnd.graphviz")
    text = answer.content.decode()
    assert '"first" -> "second";' in text and '"second" [color=gray, fontcolor=gray];' in text
    assert api.get(f"{address}?tasks=x").json()["message"] == "Tasks x are not present in deployment graph"
    assert api.get(f"{address}?remove=x").json()["message"] == "Task types x do not exist"


def test_the_facts_are_shown(api: APIClient, cluster: Cluster) -> None:
    facts = send(api, "get", f"clusters/{cluster.id}/orchestrator/deployment/?split=1")
    assert [each["uid"] for each in facts] == ["common", "1", "2"]


def test_the_newest_release_comes_first(api: APIClient, cluster: Cluster) -> None:
    for version in ("mitaka-9.0", "newton-10.0", "alpha-11.1", "zulu-9.0"):
        Release.objects.create(name="OS", version=version)
    versions = [row["version"] for row in send(api, "get", "releases/")]
    assert versions == ["alpha-11.1", "shop-10.0", "newton-10.0", "zulu-9.0", "mitaka-9.0"]
    assert [row["version"] for row in send(api, "get", "releases/?order_by=version&limit=1")] == ["alpha-11.1"]


def test_sequences(api: APIClient, cluster: Cluster) -> None:
    body = {"release": cluster.release_id, "name": "both", "graphs": [{"type": "default"}]}
    made = send(api, "post", "sequences/", body, 201)
    assert send(api, "post", "sequences/", body, 409)["message"].startswith('Sequence with name "both" already exist')
    send(api, "post", "sequences/", {**body, "more": 1}, 400)
    assert send(api, "put", f"sequences/{made['id']}/", {"name": "one"})["name"] == "one"
    assert send(api, "get", f"sequences/?cluster={cluster.id}")[0]["id"] == made["id"]
    send(api, "post", f"sequences/{made['id']}/execute/", {"cluster": cluster.id, "force": True}, 202)
    send(api, "post", f"sequences/{made['id']}/execute/", {"force": True}, 400)
    send(api, "delete", f"sequences/{made['id']}/", status=204)


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"status": "provisioned", "pending_addition": False}, 200),
        ({"status": "deleted", "error_type": None}, 200),
        ({"status": "gone"}, 400),
        ({"pending_addition": "no"}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_what_a_graph_may_give_its_nodes(api: APIClient, cluster: Cluster, attributes: dict[str, Any], status: int) -> None:
    graph = {"tasks": [], "on_success": {"node_attributes": attributes}}
    send(api, "post", f"clusters/{cluster.id}/deployment_graphs/extra", graph, status)


@pytest.mark.parametrize(
    ("was", "wanted", "status", "said"),
    [
        ("error", "ready", 200, ""),
        ("ready", "ready", 200, ""),
        ("ready", "removing", 400, "only a deployment makes it so"),
        ("ready", "discover", 400, "can't go from ready to discover"),
    ],
)
def test_the_state_of_a_node_is_moved_by_the_table(
    api: APIClient, cluster: Cluster, was: str, wanted: str, status: int, said: str
) -> None:  # fmt: skip
    Node.objects.filter(uid="1").update(status=was)
    answer = send(api, "put", "nodes/1/", {"status": wanted, "online": True}, status)
    assert said in answer.get("message", "")
    recorded = Transaction.objects.filter(name="node_state").values_list("arguments", flat=True)
    assert list(recorded) == ([{"node": "1", "old": was, "new": wanted}] if status == 200 and was != wanted else [])
    assert Node.objects.get(uid="1").status == (wanted if status == 200 else was)


def test_the_state_of_a_node_is_its_deployments_while_there_is_one(api: APIClient, cluster: Cluster) -> None:
    Node.objects.filter(uid="1").update(status="error")
    send(api, "put", f"clusters/{cluster.id}/changes", {}, 202)
    assert "is being deployed" in send(api, "put", "nodes/1/", {"status": "ready"}, 409)["message"]
    assert "is being deployed" in send(api, "put", "nodes/1/", {"error_type": "deploy"}, 409)["message"]
    send(api, "put", "nodes/1/", {"status": "error", "online": False, "name": "one"})
    assert Node.objects.get(uid="1").name == "one"


def test_an_upload_tells_what_looks_like_a_mistake(api: APIClient, cluster: Cluster) -> None:
    lonely = {**TASK, "id": "lonely", "role": ["nobody"]}
    for method in ("post", "put"):
        told = send(api, method, f"clusters/{cluster.id}/deployment_graphs/extra/", {"tasks": [lonely]})
        assert any("nobody" in warning for warning in told["warnings"]), told
    assert "warnings" not in send(api, "get", f"clusters/{cluster.id}/deployment_graphs/extra/")
    assert send(api, "put", f"clusters/{cluster.id}/deployment_graphs/extra/", {"tasks": []})["warnings"] == []


def test_a_half_installed_machine_is_not_talked_into_being_installed(api: APIClient, cluster: Cluster) -> None:
    Node.objects.filter(uid="1").update(status="error", error_type="provision")
    assert "has to be provisioned again" in send(api, "put", "nodes/1/", {"error_type": "deploy"}, 400)["message"]
    send(api, "put", "nodes/1/", {"error_type": "provision", "online": True})
    assert Node.objects.get(uid="1").error_type == "provision"
