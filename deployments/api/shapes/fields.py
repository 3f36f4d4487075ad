"""Fields as Fuel's clients expect them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from deployments.services.deployment_history import iso


@extend_schema_field({"type": "string", "nullable": True, "example": "2016-06-01T12:00:00.123456"})
class Moment(serializers.Field):
    """A moment in UTC, in ISO 8601 without a zone; null where it has not come."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: datetime) -> str:
        return iso(value) or ""


@extend_schema_field({"type": "object", "additionalProperties": True})
class Mapping(serializers.JSONField):
    """Any mapping."""


@extend_schema_field({"type": "array", "items": {}})
class Anything(serializers.JSONField):
    """A list of anything."""
