"""Roles and tokens. For superusers; who administers a cluster gives roles in it on the cluster's page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from deployments.models import ClusterRole, Token


@admin.register(ClusterRole)
class ClusterRoleAdmin(admin.ModelAdmin):
    """Who may do what where."""

    list_display = ["holder", "role", "where"]
    list_filter = ["role", ("cluster", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["user", "group", "cluster"]
    search_fields = ["user__username", "group__name", "cluster__name"]
    autocomplete_fields = ["user", "group"]

    @admin.display(description="user or group")
    def holder(self, row: ClusterRole) -> str:
        """Who has the role."""
        return f"{row.user}" if row.user_id else f"group {row.group}"

    @admin.display(description="cluster", ordering="cluster")
    def where(self, row: ClusterRole) -> str:
        """One cluster, or all."""
        return str(row.cluster) if row.cluster_id else "everywhere"


@admin.register(Token)
class TokenAdmin(admin.ModelAdmin):
    """Tokens can be taken back here. They are made by `manage.py api_token` and `agent_token`, or by logging in as with Keystone."""

    list_display = ["__str__", "scope", "node", "created", "expiry"]
    list_filter = ["scope", "created", "expiry"]
    list_select_related = ["user"]
    search_fields = ["user__username", "node", "token_key"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Its text could not be shown."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A token is what it was made."""
        return False
