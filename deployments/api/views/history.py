"""Deployment history: every task on every node of a transaction."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from deployments.api import describe, parameters
from deployments.api.formats import wants
from deployments.api.shapes.transactions import HistoryItemSerializer
from deployments.api.streams import streamed
from deployments.api.views.transactions import TransactionView
from deployments.services.deployment_history import STATUSES, HistoryFilter, items, table
from deployments.services.nodes import uid_of

CSV = "text/csv"


class DeploymentHistoryView(TransactionView):
    """Deployment history. A request's is that of all its graphs."""

    needs = {"GET": "view"}
    also = (CSV,)

    @describe.shows(
        HistoryItemSerializer(many=True),
        describe.query("nodes", "Only these nodes (ids, `master`, `null` for sync points), joined by commas."),
        describe.query("statuses", f"Only task runs in these states, joined by commas: {', '.join(STATUSES)}."),
        describe.query("tasks_names", "Only these tasks, joined by commas."),
        describe.flag("include_summary", "Also tell what each task said of its work."),
        describe.flag("include_attempts", "Also tell every single attempt."),
        about="An item for each task on each node, all of them, sent while they are read; with `Accept: text/csv` as a table.",
    )
    def get(self, request: Request, transaction_id: str) -> HttpResponseBase:
        """The history."""
        wanted = HistoryFilter(
            nodes=[uid_of(node) for node in parameters.words(request, "nodes")],
            statuses=parameters.known_words(request, "statuses", STATUSES, "Statuses parameter could be only"),
            tasks=parameters.words(request, "tasks_names"),
            summary=parameters.flag(request, "include_summary"),
            attempts=parameters.flag(request, "include_attempts"),
        )
        found = items(self.row(), wanted)
        if wants(request, CSV):
            return StreamingHttpResponse(table(found), content_type=f"{CSV}; charset=utf-8")
        return streamed(request, found)
