"""Clusters."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.access import ByRole, OfCluster
from deployments.admin.actions import ACTIONS, Action, act
from deployments.admin.looks import ago, badge
from deployments.admin.summaries import latest_transactions, link, nodes_by_state, transaction_link
from deployments.core.errors import InvalidData
from deployments.models import Cluster, ClusterRole, Graph
from deployments.services import clusters, rights
from deployments.services.errors import Forbidden
from deployments.services.fleet_places import fleet_places
from deployments.services.run_order import usual_order
from deployments.services.task_deploy import initial_flag
from history import queries as history


class ClusterGraphs(OfCluster):
    """The cluster's own graphs, by type; they are changed on pages of their own."""

    model = Graph
    fields = readonly_fields = ["page", "tasks_written", "name"]
    extra = 0
    can_delete = False
    verbose_name_plural = "the cluster's own graphs"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A graph has more to it than a line has room for."""
        return False

    @admin.display(description="type")
    def page(self, graph: Graph) -> SafeString:
        """The way to its page."""
        return link("deployments_graph_change", graph.type, graph.pk)

    @admin.display(description="tasks")
    def tasks_written(self, graph: Graph) -> int:
        """How many."""
        return len(graph.tasks)


class ClusterMembers(OfCluster):
    """Who may do what in this cluster."""

    model = ClusterRole
    fields = ["user", "group", "role"]
    extra = 0
    verbose_name, verbose_name_plural = "role in this cluster", "who may do what here"


class ClusterForm(ModelForm):
    """A new cluster begins with the order that its release and settings stand for, unless somebody has touched the switch."""

    has_new_settings = False

    def clean(self) -> dict[str, Any]:
        """Decide the switch; refuse what the API refuses."""
        values = super().clean() or {}
        release = values.get("release")
        if self.instance.pk is None and release is not None:
            try:
                clusters.check_release(release)
            except Forbidden as error:
                self.add_error("release", str(error))
                return values
            values["settings"] = values.get("settings") or clusters.defaults(release)
        elif self.instance.pk is not None:
            # (`changed_data` takes what is written otherwise for a change.)
            was = Cluster.objects.get(pk=self.instance.pk)
            changed = sorted(name for name in _LOCKED if name in values and values[name] != getattr(was, name))
            if changed and clusters.is_locked(was):
                self.add_error(None, f"{', '.join(changed)} can't be changed while the cluster is being deployed: wait, or stop it.")
            self.has_new_settings = "settings" in changed
        if self.instance.pk is None and release is not None and "task_based_deployment" not in self.changed_data:
            try:
                values["task_based_deployment"] = initial_flag(release, values.get("settings") or {})
            except InvalidData as error:
                self.add_error("settings", str(error))
        return values


_LOCKED = {"settings", "common", "task_based_deployment", "task_based_always", "mode", "max_nodes_per_call", "changes"}
"""What may not be changed while a cluster is being deployed."""


@admin.register(Cluster)
class ClusterAdmin(ByRole):
    """Clusters; their states are moved by deployments, not by hand."""

    cluster_path = "id"
    to_change = to_add = rights.ADMIN
    list_display = ["name", "state", "node_count", "newest", "release", "past"]
    list_filter = ["status", "release", "fleet"]
    list_select_related = ["release"]
    search_fields = ["name"]
    search_help_text = "Part of a name."
    form = ClusterForm
    readonly_fields = ["order", "places", "state", "rehearsed_at", "members", "latest"]
    inlines = [ClusterGraphs, ClusterMembers]
    actions: ClassVar[list[str]] = ["deploy", "plan", "stop"]
    fieldsets = [
        (None, {"fields": ["state", "members", "latest"]}),
        ("What it is", {"fields": ["name", "release"]}),
        (
            "How it is deployed",
            {"fields": ["order", "task_based_deployment", "task_based_always", "max_nodes_per_call", "fleet", "places", "rehearsed_at"]},
        ),
        ("Facts and settings", {"fields": ["common", "settings"], "classes": ["collapse"]}),
        (
            "For the Fuel client",
            {
                "fields": ["mode", "fuel_version", "net_provider", "is_customized", "ui_settings", "components", "changes"],
                "classes": ["collapse"],
            },
        ),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: Cluster | None = None) -> list[str]:
        """A cluster stays with its release."""
        return [*super().get_readonly_fields(request, obj), *(["release"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: Cluster, form: ClusterForm, change: bool) -> None:
        """A new one begins as one that was made by the API."""
        if not change:
            for name, value in clusters.at_first(clusters.FUEL_VERSION).items():
                setattr(obj, name, getattr(obj, name) or value)
        elif form.has_new_settings and all(known.get("name") != "attributes" for known in obj.changes):
            obj.changes = [*obj.changes, {"name": "attributes", "node_id": None}]
        super().save_model(request, obj, form, change)

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
        started = _startable(found) if found and rights.may(request.user, rights.OPERATE, found) else ()
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "cluster_actions": started, "acted_on": object_id}
        )

    def get_fieldsets(self, request: HttpRequest, obj: Cluster | None = None) -> Any:
        """A new cluster has no state yet."""
        shown = super().get_fieldsets(request, obj)
        return shown if obj is not None else shown[1:]

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Only for those who may operate something."""
        return super().get_actions(request) if rights.may_somewhere(request.user, rights.OPERATE) else {}

    @admin.action(description="Deploy changes …")
    def deploy(self, request: HttpRequest, queryset: QuerySet[Cluster]) -> HttpResponse:
        """Run what is due."""
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
        return link("deployments_node_changelist", cluster._nodes, cluster__id__exact=cluster.pk)

    @admin.display(description="state", ordering="status")
    def state(self, cluster: Cluster) -> SafeString:
        """Its state."""
        return badge(cluster.status)

    @admin.display(description="order")
    def order(self, cluster: Cluster) -> str:
        """Task by task, or role by role and why."""
        return usual_order(cluster).text if cluster.pk else "by its release, unless you say otherwise"

    @admin.display(description="places of the fleet")
    def places(self, cluster: Cluster) -> str:
        """How many are taken, and by whom."""
        return next((found.text for found in fleet_places() if found.fleet == cluster.fleet), "no such fleet answers: agents of their own?")

    @admin.display(description="nodes")
    def members(self, cluster: Cluster) -> SafeString | str:
        """How many are in which state."""
        return nodes_by_state(cluster)

    @admin.display(description="latest transactions")
    def latest(self, cluster: Cluster) -> SafeString | str:
        """The newest, and the way to all."""
        return format_html("{}{}", latest_transactions(cluster), self.past(cluster))

    @admin.display(description="latest transaction")
    def newest(self, cluster: Cluster) -> SafeString | str:
        """What was asked for last, and what came of it."""
        row = history.transactions(clusters=[cluster.pk]).filter(parent=None).first()
        return format_html("{} {} {} {}", transaction_link(row), row.name, badge(row.status), ago(row.created_at)) if row else "–"

    @admin.display(description="past")
    def past(self, cluster: Cluster) -> SafeString:
        """The way to its transactions."""
        return link("history_transaction_changelist", "all transactions", cluster_id__exact=cluster.pk)


def _startable(cluster: Cluster) -> list[Action]:
    """What makes sense now: stop what is under way, or start something."""
    running = history.unfinished_deploy(cluster.pk)
    return [action for name, action in ACTIONS.items() if (name == "stop") == (running is not None)]


def _ask_first(name: str, clusters: QuerySet[Cluster]) -> HttpResponse:
    ids = ",".join(str(cluster.pk) for cluster in clusters)
    return HttpResponseRedirect(f"{reverse('admin:deployments_cluster_act', args=[name])}?ids={ids}")
