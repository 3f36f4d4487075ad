"""From a graph and the facts of a cluster to a plan: which task runs on which node, and what it waits for.

The rules are Nailgun's (its transaction serializer), except where its defects are known; see the rules that each function tells.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deployments.core.errors import InvalidData, LoopDetected, TaskBaseDeploymentNotAllowed
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.expressions.view import View
from deployments.core.facts import ClusterFacts, PlanSettings
from deployments.core.graph.lint import lint
from deployments.core.graph.templates import SKIPPED, STAGE, TaskTemplate
from deployments.core.links import Links, find_cycle, link
from deployments.core.names import did_you_mean
from deployments.core.plan import ENGINE_TYPES, MASTER_NODE, SYNC_NODE, Declared, Plan, PlanWarning, TaskRun, ToleranceGroup, node_order
from deployments.core.planning.relations import Member, Relations, Runs
from deployments.core.planning.roles import Resolver
from deployments.core.planning.strategy import limits_of, tolerance_of
from deployments.core.planning.subgraphs import Subgraph, keep_subgraphs
from deployments.core.planning.watch import Watch
from deployments.core.time_limit import Limit, no_limit

DEFAULT_MAX_NODES_PER_CALL = 50
_RUN_IN_NOOP = frozenset(("puppet", "shell", "master_shell"))
_MOST_SHOWN = 20

_DECLARED: dict[str, Declared] = {
    "requires": "requires",
    "required_for": "required_for",
    "cross-depends": "requires",
    "cross-depended-by": "required_for",
}


def plan(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
) -> Plan:
    """Plan a graph on a cluster.

    Args:
        tasks: the graph, in its order (see `graph.load_tasks`, `graph.merge`).
        only_tasks: ids of the tasks to run; all others are skipped, so the order stays. None = all.
        subgraphs: slices of the graph to run; everything outside is skipped.
        noop: a run that changes nothing on the nodes: what has no noop variant is not run, and no failure counts.
        max_nodes_per_call: how many nodes may be busy at once; 0 = no limit.
        limit: makes the time limit of each expression and regular expression.

    Raises:
        LoopDetected: tasks wait for each other; the message names them with their nodes, in order.
        ExpressionError, InvalidData, TaskBaseDeploymentNotAllowed: the message says which task, node and expression.
    """
    made, _ = plan_and_link(
        tasks, cluster, only_tasks=only_tasks, subgraphs=subgraphs, noop=noop, max_nodes_per_call=max_nodes_per_call,
        settings=settings, limit=limit,
    )  # fmt: skip
    return made


def plan_and_link(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
) -> tuple[Plan, Links]:
    """As `plan`, with the links that the search for circles needed anyway."""
    planned = plan_and_watch(
        tasks, cluster, only_tasks=only_tasks, subgraphs=subgraphs, noop=noop, max_nodes_per_call=max_nodes_per_call,
        settings=settings, limit=limit,
    )  # fmt: skip
    return planned.plan, planned.links


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, its links, and what its runs depend on."""

    plan: Plan
    links: Links
    watch: Watch


def plan_and_watch(
    tasks: Iterable[Mapping[str, Any]],
    cluster: ClusterFacts,
    *,
    only_tasks: Collection[str] | None = None,
    subgraphs: Sequence[Subgraph] | None = None,
    noop: bool = False,
    max_nodes_per_call: int = DEFAULT_MAX_NODES_PER_CALL,
    settings: PlanSettings | None = None,
    limit: Limit = no_limit,
) -> Planned:
    """As `plan`, for those who want to compare its runs with earlier ones."""
    planner = _Planner(tasks, cluster, settings or PlanSettings(), only_tasks, noop, limit)
    made = planner.plan(max_nodes_per_call)
    links = link(made)
    _refuse_circles(made, links)
    if subgraphs:
        made = keep_subgraphs(made, links, subgraphs)
    return Planned(made, links, planner.watch())


@dataclass(slots=True)
class _Entry:
    """A task on a node, before the plan's order is known."""

    template: TaskTemplate
    node: str
    name: str
    type: str


class _Planner:
    """One planning, step by step: checks, tasks on nodes, groups, runs, relations."""

    def __init__(
        self,
        tasks: Iterable[Mapping[str, Any]],
        cluster: ClusterFacts,
        settings: PlanSettings,
        only_tasks: Collection[str] | None,
        noop: bool,
        limit: Limit,
    ) -> None:
        self._templates = [TaskTemplate(task) for task in tasks]
        self._by_id = {template.id: template for template in self._templates}
        self._cluster, self._settings, self._noop, self._limit = cluster, settings, noop, limit
        self._only = None if only_tasks is None else frozenset(only_tasks)
        self._resolver = Resolver({node.uid: node.tags for node in cluster.nodes}, limit)
        self._evaluator = Evaluator(cluster, settings, limit)
        self._grouped = {name for template in self._templates if template.is_group for name in template.members}
        self._grid: dict[str, dict[str, _Entry]] = {}
        self._known = frozenset(node.uid for node in cluster.nodes) | {MASTER_NODE, SYNC_NODE}
        self._warnings: dict[PlanWarning, None] = {}

    def plan(self, max_nodes_per_call: int) -> Plan:
        """All steps in order."""
        self._check_only_tasks()
        for template in self._templates:
            self._check_version(template)
            if not template.is_group:
                self._place(template, self._nodes_of(template))
        groups = [group for template in self._templates if template.is_group and (group := self._place_group(template))]
        entries = self._sorted_entries()
        runs = tuple(map(self._run, entries))
        relations = self._relations(entries)
        self._warn_all(lint((template.task for template in self._templates), self._limit))
        self._warn_all(relations.warnings)
        return Plan(
            nodes=self._nodes(),
            runs=runs,
            bundles=tuple(relations.bundles()),
            groups=tuple(groups),
            limits=limits_of(runs),
            max_nodes_per_call=max_nodes_per_call,
            policy_any=tuple(relations.policy_any),
            warnings=tuple(self._warnings),
        )

    def watch(self) -> Watch:
        """What the runs depend on."""
        templates = {(name, node): entry.template for node, entries in self._grid.items() for name, entry in entries.items()}
        return Watch(self._evaluator, templates)

    # -- tasks on nodes ------------------------------------------------------------------------------------------------

    def _check_only_tasks(self) -> None:
        for name in sorted((self._only or frozenset()) - self._by_id.keys()):
            raise InvalidData(f"The graph has no task '{name}', so it can't be run alone{did_you_mean(name, self._by_id)}", task=name)

    def _check_version(self, template: TaskTemplate) -> None:
        if not template.version_is_old:
            return
        message = f"Task '{template.id}' has a version below 2.0.0, so it knows no dependencies across nodes."
        if self._settings.check_task_version:
            raise TaskBaseDeploymentNotAllowed(message, task=template.id)
        self._warn(message, template.id)

    def _nodes_of(self, template: TaskTemplate) -> Iterable[str]:
        if template.type == STAGE:
            return (SYNC_NODE,)
        if not Resolver.is_valid(template.roles):
            if template.roles is None and template.id in self._grouped:
                return ()
            self._warn(f"Task '{template.id}' has the roles {template.roles!r}, so it runs nowhere: give a name or a list.", template.id)
            return ()
        return sorted(self._resolver.nodes(template.roles) & self._known, key=node_order)

    def _place(self, template: TaskTemplate, nodes: Iterable[str]) -> None:
        """Of two tasks with one id the first stays, unless the second is of another type and not skipped."""
        for node in nodes:
            entry = self._entry(template, node)
            on_node = self._grid.setdefault(node, {})
            known = on_node.get(entry.name)
            if known is None or entry.type not in (SKIPPED, known.type):
                on_node[entry.name] = entry

    def _place_group(self, group: TaskTemplate) -> ToleranceGroup | None:
        nodes = list(self._nodes_of(group))
        if not nodes:
            return None
        for name in group.members:
            member = self._by_id.get(name)
            if member is None:
                raise InvalidData(
                    f"Task '{name}' of the group '{group.id}' is not in the graph{did_you_mean(name, self._by_id)}", task=group.id
                )
            if not member.is_group:
                self._place(member, nodes)
        tolerance, complaint = tolerance_of(group.task.get("fault_tolerance"), len(nodes))
        if complaint:
            self._warn(f"Group '{group.id}': {complaint}.", group.id)
        return ToleranceGroup(group.id, tuple(nodes), tolerance)

    def _entry(self, template: TaskTemplate, node: str) -> _Entry:
        view = self._view(template, node)
        # The condition counts even where the task is skipped anyway: an error in it must not depend on that.
        runs = template.may_run(self._evaluator, view, node)
        kind = template.type if runs and template.type != STAGE and self._is_wanted(template) else SKIPPED
        return _Entry(template, node, template.name(self._evaluator, view, node), kind)

    def _is_wanted(self, template: TaskTemplate) -> bool:
        return self._only is None or template.id in self._only

    def _view(self, template: TaskTemplate, node: str) -> View:
        """A task's past is known by the name it had, with the names in braces filled in."""
        view = self._evaluator.view(template.id, node)
        return view if template.has_fixed_name else self._evaluator.view(template.name(self._evaluator, view, node), node)

    # -- runs ----------------------------------------------------------------------------------------------------------

    def _sorted_entries(self) -> list[_Entry]:
        return [self._grid[node][name] for node in sorted(self._grid, key=node_order) for name in sorted(self._grid[node])]

    def _run(self, entry: _Entry) -> TaskRun:
        template, view = entry.template, self._view(entry.template, entry.node)
        parameters = template.parameters(self._evaluator, view, entry.node)
        fails = template.fails(self._evaluator, view, entry.node)
        if entry.type == SKIPPED:
            return TaskRun(entry.name, entry.node, SKIPPED, fail_on_error=False)
        kind = "noop" if self._noop and entry.type not in _RUN_IN_NOOP | ENGINE_TYPES else entry.type
        return TaskRun(
            task=entry.name,
            node=entry.node,
            type=kind,
            fail_on_error=fails and not self._noop,
            parameters=parameters,
            idempotent=template.retry.idempotent,
            attempts=template.retry.attempts,
            retry_delay=template.retry.delay,
        )

    def _nodes(self) -> tuple[str, ...]:
        nodes = {node.uid for node in self._cluster.nodes} | self._grid.keys() | {SYNC_NODE}
        return tuple(sorted(nodes, key=node_order))

    # -- relations -----------------------------------------------------------------------------------------------------

    def _relations(self, entries: Sequence[_Entry]) -> Relations:
        members = [Member(index, entry.name, entry.node) for index, entry in enumerate(entries)]
        relations = Relations(Runs(members, self._limit), self._resolver, frozenset(self._by_id))
        for key, declared in _DECLARED.items():
            for written, together in self._written_alike(key, entries, members):
                add = relations.add_cross if key.startswith("cross") else relations.add_names
                add(written, together, declared)
        return relations

    def _written_alike(self, key: str, entries: Sequence[_Entry], members: Sequence[Member]) -> Iterable[tuple[Any, list[Member]]]:
        """The relations of this kind, each with the runs of one task that have it."""
        alike: dict[tuple[int, int, str], tuple[Any, list[Member]]] = {}
        for entry, member in zip(entries, members, strict=True):
            written = entry.template.relations[key].fill(self._evaluator, self._view(entry.template, entry.node), entry.node)
            if written:
                alike.setdefault((id(entry.template), id(written), entry.name), (written, []))[1].append(member)
        return alike.values()

    def _warn(self, message: str, task: str | None = None) -> None:
        self._warnings.setdefault(PlanWarning(message, task))

    def _warn_all(self, warnings: Iterable[PlanWarning]) -> None:
        self._warnings.update(dict.fromkeys(warnings))


def _refuse_circles(made: Plan, links: Links) -> None:
    circle = find_cycle(links, made)
    if not circle:
        return
    names = [made.runs[run].name for run in circle]
    shown = names if len(names) <= _MOST_SHOWN else [*names[: _MOST_SHOWN - 1], f"… {len(names) - _MOST_SHOWN + 1} more …"]
    first = made.runs[circle[0]]
    raise LoopDetected(
        f"Tasks wait for each other in a circle, so none of them could start: {' → '.join([*shown, names[0]])}.",
        task=first.task,
        node=first.node,
    )
