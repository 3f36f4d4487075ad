"""How transactions start and end: child, parent and cluster in one commit."""

from __future__ import annotations

from typing import Any

from deployments.core.graph.templates import SKIPPED
from deployments.core.plan import MASTER_NODE
from deployments.core.states import DEPLOYMENT
from deployments.services import notifications, statuses
from deployments.services.child import ChildRun
from history import queries as history
from history import recorder
from history.models import Transaction
from history.models.transaction import UNFINISHED
from history.recorder import Ledger, OwnershipLost
from history.states import TRANSACTION, check


def start(parent: Transaction, child: Transaction, ledger: Ledger) -> None:
    """Child (and parent, at the first child) begin to run."""
    for transaction in (parent, child):
        if transaction.status == "pending":
            _move(ledger, transaction, "running", "")
            ledger.change_transaction(transaction.id, time_start=transaction.time_start or ledger.at)
    ledger.write()


def end(parent: Transaction, child: ChildRun, status: str, reason: str, ledger: Ledger) -> None:
    """The child is over; so is the parent, unless another child follows a good end."""
    _pass_over(child, ledger)
    _move(ledger, Transaction.objects.get(id=child.id), status, reason)
    ledger.change_transaction(child.id, time_end=ledger.at, progress=100)
    if status == "ready" and child.mode == "real" and not child.dry_run:
        _end_idle_nodes(child, ledger)
    rest = [other for other in history.unfinished_children(parent.id) if other.id != child.id]
    if status == "ready" and rest:
        ledger.write()
        return
    for other in rest:
        _abort(ledger, other, status)
    _end_parent(ledger, parent, status, reason)
    ledger.write()


def _end_idle_nodes(child: ChildRun, ledger: Ledger) -> None:
    """A node for which the default graph has no task is done with the others; otherwise its cluster would never be complete."""
    idle = child.idle_nodes if child.graph_type == DEPLOYMENT else []
    if len(idle) == len(child.cluster_nodes):
        return
    for node in idle:
        ledger.note("node", "ready", node=node, reason="The graph has no task for it.")
        change = statuses.NodeEnd(
            uid=node, cluster_id=child.cluster_id, graph_type=child.graph_type, outcome="ready", reason="", callbacks=child.callbacks,
            rehearsed=child.rehearsal is not None,
        )  # fmt: skip
        ledger.also(change.write)


def _pass_over(child: ChildRun, ledger: Ledger) -> None:
    """A run that was to do nothing anyhow is not kept from anything by a failure: it is skipped, for the reason that the plan has."""
    for position in child.scheduler.blocked:
        planned, row = child.plan.runs[position], child.rows[position]
        if planned.type == SKIPPED and row.status == "pending":
            ledger.finish_run(row, "skipped", reason=planned.why or "it was to do nothing")


def fail_planning(parent: Transaction, child: Transaction, reason: str, ledger: Ledger) -> None:
    """No plan could be made: the request ends in `error` with the sentence that says why; nothing was started."""
    for other in history.unfinished_children(parent.id):
        if other.id == child.id:
            _move(ledger, other, "error", reason)
            ledger.change_transaction(other.id, time_end=ledger.at)
        else:
            _abort(ledger, other, "error")
    _end_parent(ledger, parent, "error", reason)
    ledger.write()


def stop_unplanned(parent: Transaction, child: Transaction, ledger: Ledger) -> None:
    """A stop came before there was a plan: nothing was started, and nothing will be."""
    _stop(parent, "Stopped before it was planned.", "Stopped before anything was started.", ledger)


def stop_unreadable(parent: Transaction, child: Transaction, why: str, ledger: Ledger) -> None:
    """A stop came, nothing is under way, and nobody can tell what else there was to do."""
    ended = set(child.result.get("ended", ()))
    for node in history.touched_nodes(child.id) if not (child.noop or child.rehearsal) else ():
        if node not in ended:
            ledger.note("node", "stopped", node=node, reason=why)
            change = statuses.NodeEnd(
                uid=node, cluster_id=child.cluster_id or 0, graph_type=child.graph_type, outcome="stopped", reason=why, callbacks={},
                before=child.result.get("before", {}).get(node, ""),
            )  # fmt: skip
            ledger.also(change.write)
    _stop(parent, f"Stopped. {why}", f"Stopped. {why}", ledger)


def _stop(parent: Transaction, each: str, whole: str, ledger: Ledger) -> None:
    for other in history.unfinished_children(parent.id):
        _move(ledger, other, "stopped", each)
        ledger.change_transaction(other.id, time_end=ledger.at)
    _end_parent(ledger, parent, "stopped", whole)
    ledger.write()


def _abort(ledger: Ledger, child: Transaction, status: str) -> None:
    _move(ledger, child, "stopped" if status == "stopped" else "error", "Aborted: an earlier graph of the same request did not end well.")
    ledger.change_transaction(child.id, time_end=ledger.at)


def _end_parent(ledger: Ledger, parent: Transaction, status: str, reason: str) -> None:
    _move(ledger, parent, status, reason)
    ledger.change_transaction(parent.id, time_end=ledger.at, progress=100, owner="", owner_until=None)
    if not (parent.dry_run or parent.noop):
        ledger.also(lambda: _end_cluster(parent, status))
    ledger.also(lambda: notifications.ended(parent, status, reason, ledger.at))
    ledger.also(lambda: recorder.close_requests(parent.id, ledger.at, f"Transaction {parent.id} ended {status}."))


def _end_cluster(parent: Transaction, status: str) -> None:
    deployed: list[Any] = []
    if status == "ready" and parent.rehearsal is None:
        for child in history.children(parent):
            said = {**parent.arguments, **child.arguments}
            if child.graph_type == DEPLOYMENT and not any(said.get(name) for name in ("nodes", "tasks", "subgraphs", "skip")):
                deployed += said.get("changes", ())
    told = history.was_end_told(parent.id, but_of=MASTER_NODE)
    statuses.cluster_ended(parent.cluster_id or 0, status, told=told, deployed=deployed)


def _move(ledger: Ledger, transaction: Transaction, status: str, reason: str) -> None:
    if transaction.status not in UNFINISHED:
        raise OwnershipLost(f"Transaction {transaction.id} is over already: another owner has ended it.")
    check(TRANSACTION, transaction.status, status)
    if transaction.parent_id and transaction.status == "pending" and transaction.recorded_at is None:
        # It ends unplanned: what a try that died has written of a plan is no history.
        ledger.also(lambda: recorder.discard_plan(transaction.id))
    message = " ".join(filter(None, (reason, transaction.arguments.get("warning", ""))))
    ledger.note("transaction", status, old=transaction.status, reason=reason, about=transaction.id)
    ledger.change_transaction(transaction.id, expected=transaction.status, status=status, message=message)
    transaction.status = status
