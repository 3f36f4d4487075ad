"""`manage.py serialized_tasks`: what would be run, in the form in which Nailgun hands it to Astute."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from deployments.core.errors import FuelwebError
from deployments.limits import timer_limit
from deployments.management.base import FuelwebCommand, names
from deployments.models.graph import DEFAULT_TYPE
from deployments.services.lifecycle import find_cluster
from deployments.services.serialized import serialized_tasks


class Command(FuelwebCommand):
    help = "Plan a cluster's graph and print it as JSON in the form that Fuel's executor reads. Nothing is run and nothing is stored."
    examples = ("serialized_tasks shop --nodes web-1",)
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="name or id")
        parser.add_argument("--graph", default=DEFAULT_TYPE, metavar="TYPE", help="type of graph (default: default)")
        parser.add_argument("--nodes", metavar="1,2", help="only these nodes")
        parser.add_argument("--tasks", metavar="a,b", help="only these tasks; the others are skipped")

    def handle(self, *args: Any, **options: Any) -> None:
        nodes, tasks = names(options["nodes"], "--nodes: uids of nodes"), names(options["tasks"], "--tasks: ids of tasks")
        try:
            found = serialized_tasks(find_cluster(options["cluster"]), options["graph"], nodes, tasks, timer_limit())
        except FuelwebError as error:
            self.stdout.write(json.dumps({"error": error.as_dict()}))
            sys.exit(1)
        self.stdout.write(json.dumps(found, separators=(",", ":")))
