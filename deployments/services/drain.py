"""What a stop still waits for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

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
    running = list(rows.filter(status="running"))
    known = history.durations(cluster_id, {row.task_name for row in running}, rehearsed=parent.rehearsal is not None)
    pending = rows.filter(status="pending").count()
    still = [_still(row, known.get(row.task_name, []), now) for row in running]
    return DrainView(parent, parent.stop_requested_at is not None, still, pending, rows.count() - pending - len(still))


def _still(row: TaskRun, known: Sequence[float], now: datetime) -> StillRunning:
    seconds = max(0.0, (now - row.time_start).total_seconds()) if row.time_start else 0.0
    return StillRunning(row.task_name, row.node, row.time_start, seconds, _percentile(known, 0.5), _percentile(known, 0.9))


def _percentile(ascending: Sequence[float], part: float) -> float | None:
    """The nearest-rank percentile."""
    return ascending[min(len(ascending) - 1, int(part * len(ascending)))] if ascending else None
