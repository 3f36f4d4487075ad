"""What a deployment asks of those before it, answered by indexes: how long a node's past is must not matter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import Max

from history.models import TaskRun, Transaction

Name = tuple[str, str]
"""Task and node."""

_RUNS, _CHILDREN = TaskRun._meta.db_table, Transaction._meta.db_table
_AT_ONCE = 1000
_CHILDREN_AT_ONCE = 500

_REAL = """SELECT child.cluster_id = %s AND child.rehearsal IS NULL AND NOT child.dry_run AND NOT child.noop
    AND child.recorded_at IS NOT NULL"""

_LAST_READY = f"""
    WITH RECURSIVE names(node, task) AS (
        SELECT column1, (SELECT MIN(task_name) FROM {_RUNS} WHERE node = column1 AND status = 'ready') FROM (VALUES %s) AS nodes
        UNION ALL
        SELECT node, (SELECT MIN(task_name) FROM {_RUNS} run
            WHERE run.node = names.node AND run.status = 'ready' AND run.task_name > names.task)
        FROM names WHERE task IS NOT NULL
    )
    SELECT task, node, (
        SELECT run.transaction_id FROM {_RUNS} run
        WHERE run.node = names.node AND run.task_name = names.task AND run.status = 'ready'
            AND ({_REAL.replace("%", "%%")} FROM {_CHILDREN} child WHERE child.id = run.transaction_id)
        ORDER BY run.transaction_id DESC LIMIT 1
    ) FROM names WHERE task IS NOT NULL
"""
"""From task name to task name within the index of what ended ready, and of each its newest: reading them all would take as long as
everything that was ever done on the nodes."""
_LAST_TRY = f"""
    SELECT (
        SELECT run.id FROM {_RUNS} run WHERE run.task_name = column1 AND run.node = column2 AND run.inputs > '' {{unwanted}}
            AND ({_REAL} FROM {_CHILDREN} child WHERE child.id = run.transaction_id)
        ORDER BY run.transaction_id DESC LIMIT 1
    ) FROM (VALUES {{names}}) AS names
"""
"""One step into the index of what had inputs for each run that is asked for."""


def last_ready(cluster_id: int, nodes: Collection[str]) -> dict[Name, int]:
    """(task, node) → the newest child in which it really ran and ended `ready`. Rehearsals and dry runs don't count."""
    found: dict[Name, int] = {}
    for part in _parts(sorted(nodes)):
        with connection.cursor() as cursor:
            cursor.execute(_LAST_READY % ", ".join(["(%s)"] * len(part)), [*part, cluster_id])
            found.update({(task, node): child for task, node, child in cursor.fetchall() if child})
    return found


def last_installed(nodes: Collection[str], graph_type: str, since: int) -> dict[str, int]:
    """By node: the newest child, of any cluster, in which a graph of this type really began there, however that ended.

    Args:
        since: what was before this child is not asked for.
    """
    found: dict[str, int] = {}
    children = Transaction.objects.filter(graph_type=graph_type, id__gte=since, rehearsal__isnull=True, dry_run=False, noop=False)
    for part in _parts(children.order_by("-id").values_list("id", flat=True), _CHILDREN_AT_ONCE):
        left = [node for node in nodes if node not in found]
        if not left:
            break
        runs = TaskRun.objects.filter(transaction__in=part, node__in=left, attempts__gt=0, time_start__isnull=False)
        found |= dict(runs.order_by().values("node").annotate(newest=Max("transaction_id")).values_list("node", "newest"))
    return found


def last_tries(cluster_id: int, asked: Collection[Name]) -> dict[Name, TaskRun]:
    """Of each (task, node) that is asked for: the newest row in which it was to run there, however that ended.

    Rehearsals, dry and no-operation runs don't count, nor do transactions in which nothing was started at all, nor runs that were planned
    to do nothing. Of each row `transaction_id`, `status` and `inputs` are there.
    """
    tries: dict[Name, TaskRun] = {}
    begun: dict[int, bool] = {}
    while asked:
        # Where nothing was started in what is found, one more look behind it.
        rows = _newest(cluster_id, asked, [child for child, has in begun.items() if not has])
        for child in {row.transaction_id for row in rows.values()} - begun.keys():
            begun[child] = TaskRun.objects.filter(transaction_id=child, attempts__gt=0).order_by().exists()
        tries |= {name: row for name, row in rows.items() if begun[row.transaction_id]}
        asked = [name for name, row in rows.items() if not begun[row.transaction_id]]
    return tries


def _newest(cluster_id: int, asked: Collection[Name], without: Sequence[int]) -> dict[Name, TaskRun]:
    """By name: its newest row with inputs in a real child of the cluster, but for these children."""
    found: dict[Name, TaskRun] = {}
    for part in _parts(asked):
        names = ", ".join(["(%s, %s)"] * len(part))
        unwanted = f"AND run.transaction_id NOT IN ({', '.join(['%s'] * len(without))})" if without else ""
        with connection.cursor() as cursor:
            said = [*without, cluster_id, *(word for name in part for word in name)]
            cursor.execute(_LAST_TRY.format(unwanted=unwanted, names=names), said)
            ids = [row_id for (row_id,) in cursor.fetchall() if row_id is not None]
        rows = TaskRun.objects.filter(id__in=ids).order_by().only("task_name", "node", "transaction_id", "status", "inputs")
        found |= {(row.task_name, row.node): row for row in rows}
    return found


def _parts(listed: Iterable[Any], at_once: int = _AT_ONCE) -> Iterator[list[Any]]:
    listed = list(listed)
    for start in range(0, len(listed), at_once):
        yield listed[start : start + at_once]
