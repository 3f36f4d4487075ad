"""Ask for a graceful stop."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from deployments.management.base import FuelwebCommand
from deployments.management.hints import dispatcher
from deployments.management.watch import watch
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import find_cluster, request_stop
from deployments.services.setup import make_broker


class Command(FuelwebCommand):
    help = "Stop a cluster's deployment: nothing new starts, what runs ends by itself, and the next deploy goes on from there."
    examples = ("stop shop --watch",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="name or id")
        parser.add_argument("--reason", default="", help="why; kept in the history")
        parser.add_argument("--watch", action="store_true", help="wait until what runs has ended; exit 1 unless it then is stopped")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = request_stop(
            find_cluster(options["cluster"]), actor=getpass.getuser(), reason=options["reason"], clock=SystemClock(),
            broker=make_broker(), dispatcher=dispatcher(self.stderr, "the deployment's owner acts on it as soon as it reaches Redis"),
        )  # fmt: skip
        self.stdout.write(f"Stopping the deployment of cluster {stop.cluster_name} (transaction {stop.target_id}): stop request {stop.id}.")
        self.stdout.flush()
        if options["watch"]:
            sys.exit(watch(stop.target_id or 0, good="stopped"))
        self.stdout.write(f"See what still runs: manage.py drain {stop.cluster_name}")
