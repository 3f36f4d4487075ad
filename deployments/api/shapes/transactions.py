"""Transactions and what belongs to them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from deployments.api.shapes.fields import Mapping, Moment
from history.models import Transaction


class TransactionSerializer(serializers.Serializer[Transaction]):
    """A transaction: a request, or one of its children."""

    id = serializers.IntegerField()
    cluster = serializers.IntegerField(source="cluster_id", allow_null=True)
    uuid = serializers.CharField()
    name = serializers.CharField()
    result = Mapping()
    message = serializers.CharField()
    status = serializers.CharField()
    progress = serializers.IntegerField()
    dry_run = serializers.SerializerMethodField()
    graph_type = serializers.SerializerMethodField()
    time_start = Moment()
    time_end = Moment()
    created_at = Moment()
    parent = serializers.IntegerField(source="parent_id", allow_null=True)
    actor = serializers.CharField()
    reason = serializers.CharField()
    order = serializers.SerializerMethodField(help_text="`task by task`, or `role by role: …` with the reason; null if it runs no graph.")
    deleted = serializers.SerializerMethodField()
    deleted_at = Moment()

    def get_dry_run(self, row: Transaction) -> bool:
        return row.dry_run or row.noop

    def get_graph_type(self, row: Transaction) -> str | None:
        return row.graph_type or None

    def get_order(self, row: Transaction) -> str | None:
        return row.arguments.get("order")

    def get_deleted(self, row: Transaction) -> bool:
        return row.deleted_at is not None


class TaskSerializer(TransactionSerializer):
    """The same under its old name, with `parent_id`."""

    parent_id = serializers.IntegerField(allow_null=True)

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        return dict(super().to_representation(instance))


class HistoryItemSerializer(serializers.Serializer[dict[str, Any]]):
    """A task on a node; also all keys of the task's definition at that time."""

    task_name = serializers.CharField()
    node_id = serializers.CharField(allow_null=True)
    status = serializers.CharField()
    type = serializers.CharField()
    time_start = Moment()
    time_end = Moment()
    attempts = serializers.IntegerField()
    reason = serializers.CharField()
    summary = Mapping(required=False)


class SpecifiedHistoryItemSerializer(serializers.Serializer[dict[str, Any]]):
    """A task on a node, in the words of the specification of the history."""

    id = serializers.IntegerField()
    task_id = serializers.IntegerField(help_text="The transaction that the row belongs to.")
    node_id = serializers.CharField(help_text="The node's uid; `null`, a text, for sync points.")
    deployment_graph_task_name = serializers.CharField()
    time_start = serializers.IntegerField(allow_null=True, help_text="Whole seconds since 1970.")
    time_end = serializers.IntegerField(allow_null=True)
    status = serializers.CharField()
