"""The scheduler: the only place that decides what runs next. Events in, instructions out; no clock, no database, no broker.

The real run, the simulation, the explanation of a wait and the tests all use this one class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from deployments.core.events import (
    Begin,
    BlockRun,
    Dispatch,
    Drain,
    EndRun,
    Event,
    Finish,
    Instruction,
    NodeOffline,
    Outcome,
    RetryRun,
    RunEnded,
    RunLost,
    RunRecalled,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.links import Links, link
from deployments.core.plan import Plan
from deployments.core.scheduling import endings, explain
from deployments.core.scheduling.dependencies import Dependencies
from deployments.core.scheduling.failures import FaultTolerance, critical_offline
from deployments.core.scheduling.ledger import UNDER_WAY, NodeBook, Progress, RunBook
from deployments.core.scheduling.places import NO_RUN, Places
from deployments.core.scheduling.snapshot import RunState, RunStatus, Snapshot
from deployments.core.scheduling.weights import turns

LOST_LIMIT = 3
"""How many times an idempotent run whose attempt was lost is tried again."""

STOP_REASON = "A stop was asked for."

ONLY_DISPATCHED = frozenset({"dispatched"})


class Scheduler:
    """One transaction's decisions.

    `handle` takes the events of one moment and returns what is to be done about them, in order. All ends of a moment are taken before
    anything new starts. `Begin` starts a new transaction or goes on with a rebuilt one; before it, events are taken but nothing
    starts. Rebuilt from a snapshot, it tells at `Begin` again what the snapshot does not show as done, so carrying an instruction out
    twice must do no harm. After an error it must not be used further: rebuild it.

    Args:
        plan: what to run.
        snapshot: where the transaction is; None = nothing has happened yet.
        lost_limit: how many times a lost idempotent run is tried again.
        links: `link(plan)`, where the caller has it already.

    Raises:
        LoopDetected: the plan's runs wait for each other in a circle.
    """

    def __init__(self, plan: Plan, snapshot: Snapshot | None = None, *, lost_limit: int = LOST_LIMIT, links: Links | None = None) -> None:
        self.plan = plan
        self.links = links or link(plan)
        self.places = Places(plan, self.links, turns(plan, self.links))
        self.dependencies = Dependencies(plan, self.links)
        self.runs = RunBook(plan)
        self.nodes = NodeBook(self.places.nodes, self.places.node_of)
        self.blocked: dict[int, int | None] = {}
        """Runs that can't start any more, with the run that is the cause (None: their own node is offline)."""
        self.draining: Literal["", "stop", "tolerance"] = ""
        """Why nothing new starts, or empty."""
        self.drain_reason = ""
        self.critical_offline: tuple[str, ...] = ()
        """Critical nodes that were offline before the start: nothing was started at all."""
        self.held = False
        """Set by an owner that is about to leave: events are taken, but nothing starts."""
        self.finished: Finish | None = None
        self.tolerance = FaultTolerance(plan)
        self._lost_limit = lost_limit
        self.begun = False
        self._fresh = snapshot is None
        self.left = len(plan.runs)
        """How many runs something may still come of."""
        self._recorded_roots: Mapping[int, int | None] = {}
        self._out: list[Instruction] = []
        self._handlers = self._handlers_by_kind()
        for run in self.dependencies.roots():
            self.places.add(run)
        if snapshot is not None:
            self._restore(snapshot)

    def handle(self, *events: Event, now: float) -> list[Instruction]:
        """Take the events of one moment; returns what is to be done, in order. After `Finish` nothing is answered any more.

        Raises:
            IllegalTransition: an event does not fit the state of its run (late outcomes are to be recognised by their attempt before).
        """
        if self.finished:
            return []
        out: list[Instruction] = []
        self._out = out
        for event in events:
            self._handlers[type(event)](event, now)
        for run in self.runs.due(now):
            self._queue(run)
        if not self.draining and (excess := self.tolerance.excess()):
            self._drain("tolerance", str(excess))
        if self.begun:
            if not self.draining and not self.held:
                self._start()
            out.extend(endings.node_ends(self))
            self.finished = endings.finish(self)
            if self.finished:
                out.append(self.finished)
        return out

    @property
    def undone(self) -> list[int]:
        """Runs with an attempt that is dispatched or running, by node order."""
        return [run for run in self.places.busy if run != NO_RUN]

    def not_over(self, nodes: Iterable[str]) -> list[str]:
        """Those of the nodes that have a part in the plan which is not over: only these can fail by being offline."""
        return [node for node in nodes if node in self.nodes.number and not self.nodes.is_over(self.nodes.number[node])]

    @property
    def progress(self) -> Progress:
        """Counts of the runs by state."""
        return self.runs.progress(self.places.taken, len(self.blocked))

    def why(
        self, run: int, when: Callable[[float], str] = explain.seconds_of_the_clock, first_sign: explain.FirstSign | None = None
    ) -> explain.Why:
        """Why this run does not run now, in one sentence; see `explain.why`."""
        return explain.why(self, run, when, first_sign)

    def snapshot(self) -> Snapshot:
        """The state as a value: a scheduler made from it goes on exactly here."""
        names = self.nodes.names
        return Snapshot(
            runs=self.runs.states(),
            offline=frozenset(names[node] for node in self.nodes.offline),
            stopping=self.draining == "stop",
            drain_reason=self.drain_reason if self.draining == "tolerance" else "",
            blocked=dict(self.blocked),
            ended_nodes=frozenset(name for name, ended in zip(names, self.nodes.ended, strict=True) if ended),
        )

    def _handlers_by_kind(self) -> dict[type, Callable[[Any, float], None]]:
        return {
            Begin: self._begin,
            RunStarted: self._run_started,
            RunEnded: self._run_ended,
            RunLost: self._run_lost,
            RunRecalled: self._run_recalled,
            NodeOffline: self._node_offline,
            StopRequested: self._stop_requested,
            Tick: self._tick,
        }

    # -- events -----------------------------------------------------------------------------------------------------------

    def _begin(self, event: Begin, now: float) -> None:
        if not self.begun:
            self.begun = True
            self._tell_again()
        # All at once: that the failure of one leaves another nothing to do does not make that one present.
        offline = self.not_over(event.offline)
        critical = [node for node in offline if self.tolerance.is_critical(node)]
        for node in offline:
            self._take_offline(self.nodes.number[node])
        if self._fresh and critical and not self.draining:
            self.critical_offline = tuple(critical)
            self._drain("tolerance", critical_offline(critical))
        self._fresh = False

    def _run_started(self, event: RunStarted, now: float) -> None:
        self.runs.move(event.run, "running", ONLY_DISPATCHED)
        self.nodes.touched[self.places.node_of[event.run]] = 1

    def _run_ended(self, event: RunEnded, now: float) -> None:
        run = event.run
        self._leave(run, event.outcome)
        self.nodes.touched[self.places.node_of[run]] = 1
        if event.outcome != "error":
            self._end_well(run, event.outcome, event.reason)
            return
        planned = self.plan.runs[run]
        self.runs.failures[run] = failures = self.runs.failures.get(run, 0) + 1
        if failures < planned.attempts and self._may_run(run):
            self._retry(run, event.reason, now + planned.retry_delay if planned.retry_delay > 0 else None)
        else:
            self._fail(run, event.reason)

    def _run_lost(self, event: RunLost, now: float) -> None:
        run = event.run
        self._leave(run, "error")
        self.nodes.touched[self.places.node_of[run]] = 1
        self.runs.lost[run] = lost = self.runs.lost.get(run, 0) + 1
        if self.plan.runs[run].idempotent and lost <= self._lost_limit and self._may_run(run):
            self._retry(run, event.reason, None)
        else:
            self._fail(run, event.reason)

    def _run_recalled(self, event: RunRecalled, now: float) -> None:
        self._recall(event.run)

    def _recall(self, run: int) -> None:
        self._leave(run, "pending", ONLY_DISPATCHED)
        self._reopen(run)

    def _node_offline(self, event: NodeOffline, now: float) -> None:
        node = self.nodes.number[event.node]
        if self.nodes.is_over(node):
            return  # A node whose part is done may be switched off: that is no failure of this deployment.
        self._take_offline(node)

    def _take_offline(self, node: int) -> None:
        held = self.places.busy[node]
        if held != NO_RUN and self.runs.status[held] == "dispatched":
            self._recall(held)
        if node not in self.nodes.offline:
            self.nodes.offline.add(node)
            self._fail_node(node, None)

    def _stop_requested(self, event: StopRequested, now: float) -> None:
        if not self.draining:
            self._drain("stop", STOP_REASON)

    def _tick(self, event: Tick, now: float) -> None:
        """Nothing but time has passed; due runs are looked at after every event."""

    # -- the ends of runs -------------------------------------------------------------------------------------------------

    def _leave(self, run: int, new: RunStatus, expected: frozenset[str] = UNDER_WAY) -> None:
        """The run's attempt is over: its node and its places are free."""
        self.runs.move(run, new, expected)
        self.places.release(run)

    def _end_well(self, run: int, outcome: Outcome, reason: str = "") -> None:
        self.runs.status[run] = outcome
        self._out.append(EndRun(run, outcome, reason))
        self._settle(run)
        for free in self.dependencies.well(run):
            self._queue(free)

    def _fail(self, run: int, reason: str) -> None:
        if not self.plan.runs[run].fail_on_error:
            self._end_well(run, "skipped", reason or "it failed, and may (fail_on_error: false)")
            return
        self._out.append(EndRun(run, "error", reason))
        self._settle(run)
        self._fail_node(self.places.node_of[run], run, reason)

    def _retry(self, run: int, reason: str, due: float | None) -> None:
        self.runs.status[run] = "pending"
        self._out.append(RetryRun(run, reason))
        if due is not None:
            self.runs.wait_until(run, due)
            if not self.draining:
                self._out.append(WakeAt(due))
        self._reopen(run)

    def _reopen(self, run: int) -> None:
        """The run is pending again, if its node is still there."""
        self.nodes.stirred.add(self.places.node_of[run])
        if self._may_run(run):
            self.dependencies.open[run] = 1
            self._queue(run)
        else:
            self._block(run, None)
            self._spread([run], run)

    def _may_run(self, run: int) -> bool:
        return self.places.node_of[run] not in self.nodes.failed

    def _queue(self, run: int) -> None:
        if run not in self.runs.not_before:
            self.places.add(run)

    def _settle(self, run: int) -> None:
        """Nothing more will come of this run."""
        self.dependencies.open[run] = 0
        self.left -= 1
        self.nodes.settle(self.places.node_of[run])
        self.places.settle(run)

    # -- failures ---------------------------------------------------------------------------------------------------------

    def _fail_node(self, node: int, cause: int | None, reason: str = "") -> None:
        """A failed run (or an offline agent: None) takes its node out: the rest of it is blocked, and all that waits for any of it."""
        if node not in self.nodes.failed:
            name = self.nodes.names[node]
            detail = f" ({reason.rstrip('.')})" if reason else ""
            self.nodes.failed[node] = f"node {name} is offline" if cause is None else f"{self.plan.runs[cause].name} failed{detail}"
            self.tolerance.count(name)
        rest = [run for run in self.nodes.runs[node] if self.dependencies.open[run]]
        for run in rest:
            self._block(run, cause)
        if cause is not None:
            self._spread([cause, *rest], cause)
            return
        for run in rest:
            self._spread([run], run)

    def _spread(self, causes: Iterable[int], root: int) -> None:
        blocked, free = self.dependencies.badly(causes)
        for run in sorted(blocked):
            self._block(run, root)
        for run in free:
            self._queue(run)

    def _block(self, run: int, root: int | None) -> None:
        self.places.remove(run)
        self.runs.not_before.pop(run, None)
        self.blocked[run] = self._recorded_roots.get(run, root)
        self._settle(run)
        self._out.append(BlockRun(run, root, f"Blocked: {self._failure(run, root)}."))

    def cause(self, run: int) -> str:
        """What keeps this blocked run from ever starting, as a clause."""
        return self._failure(run, self.blocked[run])

    def _failure(self, run: int, root: int | None) -> str:
        return self.nodes.failed[self.places.node_of[run if root is None else root]]

    def _drain(self, cause: Literal["stop", "tolerance"], reason: str) -> None:
        self.draining, self.drain_reason = cause, reason
        self._out.append(Drain(reason, cause))
        self.nodes.stirred.update(range(len(self.nodes.names)))

    # -- starts -----------------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        engine, attempts, out = self.places.engine, self.runs.attempts, self._out
        while (run := self.places.next()) is not None:
            if engine[run]:
                self._end_well(run, "skipped")
                continue
            self.dependencies.open[run] = 0
            self.runs.status[run] = "dispatched"
            attempts[run] += 1
            out.append(Dispatch(run, attempts[run]))

    # -- going on from a snapshot -----------------------------------------------------------------------------------------

    def _restore(self, snapshot: Snapshot) -> None:
        self._recorded_roots = snapshot.blocked
        for run, state in snapshot.runs.items():
            self._restore_run(run, state)
        for run in sorted(run for run, state in snapshot.runs.items() if state.status == "error"):
            self._settle(run)
            self._fail_node(self.places.node_of[run], run, snapshot.runs[run].reason)
        for node in sorted(self.nodes.number[name] for name in snapshot.offline):
            self.nodes.offline.add(node)
            self._fail_node(node, None)
        if snapshot.drain_reason:
            self.draining, self.drain_reason = "tolerance", snapshot.drain_reason
        elif snapshot.stopping:
            self.draining, self.drain_reason = "stop", STOP_REASON
        for name in snapshot.ended_nodes:
            self.nodes.ended[self.nodes.number[name]] = 1

    def _restore_run(self, run: int, state: RunState) -> None:
        self.runs.restore(run, state)
        if state.failures or state.lost or state.attempts and state.status not in ("pending", "dispatched"):
            self.nodes.touched[self.places.node_of[run]] = 1
        if state.status == "pending":
            if state.not_before:
                self.places.remove(run)
            return
        self.places.remove(run)
        self.dependencies.open[run] = 0
        if state.status in UNDER_WAY:
            self.places.occupy(run)
        elif state.status != "error":
            self._settle(run)
            for free in self.dependencies.well(run):
                self._queue(free)

    def _tell_again(self) -> None:
        """What follows from the record but may not stand in it yet."""
        recorded, self._recorded_roots = self._recorded_roots, {}
        for run in sorted(self.blocked.keys() - recorded.keys()):
            self._out.append(BlockRun(run, self.blocked[run], f"Blocked: {self.cause(run)}."))
        if self.draining:
            self._out.append(Drain(self.drain_reason, self.draining))
            return
        self._out.extend(WakeAt(due) for due in sorted(set(self.runs.not_before.values())))
