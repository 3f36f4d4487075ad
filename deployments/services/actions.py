"""What the API can start: which graphs, on which nodes. The request itself is made by `lifecycle`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.dispatch import Dispatcher
from deployments.models import Cluster, Node
from deployments.models import Sequence as GraphSequence
from deployments.models.graph import DEFAULT_TYPE
from deployments.services import clusters, lifecycle
from deployments.services.clock import Clock
from deployments.services.errors import NotFound
from deployments.services.lifecycle import DeployOptions
from deployments.services.nodes import uid_of
from history.models import Transaction

DEPLOY_CHANGES = "deploy-changes"
PROVISION, DELETION = "provision", "deletion"


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks and why, and what is needed to pass it on."""

    actor: str
    reason: str
    clock: Clock
    dispatcher: Dispatcher

    def deploy(self, cluster: Cluster, options: DeployOptions) -> Transaction:
        """Make the request.

        Raises:
            InvalidData: the cluster can't be deployed like that.
            Conflict: a deployment of the cluster is under way.
        """
        release = cluster.release
        if release.state == "unavailable":
            raise InvalidData(f"Release '{release.name} {release.version}' is unavailable!")
        return lifecycle.request_deploy(
            cluster, options, actor=self.actor, reason=self.reason, clock=self.clock, dispatcher=self.dispatcher
        )


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


def deploy_changes(cluster: Cluster, options: DeployOptions, asker: Asker, graph_type: str = "") -> Transaction:
    """Deploy what has changed: the graph of this type; else the sequence `deploy-changes` of the release; else deletion and provisioning,
    where there are such graphs and nodes that wait for them, and the default graph. Nodes that are to leave and need no graph for it do.

    Raises:
        InvalidData: the cluster can't be deployed like that.
        Conflict: a deployment of the cluster is under way.
    """
    if graph_type:
        return asker.deploy(cluster, replace(options, graph_types=(graph_type,)))
    chosen, leaving = changes(cluster)
    row = _run(cluster, chosen, options, asker)
    if leaving and not options.dry_run and not options.noop:
        clusters.free(cluster, leaving)
    return row


def changes(cluster: Cluster) -> tuple[list[Chosen], list[str]]:
    """The graphs that "deploy changes" runs now, and the nodes that leave without any."""
    sequence = GraphSequence.objects.filter(release_id=cluster.release_id, name=DEPLOY_CHANGES).first()
    if sequence is not None:
        return [_chosen(graph) for graph in sequence.graphs], []
    leaving = list(cluster.nodes.filter(pending_deletion=True).values_list("uid", flat=True))
    known = queries.graph_types(cluster)
    chosen = [Chosen(DELETION, leaving)] if leaving and DELETION in known else []
    if PROVISION in known and (waiting := _unprovisioned(cluster)):
        chosen.append(Chosen(PROVISION, waiting))
    return [*chosen, Chosen(DEFAULT_TYPE)], [] if DELETION in known else leaving


def deploy_nodes(cluster: Cluster, nodes: Sequence[str], options: DeployOptions, asker: Asker, graph_type: str = "") -> Transaction:
    """Run a graph on these nodes (all that can be deployed, if none are named).

    Raises:
        NotFound: a node is not known.
        InvalidData: the cluster or a node can't be deployed like that.
        Conflict: a deployment of the cluster is under way.
    """
    uids = members(cluster, nodes)
    _check_ready(cluster, uids)
    return asker.deploy(cluster, replace(options, graph_types=(graph_type or DEFAULT_TYPE,), nodes=uids or None))


def deploy_tasks(
    cluster: Cluster, nodes: Sequence[str], tasks: Sequence[str], options: DeployOptions, asker: Asker, graph_type: str = ""
) -> Transaction:
    """Run these tasks of a graph, on these nodes if any are named; all others are skipped.

    Raises:
        NotFound: a node is not known.
        InvalidData: a task or a node is not the cluster's.
        Conflict: a deployment of the cluster is under way.
    """
    uids = members(cluster, nodes)
    return asker.deploy(cluster, replace(options, graph_types=(graph_type or DEFAULT_TYPE,), nodes=uids or None, tasks=tasks))


def provision(cluster: Cluster, nodes: Sequence[str], options: DeployOptions, asker: Asker) -> Transaction:
    """Run the graph of type `provision` on these nodes, else on those that wait for it.

    Raises:
        NotFound: a node is not known.
        InvalidData: there is no such graph, or no node to provision.
        Conflict: a deployment of the cluster is under way.
    """
    uids = members(cluster, nodes) or _unprovisioned(cluster)
    if not uids:
        raise InvalidData(f"No node of environment {cluster.id} waits to be provisioned: name some.")
    return asker.deploy(cluster, replace(options, graph_types=(PROVISION,), nodes=uids))


def execute(cluster: Cluster, graphs: Sequence[Mapping[str, Any]], options: DeployOptions, asker: Asker) -> Transaction:
    """Run these graphs one after the other: `[{type, nodes?, tasks?}, …]`.

    Clients name the same tasks for every graph; each graph runs those that it has.

    Raises:
        NotFound: the cluster has no graph of such a type.
        InvalidData: the cluster can't be deployed like that.
        Conflict: a deployment of the cluster is under way.
    """
    chosen = [_chosen(graph) for graph in graphs]
    known = {graph.type: {task["id"] for task in queries.merged_tasks(cluster, graph.type)} for graph in chosen}
    if missing := [graph.type for graph in chosen if not known[graph.type]]:
        raise NotFound(f"Graph with type: {', '.join(missing)} is not defined for cluster {cluster.id}")
    if unknown := sorted({task for graph in chosen for task in graph.tasks or ()}.difference(*known.values())):
        raise InvalidData(f"Tasks {','.join(unknown)} are not present in deployment graph")
    named = {uid for graph in chosen for uid in graph.nodes or ()}
    if strange := sorted(named - set(cluster.nodes.values_list("uid", flat=True)) - {"master"}):
        raise InvalidData(f"Nodes {', '.join(strange)} do not belong to the same cluster {cluster.id}")
    return _run(cluster, [_narrowed(graph, known[graph.type]) for graph in chosen], options, asker)


def members(cluster: Cluster, names: Sequence[str]) -> list[str]:
    """The uids of these nodes of the cluster.

    Raises:
        NotFound: there is no such node.
        InvalidData: it belongs elsewhere.
    """
    uids = [uid_of(name) for name in names]
    known = dict(Node.objects.filter(uid__in=uids).values_list("uid", "cluster_id"))
    if missing := [uid for uid in uids if uid not in known]:
        raise NotFound(f"Nodes with ids {', '.join(missing)} were not found.")
    if strangers := [uid for uid in uids if known[uid] != cluster.id]:
        raise InvalidData(f"Nodes {', '.join(strangers)} do not belong to cluster {cluster.id}")
    return uids


def _run(cluster: Cluster, chosen: Sequence[Chosen], options: DeployOptions, asker: Asker) -> Transaction:
    types, by_graph = tuple(graph.type for graph in chosen), tuple(graph.arguments() for graph in chosen)
    return asker.deploy(cluster, replace(options, graph_types=types, by_graph=by_graph if any(by_graph) else ()))


def _chosen(graph: Mapping[str, Any]) -> Chosen:
    nodes = graph.get("nodes")
    return Chosen(graph["type"], None if nodes is None else [uid_of(node) for node in nodes], graph.get("tasks"))


def _narrowed(graph: Chosen, known: Collection[str]) -> Chosen:
    return graph if graph.tasks is None else replace(graph, tasks=[task for task in graph.tasks if task in known])


def _unprovisioned(cluster: Cluster) -> list[str]:
    waiting = cluster.nodes.filter(pending_deletion=False)
    nodes = (waiting.filter(pending_addition=True) | waiting.filter(error_type="provision")).filter(status__in=("discover", "error"))
    return list(nodes.order_by("id").values_list("uid", flat=True))


def _check_ready(cluster: Cluster, uids: Sequence[str]) -> None:
    nodes = cluster.nodes.filter(uid__in=uids)
    start = "Deployment operation cannot be started. Nodes with uids"
    if leaving := sorted(nodes.filter(pending_deletion=True).values_list("uid", flat=True)):
        raise InvalidData(f"{start} [{', '.join(leaving)}] marked for deletion. Please remove them and restart deployment.")
    if bare := sorted(nodes.filter(status__in=("discover", "provisioning")).values_list("uid", flat=True)):
        raise InvalidData(f"{start} [{', '.join(bare)}] are not provisioned yet.")
