"""The log."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.looks import badge, exact
from deployments.admin.reading import ReadOnly
from deployments.admin.summaries import biography_link, link
from history.models import Event, TaskRun


@admin.register(Event)
class EventAdmin(ReadOnly):
    """The log, a request's events in order."""

    cluster_path = "transaction__cluster_id"
    list_display = ["number", "moment", "what", "move", "reason", "by"]
    list_display_links = None
    list_filter = ["subject"]
    list_select_related = ["transaction"]
    search_fields = ["node", "reason", "new"]
    search_help_text = "Part of a node's uid, of a reason, or the state that something went to."

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Transactions link here."""
        return lookup == "transaction__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """With the tasks' names."""
        return super().get_queryset(request).annotate(_task=Subquery(TaskRun.objects.filter(pk=OuterRef("run")).values("task_name")[:1]))

    def list_title(self, request: HttpRequest) -> str:
        """Of one transaction, if it is narrowed down to one."""
        given = request.GET.get("transaction__id__exact", "")
        return f"The log of transaction {given}" if given.isdecimal() else super().list_title(request)

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

    @admin.display(description="event", ordering="seq")
    def number(self, event: Event) -> SafeString:
        """Its transaction and its number there."""
        return format_html("{} / {}", link("history_transaction_change", event.transaction_id, event.transaction_id), event.seq)

    @admin.display(description="at", ordering="at")
    def moment(self, event: Event) -> SafeString:
        """To the millisecond, as it was recorded; the day behind it."""
        return format_html('<span title="{}">{}</span>', exact(event.at), timezone.localtime(event.at).strftime("%H:%M:%S.%f")[:-3])

    @admin.display(description="of", ordering="subject")
    def what(self, event: Event) -> SafeString:
        """What moved, and the way to it: a transaction, a task run or an attempt at one, or a node."""
        if event.run is not None:
            run = link("history_taskrun_change", f"{event._task or event.run}/{event.node}", event.run)
            return format_html("attempt {} at {}", event.attempt, run) if event.attempt else format_html("task run {}", run)
        if event.about is not None:
            return format_html("transaction {}", link("history_transaction_change", event.about, event.about))
        return format_html("{} {}", event.subject, biography_link(event.node) if event.node else "")

    @admin.display(description="by", ordering="actor")
    def by(self, event: Event) -> SafeString:
        """Who recorded it: a person, or which of the system's processes."""
        return format_html('<span title="{}">{}</span>', event.actor, event.actor.partition("@")[0])
