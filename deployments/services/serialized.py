"""What would be run, in the form in which Nailgun hands it to Astute, and the facts behind it. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.plan import SYNC_NODE, Plan
from deployments.core.planning.role_based import without_barriers
from deployments.core.planning.settings_facts import united
from deployments.core.time_limit import Limit
from deployments.models import Cluster
from deployments.services import plans
from deployments.services.facts import cluster_facts, deployment_info
from deployments.services.plans import PlanOptions

MOST_RELATIONS = 500_000


def serialized_tasks(
    cluster: Cluster, graph_type: str, nodes: Sequence[str] | None, tasks: Sequence[str] | None, limit: Limit
) -> dict[str, Any]:
    """`{tasks_directory, tasks_graph: {uid: [task, …]}, tasks_metadata: {fault_tolerance_groups}}`.

    Raises:
        InvalidData and the others of planning: no plan can be made, or it is too large to be shown like this.
    """
    plan = without_barriers(plans.make(cluster, graph_type, PlanOptions(nodes, tasks), limit).plan)
    relations = sum(len(bundle.sources) * len(bundle.targets) for bundle in plan.bundles)
    if relations > MOST_RELATIONS:
        raise InvalidData(f"The plan has {relations:,} relations, too many to be shown: name fewer nodes or tasks.")
    groups = [{"name": group.name, "node_ids": list(group.nodes), "fault_tolerance": group.tolerance} for group in plan.groups]
    return {"tasks_directory": {}, "tasks_graph": _graph(plan), "tasks_metadata": {"fault_tolerance_groups": groups}}


def facts(cluster: Cluster, nodes: Sequence[str], *, split: bool) -> Iterator[dict[str, Any]]:
    """What graphs read, one mapping with `uid` for each of the nodes (none named: all); `split` = what is common stands apart."""
    chosen = [node for node in cluster.nodes.order_by("id") if not nodes or node.uid in nodes]
    info = deployment_info(cluster_facts(cluster, chosen, force=True))
    common = info["common"]
    if split:
        yield {"uid": "common", **common}
    for uid, own in info["nodes"].items():
        yield {**(own if split else united(common, own)), "uid": uid}


def _graph(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    requires: dict[int, set[int]] = {}
    for before, after in plan.edges():
        requires.setdefault(after, set()).add(before)
    graph: dict[str, list[dict[str, Any]]] = {node: [] for node in plan.nodes}
    for index, run in enumerate(plan.runs):
        needs = [{"name": plan.runs[one].task, "node_id": _node(plan.runs[one].node)} for one in sorted(requires.get(index, ()))]
        task: dict[str, Any] = {"id": run.task, "type": run.type, "fail_on_error": run.fail_on_error, "requires": needs, "required_for": []}
        if run.parameters:
            task["parameters"] = run.parameters
        graph.setdefault(run.node, []).append(task)
    return graph


def _node(uid: str) -> str | None:
    return None if uid == SYNC_NODE else uid
