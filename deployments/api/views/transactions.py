"""Transactions, and tasks: the same under their old name."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from deployments.api import describe, parameters
from deployments.api.base import ApiView
from deployments.api.paging import listed
from deployments.api.rights import cluster_with, sees_everything, visible_clusters
from deployments.api.shapes.transactions import TaskSerializer, TransactionSerializer
from deployments.models import Cluster
from deployments.services import transactions
from deployments.services.clock import SystemClock
from deployments.services.deployment_history import find_transaction
from history import queries
from history.models import Transaction

_SORTABLE = ("id", "name", "status", "cluster_id", "graph_type", "time_start", "time_end", "created_at", "progress")
_FILTERS = (
    describe.query("cluster_id", "Only those of this cluster."),
    describe.query("statuses", "Only those in these states, joined by commas."),
    describe.query("transaction_types", "Only those of these names, joined by commas."),
)
_DEPRECATED_SINCE = 1_467_331_200
"""July 2016 in seconds since 1970: Fuel 9.0, whose specification of the history deprecates `tasks`."""
_DELETE = describe.flag("force", "Even if it is not over yet.")


class TransactionView(ApiView):
    """About the transaction that the address names."""

    def cluster_of(self) -> Cluster | None:
        """The transaction's cluster, be it gone or not."""
        return cluster_with(self.row().cluster_id)

    def row(self) -> Transaction:
        """The transaction of the address.

        Raises:
            NotFound: there is none.
        """
        return find_transaction(int(self.kwargs["transaction_id"]))


class TransactionsView(ApiView):
    """Transactions."""

    needs = {"GET": "view"}

    @describe.lists(TransactionSerializer, *_FILTERS)
    def get(self, request: Request) -> Response:
        """All transactions, also those that were deleted; newest first."""
        return listed(request, _wanted(request, deleted=True), TransactionSerializer, _SORTABLE)


class OneTransactionView(TransactionView):
    """A transaction."""

    needs = {"GET": "view", "DELETE": "operate"}

    @describe.shows(TransactionSerializer)
    def get(self, request: Request, transaction_id: str) -> Response:
        """The transaction."""
        return Response(TransactionSerializer(self.row()).data)

    @describe.deletes(_DELETE)
    def delete(self, request: Request, transaction_id: str) -> Response:
        """Mark it as deleted; its history stays readable by its id."""
        transactions.delete(self.row(), force=parameters.flag(request, "force"), clock=SystemClock())
        return Response(status=204)


class Deprecated(ApiView):
    """An address that the specification of the history calls deprecated: its answers say so, and where the same is told now."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """The headers `Deprecation` (RFC 9745) and `Link`."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Deprecation"] = f"@{_DEPRECATED_SINCE}"
        successor = request.path.replace("/tasks", "/transactions", 1)
        response["Link"] = f'<{successor}>; rel="successor-version"'
        return response


@extend_schema(deprecated=True)
class TasksView(Deprecated):
    """Tasks: transactions that nobody has deleted."""

    needs = {"GET": "view"}

    @describe.lists(TaskSerializer, *_FILTERS)
    def get(self, request: Request) -> Response:
        """All tasks, newest first."""
        return listed(request, _wanted(request, deleted=False), TaskSerializer, _SORTABLE)


@extend_schema(deprecated=True)
class OneTaskView(Deprecated, TransactionView):
    """A task."""

    needs = {"GET": "view", "DELETE": "operate"}

    @describe.shows(TaskSerializer)
    def get(self, request: Request, transaction_id: str) -> Response:
        """The task."""
        return Response(TaskSerializer(transactions.not_deleted(self.row())).data)

    @describe.deletes(_DELETE)
    def delete(self, request: Request, transaction_id: str) -> Response:
        """Mark it as deleted."""
        row = transactions.not_deleted(self.row())
        transactions.delete(row, force=parameters.flag(request, "force"), clock=SystemClock())
        return Response(status=204)


class StoredDataView(TransactionView):
    """What the transaction was planned from; `kind` is set by the address."""

    needs = {"GET": "view"}
    kind = ""
    missing: Any = None

    @describe.shows(describe.ANYTHING)
    def get(self, request: Request, transaction_id: str) -> Response:
        """The stored data; of a request, that of its newest planned graph."""
        data = transactions.stored(self.row(), self.kind)
        return Response(self.missing if data is None else data)


class DeploymentInfoView(StoredDataView):
    """Facts of the nodes at that time."""

    kind = "deployment_info"
    missing: Any = {}


class SettingsView(StoredDataView):
    """Settings at that time."""

    kind = "settings"


class NetworkConfigurationView(StoredDataView):
    """Networks at that time."""

    kind = "network_configuration"


def _wanted(request: Request, *, deleted: bool) -> QuerySet[Transaction]:
    """What the user may see of what the parameters ask for."""
    statuses = parameters.known_words(request, "statuses", transactions.STATUSES, "Statuses parameter could only be one of")
    names = parameters.known_words(request, "transaction_types", transactions.NAMES, "Transaction types parameter could only be one of")
    visible = None if sees_everything(request.user) else visible_clusters(request.user).values("id")
    rows = queries.transactions(clusters=visible, statuses=statuses, names=names, deleted=deleted)
    cluster = parameters.number(request, "cluster_id")
    return rows if cluster is None else rows.filter(cluster_id=cluster)
