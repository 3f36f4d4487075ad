"""What an owner believes after Redis came back empty: the nodes, and only what they have said since."""

from __future__ import annotations

import time
from dataclasses import replace

import redis
from django.db.models import F

from deployments.wire.messages import Heartbeat, Report
from deployments.wire.names import KEY_PREFIX
from history.models import Attempt, Transaction
from tests.integration.services.conftest import PATIENCE, World


def _empty(url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.delete(*client.scan_iter(f"{KEY_PREFIX}*"))


def _dispatched(world: World) -> Transaction:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    for _ in range(3):
        world.orchestrator.round()
        time.sleep(0.03)
    return parent


def _rounds_for(world: World, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        world.orchestrator.round()
        time.sleep(0.03)


def test_what_a_silent_agent_had_claimed_is_lost_and_not_called_untouched(world: World, clean_redis: str) -> None:
    _dispatched(world)
    assert len(world.claim()) == 2
    _empty(clean_redis)
    _rounds_for(world, PATIENCE.lease + 0.3)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"lost"}


def test_what_was_not_started_is_sent_again_once_its_node_has_said_so(world: World, clean_redis: str) -> None:
    _dispatched(world)
    world.sent.orders.clear()
    _empty(clean_redis)
    _rounds_for(world, PATIENCE.lease / 2)
    assert world.sent.orders == []
    world.beat("1", "2")
    _rounds_for(world, PATIENCE.lease)
    assert [order.key.attempt for order in world.claim()] == [1, 1]


def test_what_was_claimed_is_not_permitted_again_because_an_earlier_owner_woke_up_and_vouched(world: World, clean_redis: str) -> None:
    parent = _dispatched(world)
    assert len(world.claim()) == 2
    _empty(clean_redis)
    world.broker.vouch(parent.id, 1)
    _rounds_for(world, PATIENCE.lease + 0.3)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"lost"}


def test_an_owner_that_is_none_any_more_does_not_vouch_for_an_empty_redis(world: World, clean_redis: str) -> None:
    parent = world.deploy()
    world.plan(parent)
    world.orchestrator.round()
    assert world.broker.vouched(parent.id)
    Transaction.objects.filter(id=parent.id).update(owner="orchestrator-2", owner_epoch=F("owner_epoch") + 1)
    _empty(clean_redis)
    _rounds_for(world, 3 * PATIENCE.look)
    assert not world.broker.vouched(parent.id)


def test_an_owner_that_is_none_any_more_deletes_no_reports_of_its_successors_attempts(world: World) -> None:
    parent = _dispatched(world)
    first, _ = world.claim()
    _rounds_for(world, 3 * PATIENCE.look)
    Transaction.objects.filter(id=parent.id).update(owner="orchestrator-2", owner_epoch=F("owner_epoch") + 1)
    later = replace(first.key, attempt=first.key.attempt + 1, number=first.key.number + 1)
    world.broker.report(later, world.keys.seal_report(Report(later, "started", "started")))
    _rounds_for(world, 3 * PATIENCE.look)
    assert len(world.broker.drain(parent.id)) == 1


def test_what_was_claimed_is_judged_by_its_lease_even_if_nobody_says_that_it_was_started(world: World) -> None:
    parent = _dispatched(world)
    orders = world.claim(lease_seconds=0.01)
    world.broker.forget(parent.id, [entry.id for entry in world.broker.drain(parent.id)])
    world.broker.beat({order.key.node: world.keys.seal_heartbeat(Heartbeat(order.key.node, order.key.number)) for order in orders}, 60)
    _rounds_for(world, 2 * PATIENCE.lease)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"lost"}


def test_what_runs_goes_on(world: World, clean_redis: str) -> None:
    parent = _dispatched(world)
    orders = world.claim()
    _empty(clean_redis)
    for order in orders:
        world.broker.renew([(order.key, 60.0)])
    _rounds_for(world, PATIENCE.lease / 2)
    world.broker.beat({order.key.node: world.keys.seal_heartbeat(Heartbeat(order.key.node, order.key.number)) for order in orders}, 60)
    _rounds_for(world, PATIENCE.lease)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"started"}
    world.end(orders)
    _rounds_for(world, 0.3)
    assert world.status(parent)["first/1"] == "ready"
