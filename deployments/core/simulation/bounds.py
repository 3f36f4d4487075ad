"""How fast a deployment could be at best: the critical path, and what the limits alone take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployments.core.links import Links, link
from deployments.core.plan import ENGINE_TYPES, Plan
from deployments.core.scheduling.weights import topological
from deployments.core.simulation.durations import Durations, run_durations
from deployments.core.wording import counted


@dataclass(frozen=True, slots=True)
class LowerBound:
    """No order of the runs can take less than `seconds`; `what` says which part decides."""

    seconds: float
    what: str


def critical_path(plan: Plan, durations: Durations, links: Links | None = None) -> list[int]:
    """The runs of the longest chain of dependencies, in order. Among equals the one that comes first in the plan.

    Args:
        durations: seconds by `task/uid`, `task` or `*`.
    """
    links = links or link(plan)
    seconds = run_durations(plan, durations)
    ends: list[float] = [0] * len(links.successors)
    came_from: list[int | None] = [None] * len(links.successors)
    for vertex in topological(plan, links):
        if not links.is_join(vertex):
            ends[vertex] += seconds[vertex]
        for after in links.successors[vertex]:
            if ends[vertex] > ends[after]:
                ends[after], came_from[after] = ends[vertex], vertex
    if not plan.runs:
        return []
    last: int | None = max(range(len(plan.runs)), key=lambda run: (ends[run], -run))
    path: list[int] = []
    while last is not None:
        path.append(last)
        last = came_from[last]
    return [run for run in reversed(path) if not links.is_join(run)]


def lower_bounds(plan: Plan, durations: Durations, links: Links | None = None) -> list[LowerBound]:
    """What each single rule takes at least, the longest first.

    The chain of dependencies; each node, which works one run after the other; each task with a limit; and all the work over the greatest
    number of busy nodes.
    """
    seconds = run_durations(plan, durations)
    by_node: dict[str, float] = {}
    by_task: dict[str, float] = {}
    for run, duration in zip(plan.runs, seconds, strict=True):
        if run.type not in ENGINE_TYPES:
            by_node[run.node] = by_node.get(run.node, 0) + duration
            by_task[run.task] = by_task.get(run.task, 0) + duration
    path = critical_path(plan, durations, links)
    bounds = [LowerBound(sum(seconds[run] for run in path), "the longest chain of dependencies")]
    bounds += [LowerBound(work, f"the work of node {node}") for node, work in by_node.items()]
    bounds += [
        LowerBound(_shared(by_task[task], limit), f"task {task} on at most {counted(limit, 'node')} at once")
        for task, limit in plan.limits.items()
        if limit > 0 and task in by_task
    ]
    if plan.max_nodes_per_call > 0:
        work = _shared(sum(by_node.values()), plan.max_nodes_per_call)
        bounds.append(LowerBound(work, f"all the work on at most {counted(plan.max_nodes_per_call, 'busy node')}"))
    return sorted(bounds, key=lambda bound: -bound.seconds)


def lower_bound(plan: Plan, durations: Durations, links: Links | None = None) -> float:
    """Seconds below which no order of the runs can come."""
    return lower_bounds(plan, durations, links)[0].seconds


def path_seconds(plan: Plan, path: Iterable[int], durations: Durations) -> float:
    """How long the runs of a path take one after the other."""
    seconds = run_durations(plan, durations)
    return sum(seconds[run] for run in path)


def _shared(work: float, among: int) -> float:
    return work // among if work % among == 0 else work / among
