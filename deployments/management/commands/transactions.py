"""Requests and the runs they caused: all of them, or one."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from deployments.core.wording import took
from deployments.management.base import FuelwebCommand, names, refuse_empty
from deployments.management.console import console
from deployments.services import transactions
from deployments.services.deployment_history import find_transaction, iso
from deployments.services.lifecycle import find_cluster
from deployments.services.standing import standing
from history import queries as history
from history.models import Transaction

_COLUMNS = ("id", "parent", "name", "graph_type", "cluster", "status", "progress", "time_start", "time_end", "actor", "deleted_at")
_MORE = ("uuid", "reason", "message", "result", "dry_run", "noop", "order")


class Command(FuelwebCommand):
    help = "List transactions, newest first, or show one with its children."
    examples = ("transactions list --cluster shop", "transactions show 7")

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|show")
        several = actions.add_parser("list", help="all of them, newest first")
        several.add_argument("--cluster", help="only those of this cluster (name or id)")
        several.add_argument("--statuses", metavar="ready,error", help=f"only those in these states: {', '.join(transactions.STATUSES)}")
        several.add_argument("--types", metavar="deploy,stop_deployment", help="only those of these names")
        several.add_argument("--limit", type=int, default=50, help="how many at most (default: 50)")
        one = actions.add_parser("show", help="one of them")
        one.add_argument("id", type=int)
        for each in (several, one):
            each.add_argument("--format", choices=("table", "json"), default="table", help="how to print it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            refuse_empty(options, "cluster")
            self._show([_record(row) for row in _chosen(options)], options["format"])
            return
        row = find_transaction(options["id"])
        records = [{**_record(each), **_more(each)} for each in dict.fromkeys([row, *history.children(row)])]
        if options["format"] == "json":
            self.stdout.write(json.dumps(records, indent=1))
            return
        self._show(records, "table")
        for name in (*_MORE, "deleted_at"):
            if records[0][name]:
                self.stdout.write(f"{name}: {records[0][name]}")

    def _show(self, records: Sequence[dict[str, Any]], form: str) -> None:
        if form == "json":
            self.stdout.write(json.dumps(records, indent=1))
            return
        if not records:
            self.stdout.write("There are no such transactions.")
            return
        shown = Table("id", "of", "what", "cluster", "status", "begun (UTC)", "took", "who")
        for column in shown.columns:
            column.overflow = "fold"
        for record in records:
            shown.add_row(*(Text(cell) for cell in _cells(record)))
        console(self.stdout).print(shown)
        why = standing() if any(record["status"] in ("pending", "running") for record in records) else {}
        for record in records:
            if record["id"] in why:
                self.stdout.write(why[record["id"]])


def _cells(record: dict[str, Any]) -> list[str]:
    begun, ended = (datetime.fromisoformat(at) if (at := record[name]) else None for name in ("time_start", "time_end"))
    lasted = "" if begun is None or ended is None else took(max(0.0, (ended - begun).total_seconds()))
    what = record["name"] if record["graph_type"] in (None, "default") else f"{record['name']} {record['graph_type']}"
    status = record["status"] if record["status"] != "running" else f"running {record['progress']} %"
    if record["deleted_at"]:
        status += ", deleted"
    parent = "" if record["parent"] is None else str(record["parent"])
    return [str(record["id"]), parent, what, record["cluster"], status, f"{begun:%m-%d %H:%M:%S}" if begun else "", lasted, record["actor"]]


def _chosen(options: dict[str, Any]) -> list[Transaction]:
    statuses = _known(options["statuses"], "--statuses", transactions.STATUSES)
    types = _known(options["types"], "--types", transactions.NAMES)
    if options["limit"] < 1:
        raise CommandError("--limit must be 1 or more.")
    cluster = find_cluster(options["cluster"]) if options["cluster"] else None
    rows = history.transactions(clusters=[cluster.id] if cluster else None, statuses=statuses, names=types)
    return list(rows[: options["limit"]])


def _known(given: str | None, option: str, known: Sequence[str]) -> list[str]:
    found = names(given, f"{option}: words") or []
    if strange := sorted(set(found) - set(known)):
        raise CommandError(f"{option} does not know {', '.join(strange)}: use {', '.join(known)}.")
    return found


def _record(row: Transaction) -> dict[str, Any]:
    values = (
        row.id, row.parent_id, row.name, row.graph_type or None, row.cluster_name, row.status, row.progress, iso(row.time_start),
        iso(row.time_end), row.actor, iso(row.deleted_at),
    )  # fmt: skip
    return dict(zip(_COLUMNS, values, strict=True))


def _more(row: Transaction) -> dict[str, Any]:
    values = (str(row.uuid), row.reason, row.message, row.result, row.dry_run, row.noop, row.arguments.get("order"))
    return dict(zip(_MORE, values, strict=True))
