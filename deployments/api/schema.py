"""How the description of the API names operations and kinds of log-in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

_ROOT = "/api/v1/"


class ApiSchema(AutoSchema):
    """Operations are called by their address, so that each has one name that stays."""

    def get_operation_id(self) -> str:
        """`get_nodes_node_id`."""
        words = self.path.removeprefix(_ROOT).strip("/").replace(".", "_").translate(str.maketrans("", "", "{}")).split("/")
        return "_".join([self.method.lower(), *words])

    def get_tags(self) -> list[str]:
        """The first word of the address."""
        return [self.path.removeprefix(_ROOT).removeprefix("/api/").split("/")[0]]


class KeystoneScheme(OpenApiAuthenticationExtension):
    """As the Fuel client shows its token."""

    target_class = "deployments.api.authentication.KeystoneAuthentication"
    name = "keystone"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """A header of its own."""
        return {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}


class TokenScheme(OpenApiAuthenticationExtension):
    """As scripts show it."""

    target_class = "deployments.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """The usual header, with the word `Token`."""
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token …`"}


class OpenScheme(OpenApiAuthenticationExtension):
    """Nothing to show: where log-in is off, this machine's own requests are let in."""

    target_class = "deployments.api.authentication.OpenOnLoopback"
    name: list[str] = []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, Any]]:
        """None."""
        return []

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """None."""
        return {}
