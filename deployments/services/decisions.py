"""What a person decides about a failed task run: it is done after all, it is to run again, or the deployment goes on without it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from django.db import transaction as database

from deployments.core.errors import InvalidData
from deployments.dispatch import Dispatcher
from deployments.models import Cluster
from deployments.services.child import ChildRun
from deployments.services.clock import Clock
from deployments.services.continuation import continuation
from deployments.services.errors import Conflict, NotFound
from deployments.services.lifecycle import open_deploy
from history import queries as history
from history import recorder
from history.models import TaskRun, Transaction
from history.recorder import Ledger, RunRow

Decision = Literal["finished", "rerun", "skip"]

NEW_STATUS = {"finished": "ready", "rerun": "pending", "skip": "skipped"}
IN_WORDS = {"finished": "is done after all", "rerun": "is to run again", "skip": "is left out"}


def find_run(name: str) -> TaskRun:
    """A task run by the id of its history row, or as `TRANSACTION:TASK/NODE`.

    Raises:
        NotFound: there is none.
    """
    transaction, colon, run = name.partition(":")
    task, slash, node = run.rpartition("/")
    if name.isdecimal():
        found = TaskRun.objects.filter(id=int(name)).first()
    elif colon and slash and transaction.isdecimal():
        parent = Transaction.objects.filter(id=int(transaction)).first()
        found = history.task_runs(parent, nodes=[node], tasks=[task]).last() if parent else None
    else:
        found = None
    if found is None:
        raise NotFound(f"There is no task run {name!r}: give its id, or TRANSACTION:TASK/NODE as the history shows them.")
    return found


def request_decision(
    run: TaskRun, decision: Decision, *, actor: str, reason: str, clock: Clock, dispatcher: Dispatcher
) -> tuple[Transaction, Transaction | None]:
    """Write the decision down; the request's row, and the deployment that it starts if the run's own has ended.

    While the run's transaction is under way its owner carries the decision out. Afterwards the same request goes on from there in a new
    deployment, which keeps what ended well with unchanged inputs; a rehearsal and a no-operation run are played again (`continuation`).

    Raises:
        InvalidData: the run has not failed, or its request can't be made any more.
        NotFound: the cluster is gone.
        Conflict: another deployment of the cluster is under way.
    """
    name = f"{run.task_name}/{run.node}"
    if run.status != "error":
        raise InvalidData(f"Task run {name} is {run.status}: only a failed one can be resolved.")
    child = run.transaction
    parent = child.parent or child
    request = recorder.Request(
        name="resolve", cluster_id=parent.cluster_id or 0, cluster_name=parent.cluster_name, actor=actor, reason=reason,
        target_id=parent.id, arguments={"run": run.id, "decision": decision},
    )  # fmt: skip
    if parent.status in ("pending", "running"):
        asked = recorder.open_request(request, clock.now())
        dispatcher.wake_orchestrator(parent.id)
        return asked, None
    if history.unfinished_deploy(parent.cluster_id or 0) is not None:
        raise Conflict(f"Cluster {parent.cluster_name} is being deployed: wait for that to end, or stop it.")
    return _go_on(parent, run, request, clock, dispatcher)


def _go_on(
    parent: Transaction, run: TaskRun, request: recorder.Request, clock: Clock, dispatcher: Dispatcher
) -> tuple[Transaction, Transaction]:
    """The decision and what it starts are one commit: where nothing can go on, nothing is decided either."""
    cluster = Cluster.objects.select_related("release").filter(id=parent.cluster_id).first()
    if cluster is None:
        raise NotFound(f"Cluster {parent.cluster_name} is gone: nothing can go on there.")
    decision, reason = request.arguments["decision"], request.reason
    options = continuation(cluster, run, decision)
    why = f"{run.task_name}/{run.node} {IN_WORDS[decision]}" + (f": {reason}" if reason else "")
    with database.atomic():
        asked = _decide_afterwards(parent, run.transaction, run, request, clock)
        deployment = open_deploy(cluster, options, actor=request.actor, reason=why, clock=clock)
    dispatcher.ask_for_plan(deployment.id)
    return asked, deployment


def carry_out_decisions(child: ChildRun, requests: Iterable[Transaction], ledger: Ledger) -> bool:
    """The owner's side, while the transaction is under way: whether the scheduler has to be made anew."""
    changed = False
    for request in requests:
        row = child.by_run_id.get(request.arguments.get("run", 0))
        decision = request.arguments.get("decision", "")
        possible = row is not None and row.status == "error" and decision in NEW_STATUS
        if row is not None and possible:
            _decide(row, request.arguments["decision"], request.actor, request.reason, ledger)
            reopened = {row.node}
            for other in child.rows:
                if other.blocked_by == row.position:
                    ledger.blocked(other, None, "")
                    reopened.add(other.node)
            _reopen_nodes(child, reopened, ledger)
            changed = True
        message = "Done." if possible else "The task run had not failed (any more)."
        values = {"status": "ready" if possible else "error", "time_end": ledger.at, "progress": 100, "message": message}
        ledger.change_transaction(request.id, **values)
    return changed


def _reopen_nodes(child: ChildRun, nodes: Collection[str], ledger: Ledger) -> None:
    """Their ends were told; what is decided may let them run again, so they will end once more."""
    ended = child.found.get("ended", [])
    if not any(node in nodes for node in ended):
        return
    child.found["ended"] = [node for node in ended if node not in nodes]
    ledger.change_transaction(child.id, result=dict(child.found))


def _decide_afterwards(parent: Transaction, child: Transaction, run: TaskRun, request: recorder.Request, clock: Clock) -> Transaction:
    row = next(row for row in recorder.load_rows(child.id) if row.id == run.id)
    ledger = Ledger(parent.id, parent.owner_epoch, request.actor, max(clock.now(), history.end_of_log(parent.id)))
    asked = recorder.open_request(request, clock.now())
    _decide(row, request.arguments["decision"], request.actor, request.reason, ledger)
    ledger.change_transaction(asked.id, status="ready", time_end=ledger.at, progress=100, message="The same request goes on from there.")
    ledger.write()
    return asked


def _decide(row: RunRow, decision: Decision, actor: str, reason: str, ledger: Ledger) -> None:
    why = f"{actor}: it {IN_WORDS[decision]}" + (f" ({reason})" if reason else "")
    if decision == "rerun":
        ledger.pending_again(row, why)
    else:
        ledger.finish_run(row, NEW_STATUS[decision], at=ledger.at, reason=why)
