"""Deployment history: every task on every node of a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from deployments.api import describe, parameters
from deployments.api.errors import BadRequest
from deployments.api.formats import wants
from deployments.api.shapes.transactions import HistoryItemSerializer, SpecifiedHistoryItemSerializer
from deployments.api.streams import streamed
from deployments.api.views.transactions import TransactionView
from deployments.services.deployment_history import COLUMNS, SPECIFIED, STATUSES, HistoryFilter, items, specified_items, table
from deployments.services.nodes import uid_of

CSV = "text/csv"
_FILTERS = (
    describe.query("nodes", "Only these nodes (ids, `master`, `null` for sync points), joined by commas."),
    describe.query("statuses", f"Only task runs in these states, joined by commas: {', '.join(STATUSES)}."),
    describe.query("tasks_names", "Only these tasks, joined by commas."),
)


class DeploymentHistoryView(TransactionView):
    """Deployment history. A request's is that of all its graphs."""

    needs = {"GET": "view"}
    also = (CSV,)

    @describe.shows(
        HistoryItemSerializer(many=True),
        *_FILTERS,
        describe.flag("include_summary", "Also tell what each task said of its work."),
        describe.flag("include_attempts", "Also tell every single attempt."),
        about="An item for each task on each node, all of them, sent while they are read; with `Accept: text/csv` as a table.",
    )
    def get(self, request: Request, transaction_id: str) -> HttpResponseBase:
        """The history."""
        return self._answer(items(self.row(), self._wanted()), COLUMNS)

    def _wanted(self) -> HistoryFilter:
        request = self.request
        return HistoryFilter(
            nodes=[uid_of(node) for node in parameters.words(request, "nodes")],
            statuses=parameters.known_words(request, "statuses", STATUSES, "Statuses parameter could be only"),
            tasks=parameters.words(request, "tasks_names"),
            summary=parameters.flag(request, "include_summary"),
            attempts=parameters.flag(request, "include_attempts"),
        )

    def _answer(self, found: Iterator[dict[str, Any]], columns: Sequence[str]) -> HttpResponseBase:
        if wants(self.request, CSV):
            return StreamingHttpResponse(table(found, columns), content_type=f"{CSV}; charset=utf-8")
        return streamed(self.request, found)


class SpecifiedHistoryView(DeploymentHistoryView):
    """Deployment history as its specification writes it; that of released Fuel, with more to tell, is under `/api/v1/`."""

    @describe.shows(
        SpecifiedHistoryItemSerializer(many=True),
        *_FILTERS,
        about="An item for each task on each node, with the keys of the specification of Fuel 9.0 and no others.",
    )
    def get(self, request: Request, transaction_id: str) -> HttpResponseBase:
        """The history."""
        wanted = self._wanted()
        if wanted.summary or wanted.attempts:
            raise BadRequest(f"Summaries and attempts are told at /api/v1/transactions/{transaction_id}/deployment_history/ only.")
        return self._answer(specified_items(self.row(), wanted), SPECIFIED)
