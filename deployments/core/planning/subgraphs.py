"""Slices of a plan: what lies between some task runs and some others. All the rest is skipped (Astute)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from deployments.core.documents.typed import listed, short
from deployments.core.errors import InvalidData
from deployments.core.links import Links
from deployments.core.names import did_you_mean
from deployments.core.plan import Plan
from deployments.core.planning.strategy import limits_of

Subgraph = Mapping[str, Sequence[str | None]]
"""`{start: […], end: […]}`; an element is `task`, `task/1,2` or `task/5-7`. A missing, empty or null side is open."""

OUTSIDE = "it is outside the part of the graph that was asked for"
UNWANTED = "a person decided to go on without it"

_RANGE = re.compile(r"(\d{1,18})-(\d{1,18})")


def keep_subgraphs(plan: Plan, links: Links, subgraphs: Iterable[Subgraph]) -> Plan:
    """The plan in which everything outside all of the subgraphs is skipped; relations stay.

    Raises:
        InvalidData: it is no subgraph, or an element means no task run of the plan.
    """
    successors: Sequence[Sequence[int]] = links.successors
    predecessors = links.predecessors()
    kept: set[int] = set()
    for subgraph in subgraphs:
        after = _closure(_elements(plan, subgraph, "start"), successors)
        before = _closure(_elements(plan, subgraph, "end"), predecessors)
        kept |= after & before
    runs = tuple(run if index in kept else run.left_out(OUTSIDE) for index, run in enumerate(plan.runs))
    return replace(plan, runs=runs, limits=limits_of(runs))


def leave_out(plan: Plan, names: Iterable[str]) -> Plan:
    """These runs (`task/node`) become type `skipped`: they keep their place in the order and do nothing."""
    unwanted = frozenset(names)
    if not unwanted:
        return plan
    return replace(plan, runs=tuple(run.left_out(UNWANTED) if run.name in unwanted else run for run in plan.runs))


def _closure(start: set[int] | None, neighbours: Sequence[Sequence[int]]) -> set[int]:
    if start is None:
        return set(range(len(neighbours)))
    reached, queue = set(start), list(start)
    while queue:
        for vertex in neighbours[queue.pop()]:
            if vertex not in reached:
                reached.add(vertex)
                queue.append(vertex)
    return reached


def _elements(plan: Plan, subgraph: Subgraph, side: str) -> set[int] | None:
    """The runs that a side names; None for an open side."""
    if not isinstance(subgraph, Mapping):
        raise InvalidData(f"A subgraph is {short(subgraph)}: write {{start: […], end: […]}}.", where="subgraphs")
    elements = listed(subgraph, side, "a subgraph")
    if not all(element is None or isinstance(element, str) for element in elements):
        raise InvalidData(f"`{side}` of a subgraph is {short(elements)}: write a list like [task, task/1].", where="subgraphs")
    named = [element for element in elements if element]
    return {run for element in named for run in _element(plan, element)} if named else None


def _element(plan: Plan, element: str) -> list[int]:
    names = {run.task for run in plan.runs}
    task, nodes = (element, "") if element in names or "/" not in element else element.rsplit("/", 1)
    found = [index for index, run in enumerate(plan.runs) if run.task == task and (not nodes or _is_among(run.node, nodes))]
    if not found:
        hint = "." if task in names else did_you_mean(task, names)
        raise InvalidData(f"The subgraph names '{element}', which no planned task run is{hint}", task=task)
    return found


def _is_among(node: str, nodes: str) -> bool:
    for part in map(str.strip, nodes.split(",")):
        span = _RANGE.fullmatch(part)
        if part == node or (span and node.isdecimal() and int(span[1]) <= int(node) <= int(span[2])):
            return True
    return False
