"""The biography of a node: what was ever started there."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from deployments.management.base import FuelwebCommand
from deployments.management.console import console
from deployments.management.watch import COLOURS
from deployments.models import Node
from deployments.services.deployment_history import iso
from deployments.services.nodes import uid_of
from history import queries as history
from history.models import TaskRun

_COLUMNS = ("time_start", "time_end", "task_name", "status", "transaction", "request", "cluster", "graph_type", "actor", "why", "reason")


class Command(FuelwebCommand):
    help = "Show what was ever started on a node, newest first: when, which task, how it ended, by which transaction, who asked and why."
    examples = ("node_history web-1 --limit 10",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("node", help="its uid, also of one that is gone")
        parser.add_argument("--limit", type=int, default=50, help="how many at most (default: 50)")
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.")
        uid = uid_of(options["node"])
        records = [_record(row) for row in history.biography(uid)[: options["limit"]]]
        if not records and not Node.objects.filter(uid=uid).exists():
            raise CommandError(f"There is no node {uid}, and there never was one on which something was started.")
        if options["format"] == "json":
            self.stdout.write(json.dumps(records, indent=1))
            return
        shown = Table(title=Text(f"Node {uid}"))
        for name in _COLUMNS:
            shown.add_column(name, overflow="fold")
        for record in records:
            cells = {name: Text("" if value is None else str(value)) for name, value in record.items()}
            cells["status"].stylize(COLOURS[record["status"]])
            shown.add_row(*cells.values())
        console(self.stdout, pipe_width=200).print(shown)


def _record(row: TaskRun) -> dict[str, Any]:
    of = row.transaction
    values = (
        iso(row.time_start), iso(row.time_end), row.task_name, row.status, of.id, of.parent_id, of.cluster_name, of.graph_type, of.actor,
        of.reason, row.reason,
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))
