"""A request is one commit: the parent row with who and why, and a pending child for each graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from history.models import Transaction
from history.models.transaction import UNFINISHED
from history.states import TRANSACTION, check


class NothingUnderWay(Exception):
    """The request is about a transaction that is over."""


class AlreadyOpen(Exception):
    """The same kind of request is still under way (the unique index said so)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person or script asked for."""

    name: str
    cluster_id: int | None
    cluster_name: str
    actor: str
    reason: str = ""
    child_name: str = "deployment"
    graph_types: Sequence[str] = ()
    dry_run: bool = False
    noop: bool = False
    rehearsal: Mapping[str, Any] | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    """What is to be known of it before it begins."""
    target_id: int | None = None
    graph_arguments: Sequence[Mapping[str, Any]] = ()
    """What is said of single graphs, in their order: stronger than `arguments`."""


def open_request(request: Request, now: datetime) -> Transaction:
    """Write the parent and its children; the parent. Where graphs are to be planned, the caller asks for it after the commit.

    Raises:
        AlreadyOpen: an unfinished deploy of the cluster, or an open stop of the same deploy, is there.
    """
    common = {
        "cluster_id": request.cluster_id, "cluster_name": request.cluster_name, "actor": request.actor, "reason": request.reason,
        "dry_run": request.dry_run, "noop": request.noop, "rehearsal": request.rehearsal, "created_at": now,
    }  # fmt: skip
    try:
        with transaction.atomic():
            parent = Transaction.objects.create(
                name=request.name, arguments=dict(request.arguments), target_id=request.target_id, message=request.message,
                plan_sent_at=now if request.graph_types else None, **common,
            )  # fmt: skip
            for position, graph_type in enumerate(request.graph_types):
                own = dict(request.graph_arguments[position]) if request.graph_arguments else {}
                Transaction.objects.create(
                    parent=parent, position=position, name=request.child_name, graph_type=graph_type, arguments=own, **common
                )
    except IntegrityError as error:
        if not _is_open(request):
            raise
        raise AlreadyOpen(f"A {request.name} of cluster {request.cluster_name} is under way.") from error
    return parent


def _is_open(request: Request) -> bool:
    """Whether such a request is under way: the only reason to refuse another that is nobody's mistake."""
    same = {"target_id": request.target_id} if request.target_id else {"cluster_id": request.cluster_id, "parent": None}
    return Transaction.objects.filter(name=request.name, status__in=UNFINISHED, **same).exists()


def open_stop(request: Request, now: datetime) -> Transaction:
    """Write a request to stop `target_id`, and mark that transaction, in one commit; the request's row.

    Raises:
        AlreadyOpen: a stop of it is under way.
        NothingUnderWay: it is over meanwhile.
    """
    with transaction.atomic():
        marked = Transaction.objects.filter(id=request.target_id, status__in=UNFINISHED).update(stop_requested_at=now)
        if not marked:
            raise NothingUnderWay(f"Transaction {request.target_id} is over.")
        stop = open_request(request, now)
        Transaction.objects.filter(id=stop.id).update(status="running", time_start=now)
    stop.refresh_from_db()
    return stop


def note_done(request: Request, now: datetime, message: str) -> Transaction:
    """Write a request down that is done in the same database transaction; its row.

    Nothing is ever planned, owned or run for it: it begins, and with that it is over.
    """
    row = open_request(request, now)
    check(TRANSACTION, "pending", "running")
    check(TRANSACTION, "running", "ready")
    Transaction.objects.filter(id=row.id).update(status="ready", time_start=now, time_end=now, progress=100, message=message)
    row.refresh_from_db()
    return row


def mark_deleted(rows: QuerySet[Transaction], now: datetime) -> None:
    """People don't want to see these requests any more (nor their children); what they did stays readable."""
    ids = list(rows.values_list("id", flat=True))
    Transaction.objects.filter(Q(id__in=ids) | Q(parent__in=ids), deleted_at=None).update(deleted_at=now)


def close_requests(target_id: int, now: datetime, message: str) -> None:
    """What was asked of a transaction that is over now is done."""
    Transaction.objects.filter(target_id=target_id, status__in=UNFINISHED).update(
        status="ready", time_end=now, progress=100, message=message
    )
