"""Clusters and their settings."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ApiView, ClusterView, task_answer
from deployments.api.formats import MOST_BYTES
from deployments.api.paging import listed
from deployments.api.rights import visible_clusters
from deployments.api.shapes.clusters import AttributesSerializer, ClusterSerializer, RoleSerializer
from deployments.api.shapes.releases import role_items
from deployments.api.views.version import RELEASE
from deployments.models import Cluster
from deployments.services import assignment, clusters
from deployments.services.clock import SystemClock
from deployments.services.task_deploy import shown_settings

_CLUSTER = {
    "type": "object",
    "properties": {
        "name": {"type": "string"}, "release_id": {"type": "integer"}, "mode": {"type": "string"},
        "nodes": {"type": "array", "items": {"type": "integer"}}, "ui_settings": describe.ANY_MAPPING,
        "net_provider": {"type": "string"}, "components": {"type": "array", "items": {"type": "string"}},
        "task_based_deployment": {"type": "boolean"}, "task_based_always": {"type": "boolean"},
    },
}  # fmt: skip
_CHANGEABLE = ("name", "mode", "ui_settings", "net_provider", "release_id", "task_based_deployment", "task_based_always")
"""`net_provider` and `release_id` can be said again, not changed."""
_NEW = (*_CHANGEABLE, "release", "nodes", "components", "tasks", "net_segment_type")
"""The last two are sent by Fuel's client, and mean nothing."""
_ASSIGNMENT = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "integer"}, "roles": {"type": "array", "items": {"type": "string"}}},
    },
}


class ClustersView(ApiView):
    """Clusters."""

    needs = {"GET": "view", "POST": "admin"}

    @describe.lists(ClusterSerializer)
    def get(self, request: Request) -> Response:
        """All clusters that the user may see."""
        rows = visible_clusters(request.user).select_related("release").order_by("id")
        return listed(request, rows, ClusterSerializer, ("id", "name", "status", "release_id"))

    @describe.shows(ClusterSerializer, status=201, request=_CLUSTER)
    def post(self, request: Request) -> Response:
        """Make a cluster; `nodes` join it."""
        data = self.body()
        parameters.refuse_strange(data, _NEW)
        return Response(ClusterSerializer(assignment.create_cluster(data, RELEASE)).data, status=201)


class OneClusterView(ClusterView):
    """A cluster."""

    needs = {"GET": "view", "PUT": "admin", "PATCH": "admin", "DELETE": "admin"}

    @describe.shows(ClusterSerializer)
    def get(self, request: Request, cluster_id: str) -> Response:
        """The cluster."""
        return Response(ClusterSerializer(self.cluster_of()).data)

    @describe.shows(ClusterSerializer, request=_CLUSTER)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Change what is given."""
        cluster, data = self.cluster_of(), self.body()
        parameters.refuse_strange(data, _CHANGEABLE, ClusterSerializer(cluster).data)
        return Response(ClusterSerializer(clusters.update(cluster, data)).data)

    @describe.shows(ClusterSerializer, request=_CLUSTER)
    def patch(self, request: Request, cluster_id: str) -> Response:
        """Change what is given."""
        return self.put(request, cluster_id)

    @describe.starts(describe.flag("force", "Accepted for old clients; a running deployment must be stopped first."))
    def delete(self, request: Request, cluster_id: str) -> Response:
        """Delete the cluster; its nodes are free again, its history stays."""
        return task_answer(clusters.delete(self.cluster_of(), actor=self.actor, reason=self.reason, clock=SystemClock()))


class AttributesView(ClusterView):
    """The settings that people edit."""

    needs = {"GET": "view", "PUT": "operate", "PATCH": "operate"}
    most_bytes = MOST_BYTES

    @describe.shows(AttributesSerializer)
    def get(self, request: Request, cluster_id: str) -> Response:
        """The settings."""
        return _attributes(self.cluster_of())

    @describe.shows(AttributesSerializer, describe.FORCE, request=describe.ANY_MAPPING)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Set the sections that are given."""
        return self._change(whole=True)

    @describe.shows(AttributesSerializer, describe.FORCE, request=describe.ANY_MAPPING)
    def patch(self, request: Request, cluster_id: str) -> Response:
        """Set the fields that are given."""
        return self._change(whole=False)

    def _change(self, *, whole: bool) -> Response:
        force, data = parameters.flag(self.request, "force"), self.body()
        parameters.refuse_strange(data, ("editable", "generated"))
        return _attributes(clusters.change_settings(self.cluster_of(), data, whole=whole, force=force))


class DefaultAttributesView(ClusterView):
    """The settings that the release begins with."""

    needs = {"GET": "view", "PUT": "operate"}

    @describe.shows(AttributesSerializer)
    def get(self, request: Request, cluster_id: str) -> Response:
        """The settings of a new cluster of this release."""
        return Response({"editable": clusters.defaults(self.cluster_of().release)})

    @describe.shows(AttributesSerializer, describe.FORCE)
    def put(self, request: Request, cluster_id: str) -> Response:
        """Go back to them."""
        cluster, force = self.cluster_of(), parameters.flag(request, "force")
        data = {"editable": clusters.defaults(cluster.release)}
        return _attributes(clusters.change_settings(cluster, data, whole=True, force=force))


class DeployedAttributesView(ClusterView):
    """The settings of the last deployment."""

    needs = {"GET": "view"}

    @describe.shows(describe.ANY_MAPPING)
    def get(self, request: Request, cluster_id: str) -> Response:
        """What was deployed last."""
        return Response(clusters.deployed_settings(self.cluster_of()))


class AssignmentView(ClusterView):
    """Nodes join the cluster."""

    needs = {"POST": "operate"}

    @describe.shows(describe.ANYTHING, request=_ASSIGNMENT)
    def post(self, request: Request, cluster_id: str) -> Response:
        """Give nodes roles."""
        assignment.assign(self.cluster_of(), self.body(list))
        return Response(None)


class UnassignmentView(ClusterView):
    """Nodes leave the cluster."""

    needs = {"POST": "operate"}

    @describe.shows(describe.ANYTHING, request=_ASSIGNMENT)
    def post(self, request: Request, cluster_id: str) -> Response:
        """Take nodes out: what was provisioned goes with the next deployment."""
        assignment.unassign(self.cluster_of(), self.body(list))
        return Response(None)


class ClusterRolesView(ClusterView):
    """The roles that nodes of the cluster can have."""

    needs = {"GET": "view"}

    @describe.shows(RoleSerializer(many=True))
    def get(self, request: Request, cluster_id: str) -> Response:
        """The roles."""
        return Response(role_items(self.cluster_of().release))


def _attributes(cluster: Cluster) -> Response:
    return Response({"editable": shown_settings(cluster)})
