"""Nodes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import ForeignKey
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.access import ByRole
from deployments.admin.looks import badge, bar
from deployments.models import Node
from deployments.services import rights


@admin.register(Node)
class NodeAdmin(ByRole):
    """Nodes; their states are moved by deployments, not by hand."""

    cluster_path = "cluster_id"
    to_change = rights.OPERATE
    to_add = rights.ADMIN
    list_display = ["uid", "name", "cluster", "role_names", "state", "done", "online", "ip", "past"]
    list_display_links = ["uid", "name"]
    list_filter = ["status", "online", ("cluster", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["cluster"]
    search_fields = ["uid", "name", "hostname", "mac", "ip"]
    readonly_fields = ["state", "status_before_rehearsal", "error_type", "error_msg", "progress", "past"]
    fieldsets = [
        (None, {"fields": ["uid", "name", "hostname", "cluster", "roles", "pending_roles", "tags", "labels"]}),
        ("State", {"fields": ["state", "status_before_rehearsal", "error_type", "error_msg", "progress", "online", "past"]}),
        ("Facts", {"fields": ["data"], "classes": ["collapse"]}),
        (
            "The machine",
            {"fields": ["mac", "ip", "os_platform", "manufacturer", "kernel_params", "meta"], "classes": ["collapse"]},
        ),
        ("What is to become of it", {"fields": ["pending_addition", "pending_deletion"]}),
    ]

    class Media:
        """States in their colours."""

        css: ClassVar = {"all": ["deployments/admin.css"]}

    def formfield_for_foreignkey(self, field: ForeignKey, request: HttpRequest, **options: Any) -> ModelChoiceField | None:
        """A node can be given only to clusters that the user operates."""
        if field.name == "cluster":
            options["queryset"] = rights.visible_clusters(request.user, rights.OPERATE)
        return super().formfield_for_foreignkey(field, request, **options)

    @admin.display(description="roles")
    def role_names(self, node: Node) -> str:
        """Its roles, those to come in brackets."""
        coming = [role for role in node.pending_roles if role not in node.roles]
        return ", ".join([*node.roles, *(f"({role})" for role in coming)])

    @admin.display(description="state", ordering="status")
    def state(self, node: Node) -> SafeString:
        """Its state."""
        return badge(node.status)

    @admin.display(description="progress", ordering="progress")
    def done(self, node: Node) -> SafeString:
        """How far its deployment is."""
        return bar(node.progress, node.status)

    @admin.display(description="past")
    def past(self, node: Node) -> SafeString:
        """The way to all that was done on it."""
        return format_html('<a href="{}?node__exact={}">task runs</a>', reverse("admin:history_taskrun_changelist"), node.uid)
