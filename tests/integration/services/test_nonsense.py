"""A node's own agent, or whoever has its key or can write to Redis, sends nonsense: it is dropped and noted, and nothing waits for it."""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from typing import Any

import pytest
from redis import Redis

from deployments.dispatch import Order
from deployments.wire.messages import AttemptKey, Heartbeat, Report
from deployments.wire.names import KEY_PREFIX
from history.models import Attempt, Event, Transaction
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds, until_over

NO_OUTCOMES: list[dict[str, Any]] = [
    {"state": "foo"}, {"state": "started"}, {"kind": "x"}, {"duration": "x"}, {"duration": 1e300}, {"duration": None}, {"duration": -1},
    {"reason": 1}, {"reason": None}, {"summary": "x"}, {"key": "x"}, {"key": {"transaction": 1}}, {"key": {"run": "x"}},
]  # fmt: skip
NO_BEATS: list[Any] = [
    [], "x", {"number": "x"}, {"number": 2**63}, {"number": 10**9}, {"number": -1}, {"outcome": {"key": {"transaction": 1}}}, {"free": "x"},
    {"outcome": {"key": "x", "state": "foo"}},
]  # fmt: skip


def _dispatched(world: World) -> Transaction:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    _until(world, lambda: len(world.sent.orders) == 2)
    return parent


def _until(world: World, so: Any) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        rounds(world, 1)


def _report(world: World, of: AttemptKey, **changed: Any) -> None:
    data = {"key": asdict(of), "kind": "outcome", "state": "ready", "reason": "", "summary": {}, "duration": 0.1, **changed}
    world.broker.report(of, world.keys.seal(of.node, "report", of.node.encode(), data))


def _goes_on(world: World, parent: Transaction, running: list[Order]) -> None:
    world.end(running)
    _until(world, lambda: len(world.sent.orders) == 2)
    world.end(world.claim())
    assert until_over(world, parent).status == "ready"
    assert not Transaction.objects.exclude(message="").exists()


def _refused() -> list[str]:
    return list(Event.objects.filter(new="refused").order_by("seq").values_list("reason", flat=True))


@pytest.mark.parametrize("claimed", [True, False])
def test_reports_that_make_no_sense(world: World, claimed: bool) -> None:
    parent = _dispatched(world)
    orders = list(world.sent.orders)
    running = world.claim() if claimed else []
    rounds(world)
    _report(world, orders[0].key, **NO_OUTCOMES[0])
    _until(world, lambda: bool(_refused()))
    for changed in NO_OUTCOMES[1:]:
        _report(world, orders[0].key, **changed)
    # Each report has taken the lease away.
    world.broker.renew([(order.key, 60.0) for order in running])
    rounds(world)
    assert set(Attempt.objects.values_list("status", flat=True)) == {"started" if claimed else "dispatched"}
    assert world.broker.drain(parent.id) == [], "they are not read again and again"
    told = [
        "A report was ignored: It is of kind 'outcome' and state 'foo', which no report has.",
        "10 reports were ignored so far, the last",
    ]
    assert all(sentence.startswith(right) for sentence, right in zip(_refused(), told, strict=True))
    _goes_on(world, parent, running or world.claim())


@pytest.mark.parametrize("node", ["1", "no node", "x" * 1000, "\0", ""])
def test_entries_that_nobody_sealed(world: World, clean_redis: str, node: str) -> None:
    parent = _dispatched(world)
    running = world.claim()
    rounds(world)
    with Redis.from_url(clean_redis) as redis:
        stream = f"{KEY_PREFIX}outcomes:{parent.id}"
        for fields in ({"node": node, "body": "x"}, {"node": node}, {"body": b"\xff"}, {"x": "y"}, {b"node": b"\xff", "body": ""}):
            redis.xadd(stream, fields)
    rounds(world)
    assert len(_refused()) in (1, 2)
    assert world.broker.drain(parent.id) == []
    _goes_on(world, parent, running)


@pytest.mark.parametrize("id_", ["99999999999999999-0", "18446744073709551615-18446744073709551614"])
def test_an_entry_from_the_far_future(world: World, clean_redis: str, id_: str) -> None:
    parent = _dispatched(world)
    running = world.claim()
    rounds(world)
    key = running[0].key
    with Redis.from_url(clean_redis) as redis:
        body = world.keys.seal_report(Report(key, "outcome", "ready", "", {}, 0.1))
        redis.xadd(f"{KEY_PREFIX}outcomes:{parent.id}", {"node": key.node, "body": body}, id=id_)
        _until(world, lambda: Attempt.objects.filter(status="ready").exists())
        assert max(Event.objects.values_list("at", flat=True)).timestamp() <= world.broker.now()
        assert Attempt.objects.get(status="ready").time_end.timestamp() <= world.broker.now()
        # The stream takes nothing more behind the last of all ids.
        redis.delete(f"{KEY_PREFIX}outcomes:{parent.id}")
    _goes_on(world, parent, running[1:])


@pytest.mark.parametrize("beat", NO_BEATS)
def test_a_heartbeat_that_makes_no_sense_is_none(world: World, beat: Any) -> None:
    """Before the start its node is offline. While something runs there nothing is taken from it."""
    parent = _dispatched(world)
    running = world.claim()
    data = {**asdict(Heartbeat("1", 1)), **beat} if isinstance(beat, dict) else beat
    world.broker.beat({"1": world.keys.seal("1", "heartbeat", b"1", data)}, 60)
    with_lease = [order for order in running if order.key.node == "2"]
    silent = next(order for order in running if order.key.node == "1")
    world.broker.forget(0, [], [silent.key])
    _until(world, lambda: Attempt.objects.filter(status="lost").exists())
    assert _refused()[0].startswith("A heartbeat was ignored: ")
    assert len(_refused()) <= 3
    world.end(with_lease)
    assert until_over(world, parent).status == "error"


def test_a_node_whose_agent_has_counted_too_far_is_offline_and_the_log_says_why(world: World) -> None:
    world.broker.beat({"1": world.keys.seal_heartbeat(Heartbeat("1", 10**9))}, 60)
    world.beat("2")
    parent = world.deploy()
    world.plan(parent)
    _until(world, lambda: bool(_refused()))
    assert "Its agent says that it has started dispatch 1000000000; 0 is the last that is known here." in _refused()[0]
    deadline = time.monotonic() + 60
    while parent.status in ("pending", "running"):
        assert time.monotonic() < deadline
        rounds(world, 1)
        world.end(world.claim())
        parent.refresh_from_db()
    assert Event.objects.filter(new="offline", node="1").exists()
    assert Attempt.objects.filter(number__gt=100).count() == 0


def test_the_same_nonsense_for_hours_does_not_fill_the_log(world: World) -> None:
    parent = _dispatched(world)
    running = world.claim()
    rounds(world)
    stranger = replace(running[0].key, run=running[0].key.run + 1000)
    for _ in range(25):
        for _ in range(10):
            _report(world, stranger, state="foo")
        rounds(world, 1)
    assert 1 < len(_refused()) <= 3
    _goes_on(world, parent, running)
