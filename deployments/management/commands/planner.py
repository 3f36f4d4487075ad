"""Run a planner: a Celery worker that makes plans."""

from __future__ import annotations

import resource
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from deployments.management.base import FuelwebCommand
from deployments.management.worker import become_worker
from deployments.wire.names import DEFAULT_QUEUE, PLANNER_QUEUE


class Command(FuelwebCommand):
    help = "Run a planner. Plans are made in child processes, one at a time in each."
    examples = ("planner --processes 2",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--processes", type=int, default=1, help="how many plans are made at once (default 1)")
        parser.add_argument("--loglevel", default="INFO", help="how much to tell (default INFO)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["processes"] < 1:
            raise CommandError("--processes must be 1 or more.")
        if megabytes := settings.FUELWEB_PLANNER_MEMORY:
            # An expression that wants more fails with a sentence; without this the kernel would end whom it likes. Children inherit it.
            resource.setrlimit(resource.RLIMIT_AS, (megabytes * 1024**2, resource.getrlimit(resource.RLIMIT_AS)[1]))
        # Prefork: a plan's time limits are signals, which need the main thread of a process.
        become_worker(
            "planner", f"{PLANNER_QUEUE},{DEFAULT_QUEUE}", "--pool=prefork", f"--concurrency={options['processes']}",
            "--max-tasks-per-child=50", f"--loglevel={options['loglevel']}",
        )  # fmt: skip
