"""What a request would do, in words for who is about to make it. Nothing is planned for that: which tasks run is the planner's to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deployments import queries
from deployments.core.errors import FuelwebError
from deployments.core.graph.templates import GROUP_TYPES
from deployments.core.plan import ENGINE_TYPES
from deployments.core.states import DEPLOYMENT
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
    lines = what_is_due(cluster, found) + _nodes(cluster)
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
    lines = [f"Transaction {view.transaction.id} of {view.transaction.actor} is stopped: {view.done} task runs are done."]
    if view.running:
        ends = "task run that runs ends by itself" if len(view.running) == 1 else "task runs that run end by themselves"
        lines.append(f"{len(view.running)} {ends}: {_some([f'{run.task}/{run.node}' for run in view.running])}.")
    held = f"{counted(view.waiting, 'task run')} {'does' if view.waiting == 1 else 'do'} not start."
    lines.append(f"{held} What was deployed stays; a later deployment goes on from there.")
    return Intent(cluster, lines)


def _graph(cluster: Cluster, graph: Chosen) -> str:
    merged = queries.merged_tasks(cluster, graph.type)
    tasks, order = len(merged if graph.tasks is None else graph.tasks), run_order(cluster, graph.type, merged)
    where = "" if graph.nodes is None else f" on {_named(graph.nodes)}"
    return f"Graph {graph.type} is run{where}: {tasks} {'task' if tasks == 1 else 'tasks'}{f', {order.text}' if order.why else ''}."


def _nodes(cluster: Cluster) -> list[str]:
    nodes = list(cluster.nodes.filter(pending_deletion=False).order_by("id"))
    changed = [node.uid for node in nodes if status_of(node) in UNCHANGED and not node.pending_addition]
    out = [node.uid for node in nodes if not has_system(node)]
    whole = [node.uid for node in nodes if node.uid not in {*changed, *out}]
    lines = []
    if whole:
        lines.append(f"{_named(whole, 'runs', 'run')} all tasks.")
    if changed:
        lines.append(f"{_named(changed, 'is', 'are')} ready: conditions decide what runs there{_always(cluster)}.")
    if out:
        lines.append(f"{_named(out, 'is', 'are')} left out unless provisioned before: no system runs there yet.")
    return lines


def _always(cluster: Cluster) -> str:
    """How many tasks of the default graph run in any case: a ready node has had them, and nothing keeps them from running again."""
    tasks = queries.merged_tasks(cluster, DEPLOYMENT)
    idle = ENGINE_TYPES | GROUP_TYPES
    always = sum(task.get("condition") in (None, "", True) and task.get("type") not in idle for task in tasks)
    return f"; {counted(always, 'task')} without a condition {'runs' if always == 1 else 'run'} again" if always else ""


def _named(uids: Sequence[str], one: str = "", many: str = "") -> str:
    word = f"Node {uids[0]}" if len(uids) == 1 else f"{len(uids)} nodes ({_some(uids)})"
    return f"{word} {one if len(uids) == 1 else many}".rstrip()


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown} and {len(names) - _MOST_NAMED} more"
