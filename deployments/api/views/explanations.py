"""What Fuel can't tell: why something waits, what failed, what a stop waits for, every event, and the proof of it all."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.errors import BadRequest
from deployments.api.rights import sees_everything, visible_clusters
from deployments.api.shapes.explanations import EventSerializer, RunOfNodeSerializer
from deployments.api.views.nodes import NodeView
from deployments.api.views.transactions import TransactionView
from deployments.services import explanation, verification
from deployments.services.clock import SystemClock
from deployments.services.deployment_history import iso
from deployments.services.drain import StillRunning, drain_view
from history import pages, queries
from history.models import Event, TaskRun

_MOST = 1000
_LIMIT = describe.query("limit", f"How many at most ({_MOST}).")


class WhyView(TransactionView):
    """Why a task run waits."""

    needs = {"GET": "view"}

    @describe.shows(describe.ANY_MAPPING, describe.query("node", "Id of the node."), describe.query("task", "Id of the task."))
    def get(self, request: Request, transaction_id: str) -> Response:
        """One sentence: why it does not run now, or what came of it."""
        node, task = (request.query_params.get(name, "") for name in ("node", "task"))
        if not node or not task:
            raise BadRequest("Name the task run: ?node=1&task=netconfig")
        return Response({"node": node, "task": task, "why": explanation.why(self.row().id, f"{task}/{node}")})


class DrainView(TransactionView):
    """What a stop still waits for."""

    needs = {"GET": "view"}

    @describe.shows(describe.ANY_MAPPING)
    def get(self, request: Request, transaction_id: str) -> Response:
        """What runs now and how long it usually takes; nothing runs when the deployment is over."""
        row = self.row()
        request_id = row.target_id or row.parent_id or row.id
        found = drain_view(row.cluster_id, SystemClock().now()) if row.cluster_id else None
        if found is None or found.transaction.id != request_id:
            return Response({"transaction": request_id, "stopping": False, "running": [], "waiting": 0, "done": None, "over": True})
        running = [_still(run) for run in found.running]
        return Response({
            "transaction": request_id, "stopping": found.stopping, "running": running, "waiting": found.waiting, "done": found.done,
            "over": False,
        })  # fmt: skip


def _still(run: StillRunning) -> dict[str, Any]:
    tried = {**asdict(run.tried), "at": iso(run.tried.at), "again_at": iso(run.tried.again_at)} if run.tried else None
    return {**asdict(run), "since": iso(run.since), "tried": tried, "ends_by": iso(run.ends_by)}


class FailuresView(TransactionView):
    """What failed."""

    needs = {"GET": "view"}

    @describe.shows(describe.TASKS)
    def get(self, request: Request, transaction_id: str) -> Response:
        """Root failures, and what each of them blocked."""
        return Response([failures.as_dict() for failures in explanation.failures_of(self.row().id)])


class VerifyView(TransactionView):
    """The proof."""

    needs = {"GET": "view"}

    @describe.shows(describe.ANY_MAPPING)
    def get(self, request: Request, transaction_id: str) -> Response:
        """Whether the record shows that all rules were kept; `findings` is empty if it does."""
        return Response(verification.verify_transaction(self.row().id).as_dict())


class EventsView(TransactionView):
    """The log."""

    needs = {"GET": "view"}

    @describe.shows(EventSerializer(many=True), describe.query("after", "Only events behind this number."), _LIMIT)
    def get(self, request: Request, transaction_id: str) -> Response:
        """Every change of state, with who and why, in order."""
        row = self.row()
        after, limit = parameters.number(request, "after") or 0, _limit(request)
        events = Event.objects.filter(transaction=row.parent_id or row.id, seq__gt=min(after, 2**31 - 1)).order_by("seq")[:limit]
        return Response(EventSerializer(events, many=True).data)


class NodeHistoryView(NodeView):
    """The biography of a node."""

    needs = {"GET": "view"}

    @describe.shows(RunOfNodeSerializer(many=True), _LIMIT, describe.query("cursor", "Go on from here: the header X-Next-Cursor."))
    def get(self, request: Request, node_id: str) -> Response:
        """What was ever started there, newest first: when, by which transaction and whom, which task, how it ended."""
        try:
            found = pages.page(self._rows(), queries.BIOGRAPHY_ORDER, _limit(request), request.query_params.get("cursor", ""))
        except pages.BadCursor as error:
            raise BadRequest(str(error)) from error
        response = Response(RunOfNodeSerializer(found.rows, many=True).data)
        if found.next:
            response["X-Next-Cursor"] = found.next
        return response

    def _rows(self) -> QuerySet[TaskRun]:
        """Without what was done while the node was another cluster's that the user may not see."""
        rows = queries.biography(self.node().uid)
        if sees_everything(self.request.user):
            return rows
        return rows.filter(transaction__cluster_id__in=visible_clusters(self.request.user).values("id"))


def _limit(request: Request) -> int:
    given = parameters.number(request, "limit")
    return _MOST if given is None else max(1, min(given, _MOST))
