"""The tasks of clusters and releases: as they are written, drawn, and as they would be run."""

from __future__ import annotations

import json

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import queries
from deployments.api import describe, parameters
from deployments.api.base import ClusterView
from deployments.api.errors import BadRequest
from deployments.api.formats import MOST_BYTES
from deployments.api.shapes.graphs import task_items
from deployments.api.streams import streamed
from deployments.api.views.releases import ReleaseView
from deployments.core.graph.task_graph import draw
from deployments.models.graph import DEFAULT_TYPE
from deployments.services import apart, graph_changes, serialized
from deployments.services.actions import members

DOT = "text/vnd.graphviz"


class DeploymentTasksView(ClusterView):
    """The tasks of a cluster; `level` is set by the address."""

    needs = {"GET": "view"}
    level = ""

    @describe.shows(
        describe.TASKS, describe.GRAPH_TYPE, describe.query("start", "From this task on."), describe.query("end", "Up to this task.")
    )
    def get(self, request: Request, cluster_id: str) -> Response:
        """The tasks."""
        given = {name: request.query_params.get(name, "") for name in ("graph_type", "start", "end")}
        return Response(task_items(graph_changes.tasks_of(self.cluster_of(), self.level, **given)))


class MergedTasksView(DeploymentTasksView):
    """The tasks of a cluster and its release in one."""

    needs = {"GET": "view", "PUT": "operate"}
    most_bytes = MOST_BYTES

    @describe.shows(describe.TASKS, describe.GRAPH_TYPE, request=describe.TASKS)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Replace the cluster's own tasks."""
        graph_type = request.query_params.get("graph_type", "")
        return Response(task_items(graph_changes.replace_tasks(self.cluster_of(), request.data, graph_type)))


class ReleaseTasksView(ReleaseView):
    """The tasks of a release."""

    needs = {"GET": "view", "PUT": "admin"}
    most_bytes = MOST_BYTES

    @describe.shows(describe.TASKS, describe.GRAPH_TYPE)
    def get(self, request: Request, release_id: str) -> Response:
        """The tasks."""
        graph = queries.own_graph(self.release(), request.query_params.get("graph_type") or DEFAULT_TYPE)
        return Response(task_items(graph.tasks if graph else []))

    @describe.shows(describe.TASKS, describe.GRAPH_TYPE, request=describe.TASKS)
    def put(self, request: Request, release_id: str) -> Response:
        """Replace the tasks."""
        graph_type = request.query_params.get("graph_type", "")
        return Response(task_items(graph_changes.replace_tasks(self.release(), request.data, graph_type)))


class DrawingView(ClusterView):
    """The graph as a drawing."""

    needs = {"GET": "view"}
    also = (DOT,)

    @describe.shows(
        str, describe.GRAPH_TYPE, describe.query("tasks", "All others are grey."),
        describe.query("parents_for", "Only this task and what it waits for."),
        describe.query("remove", "Types to leave out, of group, stage, skipped."), media=DOT,
    )  # fmt: skip
    def get(self, request: Request, cluster_id: str) -> HttpResponse:
        """DOT text."""
        tasks = graph_changes.tasks_of(self.cluster_of(), "", request.query_params.get("graph_type", ""))
        drawing = draw(
            tasks, only=parameters.words(request, "tasks"), parents_for=request.query_params.get("parents_for", ""),
            remove=parameters.words(request, "remove"),
        )  # fmt: skip
        return HttpResponse(drawing, content_type=f"{DOT}; charset=utf-8")


class SerializedTasksView(ClusterView):
    """What would be run."""

    needs = {"GET": "view"}

    @describe.shows(describe.ANY_MAPPING, describe.NODES, describe.query("tasks", "Only these."), describe.GRAPH_TYPE)
    def get(self, request: Request, cluster_id: str) -> HttpResponseBase:
        """The plan in Astute's form. Nothing is run and nothing is written."""
        cluster = self.cluster_of()
        graph_type = request.query_params.get("graph_type") or DEFAULT_TYPE
        if not queries.merged_tasks(cluster, graph_type):
            raise BadRequest(f"There are no deployment tasks for graph type '{graph_type}'. Checked cluster (ID={cluster.id}).")
        chosen = {
            "graph": [graph_type], "nodes": members(cluster, parameters.words(request, "nodes")),
            "tasks": parameters.words(request, "tasks"),
        }  # fmt: skip
        options = [f"--{name}={','.join(values)}" for name, values in chosen.items() if values]
        # No plan is made in a request: expressions may take for ever, and time limits need the main thread of a process.
        found = apart.json_of("serialized_tasks", *options, "--", cluster.name)
        if request.accepted_renderer.format == "json":
            return FileResponse(found, content_type="application/json")
        with found:
            return Response(json.load(found))


class DeploymentFactsView(ClusterView):
    """What graphs read of the nodes."""

    needs = {"GET": "view"}

    @describe.shows(describe.TASKS, describe.NODES, describe.flag("split", "What is common to all stands apart."))
    def get(self, request: Request, cluster_id: str) -> HttpResponseBase:
        """A mapping for each node."""
        cluster = self.cluster_of()
        nodes = members(cluster, parameters.words(request, "nodes"))
        return streamed(request, serialized.facts(cluster, nodes, split=parameters.flag(request, "split")))
