"""Clusters."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.access import ByRole, OfCluster
from deployments.admin.actions import ACTIONS, act
from deployments.admin.looks import badge
from deployments.models import Cluster, ClusterRole, Graph
from deployments.services import rights


class ClusterGraphs(OfCluster):
    """The cluster's own graphs, by type."""

    model = Graph
    fields = ["type", "name"]
    extra = 0
    show_change_link = True


class ClusterMembers(OfCluster):
    """Who may do what in this cluster."""

    model = ClusterRole
    fields = ["user", "group", "role"]
    extra = 0
    verbose_name, verbose_name_plural = "role in this cluster", "who may do what here"


@admin.register(Cluster)
class ClusterAdmin(ByRole):
    """Clusters; their states are moved by deployments, not by hand."""

    cluster_path = "id"
    to_change = to_add = rights.ADMIN
    list_display = ["name", "state", "release", "node_count", "task_based_deployment", "fleet", "past"]
    list_filter = ["status", "release", "task_based_deployment", "fleet"]
    list_select_related = ["release"]
    search_fields = ["name"]
    readonly_fields = ["state", "rehearsed_at"]
    inlines = [ClusterGraphs, ClusterMembers]
    actions: ClassVar[list[str]] = ["deploy", "plan", "stop"]
    fieldsets = [
        (None, {"fields": ["name", "release", "state", "fleet"]}),
        ("How it is deployed", {"fields": ["task_based_deployment", "max_nodes_per_call", "rehearsed_at"]}),
        ("Facts and settings", {"fields": ["common", "settings"], "classes": ["collapse"]}),
        (
            "For the Fuel client",
            {
                "fields": ["mode", "fuel_version", "net_provider", "is_customized", "ui_settings", "components", "changes"],
                "classes": ["collapse"],
            },
        ),
    ]

    class Media:
        """States in their colours."""

        css: ClassVar = {"all": ["deployments/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Cluster]:
        """With the number of nodes."""
        return super().get_queryset(request).annotate(_nodes=Count("nodes"))

    def get_urls(self) -> list[URLPattern]:
        """Also the pages that ask before something is started."""
        ours = path("act/<slug:name>/", self.admin_site.admin_view(self.act_view), name="deployments_cluster_act")
        return [ours, *super().get_urls()]

    def act_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Ask, then do."""
        if name not in ACTIONS:
            raise Http404
        return act(self.admin_site, request, ACTIONS[name])

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """With what can be started."""
        found = self.get_object(request, object_id)
        started = ACTIONS.values() if found and rights.may(request.user, rights.OPERATE, found) else ()
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "cluster_actions": started})

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Only for those who may operate something."""
        return super().get_actions(request) if rights.may_somewhere(request.user, rights.OPERATE) else {}

    @admin.action(description="Deploy changes …")
    def deploy(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> HttpResponse:
        """Run what has changed."""
        return _ask_first("deploy", queryset)

    @admin.action(description="Plan …")
    def plan(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> HttpResponse:
        """Only plan it."""
        return _ask_first("plan", queryset)

    @admin.action(description="Stop deployment …")
    def stop(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> HttpResponse:
        """Stop gracefully."""
        return _ask_first("stop", queryset)

    @admin.display(description="nodes", ordering="_nodes")
    def node_count(self, cluster: Cluster) -> SafeString:
        """How many nodes it has."""
        address = reverse("admin:deployments_node_changelist")
        return format_html('<a href="{}?cluster__id__exact={}">{}</a>', address, cluster.pk, cluster._nodes)

    @admin.display(description="state", ordering="status")
    def state(self, cluster: Cluster) -> SafeString:
        """Its state."""
        return badge(cluster.status)

    @admin.display(description="past")
    def past(self, cluster: Cluster) -> SafeString:
        """The way to its transactions."""
        address = reverse("admin:history_transaction_changelist")
        return format_html('<a href="{}?cluster_id__exact={}">transactions</a>', address, cluster.pk)


def _ask_first(name: str, clusters: QuerySet[Cluster]) -> HttpResponse:
    ids = ",".join(str(cluster.pk) for cluster in clusters)
    return HttpResponseRedirect(f"{reverse('admin:deployments_cluster_act', args=[name])}?ids={ids}")
