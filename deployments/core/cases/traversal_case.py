"""Reading a traversal case: a graph that is planned already, with durations, failures and stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from deployments.core.documents.typed import is_name, listed, mapping, mappings, names, short, switch, whole_number
from deployments.core.errors import InvalidData
from deployments.core.links import link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Bundle, Plan, TaskRun, ToleranceGroup, node_order
from deployments.core.planning.strategy import limits_of
from deployments.core.planning.subgraphs import keep_subgraphs
from deployments.core.simulation.durations import check_seconds

MAX_NODES_PER_CALL = 50
"""How many nodes are busy at once where a case does not say (Astute's default)."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A plan and what is to happen to it: the input of a simulation."""

    plan: Plan
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds by `task/uid`, `task` or `*`."""
    fail: frozenset[str] = frozenset()
    """Runs (`task/uid`) whose every attempt fails at its end."""
    fail_at_start: frozenset[str] = frozenset()
    """Runs whose every attempt fails without having started."""
    stop_at: float | None = None
    offline: tuple[str, ...] = ()
    node_words: Mapping[str, str] = field(default_factory=dict)
    """What is said of a node that is neither failed nor skipped, where that is not `online`."""


def read_traversal_case(case: Mapping[str, Any]) -> Rehearsal:
    """Read `{graph, durations, fault_tolerance_groups, …}`.

    Runs keep the order of the node's list, by which equal weights are told apart.

    Raises:
        InvalidData: the graph names what is not there, names it twice, or has a limit that can't be read.
    """
    graph = _graph(case)
    entries = [(uid, entry) for uid, listed in graph.items() for entry in listed]
    runs = tuple(_run(uid, entry) for uid, entry in entries)
    plan = Plan(
        nodes=tuple(sorted({SYNC_NODE, *graph}, key=node_order)),
        runs=runs,
        bundles=tuple(_bundles(entries, _numbered(runs))),
        groups=tuple(map(_group, mappings(case, "fault_tolerance_groups"))),
        limits=limits_of(runs),
        max_nodes_per_call=whole_number(case, "max_nodes_per_call", default=MAX_NODES_PER_CALL),
    )
    if subgraphs := mappings(case, "subgraphs"):
        plan = keep_subgraphs(plan, link(plan), subgraphs)
    return rehearse(_noop(plan) if switch(case, "noop_run", default=False) else plan, case)


def rehearse(plan: Plan, case: Mapping[str, Any]) -> Rehearsal:
    """What a case says is to happen to a plan, wherever that comes from.

    Raises:
        InvalidData: a part of it is of the wrong kind.
    """
    stop_at = case.get("stop_at")
    return Rehearsal(
        plan=plan,
        durations=mapping(case, "durations"),
        fail=frozenset(names(case, "fail")),
        fail_at_start=frozenset(names(case, "fail_at_start")),
        stop_at=None if stop_at is None else check_seconds(stop_at, "`stop_at` of the case", where="stop_at"),
        offline=names(case, "offline"),
        node_words=mapping(case, "nodes"),
    )


def _graph(case: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The case's graph by uid, in the order of nodes."""
    graph = case.get("graph")
    if not isinstance(graph, Mapping):
        raise InvalidData("The case has no graph: write a mapping of node uids to lists of tasks under `graph`.", where="graph")
    by_uid = {str(uid): entries or [] for uid, entries in graph.items()}
    for uid, entries in by_uid.items():
        if not isinstance(entries, list) or not all(map(_is_entry, entries)):
            raise InvalidData(f"The graph's list of node {uid} has to hold tasks with id and type, both texts.", node=uid)
    return {uid: by_uid[uid] for uid in sorted(by_uid, key=node_order)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, Mapping) and all(isinstance(entry.get(key), str) and entry[key] for key in ("id", "type"))


def _noop(plan: Plan) -> Plan:
    """Every run in its noop form: it takes its turn and does nothing."""
    runs = (run if run.type in ENGINE_TYPES else replace(run, type="noop", fail_on_error=False, parameters={}) for run in plan.runs)
    return replace(plan, runs=tuple(runs))


def _run(uid: str, entry: Mapping[str, Any]) -> TaskRun:
    about = f"task {entry['id']} on node {uid}"
    return TaskRun(
        task=entry["id"],
        node=uid,
        type=entry["type"],
        fail_on_error=switch(entry, "fail_on_error", about, default=True),
        parameters=mapping(entry, "parameters", about),
    )


def _numbered(runs: tuple[TaskRun, ...]) -> dict[Pair, int]:
    number: dict[Pair, int] = {}
    for index, run in enumerate(runs):
        if number.setdefault((run.task, run.node), index) != index:
            raise InvalidData(f"Task {run.task} is twice in the list of node {run.node}.", task=run.task, node=run.node)
    return number


def _bundles(entries: list[tuple[str, Mapping[str, Any]]], number: Mapping[Pair, int]) -> Iterator[Bundle]:
    for uid, entry in entries:
        me = number[entry["id"], uid]
        sources = _pairs(entry, uid, "requires", number)
        if sources:
            yield Bundle(sources, (me,), "requires")
        targets = _pairs(entry, uid, "required_for", number)
        if targets:
            yield Bundle((me,), targets, "required_for")


def _pairs(entry: Mapping[str, Any], uid: str, relation: str, number: Mapping[Pair, int]) -> tuple[int, ...]:
    found = []
    for pair in listed(entry, relation, f"task {entry['id']} on node {uid}"):
        name, node = _pair(pair, entry, uid)
        other = (name, SYNC_NODE if node is None else str(node))
        if other not in number:
            raise InvalidData(
                f"Task {entry['id']} on node {uid} names {'/'.join(other)} in {relation}, which is not in the graph.",
                task=entry["id"],
                node=uid,
            )
        found.append(number[other])
    return tuple(found)


def _pair(pair: Any, entry: Mapping[str, Any], uid: str) -> tuple[str, Any]:
    """`[name, node]`, or `{name, node_id}` as Fuel's own messages write it."""
    if isinstance(pair, Mapping):
        pair = [pair.get("name"), pair.get("node_id")]
    if isinstance(pair, list | tuple) and len(pair) == 2 and is_name(pair[0]) and (pair[1] is None or is_name(pair[1])):
        return str(pair[0]), pair[1]
    raise InvalidData(f"Task {entry['id']} on node {uid} has the relation {pair!r}: write [task, node].", task=entry["id"], node=uid)


def _group(group: Mapping[str, Any]) -> ToleranceGroup:
    if not {"name", "node_ids", "fault_tolerance"} <= group.keys():
        raise InvalidData("Each of fault_tolerance_groups needs name, node_ids and fault_tolerance.", where="fault_tolerance_groups")
    about = f"the group {short(group['name'])}"
    if not is_name(group["name"]):
        raise InvalidData(f"The name of {about} is no text.", where="fault_tolerance_groups")
    tolerance = group["fault_tolerance"]
    if isinstance(tolerance, bool) or not isinstance(tolerance, int):
        raise InvalidData(f"The fault tolerance of {about} is {short(tolerance)}, which is not a whole number.")
    return ToleranceGroup(str(group["name"]), names(group, "node_ids", about), tolerance)
