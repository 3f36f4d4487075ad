"""Making the plan of one graph on one cluster, from what the database knows now. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deployments import queries
from deployments.core.facts import ClusterFacts
from deployments.core.graph.templates import SKIPPED
from deployments.core.plan import ENGINE_TYPES, MASTER_NODE, Plan, PlanWarning
from deployments.core.planning import planner, reuse
from deployments.core.planning.planner import Planned
from deployments.core.planning.reuse import LastTry, Name, Verdict
from deployments.core.planning.role_based import role_based
from deployments.core.planning.subgraphs import leave_out
from deployments.core.states import DEPLOYMENT
from deployments.core.time_limit import Limit, Look, no_look
from deployments.core.wording import listed
from deployments.models import Cluster, Node
from deployments.queries import MergedGraph
from deployments.services.facts import NOTHING_RAN, cluster_facts, selected_nodes, status_of
from deployments.services.present_system import on_present_system
from deployments.services.run_order import RunOrder, run_order
from history import past
from history import queries as history

_NAMED = 5
"""How many nodes a warning names before it only counts."""


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a request says about its plan. `nodes` and `tasks` narrow it down (None = all)."""

    nodes: Sequence[str] | None = None
    tasks: Sequence[str] | None = None
    subgraphs: Sequence[Mapping[str, Any]] | None = None
    force: bool = False
    noop: bool = False
    reuse: bool = False
    skip: Sequence[str] = ()
    """Runs (`task/node`) that a person wants to be left out."""
    goes_on: bool = False
    """A request that has ended goes on: nodes that it has provisioned are not provisioned again."""
    rehearsed: bool = False
    """The plan is for a rehearsal."""


@dataclass(frozen=True, slots=True)
class Made:
    """A plan and all that it was made from."""

    plan: Plan
    """What is to run."""
    graph: MergedGraph
    order: RunOrder
    facts: ClusterFacts
    planned: Planned
    """Before anything was kept from running again and before roles were put in order."""
    inputs: tuple[str, ...]
    """By run of `planned`: its inputs' digest."""
    tries: Mapping[Name, LastTry]
    verdicts: Mapping[int, Verdict]
    """By run of `planned`; empty unless `reuse` was asked for."""

    @property
    def inputs_by_name(self) -> dict[Name, str]:
        """Digests of the inputs of everything that is to run."""
        runs = self.planned.plan.runs
        kept = {run for run, verdict in self.verdicts.items() if verdict.kept}
        return {(runs[run].task, runs[run].node): digest for run, digest in enumerate(self.inputs) if digest and run not in kept}


def make(cluster: Cluster, graph_type: str, options: PlanOptions, limit: Limit, *, compared: bool = False, look: Look = no_look) -> Made:
    """Plan the cluster's graph of this type.

    Args:
        compared: fetch also what is needed only to say what has changed.
        look: called again and again; what it raises gives the plan up.

    Raises:
        InvalidData, ExpressionError, LoopDetected and the others of planning: no plan can be made; the sentence says why.
    """
    graph = queries.merged_graph(cluster, graph_type)
    nodes = selected_nodes(cluster, options.nodes, node_filter=graph.node_filter, rehearsed=options.rehearsed, limit=limit)
    facts = cluster_facts(cluster, nodes, force=options.force, rehearsed=options.rehearsed, whole_past=compared)
    planned = planner.plan_and_watch(
        graph.tasks, facts, only_tasks=options.tasks, subgraphs=options.subgraphs, noop=options.noop,
        max_nodes_per_call=cluster.max_nodes_per_call, limit=limit, look=look,
    )  # fmt: skip
    planned = _with_who_switched_off(planned, graph)
    inputs = planned.watch.inputs(planned.plan)
    look()
    tries = last_tries(cluster, nodes, planned.plan, goes_on=options.goes_on) if options.reuse or compared else {}
    verdicts = reuse.judge(planned.plan, planned.links, inputs, tries) if options.reuse else {}
    plan = reuse.keep(planned.plan, _reasons_to_keep(verdicts))
    plan = leave_out(plan, options.skip)
    order = run_order(cluster, graph_type, graph.tasks)
    if order.by_roles:
        plan = role_based(plan, graph.tasks)
    said = [order.warning, _without_task(plan, nodes) if graph_type == DEPLOYMENT else ""]
    plan = replace(plan, warnings=(*(PlanWarning(text) for text in said if text), *plan.warnings))
    return Made(plan, graph, order, facts, planned, inputs, tries, verdicts)


def _without_task(plan: Plan, nodes: Sequence[Node]) -> str:
    busy = {run.node for run in plan.runs}
    idle = [node for node in nodes if node.uid not in busy]
    if not idle or len(idle) == len(nodes):
        return ""
    roles = sorted({role for node in idle for role in (*node.roles, *node.pending_roles)}) or ["none"]
    names = listed([node.uid for node in idle], _NAMED)
    return f"The graph has no task for {names} (roles: {', '.join(roles)}): nothing is done there, and the node counts as deployed."


def _reasons_to_keep(verdicts: Mapping[int, Verdict]) -> dict[int, str]:
    kept = {run: verdict.kept for run, verdict in verdicts.items() if verdict.kept}
    known_as = history.requests_of(kept.values())
    return {run: f"reused from transaction {known_as[child]}" for run, child in kept.items()}


def _with_who_switched_off(planned: Planned, graph: MergedGraph) -> Planned:
    """What a graph switches off says which graph that is, and has the type that its task had before."""
    if not graph.switched_off:
        return planned
    runs = tuple(
        replace(run, own_type=off.type, why=off.why) if run.own_type == SKIPPED and (off := graph.switched_off.get(run.task)) else run
        for run in planned.plan.runs
    )
    return replace(planned, plan=replace(planned.plan, runs=runs))


def last_tries(cluster: Cluster, nodes: Iterable[Node], plan: Plan, *, goes_on: bool = False) -> dict[Name, LastTry]:
    """The last try of each run of the plan, on these nodes and on the orchestrator's own host.

    What ran before a node's last provisioning, begun or ended, is gone with the operating system of then. The provisioning itself is done
    again whenever it is asked for, unless what asked for it once goes on.
    """
    nothing_ran = [status for status in NOTHING_RAN if not (goes_on and status == "provisioned")]
    deployed = {MASTER_NODE, *(node.uid for node in nodes if status_of(node) not in nothing_ran)}
    asked = [(run.task, run.node) for run in plan.runs if run.node in deployed and run.task_type not in ENGINE_TYPES]
    rows = past.last_tries(cluster.id, asked)
    present = on_present_system({name: row.transaction_id for name, row in rows.items()})
    return {name: LastTry(child, rows[name].status, rows[name].inputs) for name, child in present.items()}
