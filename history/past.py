"""What a deployment asks of those before it, answered by indexes: how long a node's past is must not matter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from django.db import connection
from django.db.models import Max, QuerySet

from history.models import TaskRun, Transaction

Name = tuple[str, str]
"""Task and node."""

_RUNS, _CHILDREN = TaskRun._meta.db_table, Transaction._meta.db_table
_AT_ONCE = 1000
_FIRST, _WALKED = 5, 40
"""How many of the newest transactions are looked at one after the other, first and at most, before the whole past is asked."""

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
        WHERE run.node = names.node AND run.task_name = names.task AND run.status = 'ready' AND (
            SELECT child.cluster_id = %%s AND child.rehearsal IS NULL AND NOT child.dry_run AND NOT child.noop
                AND child.recorded_at IS NOT NULL
            FROM {_CHILDREN} child WHERE child.id = run.transaction_id
        )
        ORDER BY run.transaction_id DESC LIMIT 1
    ) FROM names WHERE task IS NOT NULL
"""
"""From task name to task name within the index of what ended ready, and of each its newest: reading them all would take as long as
everything that was ever done on the nodes."""


def last_ready(cluster_id: int, nodes: Collection[str], begins: Mapping[str, int]) -> dict[Name, int]:
    """(task, node) → the newest child in which it really ran and ended `ready`. Rehearsals and dry runs don't count.

    `begins` says of a node with which child its past begins.
    """
    found: dict[Name, int] = {}
    for part in _parts(sorted(nodes)):
        with connection.cursor() as cursor:
            cursor.execute(_LAST_READY % ", ".join(["(%s)"] * len(part)), [*part, cluster_id])
            found.update({(task, node): child for task, node, child in cursor.fetchall() if child and child >= begins.get(node, 0)})
    return found


def last_installed(nodes: Collection[str], graph_type: str) -> dict[str, int]:
    """By node: the newest child, of any cluster, in which a graph of this type really began there, however that ended."""
    children = Transaction.objects.filter(graph_type=graph_type, parent__isnull=False, rehearsal__isnull=True, dry_run=False, noop=False)
    runs = TaskRun.objects.filter(transaction__in=children.values("id"), node__in=nodes, attempts__gt=0, time_start__isnull=False)
    newest = runs.order_by().values("node").annotate(newest=Max("transaction_id"))
    return dict(newest.values_list("node", "newest"))


def last_tries(cluster_id: int, asked: Collection[Name], begins: Mapping[str, int]) -> dict[Name, TaskRun]:
    """Of each (task, node) that is asked for: the newest row in which it was to run there, however that ended. `begins` as of `last_ready`.

    Rehearsals, dry and no-operation runs don't count, nor do transactions in which nothing was started at all, nor runs that were planned
    to do nothing. Of each row `transaction_id`, `status` and `inputs` are there.
    """
    found: dict[Name, TaskRun] = {}
    missing = set(asked)
    for child in _begun(cluster_id):
        nodes = {node for _, node in missing if child >= begins.get(node, 0)}
        if not nodes:
            return found
        for row in _tried([child], nodes):
            name = (row.task_name, row.node)
            if name in missing and child >= begins.get(row.node, 0):
                found[name] = row
                missing.discard(name)
    if missing:
        found |= _from_all(cluster_id, missing, begins)
    return found


def _begun(cluster_id: int) -> Iterator[int]:
    """The cluster's newest real children in which something was started: as many as it makes sense to look at alone."""
    children = _real_children(cluster_id).order_by("-id").values_list("id", flat=True)
    for start, end in ((0, _FIRST), (_FIRST, _WALKED)):
        for child in list(children[start:end]):
            if TaskRun.objects.filter(transaction_id=child, attempts__gt=0).exists():
                yield child


def _from_all(cluster_id: int, missing: Collection[Name], begins: Mapping[str, int]) -> dict[Name, TaskRun]:
    """What none of the newest has: new tasks, mostly, of which there is nothing; so only their names are looked for."""
    tasks, nodes = {task for task, _ in missing}, {node for _, node in missing}
    older = _real_children(cluster_id).order_by("-id").values_list("id", flat=True)[_WALKED:]
    rows = TaskRun.objects.filter(transaction__in=list(older), node__in=nodes, task_name__in=tasks).exclude(inputs="")
    begun = TaskRun.objects.filter(transaction__in=rows.values("transaction"), attempts__gt=0).order_by().values("transaction")
    newest = rows.filter(transaction__in=begun).order_by().values_list("task_name", "node").annotate(newest=Max("transaction_id"))
    wanted = {(task, node): child for task, node, child in newest if (task, node) in missing and child >= begins.get(node, 0)}
    tried = _tried(sorted(set(wanted.values())), nodes) if wanted else ()
    return {(row.task_name, row.node): row for row in tried if wanted.get((row.task_name, row.node)) == row.transaction_id}


def _tried(children: Sequence[int], nodes: Collection[str]) -> Iterator[TaskRun]:
    rows = TaskRun.objects.filter(transaction__in=children, node__in=nodes).exclude(inputs="")
    return rows.only("task_name", "node", "transaction_id", "status", "inputs").iterator(chunk_size=2000)


def _real_children(cluster_id: int) -> QuerySet[Transaction]:
    return Transaction.objects.filter(
        cluster_id=cluster_id, parent__isnull=False, rehearsal__isnull=True, dry_run=False, noop=False, recorded_at__isnull=False
    )  # fmt: skip


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), _AT_ONCE):
        yield names[start : start + _AT_ONCE]
