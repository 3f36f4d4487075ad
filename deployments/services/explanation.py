"""Answers about a transaction, read from the record without touching it: what failed, and why a task run is waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from deployments.core.plan import node_order
from deployments.core.proof.failure_report import FailureReport, RunFacts, failure_report
from deployments.core.scheduling.explain import FirstSign
from deployments.core.wording import span
from deployments.models import Cluster
from deployments.services import stored
from deployments.services.child import ChildRun, load_child, wire_name
from deployments.services.clock import SystemClock, moment
from deployments.services.errors import NotFound
from deployments.services.fleet_places import heard_of, place_of
from deployments.services.standing import standing_of
from deployments.services.tools import Patience
from history import queries as history
from history.models import TaskRun, Transaction


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong in one graph's run."""

    transaction: Transaction
    report: FailureReport

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        row = self.transaction
        told = {"transaction": row.id, "graph": row.graph_type, "status": row.status, "message": row.message}
        return {**told, **self.report.as_dict()}


def failures_of(any_id: int) -> list[Failures]:
    """What failed in each run of a request, or in one child.

    Raises:
        NotFound: there is no such transaction.
        CantBeLoaded: its plan can't be read.
    """
    return [Failures(child, _report(child)) for child in history.children(_transaction(any_id))]


def why(any_id: int, name: str) -> str:
    """Why the task run `task/node` does not run now (or what came of it), in one sentence.

    Raises:
        NotFound: there is no such transaction, or no such task run in it.
        CantBeLoaded: its plan can't be read.
    """
    row = _transaction(any_id)
    task, _, node = name.rpartition("/")
    children = [child for child in history.children(row) if child.recorded_at]
    found = history.task_runs(row, nodes=[node], tasks=[task]).filter(transaction__in=children).order_by("transaction__position")
    run = found.filter(transaction__status="running").first() or found.last()
    if run is None:
        raise NotFound(_unknown(row, name))
    return _sentence(next(child for child in children if child.id == run.transaction_id), run)


def _sentence(child: Transaction, run: TaskRun) -> str:
    stopping = Transaction.objects.filter(id=child.parent_id, stop_requested_at__isnull=False).exists()
    loaded, now = load_child(child, stopping=stopping), SystemClock().now()
    scheduler = loaded.scheduler
    first_sign = _first_sign(child, loaded, now)
    scheduler.begun = child.status != "pending" and first_sign is None
    answer = scheduler.why(run.position, _when(now), first_sign)
    name = f"{run.task_name}/{run.node}"
    if answer.kind == "done" and run.reason:
        named = f"{name} ({run.type})" if run.status == "skipped" else name
        return f"{named} is over: {run.status} ({run.reason.rstrip('.')})."
    planned = scheduler.plan.runs[run.position]
    nothing = f"It does nothing: {planned.why}." if planned.why else ""
    if child.status in ("pending", "running"):
        sentence = _place(child, run) if answer.kind == "under way" and run.status == "pending" else ""
        return " ".join(filter(None, [sentence or answer.sentence, nothing, standing_of(child.parent_id)]))
    if answer.kind in ("done", "blocked"):
        return answer.sentence
    because = "it was a dry run" if child.dry_run else child.own_message.rstrip(".") or f"its transaction ended {child.status}"
    return " ".join(filter(None, [f"{name} was not started: {because}.", nothing]))


def _first_sign(child: Transaction, loaded: ChildRun, now: datetime) -> FirstSign | None:
    """Which agents are to be heard of before anything starts; None if nobody is missing, or it has begun."""
    if loaded.has_begun or loaded.dry_run or child.recorded_at is None or child.status not in ("pending", "running"):
        return None
    names = {wire_name(row.node, loaded.cluster_id): row.node for row in loaded.rows}
    wanted = loaded.wire_nodes
    try:
        heard = heard_of(wanted)
    except (RedisError, OSError):
        return None
    silent = sorted((names[name] for name in wanted if name not in heard), key=node_order)
    until = child.recorded_at + timedelta(seconds=Patience(**getattr(settings, "FUELWEB_PATIENCE", {})).first_heartbeat)
    return FirstSign(silent, f"{until:%H:%M:%S} UTC" if until > now else "") if silent else None


def _place(child: Transaction, run: TaskRun) -> str:
    """What was sent waits for its agent; of a fleet that is full, for a place."""
    cluster = Cluster.objects.filter(id=child.cluster_id).first()
    found = place_of(run.node, cluster) if cluster else None
    return found.why(f"{run.task_name}/{run.node}") if found and found.is_full else ""


def _when(now: datetime) -> Callable[[float], str]:
    """Tells when something is due: the time, and how long from now."""

    def told(due: float) -> str:
        left = due - now.timestamp()
        return f"at {moment(due):%Y-%m-%d %H:%M:%S} UTC, in {span(left)}" if left > 0 else "now"

    return told


def _transaction(any_id: int) -> Transaction:
    try:
        return history.transaction(any_id)
    except Transaction.DoesNotExist as error:
        raise NotFound(f"There is no transaction {any_id}.") from error


def _unknown(row: Transaction, name: str) -> str:
    known = [f"{task}/{node}" for task, node in history.task_runs(row).values_list("task_name", "node")]
    if not known:
        return f"Transaction {row.id} has no task runs: {row.message or 'it is not planned yet.'}"
    close = get_close_matches(name, known, 1)
    return f"Transaction {row.id} has no task run {name}. " + (f"Did you mean {close[0]}?" if close else "Write task/node.")


def _report(child: Transaction) -> FailureReport:
    plan = stored.plan(child.id) if child.recorded_at else None
    if plan is None:
        return FailureReport()
    rows = TaskRun.objects.filter(transaction=child).order_by("position")
    facts = [
        RunFacts(status, attempts, reason, blocked_by, str(summary.get("output", "")) if status == "error" else "")
        for status, attempts, reason, blocked_by, summary in rows.values_list("status", "attempts", "reason", "blocked_by", "summary")
    ]
    return failure_report(plan, facts, child.result.get("offline", ()))
