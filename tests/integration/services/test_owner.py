"""An owner's steps, one by one: start, stop in every phase, decisions, takeover, and reports that must not be believed."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import pytest

from deployments.core.errors import InvalidData
from deployments.models import Cluster, Graph, Node
from deployments.services import owned
from deployments.services.clock import SystemClock
from deployments.services.decisions import find_run, request_decision
from deployments.services.errors import Conflict
from deployments.wire.messages import AttemptKey, Heartbeat, Report
from history.models import Attempt, Event, TaskRun, Transaction
from tests.integration.services.conftest import World


def rounds(world: World, count: int = 3) -> None:
    """The orchestrator looks so often."""
    for _ in range(count):
        world.orchestrator.round()
        time.sleep(0.03)


def until_over(world: World, parent: Transaction, seconds: float = 60) -> Transaction:
    deadline = time.monotonic() + seconds
    while True:
        rounds(world, 1)
        parent.refresh_from_db()
        if parent.status not in ("pending", "running"):
            return parent
        assert time.monotonic() < deadline, f"{parent} is not over"


def nodes() -> dict[str, str]:
    return dict(Node.objects.values_list("uid", "status"))


def test_a_deployment_from_request_to_end(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    world.end(world.claim())
    rounds(world)
    world.end(world.claim())
    assert until_over(world, parent).status == "ready"
    assert set(world.status(parent).values()) == {"ready"}
    assert nodes() == {"1": "ready", "2": "ready"}
    assert Cluster.objects.get().status == "operational"


def test_dependents_wait_for_the_slower_node(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one])
    rounds(world)
    assert world.claim() == []
    world.end([two])
    rounds(world)
    assert len(world.claim()) == 2


def test_a_second_deploy_of_the_cluster_is_refused(world: World) -> None:
    world.deploy()
    with pytest.raises(Conflict, match="already started"):
        world.deploy()


def test_a_stop_before_planning_ends_it_at_once(world: World) -> None:
    parent = world.deploy()
    world.stop()
    assert until_over(world, parent).status == "stopped"
    assert nodes() == {"1": "provisioned", "2": "provisioned"}
    assert Cluster.objects.get().status == "new"


def test_a_stop_before_the_first_heartbeat_starts_nothing(world: World) -> None:
    parent = world.deploy()
    world.plan(parent)
    rounds(world, 1)
    world.stop()
    assert until_over(world, parent).status == "stopped"
    assert not Attempt.objects.exists()
    assert Cluster.objects.get().status == "new"


def test_a_stop_recalls_what_nobody_claimed(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    assert len(world.sent.orders) == 2
    world.stop()
    assert until_over(world, parent).status == "stopped"
    assert world.claim() == []
    assert set(world.status(parent).values()) == {"pending"}
    assert set(Attempt.objects.values_list("status", flat=True)) == {"recalled"}
    assert nodes() == {"1": "provisioned", "2": "provisioned"}


def test_a_stop_waits_for_what_runs(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    stop = world.stop()
    rounds(world)
    parent.refresh_from_db()
    assert parent.status == "running"
    world.end([one, two])
    assert until_over(world, parent).status == "stopped"
    assert world.status(parent) == {"first/1": "ready", "first/2": "ready", "second/1": "pending", "second/2": "pending"}
    assert nodes() == {"1": "stopped", "2": "stopped"}
    assert Cluster.objects.get().status == "partially_deployed"
    stop.refresh_from_db()
    assert (stop.status, stop.actor, stop.reason) == ("ready", "bob", "tea")


def test_stopping_twice_and_stopping_nothing_are_refused(world: World) -> None:
    with pytest.raises(InvalidData, match="Nothing to stop"):
        world.stop()
    world.deploy()
    world.stop()
    with pytest.raises(Conflict, match="already stopping"):
        world.stop()


def test_after_a_stop_the_rest_of_a_sequence_is_not_started(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy("default", "after")
    world.plan(parent)
    rounds(world)
    running = world.claim()
    world.stop()
    rounds(world)
    world.end(running)
    assert until_over(world, parent).status == "stopped"
    assert list(parent.children.order_by("position").values_list("status", flat=True)) == ["stopped", "stopped"]


def test_the_next_graph_of_a_sequence_is_planned_when_its_turn_comes(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy("default", "after")
    world.plan(parent)
    for _ in range(2):
        rounds(world)
        world.end(world.claim())
    rounds(world)
    world.plan(parent)
    rounds(world)
    world.end(world.claim())
    assert until_over(world, parent).status == "ready"
    assert world.status(parent)["third/2"] == "ready"


def test_a_lost_attempt_of_a_shell_task_fails_and_says_so(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim(lease_seconds=0.1)
    world.end([two])
    assert until_over(world, parent).status == "error"
    lost = TaskRun.objects.get(id=one.key.run)
    assert (lost.status, lost.tries.get().status) == ("error", "lost")
    assert "lost" in lost.reason


def test_a_late_outcome_is_recorded_and_ignored(world: World) -> None:
    test_a_lost_attempt_of_a_shell_task_fails_and_says_so(world)
    before = TaskRun.objects.get(status="error").reason
    lost = Attempt.objects.get(status="lost")
    key = AttemptKey(lost.run.transaction.parent_id, lost.run_id, lost.attempt, lost.node, lost.number)
    world.broker.report(key, world.keys.seal_report(Report(key, "outcome", "ready")))
    rounds(world)
    assert TaskRun.objects.get(status="error").reason == before


def test_a_node_reports_of_itself_only(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = sorted(world.claim(), key=lambda order: order.key.node)
    stolen = AttemptKey(one.key.transaction, two.key.run, two.key.attempt, two.key.node, two.key.number)
    body = world.keys.seal(one.key.node, "report", one.key.node.encode(), {
        "key": asdict(stolen),
        "kind": "outcome", "state": "ready", "reason": "", "summary": {}, "duration": 0.0,
    })  # fmt: skip
    world.broker.report(one.key, body)
    rounds(world)
    assert world.status(parent)["first/2"] == "running"
    assert Event.objects.filter(new="refused", node="1").exists()


def test_another_orchestrator_goes_on_where_the_first_one_died(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one])
    Transaction.objects.filter(id=parent.id).update(owner_until="2000-01-01T00:00:00Z")
    second = world.another_orchestrator()
    for _ in range(3):
        second.round()
        time.sleep(0.03)
    world.end([two])
    world.orchestrator.round()
    for _ in range(3):
        second.round()
        time.sleep(0.03)
    world.end(world.claim())
    for _ in range(3):
        second.round()
        time.sleep(0.03)
    parent.refresh_from_db()
    assert (parent.status, parent.owner_epoch) == ("ready", 3)
    assert Attempt.objects.count() == 4


def test_a_node_that_knows_higher_numbers_than_the_database_is_given_higher_ones(world: World) -> None:
    world.broker.beat({uid: world.keys.seal_heartbeat(Heartbeat(uid, number=41)) for uid in ("1", "2")}, 60)
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    assert [order.key.number for order in world.claim()] == [42, 42]


def test_a_person_may_say_that_a_failed_run_is_finished_while_others_run(world: World) -> None:
    Cluster.objects.update(max_nodes_per_call=0)
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one], "error", "no disk")
    rounds(world)
    parent.refresh_from_db()
    assert parent.status == "running"
    run = find_run(f"{parent.id}:first/{one.key.node}")
    request_decision(run, "finished", actor="bob", reason="done by hand", clock=SystemClock(), dispatcher=world.sent)
    rounds(world)
    run.refresh_from_db()
    assert run.status == "ready"
    assert "bob" in run.reason and "done by hand" in run.reason


def test_only_failed_runs_can_be_resolved(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    run = TaskRun.objects.first()
    assert run is not None
    with pytest.raises(InvalidData, match="only a failed one"):
        request_decision(run, "skip", actor="bob", reason="", clock=SystemClock(), dispatcher=world.sent)


@pytest.mark.parametrize(("decision", "runs"), [("finished", {"second/1", "second/2"}), ("skip", {"second/1", "second/2"}),
                                                ("rerun", {"first/1", "second/1", "second/2"})])  # fmt: skip
def test_a_decision_after_the_end_starts_a_deployment_that_goes_on_from_there(world: World, decision: str, runs: set[str]) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    for order in world.claim():
        world.end([order], *(("error", "no disk") if order.key.node == "1" else ()))
    assert until_over(world, parent).status == "error"
    failed = find_run(f"{parent.id}:first/1")

    _, deployment = request_decision(failed, decision, actor="bob", reason="", clock=SystemClock(), dispatcher=world.sent)  # type: ignore[arg-type]

    assert deployment is not None
    world.plan(deployment)
    ran = set()
    for _ in range(3):
        rounds(world)
        orders = world.claim()
        ran |= {f"{row.task_name}/{row.node}" for row in TaskRun.objects.filter(id__in=[order.key.run for order in orders])}
        world.end(orders)
    assert until_over(world, deployment).status == "ready"
    assert ran == runs


def test_an_outcome_that_only_the_heartbeat_tells_is_not_lost(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim(lease_seconds=0.1)
    kept = [Report(order.key, "outcome", "ready", "", {}, 0.1) for order in (one, two)]
    beats = {report.key.node: Heartbeat(report.key.node, report.key.number, report) for report in kept}
    world.broker.beat({node: world.keys.seal_heartbeat(beat) for node, beat in beats.items()}, 60)
    until = time.monotonic() + 60
    while not world.status(parent)["first/1"] == world.status(parent)["first/2"] == "ready":
        assert time.monotonic() < until
        rounds(world, 5)
    assert not Attempt.objects.filter(status="lost").exists()


def test_an_outcome_behind_many_reports_is_not_taken_for_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "MOST_REPORTS", 5)
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    before = replace(one.key, run=one.key.run + 1000)
    late = world.keys.seal_report(Report(before, "outcome", "ready"))
    for _ in range(21):
        world.broker.report(before, late)
    world.end([one, two])
    rounds(world, 6)
    assert not Attempt.objects.filter(status="lost").exists()
    assert set(Attempt.objects.filter(run_id__in=[one.key.run, two.key.run]).values_list("status", flat=True)) == {"ready"}


def one_may_fail(world: World, **callbacks: object) -> None:
    graph = Graph.objects.get(cluster=world.cluster, type="default")
    graph.tasks.append({"id": "web", "type": "group", "version": "2.1.0", "role": ["web"], "fault_tolerance": 1})
    for name, value in callbacks.items():
        setattr(graph, name, value)
    graph.save()


def test_a_takeover_tells_no_end_of_a_node_again(world: World) -> None:
    one_may_fail(world, on_error={"node_attributes": {"status": "deleted"}})
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one], "error", "broken")
    rounds(world)
    node = Node.objects.get(uid=one.key.node)
    assert node.cluster_id is None, "the graph sets it free"
    node.cluster = Cluster.objects.create(name="another", release=world.cluster.release)
    node.save()

    Transaction.objects.filter(id=parent.id).update(owner_until="2000-01-01T00:00:00Z")
    second = world.another_orchestrator()
    for _ in range(3):
        second.round()
        time.sleep(0.03)
    world.end([two])
    for _ in range(3):
        second.round()
        time.sleep(0.03)

    parent.refresh_from_db()
    assert parent.owner_epoch == 3
    node.refresh_from_db()
    assert node.cluster.name == "another"
    ends = Event.objects.filter(transaction=parent, subject="node", node=node.uid, new="error")
    assert [event.reason for event in ends] == [f"first/{node.uid} failed (broken)."]
    assert "failed (broken)" in (parent.message or parent.children.get().message)


def test_a_node_whose_failed_run_is_to_run_again_ends_once_more(world: World) -> None:
    one_may_fail(world)
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    one, two = world.claim()
    world.end([one], "error", "broken")
    rounds(world)
    child = Transaction.objects.get(parent=parent)
    assert child.result["ended"] == [one.key.node]
    run = find_run(str(one.key.run))
    request_decision(run, "finished", actor="ann", reason="", clock=SystemClock(), dispatcher=world.sent)
    rounds(world)
    child.refresh_from_db()
    assert child.result["ended"] == []
    world.end([two])
    rounds(world)
    world.end(world.claim())
    assert until_over(world, parent).status == "ready"
    assert nodes() == {"1": "ready", "2": "ready"}
