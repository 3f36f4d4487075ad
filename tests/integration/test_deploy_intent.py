"""What "Deploy changes?" says beforehand is what is then done, in every state that a cluster can be in."""

from __future__ import annotations

import pytest

from deployments.models import Cluster, Graph, Node, Sequence
from deployments.services.intent import deploy_intent
from deployments.services.rehearsal import Rehearsal
from tests.integration.restart.system import System, a_cluster, a_task, add_node, ran
from tests.integration.test_deploy_changes import GONE, PROVISIONED, by_hand

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clean_redis")]

TASKS = [
    {"id": "start", "type": "stage"},
    a_task("page"),
    a_task("check", requires=["page"], condition={"yaql_exp": "changed($.greeting)"}),
]
DEFAULT = "Graph default is run: 3 tasks."
FIRST = "Node 1 runs its tasks as if for the first time."


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster(TASKS, {"1": ["web"]}, common={"greeting": "Hello"})


def said(cluster: Cluster) -> list[str]:
    intent = deploy_intent(cluster)
    assert intent.problem == ""
    return list(intent.lines)


def test_a_new_cluster(system: System, cluster: Cluster) -> None:
    assert said(cluster) == [DEFAULT, FIRST]
    assert ran(by_hand(system, cluster)) == {"page/1", "check/1"}


def test_a_cluster_that_was_deployed(system: System, cluster: Cluster) -> None:
    by_hand(system, cluster)
    assert said(cluster) == [DEFAULT, "Node 1 is ready: conditions decide what runs there; 1 task without a condition runs again."]
    assert ran(by_hand(system, cluster)) == {"page/1"}


def test_ready_nodes_of_a_cluster_whose_default_graph_never_ran(system: System, cluster: Cluster) -> None:
    cluster.nodes.update(status="ready")
    assert said(cluster) == [DEFAULT, "Node 1 is ready: conditions decide what runs there; 1 task without a condition runs."]
    assert ran(by_hand(system, cluster)) == {"page/1", "check/1"}


def test_a_rehearsal_and_another_graph_are_no_run_of_the_default_graph(system: System, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="other", tasks=[a_task("look")])
    by_hand(system, cluster, rehearsal=Rehearsal(1000.0))
    system.deploy(cluster, graph_types=("other",))
    cluster.nodes.update(status="ready")
    assert said(cluster)[-1].endswith("1 task without a condition runs.")


@pytest.mark.parametrize("status", ["stopped", "error", "provisioned"])
def test_nodes_that_are_not_ready_do_all_again(system: System, cluster: Cluster, status: str) -> None:
    by_hand(system, cluster)
    cluster.nodes.update(status=status, error_type="deploy" if status == "error" else "")
    assert said(cluster) == [DEFAULT, FIRST]
    assert ran(by_hand(system, cluster)) == {"page/1", "check/1"}


def test_deletion_and_provisioning_name_their_nodes(system: System, cluster: Cluster) -> None:
    by_hand(system, cluster)
    Graph.objects.create(cluster=cluster, type="provision", tasks=[a_task("install"), a_task("boot")], on_success=PROVISIONED)
    Graph.objects.create(cluster=cluster, type="deletion", tasks=[a_task("erase")], on_success=GONE)
    add_node(cluster, "2", ["web"], status="discover")
    for uid in ("3", "4"):
        add_node(cluster, uid, ["web"], status="ready", pending_deletion=True)
    assert said(cluster) == [
        "Graph deletion is run on 2 nodes (3, 4): 1 task.", "Graph provision is run on node 2: 2 tasks.", DEFAULT,
        "Once provisioned, node 2 runs its tasks as if for the first time.",
        "Node 1 is ready: conditions decide what runs there; 1 task without a condition runs again.",
    ]  # fmt: skip
    assert ran(by_hand(system, cluster)) == {"erase/3", "erase/4", "install/2", "boot/2", "page/2", "check/2", "page/1"}


def test_nodes_without_a_system_that_nothing_provisions_are_left_out(system: System, cluster: Cluster) -> None:
    add_node(cluster, "2", ["web"], status="discover")
    add_node(cluster, "3", ["web"], status="discover")
    assert said(cluster)[-1] == "2 nodes (2, 3) are left out: no system runs there yet, and no graph provisions them."
    assert ran(by_hand(system, cluster)) == {"page/1", "check/1"}


def test_nodes_that_leave_without_a_graph(system: System, cluster: Cluster) -> None:
    add_node(cluster, "2", ["web"], status="ready", pending_deletion=True)
    assert said(cluster) == [DEFAULT, "Node 2 leaves the cluster.", FIRST]
    by_hand(system, cluster)
    assert not Node.objects.filter(uid="2", cluster=cluster).exists()


def test_only_deletion_speaks_of_no_other_node(cluster: Cluster) -> None:
    cluster.nodes.update(pending_deletion=True)
    Graph.objects.create(cluster=cluster, type="deletion", tasks=[a_task("erase")], on_success=GONE)
    assert said(cluster) == ["Graph deletion is run on node 1: 1 task."]


def test_a_sequence_without_the_default_graph_speaks_of_its_own_only(system: System, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="other", tasks=[a_task("look")])
    Sequence.objects.create(release=cluster.release, name="deploy-changes", graphs=[{"type": "other"}])
    assert said(cluster) == ["Graph other is run: 1 task."]
    assert ran(by_hand(system, cluster)) == {"look/1"}


def test_a_sequence_with_some_tasks_counts_those(system: System, cluster: Cluster) -> None:
    by_hand(system, cluster)
    Sequence.objects.create(release=cluster.release, name="deploy-changes", graphs=[{"type": "default", "tasks": ["check"]}])
    assert said(cluster) == ["Graph default is run: 1 task.", "Node 1 is ready: conditions decide what runs there."]
    assert ran(by_hand(system, cluster)) == set()


def test_a_node_filter_is_told(cluster: Cluster) -> None:
    Graph.objects.filter(cluster=cluster).update(node_filter="$.status = 'ready'")
    assert said(cluster) == ["Graph default is run on the nodes that its node filter selects: 3 tasks."]


def test_a_graph_without_conditions_promises_none(system: System) -> None:
    plain = a_cluster([a_task("page"), a_task("check")], {"1": ["web"], "2": ["web"]})
    by_hand(system, plain)
    assert said(plain)[-1] == "2 nodes (1, 2) are ready: 2 tasks without a condition run again."
    assert ran(by_hand(system, plain)) == {"page/1", "page/2", "check/1", "check/2"}
