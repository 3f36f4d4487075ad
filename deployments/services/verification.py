"""Reads a request's log, plans and rows, and has them proved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.core.plan import Plan
from deployments.core.proof.findings import Child, Finding, LogEvent, Record
from deployments.core.proof.verify import Verifier
from deployments.services import stored
from deployments.services.errors import NotFound
from history import queries as history
from history.chain import Chain
from history.models import Attempt, Event, TaskRun, Transaction

NO_PLAN = Plan(nodes=(), runs=(), bundles=())
UNREADABLE = Plan(nodes=(), runs=(), bundles=())
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of a proof. While a request is not `over`, rows are on the move, so only its log is judged."""

    transaction: int
    status: str
    over: bool
    events: int
    task_runs: int
    findings: Sequence[Finding]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("transaction", "status", "over", "events", "task_runs")}
        return {**told, "findings": [finding.as_dict() for finding in self.findings]}


def verify_transaction(any_id: int) -> Verification:
    """Prove a request with all its children. A child's id stands for its request; a stop or a decision for what it is about.

    Raises:
        NotFound: there is no such transaction.
    """
    parent = _request(any_id)
    rows = [child for child in history.children(parent)]
    planned = [_child(row) for row in rows]
    unreadable = any(child.plan is UNREADABLE for child, _ in planned)
    verifier, chain = Verifier([child for child, _ in planned]), Chain()
    findings = [finding for _, wrong in planned for finding in wrong]
    count = 0
    for event in _events(parent):
        count += 1
        if broken := chain.follow(event):
            findings.append(Finding("chain", broken, event.seq, node=event.node or None))
        if not unreadable:
            verifier.take(_log_event(event))
    if broken := chain.end(parent):
        findings.append(Finding("chain", broken, count or None))
    over = parent.status not in ("pending", "running")
    if not unreadable:
        findings += verifier.finish(_record(parent, rows) if over else None)
    return Verification(parent.id, parent.status, over, count, sum(_written(child) for child, _ in planned), findings)


def _request(any_id: int) -> Transaction:
    try:
        row = history.transaction(any_id)
        if row.target_id is not None:
            row = history.transaction(row.target_id)
        return history.transaction(row.parent_id) if row.parent_id else row
    except Transaction.DoesNotExist as error:
        raise NotFound(f"There is no transaction {any_id}.") from error


def _child(row: Transaction) -> tuple[Child, list[Finding]]:
    """The child as it was planned, and rows that are not as the plan has them."""
    try:
        plan = stored.plan(row.id) if row.recorded_at else None
    except stored.CantBeLoaded as error:
        return Child(UNREADABLE, ()), [Finding("row", f"{error} So only the log's own chain was followed.")]
    if plan is None:
        return Child(NO_PLAN, ()), []
    written = list(TaskRun.objects.filter(transaction=row).order_by("position").values_list("id", "position", "task_name", "node", "type"))
    expected = [(index, run.task, run.node, run.task_type) for index, run in enumerate(plan.runs)]
    findings = []
    if [tuple(line[1:]) for line in written] != expected:
        findings.append(Finding("row", f"The task runs of transaction {row.id} are not those of its plan."))
        written = written[: len(expected)]
    return Child(plan, [line[0] for line in written], row.dry_run), findings


def _written(child: Child) -> int:
    """How many task runs it has, without what the engine has made itself."""
    return sum(not run.is_barrier for run in child.plan.runs)


def _log_event(event: Event) -> LogEvent:
    told = (event.subject, event.old, event.new, event.run, event.attempt, event.node, event.reason, event.about)
    return LogEvent(event.seq, event.at, *told)


def _events(parent: Transaction) -> Iterator[Event]:
    # Later events belong to a later state of the rows than the one read above.
    return Event.objects.filter(transaction=parent, seq__lte=parent.event_seq).order_by("seq").iterator(chunk_size=_CHUNK)


def _record(parent: Transaction, rows: Sequence[Transaction]) -> Record:
    # What a planner has left that died while it wrote is no record.
    ids = [row.id for row in rows if row.recorded_at]
    runs = TaskRun.objects.filter(transaction__in=ids).order_by("id")
    tries = Attempt.objects.filter(run__transaction__in=ids).order_by("id")
    both = [parent, *rows]
    return Record(
        transactions=[row.status for row in both],
        runs=runs.values_list("id", "status", "attempts").iterator(_CHUNK),
        attempts=tries.values_list("run_id", "attempt", "status").iterator(_CHUNK),
        run_times=runs.exclude(time_start=None).values_list("id", "time_start", "time_end").iterator(_CHUNK),
        attempt_times=tries.exclude(time_start=None)
        .values_list("run_id", "attempt", "dispatched_at", "time_start", "time_end").iterator(_CHUNK),
        transaction_times=[(row.time_start, row.time_end) for row in both],
        ids=[row.id for row in both],
    )  # fmt: skip
