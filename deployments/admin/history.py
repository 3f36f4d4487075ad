"""History, to be read only. It is shown here, not by the app that keeps it: that one knows neither pages nor who may see what."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.access import ByRole
from deployments.admin.looks import ago, badge, bar, took
from history import queries
from history.models import Attempt, Event, TaskRun, Transaction

_MOST_COUNTED = 5_000


class CappedPaginator(Paginator):
    """Counts no further than anybody would turn pages: counting millions of rows takes longer than showing a hundred."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, up to the cap."""
        return self.object_list[:_MOST_COUNTED].count()


class ReadOnly(ByRole):
    """Nobody changes what has been."""

    show_full_result_count = False
    paginator = CappedPaginator
    list_per_page = 50

    class Media:
        """States in their colours."""

        css: ClassVar = {"all": ["deployments/admin.css"]}


class Rows(admin.TabularInline):
    """Rows on another row's page, to be read only."""

    extra = 0
    can_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who sees the page sees its rows."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


class Children(Rows):
    """The runs of a request's graphs."""

    model = Transaction
    fk_name = "parent"
    fields = ["graph_type", "state", "done", "duration", "runs", "message"]
    readonly_fields = ["state", "done", "duration", "runs"]
    show_change_link = True
    verbose_name_plural = "graphs"

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
    def runs(self, row: Transaction) -> SafeString:
        """The way to its history."""
        return format_html('<a href="{}?transaction__id__exact={}">task runs</a>', reverse("admin:history_taskrun_changelist"), row.pk)


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
    list_display = ["id", "about", "cluster_name", "state", "done", "actor", "asked", "duration", "what"]
    list_display_links = ["id", "about"]
    list_filter = [LevelFilter, "status", "name", "dry_run", "noop", ("deleted_at", admin.EmptyFieldListFilter), "created_at"]
    search_fields = ["=id", "cluster_name", "actor", "reason", "message"]
    search_help_text = "A number, or part of a cluster's name, an actor, a reason or a message."
    inlines = [Children]
    readonly_fields = ["state", "done", "duration", "what", "log"]
    fieldsets = [
        (None, {"fields": ["name", "graph_type", "cluster_name", "state", "done", "message", "what", "log"]}),
        ("Who and why", {"fields": ["actor", "reason", "arguments", "created_at"]}),
        ("How it went", {"fields": ["time_start", "time_end", "duration", "dry_run", "noop", "rehearsal", "stop_requested_at", "result"]}),
        ("Inside", {"fields": ["uuid", "parent", "target", "recorded_at", "owner", "owner_epoch", "owner_until", "event_seq", "deleted_at"],
                    "classes": ["collapse"]}),
    ]  # fmt: skip

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Clusters link here."""
        return lookup == "cluster_id__exact" or super().lookup_allowed(lookup, value, request)

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

    @admin.display(description="asked", ordering="created_at")
    def asked(self, row: Transaction) -> SafeString | str:
        """When it was asked for."""
        return ago(row.created_at)

    @admin.display(description="took")
    def duration(self, row: Transaction) -> str:
        """From its begin to its end."""
        return took(row.time_start, row.time_end)

    @admin.display(description="name", ordering="name")
    def about(self, row: Transaction) -> str:
        """What it is."""
        marks = [word for word, given in (("dry run", row.dry_run), ("noop", row.noop), ("rehearsal", row.rehearsal)) if given]
        return " ".join(filter(None, (row.name, row.graph_type, f"({', '.join(marks)})" if marks else "", row.deleted_at and "– deleted")))

    @admin.display(description="task runs")
    def what(self, row: Transaction) -> SafeString | str:
        """The way to its history."""
        if row.name not in ("deploy", "deployment"):
            return "–"
        path = "transaction__id__exact" if row.parent_id else "transaction__parent__id__exact"
        return format_html('<a href="{}?{}={}">task runs</a>', reverse("admin:history_taskrun_changelist"), path, row.pk)

    @admin.display(description="events")
    def log(self, row: Transaction) -> SafeString:
        """The way to its log."""
        address = reverse("admin:history_event_changelist")
        return format_html('<a href="{}?transaction__id__exact={}">the log</a>', address, row.parent_id or row.pk)


class Attempts(Rows):
    """The tries at a task run."""

    model = Attempt
    fields = ["attempt", "number", "status", "dispatched_at", "time_start", "time_end", "duration", "reason"]
    readonly_fields = fields


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnly):
    """Every task on every node: of a transaction, of a node, or the newest of all."""

    cluster_path = "transaction__cluster_id"
    list_display = ["task_name", "node", "type", "state", "begun", "duration", "attempts", "why", "in_transaction"]
    list_filter = ["status", "type"]
    list_select_related = ["transaction"]
    search_fields = ["node"]
    search_help_text = "A node's uid; among the task runs of one transaction also part of a task's name."
    inlines = [Attempts]
    readonly_fields = ["state", "duration", "said"]
    fieldsets = [
        (None, {"fields": ["task_name", "node", "type", "state", "reason", "transaction"]}),
        ("When", {"fields": ["dispatched_at", "time_start", "time_end", "duration", "attempts"]}),
        ("What it said", {"fields": ["said"]}),
        ("Inside", {"fields": ["position", "blocked_by", "inputs"], "classes": ["collapse"]}),
    ]
    _OF_ONE = ("transaction__id__exact", "transaction__parent__id__exact")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Transactions and nodes link here."""
        return lookup in (*self._OF_ONE, "node__exact") or super().lookup_allowed(lookup, value, request)

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """Within a transaction by its plan, else the newest first."""
        if any(name in request.GET for name in self._OF_ONE):
            return ["transaction_id", "position"]
        return list(queries.BIOGRAPHY_ORDER) if "node__exact" in request.GET else ["-id"]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[TaskRun], search_term: str) -> tuple[QuerySet[TaskRun], bool]:
        """Without a transaction only what an index finds: there may be millions of rows."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if any(name in request.GET for name in self._OF_ONE):
            return queryset.filter(Q(node=term) | Q(task_name__icontains=term)), False
        return queryset.filter(node=term, time_start__isnull=False), False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskRun]:
        """On a node: what was really started there."""
        rows = super().get_queryset(request)
        return rows.filter(time_start__isnull=False) if "node__exact" in request.GET else rows

    def cluster_id_of(self, item: TaskRun) -> int | None:
        """That of its transaction."""
        return item.transaction.cluster_id

    @admin.display(description="state", ordering="status")
    def state(self, row: TaskRun) -> SafeString:
        """Its state."""
        return badge(row.status)

    @admin.display(description="begun")
    def begun(self, row: TaskRun) -> SafeString | str:
        """When it was started last."""
        return ago(row.time_start)

    @admin.display(description="took")
    def duration(self, row: TaskRun) -> str:
        """From its begin to its end."""
        return took(row.time_start, row.time_end)

    @admin.display(description="why")
    def why(self, row: TaskRun) -> str:
        """The beginning of the reason."""
        return row.reason if len(row.reason) < 80 else f"{row.reason[:79]}…"

    @admin.display(description="transaction")
    def in_transaction(self, row: TaskRun) -> SafeString:
        """The way to its transaction."""
        address = reverse("admin:history_transaction_change", args=[row.transaction_id])
        return format_html('<a href="{}">{} of {}</a>', address, row.transaction_id, row.transaction.cluster_name)

    @admin.display(description="output and summary")
    def said(self, row: TaskRun) -> SafeString:
        """The summary; its output as it was printed."""
        rest = {name: value for name, value in row.summary.items() if name != "output"}
        text = "\n".join(filter(None, (str(row.summary.get("output", "")).rstrip(), json.dumps(rest, indent=1) if rest else "")))
        return format_html('<pre class="said">{}</pre>', text or "–")


@admin.register(Event)
class EventAdmin(ReadOnly):
    """The log, a request's events in order."""

    cluster_path = "transaction__cluster_id"
    list_display = ["transaction_id", "seq", "at", "actor", "subject", "node", "move", "attempt", "reason"]
    list_display_links = None
    list_filter = ["subject"]
    list_select_related = ["transaction"]
    search_fields = ["node", "reason", "new"]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Transactions link here."""
        return lookup == "transaction__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_ordering(self, request: HttpRequest) -> list[str]:
        """Of one request in order, else the newest first."""
        return ["transaction_id", "seq"] if "transaction__id__exact" in request.GET else ["-id"]

    def cluster_id_of(self, item: Event) -> int | None:
        """That of its transaction."""
        return item.transaction.cluster_id

    @admin.display(description="change")
    def move(self, event: Event) -> SafeString:
        """From where to where."""
        return format_html("{} → {}", badge(event.old), badge(event.new)) if event.old else badge(event.new)
