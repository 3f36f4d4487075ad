"""Nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ApiView, task_answer
from deployments.api.errors import BadRequest
from deployments.api.formats import MOST_BYTES
from deployments.api.paging import listed
from deployments.api.rights import sees_everything, visible_clusters
from deployments.api.shapes.nodes import NodeSerializer
from deployments.core.errors import FuelwebError
from deployments.models import Cluster, Node
from deployments.services import nodes
from deployments.services.clock import SystemClock
from deployments.services.errors import NotFound

_TEXT, _LIST = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
NODE = {
    "type": "object",
    "properties": {
        "name": _TEXT, "hostname": _TEXT, "mac": _TEXT, "ip": _TEXT, "status": _TEXT, "roles": _LIST, "pending_roles": _LIST,
        "tags": _LIST, "labels": describe.ANY_MAPPING, "meta": describe.ANY_MAPPING, "online": {"type": "boolean"},
        "pending_addition": {"type": "boolean"}, "pending_deletion": {"type": "boolean"}, "progress": {"type": "integer"},
    },
}  # fmt: skip


_CHANGEABLE = (*NODE["properties"], "id", "uid", "cluster", "cluster_id", "error_type", "os_platform", "manufacturer", "kernel_params")  # type: ignore[misc]
_SAID_BY_MACHINES = ("is_agent", "agent_checksum", "timestamp", "platform_name", "agent_version")
"""Sent by Fuel's agents beside what is kept of them."""


class NodesView(ApiView):
    """Nodes."""

    needs = {"GET": "view", "POST": "agent", "PUT": "operate", "DELETE": "admin"}
    most_bytes = MOST_BYTES

    def cluster_of(self) -> Cluster | None:
        """The one cluster of all nodes that are to be changed; None if there are several."""
        if self.request.method not in ("PUT", "DELETE"):
            return None
        clusters = {node.cluster_id: node.cluster for node in self._meant()}
        return clusters.popitem()[1] if len(clusters) == 1 else None

    def agent_uid(self) -> str | None:
        """The node that announces itself."""
        return announced(self.request.data)

    @describe.lists(NodeSerializer, describe.query("cluster_id", "Only nodes of this cluster; empty = only those of none."))
    def get(self, request: Request) -> Response:
        """All nodes that the user may see."""
        rows = visible_nodes(request).select_related("cluster").order_by("id")
        if "cluster_id" in request.query_params:
            rows = rows.filter(cluster_id=parameters.number(request, "cluster_id"))
        return listed(request, rows, NodeSerializer, ("id", "name", "status", "mac", "ip", "hostname", "uid"))

    @describe.shows(NodeSerializer, status=201, request=NODE)
    def post(self, request: Request) -> Response:
        """A machine announces itself."""
        return Response(NodeSerializer(nodes.register(self.body(), SystemClock())).data, status=201)

    @describe.shows(NodeSerializer(many=True), request={"type": "array", "items": NODE})
    def put(self, request: Request) -> Response:
        """Change several nodes, all or none: each entry has an `id` or a `mac`."""
        return Response(NodeSerializer(self._update(self._changed()), many=True).data)

    @describe.starts(describe.query("ids", "Ids of nodes, joined by commas."))
    def delete(self, request: Request) -> Response:
        """Forget several machines."""
        found = self._meant()
        if not found:
            raise BadRequest("Name the nodes to delete: ?ids=1,2")
        return task_answer(nodes.delete(found, actor=self.actor, reason=self.reason, clock=SystemClock()))

    def _update(self, found: Sequence[Node]) -> list[Node]:
        return nodes.update_several(found, self._entries(), actor=self.actor, reason=self.reason, clock=SystemClock())

    def _changed(self) -> list[Node]:
        found = self._meant()
        for node, data in zip(found, self._entries(), strict=True):
            check_keys(node, data)
        return found

    def _meant(self) -> list[Node]:
        if self.request.method == "DELETE":
            return nodes.find_nodes(parameters.words(self.request, "ids"))
        return [nodes.known_by(data) for data in self._entries()]

    def _entries(self) -> list[dict[str, Any]]:
        data: list[Any] = self.body(list)
        if not all(isinstance(entry, dict) for entry in data):
            raise BadRequest("The body must be a list of nodes, each with its id or mac.")
        return data


class NodeView(ApiView):
    """About the node that the address names."""

    def cluster_of(self) -> Cluster | None:
        """The node's cluster."""
        return self.node().cluster

    def node(self) -> Node:
        """The node of the address.

        Raises:
            NotFound: there is none, or the user may not see it.
        """
        found = nodes.find_node(self.kwargs["node_id"])
        if found.cluster_id is None and self.request.user.is_authenticated and not sees_everything(self.request.user):
            raise NotFound("Node not found")
        return found


class OneNodeView(NodeView):
    """A node."""

    needs = {"GET": "view", "PUT": "operate", "PATCH": "operate", "DELETE": "admin"}

    @describe.shows(NodeSerializer)
    def get(self, request: Request, node_id: str) -> Response:
        """The node."""
        return Response(NodeSerializer(self.node()).data)

    @describe.shows(NodeSerializer, request=NODE)
    def put(self, request: Request, node_id: str) -> Response:
        """Change what is given."""
        node, data = self.node(), self.body()
        check_keys(node, data)
        changed = nodes.update(node, data, actor=self.actor, reason=self.reason, clock=SystemClock())
        return Response(NodeSerializer(changed).data)

    @describe.shows(NodeSerializer, request=NODE)
    def patch(self, request: Request, node_id: str) -> Response:
        """Change what is given."""
        return self.put(request, node_id)

    @describe.starts()
    def delete(self, request: Request, node_id: str) -> Response:
        """Forget the machine."""
        return task_answer(nodes.delete([self.node()], actor=self.actor, reason=self.reason, clock=SystemClock()))


class AgentView(ApiView):
    """What a machine says of itself."""

    needs = {"PUT": "agent"}

    def agent_uid(self) -> str | None:
        """The node that announces itself."""
        return announced(self.request.data)

    @describe.shows(describe.ANY_MAPPING, request=NODE)
    def put(self, request: Request) -> Response:
        """A sign of life; the node is known by its `mac` (or its `id`)."""
        return Response({"id": nodes.number_of(nodes.heard_of(self.body()))})


def check_keys(node: Node, data: dict[str, Any]) -> None:
    """Keys that would change nothing are refused, but for those that Fuel's agents send.

    Raises:
        BadRequest: names them.
    """
    said = {key: value for key, value in data.items() if key not in _SAID_BY_MACHINES}
    parameters.refuse_strange(said, _CHANGEABLE, NodeSerializer(node).data)


def announced(data: Any) -> str | None:
    """The uid of the node that a machine says to be; None if it says nothing that is known."""
    if not isinstance(data, dict):
        return None
    try:
        return nodes.known_by(data).uid
    except FuelwebError:
        given = data.get("uid", data.get("id"))
        return str(given) if isinstance(given, str | int) else None


def visible_nodes(request: Request) -> Any:
    """The nodes that the user may see; those of no cluster only if nothing is hidden from the user."""
    if sees_everything(request.user):
        return Node.objects.all()
    return Node.objects.filter(cluster__in=visible_clusters(request.user))
