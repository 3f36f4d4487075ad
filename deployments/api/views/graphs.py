"""Graphs: each owner's, all of them, and running some."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from deployments import queries
from deployments.api import describe, parameters
from deployments.api.base import ApiView, ClusterView, find_cluster, task_answer
from deployments.api.errors import BadRequest
from deployments.api.formats import MOST_BYTES
from deployments.api.paging import listed
from deployments.api.rights import may, visible_clusters
from deployments.api.shapes.graphs import GraphSerializer
from deployments.api.shapes.requests import ExecuteSerializer
from deployments.api.views.releases import ReleaseView
from deployments.models import Cluster, Graph, Release
from deployments.services import actions, graph_changes
from deployments.services.actions import Asker
from deployments.services.clock import SystemClock
from deployments.services.graphs import Uploaded
from deployments.services.lifecycle import DeployOptions
from deployments.services.setup import make_dispatcher

GRAPH = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "nullable": True}, "node_filter": {"type": "string"}, "tasks": describe.TASKS,
        **{name: describe.ANY_MAPPING for name in ("on_success", "on_error", "on_stop")},
    },
}  # fmt: skip


def _uploaded(uploaded: Uploaded) -> Response:
    """The graph, and beside it what looks like a mistake; clients that don't know of that leave it."""
    return Response({**GraphSerializer(uploaded.graph).data, "warnings": [warning.message for warning in uploaded.warnings]})


class OwnGraphs:
    """The graphs of an owner, which the other base class finds."""

    def owner(self) -> Cluster | Release:
        """Whose graphs they are."""
        raise NotImplementedError(type(self))


class OwnGraphsView(OwnGraphs, ApiView):
    """The graphs of an owner."""

    needs = {"GET": "view"}

    @describe.lists(GraphSerializer, describe.flag("fetch_related", "Accepted for old clients."))
    def get(self, request: Request, **address: str) -> Response:
        """Its own graphs, not those of others."""
        return listed(request, queries.graphs_of(self.owner()).order_by("id"), GraphSerializer, ("id", "type", "name"))


class OwnGraphView(OwnGraphs, ApiView):
    """A graph of an owner."""

    needs = {"GET": "view", "POST": "operate", "PUT": "operate", "PATCH": "operate", "DELETE": "operate"}
    most_bytes = MOST_BYTES

    @describe.shows(GraphSerializer)
    def get(self, request: Request, **address: str) -> Response:
        """The owner's own graph of this type."""
        return Response(GraphSerializer(self._graph()).data)

    @describe.shows(GraphSerializer, request=GRAPH)
    def post(self, request: Request, **address: str) -> Response:
        """Upload a new graph."""
        return _uploaded(graph_changes.create_graph(self.owner(), self._type(), request.data))

    @describe.shows(GraphSerializer, request=GRAPH)
    def put(self, request: Request, **address: str) -> Response:
        """Replace what is given."""
        return _uploaded(graph_changes.change_graph(self._graph(), request.data))

    @describe.shows(GraphSerializer, request=GRAPH)
    def patch(self, request: Request, **address: str) -> Response:
        """Replace what is given."""
        return self.put(request, **address)

    @describe.deletes()
    def delete(self, request: Request, **address: str) -> Response:
        """Delete the graph."""
        self._graph().delete()
        return Response(status=204)

    def _graph(self) -> Graph:
        return graph_changes.find_graph(self.owner(), self._type())

    def _type(self) -> str:
        return str(self.kwargs["graph_type"])


class OfCluster(ClusterView):
    """The owner is a cluster."""

    def owner(self) -> Cluster:
        """The cluster of the address."""
        return self.cluster_of()


class OfRelease(ReleaseView):
    """The owner is a release."""

    def owner(self) -> Release:
        """The release of the address."""
        return self.release()


class ClusterGraphsView(OfCluster, OwnGraphsView):
    """The graphs of a cluster."""


class ClusterGraphView(OfCluster, OwnGraphView):
    """A graph of a cluster."""


class ReleaseGraphsView(OfRelease, OwnGraphsView):
    """The graphs of a release."""


class ReleaseGraphView(OfRelease, OwnGraphView):
    """A graph of a release; it is everybody's, so only an admin of everything may change it."""

    needs = {"GET": "view", "POST": "admin", "PUT": "admin", "PATCH": "admin", "DELETE": "admin"}


class GraphsView(ApiView):
    """All graphs."""

    needs = {"GET": "view"}

    @describe.lists(
        GraphSerializer,
        *(describe.query(name, "Only of these, joined by commas.") for name in ("clusters_ids", "releases_ids", "plugins_ids")),
        describe.query("graph_types", "Only these types, joined by commas."),
        describe.flag("fetch_related", "Accepted for old clients."),
    )
    def get(self, request: Request) -> Response:
        """Graphs of releases and of clusters that the user may see."""
        rows = graph_changes.graphs(
            visible_clusters(request.user), clusters=parameters.numbers(request, "clusters_ids"),
            releases=parameters.numbers(request, "releases_ids"), plugins=parameters.numbers(request, "plugins_ids"),
            types=parameters.words(request, "graph_types"),
        )  # fmt: skip
        return listed(request, rows, GraphSerializer, ("id", "type", "name"))


class OneGraphView(ApiView):
    """A graph by its id. One of a release is everybody's to see, and an admin's of everything to change."""

    needs = {"GET": "view", "PUT": "operate", "PATCH": "operate", "DELETE": "operate"}
    most_bytes = MOST_BYTES

    def cluster_of(self) -> Cluster | None:
        """The graph's cluster, if it belongs to one."""
        return self._graph().cluster

    @describe.shows(GraphSerializer)
    def get(self, request: Request, graph_id: str) -> Response:
        """The graph."""
        return Response(GraphSerializer(self._graph()).data)

    @describe.shows(GraphSerializer, request=GRAPH)
    def put(self, request: Request, graph_id: str) -> Response:
        """Replace what is given."""
        return _uploaded(graph_changes.change_graph(self._changeable(), request.data))

    @describe.shows(GraphSerializer, request=GRAPH)
    def patch(self, request: Request, graph_id: str) -> Response:
        """Replace what is given."""
        return self.put(request, graph_id)

    @describe.deletes()
    def delete(self, request: Request, graph_id: str) -> Response:
        """Delete the graph."""
        self._changeable().delete()
        return Response(status=204)

    def _graph(self) -> Graph:
        return graph_changes.graph_by_id(int(self.kwargs["graph_id"]))

    def _changeable(self) -> Graph:
        graph = self._graph()
        if graph.cluster_id is None and not may(self.request.user, "admin", None):
            raise PermissionDenied
        return graph


class ExecuteView(ApiView):
    """Runs graphs."""

    needs = {"POST": "operate"}

    def cluster_of(self) -> Cluster | None:
        """The cluster that the body names."""
        return named_cluster(self.request.data)

    @describe.starts(request=ExecuteSerializer)
    def post(self, request: Request) -> Response:
        """Run these graphs one after the other."""
        wanted = ExecuteSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        said = wanted.validated_data
        options = DeployOptions(
            dry_run=said["dry_run"], noop=said["noop_run"], force=said["force"], subgraphs=tuple(said.get("subgraphs", ()))
        )
        asker = Asker(self.actor, self.reason, SystemClock(), make_dispatcher())
        return task_answer(actions.execute(find_cluster(said["cluster"]), said["graphs"], options, asker))


def named_cluster(data: Any) -> Cluster | None:
    """The cluster that a body names.

    Raises:
        NotFound: there is none.
    """
    given = data.get("cluster") if isinstance(data, dict) else None
    if isinstance(given, str) and given.isascii() and given.isdecimal() and len(given) <= 18:
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given < 2**62:
        raise BadRequest("cluster: must be the id of a cluster")
    return find_cluster(given)
