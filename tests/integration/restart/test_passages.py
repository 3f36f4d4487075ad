"""What a node goes through: the type of the graph decides, its callbacks stand above, and a machine half installed is never deployed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deployments.core.errors import InvalidData
from deployments.core.time_limit import no_limit
from deployments.models import Cluster, Graph, Node
from deployments.services.actions import Asker, deploy_changes, deploy_nodes
from deployments.services.lifecycle import DeployOptions
from deployments.services.preview import preview_each
from deployments.services.tools import Patience
from deployments.wire.messages import Heartbeat, Report
from history import queries as history
from history.models import Event, Transaction
from tests.integration.restart.system import System, a_cluster, a_task, add_node, edit_graph, ended, ran, statuses

pytestmark = pytest.mark.django_db

FUELS = {
    "on_success": {"node_attributes": {"status": "provisioned", "pending_addition": False}},
    "on_error": {"node_attributes": {"status": "error", "error_type": "provision"}},
}


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def bare() -> Cluster:
    """Two machines without a system, with roles to come; two tasks of provisioning, one of the default graph."""
    cluster = a_cluster([a_task("app")], {})
    for uid in ("1", "2"):
        add_node(cluster, uid, [], status="discover", pending_roles=["web"], pending_addition=True)
    Graph.objects.create(cluster=cluster, type="provision", tasks=[a_task("disk"), a_task("system", requires=["disk"])])
    return cluster


def changes(system: System, cluster: Cluster, **how: Any) -> Transaction:
    cluster.refresh_from_db()
    asker = Asker("ann", "", system.time, system.orders)  # type: ignore[arg-type]
    return system.run(deploy_changes(cluster, DeployOptions(), asker), cluster, **how)


def node(uid: str) -> Node:
    return Node.objects.get(uid=uid)


def graphs(parent: Transaction) -> list[str]:
    return [child.graph_type for child in history.children(parent) if child.status == "ready"]


@pytest.mark.parametrize("callbacks", [{}, FUELS])
@pytest.mark.parametrize("at", ["disk/1", "system/2"])
def test_a_stop_during_provisioning_is_followed_by_provisioning(system: System, bare: Cluster, callbacks: dict[str, Any], at: str) -> None:
    Graph.objects.filter(type="provision").update(**callbacks)
    stopped = changes(system, bare, stop_after=at)
    assert stopped.status == "stopped"
    cluster_status, now = statuses(bare)
    assert set(now.values()) <= {"discover", "provisioned"}
    assert now[at[-1]] == ("discover" if at.startswith("disk") else "provisioned")
    assert all(each.roles == [] and each.pending_roles == ["web"] for each in bare.nodes.all())
    assert [each.pending_addition for each in bare.nodes.filter(status="discover")] == [True] * list(now.values()).count("discover")

    again = changes(system, bare)
    assert (again.status, graphs(again)) == ("ready", ["provision", "default"] if "discover" in now.values() else ["default"])
    assert statuses(bare) == ("operational", {"1": "ready", "2": "ready"})
    assert all(each.roles == ["web"] and not each.pending_roles and not each.pending_addition for each in bare.nodes.all())


@pytest.mark.parametrize("callbacks", [{}, FUELS])
def test_what_could_not_be_provisioned_is_provisioned_again(system: System, bare: Cluster, callbacks: dict[str, Any]) -> None:
    Graph.objects.filter(type="provision").update(**callbacks)
    failed = changes(system, bare, fail=["disk/1"])
    assert failed.status == "error"
    assert (node("1").status, node("1").error_type, node("1").pending_addition) == ("error", "provision", True)
    asker = Asker("ann", "", system.time, system.orders)  # type: ignore[arg-type]
    with pytest.raises(InvalidData, match=r"Nodes with uids \[1\] are not provisioned yet"):
        deploy_nodes(bare, ["1"], DeployOptions(), asker)
    again = changes(system, bare)
    assert again.status == "ready"
    assert "disk/1" in ran(again)
    assert statuses(bare)[1] == {"1": "ready", "2": "ready"}


def test_a_callback_that_calls_a_half_installed_machine_stopped_lets_nothing_be_deployed_onto_it(system: System, bare: Cluster) -> None:
    Graph.objects.filter(type="provision").update(**FUELS, on_stop={"node_attributes": {"status": "stopped"}})
    assert changes(system, bare, stop_after="disk/1").status == "stopped"
    assert node("1").status == "stopped"
    asker = Asker("ann", "", system.time, system.orders)  # type: ignore[arg-type]
    with pytest.raises(InvalidData, match=r"\[1\] are not provisioned yet"):
        deploy_nodes(bare, ["1"], DeployOptions(), asker)
    again = changes(system, bare)
    assert graphs(again) == ["provision", "default"]
    assert "disk/1" in ran(again)
    assert statuses(bare) == ("operational", {"1": "ready", "2": "ready"})
    assert node("1").error_type == ""


def test_what_is_shown_leaves_out_what_could_not_be_provisioned(system: System, bare: Cluster) -> None:
    assert changes(system, bare, fail=["disk/1"]).status == "error"
    Node.objects.filter(uid="2").update(status="discover")
    shown = preview_each(bare, DeployOptions(graph_types=("provision", "default"), by_graph=({"nodes": ["2"]}, {})), limit=no_limit)
    assert {run.node for run in shown[-1].plan.runs} == {"2"}


def test_the_host_of_the_orchestrator_is_not_installed_by_what_runs_there(system: System) -> None:
    tasks = [a_task("app"), a_task("keys", role="master", condition={"yaql_exp": "changed($.base)"})]
    cluster = a_cluster(tasks, {"1": ["web"]}, common={"base": 1})
    Graph.objects.create(cluster=cluster, type="provision", tasks=[a_task("disk"), a_task("image", role="master")])
    assert "keys/master" in ran(system.deploy(cluster))
    assert system.deploy(cluster, graph_types=("provision",), nodes=["1"]).status == "ready"
    assert ran(system.deploy(cluster)) == {"app/1"}


def test_states_meanwhile(system: System, bare: Cluster) -> None:
    seen: list[tuple[str, str]] = []
    stop = system.stop

    def look(cluster: Cluster) -> Transaction:
        seen.append((node("1").status, node("2").status))
        return stop(cluster)

    system.stop = look  # type: ignore[method-assign]
    edit_graph(bare, [])
    Graph.objects.filter(type="default").update(tasks=[a_task("app"), a_task("conf", requires=["app"])])
    Graph.objects.filter(type="provision").update(tasks=[a_task("disk"), a_task("system", requires=["disk"])])
    changes(system, bare, stop_after="system/1")
    changes(system, bare, stop_after="conf/1")
    assert seen[0][0] == "provisioning"
    assert seen[1][0] == "deploying"
    assert node("1").status == "ready"


def test_provisioned_well_and_then_no_plan(system: System, bare: Cluster) -> None:
    edit_graph(bare, [])
    Graph.objects.filter(type="provision").update(tasks=[a_task("disk")])
    Graph.objects.filter(type="default").update(tasks=[a_task("app", type="puppet")])
    parent = changes(system, bare)
    assert parent.status == "error"
    assert {each.status for each in bare.nodes.all()} == {"provisioned"}
    assert {tuple(each.roles) for each in bare.nodes.all()} == {()}


@pytest.mark.parametrize("was", ["ready", "stopped", "error", "provisioned"])
@pytest.mark.parametrize(("how", "then"), [({}, ""), ({"fail": ["wipe/1"]}, "error"), ({"stop_after": "wipe/1"}, "as before")])
def test_leaving(system: System, was: str, how: dict[str, Any], then: str) -> None:
    cluster = a_cluster([a_task("app")], {"1": ["web"], "2": ["web"]})
    cluster.nodes.filter(uid="1").update(status=was, pending_deletion=True)
    Graph.objects.create(cluster=cluster, type="deletion", tasks=[a_task("wipe"), a_task("off", requires=["wipe"])])
    changes(system, cluster, **how)
    left = node("1")
    if not then:
        assert (left.cluster, left.status, left.roles, left.pending_deletion) == (None, "discover", [], False)
        return
    assert left.cluster_id == cluster.id
    assert left.pending_deletion
    assert (left.status, left.error_type) == ((was, "") if then == "as before" else ("error", "deletion"))
    after = changes(system, cluster)
    assert after.status == "ready"
    assert node("1").cluster is None


def an_agent_dies(system: System, uid: str) -> None:
    """The agent of this node takes one run and is never heard of again; time goes on faster."""
    work, took, start = system._work, list[str](), system.time._now

    def dies(order: Any, *how: Any) -> None:
        system.time._now += 5
        if order.key.node != uid:
            work(order, *how)
        elif not took:
            took.append(uid)
            report = Report(order.key, "started", "started")
            system.broker.claim(order.key, "token", 1, system.keys.seal_report(report))

    def beat(cluster: Cluster) -> None:
        system.time._now += 5
        living = [name for name in cluster.nodes.values_list("uid", flat=True) if name != uid or not took]
        system.broker.beat({name: system.keys.seal_heartbeat(Heartbeat(name)) for name in living}, 60)
        assert system.time._now < start + 100_000

    system._work, system._beat = dies, beat  # type: ignore[method-assign]


@pytest.mark.parametrize(("kind", "error_type"), [("provision", "provision"), ("deletion", "deletion"), ("default", "deploy")])
def test_the_death_of_an_agent(kind: str, error_type: str) -> None:
    cluster = a_cluster([a_task("app")], {})
    fields: dict[str, dict[str, Any]] = {
        "provision": {"status": "discover", "pending_roles": ["web"], "pending_addition": True},
        "deletion": {"status": "ready", "roles": ["web"], "pending_deletion": True},
        "default": {"status": "provisioned", "pending_roles": ["web"]},
    }
    given = {"roles": [], **fields[kind]}
    for uid in ("1", "2"):
        add_node(cluster, uid, **given)
    if kind != "default":
        Graph.objects.create(cluster=cluster, type=kind, tasks=[a_task("work")])
    system = System()
    an_agent_dies(system, "1")
    assert changes(system, cluster).status == "error"
    dead = node("1")
    assert (dead.status, dead.error_type, dead.cluster_id) == ("error", error_type, cluster.id)
    assert (dead.roles, dead.pending_roles) == (given["roles"], given.get("pending_roles", []))
    assert (dead.pending_addition, dead.pending_deletion) == (given.get("pending_addition", False), given.get("pending_deletion", False))
    again = System()
    again.time._now = system.time._now
    assert changes(again, cluster).status == "ready"
    assert (node("1").status, node("1").error_type) == ({"deletion": "discover"}.get(kind, "ready"), "")


@pytest.mark.parametrize("reinstalled", ["ready", "stopped", "error"])
def test_what_ran_before_a_reinstallation_is_no_past(system: System, reinstalled: str) -> None:
    tasks = [a_task("app"), a_task("conf", condition={"yaql_exp": "changed($.uid)"})]
    cluster = a_cluster(tasks, {"1": ["web"], "2": ["web"]})
    Graph.objects.create(cluster=cluster, type="provision", tasks=[a_task("disk")])
    assert ran(system.deploy(cluster)) == {"app/1", "app/2", "conf/1", "conf/2"}
    how: dict[str, Any] = {"ready": {}, "stopped": {"stop_after": "disk/1"}, "error": {"fail": ["disk/1"]}}[reinstalled]
    system.deploy(cluster, graph_types=("provision",), nodes=["1"], **how)
    if reinstalled == "stopped":
        # The stop came during its last task.
        assert node("1").status == "provisioned"
    if reinstalled == "error":
        # Somebody has mended it by hand.
        cluster.nodes.filter(uid="1").update(status="ready", error_type="")
    assert ran(system.deploy(cluster, reuse=True)) == {"app/1", "conf/1"}
    assert statuses(cluster) == ("operational", {"1": "ready", "2": "ready"})


def test_a_node_without_a_task_is_done_with_the_others(system: System) -> None:
    cluster = a_cluster([a_task("app")], {"1": ["web"], "2": ["spare"]})
    parent = system.deploy(cluster)
    assert parent.status == "ready"
    assert statuses(cluster) == ("operational", {"1": "ready", "2": "ready"})
    assert Event.objects.get(transaction=parent, subject="node", node="2").reason == "The graph has no task for it."
    (warning,) = [w for w in system.show(cluster).plan.warnings if "no task" in w.message]
    assert warning.message.startswith("The graph has no task for 2 (roles: spare)")


@pytest.mark.parametrize("how", [{"fail": ["app/1"]}, {"stop_after": "app/1"}])
def test_a_node_without_a_task_waits_for_the_others(system: System, how: dict[str, Any]) -> None:
    cluster = a_cluster([a_task("app"), a_task("next", requires=["app"])], {"1": ["web"], "2": ["spare"]})
    system.deploy(cluster, **how)
    assert statuses(cluster)[1]["2"] == "provisioned"


class TestPendingChanges:
    @pytest.fixture
    def cluster(self) -> Cluster:
        cluster = a_cluster([a_task("app")], {"1": ["web"], "2": ["web"]}, changes=[{"name": "attributes"}])
        Graph.objects.create(cluster=cluster, type="keys", tasks=[a_task("keys", role="master")])
        return cluster

    def test_a_graph_on_no_node_leaves_the_cluster_as_it_is(self, system: System, cluster: Cluster) -> None:
        assert system.deploy(cluster, graph_types=("keys",)).status == "ready"
        assert statuses(cluster) == ("new", {"1": "provisioned", "2": "provisioned"})
        assert cluster.changes == [{"name": "attributes"}]

    @pytest.mark.parametrize("narrowed", [{"nodes": ["1"]}, {"tasks": ["app"]}])
    def test_a_part_of_a_deployment_leaves_them(self, system: System, cluster: Cluster, narrowed: dict[str, Any]) -> None:
        assert system.deploy(cluster, **narrowed).status == "ready"
        cluster.refresh_from_db()
        assert cluster.changes == [{"name": "attributes"}]

    def test_a_whole_deployment_clears_those_that_it_was_planned_with(self, system: System, cluster: Cluster) -> None:
        work = system._work
        later = {"name": "networks"}

        def add(*given: Any) -> None:
            Cluster.objects.update(changes=[{"name": "attributes"}, later])
            work(*given)

        system._work = add  # type: ignore[method-assign]
        assert system.deploy(cluster).status == "ready"
        cluster.refresh_from_db()
        assert cluster.changes == [later]


def test_nodes_that_never_answered_and_their_cluster_are_in_error_alike(system: System) -> None:
    cluster = a_cluster([a_task("app")], {"1": ["web"]})
    system._beat = lambda cluster: None  # type: ignore[method-assign]
    system.tools = replace(system.tools, patience=Patience(first_heartbeat=0.01))
    parent = system.deploy(cluster)
    assert parent.status == "error"
    assert ended(parent) == {"app/1": "pending"}
    assert statuses(cluster) == ("error", {"1": "error"})


@pytest.mark.parametrize("attributes", [{"status": "bogus"}, {"error_type": "bogus"}])
def test_a_state_that_can_not_be_holds_nothing(system: System, attributes: dict[str, str]) -> None:
    cluster = a_cluster([a_task("app")], {"1": ["web"]})
    edit_graph(cluster, [a_task("app")], on_success={"node_attributes": attributes})
    assert system.deploy(cluster).status == "ready"
    assert statuses(cluster) == ("operational", {"1": "ready"})
