"""What can be started: which graphs, on which nodes. The request itself is made by `lifecycle`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.states import PROVISION
from deployments.dispatch import Dispatcher
from deployments.models import Cluster, Node
from deployments.models.graph import DEFAULT_TYPE
from deployments.services import lifecycle
from deployments.services.clock import Clock
from deployments.services.due_graphs import Chosen, Due, check_ready, chosen, due, unprovisioned
from deployments.services.errors import NotFound
from deployments.services.lifecycle import DeployOptions
from deployments.services.nodes import uid_of
from history.models import Transaction


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
        return lifecycle.request_deploy(
            cluster, options, actor=self.actor, reason=self.reason, clock=self.clock, dispatcher=self.dispatcher
        )


def deploy_changes(cluster: Cluster, options: DeployOptions, asker: Asker, graph_type: str = "") -> Transaction:
    """Deploy what is due: the graph of this type; else the sequence `deploy-changes` of the release; else deletion and provisioning,
    where there are such graphs and nodes that wait for them, and the default graph. Nodes that are to leave and need no graph for it do.

    Raises:
        InvalidData: the cluster can't be deployed like that.
        Conflict: a deployment of the cluster is under way.
    """
    if graph_type:
        return asker.deploy(cluster, replace(options, graph_types=(graph_type,)))
    if options.token is not None:
        return asker.deploy(cluster, options)
    return asker.deploy(cluster, due(cluster, options).options(options))


def deploy_nodes(cluster: Cluster, nodes: Sequence[str], options: DeployOptions, asker: Asker, graph_type: str = "") -> Transaction:
    """Run a graph on these nodes (all that can be deployed, if none are named).

    Raises:
        NotFound: a node is not known.
        InvalidData: the cluster or a node can't be deployed like that.
        Conflict: a deployment of the cluster is under way.
    """
    uids = members(cluster, nodes)
    check_ready(cluster, uids)
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
    uids = members(cluster, nodes) or unprovisioned(cluster, rehearsed=False)
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
    wanted = [chosen(graph) for graph in graphs]
    known = {graph.type: {task["id"] for task in queries.merged_tasks(cluster, graph.type)} for graph in wanted}
    if missing := [graph.type for graph in wanted if not known[graph.type]]:
        raise NotFound(f"Graph with type: {', '.join(missing)} is not defined for cluster {cluster.id}")
    if unknown := sorted({task for graph in wanted for task in graph.tasks or ()}.difference(*known.values())):
        raise InvalidData(f"Tasks {','.join(unknown)} are not present in deployment graph")
    named = {uid for graph in wanted for uid in graph.nodes or ()}
    if strange := sorted(named - set(cluster.nodes.values_list("uid", flat=True)) - {"master"}):
        raise InvalidData(f"Nodes {', '.join(strange)} do not belong to the same cluster {cluster.id}")
    return asker.deploy(cluster, Due([_narrowed(graph, known[graph.type]) for graph in wanted]).options(options))


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


def _narrowed(graph: Chosen, known: Collection[str]) -> Chosen:
    return graph if graph.tasks is None else replace(graph, tasks=[task for task in graph.tasks if task in known])
