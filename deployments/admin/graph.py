"""Graphs and sequences of them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import ForeignKey, Q, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest

from deployments.admin.access import ByRole
from deployments.core.errors import FuelwebError
from deployments.core.plan import PlanWarning
from deployments.models import Graph, Release, Sequence
from deployments.services import graphs, rights
from deployments.services.sequences import checked_graphs

_ROWS = {"tasks": 30, "node_filter": 2}
"""How high the boxes are."""


class GraphForm(forms.ModelForm):
    """What is stored is what could be uploaded."""

    warnings: tuple[PlanWarning, ...] = ()

    def clean(self) -> dict[str, Any]:
        """Checked as an upload is."""
        values = super().clean() or {}
        graph = self.instance
        owner = values.get("cluster") or values.get("release") or graph.cluster or graph.release
        if owner is None or self.errors:
            return values
        document = {name: values.get(name) for name in _CHECKED if values.get(name) not in (None, "")}
        try:
            _, warnings = graphs.checked(owner, values.get("type") or graph.type, {"tasks": [], **document})
        except FuelwebError as error:
            raise forms.ValidationError(str(error)) from error
        self.warnings = tuple(warnings)
        return values


_CHECKED = ("tasks", "name", "node_filter", "on_success", "on_error", "on_stop")


class SequenceForm(forms.ModelForm):
    """What is stored can be run."""

    def clean_graphs(self) -> Any:
        """Checked as by the API."""
        try:
            return checked_graphs(self.cleaned_data["graphs"])
        except FuelwebError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Graph)
class GraphAdmin(ByRole):
    """Graphs by type and owner."""

    form = GraphForm
    cluster_path = "cluster_id"
    to_change = to_delete = rights.OPERATE
    list_display = ["type", "owner", "task_count", "name"]
    list_filter = ["type", "release", ("cluster", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["release", "cluster"]
    search_fields = ["type", "name", "cluster__name", "release__name"]
    fieldsets = [
        (None, {"fields": ["type", "name", "cluster", "release", "tasks"]}),
        ("On which nodes, and what becomes of them", {"fields": ["node_filter", "on_success", "on_error", "on_stop"]}),
    ]

    def formfield_for_dbfield(self, field: Any, request: HttpRequest, **options: Any) -> Any:
        """Tasks need room, filters do not."""
        found = super().formfield_for_dbfield(field, request, **options)
        if found is not None and field.name in _ROWS:
            found.widget.attrs |= {"rows": _ROWS[field.name], "cols": 110, "class": "structured"}
        return found

    def save_model(self, request: HttpRequest, obj: Graph, form: GraphForm, change: bool) -> None:
        """With what looks like a mistake in it."""
        super().save_model(request, obj, form, change)
        for warning in form.warnings:
            messages.warning(request, warning.message)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Graph]:
        """Those of visible clusters and all those of releases."""
        if rights.sees_everything(request.user):
            return Graph.objects.all()
        return Graph.objects.filter(Q(cluster=None) | Q(cluster__in=rights.visible_clusters(request.user).values("id")))

    def has_view_permission(self, request: HttpRequest, obj: Graph | None = None) -> bool:
        """Releases' graphs are for everybody who has any role."""
        return self.has_module_permission(request) if obj is None or obj.cluster_id is None else super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Whoever operates a cluster may give it graphs."""
        return rights.may_somewhere(request.user, rights.OPERATE)

    def formfield_for_foreignkey(self, field: ForeignKey, request: HttpRequest, **options: Any) -> ModelChoiceField | None:
        """A graph can be given only to clusters that the user operates; to releases by an admin of everything."""
        if field.name == "cluster":
            options["queryset"] = rights.visible_clusters(request.user, rights.OPERATE)
        elif not rights.may(request.user, rights.ADMIN, None):
            options["queryset"] = Release.objects.none()
        return super().formfield_for_foreignkey(field, request, **options)

    def _may(self, request: HttpRequest, right: str | None, item: Any) -> bool:
        """A release's graphs are everybody's, so an admin of everything changes them."""
        of_release = item is not None and item.cluster_id is None
        return super()._may(request, rights.ADMIN if of_release and right == rights.OPERATE else right, item)

    def get_readonly_fields(self, request: HttpRequest, obj: Graph | None = None) -> list[str]:
        """A graph stays with its owner."""
        return ["type", "release", "cluster"] if obj else []

    @admin.display(description="owner")
    def owner(self, graph: Graph) -> str:
        """The release or the cluster it belongs to."""
        return graph.owner_name

    @admin.display(description="tasks")
    def task_count(self, graph: Graph) -> int:
        """How many tasks it has."""
        return len(graph.tasks)


@admin.register(Sequence)
class SequenceAdmin(ByRole):
    """Sequences by release."""

    form = SequenceForm
    to_change = to_add = to_delete = rights.ADMIN
    list_display = ["name", "release", "types"]
    list_filter = ["release"]
    list_select_related = ["release"]
    search_fields = ["name", "release__name"]

    @admin.display(description="graphs")
    def types(self, sequence: Sequence) -> str:
        """The graphs in their order."""
        return " → ".join(str(graph.get("type")) for graph in sequence.graphs)
