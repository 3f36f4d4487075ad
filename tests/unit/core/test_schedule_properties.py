"""Properties of the scheduler over random plans and random happenings; the invariants are checked after every event."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.core.events import (
    Begin,
    BlockRun,
    Dispatch,
    Drain,
    EndNode,
    EndRun,
    Event,
    Finish,
    NodeOffline,
    RunEnded,
    RunLost,
    RunRecalled,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.links import link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Bundle
from deployments.core.scheduling.weights import topological, turns, weights
from deployments.core.simulation.bounds import lower_bound
from deployments.core.simulation.durations import run_durations
from deployments.core.simulation.simulate import simulate
from tests.unit.core.scheduling import DONE, CheckedScheduler, plans

examples = settings(max_examples=120, deadline=None)
seeds = st.integers(0, 2**32 - 1)


class World:
    """Agents, a person and the clock, all of them unreliable but honest."""

    def __init__(self, plan, seed: int) -> None:
        self._plan, self._dice = plan, random.Random(seed)
        self.now = 0.0
        self.queued: set[int] = set()
        self.running: set[int] = set()
        self._wakes: list[float] = []
        self._offline: set[str] = set()
        self.begin = Begin(tuple(node for node in plan.nodes if node != SYNC_NODE and self._dice.random() < 0.04))

    def take(self, out: list) -> None:
        for instruction in out:
            if isinstance(instruction, Dispatch):
                assert instruction.run not in self.queued | self.running
                self.queued.add(instruction.run)
            if isinstance(instruction, WakeAt):
                self._wakes.append(instruction.at)

    def events(self) -> list[Event]:
        """What happens in the next moment; something always does."""
        self.now += self._dice.choice([0, 1, 4])
        happened = [event for run in sorted(self.queued | self.running) if self._dice.random() < 0.5 and (event := self._of_run(run))]
        if self._dice.random() < 0.02:
            happened.append(self._goes_offline())
        if self._dice.random() < 0.02:
            happened.append(StopRequested())
        if self._wakes and not self.queued and not self.running:
            self.now = max(self.now, min(self._wakes))
            self._wakes.remove(min(self._wakes))
        return happened or [Tick()]

    def _of_run(self, run: int) -> Event:
        luck = self._dice.random()
        if run in self.queued:
            self.queued.discard(run)
            if luck < 0.15:
                return RunRecalled(run)
            if luck < 0.9:
                self.running.add(run)
                return RunStarted(run)
        self.running.discard(run)
        if luck < 0.1:
            return RunLost(run)
        return RunEnded(run, self._dice.choices(["ready", "error", "skipped"], [8, 2, 1])[0], "by chance")

    def _goes_offline(self) -> Event:
        node = self._dice.choice([node for node in self._plan.nodes if node != SYNC_NODE] or [SYNC_NODE])
        self.queued = {run for run in self.queued if self._plan.runs[run].node != node}
        return NodeOffline(node)


def play(scheduler: CheckedScheduler, world: World, most: int = 10_000) -> list[list]:
    """Let it happen until the end; the answers, moment by moment."""
    answers = [scheduler.handle(world.begin, now=world.now)]
    world.take(answers[-1])
    while not scheduler.finished and len(answers) < most:
        events = world.events()
        answers.append(scheduler.handle(*events, now=world.now))
        world.take(answers[-1])
    return answers


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
    if ends[0].status == "ready":
        assert all(status in (*DONE, "error") or run in scheduler.blocked for run, status in enumerate(scheduler.runs.status))
    else:
        assert any(isinstance(i, Drain) for i in told)


@examples
@given(plans(), seeds)
def test_attempts_are_numbered_upwards_and_none_is_dispatched_twice(plan, seed):
    told = [i for answer in play(CheckedScheduler(plan), World(plan, seed)) for i in answer]
    numbers: dict[int, list[int]] = {}
    for instruction in told:
        if isinstance(instruction, Dispatch):
            numbers.setdefault(instruction.run, []).append(instruction.attempt)
    assert all(attempts == list(range(1, len(attempts) + 1)) for attempts in numbers.values())


def told_again(instruction) -> bool:
    return isinstance(instruction, Drain | WakeAt)


def without_reason(answer: list) -> list:
    """Reasons tell how a failure looked; the record keeps them, a rebuilt scheduler needn't."""
    return [replace(i, reason="") if hasattr(i, "reason") and not isinstance(i, EndRun) else i for i in answer]


@examples
@given(plans(), seeds, st.integers(1, 30))
def test_rebuilt_from_a_snapshot_it_goes_on_exactly_where_it_was(plan, seed, moment):
    if plan.limits:
        # With both limits at once a rebuilt scheduler may give a run that needs no place its turn a moment earlier or later.
        plan = replace(plan, max_nodes_per_call=0)
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
