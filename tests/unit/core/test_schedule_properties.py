"""Properties of the scheduler over random plans and random happenings; the invariants are checked after every event."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.events import (
    BlockRun,
    Dispatch,
    Drain,
    EndNode,
    EndRun,
    Finish,
)
from deployments.core.links import link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Bundle
from deployments.core.scheduling.weights import topological, turns, weights
from deployments.core.simulation.bounds import lower_bound
from deployments.core.simulation.durations import run_durations
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import DONE, CheckedScheduler, plans
from tests.unit.core.unreliable import World, play

examples = settings(max_examples=120, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@examples
@given(plans(), seeds)
def test_every_transaction_comes_to_an_honest_end(plan, seed):
    world = World(plan, seed)
    scheduler = CheckedScheduler(plan)
    answers = play(scheduler, world)
    told = [instruction for answer in answers for instruction in answer]
    ends = [i for i in told if isinstance(i, Finish)]
    assert len(ends) == 1 and told[-1] == ends[0]
    assert not scheduler.undone and not world.running
    assert max(Counter(i.run for i in told if isinstance(i, EndRun)).values(), default=1) == 1
    assert max(Counter(i.run for i in told if isinstance(i, BlockRun)).values(), default=1) == 1
    assert sorted(i.node for i in told if isinstance(i, EndNode)) == sorted(node for node in plan.nodes if node != SYNC_NODE)
    if ends[0].status == "ready" or not any(isinstance(i, Drain) for i in told):
        # Without a drain it is an error only by what was left undone at the end.
        assert ends[0].status in ("ready", "error")
        assert all(status in (*DONE, "error") or run in scheduler.blocked for run, status in enumerate(scheduler.runs.status))


@examples
@given(plans(), seeds)
def test_attempts_are_numbered_upwards_and_none_is_dispatched_twice(plan, seed):
    told = [i for answer in play(CheckedScheduler(plan), World(plan, seed)) for i in answer]
    numbers: dict[int, list[int]] = {}
    for instruction in told:
        if isinstance(instruction, Dispatch):
            numbers.setdefault(instruction.run, []).append(instruction.attempt)
    assert all(attempts == list(range(1, len(attempts) + 1)) for attempts in numbers.values())


# -- simulations ----------------------------------------------------------------------------------------------------------

seconds = st.dictionaries(st.sampled_from(["*", "t0", "t1", "t2/1", "t3/10"]), st.integers(0, 9), max_size=4)


@examples
@given(plans(tries=False), seconds)
def test_a_simulation_respects_every_rule_and_no_bound_is_undercut(plan, durations):
    result = simulate(plan, durations, scheduler=CheckedScheduler(plan))
    took = run_durations(plan, durations)
    assert result.status == tuple("skipped" if run.type in ENGINE_TYPES else "ready" for run in plan.runs)
    assert all(result.finishes[run] - result.starts[run] == took[run] for run in range(len(plan.runs)))
    assert all(result.finishes[before] <= result.starts[after] for before, after in plan.edges())
    assert result.makespan >= lower_bound(plan, durations)
    busy = [run for run in range(len(plan.runs)) if took[run]]
    for run in busy:
        at_once = [plan.runs[other] for other in busy if result.starts[other] <= result.starts[run] < result.finishes[other]]
        assert max(Counter(other.node for other in at_once).values()) == 1
        assert not plan.max_nodes_per_call or len(at_once) <= plan.max_nodes_per_call
        assert all(count <= plan.limits.get(task, count) for task, count in Counter(other.task for other in at_once).items())


@examples
@given(plans(tries=False), seconds, st.sets(st.integers(0, 25), max_size=3), st.none() | st.integers(0, 12))
def test_joins_change_nothing(plan, durations, fail, stop_at):
    narrow = replace(plan, bundles=tuple(Bundle((before,), (after,)) for before, after in sorted(set(plan.edges()))))
    assert len(link(narrow).successors) == len(plan.runs)
    names = [plan.runs[run].name for run in fail if run < len(plan.runs)]
    wide_result, narrow_result = (simulate(made, durations, fail=names, stop_at=stop_at) for made in (plan, narrow))
    assert replace(wide_result, plan=narrow) == narrow_result


@examples
@given(plans())
def test_weights_are_astutes_over_paths_and_turns_follow_them(plan):
    after: dict[int, set[int]] = {}
    for before, other in plan.edges():
        after.setdefault(before, set()).add(other)

    @cache
    def weight(run: int) -> int:
        node = plan.runs[run].node
        return sum((1 if plan.runs[other].node == node else 10) + weight(other) for other in after.get(run, ()))

    links = link(plan)
    assert weights(plan, links) == [weight(run) for run in range(len(plan.runs))]
    turn = turns(plan, links)
    assert sorted(turn) == list(range(len(plan.runs)))
    assert sorted(range(len(turn)), key=turn.__getitem__) == sorted(range(len(turn)), key=lambda run: (-weight(run), run))
    place = {vertex: number for number, vertex in enumerate(topological(plan, links))}
    assert all(place[before] < place[other] for before, other in plan.edges())
