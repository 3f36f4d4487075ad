"""Clusters and releases."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from deployments.api.shapes.fields import Anything, Mapping
from deployments.models import Cluster, Release
from deployments.services.clusters import is_locked
from deployments.services.run_order import usual_order


class ClusterSerializer(serializers.Serializer[Cluster]):
    """A cluster."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    mode = serializers.CharField()
    changes = Anything()
    status = serializers.CharField()
    ui_settings = Mapping()
    is_customized = serializers.BooleanField()
    task_based_deployment = serializers.BooleanField()
    task_based_always = serializers.BooleanField()
    order = serializers.SerializerMethodField(help_text="`task by task`, or `role by role: …` with the reason.")
    net_provider = serializers.CharField()
    release_id = serializers.IntegerField()
    fuel_version = serializers.CharField()
    is_locked = serializers.SerializerMethodField()
    components = Anything()

    def get_order(self, cluster: Cluster) -> str:
        return usual_order(cluster).text

    def get_is_locked(self, cluster: Cluster) -> bool:
        return is_locked(cluster)


class ReleaseSerializer(serializers.Serializer[Release]):
    """A release."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    version = serializers.CharField()
    description = serializers.CharField()
    operating_system = serializers.CharField()
    modes_metadata = Mapping()
    roles_metadata = Mapping()
    tags_metadata = Mapping()
    state = serializers.CharField()
    attributes_metadata = Mapping()
    components_metadata = Anything()
    is_deployable = serializers.SerializerMethodField()

    def get_is_deployable(self, release: Release) -> bool:
        return release.state == "available"


class RoleSerializer(serializers.Serializer[dict[str, Any]]):
    """A role of a release."""

    name = serializers.CharField()
    meta = Mapping()
    volumes_roles_mapping = Anything()


class AttributesSerializer(serializers.Serializer[dict[str, Any]]):
    """Settings that people edit: {section: {field: {value, …}}}."""

    editable = Mapping()
