"""What may be asked of history."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from history.models.transaction import UNFINISHED
from history.states import BARRIER

_HIGHEST = f"SELECT column1, (SELECT MAX(number) FROM {Attempt._meta.db_table} WHERE node = column1)"
_AT_ONCE = 1000
_LATEST = 20
"""How many deployments are looked at to learn how long tasks take."""


def transaction(any_id: int) -> Transaction:
    """A parent or a child by id.

    Raises:
        Transaction.DoesNotExist: there is none.
    """
    return Transaction.objects.get(id=any_id)


def unfinished_deploy(cluster_id: int) -> Transaction | None:
    """The cluster's deploy request that is under way."""
    return Transaction.objects.filter(cluster_id=cluster_id, parent=None, name="deploy", status__in=UNFINISHED).first()


def unfinished_deploys() -> list[Transaction]:
    """All deploy requests that are under way, oldest first."""
    return list(Transaction.objects.filter(parent=None, name="deploy", status__in=UNFINISHED).order_by("id"))


def open_stop(parent_id: int) -> Transaction | None:
    """The request to stop it that is under way."""
    return Transaction.objects.filter(target_id=parent_id, name="stop_deployment", status__in=UNFINISHED).first()


def end_of_log(parent_id: int) -> datetime:
    """The time of the request's last event; the beginning of all times where there is none."""
    last = Event.objects.filter(transaction=parent_id).order_by("-seq").values_list("at", flat=True).first()
    return last or datetime.min.replace(tzinfo=UTC)


def touched_nodes(child_id: int) -> list[str]:
    """Nodes on which something of the child was started."""
    rows = TaskRun.objects.filter(transaction_id=child_id, attempts__gt=0, time_start__isnull=False).order_by()
    return sorted(rows.values_list("node", flat=True).distinct())


def under_way(child_id: int) -> bool:
    """Whether any attempt of the child is dispatched or started."""
    return Attempt.objects.filter(run__transaction_id=child_id, status__in=("dispatched", "started")).exists()


def asked(parent_id: int) -> tuple[bool, bool]:
    """Whether a stop of the request was asked for, and whether there are `open_decisions` about it.

    Owners look for it all the time and mostly in vain, so it is one statement that needs no making.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [parent_id, parent_id])
        stop, decisions = cursor.fetchone() or (False, False)
    return bool(stop), bool(decisions)


_TABLE = Transaction._meta.db_table
_ASKED = (
    f"SELECT stop_requested_at IS NOT NULL, EXISTS (SELECT 1 FROM {_TABLE} WHERE target_id = %s AND name = 'resolve' "
    f"AND status IN ('pending', 'running')) FROM {_TABLE} WHERE id = %s"
)


def open_decisions(parent_id: int) -> list[Transaction]:
    """What people decided about its failed task runs and nobody has carried out yet."""
    return list(Transaction.objects.filter(target_id=parent_id, name="resolve", status__in=UNFINISHED).order_by("id"))


def owner(parent_id: int) -> str:
    """Who holds the request now; empty if nobody."""
    return Transaction.objects.filter(id=parent_id).values_list("owner", flat=True).first() or ""


def children(row: Transaction) -> list[Transaction]:
    """The runs of a request in order; of a child, itself."""
    return [row] if row.parent_id else list(Transaction.objects.filter(parent=row).order_by("position"))


def requests_of(child_ids: Iterable[int]) -> dict[int, int]:
    """By child: the request that it belongs to, by whose number people know it."""
    found = Transaction.objects.filter(id__in=set(child_ids)).values_list("id", "parent_id")
    return {child: parent or child for child, parent in found}


def siblings(child: Transaction) -> list[Transaction]:
    """The other runs of its request in order."""
    return [other for other in Transaction.objects.filter(parent_id=child.parent_id).order_by("position") if other.id != child.id]


def unfinished_children(parent_id: int) -> list[Transaction]:
    """Children that are pending or running, in order."""
    return list(Transaction.objects.filter(parent_id=parent_id, status__in=UNFINISHED).order_by("position"))


def current_child(parent_id: int) -> Transaction | None:
    """The child whose turn it is."""
    return Transaction.objects.filter(parent_id=parent_id, status__in=UNFINISHED).order_by("position").first()


def over_among(parent_ids: Iterable[int]) -> list[int]:
    """Those that are over. (Ids that nobody knows here are not: they may be another system's.)"""
    over = Transaction.objects.filter(id__in=list(parent_ids), parent=None).exclude(status__in=UNFINISHED)
    return list(over.values_list("id", flat=True))


def snapshot(child_id: int, kind: str) -> Any:
    """The stored data; None if there is none of this kind.

    Raises:
        SnapshotDamaged: it is not what was written.
    """
    row = Snapshot.objects.filter(transaction_id=child_id, kind=kind).first()
    return row.data() if row else None


def highest_numbers(names: Collection[str]) -> dict[str, int]:
    """The highest dispatch number of each node that ever got one."""
    asked, found = list(names), {}
    for start in range(0, len(asked), _AT_ONCE):
        part = asked[start : start + _AT_ONCE]
        # One step into the index for each node; grouping would read every attempt that was ever made on them.
        rows = ", ".join(["(%s)"] * len(part))
        with connection.cursor() as cursor:
            cursor.execute(f"{_HIGHEST} FROM (VALUES {rows}) AS names", part)
            found.update({name: highest for name, highest in cursor.fetchall() if highest is not None})
    return found


def task_runs(row: Transaction, *, nodes: Iterable[str] = (), statuses: Iterable[str] = (), tasks: Iterable[str] = ()) -> QuerySet[TaskRun]:
    """Deployment history of a child, or of all children of a parent; an empty filter lets everything through."""
    wanted = TaskRun.objects.filter(transaction__in=[child.id for child in children(row)]).exclude(type=BARRIER)
    for name, values in (("node", nodes), ("status", statuses), ("task_name", tasks)):
        if chosen := list(values):
            wanted = wanted.filter(**{f"{name}__in": chosen})
    # A parent's children were written in order, so their ids are in order too, and no second table has to be sorted by.
    return wanted.order_by("transaction_id", "position")


def biography(node: str) -> QuerySet[TaskRun]:
    """What was ever started on a node, newest first: when, by which transaction and whom, which task, how it ended."""
    return TaskRun.objects.filter(node=node, time_start__isnull=False).select_related("transaction").order_by("-time_start", "-id")


BIOGRAPHY_ORDER = ("-time_start", "-id")
TRANSACTION_ORDER = ("-id",)
RUN_ORDER = ("transaction_id", "position")
"""By what `pages.page` reads these lists."""


def transactions(
    *, clusters: Iterable[int] | QuerySet[Any] | None = None, statuses: Iterable[str] = (), names: Iterable[str] = (), deleted: bool = True
) -> QuerySet[Transaction]:
    """Requests and runs, newest first. `clusters` None = all; an empty other filter lets everything through; `deleted` = also those."""
    wanted = Transaction.objects.order_by("-id")
    if clusters is not None:
        wanted = wanted.filter(cluster_id__in=clusters)
    for field, values in (("status", statuses), ("name", names)):
        if chosen := list(values):
            wanted = wanted.filter(**{f"{field}__in": chosen})
    return wanted if deleted else wanted.filter(deleted_at=None)


def newest_real_child(cluster_id: int, graph_type: str | None = None) -> Transaction | None:
    """The cluster's newest run of a graph (of this type) that was planned and was neither a rehearsal nor a dry or no-operation run."""
    found = Transaction.objects.filter(
        cluster_id=cluster_id, parent__isnull=False, recorded_at__isnull=False, rehearsal__isnull=True, dry_run=False, noop=False
    )
    return (found.filter(graph_type=graph_type) if graph_type is not None else found).order_by("-id").first()


def run_names(child_id: int) -> set[tuple[str, str]]:
    """(task, node) of every run that was planned in the child."""
    return set(_written(child_id).values_list("task_name", "node"))


def task_names(child_id: int) -> set[str]:
    """Every task that was planned in the child for any node."""
    return set(_written(child_id).values_list("task_name", flat=True).distinct())


def _written(child_id: int) -> QuerySet[TaskRun]:
    """Without what the engine has made itself."""
    return TaskRun.objects.filter(transaction_id=child_id).exclude(type=BARRIER).order_by()


def usual_durations(cluster_id: int) -> dict[str, float]:
    """Mean seconds of each task's successful attempts in the cluster's latest real runs."""
    known = _seconds(cluster_id, TaskRun.objects.all(), rehearsed=False, enough=20_000)
    return {task: sum(seconds) / len(seconds) for task, seconds in known.items()}


def durations(cluster_id: int, tasks: Collection[str], *, rehearsed: bool) -> dict[str, list[float]]:
    """Seconds of each task's latest successful attempts in the cluster, ascending; of real runs, or of rehearsals."""
    known = _seconds(cluster_id, TaskRun.objects.filter(task_name__in=tasks), rehearsed=rehearsed, enough=5000)
    return {task: sorted(seconds) for task, seconds in known.items()}


def _seconds(cluster_id: int, runs: QuerySet[TaskRun], *, rehearsed: bool, enough: int) -> dict[str, list[float]]:
    """By task, from the latest deployments: as many of them as it takes for `enough` attempts, but not the whole past."""
    latest = Transaction.objects.filter(cluster_id=cluster_id, parent__isnull=False, recorded_at__isnull=False)
    latest = latest.filter(rehearsal__isnull=not rehearsed).order_by("-id")
    found: dict[str, list[float]] = {}
    count = 0
    for child_id in latest.values_list("id", flat=True)[:_LATEST]:
        ended = Attempt.objects.filter(run__in=runs.filter(transaction_id=child_id), status="ready", duration__isnull=False)
        for task, seconds in ended.values_list("run__task_name", "duration")[: enough - count]:
            found.setdefault(task, []).append(seconds)
            count += 1
        if count >= enough:
            break
    return found


def was_end_told(parent_id: int, *, but_of: str) -> bool:
    """Whether the log of the request tells an end of any node but this one."""
    ends = Event.objects.filter(transaction=parent_id, subject="node", new__in=("ready", "error", "stopped"))
    return ends.exclude(node=but_of).exists()


def running_on_nodes() -> list[tuple[str, int, str]]:
    """Where something runs now: node, cluster id and cluster name."""
    running = TaskRun.objects.filter(status="running", transaction__status="running", transaction__parent__status="running").order_by()
    return list(running.values_list("node", "transaction__cluster_id", "transaction__cluster_name"))


def was_deployed(cluster_id: int) -> bool:
    """Whether a real run has ever started something in this cluster. Rehearsals and no-operation runs change no node."""
    real = Attempt.objects.filter(run__transaction__rehearsal__isnull=True, run__transaction__noop=False)
    return real.filter(run__transaction__cluster_id=cluster_id).exists()
