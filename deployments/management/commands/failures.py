"""Show what failed in a transaction, apart from what merely could not start because of it."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from rich.console import Console
from rich.text import Text

from deployments.core.proof.failure_report import RootFailure
from deployments.core.scheduling.failures import EXCEEDED
from deployments.management.base import FuelwebCommand
from deployments.management.console import console
from deployments.services.explanation import Failures, failures_of


class Command(FuelwebCommand):
    help = "Show what failed in a transaction: root causes, what each of them blocked, offline nodes, exceeded fault tolerance."
    examples = ("failures 7",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("transaction", type=int, help="id of a request, or of one of its children")
        parser.add_argument("--format", choices=("table", "json"), default="table", help="how to print it")

    def handle(self, *args: Any, **options: Any) -> None:
        found = failures_of(options["transaction"])
        if options["format"] == "json":
            self.stdout.write(json.dumps([failures.as_dict() for failures in found], indent=1))
            return
        screen = console(self.stdout, soft_wrap=True)
        for failures in found:
            _show(failures, screen)


def _show(failures: Failures, console: Console) -> None:
    row, report = failures.transaction, failures.report
    console.print(Text(f"Transaction {row.id}: {row.name} {row.graph_type} of {row.cluster_name}, {row.status}", style="bold"))
    # What was recorded is what was known when the deployment began to stop: other nodes may have failed since.
    told_below = report.exceeded and row.own_message.startswith(EXCEEDED)
    if row.message and not told_below:
        console.print(Text(row.message))
    if report.exceeded:
        console.print(Text(str(report.exceeded), style="red"))
    for node in report.offline:
        console.print(Text(f"Node {node.node} is offline. {node.consequence}", style="yellow"))
    for failure in report.failures:
        _show_failure(failure, console)
    if report.clean:
        console.print("No task failed." if row.message else "Nothing failed.")


def _show_failure(failure: RootFailure, console: Console) -> None:
    tries = f" after {failure.attempts} attempts" if failure.attempts > 1 else ""
    reason = failure.reason or "no reason was given"
    console.print(Text(f"{failure.task} on node {failure.node} failed{tries}: {reason}", style="red"))
    for line in failure.output:
        console.print(Text(f"    {line}", style="bright_black"))
    console.print(Text(f"  {failure.consequence}"))
