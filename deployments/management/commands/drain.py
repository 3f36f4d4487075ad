"""Show what a stop still waits for."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import CommandError
from rich.table import Table
from rich.text import Text

from deployments.core.wording import took
from deployments.management.base import FuelwebCommand
from deployments.management.console import console
from deployments.services.clock import SystemClock
from deployments.services.drain import DrainView, StillRunning, drain_view
from deployments.services.lifecycle import find_cluster
from deployments.services.standing import standing_of


class Command(FuelwebCommand):
    help = "Show what still runs in a cluster, where, since when, how long it usually takes, and what will not start."
    examples = ("drain shop",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="name or id")
        parser.add_argument("--format", choices=("table", "json"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        cluster = find_cluster(options["cluster"])
        view = drain_view(cluster.id, SystemClock().now())
        if view is None:
            raise CommandError(f"Nothing is being deployed on cluster {cluster.name}.")
        if options["format"] == "json":
            running = [_told(asdict(run)) for run in view.running]
            figures = {"transaction": view.transaction.id, "stopping": view.stopping, "waiting": view.waiting, "done": view.done}
            self.stdout.write(json.dumps({**figures, "running": running}, indent=1))
        else:
            self._table(view)

    def _table(self, view: DrainView) -> None:
        screen = console(self.stdout, pipe_width=120)
        if view.stopping:
            asked = view.transaction.stop_requested_at
            since = f"transaction {view.transaction.id} since {asked:%H:%M:%S} UTC"
            screen.print(f"[bold yellow]stopping[/] {since}: {view.waiting} task runs will not start.")
        else:
            screen.print(f"Transaction {view.transaction.id} is not being stopped: {view.done} task runs done, {view.waiting} to go.")
        if stands := standing_of(view.transaction.id):
            screen.print(Text(stands, style="yellow"))
        if not view.running:
            screen.print("Nothing runs.")
            return
        table = Table("node", "task", "since", "runs for", "usually (half / nine of ten)", "left", "tries")
        for run in sorted(view.running, key=lambda run: run.since or view.transaction.created_at):
            usual = f"{_span(run.p50)} / {_span(run.p90)}" if run.p50 is not None else "not known yet"
            since = f"{run.since:%H:%M:%S}" if run.since else ""
            table.add_row(Text(run.node), Text(run.task), since, _span(run.seconds), usual, _left(run), Text(_tries(run, view.stopping)))
        screen.print(table)


def _told(data: Any) -> Any:
    """As JSON has it: times as texts."""
    if isinstance(data, dict):
        return {name: _told(value) for name, value in data.items()}
    return data.isoformat() if isinstance(data, datetime) else data


def _tries(run: StillRunning, stopping: bool) -> str:
    tried = run.tried
    if tried is None:
        return ""
    pausing = tried.again_at > SystemClock().now()
    now = f"pausing until {tried.again_at:%H:%M:%S}" if pausing else "the next runs"
    said = f"try {tried.number} of {tried.of} failed at {tried.at:%H:%M:%S}: {tried.reason.rstrip('.')}; {now}"
    return f"{said}; no other begins" if stopping else said


def _left(run: StillRunning) -> str:
    if run.p90 is None:
        return f"until {run.ends_by:%H:%M:%S} at the latest" if run.ends_by else ""
    return f"up to {_span(run.p90 - run.seconds)}" if run.p90 > run.seconds else "[yellow]overdue[/]"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    if seconds < 60:
        return took(seconds)
    return f"{int(seconds) // 60} min {int(seconds) % 60:02} s"
