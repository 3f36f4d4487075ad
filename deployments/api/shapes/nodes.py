"""Nodes."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deployments.api.shapes.fields import Anything, Mapping
from deployments.models import Node
from deployments.services.nodes import number_of, shown_status


class NodeSerializer(serializers.Serializer[Node]):
    """A node. Its `id` is a number; `uid` is the name that plans and history use."""

    id = serializers.SerializerMethodField()
    uid = serializers.CharField()
    name = serializers.CharField()
    meta = Mapping()
    progress = serializers.IntegerField()
    kernel_params = serializers.SerializerMethodField()
    roles = Anything()
    pending_roles = Anything()
    tags = Anything()
    status = serializers.SerializerMethodField()
    mac = serializers.CharField()
    hostname = serializers.SerializerMethodField()
    fqdn = serializers.SerializerMethodField()
    ip = serializers.CharField()
    manufacturer = serializers.SerializerMethodField()
    platform_name = serializers.SerializerMethodField()
    pending_addition = serializers.BooleanField()
    pending_deletion = serializers.BooleanField()
    os_platform = serializers.CharField()
    error_type = serializers.SerializerMethodField()
    error_msg = serializers.SerializerMethodField()
    online = serializers.BooleanField()
    labels = Mapping()
    cluster = serializers.IntegerField(source="cluster_id", allow_null=True)
    network_data = serializers.SerializerMethodField()
    group_id = serializers.SerializerMethodField()

    def get_id(self, node: Node) -> int:
        return number_of(node)

    def get_status(self, node: Node) -> str:
        return shown_status(node)

    def get_kernel_params(self, node: Node) -> str | None:
        return node.kernel_params or None

    def get_hostname(self, node: Node) -> str:
        return node.hostname or f"node-{node.uid}"

    def get_fqdn(self, node: Node) -> str:
        return f"{self.get_hostname(node)}.domain.tld"

    def get_manufacturer(self, node: Node) -> str | None:
        return node.manufacturer or None

    def get_platform_name(self, node: Node) -> str | None:
        system = node.meta.get("system") if isinstance(node.meta, dict) else None
        name = system.get("product") if isinstance(system, dict) else None
        return str(name) if name else None

    def get_error_type(self, node: Node) -> str | None:
        return node.error_type or None

    def get_error_msg(self, node: Node) -> str | None:
        return node.error_msg or None

    @extend_schema_field({"type": "array", "items": {}})
    def get_network_data(self, node: Node) -> list[Any]:
        return []

    def get_group_id(self, node: Node) -> int | None:
        return None
