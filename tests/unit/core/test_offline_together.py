"""Nodes that are found offline at one moment: which of them count as failed."""

from __future__ import annotations

from deployments.core.events import Begin, Dispatch, Drain, Finish, RunEnded, RunStarted
from deployments.core.scheduling.schedule import Scheduler
from tests.unit.core.scheduling import plan_of, tolerant


def test_a_node_that_the_failure_of_another_leaves_nothing_to_do_counts_too():
    scheduler = Scheduler(plan_of("a/1 b/2 c/3", "a/1 > b/2", groups=tolerant("1 2 3", 1, "some")))
    out = scheduler.handle(Begin(("1", "2")), now=0.0)
    assert not any(isinstance(each, Dispatch) for each in out)
    assert any(isinstance(each, Drain) for each in out)
    assert out[-1] == Finish("error", "Fault tolerance exceeded: some: nodes 1 and 2 failed, 2 of 3, 1 may fail.")
    assert scheduler.snapshot().offline == {"1", "2"}


def test_a_scheduler_made_anew_counts_the_same_nodes():
    plan = plan_of("a/1 b/2 c/3", "a/1 > b/2", groups=tolerant("1 2 3", 2, "some"))
    scheduler = Scheduler(plan)
    scheduler.handle(Begin(("1", "2")), now=0.0)
    again = Scheduler(plan, scheduler.snapshot())
    assert again.snapshot().offline == {"1", "2"}
    again.handle(Begin(), now=1.0)
    out = [*again.handle(RunStarted(2), now=1.0), *again.handle(RunEnded(2, "ready"), now=2.0)]
    assert out[-1] == Finish("ready", "Within fault tolerance: node 1 is offline; node 2 is offline.")


def test_only_nodes_with_a_part_that_is_not_over_can_fail_by_being_offline():
    scheduler = Scheduler(plan_of("a/1 b/2", groups=tolerant("1 2")))
    assert scheduler.not_over(["1", "2", "elsewhere"]) == ["1", "2"]
    scheduler.handle(Begin(), now=0.0)
    scheduler.handle(RunStarted(0), RunEnded(0, "ready"), now=1.0)
    assert scheduler.not_over(["1", "2"]) == ["2"]
