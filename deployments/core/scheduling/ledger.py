"""The scheduler's books: what it knows about each run and each node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush

from deployments.core.errors import IllegalTransition
from deployments.core.plan import Plan
from deployments.core.scheduling.snapshot import RunState, RunStatus

UNDER_WAY = frozenset({"dispatched", "running"})
"""States of a run whose attempt is not over."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the transaction is, in task runs."""

    total: int
    pending: int
    under_way: int
    ready: int
    skipped: int
    error: int
    blocked: int

    @property
    def percent(self) -> int:
        """Runs of which nothing more will come, of all, rounded down."""
        return 100 * (self.ready + self.skipped + self.error + self.blocked) // self.total if self.total else 100


class RunBook:
    """State, attempts and due time of each run."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.status: list[RunStatus] = ["pending"] * len(plan.runs)
        self.attempts = [0] * len(plan.runs)
        self.failures: dict[int, int] = {}
        self.lost: dict[int, int] = {}
        self.not_before: dict[int, float] = {}
        self._timers: list[tuple[float, int]] = []

    def move(self, run: int, new: RunStatus, expected: frozenset[str] = UNDER_WAY) -> None:
        """Change the run's state.

        Raises:
            IllegalTransition: the run is in none of the expected states.
        """
        old = self.status[run]
        if old not in expected:
            planned = self._plan.runs[run]
            raise IllegalTransition(
                f"{planned.name} can't go from {old} to {new}: it would have to be {' or '.join(sorted(expected))}.",
                task=planned.task,
                node=planned.node,
            )
        self.status[run] = new

    def wait_until(self, run: int, due: float) -> None:
        """The run's next attempt waits for this time."""
        self.not_before[run] = due
        heappush(self._timers, (due, run))

    def due(self, now: float) -> Iterator[int]:
        """Runs whose time has come; each is named once."""
        while self._timers and self._timers[0][0] <= now:
            due, run = heappop(self._timers)
            if self.not_before.get(run) == due:
                del self.not_before[run]
                yield run

    def state(self, run: int) -> RunState:
        """The run's line of a snapshot."""
        failures, lost, due = self.failures.get(run, 0), self.lost.get(run, 0), self.not_before.get(run, 0.0)
        return RunState(self.status[run], self.attempts[run], failures, lost, due)

    def states(self) -> dict[int, RunState]:
        """The lines of a snapshot: every run with which something has happened."""
        return {run: self.state(run) for run, status in enumerate(self.status) if status != "pending" or self.attempts[run]}

    def restore(self, run: int, state: RunState) -> None:
        """Take over a line of a snapshot."""
        self.status[run], self.attempts[run] = state.status, state.attempts
        if state.failures:
            self.failures[run] = state.failures
        if state.lost:
            self.lost[run] = state.lost
        if state.status == "pending" and state.not_before:
            self.wait_until(run, state.not_before)

    def progress(self, under_way: int, blocked: int) -> Progress:
        """Counts by state; blocked runs are not counted as pending."""
        count = self.status.count
        return Progress(len(self.status), count("pending") - blocked, under_way, count("ready"), count("skipped"), count("error"), blocked)


class NodeBook:
    """What is left to do on each node, whether it was touched, and why it failed. Nodes are numbered in their order."""

    def __init__(self, names: tuple[str, ...], node_of: list[int]) -> None:
        self.names = names
        self.number = {name: index for index, name in enumerate(names)}
        self.runs: list[list[int]] = [[] for _ in names]
        for run, node in enumerate(node_of):
            self.runs[node].append(run)
        self.left = [len(runs) for runs in self.runs]
        """By node: runs of which something may still come."""
        self.touched = bytearray(len(names))
        """By node: an attempt was started there, or may have been: it was lost."""
        self.failed: dict[int, str] = {}
        """By node, in the order in which they failed: why, as a clause."""
        self.offline: set[int] = set()
        self.ended = bytearray(len(names))
        """By node: its `EndNode` was told."""
        self.stirred: set[int] = set(range(len(names)))
        """Nodes that may be over since somebody last looked."""

    def settle(self, node: int) -> None:
        """Nothing more will come of one of its runs."""
        self.left[node] -= 1
        self.stirred.add(node)

    def is_over(self, node: int) -> bool:
        """Whether nothing more will come of this node; one without any runs is over when its `EndNode` was told."""
        return bool(self.ended[node]) or bool(self.runs[node]) and not self.left[node]

    def take_stirred(self) -> list[int]:
        """The nodes to look at, in their order; each is named once until it is stirred again."""
        stirred = sorted(self.stirred)
        self.stirred.clear()
        return stirred
