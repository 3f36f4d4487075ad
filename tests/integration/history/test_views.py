"""Whoever comes with SQL finds the tables that the specification of the history names, and can only read them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations import AlterField
from django.db.migrations.loader import MigrationLoader

from history.migrations._views import without_views
from history.models import TaskRun, Transaction

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def selected(query: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture
def child() -> Transaction:
    """A recorded child with a task run on a node and a sync point, and one that is still being written."""
    common = {"name": "deployment", "cluster_id": 7, "actor": "ann", "created_at": START}
    parent = Transaction.objects.create(**{**common, "name": "deploy"}, deleted_at=START, noop=True)
    child = Transaction.objects.create(**common, parent=parent, recorded_at=START)
    TaskRun.objects.create(transaction=child, position=0, node="1", task_name="first", type="shell", status="ready", time_start=START)
    TaskRun.objects.create(transaction=child, position=1, node="null", task_name="sync", type="stage")
    half = Transaction.objects.create(**common, parent=parent, position=1)
    TaskRun.objects.create(transaction=half, position=0, node="1", task_name="first", type="shell")
    return child


@pytest.mark.django_db
def test_the_names_are_the_specification_s(child: Transaction) -> None:
    first, sync = selected("SELECT * FROM deployment_history ORDER BY id")
    assert list(first) == ["id", "task_id", "node_id", "deployment_graph_task_name", "time_start", "time_end", "status"]
    assert (first["task_id"], first["node_id"], first["deployment_graph_task_name"]) == (child.id, "1", "first")
    assert (first["status"], first["time_start"] is None, first["time_end"]) == ("ready", False, None)
    assert (sync["node_id"], sync["status"]) == ("null", "pending")
    tasks = selected("SELECT id, parent_id, cluster_id, name, dry_run, deleted_at IS NULL AS kept FROM tasks ORDER BY id")
    assert [(task["parent_id"], task["name"], bool(task["dry_run"]), bool(task["kept"])) for task in tasks] == [
        (None, "deploy", True, False), (tasks[0]["id"], "deployment", False, True), (tasks[0]["id"], "deployment", False, True),
    ]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["deployment_history", "tasks"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET status = 'ready'", "INSERT INTO {} (id) VALUES (99)"])
def test_nothing_can_be_written_through_them(child: Transaction, table: str, statement: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement.format(table))
    assert TaskRun.objects.filter(status="ready").count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_later_migration_can_change_the_tables_below(child: Transaction) -> None:
    state = MigrationLoader(connection).project_state(("history", "0005_specified_views"))
    wider = without_views([AlterField("taskrun", "type", models.CharField(max_length=70))])
    back = without_views([AlterField("taskrun", "type", models.CharField(max_length=64))])
    for operation in (*wider, *back):
        before = state.clone()
        operation.state_forwards("history", state)
        with connection.schema_editor() as editor:
            operation.database_forwards("history", editor, before, state)
    assert len(selected("SELECT * FROM deployment_history")) == 2
    assert len(selected("SELECT * FROM tasks")) == 3
