"""Show what was done: every task on every node of a transaction."""

from __future__ import annotations

import csv
import json
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from deployments.core.wording import took
from deployments.management.base import FuelwebCommand, names
from deployments.management.console import console
from deployments.management.watch import COLOURS
from history import queries as history
from history.models import TaskRun, Transaction
from history.models.task_run import STATUSES

COLUMNS = ("task_name", "node_id", "status", "type", "time_start", "time_end", "attempts", "reason")


class Command(FuelwebCommand):
    help = "Show the history of a transaction: a row per task and node."
    examples = ("history 7 --statuses error",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("transaction", type=int, help="id of a request, or of one of its children")
        parser.add_argument("--nodes", metavar="1,2", help="only these nodes")
        parser.add_argument("--statuses", metavar="error,ready", help="only task runs in these states")
        parser.add_argument("--tasks", metavar="a,b", help="only these tasks")
        parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="how to print it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            transaction = history.transaction(options["transaction"])
        except Transaction.DoesNotExist as error:
            raise CommandError(f"There is no transaction {options['transaction']}.") from error
        nodes = names(options["nodes"], "--nodes: uids of nodes") or ()
        tasks = names(options["tasks"], "--tasks: names of tasks") or ()
        statuses = names(options["statuses"], "--statuses: states") or ()
        if strange := sorted(set(statuses) - set(STATUSES)):
            raise CommandError(f"There is no status {', '.join(strange)}: use {', '.join(STATUSES)}.")
        rows = history.task_runs(transaction, nodes=nodes, statuses=statuses, tasks=tasks)
        show = {"table": self._table, "json": self._json, "csv": self._csv}[options["format"]]
        show(transaction, rows.iterator(chunk_size=2000))

    def _json(self, _transaction: Transaction, rows: Iterable[TaskRun]) -> None:
        self.stdout.write(json.dumps([_record(row) for row in rows], indent=1))

    def _csv(self, _transaction: Transaction, rows: Iterable[TaskRun]) -> None:
        writer = csv.DictWriter(self.stdout, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _harmless(value) for name, value in _record(row).items()} for row in rows)

    def _table(self, transaction: Transaction, rows: Iterable[TaskRun]) -> None:
        title = f"Transaction {transaction.id}: {transaction.name} of {transaction.cluster_name}, {transaction.status}"
        table = Table(title=Text(title))
        for name in ("task", "node", "status", "type", "start (UTC)", "took", "why"):
            table.add_column(name, overflow="fold")
        for row in rows:
            state = f"[{COLOURS[row.status]}]{row.status}[/]"
            table.add_row(Text(row.task_name), Text(row.node), state, Text(row.type), _clock(row.time_start), _took(row), Text(row.reason))
        screen = console(self.stdout)
        if transaction.message:
            table.caption = Text(transaction.message)
        screen.print(table if table.row_count else Text(f"{title}. {transaction.message or 'There are no such task runs.'}"))


def _record(row: TaskRun) -> dict[str, Any]:
    node = None if row.node == "null" else row.node
    values = (row.task_name, node, row.status, row.type, _iso(row.time_start), _iso(row.time_end), row.attempts, row.reason)
    return dict(zip(COLUMNS, values, strict=True))


def _harmless(value: Any) -> Any:
    """A cell that a spreadsheet would take for a formula is marked as text."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _clock(at: datetime | None) -> str:
    return at.strftime("%H:%M:%S.%f")[:-3] if at else ""


def _took(row: TaskRun) -> str:
    return took(max(0.0, (row.time_end - row.time_start).total_seconds())) if row.time_start and row.time_end else ""
