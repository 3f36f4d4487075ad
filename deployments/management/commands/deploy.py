"""Ask for a deployment and, if wished, watch it."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from deployments.core.graph.warning_lines import warning_lines
from deployments.limits import timer_limit
from deployments.management import preview_view
from deployments.management.base import FuelwebCommand, names, refuse_given
from deployments.management.documents import read_durations
from deployments.management.hints import dispatcher
from deployments.management.watch import watch
from deployments.models import Cluster
from deployments.services.clock import SystemClock
from deployments.services.lifecycle import DeployOptions, find_cluster, request_deploy
from deployments.services.preview import preview_deploy
from deployments.services.rehearsal import Rehearsal


class Command(FuelwebCommand):
    help = "Deploy a cluster: run its graph's tasks on its nodes. Prints the transaction's id and returns at once, unless told to watch."
    examples = ("deploy shop --watch", "deploy shop --plan", "deploy shop --nodes web-1,web-2 --tasks page")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="name or id")
        parser.add_argument("--graph", action="append", metavar="TYPE", help="type of graph (default: default); several run in order")
        parser.add_argument("--nodes", metavar="1,2", help="only these nodes")
        parser.add_argument("--tasks", metavar="a,b", help="only these tasks; the others are skipped")
        parser.add_argument("--dry-run", action="store_true", help="plan and record, run nothing")
        parser.add_argument("--noop", action="store_true", help="run every task in its no-operation mode: show what would change")
        parser.add_argument("--force", action="store_true", help="ignore earlier runs: every condition is judged as for a first run")
        parser.add_argument("--reuse", action="store_true", help="keep what ended ready with unchanged inputs, on nodes of every status")
        parser.add_argument("--plan", action="store_true", help="only show what would run and why, with a token to run exactly that")
        parser.add_argument("--by", choices=("task", "node"), help="with --plan: how to group the table (default: task)")
        parser.add_argument("--format", choices=("table", "json"), help="with --plan: how to print it (default: table)")
        parser.add_argument("--token", metavar="TOKEN", help="run exactly the plan that --plan has shown, or nothing if anything changed")
        parser.add_argument(
            "--rehearse", type=float, metavar="SPEED", help="practise: touch no node, play the durations SPEED times as fast"
        )
        parser.add_argument("--durations", type=Path, metavar="FILE", help="rehearsal: seconds by task/node, task or * (JSON or YAML)")
        parser.add_argument("--fail", action="append", metavar="TASK/NODE", help="rehearsal: this run ends in error")
        parser.add_argument("--reason", default="", help="why; kept in the history")
        parser.add_argument("--watch", action="store_true", help="show the progress until the end; exit 1 unless it ends ready")

    def handle(self, *args: Any, **options: Any) -> None:
        _refuse_unused(options)
        cluster = find_cluster(options["cluster"])
        if options["plan"]:
            return self._show(cluster, options)
        parent = request_deploy(
            cluster,
            _options(options),
            actor=getpass.getuser(),
            reason=options["reason"],
            clock=SystemClock(),
            dispatcher=dispatcher(self.stderr, "it begins as soon as Redis answers"),
        )
        self.stdout.write(f"Deployment of cluster {cluster.name}: transaction {parent.id}.")
        self.stdout.flush()
        if warning := parent.arguments.get("warning"):
            self.stderr.write(f"warning: {warning}")
        if options["watch"]:
            sys.exit(watch(parent.id))

    def _show(self, cluster: Cluster, options: dict[str, Any]) -> None:
        shown = preview_deploy(cluster, _options(options), limit=timer_limit())
        if options["format"] == "json":
            self.stdout.write(json.dumps(preview_view.as_data(shown.preview, shown.token, shown.order)))
            return
        for line in warning_lines(shown.plan.warnings):
            self.stderr.write(f"warning: {line}")
        preview_view.show(shown.preview, options["by"] or "task", self.stdout)
        self.stdout.write(f"The order: {shown.order}.")
        self.stdout.write(f"To run exactly this: deploy {cluster.name} --token {shown.token}")


def _refuse_unused(options: dict[str, Any]) -> None:
    if not options["plan"]:
        refuse_given(options, "by", "format", owner="--plan", advice="add it")
    else:
        refuse_given(options, "watch", "reason", owner="a deployment", advice="--plan starts none")
    if options["format"] == "json":
        refuse_given(options, "by", owner="--format table", advice="JSON has every task run")
    if options["rehearse"] is None:
        refuse_given(options, "durations", "fail", owner="a rehearsal", advice="add --rehearse SPEED")


def _options(options: dict[str, Any]) -> DeployOptions:
    rehearsal = None
    if options["rehearse"] is not None:
        durations = read_durations(options["durations"]) if options["durations"] else {}
        rehearsal = Rehearsal(options["rehearse"], durations, {}, frozenset(options["fail"] or ()))
    return DeployOptions(
        graph_types=tuple(options["graph"] or ("default",)), nodes=names(options["nodes"], "--nodes: uids of nodes"),
        tasks=names(options["tasks"], "--tasks: ids of tasks"),
        dry_run=options["dry_run"], noop=options["noop"], force=options["force"], reuse=options["reuse"], rehearsal=rehearsal,
        token=options["token"],
    )  # fmt: skip
