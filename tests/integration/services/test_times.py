"""Times of the record never run backwards, whatever the clocks of broker, planner and agents say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from deployments.core.time_limit import no_limit
from deployments.services import planning
from deployments.services.verification import verify_transaction
from history.models import Attempt, Event, TaskRun, Transaction
from tests.integration.services.conftest import World
from tests.integration.services.test_owner import rounds


class WrongClock:
    """A machine's clock that is wrong by so many seconds."""

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.wrong)


def plan_by(world: World, parent: Transaction, clock: WrongClock) -> None:
    tools = replace(world.tools, owner="planner-1", clock=clock)
    assert planning.plan_next(parent.id, tools, no_limit)


def to_the_end(world: World, parent: Transaction) -> Transaction:
    for _ in range(20):
        rounds(world)
        world.end(world.claim())
    return Transaction.objects.get(id=parent.id)


def assert_times_go_on(parent: Transaction) -> None:
    times = list(Event.objects.filter(transaction=parent).order_by("seq").values_list("at", flat=True))
    assert all(one <= other for one, other in pairwise(times))
    begun, over = Transaction.objects.values_list("time_start", "time_end").get(id=parent.id)
    assert begun <= over
    for run in TaskRun.objects.filter(transaction__parent=parent):
        assert begun <= run.time_start <= run.time_end <= over
    for attempt in Attempt.objects.filter(run__transaction__parent=parent):
        assert begun <= attempt.dispatched_at <= attempt.time_start <= attempt.time_end <= over
    assert [finding.sentence for finding in verify_transaction(parent.id).findings] == []


@pytest.mark.parametrize("wrong", [-3600.0, -0.05, 0.0, 0.3])
def test_a_deployment_whose_planner_has_another_clock(world: World, wrong: float) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    plan_by(world, parent, WrongClock(wrong))
    ended = to_the_end(world, parent)
    assert ended.status == "ready"
    assert_times_go_on(ended)


def test_a_plan_is_dated_when_it_is_recorded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def late(*args: object, **kwargs: object) -> object:
        plan = make(*args, **kwargs)  # type: ignore[arg-type]
        made.append(datetime.now(UTC))
        return plan

    make = planning.plans.make
    monkeypatch.setattr(planning.plans, "make", late)
    parent = world.deploy()
    world.plan(parent)
    planned = Event.objects.get(transaction=parent, new="planned")
    assert planned.at >= made[0]
    assert Transaction.objects.get(parent=parent).recorded_at == planned.at


def test_a_broker_whose_clock_is_set_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    rounds(world)
    world.end(world.claim())
    now = world.broker.now
    monkeypatch.setattr(world.broker, "now", lambda: now() - 30)
    ended = to_the_end(world, parent)
    assert ended.status == "ready"
    assert_times_go_on(ended)


def test_a_stop_before_anything_was_dispatched(world: World) -> None:
    world.beat("1", "2")
    parent = world.deploy()
    world.plan(parent)
    world.stop()
    ended = to_the_end(world, parent)
    assert ended.status == "stopped"
    assert ended.time_start is None or ended.time_start <= ended.time_end  # type: ignore[operator]
    assert verify_transaction(parent.id).findings == []
