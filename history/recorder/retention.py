"""Letting go of what is old, but never of what a later deployment or a look at a node still needs.

A request is forgotten whole, with its runs, attempts, events, snapshots and what was asked of it, or not at all: a thinned record could
no longer be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, Max, Model, OuterRef, Q, QuerySet

from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from history.models.transaction import UNFINISHED
from history.recorder.seeding import FIRST_CLUSTER

_BATCH = 20
"""Requests in one commit: some thousand rows."""


@dataclass(frozen=True, slots=True)
class Retention:
    """What would be forgotten (`old`, ids of requests), and how many that are as old must be kept."""

    old: list[int]
    kept: int


def plan(before: datetime) -> Retention:
    """What may be forgotten of all that was over before this moment."""
    needed = _needed()
    old = list(_over(before).values_list("id", flat=True))
    forgotten = [parent for parent in old if parent not in needed]
    return Retention(forgotten, len(old) - len(forgotten))


def seeded() -> Retention:
    """All that was only seeded."""
    return Retention(list(Transaction.objects.filter(cluster_id__gte=FIRST_CLUSTER, parent=None).values_list("id", flat=True)), 0)


def forget(parents: Iterable[int]) -> Iterator[int]:
    """Remove these requests with all that belongs to them, a few at a time; after each commit, how many are gone."""
    waiting, gone = list(parents), 0
    while waiting:
        batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
        with transaction.atomic():
            _remove(batch)
        gone += len(batch)
        yield gone


def _over(before: datetime) -> QuerySet[Transaction]:
    """Requests that ended before; a request about another one (a stop, a decision) goes with that one."""
    young = Transaction.objects.filter(target=OuterRef("id")).filter(Q(status__in=UNFINISHED) | ~Q(time_end__lt=before))
    over = Transaction.objects.filter(parent=None, target=None, time_end__lt=before).exclude(status__in=UNFINISHED)
    return over.exclude(Exists(young)).order_by("id")


def _needed() -> set[int]:
    """Requests that hold a node's last touch or highest dispatch number, or a task's newest row on a node, or its newest good end there.

    The last two are what conditions (`old`, `changed`) and reuse look at: without them the next deployment would run things again.
    """
    runs = TaskRun.objects.order_by()
    real = runs.filter(
        transaction__rehearsal__isnull=True, transaction__dry_run=False, transaction__noop=False, transaction__recorded_at__isnull=False
    ).values("transaction__cluster_id", "task_name", "node")
    touched = runs.filter(time_start__isnull=False).values("node")
    children = {
        row["newest"] for rows in (real, real.filter(status="ready"), touched) for row in rows.annotate(newest=Max("transaction_id"))
    }
    highest = Attempt.objects.order_by().values("node").annotate(highest=Max("number"))
    for row in highest.iterator():
        children.update(Attempt.objects.filter(node=row["node"], number=row["highest"]).values_list("run__transaction_id", flat=True))
    parents = Transaction.objects.filter(id__in=children).annotate(request=F("parent_id"))
    return set(parents.values_list("request", flat=True))


def _remove(parents: list[int]) -> None:
    requests = Transaction.objects.filter(Q(id__in=parents) | Q(target__in=parents))
    every = set(requests.values_list("id", flat=True))
    every |= set(Transaction.objects.filter(parent__in=every).values_list("id", flat=True))
    for rows in (
        Attempt.objects.filter(run__transaction__in=every),
        TaskRun.objects.filter(transaction__in=every),
        Snapshot.objects.filter(transaction__in=every),
        Event.objects.filter(transaction__in=every),
        Transaction.objects.filter(target__in=every),
        Transaction.objects.filter(parent__in=every),
        Transaction.objects.filter(id__in=every),
    ):
        _delete(rows)


def _delete(rows: QuerySet[Model]) -> None:
    """In one statement: Django's own way would first read every row into memory, to look for what depends on it."""
    rows.order_by()._raw_delete(rows.db)
