"""From the database to what the planner knows of a cluster."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from deployments.core.errors import ExpressionError, InvalidData
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.facts import ClusterFacts, NodeFacts, PastFacts, PlanSettings
from deployments.core.plan import MASTER_NODE, SYNC_NODE
from deployments.core.planning.roles import assign_tags
from deployments.core.planning.settings_facts import settings_facts, united
from deployments.core.time_limit import Limit, no_limit
from deployments.models import Cluster, Node
from deployments.services import stored
from deployments.services.present_system import on_present_system
from deployments.services.task_deploy import settings_for_graphs
from history import past

logger = logging.getLogger(__name__)

DEPLOYABLE = ("provisioned", "deploying", "ready", "stopped", "error")
"""Statuses in which a node has an operating system that tasks can run on."""

UNCHANGED = ("ready",)
"""Statuses in which only what changed runs again; in all others a node's tasks run as if for the first time (Nailgun)."""

NOTHING_RAN = ("discover", "provisioning", "provisioned")
"""Statuses in which nothing was ever deployed on the node's present operating system."""


def status_of(node: Node, *, rehearsed: bool = False) -> str:
    """The node's status; what rehearsals have made of it counts for rehearsals only."""
    return node.status if rehearsed else node.status_before_rehearsal or node.status


def has_system(node: Node, *, rehearsed: bool = False) -> bool:
    """Whether an operating system runs there, so that it can be deployed: its provisioning, if it had any, has ended well."""
    status = status_of(node, rehearsed=rehearsed)
    return status in DEPLOYABLE and not (status in ("error", "stopped") and node.error_type == "provision")


def selected_nodes(
    cluster: Cluster, only: Collection[str] | None, *, node_filter: str = "", rehearsed: bool = False, limit: Limit = no_limit
) -> list[Node]:
    """The nodes a deployment is for: those named; else those that the graph's filter lets through, perhaps none; else all that can be
    deployed and aren't about to leave.

    Raises:
        InvalidData: there are none, or the filter can't be evaluated.
    """
    nodes = list(cluster.nodes.order_by("id"))
    if only is not None:
        chosen = [node for node in nodes if node.uid in only]
    elif node_filter:
        return _filtered(nodes, node_filter, rehearsed, limit)
    else:
        chosen = [node for node in nodes if has_system(node, rehearsed=rehearsed) and not node.pending_deletion]
    if not chosen:
        states = ", ".join(sorted({node.status for node in nodes})) or "no nodes"
        raise InvalidData(
            f"No node of cluster {cluster.name} can be deployed (their states: {states}): provision them first, or name them and a graph."
        )
    return chosen


def filter_data(node: Node, *, rehearsed: bool) -> dict[str, Any]:
    """What a graph's `node_filter` sees of a node (Nailgun)."""
    return {
        "id": int(node.uid) if node.uid.isdecimal() else node.uid, "name": node.name, "hostname": node.hostname,
        "status": status_of(node, rehearsed=rehearsed), "error_type": node.error_type or None,
        "pending_addition": node.pending_addition, "pending_deletion": node.pending_deletion,
        "roles": node.roles, "pending_roles": node.pending_roles, "labels": node.labels, "meta": node.meta, "attributes": node.data,
    }  # fmt: skip


def _filtered(nodes: Collection[Node], node_filter: str, rehearsed: bool, limit: Limit) -> list[Node]:
    seen = tuple(NodeFacts(node.uid, (), filter_data(node, rehearsed=rehearsed)) for node in nodes)
    evaluator = Evaluator(ClusterFacts(nodes=seen), PlanSettings(), limit)
    try:
        views = {node.uid: evaluator.view("node_filter", node.uid) for node in nodes}
        return [node for node in nodes if evaluator.yaql(node_filter, views[node.uid], task="node_filter", node=node.uid)]
    except ExpressionError as error:
        raise InvalidData(f"The graph's node_filter can't select nodes. {error}", where=node_filter) from error


def cluster_facts(
    cluster: Cluster, nodes: Collection[Node], *, force: bool, rehearsed: bool = False, whole_past: bool = False
) -> ClusterFacts:
    """What planning sees.

    Args:
        nodes: the nodes to plan for. Tags that a node was given stand for those of its roles.
        force: nothing that was done before counts.
        rehearsed: plan a rehearsal: what rehearsals have made of the nodes counts.
        whole_past: give the old data of nodes on which everything runs again too (planning has no use for it; who compares has).
    """
    everybody = list(cluster.nodes.all())
    roles = {node.uid: [*node.roles, *(role for role in node.pending_roles if role not in node.roles)] for node in everybody}
    ready = [node.uid for node in everybody if status_of(node, rehearsed=rehearsed) == "ready"]
    tags = assign_tags(roles, cluster.release.roles_metadata, cluster.release.tags_metadata, ready=ready)
    facts = tuple(NodeFacts(node.uid, tuple(node.tags) or tags[node.uid], node.data) for node in nodes)
    fresh = frozenset(node.uid for node in nodes if force or _is_fresh(node, rehearsed))
    if force:
        fresh |= {MASTER_NODE, SYNC_NODE}
    remembering = {node.uid for node in nodes} | {MASTER_NODE}
    old = _past(cluster, remembering if whole_past else remembering - fresh)
    return ClusterFacts(common=united(cluster.common, settings_facts(settings_for_graphs(cluster))), nodes=facts, old=old, fresh=fresh)


def deployment_info(facts: ClusterFacts) -> dict[str, Any]:
    """The stored form of the facts: `{common, nodes: {uid: info}}`, as Nailgun keeps it."""
    return {"common": facts.common, "nodes": {node.uid: node.deployment_info() for node in facts.nodes}}


def _is_fresh(node: Node, rehearsed: bool) -> bool:
    return status_of(node, rehearsed=rehearsed) not in UNCHANGED or node.pending_addition


def _past(cluster: Cluster, uids: Collection[str]) -> dict[str, dict[str, PastFacts]]:
    """By task and node: what the last successful run saw, on the node's present system. Runs of one transaction share its data."""
    newest = on_present_system(past.last_ready(cluster.id, uids))
    seen = {child: _past_facts(child) for child in sorted(set(newest.values()))}
    facts_of: dict[str, dict[str, PastFacts]] = {}
    for (task, uid), child in newest.items():
        if (facts := seen[child]) is not None:
            facts_of.setdefault(task, {})[uid] = facts
    return facts_of


def _past_facts(child_id: int) -> PastFacts | None:
    """None where it can't be read any more: then nothing is known of what was, so everything may have changed."""
    try:
        info = stored.snapshot(child_id, "deployment_info")
    except stored.CantBeLoaded as error:
        logger.warning("%s Until then its tasks count as never run.", error)
        return None
    master = NodeFacts(MASTER_NODE, (MASTER_NODE,)).deployment_info()
    return PastFacts(info["common"], {MASTER_NODE: master, SYNC_NODE: {}, **info["nodes"]})
