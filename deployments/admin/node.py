"""Nodes."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import ForeignKey
from django.forms import ModelChoiceField, ModelForm, ValidationError
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.access import ByRole
from deployments.admin.looks import badge, bar
from deployments.admin.summaries import biography_link, latest_runs, link
from deployments.core.errors import FuelwebError
from deployments.models import Node
from deployments.services import rights
from deployments.services.assignment import check_place


class NodeForm(ModelForm):
    """Where a node belongs and what it is to be is decided by the rules of the API."""

    def clean(self) -> dict[str, Any]:
        """Checked as an assignment is."""
        values = super().clean() or {}
        was = Node.objects.select_related("cluster").filter(pk=self.instance.pk).first() or Node(uid=values.get("uid", ""))
        # (`changed_data` takes what is written otherwise for a change.)
        if self.errors or all(name not in values or values[name] == getattr(was, name) for name in _PLACE):
            return values
        roles = [*(values.get("roles") or ()), *(values.get("pending_roles") or ())]
        try:
            check_place(was, values.get("cluster"), roles)
        except FuelwebError as error:
            raise ValidationError(str(error)) from error
        if was.cluster_id is None and values.get("cluster") is not None and was.status == "discover":
            values["pending_addition"] = True
        return values


_PLACE = {"cluster", "roles", "pending_roles", "tags", "pending_addition", "pending_deletion"}


@admin.register(Node)
class NodeAdmin(ByRole):
    """Nodes; their states are moved by deployments, not by hand."""

    form = NodeForm
    cluster_path = "cluster_id"
    to_change = rights.OPERATE
    to_add = rights.ADMIN
    list_display = ["uid", "name", "of_cluster", "role_names", "state", "done", "online", "shortly", "past"]
    list_display_links = ["uid", "name"]
    list_filter = ["status", "online", ("cluster", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["cluster"]
    search_fields = ["uid", "name", "hostname", "mac", "ip"]
    search_help_text = "Part of a uid, a name, a MAC or an IP address."
    readonly_fields = ["state", "status_before_rehearsal", "trouble", "done", "latest"]
    fieldsets = [
        (None, {"fields": ["state", "done", "trouble", "online", "status_before_rehearsal", "latest"]}),
        ("What it is", {"fields": ["uid", "name", "hostname", "cluster", "roles", "pending_roles", "tags", "labels"]}),
        ("Facts", {"fields": ["data"], "classes": ["collapse"]}),
        (
            "The machine",
            {"fields": ["mac", "ip", "os_platform", "manufacturer", "kernel_params", "meta"], "classes": ["collapse"]},
        ),
        ("What is to become of it", {"fields": ["pending_addition", "pending_deletion"]}),
    ]

    def formfield_for_foreignkey(self, field: ForeignKey, request: HttpRequest, **options: Any) -> ModelChoiceField | None:
        """A node can be given only to clusters that the user operates."""
        if field.name == "cluster":
            options["queryset"] = rights.visible_clusters(request.user, rights.OPERATE)
        return super().formfield_for_foreignkey(field, request, **options)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Node | None:
        """With the clusters that the user sees: it may have been another's before."""
        node = super().get_object(request, object_id, from_field)
        if node is not None:
            node.seen_in = None if rights.sees_everything(request.user) else rights.visible_clusters(request.user)
        return node

    def get_fieldsets(self, request: HttpRequest, obj: Node | None = None) -> Any:
        """A new node has no state yet."""
        shown = super().get_fieldsets(request, obj)
        return shown if obj is not None else shown[1:]

    @admin.display(description="cluster", ordering="cluster__name")
    def of_cluster(self, node: Node) -> SafeString | str:
        """The way to it."""
        return link("deployments_cluster_change", node.cluster.name, node.cluster.pk) if node.cluster else "–"

    @admin.display(description="roles or tags")
    def role_names(self, node: Node) -> str:
        """Its roles, those to come in brackets; without any its tags."""
        coming = [role for role in node.pending_roles if role not in node.roles]
        return ", ".join([*node.roles, *(f"({role})" for role in coming)]) or ", ".join(node.tags)

    @admin.display(description="what is wrong")
    def trouble(self, node: Node) -> str:
        """Why it is in error."""
        return ": ".join(filter(None, (node.error_type, node.error_msg)))

    @admin.display(description="what is wrong", ordering="error_msg")
    def shortly(self, node: Node) -> str:
        """The beginning of it."""
        return node.error_msg if len(node.error_msg) < 60 else f"{node.error_msg[:59]}…"

    @admin.display(description="latest task runs")
    def latest(self, node: Node) -> SafeString | str:
        """The newest, and the way to all."""
        return format_html("{}{}", latest_runs(node, node.seen_in), self.past(node))

    @admin.display(description="state", ordering="status")
    def state(self, node: Node) -> SafeString:
        """Its state."""
        return badge(node.status)

    @admin.display(description="progress", ordering="progress")
    def done(self, node: Node) -> SafeString:
        """How far its deployment is."""
        return bar(node.progress, node.status)

    @admin.display(description="past")
    def past(self, node: Node) -> SafeString | str:
        """The way to all that was done on it."""
        return biography_link(node.uid, "all task runs")
