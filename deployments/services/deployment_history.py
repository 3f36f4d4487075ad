"""Deployment history as people and clients get it: an item for each task on each node, from the interfaces' shared queries."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import QuerySet

from deployments.core.plan import SYNC_NODE
from deployments.services import stored
from deployments.services.errors import NotFound
from history import queries as history
from history.models import TaskRun, Transaction
from history.sheet import csv_lines

__all__ = ["COLUMNS", "SPECIFIED", "STATUSES", "HistoryFilter", "find_transaction", "items", "iso", "specified_items", "table"]

STATUSES = ("pending", "ready", "running", "error", "skipped")
"""Of task runs, in Fuel's order."""
COLUMNS = ("task_name", "node_id", "status", "type", "time_start", "time_end")
SPECIFIED = ("id", "task_id", "node_id", "deployment_graph_task_name", "time_start", "time_end", "status")
"""The keys of an item as the specification of the history (Fuel 9.0) writes it. Released Fuel changed them to those of `COLUMNS`."""
NO_NODE = "-"
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which items are wanted; an empty filter lets everything through. Nodes are uids."""

    nodes: Collection[str] = ()
    statuses: Collection[str] = ()
    tasks: Collection[str] = ()
    summary: bool = False
    """Whether to tell what each task said of its work."""
    attempts: bool = False
    """Whether to tell every single attempt."""


def find_transaction(transaction_id: int) -> Transaction:
    """A request or a child by id, whether people have deleted it or not.

    Raises:
        NotFound: there is none.
    """
    try:
        return history.transaction(transaction_id)
    except Transaction.DoesNotExist as error:
        raise NotFound("Transaction not found") from error


def items(row: Transaction, wanted: HistoryFilter) -> Iterator[dict[str, Any]]:
    """The history of a child, or of all children of a request one after the other.

    An item has `task_name`, `node_id` (None = sync point), `status`, `time_start`, `time_end`, `attempts`, `reason`, all keys of the
    task's definition at that time, and `summary` if wanted. Tasks that matched no node follow as `skipped` on the node `-`.
    """
    for child in history.children(row):
        if child.recorded_at is not None:
            yield from _of_child(child, wanted)


def specified_items(row: Transaction, wanted: HistoryFilter) -> Iterator[dict[str, Any]]:
    """The same history in the specification's words: `SPECIFIED`, and nothing else.

    An item for each row that is stored, so each has an `id` and a `node_id` (`null`, a text, for sync points), and tasks that matched no
    node have none. `task_id` is the child that the row belongs to. Times are whole seconds since 1970, None if unset.
    """
    for child in history.children(row):
        if child.recorded_at is not None:
            rows = _rows(child, wanted).only("id", "transaction_id", "node", "task_name", "time_start", "time_end", "status")
            for run in rows.iterator(chunk_size=_CHUNK):
                times = (_seconds(run.time_start), _seconds(run.time_end))
                yield dict(zip(SPECIFIED, (run.id, run.transaction_id, run.node, run.task_name, *times, run.status), strict=True))


def table(found: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> Iterator[str]:
    """The items as CSV, line by line."""
    return csv_lines(columns, ([item.get(name) for name in columns] for item in found))


def iso(at: datetime | None) -> str | None:
    """ISO 8601 in UTC without a zone, as Nailgun writes it."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat() if at else None


def _of_child(child: Transaction, wanted: HistoryFilter) -> Iterator[dict[str, Any]]:
    definitions = _definitions(child)
    rows = _rows(child, wanted)
    if wanted.attempts:
        rows = rows.prefetch_related("tries")
    if not wanted.summary:
        rows = rows.defer("summary")
    for run in rows.iterator(chunk_size=_CHUNK):
        yield _item(run, definitions.get(run.task_name, {}), wanted)
    if not wanted.nodes and (not wanted.statuses or "skipped" in wanted.statuses):
        planned = history.task_names(child.id)
        for name, definition in definitions.items():
            if name not in planned and (not wanted.tasks or name in wanted.tasks):
                yield _unmatched(name, definition, wanted, *child.arguments.get("switched_off", {}).get(name, ()))


def _definitions(child: Transaction) -> dict[str, dict[str, Any]]:
    """By task; none where they can't be read any more: the history itself is there all the same."""
    try:
        tasks: Sequence[Mapping[str, Any]] = stored.snapshot(child.id, "tasks") or []
    except stored.CantBeLoaded:
        return {}
    return {task["id"]: {key: value for key, value in task.items() if key != "id"} for task in tasks}


def _rows(child: Transaction, wanted: HistoryFilter) -> QuerySet[TaskRun]:
    nodes = [SYNC_NODE if node == "null" else node for node in wanted.nodes]
    return history.task_runs(child, nodes=nodes, statuses=wanted.statuses, tasks=wanted.tasks)


def _seconds(at: datetime | None) -> int | None:
    return math.floor(at.timestamp()) if at else None


def _item(run: TaskRun, definition: Mapping[str, Any], wanted: HistoryFilter) -> dict[str, Any]:
    node = None if run.node == SYNC_NODE else run.node
    told = {
        "task_name": run.task_name, "node_id": node, "status": run.status, "time_start": iso(run.time_start),
        "time_end": iso(run.time_end),
    }  # fmt: skip
    item = {**told, **definition, **told, "type": run.type, "attempts": run.attempts, "reason": run.reason}
    if wanted.attempts:
        item["tries"] = [
            {
                "attempt": each.attempt, "status": each.status, "time_start": iso(each.time_start), "time_end": iso(each.time_end),
                "duration": each.duration, "reason": each.reason,
            }
            for each in run.tries.all()
        ]  # fmt: skip
    if wanted.summary:
        item["summary"] = run.summary
    return item


def _unmatched(
    name: str, definition: Mapping[str, Any], wanted: HistoryFilter, own_type: str = "", why: str = "no node matched"
) -> dict[str, Any]:
    told = {"task_name": name, "node_id": NO_NODE, "status": "skipped", "time_start": None, "time_end": None}
    item = {**told, **definition, **told, "attempts": 0, "reason": why}
    item |= {"type": own_type} if own_type else {}
    return {**item, "summary": {}} if wanted.summary else item
