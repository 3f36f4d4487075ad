"""A scheduler that is rebuilt in mid-run goes on as the one that lived: same instructions, same order, nothing lost."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.events import Begin, BlockRun, Dispatch, Drain, EndNode, EndRun, RunEnded, RunLost, RunRecalled, StopRequested, WakeAt
from tests.unit.core.scheduling import CheckedScheduler, crowded_plans, plan_of, plans, tolerant
from tests.unit.core.unreliable import World, play

examples = settings(max_examples=120, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def dispatched(answer: list) -> list[int]:
    return [i.run for i in answer if isinstance(i, Dispatch)]


def told_again(instruction) -> bool:
    return isinstance(instruction, Drain | WakeAt)


def without_reason(answer: list) -> list:
    """Reasons tell how a failure looked; the record keeps them, a rebuilt scheduler needn't."""
    return [replace(i, reason="") if hasattr(i, "reason") and not isinstance(i, EndRun) else i for i in answer]


@examples
@given(plans(), seeds, st.integers(1, 30))
def test_rebuilt_from_a_snapshot_it_goes_on_exactly_where_it_was(plan, seed, moment):
    world = World(plan, seed)
    first = CheckedScheduler(plan)
    play(first, world, most=moment)
    if first.finished:
        return
    second = CheckedScheduler(plan, first.snapshot())
    assert [i for i in second.handle(Begin(), now=world.now) if not told_again(i)] == []
    assert second.snapshot() == first.snapshot()
    while not first.finished:
        events = world.events()
        answer = first.handle(*events, now=world.now)
        assert without_reason(second.handle(*events, now=world.now)) == without_reason(answer)
        world.take(answer)
    assert second.runs.status == first.runs.status
    assert second.blocked == first.blocked


@examples
@given(crowded_plans(), seeds)
def test_rebuilt_at_any_moment_it_answers_like_the_one_that_lived(plan, seed):
    world = World(plan, seed)
    scheduler = CheckedScheduler(plan)
    world.take(scheduler.handle(Begin(), now=world.now))
    while not scheduler.finished:
        rebuilt = CheckedScheduler(plan, scheduler.snapshot())
        rebuilt.handle(Begin(), now=world.now)
        events = world.events()
        answer = scheduler.handle(*events, now=world.now)
        assert without_reason(rebuilt.handle(*events, now=world.now)) == without_reason(answer)
        world.take(answer)


def test_a_run_that_needs_no_place_waits_behind_one_whose_task_has_a_place_again():
    """Both limits bind: when its place came free, `p/2` had been passed over before, and now another node has the last free place."""
    plan = plan_of(
        "p/1 r/1 s/1 w/1 p/2 e/2 w/2 q/3",
        "p/1 > r/1", "r/1 > s/1 e/2", "p/2 s/1 > w/1 w/2",
        types={"e/2": "noop"}, limits={"p": 1, "w": 1}, max_nodes_per_call=2,
    )  # fmt: skip
    index = {run.name: number for number, run in enumerate(plan.runs)}
    lived = CheckedScheduler(plan)
    assert dispatched(lived.handle(Begin(), now=0)) == [index["p/1"], index["q/3"]]
    assert dispatched(lived.handle(RunEnded(index["p/1"], "ready"), now=1)) == [index["r/1"]]
    rebuilt = CheckedScheduler(plan, lived.snapshot())
    rebuilt.handle(Begin(), now=1)
    for scheduler in (lived, rebuilt):
        assert dispatched(scheduler.handle(RunEnded(index["r/1"], "ready"), now=2)) == [index["s/1"]]
        assert scheduler.runs.status[index["e/2"]] == "pending"
        assert dispatched(scheduler.handle(RunEnded(index["s/1"], "ready"), now=3)) == [index["p/2"]]
        scheduler.handle(RunEnded(index["p/2"], "ready"), now=4)
        assert scheduler.runs.status[index["e/2"]] == "skipped"


def test_a_node_whose_attempt_was_lost_was_touched():
    plan = plan_of("a/1 b/2", idempotent=True, max_nodes_per_call=1, groups=tolerant("1 2"))
    lived = CheckedScheduler(plan)
    lived.handle(Begin(), now=0)
    lived.handle(RunLost(0), now=1)
    for scheduler in (lived, CheckedScheduler(plan, lived.snapshot())):
        out = [*scheduler.handle(Begin(), now=2), *scheduler.handle(StopRequested(), RunRecalled(0), now=2)]
        assert [(i.node, i.status) for i in out if isinstance(i, EndNode)] == [("1", "stopped"), ("2", "untouched")]


@examples
@given(plans(), seeds, st.integers(1, 30))
def test_what_a_snapshot_does_not_show_as_told_is_told_again(plan, seed, moment):
    world = World(plan, seed)
    first = CheckedScheduler(plan)
    answers = play(first, world, most=moment)
    if first.finished:
        return
    bare = replace(first.snapshot(), blocked={}, ended_nodes=frozenset())
    again = CheckedScheduler(plan, bare).handle(Begin(), now=world.now)
    told = [i for answer in answers for i in answer]
    assert {i.run for i in again if isinstance(i, BlockRun)} == {i.run for i in told if isinstance(i, BlockRun)}
    ends = {(i.node, i.status) for i in told if isinstance(i, EndNode)}
    assert {(i.node, i.status) for i in again if isinstance(i, EndNode)} == ends
