"""A child transaction under way, as its owner keeps it in memory; rebuilt from the database whenever the owner changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.core.plan import MASTER_NODE, SYNC_NODE, Plan, TaskRun
from deployments.core.scheduling.schedule import Scheduler
from deployments.core.scheduling.snapshot import RunState, Snapshot
from deployments.services import stored
from deployments.services.refusals import Refusals
from deployments.services.rehearsal import Rehearsal
from deployments.wire.messages import AttemptKey, Mode, Work
from history import queries as history
from history.models import Transaction
from history.recorder import RunRow, load_rows

FURTHEST_AHEAD = 10**6
"""By so much a node's dispatch numbers may be ahead of the database's (which may have been restored from a backup)."""


def wire_name(uid: str, cluster_id: int) -> str:
    """A node's name in queues and keys: every cluster has a master of its own."""
    return f"{MASTER_NODE}-{cluster_id}" if uid == MASTER_NODE else uid


@dataclass(slots=True)
class ChildRun:
    """Plan, rows and scheduler of one child."""

    id: int
    parent_id: int
    cluster_id: int
    graph_type: str
    plan: Plan
    rows: list[RunRow]
    scheduler: Scheduler
    mode: Mode
    dry_run: bool
    rehearsal: Rehearsal | None
    callbacks: Mapping[str, Any]
    numbers: dict[str, int]
    """By wire name: the highest dispatch number used so far."""
    found: dict[str, Any] = field(default_factory=dict)
    """What a rebuilt scheduler has to be told: `drain` (the reason), `offline` and `ended` (nodes); and `before`: what nodes were when the
    graph began there."""
    by_run_id: dict[int, RunRow] = field(default_factory=dict)
    undone: dict[int, RunRow] = field(default_factory=dict)
    """Runs with a dispatched or started attempt, by position."""
    touched: set[str] = field(default_factory=set)
    """Nodes on which something was started."""
    send_again: dict[tuple[int, int], tuple[float, float]] = field(default_factory=dict)
    """By run id and attempt: when (seconds since the epoch) it may be sent again if nobody claims it, and the pause after that."""
    without_room: dict[tuple[int, int], datetime] = field(default_factory=dict)
    """By run id and attempt: when its node's agent last said that it has no room to start anything."""
    stood_still: dict[tuple[int, int], float] = field(default_factory=dict)
    """By run id and attempt: seconds of its time in which nobody was at work, so that they don't count for its deadline."""
    refusals: Refusals = field(default_factory=Refusals)
    ended: int = 0
    progress: int = -1
    siblings: int = 1
    """How many children the request has, this one included: its progress is their mean (Nailgun)."""
    others_progress: int = 0
    """The progress of the others together: it stands still, as one child runs after the other."""

    def key(self, row: RunRow) -> AttemptKey:
        """The name of the row's newest attempt."""
        return AttemptKey(self.parent_id, row.id, row.attempts, wire_name(row.node, self.cluster_id), row.number)

    def next_number(self, name: str) -> int:
        """A dispatch number that was never used on the node of this wire name."""
        self.numbers[name] = self.numbers.get(name, 0) + 1
        return self.numbers[name]

    def saw_number(self, name: str, number: int) -> None:
        """An agent says that it has started this one."""
        self.numbers[name] = max(self.numbers.get(name, 0), number)

    def may_have_started(self, name: str, number: int) -> bool:
        """Whether there can have been such a dispatch number; a node whose agent has a damaged memory would use up all that there are."""
        return number <= self.numbers.get(name, 0) + FURTHEST_AHEAD

    def work(self, row: RunRow, lease_seconds: float) -> Work:
        """All that the agent needs for the row's newest attempt."""
        run = self.plan.runs[row.position]
        if self.rehearsal is None:
            return Work(run.task, run.type, run.parameters, self.mode, lease_seconds=lease_seconds)
        seconds = self.rehearsal.seconds(run)
        return Work(run.task, run.type, {}, "rehearsal", seconds, self.rehearsal.fails(run), lease_seconds)

    @property
    def wire_nodes(self) -> list[str]:
        """Names of the nodes that have to have an agent."""
        return sorted({wire_name(row.node, self.cluster_id) for row in self.rows if row.node != SYNC_NODE})

    @property
    def cluster_nodes(self) -> list[str]:
        """Nodes of the cluster that the graph is for."""
        return [node for node in self.plan.nodes if node not in (SYNC_NODE, MASTER_NODE)]

    @property
    def idle_nodes(self) -> list[str]:
        """Those for which it has no task."""
        busy = {row.node for row in self.rows}
        return [node for node in self.cluster_nodes if node not in busy]

    @property
    def has_begun(self) -> bool:
        """Whether anything was ever dispatched."""
        return any(row.attempts for row in self.rows)


def load_child(child: Transaction, *, stopping: bool) -> ChildRun:
    """Read a recorded child: its plan, its rows, and the scheduler standing where they stand.

    Raises:
        CantBeLoaded: the plan can't be read, or its rows are not those of the plan.
    """
    plan, rows = stored.plan(child.id), load_rows(child.id)
    if plan is None or [(row.task_name, row.node) for row in rows] != [(run.task, run.node) for run in plan.runs]:
        raise stored.CantBeLoaded(
            f"Transaction {child.id} can't be loaded: its task runs are not those of its plan. Restore it from a backup of the database."
        )
    try:
        return _load(child, plan, rows, stopping=stopping)
    except stored.CAUSES as error:
        raise stored.CantBeLoaded(f"Transaction {child.id} can't be loaded: what is stored of it does not go together.") from error


def _load(child: Transaction, plan: Plan, rows: list[RunRow], *, stopping: bool) -> ChildRun:
    snapshot = Snapshot(
        runs={row.position: _state(row, plan.runs[row.position]) for row in rows if row.attempts or row.status != "pending"},
        offline=frozenset(child.result.get("offline", ())), ended_nodes=frozenset(child.result.get("ended", ())),
        stopping=stopping, drain_reason=child.result.get("drain", ""),
        blocked={row.position: row.blocked_by for row in rows if row.blocked_by is not None},
    )  # fmt: skip
    run = ChildRun(
        id=child.id, parent_id=child.parent_id, cluster_id=child.cluster_id, graph_type=child.graph_type, plan=plan, rows=rows,
        scheduler=Scheduler(plan, snapshot if snapshot != Snapshot() else None), mode="noop" if child.noop else "real",
        dry_run=child.dry_run, rehearsal=Rehearsal.from_data(child.rehearsal) if child.rehearsal else None,
        callbacks=child.arguments.get("callbacks", {}), found=dict(child.result),
        numbers=history.highest_numbers({wire_name(row.node, child.cluster_id) for row in rows}),
    )  # fmt: skip
    run.refusals = Refusals(run.wire_nodes)
    run.by_run_id = {row.id: row for row in rows}
    run.undone = {row.position: row for row in rows if row.undone}
    run.touched = {row.node for row in rows if row.time_start and row.attempts}
    others = [other.progress for other in history.siblings(child)]
    run.siblings, run.others_progress = 1 + len(others), sum(others)
    run.ended = sum(row.status in ("ready", "error", "skipped") for row in rows)
    return run


def _state(row: RunRow, run: TaskRun) -> RunState:
    status = "dispatched" if row.status == "pending" and row.undone else row.status
    waits = status == "pending" and row.attempt_status == "error" and row.time_end is not None
    due = row.time_end.timestamp() + run.retry_delay if waits and row.time_end and run.retry_delay else 0.0
    return RunState(status=status, attempts=row.attempts, failures=row.failures, lost=row.lost, not_before=due, reason=row.reason)  # type: ignore[arg-type]


def task_run(child: ChildRun, row: RunRow) -> TaskRun:
    """The planned run behind a row."""
    return child.plan.runs[row.position]
