"""A task list as a graph of tasks, whatever nodes they run on: slices of it, and its drawing as Fuel makes it (`graph.gv`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import networkx as nx

from deployments.core.errors import InvalidData
from deployments.core.graph.templates import GROUP_TYPES

Task = Mapping[str, Any]

REMOVABLE = ("group", "stage", "skipped")
_GROUP = "shape=box, style=filled, color=lightskyblue"
_STAGE = "shape=rect, style=filled, color=red"
_SKIPPED = "color=gray, fontcolor=gray"


def between(tasks: Sequence[Task], start: str, end: str) -> list[Task]:
    """The tasks from `start` to `end`, both included; an empty side is open. Only for graphs without relations across nodes.

    Raises:
        InvalidData: such a task is not there, or the graph's tasks depend on those of other nodes.
    """
    if not start and not end:
        return list(tasks)
    if any(_is_cross(task) for task in tasks):
        raise InvalidData('Both "start" and "end" parameters are not allowed for task-based deployment.')
    graph = _graph(tasks)
    for name in filter(None, (start, end)):
        if name not in graph:
            raise InvalidData(f"Cannot find task {name} by its name.", task=name)
    after = {start, *nx.descendants(graph, start)} if start else set(graph)
    before = {end, *nx.ancestors(graph, end)} if end else set(graph)
    return [task for task in tasks if task["id"] in after & before]


def circles(before: Iterable[tuple[str, str]]) -> list[list[str]]:
    """One circle of each group of tasks that wait for each other, in order; `before` has pairs of a task and one that waits for it."""
    graph = nx.DiGraph()
    graph.add_edges_from((first, second) for first, second in before if first != second)
    groups = sorted(sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1)
    return [[first for first, _ in nx.find_cycle(graph.subgraph(group), source=group[0])] for group in groups]


def draw(tasks: Sequence[Task], *, only: Collection[str] = (), parents_for: str = "", remove: Collection[str] = ()) -> str:
    """DOT: groups light blue boxes, stages red, what is skipped or not among `only` grey.

    Args:
        parents_for: draw only this task and what it waits for.
        remove: leave out tasks of these types.

    Raises:
        InvalidData: a task or a type that is named is not there.
    """
    graph, by_name = _graph(tasks), {task["id"]: task for task in tasks}
    if missing := sorted(set(only) - set(by_name)):
        raise InvalidData(f"Tasks {','.join(missing)} are not present in deployment graph")
    if parents_for and parents_for not in by_name:
        raise InvalidData(f"Task {parents_for} is not present in graph", task=parents_for)
    if strange := sorted(set(remove) - set(REMOVABLE)):
        raise InvalidData(f"Task types {','.join(strange)} do not exist")
    kept = {parents_for, *nx.ancestors(graph, parents_for)} if parents_for else set(by_name)
    kept -= {name for name, task in by_name.items() if task["type"] in remove or (task["type"] in GROUP_TYPES and "group" in remove)}
    lines = ["digraph tasks {", "  rankdir=LR;"]
    for name in sorted(kept):
        style = _style(by_name[name], not only or name in only)
        lines.append(f"  {_quoted(name)} [{style}];" if style else f"  {_quoted(name)};")
    edges = sorted(pair for pair in graph.edges if set(pair) <= kept)
    return "\n".join([*lines, *(f"  {_quoted(before)} -> {_quoted(after)};" for before, after in edges), "}", ""])


def _graph(tasks: Sequence[Task]) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(task["id"] for task in tasks)
    known = set(graph)
    for task in tasks:
        name = task["id"]
        graph.add_edges_from((other, name) for other in _names(task.get("requires"), known))
        graph.add_edges_from((name, other) for other in _names(task.get("required_for"), known))
        graph.add_edges_from((other, name) for other in _cross(task, "depends", known))
        graph.add_edges_from((name, other) for other in _cross(task, "depended-by", known))
    return graph


def _cross(task: Task, side: str, known: Collection[str]) -> list[str]:
    relations = task.get(f"cross-{side}") or task.get(f"cross_{side.replace('-', '_')}") or ()
    names = [relation.get("name") for relation in relations if isinstance(relation, Mapping)]
    return [name for name in _names(names, known) if name != task["id"]]


def _names(names: Any, known: Collection[str]) -> list[str]:
    """Names only: regular expressions and computed ones are known when a plan is made."""
    found: Iterable[Any] = names if isinstance(names, list) else ()
    return [name for name in found if isinstance(name, str) and name in known]


def _is_cross(task: Task) -> bool:
    version = str(task.get("version") or "1.0.0").split(".")[0]
    return version.isdecimal() and int(version) >= 2


def _style(task: Task, chosen: bool) -> str:
    if task["type"] in GROUP_TYPES:
        return _GROUP
    if task["type"] == "stage":
        return _STAGE
    return "" if chosen and task["type"] != "skipped" and not task.get("skipped") else _SKIPPED


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
