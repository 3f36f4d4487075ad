"""What goes on from a request that has ended: the same request, changed by a person's decision about one of its runs alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.plan import MASTER_NODE, SYNC_NODE
from deployments.models import Cluster
from deployments.services.lifecycle import DeployOptions
from deployments.services.rehearsal import Rehearsal
from history import queries as history
from history.models import TaskRun, Transaction

_OF_A_GRAPH = ("nodes", "tasks", "skip", "reuse")
"""What may be said of a single graph. (Its row holds also what its planner has found.)"""


def continuation(cluster: Cluster, run: TaskRun, decision: str) -> DeployOptions:
    """The options of the request of this failed run, with the decision about it: its graph and those after it.

    What ended well is kept, unless nothing was really done: of a rehearsal or a no-operation run nothing can be, so all of it is played
    again. Nodes that have left the cluster since are left out.

    Raises:
        InvalidData: the run's node has left the cluster.
    """
    child = run.transaction
    parent = child.parent or child
    here = {*cluster.nodes.values_list("uid", flat=True), MASTER_NODE, SYNC_NODE}
    if run.node not in here:
        raise InvalidData(f"Node {run.node} does not belong to cluster {cluster.name} any more: nothing can go on there.")
    said = parent.arguments
    played = parent.noop or parent.rehearsal is not None
    # Graphs before that of the run had their turn.
    due = [graph for graph in history.children(parent) if graph.position >= child.position]
    by_graph = [(graph.graph_type, _of_graph(graph, said, here, played=played)) for graph in due]
    if decision == "skip" or decision == "finished" and parent.noop:
        # A no-operation run can't build upon what a person has done, but it can pass it by.
        first = by_graph[0][1]
        first["skip"] = [*first.get("skip", said.get("skip", ())), _name(run)]
    # A later graph whose nodes have all left has nothing to do.
    by_graph = [(kind, own) for place, (kind, own) in enumerate(by_graph) if place == 0 or own.get("nodes") != []]
    return DeployOptions(
        graph_types=[kind for kind, _ in by_graph], by_graph=[own for _, own in by_graph],
        nodes=_still(said["nodes"], here) if "nodes" in said else None, tasks=said.get("tasks"), subgraphs=said.get("subgraphs", ()),
        dry_run=parent.dry_run, noop=parent.noop, force=said.get("force", False), skip=said.get("skip", ()),
        reuse=not played or said.get("reuse", False) and parent.rehearsal is None,
        rehearsal=_rehearsal(parent, child, run), goes_on_from=parent.id,
    )  # fmt: skip


def _of_graph(graph: Transaction, said: dict[str, Any], here: Collection[str], *, played: bool) -> dict[str, Any]:
    own = {name: graph.arguments[name] for name in _OF_A_GRAPH if name in graph.arguments}
    if "nodes" in own:
        own["nodes"] = _still(own["nodes"], here)
    if not played:
        # What had not had its turn is no continuation: an earlier deployment's success would be taken for this one's.
        own["reuse"] = graph.recorded_at is not None or own.get("reuse", said.get("reuse", False))
    return own


def _still(nodes: Sequence[str], here: Collection[str]) -> list[str]:
    return [node for node in nodes if node in here]


def _rehearsal(parent: Transaction, child: Transaction, run: TaskRun) -> Rehearsal | None:
    """The same once more, but what was decided about does not fail again, nor what only graphs had that are not played again."""
    if parent.rehearsal is None:
        return None
    before, again = set[str](), set[str]()
    for graph in history.children(parent):
        played = {f"{task}/{node}" for task, node in history.run_names(graph.id)}
        (before if graph.position < child.position else again).update(played)
    rehearsal = Rehearsal.from_data(parent.rehearsal)
    return replace(rehearsal, fail=rehearsal.fail - (before - again) - {_name(run)})


def _name(run: TaskRun) -> str:
    return f"{run.task_name}/{run.node}"
