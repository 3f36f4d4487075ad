"""The views of the history, and how a migration changes the tables under them.

SQLite rebuilds a table to change it, and PostgreSQL changes no column that a view reads: both refuse while the views are there. So a
migration that changes `TaskRun` or `Transaction` writes `operations = without_views([…])`.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db.migrations import RunSQL
from django.db.migrations.operations.base import Operation

# Each reads two tables, so that PostgreSQL lets nobody write through it (SQLite never does).
_VIEWS = {
    "deployment_history": """
        SELECT run.id, run.transaction_id AS task_id, run.node AS node_id, run.task_name AS deployment_graph_task_name,
            run.time_start, run.time_end, run.status
        FROM history_taskrun run JOIN history_transaction child ON child.id = run.transaction_id
        WHERE child.recorded_at IS NOT NULL AND run.type <> 'barrier'
    """,
    "tasks": """
        SELECT task.id, task.uuid, task.cluster_id, task.parent_id, task.name, task.status, task.message, task.progress, task.graph_type,
            (task.dry_run OR task.noop) AS dry_run, task.time_start, task.time_end, task.deleted_at
        FROM history_transaction task CROSS JOIN (SELECT 1 AS number) one
    """,
}


def create() -> list[Operation]:
    """Make the views."""
    return [RunSQL(f"CREATE VIEW {name} AS {rows}", f"DROP VIEW {name}") for name, rows in _VIEWS.items()]


def drop() -> list[Operation]:
    """Take them away."""
    return [RunSQL(f"DROP VIEW {name}", f"CREATE VIEW {name} AS {rows}") for name, rows in _VIEWS.items()]


def without_views(operations: Sequence[Operation]) -> list[Operation]:
    """The operations, with the views away meanwhile."""
    return [*drop(), *operations, *create()]
