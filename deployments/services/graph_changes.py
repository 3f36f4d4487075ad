"""Graphs one by one, as clients of the API make, change and delete them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.graph.task_graph import between
from deployments.models import Cluster, Graph, Release
from deployments.models.graph import DEFAULT_TYPE
from deployments.queries import Task
from deployments.services.errors import Conflict, NotFound
from deployments.services.graphs import Uploaded, upload_graph

_FIELDS = ("name", "node_filter", "on_success", "on_error", "on_stop", "tasks")
LEVELS = ("", "own", "plugins", "release")
"""Of a cluster's tasks: all levels merged, the cluster's, those of plugins (there are none), the release's."""


def find_graph(owner: Cluster | Release, graph_type: str) -> Graph:
    """The owner's own graph of this type.

    Raises:
        NotFound: there is none.
    """
    found = queries.own_graph(owner, graph_type)
    if found is None:
        raise NotFound(f"Graph with type: {graph_type} is not defined")
    return found


def graph_by_id(graph_id: int) -> Graph:
    """A graph by its id.

    Raises:
        NotFound: there is none.
    """
    found = Graph.objects.select_related("cluster", "release").filter(pk=graph_id).first()
    if found is None:
        raise NotFound("DeploymentGraph not found")
    return found


def create_graph(owner: Cluster | Release, graph_type: str, document: Any) -> Uploaded:
    """Store a new graph; it, and what looks like a mistake in it.

    Raises:
        Conflict: the owner has one of this type.
        InvalidData: it is no graph.
    """
    if queries.own_graph(owner, graph_type) is not None:
        raise Conflict(f'Deployment graph with type "{graph_type}" already exist.')
    return upload_graph(owner, graph_type, {"tasks": [], **document} if isinstance(document, Mapping) else document)


def change_graph(graph: Graph, document: Any) -> Uploaded:
    """Replace what is given; a list replaces the tasks. The graph, and what looks like a mistake in it.

    Raises:
        InvalidData: it would be no graph.
    """
    if not isinstance(document, Mapping):
        document = {"tasks": document}
    owner = graph.cluster or graph.release
    assert owner is not None, "a constraint says that every graph has an owner"
    return upload_graph(owner, graph.type, {**{name: getattr(graph, name) for name in _FIELDS}, **document})


def tasks_of(cluster: Cluster, level: str, graph_type: str = "", start: str = "", end: str = "") -> list[Task]:
    """The cluster's tasks of one of the `LEVELS`.

    Raises:
        InvalidData: there is no such slice of them.
    """
    kind = graph_type or DEFAULT_TYPE
    if level == "plugins":
        return []
    if level:
        graph = queries.own_graph(cluster if level == "own" else cluster.release, kind)
        tasks = graph.tasks if graph else []
    else:
        tasks = queries.merged_tasks(cluster, kind)
    return [dict(task) for task in between(tasks, start, end)]


def replace_tasks(owner: Cluster | Release, tasks: Any, graph_type: str = "") -> list[Task]:
    """Replace the tasks of the owner's graph of this type; they are.

    Raises:
        InvalidData: they are no graph.
    """
    if not isinstance(tasks, list):
        raise InvalidData("The body must be a list of tasks.")
    graph = queries.own_graph(owner, graph_type or DEFAULT_TYPE)
    if graph is None:
        return list(upload_graph(owner, graph_type or DEFAULT_TYPE, tasks).graph.tasks)
    return list(change_graph(graph, tasks).graph.tasks)


def graphs(
    visible: QuerySet[Cluster], *, clusters: list[int], releases: list[int], plugins: list[int], types: list[str]
) -> QuerySet[Graph]:
    """Graphs of releases and of these clusters; each list narrows down if it isn't empty."""
    rows = Graph.objects.filter(cluster__in=visible) | Graph.objects.filter(release__isnull=False)
    if clusters or releases or plugins:
        rows = rows.filter(cluster__in=clusters) | rows.filter(release__in=releases)
    if types:
        rows = rows.filter(type__in=types)
    return rows.order_by("id")
