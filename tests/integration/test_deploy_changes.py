"""Deploying has one meaning: by the command, the button and the API, nodes leave, are provisioned and are deployed, as it is due."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from deployments.core.errors import InvalidData
from deployments.management.watch import watch
from deployments.models import Cluster, Graph, Node, Release, Sequence
from deployments.services import intent
from deployments.services.actions import Asker, deploy_changes
from deployments.services.lifecycle import DeployOptions
from deployments.services.rehearsal import Rehearsal
from history import queries as history
from history.models import Transaction
from tests.integration.restart.system import System, a_cluster, a_task, add_node, ended, ran, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_redis")]

PROVISIONED = {"node_attributes": {"status": "provisioned"}}
GONE = {"node_attributes": {"status": "deleted"}}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    """Node 1 is there, node 2 waits to be provisioned, node 3 is to leave."""
    cluster = a_cluster([a_task("page"), a_task("check", requires=["page"])], {"1": ["web"]})
    add_node(cluster, "2", ["web"], status="discover")
    add_node(cluster, "3", ["web"], status="ready", pending_deletion=True)
    return cluster


@pytest.fixture
def whole(cluster: Cluster) -> Cluster:
    """The same with graphs for what is due."""
    Graph.objects.create(cluster=cluster, type="provision", tasks=[a_task("install")], on_success=PROVISIONED)
    Graph.objects.create(cluster=cluster, type="deletion", tasks=[a_task("erase")], on_success=GONE)
    return cluster


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def deploy(system: System, cluster: Cluster, *options: str, **run: Any) -> Transaction:
    """By the command; at its end."""
    printed("deploy", cluster.name, *options)
    return system.run(Transaction.objects.filter(name="deploy").latest("id"), cluster, **run)


def by_hand(system: System, cluster: Cluster, **options: Any) -> Transaction:
    asker = Asker("ann", "", system.time, system.orders)  # type: ignore[arg-type]
    return system.run(deploy_changes(cluster, DeployOptions(**options), asker), cluster)


def graphs(parent: Transaction) -> list[tuple[str, list[str] | None, list[str] | None]]:
    return [(child.graph_type, child.arguments.get("nodes"), child.arguments.get("tasks")) for child in history.children(parent)]


# -- one meaning --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("door", [deploy, by_hand])
def test_what_is_due_is_done(system: System, whole: Cluster, door: Any) -> None:
    done = door(system, whole)
    assert done.status == "ready", done.message
    assert graphs(done) == [("deletion", ["3"], None), ("provision", ["2"], None), ("default", None, None)]
    assert ran(done) == {"erase/3", "install/2", "page/1", "check/1", "page/2", "check/2"}
    assert statuses(whole) == ("operational", {"1": "ready", "2": "ready"})


@pytest.mark.parametrize("door", [deploy, by_hand])
def test_nodes_leave_without_a_graph_for_it(system: System, cluster: Cluster, door: Any) -> None:
    done = door(system, cluster)
    assert graphs(done) == [("default", None, None)]
    assert set(cluster.nodes.values_list("uid", flat=True)) == {"1", "2"}


@pytest.mark.parametrize("door", [deploy, by_hand])
def test_an_unavailable_release_is_refused(system: System, whole: Cluster, door: Any) -> None:
    Release.objects.update(state="unavailable")
    whole = Cluster.objects.get()
    with pytest.raises((InvalidData, CommandError), match="Release 'R 1' is unavailable!"):
        door(system, whole)
    with pytest.raises(CommandError, match="is unavailable"):
        printed("deploy", whole.name, "--graph", "default")
    assert intent.deploy_intent(whole).problem == "Release 'R 1' is unavailable!"
    assert not Transaction.objects.exists()
    assert whole.nodes.count() == 3


@pytest.mark.parametrize("door", [deploy, by_hand])
def test_the_sequence_of_the_release_is_what_is_due(system: System, whole: Cluster, door: Any) -> None:
    Sequence.objects.create(release=whole.release, name="deploy-changes", graphs=[{"type": "default"}, {"type": "provision", "nodes": [2]}])
    done = door(system, whole)
    assert graphs(done) == [("default", None, None), ("provision", ["2"], None)]


def test_a_graph_that_is_named_is_all_that_is_run(system: System, whole: Cluster) -> None:
    done = deploy(system, whole, "--graph", "default")
    assert graphs(done) == [("default", None, None)]
    assert ran(done) == {"page/1", "check/1"}
    assert whole.nodes.count() == 3


def test_nodes_narrow_down_what_is_due(system: System, whole: Cluster) -> None:
    done = deploy(system, whole, "--nodes", "1,2")
    assert graphs(done) == [("provision", ["2"], None), ("default", ["1", "2"], None)]
    assert done.status == "ready"
    done = deploy(system, whole, "--nodes", "3")
    assert graphs(done) == [("deletion", ["3"], None)]
    assert ran(done) == {"erase/3"}
    assert set(whole.nodes.values_list("uid", flat=True)) == {"1", "2"}


def test_tasks_narrow_down_what_is_due(system: System, whole: Cluster) -> None:
    done = deploy(system, whole, "--tasks", "page")
    assert graphs(done) == [("default", None, ["page"])]
    done = deploy(system, whole, "--tasks", "install,check")
    assert graphs(done) == [("provision", ["2"], ["install"]), ("default", None, ["check"])]
    with pytest.raises(CommandError, match="Tasks nonsense are not present in the deployment graphs 'deletion' and 'default'"):
        printed("deploy", whole.name, "--tasks", "page,nonsense")
    assert whole.nodes.filter(uid="3").exists(), "only tasks were asked for"


def test_a_node_without_a_system_is_not_deployed(system: System, cluster: Cluster) -> None:
    with pytest.raises(CommandError, match=r"Nodes with uids \[2\] are not provisioned yet"):
        printed("deploy", cluster.name, "--nodes", "1,2")
    assert not Transaction.objects.exists()


def test_only_nodes_that_leave_need_no_plan(system: System, cluster: Cluster) -> None:
    assert printed("deploy", cluster.name, "--nodes", "3", "--plan") == "Node 3 leaves the cluster.\n"
    done = deploy(system, cluster, "--nodes", "3")
    assert (done.status, done.message, graphs(done)) == ("ready", "Nodes 3 left the cluster.", [])
    assert set(cluster.nodes.values_list("uid", flat=True)) == {"1", "2"}
    assert not Transaction.objects.filter(status__in=("pending", "running")).exists()


def test_nodes_do_not_leave_a_cluster_that_is_being_deployed(system: System, cluster: Cluster) -> None:
    printed("deploy", cluster.name, "--graph", "default")
    with pytest.raises(CommandError, match="Deployment already started"):
        printed("deploy", cluster.name)
    assert cluster.nodes.filter(uid="3").exists()


@pytest.mark.parametrize("option", ["--dry-run", "--noop"])
def test_what_only_looks_lets_no_node_leave(system: System, cluster: Cluster, option: str) -> None:
    deploy(system, cluster, option)
    assert set(cluster.nodes.values_list("uid", flat=True)) == {"1", "2", "3"}


def test_what_deletion_and_provisioning_did_before_is_not_kept(system: System, whole: Cluster) -> None:
    deploy(system, whole)
    Node.objects.filter(uid="3").update(cluster=whole, roles=["web"], status="ready", pending_deletion=True)
    done = deploy(system, whole, "--reuse")
    assert ran(done) == {"erase/3"}, "it is another node now, with the same number"
    assert not whole.nodes.filter(uid="3").exists()


# -- rehearsals ---------------------------------------------------------------------------------------------------------------
def test_what_is_due_is_rehearsed_and_no_node_leaves(system: System, whole: Cluster) -> None:
    Node.objects.filter(uid="1").update(pending_roles=["db"], pending_addition=True)
    done = deploy(system, whole, "--rehearse", "1000")
    assert done.status == "ready", done.message
    assert [kind for kind, _, _ in graphs(done)] == ["deletion", "provision", "default"]
    assert set(whole.nodes.values_list("uid", "pending_deletion")) == {("1", False), ("2", False), ("3", True)}
    one = Node.objects.get(uid="1")
    assert (one.roles, one.pending_roles, one.pending_addition) == (["web"], ["db"], True)

    real = deploy(system, whole)
    assert ran(real) == {"erase/3", "install/2", "page/1", "check/1", "page/2", "check/2"}, "a rehearsal provisions nothing"
    assert statuses(whole) == ("operational", {"1": "ready", "2": "ready"})


def test_a_rehearsal_lets_no_node_leave_without_a_graph_either(system: System, cluster: Cluster) -> None:
    assert by_hand(system, cluster, rehearsal=Rehearsal(1000.0)).status == "ready"
    assert cluster.nodes.filter(uid="3").exists()


# -- what is shown beforehand -------------------------------------------------------------------------------------------------
def test_the_plan_says_what_the_button_says_and_what_is_then_done(system: System, whole: Cluster) -> None:
    said = intent.deploy_intent(whole).lines[:3]
    assert said == [
        "Graph deletion is run on node 3: 1 task.", "Graph provision is run on node 2: 1 task.", "Graph default is run: 2 tasks.",
    ]  # fmt: skip
    shown = printed("deploy", whole.name, "--plan")
    assert [line for line in shown.splitlines() if line.startswith("Graph ")] == said
    assert "Each is shown as if all before it had ended well" in shown and "--token" not in shown
    data = json.loads(printed("deploy", whole.name, "--plan", "--format", "json"))
    assert [graph["graph"] for graph in data["graphs"]] == ["deletion", "provision", "default"]
    planned = {f"{run['task']}/{run['node']}" for graph in data["graphs"] for run in graph["runs"] if run["action"] == "run"}
    assert data["token"] is None and not Transaction.objects.exists()
    assert ran(deploy(system, whole)) == planned


def test_a_token_lets_leave_the_nodes_that_were_shown_to_leave(system: System, cluster: Cluster) -> None:
    shown = printed("deploy", cluster.name, "--plan")
    assert shown.splitlines()[0] == "Graph default is run: 2 tasks."
    assert "Node 3 leaves the cluster." in shown
    token = json.loads(printed("deploy", cluster.name, "--plan", "--format", "json"))["token"]
    done = deploy(system, cluster, "--token", token)
    assert done.status == "ready", done.message
    assert set(cluster.nodes.values_list("uid", flat=True)) == {"1", "2"}


@pytest.mark.parametrize("options", [["--nodes", "1"], ["--tasks", "page"], ["--nodes", "1", "--tasks", "page", "--reuse"]])
def test_a_token_of_what_is_due_runs_exactly_that(system: System, whole: Cluster, options: list[str]) -> None:
    data = json.loads(printed("deploy", whole.name, *options, "--plan", "--format", "json"))
    done = deploy(system, whole, "--token", data["token"])
    assert done.status == "ready", done.message
    assert ran(done) == {f"{run['task']}/{run['node']}" for run in data["runs"] if run["action"] == "run"}


def test_the_plan_of_one_graph_is_that_graph(system: System, whole: Cluster) -> None:
    shown = printed("deploy", whole.name, "--graph", "default", "--plan")
    assert "Graph " not in shown and "--token" in shown


def test_a_sum_of_all_graphs_is_watched_to_its_end(system: System, whole: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    out = printed("deploy", whole.name)
    assert "Its graphs, one after the other: deletion, provision, default." in out
    done = system.run(Transaction.objects.filter(name="deploy").latest("id"), whole, fail=["install/2"])
    capsys.readouterr()
    assert watch(done.id) == 1
    assert "Its graphs: deletion ready, provision error, default error." in capsys.readouterr().out
    assert ended(done)["erase/3"] == "ready"
