"""Graphs, tasks, sequences, notifications."""

from __future__ import annotations

from collections.abc import Mapping as Map
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deployments.api.shapes.fields import Anything, Mapping, Moment
from deployments.models import Graph, Notification, Sequence

_PLAIN_ROLES = ("*", "master", "self")
_SPELLINGS = {"cross-depends": "cross_depends", "cross-depended-by": "cross_depended_by"}
_ONLY_IF_SET = ("node_filter", "on_success", "on_error", "on_stop")


class RelationSerializer(serializers.Serializer[dict[str, Any]]):
    """Whose graph it is."""

    type = serializers.CharField()
    model = serializers.CharField()
    model_id = serializers.IntegerField()


class GraphSerializer(serializers.Serializer[Graph]):
    """A graph; its filter and its callbacks only where it has some."""

    id = serializers.IntegerField()
    name = serializers.SerializerMethodField()
    tasks = serializers.SerializerMethodField()
    relations = serializers.SerializerMethodField()
    node_filter = serializers.CharField(required=False)
    on_success = Mapping(required=False)
    on_error = Mapping(required=False)
    on_stop = Mapping(required=False)
    warnings = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Only in the answer to an upload: what looks like a mistake in it."
    )

    def get_name(self, graph: Graph) -> str | None:
        return graph.name or None

    @extend_schema_field({"type": "array", "items": {"type": "object", "additionalProperties": True}})
    def get_tasks(self, graph: Graph) -> list[dict[str, Any]]:
        return task_items(graph.tasks)

    @extend_schema_field(RelationSerializer(many=True))
    def get_relations(self, graph: Graph) -> list[dict[str, Any]]:
        model = "cluster" if graph.cluster_id else "release"
        return [{"type": graph.type, "model": model, "model_id": graph.cluster_id or graph.release_id}]

    def to_representation(self, instance: Graph) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {name: value for name, value in shown.items() if value or name not in _ONLY_IF_SET}


class SequenceSerializer(serializers.Serializer[Sequence]):
    """A sequence."""

    id = serializers.IntegerField()
    release_id = serializers.IntegerField()
    name = serializers.CharField()
    graphs = Anything()


class NotificationSerializer(serializers.Serializer[Notification]):
    """A notification."""

    id = serializers.IntegerField()
    cluster = serializers.IntegerField(source="cluster_id", allow_null=True)
    topic = serializers.CharField()
    message = serializers.CharField()
    status = serializers.CharField()
    node_id = serializers.SerializerMethodField()
    task_id = serializers.IntegerField(source="transaction_id", allow_null=True)
    created_at = Moment()

    def get_node_id(self, notification: Notification) -> str | None:
        return notification.node or None


def task_items(tasks: list[Map[str, Any]]) -> list[dict[str, Any]]:
    """Tasks as Nailgun shows them: what is empty is left out, and everything that has two spellings has both."""
    return [_task(task) for task in tasks]


def _task(task: Map[str, Any]) -> dict[str, Any]:
    shown = {key: value for key, value in task.items() if value}
    shown["task_name"] = shown["id"]
    for one, other in _SPELLINGS.items():
        if (relations := shown.get(one, shown.get(other))) is not None:
            shown[one] = shown[other] = relations
    roles = shown.get("roles", shown.get("role"))
    if roles is not None:
        if isinstance(roles, list) and len(roles) == 1 and roles[0] in _PLAIN_ROLES:
            roles = roles[0]
        shown["roles"] = shown["role"] = roles
    return shown
