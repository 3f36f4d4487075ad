"""Where history is long, every question of it is answered by an index (PostgreSQL; at 200,000 task runs)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django import DjangoDbBlocker

from history import queries
from history.models import Attempt, TaskRun, Transaction
from history.pages import page
from history.recorder import seeding

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

SEEDS = seeding.Seeds(transactions=400, runs=500, between=timedelta(minutes=10))
BARE = 20_000
LARGE = {"history_taskrun", "history_transaction"}
MOST_READ_IN_VAIN = 2 * SEEDS.runs
"""Rows that an answer may read beside its own: those of its own transaction, not those of all."""


@pytest.fixture(scope="module")
def ids(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[int]]:
    """Requests in the middle of a long history; it goes again when this module is done."""
    with django_db_blocker.unblock():
        if connection.vendor != "postgresql":
            pytest.skip("plans of queries are asked of PostgreSQL only (DATABASE_URL)")
        ids = seeding.seed(SEEDS)
        bare = [
            Transaction(name="deploy", status="ready", cluster_id=seeding.FIRST_CLUSTER + number % 50, actor="seed", created_at=SEEDS.ends)
            for number in range(BARE)
        ]
        Transaction.objects.bulk_create(bare, batch_size=2000)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE history_taskrun, history_transaction")
        yield ids
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE history_transaction CASCADE")


def steps(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from steps(child)


def assert_by_index(rows: QuerySet[Any], most_in_vain: int = MOST_READ_IN_VAIN) -> None:
    """No large table is read as a whole, and no large part of one in vain."""
    plan = json.loads(rows.explain(format="json", analyze=True))[0]["Plan"]
    for step in steps(plan):
        assert not ("Seq Scan" in step["Node Type"] and step["Relation Name"] in LARGE), rows.query
        assert step.get("Rows Removed by Filter", 0) <= most_in_vain, (step, str(rows.query))


@pytest.mark.parametrize(("nodes", "statuses", "tasks"), list(product([(), ("seeded-0-1", "seeded-0-2")], [(), ("error", "ready")],
                                                                      [(), ("task-003", "task-004")])))  # fmt: skip
@pytest.mark.parametrize("of_parent", [True, False], ids=["parent", "child"])
def test_deployment_history(ids: list[int], of_parent: bool, nodes: Any, statuses: Any, tasks: Any) -> None:
    row = Transaction.objects.get(id=ids[200])
    rows = queries.task_runs(row if of_parent else queries.children(row)[0], nodes=nodes, statuses=statuses, tasks=tasks)
    assert rows.exists()
    assert_by_index(rows)
    assert_by_index(rows[:100])
    assert_by_index(rows.filter(position__gt=250)[:100])


def test_a_nodes_biography(ids: list[int]) -> None:
    rows = queries.biography("seeded-3-3")
    assert rows.count() > 500
    assert_by_index(rows[:100])
    first = page(rows, queries.BIOGRAPHY_ORDER, 100)
    second = page(rows, queries.BIOGRAPHY_ORDER, 100, first.next or "")
    assert [*first.rows, *second.rows] == list(rows[:200])
    last = first.rows[-1]
    assert_by_index(rows.filter(time_start__lte=last.time_start, id__lt=last.id)[:100])


@pytest.mark.parametrize(
    ("cluster", "statuses", "names"),
    list(product([None, seeding.FIRST_CLUSTER + 3], [(), ("error",), ("error", "ready")], [(), ("deployment",)])),
)
def test_lists_of_transactions(ids: list[int], cluster: int | None, statuses: Any, names: Any) -> None:
    rows = queries.transactions(clusters=None if cluster is None else [cluster], statuses=statuses, names=names)
    assert rows.exists()
    # The newest of one in fifty clusters are found as fast by walking through the newest of all.
    assert_by_index(rows[:50], BARE // 5)
    assert_by_index(rows.filter(id__lt=ids[-1])[:50])


def test_what_planning_asks(ids: list[int]) -> None:
    assert_by_index(TaskRun.objects.filter(node="seeded-0-1", task_name="task-001", status="ready").order_by("-transaction")[:1])
    assert_by_index(Attempt.objects.filter(node="seeded-0-1").order_by("-number")[:1])
