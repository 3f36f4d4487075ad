"""Run an orchestrator: a Celery worker on the orchestrators' queue with the owner's loop beside it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.management.worker import become_worker
from deployments.wire.names import ORCHESTRATOR_QUEUE


class Command(FuelwebCommand):
    help = "Run an orchestrator. Several may run: each transaction has one owner at a time, and another takes over if it dies."
    examples = ("orchestrator --loglevel WARNING",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--loglevel", default="INFO", help="how much to tell (default INFO)")

    def handle(self, *args: Any, **options: Any) -> None:
        # A solo pool: messages here are wake-ups of microseconds, and the work is done by the owner's own thread.
        become_worker("orchestrator", ORCHESTRATOR_QUEUE, "--pool=solo", "--orchestrate", f"--loglevel={options['loglevel']}")
