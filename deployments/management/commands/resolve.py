"""Decide what becomes of a failed task run."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.management.hints import dispatcher
from deployments.services.clock import SystemClock
from deployments.services.decisions import IN_WORDS, find_run, request_decision
from history.models import Transaction


class Command(FuelwebCommand):
    help = "Decide about a failed (or lost) task run: it is finished after all, it is to run again, or the deployment goes on without it."
    examples = ("resolve 7:page/web-1 rerun",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", help="id of the history row, or TRANSACTION:TASK/NODE")
        parser.add_argument("decision", choices=sorted(IN_WORDS))
        parser.add_argument("--reason", default="", help="why; kept in the history")

    def handle(self, *args: Any, **options: Any) -> None:
        run = find_run(options["run"])
        request, deployment = request_decision(
            run, options["decision"], actor=getpass.getuser(), reason=options["reason"], clock=SystemClock(),
            dispatcher=dispatcher(self.stderr, "it is carried out as soon as Redis answers"),
        )  # fmt: skip
        self.stdout.write(f"{run.task_name} on {run.node} {IN_WORDS[options['decision']]} (request {request.id}).")
        if deployment is not None:
            self.stdout.write(f"{_what_follows(deployment)}: transaction {deployment.id}.")


def _what_follows(deployment: Transaction) -> str:
    if deployment.rehearsal is not None:
        return "Its rehearsal had ended, and nothing of one is kept: it is rehearsed again, as it was asked for"
    if deployment.noop:
        return "Its no-operation run had ended, and nothing of one is kept: it is made again, as it was asked for"
    return "Its deployment had ended; a new one goes on from there, with the same options"
