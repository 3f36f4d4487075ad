"""The old order, role by role, as a plan: for those who meet a race and want parallelism off (Nailgun and Astute, the granular engine)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush

from deployments.core.links import link
from deployments.core.plan import SYNC_NODE, Bundle, Plan, PlanWarning, TaskRun, node_order
from deployments.core.planning.waves import Priority, Task, is_for, priorities, slices
from deployments.core.scheduling.weights import topological
from history.states import BARRIER

DEPLOY_START = "deploy_start"
DEPLOY_END = "deploy_end"
BARRIER_TYPE = "anchor"
_WHY = "role by role, what comes after it waits for all that comes before it"

Step = list[int]
"""Runs between two barriers."""


def role_based(plan: Plan, tasks: Iterable[Task]) -> Plan:
    """The same task runs in the old engine's order.

    1. What leads to `deploy_start` runs task by task, each on all its nodes at once; then the groups (roles) in the order of their
       `requires`, by strategy; then, task by task again, what follows `deploy_end`. A graph without these stages is all deployment.
    2. In a step a node runs its tasks strictly one after the other, and at most `max_nodes_per_call` nodes are in one step.
    3. A step waits for the slowest node of the one before. Barriers are runs of type `anchor` on the sync node, so a failed node does
       not hold up the others.

    Dependencies inside a step are kept, those on earlier steps are implied, and those against the order of roles are dropped (the old
    engine knew none of them), with a warning.

    Args:
        plan: a task-based plan.
        tasks: the graph that it was made from, as written.
    """
    tasks = list(tasks)
    layout = _Layout(plan, tasks)
    steps = [step for step in layout.steps() if step]
    step_of = {run: number for number, step in enumerate(steps) for run in step}
    bundles, against = _kept(plan, step_of)
    chains = [pair for step in steps for pair in layout.chains(step)]
    warnings = plan.warnings
    if against:
        first, second = (plan.runs[run].name for run in against[0])
        more = f" and {len(against) - 1:,} more" if len(against) > 1 else ""
        message = f"Role by role, {second} comes before {first}, although it depends on it{more}: the old order knows no such relations."
        warnings = (*warnings, PlanWarning(message, plan.runs[against[0][1]].task))
    return _with_barriers(replace(plan, bundles=(*bundles, *chains), warnings=warnings), steps)


def barrier(step: int) -> TaskRun:
    """What comes after all runs of a step (counted from 1) and before all of the next."""
    return TaskRun(f"step-{step:04}-done", SYNC_NODE, BARRIER_TYPE, fail_on_error=False, own_type=BARRIER, why=_WHY)


def without_barriers(plan: Plan) -> Plan:
    """The same order for people: what waits for a barrier waits for all that the barrier waits for."""
    place = {run: place for place, run in enumerate(run for run, planned in enumerate(plan.runs) if not planned.is_barrier)}
    if len(place) == len(plan.runs):
        return plan
    before: dict[int, list[int]] = {}
    for bundle in plan.bundles:
        for target in bundle.targets:
            if target not in place:
                before.setdefault(target, []).extend(bundle.sources)
    bundles = []
    for bundle in plan.bundles:
        sources = [place[run] for source in bundle.sources for run in before.get(source, (source,))]
        if targets := tuple(place[run] for run in bundle.targets if run in place):
            bundles.append(replace(bundle, sources=tuple(sources), targets=targets))
    return replace(plan, runs=tuple(plan.runs[run] for run in place), bundles=tuple(bundles))


class _Layout:
    """Sorts the runs of a plan into steps."""

    def __init__(self, plan: Plan, tasks: Sequence[Task]) -> None:
        self._plan = plan
        self._tasks = {str(task["id"]): task for task in tasks}
        self._priorities = priorities(plan, tasks)
        self._links = link(plan)
        self._predecessors = self._links.predecessors()
        self._place = [0] * len(plan.runs)
        """By run: its place in one order of all runs that respects every dependency."""
        order = [vertex for vertex in topological(plan, self._links) if not self._links.is_join(vertex)]
        for place, run in enumerate(order):
            self._place[run] = place
        self._order = order
        self._known_targets: dict[int, dict[str, list[int]]] = {}

    def steps(self) -> list[Step]:
        """All runs, each in one step."""
        before = self._tasks_reached(DEPLOY_START, self._predecessors)
        after = self._tasks_reached(DEPLOY_END, self._links.successors) - before
        by_task: dict[str, Step] = {}
        for run in self._order:
            by_task.setdefault(self._plan.runs[run].task, []).append(run)
        order = self._task_order(by_task)
        middle = [run for run in self._order if self._plan.runs[run].task not in before | after]
        hooks_before = [step for task in order if task in before for step in self._hook(by_task[task])]
        hooks_after = [step for task in order if task in after for step in self._hook(by_task[task])]
        return [*hooks_before, *self._deployment(middle), *hooks_after]

    def chains(self, step: Step) -> Iterator[Bundle]:
        """In a step each node works in one fixed order."""
        last: dict[str, int] = {}
        for run in sorted(step, key=self._place.__getitem__):
            node = self._plan.runs[run].node
            if node in last:
                yield Bundle((last[node],), (run,))
            if node != SYNC_NODE:
                last[node] = run

    def _tasks_reached(self, stage: str, neighbours: Sequence[Sequence[int]]) -> set[str]:
        """Tasks with a run from which the stage is reached (the stage itself too)."""
        stack = [index for index, run in enumerate(self._plan.runs) if run.task == stage and run.node == SYNC_NODE]
        seen = set(stack)
        while stack:
            for vertex in neighbours[stack.pop()]:
                if vertex not in seen:
                    seen.add(vertex)
                    stack.append(vertex)
        return {self._plan.runs[vertex].task for vertex in seen if not self._links.is_join(vertex)}

    def _hook(self, runs: Step) -> Iterator[Step]:
        """One task on all its nodes, so many nodes at a time."""
        ordered = sorted(runs, key=lambda run: node_order(self._plan.runs[run].node))
        return (list(part) for part in slices(ordered, self._plan.max_nodes_per_call))

    def _task_order(self, by_task: dict[str, Step]) -> list[str]:
        """Tasks (not runs) in an order that respects what is said on one node or about sync points; circles are broken at the earliest."""
        after: dict[str, set[str]] = {task: set() for task in by_task}
        for first, second in self._near_pairs():
            if first != second:
                after[first].add(second)
        waiting = dict.fromkeys(by_task, 0)
        for others in after.values():
            for other in others:
                waiting[other] += 1
        place = {task: self._place[runs[0]] for task, runs in by_task.items()}
        free = [(place[task], task) for task, count in waiting.items() if not count]
        heapify(free)
        order: list[str] = []
        while waiting:
            task = heappop(free)[1] if free else min(waiting, key=place.__getitem__)
            del waiting[task]
            order.append(task)
            for other in after[task]:
                if other in waiting:
                    waiting[other] -= 1
                    if not waiting[other]:
                        heappush(free, (place[other], other))
        return order

    def _near_pairs(self) -> Iterator[tuple[str, str]]:
        """(before, after) of tasks whose runs depend on each other on one node, or through the sync node."""
        runs = self._plan.runs
        for index, run in enumerate(runs):
            for vertex in self._links.successors[index]:
                for other in self._near_targets(vertex, run):
                    yield run.task, runs[other].task

    def _near_targets(self, vertex: int, source: TaskRun) -> Iterator[int]:
        runs = self._plan.runs
        if not self._links.is_join(vertex):
            if runs[vertex].node in (source.node, SYNC_NODE) or source.node == SYNC_NODE:
                yield vertex
            return
        yield from self._targets_by_node(vertex).get(source.node, ())

    def _targets_by_node(self, join: int) -> dict[str, list[int]]:
        known = self._known_targets.get(join)
        if known is None:
            known = self._known_targets[join] = {}
            for target in self._links.successors[join]:
                known.setdefault(self._plan.runs[target].node, []).append(target)
        return known

    def _deployment(self, runs: Step) -> list[Step]:
        """The roles, priority by priority. A run outside all roles goes with the latest of what it waits for."""
        steps: list[Step] = []
        step_of_share: dict[tuple[str, str], int] = {}
        for priority in self._priorities:
            for part in self._slices_of_nodes(priority):
                for share in part:
                    step_of_share[share.group, share.node] = len(steps)
                steps.append([])
        groups_of: dict[str, list[str]] = {}
        for group, node in step_of_share:
            groups_of.setdefault(node, []).append(group)
        steps = steps or [[]]
        step_of: dict[int, int] = {}
        for run in runs:
            planned = self._plan.runs[run]
            groups = groups_of.get(planned.node)
            if groups:
                number = step_of_share[self._group_of(planned, groups), planned.node]
            else:
                number = max((step_of.get(other, 0) for other in self._direct_predecessors(run)), default=0)
            step_of[run] = number
            steps[number].append(run)
        return steps

    def _slices_of_nodes(self, priority: Priority) -> Iterator[Priority]:
        nodes = sorted({share.node for share in priority}, key=node_order)
        for part in slices(nodes, self._plan.max_nodes_per_call):
            chosen = set(part)
            yield tuple(share for share in priority if share.node in chosen)

    def _group_of(self, run: TaskRun, groups: Sequence[str]) -> str:
        """The first of the node's groups that the task is for, else the first of all."""
        for group in groups:
            if is_for(self._tasks.get(run.task), group) or run.task in (self._tasks[group].get("tasks") or ()):
                return group
        return groups[0]

    def _direct_predecessors(self, run: int) -> Iterator[int]:
        for vertex in self._predecessors[run]:
            yield from self._predecessors[vertex] if self._links.is_join(vertex) else (vertex,)


def _kept(plan: Plan, step_of: dict[int, int]) -> tuple[list[Bundle], list[tuple[int, int]]]:
    """The relations inside steps, and one pair for each part of a relation that goes against the order."""
    kept: list[Bundle] = []
    against: list[tuple[int, int]] = []
    for bundle in plan.bundles:
        sources, targets = _by_step(bundle.sources, step_of), _by_step(bundle.targets, step_of)
        for step in sources.keys() & targets.keys():
            kept.append(Bundle(tuple(sources[step]), tuple(targets[step]), bundle.declared))
        if sources and targets and max(sources) > min(targets):
            against.append((sources[max(sources)][0], targets[min(targets)][0]))
    return kept, against


def _by_step(runs: Iterable[int], step_of: dict[int, int]) -> dict[int, list[int]]:
    by_step: dict[int, list[int]] = {}
    for run in runs:
        by_step.setdefault(step_of[run], []).append(run)
    return by_step


def _with_barriers(plan: Plan, steps: Sequence[Step]) -> Plan:
    """A barrier between each two steps. A step of sync points only is one already."""
    runs = list(plan.runs)
    bundles = list(plan.bundles)
    gate: tuple[int, ...] = ()
    for number, step in enumerate(steps):
        if gate:
            bundles.append(Bundle(gate, tuple(step)))
        if all(runs[run].node == SYNC_NODE for run in step):
            gate = tuple(step)
        elif number + 1 < len(steps):
            gate = (len(runs),)
            runs.append(barrier(number + 1))
            bundles.append(Bundle(tuple(step), gate))
    return _sorted(plan, runs, bundles)


def _sorted(plan: Plan, runs: Sequence[TaskRun], bundles: Iterable[Bundle]) -> Plan:
    """The runs in a plan's order again: by node, then id; those that were there keep their order."""
    old = len(plan.runs)
    order = sorted(range(len(runs)), key=lambda index: (node_order(runs[index].node), index if index < old else old, runs[index].task))
    new = [0] * len(runs)
    for place, index in enumerate(order):
        new[index] = place
    renumbered = (
        Bundle(tuple(new[run] for run in bundle.sources), tuple(new[run] for run in bundle.targets), bundle.declared) for bundle in bundles
    )
    nodes = plan.nodes if SYNC_NODE in plan.nodes else (*plan.nodes, SYNC_NODE)
    return replace(plan, nodes=nodes, runs=tuple(runs[index] for index in order), bundles=tuple(renumbered))
