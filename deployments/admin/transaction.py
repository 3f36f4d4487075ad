"""Transactions: what was asked for, by whom, and what became of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from deployments.admin.actions import ACTIONS
from deployments.admin.looks import ago, badge, bar, exact, took
from deployments.admin.reading import ReadOnly, Rows
from deployments.admin.summaries import cluster_link, failures, link, runs_by_state, transaction_link
from deployments.models import Cluster
from deployments.services import rights
from history.models import Transaction
from history.models.transaction import UNFINISHED

_WITH_RUNS = ("deploy", "deployment")


class Children(Rows):
    """The runs of a request's graphs."""

    model = Transaction
    fk_name = "parent"
    fields = ["number", "graph_type", "state", "done", "duration", "runs", "message"]
    readonly_fields = ["number", "state", "done", "duration", "runs"]
    verbose_name_plural = "graphs"

    @admin.display(description="transaction")
    def number(self, row: Transaction) -> SafeString:
        """The way to its page."""
        return transaction_link(row)

    @admin.display(description="state")
    def state(self, row: Transaction) -> SafeString:
        """Its state."""
        return badge(row.status)

    @admin.display(description="progress")
    def done(self, row: Transaction) -> SafeString:
        """How far it is."""
        return bar(row.progress, row.status)

    @admin.display(description="took")
    def duration(self, row: Transaction) -> str:
        """From its begin to its end."""
        return took(row.time_start, row.time_end)

    @admin.display(description="task runs")
    def runs(self, row: Transaction) -> SafeString | str:
        """By state, and the way to them."""
        return runs_by_state(row)


class Hidden(admin.SimpleListFilter):
    """Deleting only hides."""

    title, parameter_name = "deleted", "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Deleted or not."""
        return [("no", "Not deleted"), ("yes", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        """Those."""
        return queryset.filter(deleted_at__isnull=self.value() == "no") if self.value() else queryset


class LevelFilter(admin.SimpleListFilter):
    """Requests, if nothing else is chosen."""

    title, parameter_name = "level", "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What there is beside requests."""
        return [("graphs", "Graphs"), ("all", "All")]

    def choices(self, changelist: ChangeList) -> Any:
        """The first is called what it shows."""
        choices = list(super().choices(changelist))
        return [{**choices[0], "display": "Requests"}, *choices[1:]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Transaction]) -> QuerySet[Transaction]:
        """The level."""
        return queryset if self.value() == "all" else queryset.filter(parent__isnull=self.value() != "graphs")


@admin.register(Transaction)
class TransactionAdmin(ReadOnly):
    """What was asked for, by whom, and what became of it."""

    cluster_path = "cluster_id"
    list_display = ["id", "about", "cluster_name", "state", "runs_done", "asked", "duration", "by"]
    list_display_links = ["id", "about"]
    list_filter = [LevelFilter, "status", "name", "dry_run", "noop", Hidden, "created_at"]
    search_fields = ["=id", "cluster_name", "actor", "reason", "message"]
    search_help_text = "A number, or part of a cluster's name, an actor, a reason or a message."
    inlines = [Children]
    readonly_fields = [
        "about", "of_cluster", "state", "done", "order", "what_failed", "runs", "log", "asked_at", "began", "ended", "duration", "request",
        "aim",
    ]  # fmt: skip
    fieldsets = [
        (None, {"fields": ["about", "of_cluster", "state", "done", "order", "message", "runs", "what_failed"]}),
        ("Who and why", {"fields": ["actor", "reason", "asked_at", "began", "ended", "duration", "log"]}),
        (
            "What exactly was asked for",
            {"fields": ["arguments", "dry_run", "noop", "rehearsal", "request", "aim"], "classes": ["collapse"]},
        ),
        (
            "Inside",
            {
                "fields": [
                    "uuid", "stop_requested_at", "recorded_at", "owner", "owner_epoch", "owner_until", "event_seq", "result", "deleted_at",
                ],
                "classes": ["collapse"],
            },
        ),
    ]  # fmt: skip

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Clusters link here."""
        return lookup == "cluster_id__exact" or super().lookup_allowed(lookup, value, request)

    def list_title(self, request: HttpRequest) -> str:
        """Of one cluster, if it is narrowed down to one."""
        given = request.GET.get("cluster_id__exact", "")
        if not given.isdecimal() or len(given) > 18 or not rights.may(request.user, rights.VIEW, Cluster(id=int(given))):
            return super().list_title(request)
        row = Transaction.objects.filter(cluster_id=int(given)).first()
        return f"Transactions of cluster {row.cluster_name}" if row else "Nothing was asked of this cluster yet"

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """What is under way can be stopped from here."""
        row = self.get_object(request, object_id)
        running = row is not None and row.name == "deploy" and row.status in UNFINISHED and not row.stop_requested_at
        may = running and row is not None and rights.may(request.user, rights.OPERATE, Cluster(id=row.cluster_id))
        more = {
            "cluster_actions": [ACTIONS["stop"]] if may else [], "acted_on": row.cluster_id if row else None,
            "under_way": row is not None and row.status in UNFINISHED,
        }  # fmt: skip
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def get_inlines(self, request: HttpRequest, obj: Transaction | None) -> list[type[Rows]]:
        """Only a deployment has graphs."""
        return [Children] if obj is not None and obj.parent_id is None and obj.children.exists() else []

    @admin.display(description="state", ordering="status")
    def state(self, row: Transaction) -> SafeString:
        """Its state; a stop that is under way is told."""
        return badge("stopping" if row.status == "running" and row.stop_requested_at else row.status)

    @admin.display(description="progress")
    def done(self, row: Transaction) -> SafeString:
        """How far it is."""
        return bar(row.progress, row.status)

    @admin.display(description="order")
    def order(self, row: Transaction) -> str:
        """Task by task, or role by role and why."""
        return row.arguments.get("order", "–")

    @admin.display(description="asked", ordering="created_at")
    def asked(self, row: Transaction) -> SafeString | str:
        """When it was asked for."""
        return ago(row.created_at)

    @admin.display(description="asked at")
    def asked_at(self, row: Transaction) -> str:
        """To the second."""
        return exact(row.created_at)

    @admin.display(description="began")
    def began(self, row: Transaction) -> str:
        """To the second."""
        return exact(row.time_start)

    @admin.display(description="ended")
    def ended(self, row: Transaction) -> str:
        """To the second."""
        return exact(row.time_end)

    @admin.display(description="by", ordering="actor")
    def by(self, row: Transaction) -> str:
        """Who asked, and the beginning of what they said."""
        told = ": ".join(filter(None, (row.actor, row.reason)))
        return told if len(told) < 60 else f"{told[:59]}…"

    @admin.display(description="cluster")
    def of_cluster(self, row: Transaction) -> SafeString | str:
        """The way to it, if it is still there."""
        return cluster_link(row.cluster_id, row.cluster_name)

    @admin.display(description="task runs")
    def runs(self, row: Transaction) -> SafeString | str:
        """By state, and the way to them."""
        return runs_by_state(row) if row.name in _WITH_RUNS else "–"

    @admin.display(description="what failed")
    def what_failed(self, row: Transaction) -> SafeString | str:
        """Root causes, with the last lines they printed, and what they kept from running."""
        return failures(row) if row.name in _WITH_RUNS else "–"

    @admin.display(description="part of")
    def request(self, row: Transaction) -> SafeString | str:
        """The request of which it is a graph's run."""
        return transaction_link(row.parent) if row.parent else "–"

    @admin.display(description="about transaction")
    def aim(self, row: Transaction) -> SafeString | str:
        """What a stop or a decision is about."""
        return transaction_link(row.target) if row.target else "–"

    @admin.display(description="took")
    def duration(self, row: Transaction) -> str:
        """From its begin to its end."""
        return took(row.time_start, row.time_end)

    @admin.display(description="name", ordering="name")
    def about(self, row: Transaction) -> str:
        """What it is."""
        marks = [word for word, given in (("dry run", row.dry_run), ("noop", row.noop), ("rehearsal", row.rehearsal)) if given]
        return " ".join(filter(None, (row.name, row.graph_type, f"({', '.join(marks)})" if marks else "", row.deleted_at and "– deleted")))

    @admin.display(description="task runs", ordering="progress")
    def runs_done(self, row: Transaction) -> SafeString | str:
        """How far it is, and the way to its history."""
        if row.name not in _WITH_RUNS:
            return "–"
        of = "transaction__id__exact" if row.parent_id else "transaction__parent__id__exact"
        return link("history_taskrun_changelist", bar(row.progress, row.status), **{of: row.pk})

    @admin.display(description="log")
    def log(self, row: Transaction) -> SafeString:
        """The way to its events."""
        return link("history_event_changelist", "every change of state", transaction__id__exact=row.parent_id or row.pk)
