"""Graphs in the database: upload, download, list."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import CommandError

from deployments import queries
from deployments.core.graph.warning_lines import warning_lines
from deployments.management import documents
from deployments.management.base import FuelwebCommand, refuse_empty, refuse_given
from deployments.models import Cluster, Graph, Release
from deployments.models.graph import DEFAULT_TYPE
from deployments.services.graphs import upload_graph
from deployments.services.lifecycle import find_cluster
from deployments.services.releases import find_release


class Command(FuelwebCommand):
    help = "Upload, download or list graphs. A graph has a type and belongs to a cluster or to a release."
    examples = ("graph upload --cluster shop tasks.yaml", "graph download --cluster shop --type default", "graph list --cluster shop")

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        upload = actions.add_parser("upload", help="store a tasks.yaml, in place of the owner's graph of this type")
        _add_owner(upload)
        upload.add_argument("--type", default=DEFAULT_TYPE, help=f"type of the graph (default: {DEFAULT_TYPE})")
        upload.add_argument("file", type=Path)
        download = actions.add_parser("download", help="print a graph as YAML; of a cluster: merged with its release's")
        _add_owner(download)
        download.add_argument("--type", default=DEFAULT_TYPE, help=f"type of the graph (default: {DEFAULT_TYPE})")
        download.add_argument("--own", action="store_true", help="of a cluster: its own graph only, not merged")
        _add_owner(actions.add_parser("list", help="list graphs"), required=False)

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_empty(options, "cluster", "release")
        action = {"upload": self._upload, "download": self._download, "list": self._list}[options["action"]]
        action(Namespace(**options))

    def _upload(self, options: Namespace) -> None:
        owner = _owner(options)
        uploaded = upload_graph(owner, options.type, documents.read(options.file, "The graph"))
        for line in warning_lines(uploaded.warnings):
            self.stderr.write(f"warning: {line}")
        word = "stored" if uploaded.created else "replaced"
        self.stdout.write(f"Graph {uploaded.graph} {word}: {len(uploaded.graph.tasks)} tasks.")

    def _download(self, options: Namespace) -> None:
        if options.release is not None:
            refuse_given(vars(options), "own", owner="--cluster", advice="what a release has is its own")
        owner = _owner(options)
        if isinstance(owner, Cluster) and not options.own:
            tasks = queries.merged_tasks(owner, options.type)
        else:
            found = queries.own_graph(owner, options.type)
            tasks = found.tasks if found else []
        if not tasks:
            raise CommandError(f"There is no graph of type '{options.type}' there: `graph list` shows what there is.")
        self.stdout.write(yaml.safe_dump(tasks, sort_keys=False, allow_unicode=True))

    def _list(self, options: Namespace) -> None:
        owner = _owner(options)
        for graph in Graph.objects.select_related("release", "cluster") if owner is None else queries.graphs_of(owner):
            self.stdout.write(f"{graph.id}\t{graph.type}\t{len(graph.tasks)} tasks\t{graph.owner_name}")


def _add_owner(parser: ArgumentParser, required: bool = True) -> None:
    group = parser.add_mutually_exclusive_group(required=required)
    group.add_argument("--cluster", help="name or id")
    group.add_argument("--release", help="name, version or id")


def _owner(options: Namespace) -> Cluster | Release | None:
    if options.cluster:
        return find_cluster(options.cluster)
    return find_release(options.release) if options.release else None
