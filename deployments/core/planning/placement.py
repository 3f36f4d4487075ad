"""Which task runs on which node, and which nodes form a fault tolerance group."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from deployments.core.errors import InvalidData, TaskBaseDeploymentNotAllowed
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.expressions.view import View
from deployments.core.facts import ClusterFacts, PlanSettings
from deployments.core.graph.templates import SKIPPED, STAGE, TaskTemplate
from deployments.core.names import did_you_mean
from deployments.core.plan import MASTER_NODE, SYNC_NODE, PlanWarning, ToleranceGroup, node_order
from deployments.core.planning.roles import Resolver
from deployments.core.planning.strategy import tolerance_of
from deployments.core.time_limit import Limit, Look, no_look

NOT_ASKED_FOR = "it is not among the tasks asked for"
NOTHING = {
    STAGE: "a stage does nothing: others wait for each other at it",
    SKIPPED: "the graph switches it off (its type is skipped)",
    "anchor": "an anchor does nothing: others wait for each other at it",
    "noop": "a noop does nothing",
}
"""By type: why a task of it does nothing."""


@dataclass(slots=True)
class Entry:
    """A task on a node, before the plan's order is known."""

    template: TaskTemplate
    node: str
    name: str
    type: str
    why: str = ""
    """Why it does nothing, if it is skipped."""


class Placement:
    """The tasks of a graph on the nodes of a cluster.

    Raises:
        InvalidData: a task that is asked for, or a member of a group, is not in the graph.
        TaskBaseDeploymentNotAllowed: a task is too old, and the settings refuse such.
        ExpressionError: a condition can't be evaluated.
    """

    def __init__(
        self,
        templates: Sequence[TaskTemplate],
        cluster: ClusterFacts,
        settings: PlanSettings,
        only_tasks: Collection[str] | None,
        evaluator: Evaluator,
        limit: Limit,
        look: Look = no_look,
    ) -> None:
        self._by_id = {template.id: template for template in templates}
        self._cluster, self._settings, self._evaluator = cluster, settings, evaluator
        self._only = None if only_tasks is None else frozenset(only_tasks)
        self.resolver = Resolver({node.uid: node.tags for node in cluster.nodes}, limit)
        self._grouped = {name for template in templates if template.is_group for name in template.members}
        self._grid: dict[str, dict[str, Entry]] = {}
        self._known = frozenset(node.uid for node in cluster.nodes) | {MASTER_NODE, SYNC_NODE}
        self.warnings: dict[PlanWarning, None] = {}
        """In the order in which they came up, each once."""
        self._check_only_tasks()
        for template in templates:
            look()
            self._check_version(template)
            if not template.is_group:
                self._place(template, self._nodes_of(template))
        self.groups = [group for template in templates if template.is_group and (group := self._place_group(template))]

    def entries(self) -> list[Entry]:
        """By node, then by task."""
        return [self._grid[node][name] for node in sorted(self._grid, key=node_order) for name in sorted(self._grid[node])]

    def nodes(self) -> tuple[str, ...]:
        """All nodes of the cluster and those on which something runs, the sync node always."""
        nodes = {node.uid for node in self._cluster.nodes} | self._grid.keys() | {SYNC_NODE}
        return tuple(sorted(nodes, key=node_order))

    def view(self, template: TaskTemplate, node: str) -> View:
        """A task's past is known by the name it had, with the names in braces filled in."""
        view = self._evaluator.view(template.id, node)
        return view if template.has_fixed_name else self._evaluator.view(template.name(self._evaluator, view, node), node)

    def _check_only_tasks(self) -> None:
        for name in sorted((self._only or frozenset()) - self._by_id.keys()):
            raise InvalidData(f"The graph has no task '{name}', so it can't be run alone{did_you_mean(name, self._by_id)}", task=name)

    def _check_version(self, template: TaskTemplate) -> None:
        if not template.version_is_old:
            return
        message = (
            f"Task '{template.id}' has a version below 2.0.0: it was written for the order of roles, not for dependencies across nodes."
        )
        if self._settings.check_task_version:
            raise TaskBaseDeploymentNotAllowed(message, task=template.id)
        self._warn(message, template.id)

    def _nodes_of(self, template: TaskTemplate) -> Iterable[str]:
        if template.type == STAGE:
            return (SYNC_NODE,)
        if not Resolver.is_valid(template.roles):
            # Without a role a skipped task is a plugin's way to switch off the task of this id in the graph it is merged into.
            switched_off = template.type == SKIPPED
            if template.roles is None and (switched_off or template.id in self._grouped):
                return ()
            self._warn(f"Task '{template.id}' has the roles {template.roles!r}, so it runs nowhere: give a name or a list.", template.id)
            return ()
        return sorted(self.resolver.nodes(template.roles) & self._known, key=node_order)

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

    def _entry(self, template: TaskTemplate, node: str) -> Entry:
        view = self.view(template, node)
        # The condition counts even where the task is skipped anyway: an error in it must not depend on that.
        runs = template.may_run(self._evaluator, view, node)
        why = self._why_not(template, runs)
        return Entry(template, node, template.name(self._evaluator, view, node), SKIPPED if why else template.type, why)

    def _why_not(self, template: TaskTemplate, runs: bool) -> str:
        """Why the task does nothing; empty if it does something."""
        if template.type in (STAGE, SKIPPED):
            return NOTHING[template.type]
        if not self._is_wanted(template):
            return NOT_ASKED_FOR
        return "" if runs else f"its condition is false: {template.condition}"

    def _is_wanted(self, template: TaskTemplate) -> bool:
        return self._only is None or template.id in self._only

    def _warn(self, message: str, task: str | None = None) -> None:
        self.warnings.setdefault(PlanWarning(message, task))
