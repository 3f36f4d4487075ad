"""Clusters and their nodes, as they stand now."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from deployments import queries
from deployments.management.base import FuelwebCommand
from deployments.management.console import console
from deployments.models import Cluster, Node
from deployments.services.lifecycle import find_cluster
from deployments.services.run_order import usual_order


class Command(FuelwebCommand):
    help = "List the clusters and how their nodes stand, or the nodes of one."
    examples = ("clusters", "clusters shop --format json")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("cluster", nargs="?", help="name or id: list the nodes of this one")
        parser.add_argument("--format", choices=("table", "json"), default="table", help="how to print it")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cluster"] is None:
            records = [_cluster(cluster) for cluster in queries.clusters_with_nodes()]
            self._show(records, options["format"], "There are no clusters: load one with `manage.py load_cluster FILE`.")
        else:
            cluster = find_cluster(options["cluster"])
            records = [_node(node) for node in cluster.nodes.order_by("id")]
            self._show(records, options["format"], f"Cluster {cluster.name} has no nodes.")

    def _show(self, records: Sequence[dict[str, Any]], form: str, empty: str) -> None:
        if form == "json":
            self.stdout.write(json.dumps(records, indent=1))
            return
        if not records:
            self.stdout.write(empty)
            return
        shown = Table(*records[0])
        for column in shown.columns:
            column.overflow = "fold"
        for record in records:
            shown.add_row(*(Text(_words(value)) for value in record.values()))
        console(self.stdout).print(shown)


def _cluster(cluster: Cluster) -> dict[str, Any]:
    nodes = [node.status for node in cluster.nodes.all()]
    by_status = {status: nodes.count(status) for status in sorted(set(nodes))}
    told = {"id": cluster.id, "name": cluster.name, "status": cluster.status, "release": cluster.release.name, "nodes": by_status}
    return {**told, "order": usual_order(cluster).text}


def _node(node: Node) -> dict[str, Any]:
    roles = [*node.roles, *(role for role in node.pending_roles if role not in node.roles)]
    return {"uid": node.uid, "name": node.name, "roles": roles, "tags": node.tags, "status": node.status, "error": node.error_msg}


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {status}" for status, count in value.items()) or "none"
    return ", ".join(value) if isinstance(value, list) else str(value)
