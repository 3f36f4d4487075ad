"""What a deployment would do, without doing it: the very same scheduler, driven by a virtual clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from deployments.core.errors import InvalidData
from deployments.core.events import (
    Begin,
    Dispatch,
    EndNode,
    EndRun,
    Event,
    Finish,
    Instruction,
    RunEnded,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.names import no_such_run
from deployments.core.plan import Plan
from deployments.core.scheduling.schedule import Scheduler
from deployments.core.scheduling.snapshot import RunStatus
from deployments.core.simulation.durations import Durations, run_durations


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """What became of each run and node, and when. Times are seconds from the start."""

    plan: Plan
    finish: Finish
    status: tuple[RunStatus, ...]
    """By run; a run that was never started is `pending`."""
    blocked: Mapping[int, int | None]
    """Runs that could not start, with the run that is the cause (None: their own node was offline)."""
    starts: Mapping[int, float]
    """By run: when its first attempt started. Runs that never started are absent."""
    finishes: Mapping[int, float]
    """By run: when its last attempt ended."""
    node_ends: Mapping[str, EndNode]
    """By node, without the sync node."""
    failed_nodes: frozenset[str]
    """Nodes with a failure of their own, or offline."""
    drained: bool
    """A stop was asked for, or a fault tolerance was exceeded."""
    critical_offline: tuple[str, ...]
    """Critical nodes that were offline, so nothing was started at all."""

    @property
    def makespan(self) -> float:
        """When the last run ended."""
        return max(self.finishes.values(), default=0)


def simulate(
    plan: Plan,
    durations: Durations | None = None,
    *,
    fail: Iterable[str] = (),
    fail_at_start: Iterable[str] = (),
    stop_at: float | None = None,
    offline: Iterable[str] = (),
    scheduler: Scheduler | None = None,
) -> SimulationResult:
    """Run the plan on a virtual clock that starts at 0.

    Args:
        durations: seconds by `task/uid`, `task` or `*`; what has no name takes no time.
        fail: runs (`task/uid`) whose every attempt fails when its time is over.
        fail_at_start: runs whose every attempt fails before it has started.
        stop_at: when a stop is asked for; 0 = before anything starts.
        offline: nodes without an agent from the start.
        scheduler: a fresh one for this plan, where the caller has it already.

    Raises:
        InvalidData: a name is not in the plan, or a duration can't be read.
    """
    world = _World(plan, durations or {}, _indexes(plan, fail), _indexes(plan, fail_at_start))
    scheduler = scheduler or Scheduler(plan)
    events: list[Event] = [Begin(_known_nodes(plan, offline))]
    now: float = 0
    while True:
        if stop_at is not None and stop_at <= now:
            events.append(StopRequested())
            stop_at = None
        for instruction in scheduler.handle(*events, now=now):
            world.carry_out(instruction, now)
        if scheduler.finished:
            return world.result(scheduler)
        now = world.next_moment(stop_at)
        events = world.events(now)


class _World:
    """Nodes that do as they are told and take the time they are given."""

    def __init__(self, plan: Plan, durations: Durations, fail: frozenset[int], fail_at_start: frozenset[int]) -> None:
        self._plan = plan
        self._seconds = run_durations(plan, durations)
        self._fail = fail
        self._fail_at_start = fail_at_start
        self._ends: list[tuple[float, int]] = []
        self._wakes: list[float] = []
        self._claimed: list[Event] = []
        self._starts: dict[int, float] = {}
        self._finishes: dict[int, float] = {}
        self._node_ends: dict[str, EndNode] = {}

    def carry_out(self, instruction: Instruction, now: float) -> None:
        if isinstance(instruction, Dispatch):
            self._start(instruction.run, now)
        elif isinstance(instruction, EndRun):
            if instruction.run not in self._fail_at_start:
                self._starts.setdefault(instruction.run, now)
                self._finishes[instruction.run] = now
        elif isinstance(instruction, EndNode):
            self._node_ends[instruction.node] = instruction
        elif isinstance(instruction, WakeAt):
            heappush(self._wakes, instruction.at)

    def next_moment(self, stop_at: float | None) -> float:
        moments = [self._ends[0][0]] if self._ends else []
        moments += self._wakes[:1]
        moments += [] if stop_at is None else [stop_at]
        return min(moments)

    def events(self, now: float) -> list[Event]:
        events, self._claimed = self._claimed, []
        while self._wakes and self._wakes[0] <= now:
            heappop(self._wakes)
            events.append(Tick())
        while self._ends and self._ends[0][0] <= now:
            _, run = heappop(self._ends)
            failed = run in self._fail or run in self._fail_at_start
            events.append(RunEnded(run, "error" if failed else "ready"))
        return events

    def result(self, scheduler: Scheduler) -> SimulationResult:
        assert scheduler.finished is not None
        names = scheduler.nodes.names
        return SimulationResult(
            plan=self._plan,
            finish=scheduler.finished,
            status=tuple(scheduler.runs.status),
            blocked=dict(scheduler.blocked),
            starts=self._starts,
            finishes=self._finishes,
            node_ends=self._node_ends,
            failed_nodes=frozenset(names[node] for node in scheduler.nodes.failed),
            drained=bool(scheduler.draining),
            critical_offline=scheduler.critical_offline,
        )

    def _start(self, run: int, now: float) -> None:
        if run in self._fail_at_start:
            heappush(self._ends, (now, run))
            return
        self._claimed.append(RunStarted(run))
        self._starts.setdefault(run, now)
        heappush(self._ends, (now + self._seconds[run], run))


def _indexes(plan: Plan, names: Iterable[str]) -> frozenset[int]:
    """The runs of these names."""
    wanted = set(names)
    if not wanted:
        return frozenset()
    index = {run.name: number for number, run in enumerate(plan.runs)}
    for name in sorted(wanted):
        if name not in index:
            raise InvalidData(no_such_run(name, index), where=name)
    return frozenset(index[name] for name in wanted)


def _known_nodes(plan: Plan, uids: Iterable[str]) -> tuple[str, ...]:
    known = tuple(uids)
    for uid in known:
        if uid not in plan.nodes:
            raise InvalidData(f"Node {uid} is to be offline, but the plan has no such node.", node=uid)
    return known
