"""What runs wait for: relations between tasks, resolved to runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.core.documents.typed import short
from deployments.core.errors import InvalidData
from deployments.core.graph.lint import MOST_WARNINGS, dangling
from deployments.core.names import matching
from deployments.core.plan import SYNC_NODE, Bundle, Declared, PlanWarning, PolicyAny, node_order
from deployments.core.planning.roles import ALL, SELF, Resolver
from deployments.core.time_limit import Limit


@dataclass(frozen=True, slots=True)
class Member:
    """A run as relations see it: its place in the plan, its name and node."""

    index: int
    task: str
    node: str


class Runs:
    """Finds runs by task and node."""

    def __init__(self, members: Iterable[Member], limit: Limit) -> None:
        self._limit = limit
        self.by_task: dict[str, dict[str, int]] = {}
        for member in members:
            self.by_task.setdefault(member.task, {})[member.node] = member.index
        self._names: dict[str, list[str]] = {}

    def names(self, name: str) -> list[str]:
        """Names of planned tasks that a relation's name means."""
        if name not in self._names:
            self._names[name] = matching(name, self.by_task, self._limit)
        return self._names[name]

    def names_among(self, name: str, known: Iterable[str]) -> list[str]:
        """Those of other names that a relation's name means."""
        return matching(name, known, self._limit)

    def on_node(self, name: str, node: str) -> Iterable[int]:
        """Runs on one node."""
        return (runs[node] for task in self.names(name) if node in (runs := self.by_task[task]))

    def on_nodes(self, name: str, nodes: frozenset[str]) -> list[tuple[str, str, int]]:
        """(task, node, run) on any of the nodes, in the order of nodes, then tasks."""
        found = [(task, node, run) for task in self.names(name) for node, run in self.by_task[task].items() if node in nodes]
        return sorted(found, key=lambda each: (node_order(each[1]), each[0]))


@dataclass(slots=True)
class Relations:
    """Collects the relations of all tasks; `bundles` gives what has been collected."""

    runs: Runs
    resolver: Resolver
    graph: frozenset[str]
    """Ids of all tasks of the graph, planned or not."""
    warnings: list[PlanWarning] = field(default_factory=list)
    policy_any: list[PolicyAny] = field(default_factory=list)
    _unmet: dict[tuple[Declared, str, str], None] = field(default_factory=dict)
    """(which side, task, name) of lists of which no name is met on the task's nodes, though it is planned on others.

    That one of several is not met is common: lists name what runs on the first controller, and what runs on the others.
    """
    _near: dict[Declared, dict[int, dict[int, None]]] = field(default_factory=lambda: {"requires": {}, "required_for": {}})
    _wide: dict[tuple[Declared, tuple[int, ...]], dict[int, None]] = field(default_factory=dict)
    _found: dict[tuple[str, frozenset[str]], list[tuple[str, str, int]]] = field(default_factory=dict)

    def add_names(self, names: Any, members: Sequence[Member], declared: Declared) -> None:
        """`requires` or `required_for`: tasks on the same node, and sync points."""
        listed, met = _texts(names, members[0].task, declared), False
        for name in listed:
            self._check(name, members[0].task)
            for member in members:
                met |= self._on_own_node(name, member, declared)
                if member.node != SYNC_NODE:
                    met |= self._add_near(member, self.runs.on_node(name, SYNC_NODE), declared)
        if not met:
            self._unmet.update(dict.fromkeys((declared, members[0].task, name) for name in listed if self.runs.by_task.get(name)))

    def add_cross(self, elements: Any, members: Sequence[Member], declared: Declared) -> None:
        """`cross-depends` or `cross-depended-by`: tasks on the nodes with certain roles."""
        if not isinstance(elements, list | tuple | Mapping):
            task = members[0].task
            message = f"A cross relation of task '{task}' is {short(elements)}: it must be a list like [{{name: …, role: …}}]."
            raise InvalidData(message, task=task)
        for element in [elements] if isinstance(elements, Mapping) else elements:
            if element:
                self._add_element(element, members, declared)

    def bundles(self) -> list[Bundle]:
        """Everything collected, the relations of `policy: any` as one bundle each."""
        near = [_bundle(tuple(others), (run,), declared) for declared, of_run in self._near.items() for run, others in of_run.items()]
        wide = [_bundle(others, tuple(runs), declared) for (declared, others), runs in self._wide.items()]
        return near + wide + [_bundle((self._run(*each.picked),), (self._run(each.task, each.node),), each.relation)
                              for each in self.policy_any if each.picked]  # fmt: skip

    def dropped(self, bundles: Iterable[Bundle], tasks: Sequence[str]) -> Iterator[PlanWarning]:
        """What was meant to be waited for and is not, nor by another relation of the two tasks: on other nodes only cross relations reach.

        Args:
            tasks: the task of each run.
        """
        lost: dict[str, set[str]] = {}
        for declared, task, name in self._unmet:
            before, after = (name, task) if declared == "requires" else (task, name)
            lost.setdefault(before, set()).add(after)
        for bundle in bundles if lost else ():
            targets = {tasks[run] for run in bundle.targets}
            for before in lost.keys() & {tasks[run] for run in bundle.sources}:
                lost[before] -= targets
        for declared, task, name in self._unmet:
            before, after = (name, task) if declared == "requires" else (task, name)
            if name != task and after in lost[before]:
                across = "cross-depends" if declared == "requires" else "cross-depended-by"
                message = f"`{declared}` of task '{task}' names '{name}', which runs on none of its nodes, so the relation is dropped: "
                yield PlanWarning(f"{message}`{across}` reaches other nodes.", task)

    def _add_element(self, element: Any, members: Sequence[Member], declared: Declared) -> None:
        task = members[0].task
        if not isinstance(element, Mapping) or not isinstance(element.get("name"), str):
            raise InvalidData(f"A cross relation of task '{task}' is {element!r}: it must be like {{name: …, role: …}}.", task=task)
        name, roles = element["name"], element.get("tags", element.get("role", ALL))
        self._check(name, task)
        if roles == SELF:
            for member in members:
                self._on_own_node(name, member, declared)
        elif roles is None:
            for member in members:
                self._add_near(member, self.runs.on_node(name, SYNC_NODE), declared)
        elif not Resolver.is_valid(roles):
            message = f"A cross relation of task '{task}' has the roles {roles!r}, which mean no node: give a name or a list."
            self._warn(PlanWarning(message, task))
        else:
            self._on_other_nodes(element, name, self.resolver.nodes(roles), members, declared)

    def _on_other_nodes(
        self, element: Mapping[str, Any], name: str, nodes: frozenset[str], members: Sequence[Member], declared: Declared
    ) -> None:
        found = self._found.get((name, nodes))
        if found is None:
            found = self._found[name, nodes] = self.runs.on_nodes(name, nodes)
        if element.get("policy") == "any":
            candidates = tuple((task, node) for task, node, _ in found)
            for member in members:
                picked = next((each for each in candidates if each != (member.task, member.node)), None)
                self.policy_any.append(PolicyAny(member.task, member.node, declared, name, candidates, picked))
        elif found:
            targets = self._wide.setdefault((declared, tuple(run for _, _, run in found)), {})
            targets.update(dict.fromkeys(member.index for member in members))

    def _on_own_node(self, name: str, member: Member, declared: Declared) -> bool:
        return self._add_near(member, self.runs.on_node(name, member.node), declared)

    def _add_near(self, member: Member, others: Iterable[int], declared: Declared) -> bool:
        """Whether there was anything to add."""
        others = dict.fromkeys(others)
        others.pop(member.index, None)
        if others:
            self._near[declared].setdefault(member.index, {}).update(others)
        return bool(others)

    def _run(self, task: str, node: str) -> int:
        return self.runs.by_task[task][node]

    def _check(self, name: str, task: str) -> None:
        if len(self.warnings) < MOST_WARNINGS and not self.runs.names(name) and not self.runs.names_among(name, self.graph):
            self._warn(dangling(task, name, self.graph))

    def _warn(self, warning: PlanWarning) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


def _bundle(others: tuple[int, ...], runs: tuple[int, ...], declared: Declared) -> Bundle:
    return Bundle(others, runs, declared) if declared == "requires" else Bundle(runs, others, declared)


def _texts(names: Any, task: str, declared: Declared) -> list[str]:
    listed = [names] if isinstance(names, str) else names
    if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
        raise InvalidData(f"`{declared}` of task '{task}' is {names!r}: it must be a list of names.", task=task)
    return list(listed)
