"""Planning a request's next graph, in a worker of its own that owns the transaction meanwhile."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import Any

from django.db import InterfaceError, OperationalError

from deployments.core.documents.texts import storable
from deployments.core.errors import FuelwebError, InvalidData
from deployments.core.graph.unused_roles import nothing_to_deploy
from deployments.core.names import no_such_run
from deployments.core.plan import ENGINE_TYPES, Plan
from deployments.core.time_limit import GivenUp, Limit, Look
from deployments.executors.registry import runnable_types
from deployments.models import Cluster
from deployments.services import finish, plans
from deployments.services.clock import Clock
from deployments.services.errors import Conflict
from deployments.services.facts import deployment_info
from deployments.services.ownership import Keeper, give_back
from deployments.services.plan_token import plan_digest
from deployments.services.plans import Made, PlanOptions
from deployments.services.task_deploy import settings_for_graphs
from deployments.services.tools import Tools
from history import queries as history
from history import recorder
from history.models import Transaction

logger = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=0.2)
"""How often planning is interrupted to see whether a stop was asked for."""
MOST_TRIES = 3
"""A plan whose planner has died so often is given up."""


def plan_next(parent_id: int, tools: Tools, limit: Limit) -> bool:
    """Plan and record the request's next child, then hand it to the orchestrators.

    Returns:
        False if there was nothing to do (or somebody else does it).
    """
    epoch = recorder.take(parent_id, tools.owner, tools.patience.ownership)
    if epoch is None:
        return False
    parent = Transaction.objects.get(id=parent_id)
    child = history.current_child(parent_id)
    planned = False
    with Keeper(tools.patience.ownership) as keeper:
        keeper.hold(parent_id, epoch)
        if child is not None and child.recorded_at is None:
            try:
                planned = _plan(parent, child, epoch, tools, limit)
            except recorder.OwnershipLost:
                logger.warning("Transaction %s was taken over while it was being planned.", parent_id)
    give_back(parent_id, epoch)
    tools.dispatcher.wake_orchestrator(parent_id)
    return planned


def _plan(parent: Transaction, child: Transaction, epoch: int, tools: Tools, limit: Limit) -> bool:
    def ledger() -> recorder.Ledger:
        # Who asked may have another clock.
        return recorder.Ledger(parent.id, epoch, tools.owner, max(tools.clock.now(), history.end_of_log(parent.id)))

    tried = recorder.count_try(child.id)
    if tried > MOST_TRIES:
        reason = f"Planning was tried {MOST_TRIES} times, and each time the planner died: look into its log."
        finish.fail_planning(parent, child, reason, ledger())
        return False
    try:
        _make(parent, child, ledger(), tools, limit)
    except GivenUp:
        finish.stop_unplanned(parent, child, ledger())
        tools.broker.end(parent.id)
        return False
    except FuelwebError as error:
        finish.fail_planning(parent, child, storable(str(error)), ledger())
        return False
    except (OperationalError, InterfaceError, recorder.RowMoved, recorder.OwnershipLost) as error:
        # The database is away, or the world has moved on: the next try may well succeed.
        if isinstance(error, OperationalError):
            # It did not die over this plan: a lock, a full disk, a database that restarts. (If this fails as well, it counts.)
            with suppress(OperationalError, InterfaceError):
                recorder.forget_try(child.id)
        raise
    except Exception as bug:
        logger.exception("Planning transaction %s failed.", child.id)
        finish.fail_planning(
            parent, child, f"No plan could be made or stored: {type(bug).__name__}: {storable(str(bug)).strip()}", ledger()
        )
        return False
    return True


def _make(parent: Transaction, child: Transaction, ledger: recorder.Ledger, tools: Tools, limit: Limit) -> None:
    look = _look_for_stop(parent.id, tools.clock)
    look()
    cluster = Cluster.objects.select_related("release").get(id=child.cluster_id)
    made = plans.make(cluster, child.graph_type, _options(parent, child), limit, look=look)
    _check_anything(parent, child, made)
    if child.rehearsal is None and not child.dry_run:
        _check_types(made.plan)
    _check_shown(parent, cluster, made.plan)
    _check_failures(parent, child, made.plan)
    graph, facts = made.graph, made.facts
    snapshots: dict[str, Any] = {
        "plan": made.plan.to_data(), "tasks": graph.tasks, "settings": {"editable": settings_for_graphs(cluster)},
        "deployment_info": deployment_info(facts), "network_configuration": facts.common.get("network_metadata", {}),
    }  # fmt: skip
    order = {"order": made.order.text, "warning": made.order.warning}
    switched_off = {name: [off.type, off.why] for name, off in graph.switched_off.items()}
    callbacks = {name: value for name in ("on_success", "on_error", "on_stop") if (value := getattr(graph, name))}
    kept = {"callbacks": callbacks, "switched_off": switched_off, "changes": cluster.changes, **order}
    ledger.change_transaction(child.id, arguments={**child.arguments, **kept})
    recorder.record_plan(ledger, child.id, _rows(made), snapshots, tools.clock.now, look)


def _look_for_stop(parent_id: int, clock: Clock) -> Look:
    """Gives the plan up once the record says that a stop was asked for; it is asked now and then only."""
    due = clock.now()

    def look() -> None:
        nonlocal due
        if clock.now() < due:
            return
        stop, _ = history.asked(parent_id)
        if stop:
            raise GivenUp
        due = clock.now() + LOOK_EVERY

    return look


def _options(parent: Transaction, child: Transaction) -> PlanOptions:
    said = {**parent.arguments, **child.arguments}
    return PlanOptions(
        nodes=said.get("nodes"), tasks=said.get("tasks"), subgraphs=said.get("subgraphs"), force=said.get("force", False),
        noop=child.noop, reuse=said.get("reuse", False), skip=said.get("skip", ()), rehearsed=child.rehearsal is not None,
        goes_on="goes_on_from" in said,
    )  # fmt: skip


def _rows(made: Made) -> list[recorder.PlannedRun]:
    inputs = made.inputs_by_name
    return [recorder.PlannedRun(run.node, run.task, run.task_type, inputs.get((run.task, run.node), ""), run.why) for run in made.plan.runs]


def _check_anything(parent: Transaction, child: Transaction, made: Made) -> None:
    """A green deployment of nothing would deceive; beside other graphs one without work is no mistake."""
    if made.planned.plan.runs or not made.graph.tasks or len(history.children(parent)) > 1:
        return
    roles = (tag for node in made.facts.nodes for tag in node.tags)
    raise InvalidData(nothing_to_deploy(child.graph_type, made.graph.tasks, roles))


def _check_shown(parent: Transaction, cluster: Cluster, plan: Plan) -> None:
    """A plan that was shown beforehand is carried out exactly, or not at all."""
    shown = parent.arguments.get("plan")
    if shown is not None and shown != plan_digest(plan):
        raise Conflict(
            "Something changed since the plan was shown, so nothing was started: "
            f"look at it again (deploy {cluster.name} --plan) and use the new token."
        )


def _check_failures(parent: Transaction, child: Transaction, plan: Plan) -> None:
    """Each run that is to fail in a rehearsal must be in one of the request's plans; after the last of them it is known."""
    to_fail = set((child.rehearsal or {}).get("fail", ()))
    if not to_fail or any(other.id != child.id for other in history.unfinished_children(parent.id)):
        return
    known = {run.name for run in plan.runs}
    if to_fail - known:
        known |= {f"{task}/{node}" for other in history.children(parent) for task, node in history.run_names(other.id)}
    for name in sorted(to_fail - known):
        raise InvalidData(no_such_run(name, known), where=name)


def _check_types(plan: Plan) -> None:
    able = runnable_types() | ENGINE_TYPES
    counts: dict[str, int] = {}
    for run in plan.runs:
        if run.type not in able:
            counts[run.type] = counts.get(run.type, 0) + 1
    if counts:
        unable = ", ".join(f"{kind} ({count} task runs)" for kind, count in sorted(counts.items()))
        raise InvalidData(f"No executor is installed for these task types: {unable}. The graph can be rehearsed (--rehearse) and dry-run.")
