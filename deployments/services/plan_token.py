"""Tokens: "run exactly the plan that I was shown". Signed, so that nobody can make up options that were never shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing

from deployments import queries
from deployments.core.errors import InvalidData
from deployments.core.plan import Plan
from deployments.models import Cluster
from deployments.services.errors import Conflict
from deployments.services.facts import filter_data, status_of
from history import queries as history

_SALT = "fuelweb.deployments.plan"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class PlanToken:
    """What was shown: the options of the request, digests of what the plan was made from, and of the plan itself."""

    cluster_id: int
    options: Mapping[str, Any]
    sources: Mapping[str, str]
    plan: str

    def text(self) -> str:
        """The signed form."""
        return signing.dumps([_FORMAT, self.cluster_id, self.options, self.sources, self.plan], salt=_SALT, compress=True)


def redeem(text: str, cluster: Cluster) -> PlanToken:
    """Read a token and compare it with what is there now.

    Raises:
        InvalidData: it is no token of this system, or one of another cluster.
        Conflict: something has changed since; the sentence says what.
    """
    try:
        form, cluster_id, options, sources, plan = signing.loads(text.strip(), salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise InvalidData("This is no token that `deploy --plan` has printed here: copy it whole.") from error
    if form != _FORMAT or cluster_id != cluster.id:
        raise InvalidData(f"The token is not for cluster {cluster.name}: it is of another cluster or another version of the program.")
    now = digests(cluster, options["graph_types"][0])
    if changed := sorted(name for name in sources.keys() | now.keys() if sources.get(name) != now.get(name)):
        raise Conflict(
            f"Something changed since the plan was shown: {', '.join(changed)}. "
            f"Look at it again (deploy {cluster.name} --plan) and use the new token."
        )
    return PlanToken(cluster_id, options, sources, plan)


def digests(cluster: Cluster, graph_type: str) -> dict[str, str]:
    """Digests of everything a plan of this graph is made from, by what people call it. Cheap: nothing is planned."""
    graph = queries.merged_graph(cluster, graph_type)
    release = cluster.release
    newest = history.newest_real_child(cluster.id)
    nodes = [
        (node.uid, node.roles, node.pending_roles, node.tags, node.data, status_of(node), node.pending_deletion, node.pending_addition,
         filter_data(node, rehearsed=False) if graph.node_filter else None)
        for node in cluster.nodes.order_by("id")
    ]  # fmt: skip
    parts: dict[str, Any] = {
        "the graph": (graph.tasks, graph.node_filter),
        "the settings": cluster.settings,
        "the common data": cluster.common,
        "the nodes": nodes,
        "the release": (release.id, release.roles_metadata, release.tags_metadata),
        "how the cluster is deployed": (cluster.task_based_deployment, cluster.task_based_always, cluster.max_nodes_per_call),
        "the history": (newest.id, newest.status) if newest else None,
    }
    return {name: _digest(data)[:16] for name, data in parts.items()}


def plan_digest(plan: Plan) -> str:
    """SHA-256 of a plan's stored form."""
    return _digest(plan.to_data())


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
