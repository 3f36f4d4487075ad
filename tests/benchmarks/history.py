"""How the questions people ask of history answer when it is long: p95 of each at 100 and at 10,000 deployments, in one run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from history import queries
from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from history.pages import page
from history.recorder import seeding

RUNS, SHORT, LONG = 500, 100, 10_000
CLUSTERS = 5
"""Few, so that already the short past fills a page of each question: both ends answer with equally many rows."""
ASKED, ROUNDS = 20, 10
"""How often each question is asked in a round; the deployments asked about are spread over the whole past."""

_BETWEEN = timedelta(minutes=15)
_CLIENT = APIClient(SERVER_NAME="localhost")
_CLIENT.force_authenticate(User(username="bench", is_superuser=True))

Question = Callable[[Transaction, int], object]


def history(deployments: int = LONG) -> list[dict[str, Any]]:
    """A row per question: milliseconds at both lengths, and their ratio (goal: at most 2).

    The short past lies in a schema of its own, and each round asks both: whatever else the machine does strikes one as the other.
    """
    call_command("migrate", verbosity=0, interactive=False)
    if connection.vendor != "postgresql":
        raise SystemExit(
            "The questions of history are measured on PostgreSQL: let it answer at BENCH_POSTGRES, or name it in DATABASE_URL."
        )
    _make_short()
    asked = {}
    for schema, length in (("short", SHORT), ("public", deployments)):
        _turn_to(schema)
        ids = seeding.seed(seeding.Seeds(length, RUNS, CLUSTERS, between=_BETWEEN), _say)
        asked[schema] = list(Transaction.objects.filter(id__in=ids[:: max(1, length // ASKED)]).order_by("id"))[:ASKED]
    with connection.cursor() as cursor:
        # So that the database doesn't find time for it while it is being asked.
        cursor.execute("VACUUM ANALYZE")
    return [_compare(name, asked, deployments) for name in QUESTIONS]


def _make_short() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA short")
        for model in (Transaction, TaskRun, Snapshot, Attempt, Event):
            table = model._meta.db_table
            cursor.execute(f"CREATE TABLE short.{table} (LIKE public.{table} INCLUDING ALL)")


def _turn_to(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {schema}, public")


def _compare(name: str, asked: Mapping[str, Sequence[Transaction]], deployments: int) -> dict[str, Any]:
    """p95 of all rounds but the first, which only warms up."""
    took: dict[str, list[float]] = {schema: [] for schema in asked}
    for number in range(ROUNDS + 1):
        for schema, rows in asked.items():
            _turn_to(schema)
            seconds = _ask(QUESTIONS[name], rows)
            took[schema] += seconds if number else []
    short, long = (round(1000 * sorted(took[schema])[int(0.95 * len(took[schema]))], 2) for schema in ("short", "public"))
    return {"question": name, f"p95 ms at {SHORT}": short, f"p95 ms at {deployments:,}": long, "ratio": round(long / short, 2)}


def _ask(question: Question, rows: Sequence[Transaction]) -> list[float]:
    """Seconds of each answer."""
    took = []
    for number, row in enumerate(rows):
        begun = time.perf_counter()
        question(row, number)
        took.append(time.perf_counter() - begun)
    return took


def _runs(**filters: Sequence[str]) -> Question:
    return lambda row, number: list(queries.task_runs(row, **filters))


def _nodes_of(row: Transaction, *numbers: int) -> list[str]:
    return [f"{row.cluster_name}-{number}" for number in numbers]


def _past_of_node(row: Transaction, number: int) -> object:
    return page(queries.biography(_nodes_of(row, number % 10)[0]), queries.BIOGRAPHY_ORDER, 100)


def _deep_past_of_node(row: Transaction, number: int) -> object:
    rows = queries.biography(_nodes_of(row, number % 10)[0])
    first = page(rows, queries.BIOGRAPHY_ORDER, 100)
    return page(rows, queries.BIOGRAPHY_ORDER, 100, first.next or "")


def _transactions(**filters: Any) -> Question:
    return lambda row, number: page(queries.transactions(**filters), queries.TRANSACTION_ORDER, 20)


def _get(address: str, accept: str = "application/json") -> Question:
    """By the API, from the request to the last byte, without a network between."""

    def ask(row: Transaction, number: int) -> None:
        answer = _CLIENT.get(f"/api/v1/{address.format(id=row.id, cluster=row.cluster_id)}", headers={"accept": accept})
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert answer.status_code == 200, body

    return ask


QUESTIONS: dict[str, Question] = {
    "deployment history, all": _runs(),
    "… statuses": _runs(statuses=["error", "ready"]),
    "… tasks": _runs(tasks=["task-003", "task-004"]),
    "… statuses, tasks": _runs(statuses=["ready"], tasks=["task-003"]),
    "… nodes": lambda row, number: list(queries.task_runs(row, nodes=_nodes_of(row, 1, 2))),
    "… nodes, statuses": lambda row, number: list(queries.task_runs(row, nodes=_nodes_of(row, 1, 2), statuses=["error"])),
    "… nodes, tasks": lambda row, number: list(queries.task_runs(row, nodes=_nodes_of(row, 1), tasks=["task-003"])),
    "… nodes, statuses, tasks": lambda row, number: list(
        queries.task_runs(row, nodes=_nodes_of(row, 1), statuses=["ready"], tasks=["task-003"])
    ),
    "a page of deployment history": lambda row, number: page(queries.task_runs(row), queries.RUN_ORDER, 100),
    "a node's biography": _past_of_node,
    "… its second page": _deep_past_of_node,
    "transactions": _transactions(),
    "… of some statuses": _transactions(statuses=["error"]),
    "… types": _transactions(names=["deployment"]),
    "… of some statuses and types": _transactions(statuses=["error", "ready"], names=["deployment"]),
    "… of a cluster": lambda row, number: page(queries.transactions(clusters=[row.cluster_id or 0]), queries.TRANSACTION_ORDER, 20),
    "… of a cluster, statuses": lambda row, number: page(
        queries.transactions(clusters=[row.cluster_id or 0], statuses=["error"]), queries.TRANSACTION_ORDER, 4
    ),
    "GET deployment_history": _get("transactions/{id}/deployment_history/"),
    "… as CSV": _get("transactions/{id}/deployment_history/", "text/csv"),
    "GET transactions": _get("transactions/?limit=20"),
    "… of a cluster, some statuses": _get("transactions/?limit=20&cluster_id={cluster}&statuses=error"),
}


def _say(written: int) -> None:
    print(f"\r{written:,} deployments seeded", end="", file=sys.stderr, flush=True)
