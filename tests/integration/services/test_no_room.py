"""A node whose agent has no room on its disk: what waits for it waits, people are told why, and then it goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from deployments.services.explanation import why
from deployments.services.orchestrator import Orchestrator
from deployments.services.standing import standing_of
from deployments.wire.messages import Heartbeat
from deployments.wire.names import KEY_PREFIX, node_queue
from history.models import Attempt, Transaction
from tests.integration.services.conftest import World

LACK = "nothing can be written to /var/lib/agents (No space left on device)"
TOLD = f"Nodes 1 and 2 have no room to start anything: on node 1 {LACK}. What waits for it goes on by itself once there is room."


def _beat(world: World, lack: str, *uids: str) -> None:
    world.broker.beat({uid: world.keys.seal_heartbeat(Heartbeat(uid, lack=lack)) for uid in uids}, 60)


def _until(world: World, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        world.orchestrator.round()
        time.sleep(0.02)


@pytest.fixture
def sent(world: World, clean_redis: str) -> Transaction:
    """Two runs were sent, and their agents have refused them: the disk is full. An attempt unclaimed for a second is given up."""
    world.tools = replace(world.tools, patience=replace(world.tools.patience, claim=1.0))
    world.orchestrator = Orchestrator(world.tools)
    _beat(world, LACK, "1", "2")
    parent = world.deploy()
    world.plan(parent)
    _until(world, lambda: len(world.sent.orders) == 2)
    with Redis.from_url(clean_redis) as redis:
        assert redis.delete(*(KEY_PREFIX + node_queue(uid) for uid in "12")) == 2
    return parent


def test_waits_as_long_as_it_takes_and_goes_on_by_itself(world: World, sent: Transaction) -> None:
    _until(world, lambda: standing_of(sent.id))
    assert standing_of(sent.id) == f"Transaction {sent.id}: {TOLD}"
    assert why(sent.id, "first/1").endswith(TOLD)
    began = time.monotonic()
    _until(world, lambda: time.monotonic() - began > 2.0)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"dispatched"}
    assert len(world.sent.orders) == 2, "what an agent refuses for want of room is not sent again and again"

    _beat(world, "", "1")
    _until(world, lambda: len(world.sent.orders) == 3)
    _until(world, lambda: standing_of(sent.id).startswith(f"Transaction {sent.id}: Node 2 has no room to start anything: {LACK}."))
    _beat(world, "", "2")
    _until(world, lambda: len(world.sent.orders) == 4)
    _until(world, lambda: not standing_of(sent.id))
    world.sent.orders = world.sent.orders[2:]
    world.end(world.claim())
    _until(world, lambda: world.status(sent)["first/1"] == world.status(sent)["first/2"] == "ready")
    assert set(Attempt.objects.filter(run__task_name="first").values_list("number", "status")) == {(1, "ready")}


def test_can_be_stopped_meanwhile(world: World, sent: Transaction) -> None:
    _until(world, lambda: standing_of(sent.id))
    world.stop()
    _until(world, lambda: Transaction.objects.get(id=sent.id).status not in ("pending", "running"))
    assert set(Attempt.objects.values_list("status", flat=True)) == {"recalled"}
    assert TOLD not in Transaction.objects.get(id=sent.id).message


def test_what_it_says_of_itself_is_printable_and_short(world: World, sent: Transaction) -> None:
    _beat(world, "\x1b[2J\0" + "x" * 10_000, "1", "2")
    _until(world, lambda: "xxx" in standing_of(sent.id))
    assert standing_of(sent.id).isprintable()
    assert len(standing_of(sent.id)) < 500
