"""Say why a task run is waiting."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.services import explanation


class Command(FuelwebCommand):
    help = "Say in one sentence why a task does not run on a node now, or what came of it."
    examples = ("why 7 page/web-1",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("transaction", type=int, help="id of a request, or of one of its children")
        parser.add_argument("task_run", metavar="TASK/NODE")

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(explanation.why(options["transaction"], options["task_run"]))
