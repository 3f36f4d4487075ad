"""What a stop still waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deployments.services import stored
from deployments.services.judge import limit_of_try
from history import queries as history
from history.models import TaskRun, Transaction


@dataclass(frozen=True, slots=True)
class StillRunning:
    """A task run that has to end by itself. `p50` and `p90` are seconds this task usually takes, None where nothing is known."""

    task: str
    node: str
    since: datetime | None
    seconds: float
    p50: float | None
    p90: float | None
    tried: Tried | None = None
    """Its newest try failed, and another follows."""
    ends_by: datetime | None = None
    """When it has ended at the latest: once a stop was asked for, no try begins but the one that runs. None where nothing limits it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A try of a task run that failed: the `number`th `of` so many, when and why, and when the next begins."""

    number: int
    of: int
    at: datetime
    again_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class DrainView:
    """A deployment that is being stopped, or could be."""

    transaction: Transaction
    stopping: bool
    running: Sequence[StillRunning]
    waiting: int
    """Task runs that will not start (or, without a stop, have not started yet)."""
    done: int


def drain_view(cluster_id: int, now: datetime) -> DrainView | None:
    """What runs in the cluster now; None if nothing is being deployed."""
    parent = history.unfinished_deploy(cluster_id)
    if parent is None:
        return None
    rows = history.task_runs(parent)
    running = list(rows.filter(status="running").select_related("transaction"))
    stopping = parent.stop_requested_at is not None
    known = history.durations(cluster_id, {row.task_name for row in running}, rehearsed=parent.rehearsal is not None)
    pending = rows.filter(status="pending").count()
    limits = {child: _limits(child) for child in {row.transaction_id for row in running}}
    still = [_still(row, known.get(row.task_name, []), limits[row.transaction_id].get(row.position), stopping, now) for row in running]
    return DrainView(parent, stopping, still, pending, rows.count() - pending - len(still))


def _limits(child_id: int) -> dict[int, float]:
    """By position: how many seconds one try may take; nothing where the plan can't be read."""
    try:
        plan = stored.plan(child_id)
    except stored.CantBeLoaded:
        return {}
    return {position: limit_of_try(run) for position, run in enumerate(plan.runs)} if plan is not None else {}


def _still(row: TaskRun, known: Sequence[float], limit: float | None, stopping: bool, now: datetime) -> StillRunning:
    seconds = max(0.0, (now - row.time_start).total_seconds()) if row.time_start else 0.0
    tried = _tried(row.summary)
    begun = tried.again_at if tried else row.time_start
    ends_by = None
    if stopping and tried is not None and now < tried.again_at:
        # Nothing runs: it ends as soon as its agent sees the stop.
        ends_by = now
    elif limit is not None and begun is not None and row.transaction.rehearsal is None:
        ends_by = begun + timedelta(seconds=limit)
    return StillRunning(
        row.task_name, row.node, row.time_start, seconds, _percentile(known, 0.5), _percentile(known, 0.9), tried, ends_by
    )  # fmt: skip


def _tried(summary: Mapping[str, Any]) -> Tried | None:
    """What an agent has told of a try that failed; it may have told anything."""
    try:
        at, pause = datetime.fromisoformat(summary["at"]), timedelta(seconds=float(summary["pause"]))
        return Tried(int(summary["try"]), int(summary["tries"]), at, at + pause, str(summary["reason"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _percentile(ascending: Sequence[float], part: float) -> float | None:
    """The nearest-rank percentile."""
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))] if ascending else None
