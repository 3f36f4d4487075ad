"""The history of a transaction, asked for as the Fuel client asks."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table

from deployments.management.base import FuelwebCommand, names, refuse_given
from deployments.management.console import console
from deployments.management.watch import COLOURS
from deployments.services.deployment_history import STATUSES, HistoryFilter, find_transaction, items, table
from deployments.services.nodes import uid_of

_COLUMNS = ("task_name", "node_id", "status", "type", "time_start", "time_end", "attempts", "reason")


class Command(FuelwebCommand):
    help = "Show every task on every node of a transaction; of a request, those of all its graphs."
    examples = ("deployment_tasks --task-id 7 --status error",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--task-id", type=int, required=True, metavar="ID", help="id of a request, or of one of its children")
        parser.add_argument("--node-id", metavar="5,6", help="only these nodes")
        parser.add_argument("--status", metavar="error,ready", help=f"only task runs in these states: {', '.join(STATUSES)}")
        parser.add_argument("--task-name", metavar="a,b", help="only these tasks")
        parser.add_argument("--include-summary", action="store_true", help="JSON or CSV: also what each task said of its work")
        parser.add_argument("--format", choices=("table", "json", "csv"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] == "table":
            refuse_given(options, "include_summary", owner="--format json or csv", advice="add one of them")
        statuses = names(options["status"], "--status: states of task runs") or []
        if strange := sorted(set(statuses) - set(STATUSES)):
            raise CommandError(f"There is no status {', '.join(strange)}: use {', '.join(STATUSES)}.")
        wanted = HistoryFilter(
            nodes=[uid_of(node) for node in names(options["node_id"], "--node-id: ids of nodes") or []],
            statuses=statuses,
            tasks=names(options["task_name"], "--task-name: ids of tasks") or [],
            summary=options["include_summary"],
        )
        found = items(find_transaction(options["task_id"]), wanted)
        {"table": self._table, "json": self._json, "csv": self._csv}[options["format"]](found)

    def _json(self, found: Iterable[Mapping[str, Any]]) -> None:
        self.stdout.write(json.dumps(list(found), indent=1))

    def _csv(self, found: Iterable[Mapping[str, Any]]) -> None:
        for line in table(found):
            self.stdout.write(line, ending="")

    def _table(self, found: Iterable[Mapping[str, Any]]) -> None:
        shown = Table()
        for name in _COLUMNS:
            shown.add_column(name, overflow="fold")
        for item in found:
            cells = ["" if item[name] is None else str(item[name]) for name in _COLUMNS]
            cells[2] = f"[{COLOURS[item['status']]}]{item['status']}[/]"
            shown.add_row(*cells)
        console(self.stdout).print(shown)
