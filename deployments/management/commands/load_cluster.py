"""Put a cluster file into the database."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployments.management import documents
from deployments.management.base import FuelwebCommand, refuse_empty
from deployments.services import description
from deployments.services.inventory import load_cluster
from deployments.services.run_order import usual_order

_MOST_SHOWN = 10


class Command(FuelwebCommand):
    help = "Load a cluster with its nodes from a file (YAML or JSON; a planning case works too). All of it or nothing."
    examples = ("load_cluster cluster.yaml",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--name", help="the cluster's name, in place of the one that the file gives")
        parser.add_argument("--renumber", action="store_true", help="load a copy: give a free number in place of every uid that is taken")

    def handle(self, *args: Any, file: Path, name: str | None, renumber: bool, **options: Any) -> None:
        refuse_empty({"name": name}, "name")
        described = description.read(documents.read(file, "The cluster file"), default_name=file.name.split(".")[0])
        loaded = load_cluster(replace(described, name=name) if name else described, renumber=renumber)
        cluster = loaded.cluster
        self.stdout.write(f"Cluster {cluster.name} (id {cluster.id}): {loaded.nodes} nodes, release {cluster.release}.")
        if (order := usual_order(cluster)).by_roles:
            self.stdout.write(f"It deploys {order.text}.")
        if loaded.renumbered:
            shown = [f"{old} → {new}" for old, new in loaded.renumbered.items()]
            more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
            self.stdout.write(f"Renumbered: {', '.join(shown[:_MOST_SHOWN])}{more}.")
