"""How a node's part ends, and the whole transaction, judged from the scheduler's books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.core.events import EndNode, Finish
from deployments.core.plan import SYNC_NODE
from deployments.core.scheduling.failures import NAMED_NODES
from deployments.core.scheduling.places import NO_RUN

if TYPE_CHECKING:
    from deployments.core.scheduling.schedule import Scheduler


def node_ends(scheduler: Scheduler) -> list[EndNode]:
    """Ends of the nodes on which nothing more will run and of which that was not told yet, in their order."""
    nodes = scheduler.nodes
    ends = []
    for node in nodes.take_stirred():
        over = not nodes.left[node] or scheduler.draining or node in nodes.failed
        if over and not nodes.ended[node] and scheduler.places.busy[node] == NO_RUN and nodes.names[node] != SYNC_NODE:
            nodes.ended[node] = 1
            ends.append(_node_end(scheduler, node))
    return ends


def _node_end(scheduler: Scheduler, node: int) -> EndNode:
    nodes, blocked = scheduler.nodes, scheduler.blocked
    name, touched = nodes.names[node], nodes.touched[node]
    if node in nodes.failed:
        return EndNode(name, "error", f"{nodes.failed[node]}.")
    if nodes.left[node]:
        return EndNode(name, "stopped" if touched else "untouched", scheduler.drain_reason)
    first = next((run for run in nodes.runs[node] if run in blocked and not scheduler.places.engine[run]), None)
    if first is not None:
        return EndNode(name, "error" if touched else "untouched", f"Blocked: {scheduler.cause(first)}.")
    return EndNode(name, "ready" if nodes.runs[node] else "untouched")


def finish(scheduler: Scheduler) -> Finish | None:
    """The end of the transaction, or None while something runs or still may."""
    if scheduler.places.taken or scheduler.left and not scheduler.draining:
        return None
    if scheduler.draining:
        return Finish("stopped" if scheduler.draining == "stop" else "error", scheduler.drain_reason)
    if not scheduler.nodes.failed:
        return Finish("ready")
    failed = _why_nodes_failed(scheduler)
    left = _left_blocked(scheduler)
    if excess := scheduler.tolerance.excess(left):
        return Finish("error", f"{excess} The cause: {failed}.")
    at_work = {scheduler.places.node_of[run] for run in range(len(scheduler.plan.runs)) if not scheduler.places.engine[run]}
    if at_work and all(node in scheduler.nodes.failed or scheduler.nodes.names[node] in left for node in at_work):
        return Finish("error", f"No node came through: {failed}.")
    return Finish("ready", f"Within fault tolerance: {failed}.")


def _why_nodes_failed(scheduler: Scheduler) -> str:
    clauses = list(scheduler.nodes.failed.values())
    more = len(clauses) - NAMED_NODES
    return "; ".join([*clauses[:NAMED_NODES], *([f"and {more} more"] if more > 0 else [])])


def _left_blocked(scheduler: Scheduler) -> list[str]:
    """Nodes without a failure of their own that others' failures left undone: too many of them are no success."""
    node_of, engine = scheduler.places.node_of, scheduler.places.engine
    nodes = {node_of[run] for run in scheduler.blocked if not engine[run]} - scheduler.nodes.failed.keys()
    return [name for node in sorted(nodes) if (name := scheduler.nodes.names[node]) != SYNC_NODE]
