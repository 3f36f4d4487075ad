"""Bodies of requests."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class StrictSerializer(serializers.Serializer[dict[str, Any]]):
    """Refuses keys that it does not know."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (strange := sorted(set(data) - set(self.fields))):
            raise serializers.ValidationError({name: "Additional properties are not allowed." for name in strange})
        return dict(super().to_internal_value(data))


class HowSerializer(StrictSerializer):
    """How to run graphs."""

    cluster = serializers.IntegerField(min_value=1, max_value=2**62)
    dry_run = serializers.BooleanField(default=False)
    noop_run = serializers.BooleanField(default=False)
    force = serializers.BooleanField(default=False)
    debug = serializers.BooleanField(default=False, help_text="Accepted for old clients.")


class ChosenGraphSerializer(StrictSerializer):
    """A graph, and what it is narrowed down to."""

    type = serializers.RegexField(r"^[a-zA-Z0-9_-]+\Z", max_length=255)
    nodes = serializers.ListField(child=serializers.IntegerField(min_value=0, max_value=2**62), required=False)
    tasks = serializers.ListField(child=serializers.CharField(), required=False)


class SubgraphSerializer(StrictSerializer):
    """A slice: what lies between some tasks and some others (`task` or `task/5-7`); an open end is missing or null."""

    start = serializers.ListField(child=serializers.CharField(allow_null=True), required=False)
    end = serializers.ListField(child=serializers.CharField(allow_null=True), required=False)


class ExecuteSerializer(HowSerializer):
    """Graphs to run one after the other."""

    graphs = serializers.ListField(child=ChosenGraphSerializer(), min_length=1)
    subgraphs = serializers.ListField(child=SubgraphSerializer(), required=False)
