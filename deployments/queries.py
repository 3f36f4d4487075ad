"""Reads for services and interfaces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from deployments.core.graph import merge
from deployments.core.graph.templates import SKIPPED
from deployments.core.plan import MASTER_NODE
from deployments.models import Cluster, Graph, Node, Release

Task = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """A task of type `skipped`: by which graph, and which type the task had before."""

    type: str
    by: str

    @property
    def why(self) -> str:
        """The reason for people."""
        return f"switched off by the graph of {self.by}"


@dataclass(frozen=True, slots=True)
class MergedGraph:
    """A cluster's graph of one type: the release's and the cluster's in one (Nailgun).

    `tasks` are as they were uploaded. The callbacks are `{node_attributes: {…}}` or None.
    """

    type: str
    tasks: list[Task] = field(default_factory=list)
    switched_off: Mapping[str, SwitchedOff] = field(default_factory=dict)
    """By id: the tasks of type `skipped`."""
    node_filter: str = ""
    on_success: Mapping[str, Any] | None = None
    on_error: Mapping[str, Any] | None = None
    on_stop: Mapping[str, Any] | None = None


def merged_graph(cluster: Cluster, graph_type: str) -> MergedGraph:
    """The release's graph of this type, overridden by the cluster's: whole tasks by their id, and what else the cluster's graph says.

    Empty where neither has one.
    """
    levels = _levels(cluster, graph_type)
    others: dict[str, Any] = {}
    for graph in levels:
        said = {name: getattr(graph, name) for name in ("node_filter", "on_success", "on_error", "on_stop")}
        others |= {name: value for name, value in said.items() if value}
    tasks = merge([], *(graph.tasks for graph in levels))
    return MergedGraph(graph_type, [dict(task) for task in tasks], _switched_off(levels), **others)


def merged_tasks(cluster: Cluster, graph_type: str) -> list[Task]:
    """The tasks of `merged_graph`; empty where there is no such graph."""
    return merged_graph(cluster, graph_type).tasks


def graphs_of(owner: Cluster | Release) -> QuerySet[Graph]:
    """The graphs that belong to the cluster (not those of its release) or to the release."""
    return owner.graphs.select_related("release", "cluster")


def own_graph(owner: Cluster | Release, graph_type: str) -> Graph | None:
    """The owner's graph of this type, not merged with anything."""
    return graphs_of(owner).filter(type=graph_type).first()


def graph_types(cluster: Cluster) -> list[str]:
    """The types of graph that can be run on the cluster."""
    own = Graph.objects.filter(cluster=cluster) | Graph.objects.filter(release_id=cluster.release_id)
    return sorted(set(own.values_list("type", flat=True)))


def fleets() -> dict[str, dict[str, str]]:
    """Which uids each fleet serves: the nodes of its clusters, and each cluster's place on the orchestrator's own host; with the cluster's
    id."""
    serves: dict[str, dict[str, str]] = defaultdict(dict)
    for fleet, cluster_id in Cluster.objects.order_by("id").values_list("fleet", "id"):
        serves[fleet][f"{MASTER_NODE}-{cluster_id}"] = str(cluster_id)
    nodes = Node.objects.filter(cluster__isnull=False).order_by("id")
    for fleet, uid, cluster_id in nodes.values_list("cluster__fleet", "uid", "cluster_id"):
        serves[fleet][uid] = str(cluster_id)
    return dict(serves)


def _levels(cluster: Cluster, graph_type: str) -> list[Graph]:
    """Weakest first."""
    release = Graph.objects.filter(release_id=cluster.release_id, type=graph_type)
    return [*release, *Graph.objects.filter(cluster=cluster, type=graph_type)]


def _switched_off(levels: Iterable[Graph]) -> dict[str, SwitchedOff]:
    types: dict[str, str] = {}
    found: dict[str, SwitchedOff] = {}
    for graph in levels:
        for task in graph.tasks:
            name, kind = task["id"], task.get("type", "")
            found.pop(name, None)
            if kind == SKIPPED:
                found[name] = SwitchedOff(types.get(name, kind), graph.owner_name)
            else:
                types[name] = kind
    return found


def clusters_with_nodes() -> QuerySet[Cluster]:
    """All clusters by id, with their releases and nodes read beforehand."""
    return Cluster.objects.select_related("release").prefetch_related("nodes").order_by("id")
