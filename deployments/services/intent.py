"""What a request would do, in words for who is about to make it. Nothing is planned for that: which tasks run is the planner's to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deployments import queries
from deployments.core.errors import FuelwebError
from deployments.core.graph.templates import GROUP_TYPES
from deployments.core.plan import ENGINE_TYPES
from deployments.core.states import DEPLOYMENT, PROVISION
from deployments.core.wording import counted
from deployments.models import Cluster
from deployments.services.drain import drain_view
from deployments.services.due_graphs import Chosen, Due, due
from deployments.services.facts import UNCHANGED, has_system, status_of
from deployments.services.lifecycle import DeployOptions, check_options
from deployments.services.run_order import run_order
from history import queries as history

_MOST_NAMED = 12


@dataclass(frozen=True, slots=True)
class Intent:
    """Sentences about one cluster; `problem` says why the request would be refused, empty if it would not."""

    cluster: Cluster
    lines: Sequence[str]
    problem: str = ""


def deploy_intent(cluster: Cluster, *, dry_run: bool = False) -> Intent:
    """What "deploy changes" would do now; or a dry run of it, which only plans."""
    running = history.unfinished_deploy(cluster.id)
    if running is not None:
        return Intent(cluster, [], f"Transaction {running.id} is under way: wait for it, or stop it.")
    options = DeployOptions(dry_run=dry_run)
    try:
        found = due(cluster, options)
        check_options(cluster, found.options(options))
    except FuelwebError as error:
        return Intent(cluster, [], str(error))
    lines = what_is_due(cluster, found) + _nodes(cluster, found)
    if dry_run:
        lines.append("All of this is only planned and recorded, as a dry run: nothing is run, no state changes.")
    return Intent(cluster, lines)


def what_is_due(cluster: Cluster, found: Due) -> list[str]:
    """A sentence for each graph, in order, and one for the nodes that leave without any."""
    lines = [_graph(cluster, graph) for graph in found.graphs]
    return [*lines, f"{_named(found.leaving, 'leaves', 'leave')} the cluster."] if found.leaving else lines


def stop_intent(cluster: Cluster, now: datetime) -> Intent:
    """What a stop would do now."""
    view = drain_view(cluster.id, now)
    if view is None:
        return Intent(cluster, [], "Nothing is being deployed.")
    if view.stopping:
        return Intent(cluster, [], f"Transaction {view.transaction.id} is being stopped already.")
    done = f"{counted(view.done, 'task run')} {'is' if view.done == 1 else 'are'} done"
    lines = [f"Transaction {view.transaction.id} of {view.transaction.actor} is stopped: {done}."]
    if view.running:
        ends = "task run that runs ends by itself" if len(view.running) == 1 else "task runs that run end by themselves"
        lines.append(f"{len(view.running)} {ends}: {_some([f'{run.task}/{run.node}' for run in view.running])}.")
    held = f"{counted(view.waiting, 'task run')} {'does' if view.waiting == 1 else 'do'} not start."
    lines.append(f"{held} What was deployed stays; a later deployment goes on from there.")
    return Intent(cluster, lines)


def _graph(cluster: Cluster, graph: Chosen) -> str:
    merged = queries.merged_graph(cluster, graph.type)
    tasks, order = len(merged.tasks if graph.tasks is None else graph.tasks), run_order(cluster, graph.type, merged.tasks)
    where = f" on {_named(graph.nodes, start='node')}" if graph.nodes is not None else ""
    if not where and merged.node_filter:
        where = " on the nodes that its node filter selects"
    return f"Graph {graph.type} is run{where}: {counted(tasks, 'task')}{f', {order.text}' if order.why else ''}."


def _nodes(cluster: Cluster, found: Due) -> list[str]:
    """What the default graph, if it is due, does on the nodes, by their states; which tasks have those nodes is the planner's to say."""
    graph = next((graph for graph in found.graphs if graph.type == DEPLOYMENT), None)
    if graph is None or (graph.nodes is None and queries.merged_graph(cluster, graph.type).node_filter):
        return []
    nodes = [node for node in cluster.nodes.filter(pending_deletion=False).order_by("id") if graph.nodes is None or node.uid in graph.nodes]
    first = {uid for due_graph in found.graphs if due_graph.type == PROVISION for uid in due_graph.nodes or ()}
    provisioned = [node.uid for node in nodes if node.uid in first]
    rest = [node for node in nodes if node.uid not in first]
    out = [node.uid for node in rest if not has_system(node)]
    ready = [node.uid for node in rest if status_of(node) in UNCHANGED and not node.pending_addition]
    whole = [node.uid for node in rest if node.uid not in {*ready, *out}]
    lines = []
    if provisioned:
        lines.append(f"Once provisioned, {_named(provisioned, 'runs its', 'run their', start='node')} tasks as if for the first time.")
    if whole:
        lines.append(f"{_named(whole, 'runs its', 'run their')} tasks as if for the first time.")
    if ready:
        lines.append(f"{_named(ready, 'is', 'are')} ready: {_conditions(cluster, graph)}.")
    if out:
        lines.append(f"{_named(out, 'is', 'are')} left out: no system runs there yet, and no graph provisions {_them(out)}.")
    return lines


def _conditions(cluster: Cluster, graph: Chosen) -> str:
    """What a graph does on a ready node; how many of its tasks run there in any case, since nothing keeps them from running again."""
    tasks = queries.merged_tasks(cluster, graph.type)
    idle = ENGINE_TYPES | GROUP_TYPES
    asked = [task for task in tasks if task.get("type") not in idle and (graph.tasks is None or task["id"] in graph.tasks)]
    always = sum(task.get("condition") in (None, "", True) for task in asked)
    again = " again" if history.newest_real_child(cluster.id, graph.type) is not None else ""
    said = f"{counted(always, 'task')} without a condition {'runs' if always == 1 else 'run'}{again}"
    if always and always == len(asked):
        return said
    conditions = "conditions decide what runs there"
    return f"{conditions}; {said}" if always else conditions


def _them(uids: Sequence[str]) -> str:
    return "it" if len(uids) == 1 else "them"


def _named(uids: Sequence[str], one: str = "", many: str = "", *, start: str = "Node") -> str:
    word = f"{start} {uids[0]}" if len(uids) == 1 else f"{len(uids)} nodes ({_some(uids)})"
    return f"{word} {one if len(uids) == 1 else many}".rstrip()


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
