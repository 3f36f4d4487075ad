"""What planning asks of the past costs what is asked, however long the past is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from history import past
from history.models import TaskRun, Transaction
from history.recorder import seeding

pytestmark = pytest.mark.django_db

CLUSTER = seeding.FIRST_CLUSTER
RUNS = 40
NODES = [f"seeded-0-{number}" for number in range(4)]


def seed(deployments: int) -> list[int]:
    """The ids of so many more real deployments of one cluster, of the newest last."""
    ids = seeding.seed(seeding.Seeds(deployments, RUNS, 1, len(NODES), between=timedelta(minutes=10)))
    Transaction.objects.update(rehearsal=None)
    TaskRun.objects.update(inputs="x")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return list(Transaction.objects.filter(parent__in=ids).order_by("id").values_list("id", flat=True))


def names() -> list[past.Name]:
    tasks = sorted(set(TaskRun.objects.values_list("task_name", flat=True)))
    return list(product(tasks, NODES))


def work(ask: Callable[[], object]) -> int:
    """How much the database does for an answer: rows that it reads (PostgreSQL), hundreds of steps of its machine (SQLite)."""
    with CaptureQueriesContext(connection) as asked:
        if connection.vendor == "sqlite":
            steps: list[None] = []
            connection.connection.set_progress_handler(lambda: steps.append(None), 100)
            try:
                ask()
            finally:
                connection.connection.set_progress_handler(None, 0)
            return len(steps)
        ask()
    return sum(map(rows_read, [query["sql"] for query in asked.captured_queries]))


def rows_read(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql.replace("%", "%%"))
        (plan,) = cursor.fetchone()
    return sum(
        step["Actual Loops"] * (step["Actual Rows"] + step.get("Rows Removed by Filter", 0)) for step in steps_of(_data(plan)[0]["Plan"])
    )


def _data(plan: Any) -> Any:
    return json.loads(plan) if isinstance(plan, str) else plan


def steps_of(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for inner in step.get("Plans", ()):
        yield from steps_of(inner)


QUESTIONS: dict[str, Callable[[list[past.Name]], object]] = {
    "last_ready": lambda asked: past.last_ready(CLUSTER, sorted({node for _, node in asked})),
    "last_tries": lambda asked: past.last_tries(CLUSTER, asked),
    "last_installed": lambda asked: past.last_installed(NODES, "provision", since=1),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_longer_past_costs_nothing(question: str) -> None:
    seed(40)
    asked = names()
    short = work(lambda: QUESTIONS[question](asked))
    seed(360)
    assert work(lambda: QUESTIONS[question](asked)) < 2 * short + 50


def test_the_newest_is_found() -> None:
    children = seed(5)
    (task, node) = name = TaskRun.objects.filter(transaction=children[0]).values_list("task_name", "node")[0]
    of_it = TaskRun.objects.filter(task_name=task, node=node)
    of_it.update(status="ready")
    assert past.last_ready(CLUSTER, [node, "unknown"])[name] == children[-1]
    of_it.filter(transaction=children[-1]).update(status="error")
    assert past.last_ready(CLUSTER, [node])[name] == children[-2]
    assert past.last_tries(CLUSTER, [name])[name].transaction_id == children[-1]
    of_it.filter(transaction=children[-1]).update(inputs="")
    assert past.last_tries(CLUSTER, [name])[name].transaction_id == children[-2]
    # Nothing at all was started in these two.
    TaskRun.objects.filter(transaction__in=children[-3:-1]).update(attempts=0)
    assert past.last_tries(CLUSTER, [name])[name].transaction_id == children[-4]
    Transaction.objects.filter(id=children[-4]).update(dry_run=True)
    assert past.last_tries(CLUSTER, [name])[name].transaction_id == children[-5]
    assert past.last_tries(CLUSTER + 1, [name]) == {}
    assert past.last_ready(CLUSTER + 1, [node]) == {}


def test_the_newest_installation_is_found() -> None:
    children = seed(4)
    Transaction.objects.filter(id__in=children[:3]).update(graph_type="provision")
    TaskRun.objects.filter(transaction__in=children[:3]).update(attempts=1)
    TaskRun.objects.filter(transaction=children[2], node=NODES[1]).update(attempts=0)
    rows = TaskRun.objects.filter(transaction__in=children[:3], attempts=1)
    rows.update(time_start=Transaction.objects.get(id=children[0]).created_at)
    found = past.last_installed(NODES[:2], "provision", since=children[0])
    assert found == {NODES[0]: children[2], NODES[1]: children[1]}
    assert past.last_installed(NODES[:2], "provision", since=children[2]) == {NODES[0]: children[2]}
