"""`manage.py simulate`: how a deployment would go, on a virtual clock. Needs no database, and touches no node."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError

from deployments.core.cases import cluster_file
from deployments.core.cases.case_report import case_report, refuse_critical_offline, summary
from deployments.core.cases.cases import PlanningCase, is_planning_case, plan_case
from deployments.core.cases.traversal_case import Rehearsal, read_traversal_case, rehearse
from deployments.core.errors import FuelwebError
from deployments.core.graph import load_tasks
from deployments.core.plan import Plan
from deployments.core.planning.role_based import role_based
from deployments.core.simulation import simulation_drawing
from deployments.core.simulation.durations import check_seconds
from deployments.core.simulation.simulate import SimulationResult, simulate
from deployments.limits import timer_limit
from deployments.management import simulation_view
from deployments.management.base import FuelwebCommand, names, refuse_empty
from deployments.management.console import SafeConsole
from deployments.management.documents import content, read_case, read_durations, read_planning_case


class Command(FuelwebCommand):
    help = "Show how a deployment would go: when each task starts and ends, what fails, how near it comes to the shortest time."
    examples = ("simulate --tasks tasks.yaml --cluster cluster.yaml --fail page/web-1",)
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--case", metavar="FILE", help="a case file: a planned graph with durations, or a graph and a cluster in one")
        parser.add_argument("--tasks", metavar="FILE", help="a graph (tasks.yaml)")
        parser.add_argument("--cluster", metavar="FILE", help="a cluster file")
        parser.add_argument("--format", choices=("json", "summary", "dot", "table"), default="table")
        parser.add_argument("--durations", metavar="FILE", help="seconds by task/node, task or * (JSON or YAML)")
        parser.add_argument("--only", metavar="TASK,TASK", help="run only these tasks; all others are skipped")
        parser.add_argument("--fail", metavar="TASK/NODE", action="append", default=[], help="let this task run fail; may be repeated")
        parser.add_argument("--offline", metavar="NODE,NODE", help="these nodes have no agent")
        parser.add_argument("--stop-at", metavar="SECONDS", type=float, help="ask for a stop at this time")
        parser.add_argument("--role-based", action="store_true", help="the old order: role by role instead of task by task")

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_empty(options, "durations")
        try:
            rehearsal = _with_options(_rehearsal(options), options)
            result = simulate(
                rehearsal.plan,
                rehearsal.durations,
                fail=rehearsal.fail,
                fail_at_start=rehearsal.fail_at_start,
                stop_at=rehearsal.stop_at,
                offline=rehearsal.offline,
            )
            self._print(result, rehearsal, options["format"])
        except FuelwebError as error:
            if options["case"] or options["format"] == "json":
                self.stdout.write(json.dumps({"error": error.as_dict()}))
                sys.exit(1)
            raise CommandError(str(error)) from error

    def _print(self, result: SimulationResult, rehearsal: Rehearsal, form: str) -> None:
        refuse_critical_offline(result)
        if form == "json":
            self.stdout.write(json.dumps(case_report(result, rehearsal.durations, rehearsal.node_words)))
        elif form == "summary":
            self.stdout.write(json.dumps(summary(result, rehearsal.durations)))
        elif form == "dot":
            self.stdout.write(simulation_drawing.dot(result, rehearsal.durations))
        else:
            simulation_view.show(result, rehearsal.durations, SafeConsole(highlight=False))


def _rehearsal(options: dict[str, Any]) -> Rehearsal:
    if options["case"] and not (options["tasks"] or options["cluster"]):
        case = read_case(options["case"])
        if is_planning_case(case):
            return rehearse(_planned(read_planning_case(options["case"], case), options), case)
        if options["only"] or options["role_based"]:
            raise CommandError("This case is planned already: --only and --role-based need a graph and a cluster.")
        return read_traversal_case(case)
    if options["case"] or not (options["tasks"] and options["cluster"]):
        raise CommandError("Give either --case FILE, or --tasks FILE and --cluster FILE.")
    graph = load_tasks(content(options["tasks"], "The graph"))
    cluster = cluster_file.load(content(options["cluster"], "The cluster file"))
    return rehearse(_planned(PlanningCase(graph.tasks, cluster.facts()), options), {})


def _planned(case: PlanningCase, options: dict[str, Any]) -> Plan:
    only = names(options["only"], "--only: ids of tasks")
    plan, _ = plan_case(case, only_tasks=None if only is None else frozenset(only), limit=timer_limit())
    return role_based(plan, case.tasks) if options["role_based"] else plan


def _with_options(rehearsal: Rehearsal, options: dict[str, Any]) -> Rehearsal:
    """The options come on top of what the case says."""
    return replace(
        rehearsal,
        durations=read_durations(options["durations"]) if options["durations"] else rehearsal.durations,
        fail=rehearsal.fail | set(options["fail"]),
        offline=(*rehearsal.offline, *(names(options["offline"], "--offline: uids of nodes") or ())),
        stop_at=rehearsal.stop_at if options["stop_at"] is None else check_seconds(options["stop_at"], "--stop-at", where="stop_at"),
    )
