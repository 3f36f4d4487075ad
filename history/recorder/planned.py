"""The plan and one `pending` row per task run, written before anything runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from history.models import Snapshot, TaskRun, Transaction
from history.recorder.ledger import Ledger
from history.recorder.locking import lock_unless_held
from history.states import BARRIER

_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One vertex of the plan, as history keeps it. Position = its index in the plan."""

    node: str
    task_name: str
    type: str
    inputs: str = ""
    """SHA-256 of all that decides what it does."""
    reason: str = ""
    """Why it was planned like this; stays until something else is to be told of it."""


def mark_sent(parent_id: int, now: datetime) -> None:
    """Remember when planning was last asked for, so that a timer can see what nobody took.

    Raises:
        RowLocked: it was not written down.
    """
    with transaction.atomic():
        lock_unless_held(parent_id)
        Transaction.objects.filter(id=parent_id).update(plan_sent_at=now)


def count_try(child_id: int) -> int:
    """Begin a planning try; how many there have been, this one included."""
    Transaction.objects.filter(id=child_id).update(plan_tries=F("plan_tries") + 1)
    return Transaction.objects.values_list("plan_tries", flat=True).get(id=child_id)


def forget_try(child_id: int) -> None:
    """The planning try is not to be counted: it was others who held it up, and nothing was wrong with it."""
    Transaction.objects.filter(id=child_id, plan_tries__gt=0).update(plan_tries=F("plan_tries") - 1)


def discard_plan(child_id: int) -> None:
    """Remove what an unfinished try has left of a plan that was never recorded completely."""
    TaskRun.objects.filter(transaction_id=child_id).delete()
    Snapshot.objects.filter(transaction_id=child_id).delete()


def record_plan(
    ledger: Ledger, child_id: int, runs: Sequence[PlannedRun], snapshots: Mapping[str, Any], now: Callable[[], datetime],
    look: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Write snapshots and rows in chunks, `recorded_at` last; what an earlier try left is removed first.

    `look` is called before each commit; what it raises leaves a plan that was not recorded. `now` tells the time at which all of them are
    there: that is when the request counts as planned.

    `snapshots` maps a snapshot's kind to its data. Each chunk is a commit of its own, so a plan of 55,000 runs never holds a
    lock for long; readers ignore a child without `recorded_at`.

    Raises:
        OwnershipLost: somebody else has taken the transaction meanwhile.
    """
    frozen = [Snapshot.of(child_id, kind, data) for kind, data in snapshots.items()]
    with transaction.atomic():
        # A planner that was stalled for long must not remove what its successor has recorded.
        ledger.hold()
        discard_plan(child_id)
        for each in frozen:
            each.save()
    for start in range(0, len(runs), _CHUNK):
        look()
        with transaction.atomic():
            ledger.hold()
            TaskRun.objects.bulk_create(_rows(child_id, start, runs[start : start + _CHUNK]))
    look()
    ledger.at = max(ledger.at, now())
    ledger.change_transaction(child_id, recorded_at=ledger.at)
    ledger.note("transaction", "planned", reason=f"{sum(run.type != BARRIER for run in runs)} task runs recorded", about=child_id)
    ledger.write()


def _rows(child_id: int, start: int, runs: Sequence[PlannedRun]) -> list[TaskRun]:
    return [
        TaskRun(
            transaction_id=child_id, position=start + offset, node=run.node, task_name=run.task_name, type=run.type, inputs=run.inputs,
            reason=run.reason,
        )
        for offset, run in enumerate(runs)
    ]  # fmt: skip
