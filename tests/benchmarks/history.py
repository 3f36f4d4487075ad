"""How the questions people ask of history answer when it is long: p95 of each at 100 and at 10,000 deployments, in one run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from django.core.management import call_command
from django.db import connection

from history.models import Attempt, Event, Snapshot, TaskRun, Transaction
from tests.benchmarks.past import Past, make_past
from tests.benchmarks.questions import Question, questions

SHORT, LONG = 100, 10_000
ROUNDS = 5
"""How often each question is asked of each deployment that it is asked about."""


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
    pasts = {}
    for schema, length in (("short", SHORT), ("public", deployments)):
        _turn_to(schema)
        pasts[schema] = make_past(length, _say)
    with connection.cursor() as cursor:
        # So that the database doesn't find time for it while it is being asked.
        cursor.execute("VACUUM ANALYZE")
    return [_compare(name, question, pasts, deployments) for name, question in questions().items()]


def _make_short() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA short")
        for model in (Transaction, TaskRun, Snapshot, Attempt, Event):
            table = model._meta.db_table
            cursor.execute(f"CREATE TABLE short.{table} (LIKE public.{table} INCLUDING ALL)")


def _turn_to(schema: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path TO {schema}, public")


def _compare(name: str, question: Question, pasts: Mapping[str, Past], deployments: int) -> dict[str, Any]:
    """p95 of all rounds but the first, which only warms up."""
    took: dict[str, list[float]] = {schema: [] for schema in pasts}
    for number in range(ROUNDS + 1):
        for schema, past in pasts.items():
            _turn_to(schema)
            seconds = _ask(question, past)
            took[schema] += seconds if number else []
    short, long = (round(1000 * sorted(took[schema])[int(0.95 * len(took[schema]))], 2) for schema in ("short", "public"))
    return {"question": name, f"p95 ms at {SHORT}": short, f"p95 ms at {deployments:,}": long, "ratio": round(long / short, 2)}


def _ask(question: Question, past: Past) -> list[float]:
    """Seconds of each answer."""
    took = []
    for number, row in enumerate(question.about(past)):
        begun = time.perf_counter()
        question.ask(row, number)
        took.append(time.perf_counter() - begun)
    return took


def _say(written: int) -> None:
    print(f"\r{written:,} deployments seeded", end="", file=sys.stderr, flush=True)
