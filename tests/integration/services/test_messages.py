"""Orders that can't be sent, and parameters that no arithmetic can bear: that run's error, and nobody else's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from deployments.services import owned
from deployments.services.explanation import why
from history.models import Attempt, Snapshot, TaskRun, Transaction
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds


def recorded(world: World, **parameters: Any) -> Transaction:
    """A plan of an older version, in which task `first` of node 1 has these parameters."""
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    stored = Snapshot.objects.get(transaction__parent=parent, kind="plan")
    plan = stored.data()
    for run in plan["runs"]:
        if (run[0], run[1]) == ("first", "1"):
            run[4] = {**run[4], **parameters}
    fresh = Snapshot.of(stored.transaction_id, "plan", plan)
    Snapshot.objects.filter(pk=stored.pk).update(body=fresh.body, sha256=fresh.sha256)
    return parent


def test_a_message_that_is_too_large_is_the_error_of_its_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owned, "LARGEST_MESSAGE", 5000)
    parent = recorded(world, data="x" * 6000)
    for _ in range(6):
        rounds(world)
        world.end(world.claim())
    run = TaskRun.objects.get(transaction__parent=parent, task_name="first", node="1")
    assert (run.status, run.attempts) == ("error", 1)
    assert run.reason.startswith("Its message has 6,") and run.reason.endswith("5,000 can be sent. Give it smaller parameters.")
    assert Transaction.objects.get(id=parent.id).status == "error"
    assert Attempt.objects.get(run=run).status == "error"


@pytest.mark.parametrize(
    "parameters", [{"retries": 10**400}, {"retries": 10**12}, {"timeout": "nan"}, {"interval": 1e300, "retries": 1e300}]
)
def test_times_that_no_clock_can_bear_hold_nothing(world: World, parameters: dict[str, Any]) -> None:
    parent = recorded(world, **parameters)
    rounds(world)
    orders = world.claim()
    # They run for a while, so that they are judged.
    rounds(world, 5)
    world.end(orders)
    for _ in range(6):
        rounds(world)
        world.end(world.claim())
    assert Transaction.objects.get(id=parent.id).status == "ready"


@pytest.mark.parametrize("delay", [1e300, 10**400, 10**13])
def test_a_pause_that_no_clock_can_bear_is_a_long_one(world: World, delay: float) -> None:
    parent = recorded(world)
    stored = Snapshot.objects.get(transaction__parent=parent, kind="plan")
    plan = stored.data()
    for run in plan["runs"]:
        run[6:8] = [2, delay]
    fresh = Snapshot.of(stored.transaction_id, "plan", plan)
    Snapshot.objects.filter(pk=stored.pk).update(body=fresh.body, sha256=fresh.sha256)
    rounds(world)
    world.end(world.claim(), "error", "broken")
    rounds(world)
    assert world.status(parent)["first/1"] == "pending"
    assert "is tried again at 20" in why(parent.id, "first/1")
    Transaction.objects.filter(id=parent.id).update(owner_until="2000-01-01T00:00:00Z")
    second = world.another_orchestrator()
    for _ in range(3):
        second.round()
    world.stop()
    deadline = time.monotonic() + 60
    while Transaction.objects.get(id=parent.id).status == "running":
        assert time.monotonic() < deadline
        second.round()
        time.sleep(0.02)
    assert Transaction.objects.get(id=parent.id).status == "stopped"
