"""`manage.py plan`: what would run where, and what it would wait for. Needs no database."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from deployments.core.cases import cluster_file, normal_form
from deployments.core.cases.cases import PlanningCase, plan_case
from deployments.core.errors import FuelwebError
from deployments.core.graph import load_tasks
from deployments.core.graph.warning_lines import warning_lines
from deployments.core.links import Links, link
from deployments.core.plan import Plan
from deployments.core.planning import drawing
from deployments.core.planning.role_based import role_based, without_barriers
from deployments.limits import timer_limit
from deployments.management.base import FuelwebCommand, names, refuse_given
from deployments.management.documents import content, read_case, read_planning_case


class Command(FuelwebCommand):
    help = "Plan a graph on a cluster and print the plan. Nothing is run and nothing is stored."
    examples = ("plan --tasks tasks.yaml --cluster cluster.yaml",)
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--case", metavar="FILE", help="a case file with graph and cluster in one")
        parser.add_argument("--tasks", metavar="FILE", help="a graph (tasks.yaml)")
        parser.add_argument("--cluster", metavar="FILE", help="a cluster file")
        parser.add_argument("--format", choices=("json", "summary", "dot", "table"), default="table")
        parser.add_argument("--only", metavar="TASK,TASK", help="run only these tasks; all others are skipped")
        parser.add_argument("--role-based", action="store_true", help="the old order: role by role instead of task by task")
        parser.add_argument("--hashes", action="store_true", help="add hashes and the number of expanded pairs to the summary")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["format"] != "summary":
            refuse_given(options, "hashes", owner="--format summary", advice="add it")
        try:
            case = _case(options)
            only = names(options["only"], "--only: ids of tasks")
            made, links = plan_case(case, only_tasks=None if only is None else frozenset(only), limit=timer_limit())
            if options["role_based"]:
                made = role_based(made, case.tasks)
                links = link(made)
            self._print(made, links, case, options)
        except FuelwebError as error:
            if options["case"] or options["format"] == "json":
                self.stdout.write(json.dumps({"error": error.as_dict()}))
                sys.exit(1)
            raise CommandError(str(error)) from error

    def _print(self, made: Plan, links: Links, case: PlanningCase, options: dict[str, Any]) -> None:
        form = options["format"]
        if form == "json":
            for chunk in normal_form.chunks(made):
                self.stdout.write(chunk, ending="")
            self.stdout.write("")
        elif form == "summary":
            self.stdout.write(json.dumps(normal_form.summary(made, links, with_hashes=options["hashes"])))
        elif form == "dot":
            self.stdout.write(drawing.dot(without_barriers(made), case.tasks))
        else:
            self.stdout.write(drawing.table(without_barriers(made), links))
            for line in warning_lines(made.warnings):
                self.stderr.write(f"warning: {line}")


def _case(options: dict[str, Any]) -> PlanningCase:
    if options["case"] and not (options["tasks"] or options["cluster"]):
        return read_planning_case(options["case"], read_case(options["case"]))
    if options["case"] or not (options["tasks"] and options["cluster"]):
        raise CommandError("Give either --case FILE, or --tasks FILE and --cluster FILE.")
    graph = load_tasks(content(options["tasks"], "The graph"))
    cluster = cluster_file.load(content(options["cluster"], "The cluster file"))
    return PlanningCase(graph.tasks, cluster.facts())
