"""More reports wait than an owner takes at once: nobody is judged by what lies in front of his own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from deployments.dispatch import Order
from deployments.models import Cluster, Graph, Node
from deployments.services.orchestrator import Orchestrator
from deployments.services.owned import MOST_REPORTS
from deployments.services.verification import verify_transaction
from deployments.wire.messages import Heartbeat, Report
from deployments.wire.names import KEY_PREFIX
from history.models import Attempt, Event, TaskRun, Transaction
from tests.integration.services.conftest import PATIENCE, World

NODES = 2600


def _rounds_until(orchestrator: Orchestrator, so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not so():
        assert time.monotonic() < deadline
        orchestrator.round()
        time.sleep(0.02)


def _report_at_once(world: World, reports: list[Report], url: str) -> None:
    """As agents do, but in one round trip."""
    with Redis.from_url(url) as redis, redis.pipeline(transaction=False) as pipe:
        for report in reports:
            key = report.key
            pipe.xadd(f"{KEY_PREFIX}outcomes:{key.transaction}", {"node": key.node, "body": world.keys.seal_report(report)})
            pipe.delete(f"{KEY_PREFIX}lease:{key.transaction}:{key.run}:{key.attempt}:{key.number}:{key.node}")
        pipe.execute()


def _outcome(order: Order) -> Report:
    return Report(order.key, "outcome", "ready", "", {}, 0.1)


def _statuses() -> Counter[str]:
    return Counter(Attempt.objects.values_list("status", flat=True))


@pytest.mark.parametrize("many", [MOST_REPORTS + 1, 4 * MOST_REPORTS + 1])
def test_a_true_outcome_behind_more_reports_than_are_taken_at_once(world: World, clean_redis: str, many: int) -> None:
    """The owner looks all the while, and reading so many takes it longer than a lease."""
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    _rounds_until(world.orchestrator, lambda: len(world.sent.orders) == 2)
    one, two = world.claim()
    _rounds_until(world.orchestrator, lambda: _statuses()["started"] == 2)
    before = replace(_outcome(one), key=replace(one.key, run=one.key.run + 1000))
    _report_at_once(world, [*[before] * many, _outcome(one), _outcome(two)], clean_redis)
    _rounds_until(world.orchestrator, lambda: _statuses()["started"] == 0)
    assert _statuses()["lost"] == 0
    assert Event.objects.filter(new="late").count() == many
    _rounds_until(world.orchestrator, lambda: len(world.sent.orders) == 2)
    world.end(world.claim())
    _rounds_until(world.orchestrator, lambda: not Transaction.objects.filter(id=parent.id, status="running").exists())
    assert Transaction.objects.get(id=parent.id).status == "ready"
    assert verify_transaction(parent.id).findings == []


def test_all_nodes_of_a_large_cluster_report_while_nobody_is_there(world: World, clean_redis: str) -> None:
    Cluster.objects.update(max_nodes_per_call=0)
    Node.objects.bulk_create(
        Node(uid=str(number), cluster=world.cluster, roles=["web"], status="provisioned") for number in range(3, NODES + 1)
    )
    Graph.objects.filter(type="default").update(
        tasks=[{"id": "first", "type": "shell", "version": "2.1.0", "role": ["*"], "parameters": {"cmd": "true"}}]
    )
    uids = [str(number) for number in range(1, NODES + 1)]
    world.broker.beat({uid: world.keys.seal_heartbeat(Heartbeat(uid)) for uid in uids}, 600)
    parent = world.deploy()
    world.plan(parent)
    _rounds_until(world.orchestrator, lambda: len(world.sent.orders) == NODES)
    running = world.claim()
    assert len(running) == NODES
    # The owner dies before it has read that any of them was started; all end meanwhile, and then a lease and more goes by.
    Transaction.objects.filter(id=parent.id).update(owner_until="2000-01-01T00:00:00Z")
    _report_at_once(world, [_outcome(order) for order in running], clean_redis)
    time.sleep(2 * PATIENCE.lease)
    second = world.another_orchestrator()
    _rounds_until(second, lambda: not Transaction.objects.filter(id=parent.id, status="running").exists())
    assert _statuses() == {"ready": NODES}
    assert Transaction.objects.get(id=parent.id).status == "ready"
    assert not TaskRun.objects.filter(transaction__parent=parent).exclude(status__in=("ready", "skipped")).exists()
    assert world.broker.drain(parent.id) == []
