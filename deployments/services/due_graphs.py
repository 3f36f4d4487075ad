"""What "deploy changes" runs now: which graphs, on which nodes, and which nodes leave without any."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.states import DELETION, PROVISION
from deployments.models import Cluster
from deployments.models import Sequence as GraphSequence
from deployments.models.graph import DEFAULT_TYPE
from deployments.services.facts import has_system, status_of
from deployments.services.lifecycle import DeployOptions, no_such_tasks
from deployments.services.nodes import uid_of

DEPLOY_CHANGES = "deploy-changes"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A graph of a request, and what it is narrowed down to (None = all)."""

    type: str
    nodes: Sequence[str] | None = None
    tasks: Sequence[str] | None = None

    def arguments(self) -> dict[str, Any]:
        """What the graph's row says of it."""
        given = {"nodes": self.nodes, "tasks": self.tasks}
        return {name: list(value) for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Due:
    """Graphs in the order in which they are run, and nodes that leave when the request is made."""

    graphs: Sequence[Chosen]
    leaving: Sequence[str] = ()

    def options(self, options: DeployOptions) -> DeployOptions:
        """The options of a request for this."""
        by_graph = [graph.arguments() for graph in self.graphs]
        for graph, own in zip(self.graphs, by_graph, strict=True):
            if options.reuse and _starts_anew(graph):
                own["reuse"] = False
        types, said = tuple(graph.type for graph in self.graphs), tuple(by_graph) if any(by_graph) else ()
        return replace(options, graph_types=types, by_graph=said, nodes=None, tasks=None, leaving=tuple(self.leaving))


def due(cluster: Cluster, options: DeployOptions) -> Due:
    """The sequence `deploy-changes` of the release; else deletion and provisioning, where there are such graphs and nodes that wait for
    them, and the default graph. The options may narrow it down: to nodes, and to tasks (each graph runs those that it has).

    Raises:
        InvalidData: no graph has such a task, a node is not the cluster's or can't be deployed, or nothing is left.
    """
    sequence = GraphSequence.objects.filter(release_id=cluster.release_id, name=DEPLOY_CHANGES).first()
    if sequence is not None:
        return _narrowed(cluster, Due([chosen(graph) for graph in sequence.graphs]), options)
    rehearsed = options.rehearsal is not None
    leaving = list(cluster.nodes.filter(pending_deletion=True).order_by("id").values_list("uid", flat=True))
    known = queries.graph_types(cluster)
    graphs = [Chosen(DELETION, leaving)] if leaving and DELETION in known else []
    if PROVISION in known and (waiting := unprovisioned(cluster, rehearsed=rehearsed)):
        graphs.append(Chosen(PROVISION, waiting))
    if options.nodes is not None:
        staying = [uid for uid in options.nodes if uid not in leaving]
        graphs += [Chosen(DEFAULT_TYPE, staying)] if staying else []
    elif not leaving or cluster.nodes.filter(pending_deletion=False).exists():
        graphs.append(Chosen(DEFAULT_TYPE))
    return _narrowed(cluster, Due(graphs, [] if DELETION in known else leaving), options)


def chosen(graph: Mapping[str, Any]) -> Chosen:
    """A graph as clients and sequences write it."""
    nodes = graph.get("nodes")
    return Chosen(graph["type"], None if nodes is None else [uid_of(node) for node in nodes], graph.get("tasks"))


def unprovisioned(cluster: Cluster, *, rehearsed: bool) -> list[str]:
    """Nodes that wait to be provisioned: no system runs there yet, or provisioning has failed."""
    waiting = []
    for node in cluster.nodes.filter(pending_deletion=False).order_by("id"):
        status = status_of(node, rehearsed=rehearsed)
        bare = status != "removing" and not has_system(node, rehearsed=rehearsed)
        if bare or status == "error" and node.pending_addition:
            waiting.append(node.uid)
    return waiting


def check_ready(cluster: Cluster, uids: Collection[str], *, rehearsed: bool = False) -> None:
    """Refuse nodes on which nothing can be deployed.

    Raises:
        InvalidData: a node is to leave, or has no system yet.
    """
    nodes = list(cluster.nodes.filter(uid__in=uids))
    start = "Deployment operation cannot be started. Nodes with uids"
    if leaving := sorted(node.uid for node in nodes if node.pending_deletion):
        raise InvalidData(f"{start} [{', '.join(leaving)}] marked for deletion. Please remove them and restart deployment.")
    if bare := sorted(node.uid for node in nodes if not has_system(node, rehearsed=rehearsed)):
        raise InvalidData(f"{start} [{', '.join(bare)}] are not provisioned yet.")


def _narrowed(cluster: Cluster, found: Due, options: DeployOptions) -> Due:
    if options.nodes is None and options.tasks is None:
        return found
    graphs, leaving = found.graphs, found.leaving
    if options.nodes is not None:
        named = options.nodes
        graphs = [replace(graph, nodes=[uid for uid in named if graph.nodes is None or uid in graph.nodes]) for graph in graphs]
        graphs = [graph for graph in graphs if graph.nodes]
        leaving = [uid for uid in leaving if uid in named]
        provisioned = {uid for graph in graphs if graph.type == PROVISION for uid in graph.nodes or ()}
        default = {uid for graph in graphs if graph.type == DEFAULT_TYPE for uid in graph.nodes or ()}
        check_ready(cluster, default - provisioned, rehearsed=options.rehearsal is not None)
    if options.tasks is not None:
        graphs, leaving = _with_tasks(cluster, graphs, options.tasks), []
    if not graphs and not leaving:
        raise InvalidData(f"No graph is due on nodes {', '.join(options.nodes or ())} of cluster {cluster.name}.")
    return Due(graphs, leaving)


def _with_tasks(cluster: Cluster, graphs: Sequence[Chosen], tasks: Sequence[str]) -> list[Chosen]:
    known = {graph.type: {task["id"] for task in queries.merged_tasks(cluster, graph.type)} for graph in graphs}
    if unknown := sorted(set(tasks).difference(*known.values())):
        raise no_such_tasks(unknown, list(known), cluster)
    own = [[task for task in graph.tasks or tasks if task in tasks and task in known[graph.type]] for graph in graphs]
    return [replace(graph, tasks=wanted) for graph, wanted in zip(graphs, own, strict=True) if wanted]


def _starts_anew(graph: Chosen) -> bool:
    """What these did to a node before, it was another node: nothing of it is kept."""
    return graph.type in (PROVISION, DELETION)
