"""What a person decides about a failed run whose deployment has ended: what goes on from there is the same request, decided otherwise."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from deployments.core.errors import FuelwebError, InvalidData
from deployments.models import Cluster, Graph, Node
from deployments.services.decisions import Decision, find_run, request_decision
from deployments.services.errors import Conflict, NotFound
from deployments.services.rehearsal import Rehearsal
from history import queries as history
from history.models import Attempt, TaskRun, Transaction
from tests.integration.restart.system import System, a_cluster, a_task, add_node, edit_graph, ended, ran, rows

pytestmark = pytest.mark.django_db

TOLERANT = {"id": "web", "type": "group", "version": "2.1.0", "role": ["web"], "fault_tolerance": 1}
TASKS = [a_task("a"), a_task("b", requires=["a"]), a_task("c")]


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def cluster() -> Cluster:
    return a_cluster(TASKS, {"1": ["web"], "2": ["web"]})


def decide(system: System, parent: Transaction, run: str, decision: Decision = "rerun") -> Transaction:
    """The deployment that the decision starts; it has not been planned."""
    found = find_run(f"{parent.id}:{run}")
    _, deployment = request_decision(found, decision, actor="bob", reason="", clock=system.time, dispatcher=system.orders)  # type: ignore[arg-type]
    assert deployment is not None
    return deployment


def go_on(system: System, cluster: Cluster, parent: Transaction, run: str, decision: Decision = "rerun") -> Transaction:
    """The deployment that the decision starts, at its end."""
    return system.run(decide(system, parent, run, decision), cluster)


# -- rehearsals ---------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("decision", ["rerun", "skip", "finished"])
def test_what_a_decision_about_a_rehearsal_starts_is_a_rehearsal(system: System, cluster: Cluster, decision: Decision) -> None:
    rehearsal = Rehearsal(1000.0, {"a": 3.0}, {}, frozenset({"a/1", "a/2"}))
    first = system.deploy(cluster, rehearsal=rehearsal, nodes=["1", "2"], tasks=["a", "b"])
    assert first.status == "error"

    again = decide(system, first, "a/1", decision)

    assert again.rehearsal == {**first.rehearsal, "fail": ["a/2"]}
    assert {child.rehearsal is not None for child in history.children(again)} == {True}
    cluster.refresh_from_db()
    assert cluster.rehearsed_at, "the cluster is still one that was only ever rehearsed"
    assert set(Node.objects.values_list("status_before_rehearsal", flat=True)) == {"provisioned"}


def test_a_rehearsal_is_rehearsed_again_as_it_was_asked_for(system: System, cluster: Cluster) -> None:
    rehearsal = Rehearsal(1000.0, {}, {}, frozenset({"a/1"}))
    first = system.deploy(cluster, rehearsal=rehearsal, nodes=["1"], tasks=["a", "b"])
    again = go_on(system, cluster, first, "a/1")
    assert again.status == "ready"
    assert ran(again) == {"a/1", "b/1"}
    assert not Attempt.objects.filter(run__transaction__rehearsal__isnull=True).exists()
    assert not history.was_deployed(cluster.id)


def test_the_command_rehearses_again_and_says_so(
    system: System, cluster: Cluster, clean_redis: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = system.deploy(cluster, rehearsal=Rehearsal(1000.0, fail=frozenset({"a/1"})), nodes=["1"], tasks=["a"])
    call_command("resolve", f"{first.id}:a/1", "rerun")
    again = Transaction.objects.filter(name="deploy").latest("id")
    assert "nothing of one is kept: it is rehearsed again, as it was asked for: transaction" in capsys.readouterr().out
    assert system.run(again, cluster).status == "ready"
    assert ended(again) | {"a/1": "ready"} == {"a/1": "ready", "b/1": "skipped", "c/1": "skipped"}
    assert not history.was_deployed(cluster.id)


def test_a_run_that_a_rehearsal_leaves_out_lets_go_what_waits_for_it(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, rehearsal=Rehearsal(1000.0, fail=frozenset({"a/1"})))
    again = go_on(system, cluster, first, "a/1", "skip")
    assert again.status == "ready"
    assert ran(again) == {"b/1", "c/1", "a/2", "b/2", "c/2"}


def test_a_failure_of_an_earlier_graph_is_not_rehearsed_with_the_later_ones(system: System, cluster: Cluster) -> None:
    edit_graph(cluster, [TOLERANT, a_task("x")])
    Graph.objects.create(cluster=cluster, type="after", tasks=TASKS)
    fail = frozenset({"x/1", "a/1", "b/2"})
    first = system.deploy(cluster, graph_types=("default", "after"), rehearsal=Rehearsal(1000.0, fail=fail))
    assert ended(first)["a/1"] == "error"
    again = decide(system, first, "a/1")
    assert again.rehearsal["fail"] == ["b/2"]


def test_a_rehearsal_is_not_repeated_on_a_cluster_that_was_deployed_meanwhile(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, rehearsal=Rehearsal(1000.0, fail=frozenset({"a/1"})))
    system.deploy(cluster)
    before = Transaction.objects.count()
    with pytest.raises(InvalidData, match="has been deployed for real, so it can't be rehearsed"):
        decide(system, first, "a/1")
    assert Transaction.objects.count() == before, "what is refused leaves no trace"
    assert ended(first)["a/1"] == "error"


# -- every option -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("decision", ["rerun", "skip", "finished"])
def test_only_the_nodes_and_tasks_that_were_asked_for_go_on(system: System, cluster: Cluster, decision: Decision) -> None:
    first = system.deploy(cluster, nodes=["1"], tasks=["a", "b"], fail=["a/1"])
    again = go_on(system, cluster, first, "a/1", decision)
    assert again.status == "ready"
    assert (again.arguments["nodes"], again.arguments["tasks"]) == (["1"], ["a", "b"])
    assert ran(again) == ({"a/1", "b/1"} if decision == "rerun" else {"b/1"})


def test_only_the_slices_that_were_asked_for_go_on(system: System, cluster: Cluster) -> None:
    slices = [{"start": ["a"], "end": ["b"]}]
    first = system.deploy(cluster, subgraphs=slices, fail=["a/1"])
    again = go_on(system, cluster, first, "a/1")
    assert again.arguments["subgraphs"] == slices
    assert ran(again) == {"a/1", "b/1", "b/2"} - ran_well(first)


@pytest.mark.parametrize("decision", ["rerun", "skip", "finished"])
def test_what_follows_a_no_operation_deployment_changes_nothing_either(system: System, cluster: Cluster, decision: Decision) -> None:
    first = system.deploy(cluster, noop=True, nodes=["1"])
    # What fails in one is passed over; whatever leaves a failure all the same must not make it a real deployment.
    TaskRun.objects.filter(task_name="a").update(status="error")
    again = go_on(system, cluster, first, "a/1", decision)
    assert again.noop and all(child.noop for child in history.children(again))
    assert again.status == "ready"
    assert ran(again) == ({"a/1", "b/1", "c/1"} if decision == "rerun" else {"b/1", "c/1"})
    assert not history.was_deployed(cluster.id)


def test_what_a_forced_deployment_had_done_is_kept_and_the_rest_is_forced(system: System, cluster: Cluster) -> None:
    cluster.common = {"x": 1}
    cluster.save()
    changed = {"yaql_exp": "changed($.x)"}
    edit_graph(cluster, [TOLERANT, a_task("a"), a_task("b", requires=["a"], condition=changed), a_task("c", condition=changed)])
    system.deploy(cluster)
    first = system.deploy(cluster, force=True, fail=["a/1"])
    assert "c/2" in ran(first)
    again = go_on(system, cluster, first, "a/1")
    assert again.arguments["force"]
    assert again.status == "ready"
    assert ran(again) == {"a/1", "b/1", "c/1"} - ran_well(first)


def test_what_was_left_out_by_earlier_decisions_stays_so(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, fail=["a/1", "a/2"])
    second = system.run(decide(system, first, "a/1", "skip"), cluster, fail=["a/2"])
    third = go_on(system, cluster, second, "a/2", "skip")
    assert third.status == "ready"
    assert not {"a/1", "a/2"} & ran(third)


def test_the_graphs_that_had_not_had_their_turn_do_and_keep_nothing_of_an_earlier_deployment(system: System, cluster: Cluster) -> None:
    Graph.objects.create(cluster=cluster, type="before", tasks=[a_task("x")])
    Graph.objects.create(cluster=cluster, type="after", tasks=[a_task("y"), a_task("z")])
    graphs = ("before", "default", "after")
    by_graph = ({}, {"nodes": ["1"]}, {"tasks": ["y"]})
    system.deploy(cluster, graph_types=graphs)
    first = system.deploy(cluster, graph_types=graphs, by_graph=by_graph, fail=["a/1"])
    assert ended(first)["a/1"] == "error" and "y/1" not in ended(first)

    again = go_on(system, cluster, first, "a/1")

    assert [child.graph_type for child in history.children(again)] == ["default", "after"]
    assert again.status == "ready"
    assert ran(again) == {"a/1", "b/1", "c/1", "y/1", "y/2"} - ran_well(first)


@pytest.fixture
def bare() -> Cluster:
    """Two nodes that wait to be provisioned."""
    cluster = a_cluster(TASKS, {})
    Graph.objects.create(
        cluster=cluster, type="provision", tasks=[a_task("install")], on_success={"node_attributes": {"status": "provisioned"}}
    )
    for uid in ("1", "2"):
        add_node(cluster, uid, ["web"], status="discover")
    return cluster


def provision(system: System, cluster: Cluster, fail: list[str]) -> Transaction:
    by_graph = ({"nodes": ["1", "2"]}, {})
    return system.deploy(cluster, graph_types=("provision", "default"), by_graph=by_graph, fail=fail)


def test_a_node_that_the_same_request_has_provisioned_is_not_provisioned_again(system: System, bare: Cluster) -> None:
    first = provision(system, bare, ["install/2"])
    assert ended(first) == {"install/1": "ready", "install/2": "error"}
    second = system.run(decide(system, first, "install/2"), bare, fail=["install/2"])
    assert ran(second) == {"install/2"}
    third = go_on(system, bare, second, "install/2")
    assert third.status == "ready", third.message
    assert ran(third) == {"install/2", *(f"{task}/{node}" for task in "abc" for node in "12")}


def test_a_node_that_was_discovered_anew_meanwhile_is_provisioned_again(system: System, bare: Cluster) -> None:
    first = provision(system, bare, ["install/2"])
    Node.objects.filter(uid="1").update(status="discover")
    assert {"install/1", "install/2"} <= ran(go_on(system, bare, first, "install/2"))


def test_a_plan_that_was_shown_once_does_not_bind_what_goes_on_from_it(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, token=system.show(cluster, nodes=["1"]).token, fail=["a/1"])
    again = go_on(system, cluster, first, "a/1")
    assert again.status == "ready"
    assert {row.node for row in rows(again)} == {"1"}


# -- what is refused ----------------------------------------------------------------------------------------------------------
def test_a_node_that_has_left_the_cluster_can_not_be_decided_about(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, nodes=["1", "2"], fail=["a/1"])
    Node.objects.filter(uid="1").update(cluster=None)
    with pytest.raises(InvalidData, match="Node 1 does not belong to cluster c any more"):
        decide(system, first, "a/1")


def test_a_node_that_has_left_keeps_no_other_from_going_on(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, nodes=["1", "2"], fail=["a/1"])
    Node.objects.filter(uid="2").update(cluster=None)
    assert go_on(system, cluster, first, "a/1").status == "ready"


def test_a_cluster_that_is_gone_is_told(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, fail=["a/1"])
    cluster.delete()
    with pytest.raises(NotFound, match="Cluster c is gone"):
        decide(system, first, "a/1")


def test_what_can_not_go_on_leaves_the_failure_as_it_is(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, tasks=["a", "b"], fail=["a/1"])
    edit_graph(cluster, [a_task("a"), a_task("other")])
    before = Transaction.objects.count()
    with pytest.raises(FuelwebError, match="Tasks b are not present"):
        decide(system, first, "a/1")
    assert ended(first)["a/1"] == "error"
    assert Transaction.objects.count() == before


def test_two_decisions_at_once_are_one_deployment(system: System, cluster: Cluster) -> None:
    first = system.deploy(cluster, fail=["a/1", "a/2"])
    decide(system, first, "a/1")
    with pytest.raises(Conflict, match="is being deployed"):
        decide(system, first, "a/2")
    assert ended(first)["a/2"] == "error"


def ran_well(parent: Transaction) -> set[str]:
    """What ended ready in it after having run."""
    return {name for name in ran(parent) if ended(parent)[name] == "ready"}
