"""A lease that is missing proves nothing by itself: only an agent that shows itself no more has lost its attempt."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from redis import Redis

from deployments.dispatch import Order
from deployments.services.silent_agents import SilentAgents
from deployments.wire.names import KEY_PREFIX
from history.models import Attempt, Transaction
from tests.integration.services.conftest import PATIENCE, World


def _lease(order: Order) -> str:
    key = order.key
    return f"{KEY_PREFIX}lease:{key.transaction}:{key.run}:{key.attempt}:{key.number}:{key.node}"


def _permit(order: Order) -> str:
    return f"{KEY_PREFIX}permit:{order.key.node}"


def _running(world: World) -> tuple[Transaction, list[Order]]:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    deadline = time.monotonic() + 60
    while len(world.sent.orders) < 2:
        assert time.monotonic() < deadline
        world.orchestrator.round()
        time.sleep(0.02)
    orders = world.claim()
    _rounds(world, 3)
    return parent, orders


def _rounds(world: World, count: int) -> None:
    for _ in range(count):
        world.orchestrator.round()
        time.sleep(0.03)


def _statuses() -> set[str]:
    return set(Attempt.objects.values_list("status", flat=True))


def _delete(redis: Redis, order: Order) -> None:
    redis.delete(_lease(order))


def _overwrite(redis: Redis, order: Order) -> None:
    redis.delete(_lease(order))
    redis.lpush(_lease(order), "x")


def _overwrite_permit_too(redis: Redis, order: Order) -> None:
    _overwrite(redis, order)
    redis.delete(_permit(order))
    redis.lpush(_permit(order), "x")


@pytest.mark.parametrize("spoil", [_delete, _overwrite, _overwrite_permit_too])
def test_a_lease_that_is_missing_once_loses_nothing(world: World, clean_redis: str, spoil: Callable[[Redis, Order], None]) -> None:
    parent, orders = _running(world)
    until = time.monotonic() + 4 * PATIENCE.lease
    with Redis.from_url(clean_redis) as redis:
        while time.monotonic() < until:
            for order in orders:
                spoil(redis, order)
            _rounds(world, 2)
            # As the agent does, after a third of the lease.
            assert world.broker.renew([(order.key, PATIENCE.lease) for order in orders]) == [True, True]
            assert world.broker.leased([order.key for order in orders]) == [True, True]
            _rounds(world, 2)
    assert _statuses() == {"started"}
    world.end(orders)
    _rounds(world, 3)
    assert world.status(parent)["first/1"] == "ready"


def test_a_lease_that_is_missing_for_good_loses_the_attempt(world: World, clean_redis: str) -> None:
    _, orders = _running(world)
    with Redis.from_url(clean_redis) as redis:
        _overwrite(redis, orders[0])
        _delete(redis, orders[1])
    begun = time.monotonic()
    while _statuses() != {"lost"}:
        assert time.monotonic() < begun + 60
        _rounds(world, 1)
    assert time.monotonic() - begun >= PATIENCE.lease


class TestSilence:
    one, two = (1, 7), (1, 8)

    def test_counts_from_the_first_look_without_a_lease_to_the_last(self) -> None:
        silent = SilentAgents(30.0)
        assert silent.look({self.one: True}, 0.0) == {}
        assert silent.look({self.one: False}, 10.0) == {self.one: False}
        assert silent.look({self.one: False}, 39.9) == {self.one: False}
        assert silent.look({self.one: False}, 40.0) == {self.one: True}

    def test_is_over_with_a_sign_of_life(self) -> None:
        silent = SilentAgents(30.0)
        silent.look({self.one: False}, 0.0)
        silent.look({self.one: True}, 29.0)
        assert silent.look({self.one: False}, 31.0) == {self.one: False}

    def test_of_an_attempt_says_nothing_of_the_next(self) -> None:
        silent = SilentAgents(30.0)
        silent.look({self.one: False}, 0.0)
        assert silent.look({self.two: False}, 40.0) == {self.two: False}

    def test_begins_anew_where_the_clock_was_set_back(self) -> None:
        silent = SilentAgents(30.0)
        silent.look({self.one: False}, 10_000.0)
        assert silent.look({self.one: False}, 100.0) == {self.one: False}
        assert silent.look({self.one: False}, 130.0) == {self.one: True}
