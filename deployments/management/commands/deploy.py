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
from deployments.services.actions import Asker, deploy_changes
from deployments.services.clock import SystemClock
from deployments.services.due_graphs import Chosen, Due, due
from deployments.services.intent import what_is_due
from deployments.services.lifecycle import DeployOptions, find_cluster
from deployments.services.preview import preview_each
from deployments.services.rehearsal import Rehearsal
from history import queries as history


class Command(FuelwebCommand):
    help = (
        "Deploy a cluster's changes, as the button and PUT /clusters/N/changes do: nodes that are to leave do, those that wait for it are "
        "provisioned (graphs `deletion` and `provision`, where there are such), and the graph `default` is run. Prints the id of the "
        "transaction and returns at once, unless told to watch."
    )
    examples = ("deploy shop --watch", "deploy shop --plan", "deploy shop --nodes web-1,web-2 --tasks page")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", help="name or id")
        parser.add_argument("--graph", action="append", metavar="TYPE", help="only this graph, by its type; several run in order")
        parser.add_argument("--nodes", metavar="1,2", help="only these nodes")
        parser.add_argument("--tasks", metavar="a,b", help="only these tasks; the others are skipped")
        parser.add_argument("--dry-run", action="store_true", help="plan and record, run nothing")
        parser.add_argument(
            "--noop", action="store_true", help="plan all, send what has a no-operation mode, execute nothing: every task ends skipped"
        )
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
        asker = Asker(getpass.getuser(), options["reason"], SystemClock(), dispatcher(self.stderr, "it begins as soon as Redis answers"))
        wanted = _options(options)
        parent = asker.deploy(cluster, wanted) if options["graph"] else deploy_changes(cluster, wanted, asker)
        self.stdout.write(f"Deployment of cluster {cluster.name}: transaction {parent.id}.")
        if len(graphs := history.children(parent)) > 1:
            self.stdout.write(f"Its graphs, one after the other: {', '.join(graph.graph_type for graph in graphs)}.")
        self.stdout.flush()
        if warning := parent.arguments.get("warning"):
            self.stderr.write(f"warning: {warning}")
        if options["watch"]:
            sys.exit(watch(parent.id))

    def _show(self, cluster: Cluster, options: dict[str, Any]) -> None:
        wanted = _options(options)
        if options["graph"]:
            found = Due([Chosen(kind, wanted.nodes, wanted.tasks) for kind in wanted.graph_types])
        else:
            found = due(cluster, wanted)
            wanted = found.options(wanted)
        shown = preview_each(cluster, wanted, limit=timer_limit())
        if options["format"] == "json":
            self.stdout.write(json.dumps(preview_view.as_data(found, shown)))
            return
        about = what_is_due(cluster, found) if len(shown) != 1 or found.leaving else []
        for place, one in enumerate(shown):
            for line in warning_lines(one.plan.warnings):
                self.stderr.write(f"warning: {line}")
            if about:
                self.stdout.write(about[place])
            preview_view.show(one.preview, options["by"] or "task", self.stdout)
            self.stdout.write(f"The order: {one.order}.")
        for line in about[len(shown) :]:
            self.stdout.write(line)
        if len(shown) == 1:
            self.stdout.write(f"To run exactly this: deploy {cluster.name} --token {shown[0].token}")
        elif shown:
            self.stdout.write("Each is shown as if all before it had ended well, so there is no token for exactly this.")


def _refuse_unused(options: dict[str, Any]) -> None:
    if not options["plan"]:
        refuse_given(options, "by", "format", owner="--plan", advice="add it")
    else:
        refuse_given(options, "watch", "reason", owner="a deployment", advice="--plan starts none")
    if options["format"] == "json":
        refuse_given(options, "by", owner="--format table", advice="JSON has every task run")
    if options["token"] is not None:
        own = ("graph", "nodes", "tasks", "dry_run", "noop", "force", "reuse", "rehearse")
        refuse_given(options, *own, owner="a plan", advice="a token brings the options of the plan that was shown")
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
