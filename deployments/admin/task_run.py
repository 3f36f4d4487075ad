"""Task runs: of a transaction, of a node, or the newest of all."""

from __future__ import annotations

import json

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.looks import ago, badge, exact, took
from deployments.admin.reading import ReadOnly, Rows
from deployments.admin.summaries import biography_link, transaction_link
from deployments.models import Cluster
from deployments.services import rights
from history import queries
from history.models import Attempt, TaskRun, Transaction
from history.states import BARRIER


class Attempts(Rows):
    """The tries at a task run."""

    model = Attempt
    fields = readonly_fields = ["attempt", "number", "state", "sent", "began", "ended", "seconds", "reason"]

    @admin.display(description="state")
    def state(self, row: Attempt) -> SafeString:
        """Its state."""
        return badge(row.status)

    @admin.display(description="dispatched")
    def sent(self, row: Attempt) -> str:
        """To the second."""
        return exact(row.dispatched_at)

    @admin.display(description="began")
    def began(self, row: Attempt) -> str:
        """To the second."""
        return exact(row.time_start)

    @admin.display(description="ended")
    def ended(self, row: Attempt) -> str:
        """To the second."""
        return exact(row.time_end)

    @admin.display(description="took")
    def seconds(self, row: Attempt) -> str:
        """By the agent's own clock."""
        return "–" if row.duration is None else f"{row.duration:.2f} s"


@admin.register(TaskRun)
class TaskRunAdmin(ReadOnly):
    """Every task on every node: of a transaction, of a node, or the newest of all."""

    cluster_path = "transaction__cluster_id"
    list_display = ["task_name", "on_node", "type", "state", "begun", "duration", "attempts", "said_shortly", "in_transaction"]
    list_filter = ["status", "type"]
    list_select_related = ["transaction"]
    search_fields = ["node"]
    search_help_text = "A node's uid; among the task runs of one transaction also part of a task's name."
    inlines = [Attempts]
    readonly_fields = ["on_node", "state", "in_transaction", "asker", "sent", "began", "ended", "duration", "said"]
    fieldsets = [
        (None, {"fields": ["task_name", "on_node", "type", "state", "reason", "in_transaction", "asker"]}),
        ("What it said", {"fields": ["said"]}),
        ("When", {"fields": ["sent", "began", "ended", "duration", "attempts"]}),
        ("Inside", {"fields": ["position", "blocked_by", "inputs"], "classes": ["collapse"]}),
    ]
    _OF_ONE = ("transaction__id__exact", "transaction__parent__id__exact")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Transactions and nodes link here."""
        return lookup in (*self._OF_ONE, "node__exact") or super().lookup_allowed(lookup, value, request)

    def list_title(self, request: HttpRequest) -> str:
        """Of one node or one transaction, if it is narrowed down to one."""
        if node := request.GET.get("node__exact"):
            return f"Everything that was started on node {node}"
        for name in self._OF_ONE:
            given = request.GET.get(name, "")
            row = Transaction.objects.filter(id=int(given)).first() if given.isdecimal() and len(given) < 19 else None
            if row is not None and rights.may(request.user, rights.VIEW, Cluster(id=row.cluster_id)):
                return f"Task runs of transaction {row.id}: {row.name} of {row.cluster_name}"
        return super().list_title(request)

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """On one node who asked and why, in place of what is the same in every line; of a transaction those are the same."""
        if "node__exact" in request.GET:
            return [*(name for name in self.list_display if name not in ("on_node", "type")), "asker"]
        return list(self.list_display)

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
        """On a node: what was really started there. Nowhere what the engine makes itself."""
        rows = super().get_queryset(request).exclude(type=BARRIER)
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

    @admin.display(description="node", ordering="node")
    def on_node(self, row: TaskRun) -> SafeString | str:
        """The way to all that was done on it."""
        return biography_link(row.node)

    @admin.display(description="said")
    def said_shortly(self, row: TaskRun) -> str:
        """The beginning of the reason."""
        return row.reason if len(row.reason) < 80 else f"{row.reason[:79]}…"

    @admin.display(description="transaction")
    def in_transaction(self, row: TaskRun) -> SafeString:
        """The way to its transaction."""
        return format_html("{} of {}", transaction_link(row.transaction), row.transaction.cluster_name)

    @admin.display(description="asked for by")
    def asker(self, row: TaskRun) -> str:
        """Who, and why."""
        return ": ".join(filter(None, (row.transaction.actor, row.transaction.reason)))

    @admin.display(description="dispatched")
    def sent(self, row: TaskRun) -> str:
        """When its newest attempt was queued."""
        return exact(row.dispatched_at)

    @admin.display(description="began")
    def began(self, row: TaskRun) -> str:
        """To the second."""
        return exact(row.time_start)

    @admin.display(description="ended")
    def ended(self, row: TaskRun) -> str:
        """To the second."""
        return exact(row.time_end)

    @admin.display(description="output and summary")
    def said(self, row: TaskRun) -> SafeString:
        """The summary; its output as it was printed."""
        rest = {name: value for name, value in row.summary.items() if name != "output"}
        text = "\n".join(filter(None, (str(row.summary.get("output", "")).rstrip(), json.dumps(rest, indent=1) if rest else "")))
        return format_html('<pre class="said">{}</pre>', text or "–")
