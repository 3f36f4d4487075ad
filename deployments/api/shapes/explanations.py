"""Events, and what happened on a node."""

from __future__ import annotations

from rest_framework import serializers

from deployments.api.shapes.fields import Moment
from history.models import Event, TaskRun


class EventSerializer(serializers.Serializer[Event]):
    """A change of state."""

    seq = serializers.IntegerField()
    at = Moment()
    actor = serializers.CharField()
    subject = serializers.CharField()
    about = serializers.IntegerField(allow_null=True)
    run = serializers.IntegerField(allow_null=True)
    attempt = serializers.IntegerField(allow_null=True)
    node = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()
    reason = serializers.CharField()
    digest = serializers.CharField()


class RunOfNodeSerializer(serializers.Serializer[TaskRun]):
    """A task run, as part of its node's biography."""

    transaction = serializers.IntegerField(source="transaction_id")
    request = serializers.SerializerMethodField()
    cluster = serializers.IntegerField(source="transaction.cluster_id", allow_null=True)
    graph_type = serializers.CharField(source="transaction.graph_type")
    actor = serializers.CharField(source="transaction.actor")
    why = serializers.CharField(source="transaction.reason")
    task_name = serializers.CharField()
    type = serializers.CharField()
    status = serializers.CharField()
    time_start = Moment()
    time_end = Moment()
    attempts = serializers.IntegerField()
    reason = serializers.CharField()

    def get_request(self, run: TaskRun) -> int:
        return run.transaction.parent_id or run.transaction_id
