"""A long past that never was, to measure and to try things on: many finished deployments, written as fast as the database takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.db import connection, transaction

from history.models import Snapshot, TaskRun, Transaction

ACTOR = "seed"
FIRST_CLUSTER = 1_000_000_000
"""Ids of clusters that nobody has: what is seeded must not be taken for the past of a real cluster."""

_COLUMNS = (
    "transaction_id", "position", "node", "task_name", "type", "inputs", "status", "dispatched_at", "time_start", "time_end", "attempts",
    "reason", "blocked_by", "summary",
)  # fmt: skip
_BATCH = 50
"""Transactions in one commit."""
_STEP = timedelta(seconds=1)
"""From one start to the next."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """How much past: `transactions` deployments in turn in `clusters`, each of `runs` task runs on `nodes` nodes."""

    transactions: int
    runs: int
    clusters: int = 20
    nodes: int = 10
    ends: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    between: timedelta = timedelta(minutes=10)
    """From one request to the next; the last is over at `ends`."""


def seed(seeds: Seeds, say: Callable[[int], None] = lambda written: None) -> list[int]:
    """Write it; the ids of the requests. `say` is told again and again how many there are."""
    tasks = max(1, -(-seeds.runs // seeds.nodes))
    names = [f"task-{number:03}" for number in range(tasks)]
    frozen = Snapshot.of(0, "tasks", [{"id": name, "type": "shell", "version": "2.1.0", "roles": ["*"]} for name in names])
    numbers, ids = iter(range(seeds.transactions)), []
    while batch := list(islice(numbers, _BATCH)):
        with transaction.atomic():
            parents = Transaction.objects.bulk_create([_request(seeds, number) for number in batch])
            children = Transaction.objects.bulk_create([_run(parent) for parent in parents])
            Snapshot.objects.bulk_create(
                Snapshot(transaction=child, kind=frozen.kind, body=frozen.body, sha256=frozen.sha256) for child in children
            )
            _write(row for number, child in zip(batch, children, strict=True) for row in _rows(seeds, number, child, names))
        ids += [parent.id for parent in parents]
        say(len(ids))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE history_taskrun, history_transaction, history_snapshot")
    return ids


def _request(seeds: Seeds, number: int) -> Transaction:
    at = seeds.ends - _STEP * seeds.runs - seeds.between * (seeds.transactions - 1 - number)
    cluster, failed = number % seeds.clusters, number % 7 == 3
    return Transaction(
        cluster_id=FIRST_CLUSTER + cluster, cluster_name=f"seeded-{cluster}", name="deploy", status="error" if failed else "ready",
        progress=100, message="A seeded failure." if failed else "", actor=ACTOR, created_at=at, time_start=at,
        time_end=at + _STEP * seeds.runs,
    )  # fmt: skip


def _run(parent: Transaction) -> Transaction:
    return Transaction(
        parent=parent, cluster_id=parent.cluster_id, cluster_name=parent.cluster_name, name="deployment", graph_type="default",
        status=parent.status, progress=100, message=parent.message, actor=ACTOR, created_at=parent.created_at,
        time_start=parent.time_start, time_end=parent.time_end, recorded_at=parent.time_start,
    )  # fmt: skip


def _rows(seeds: Seeds, number: int, child: Transaction, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Every 50th run was skipped; of a failed deployment one run failed, and a tenth never started."""
    at = connection.ops.adapt_datetimefield_value
    begin = child.created_at
    failed = seeds.runs * 9 // 10 if child.status == "error" else seeds.runs
    for position in range(seeds.runs):
        node = f"{child.cluster_name}-{position % seeds.nodes}"
        name = names[position // seeds.nodes]
        start, end = begin + _STEP * position, begin + _STEP * (position + 1)
        if position > failed:
            yield child.id, position, node, name, "shell", "", "pending", None, None, None, 0, "", failed, "{}"
        elif position % 50 == 49:
            yield child.id, position, node, name, "skipped", "", "skipped", None, at(end), at(end), 0, "", None, "{}"
        else:
            status, why = ("error", "A seeded failure.") if position == failed else ("ready", "")
            yield child.id, position, node, name, "shell", "", status, at(start), at(start), at(end), 1, why, None, "{}"


def _write(rows: Iterable[tuple[Any, ...]]) -> None:
    table = TaskRun._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {table} ({', '.join(_COLUMNS)}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(_COLUMNS))
            cursor.executemany(f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES ({places})", rows)
