"""What is allowed in a graph but is probably a mistake."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.graph.task_graph import circles
from deployments.core.graph.templates import GROUP_TYPES, TASK_TYPES
from deployments.core.names import did_you_mean, is_pattern, matching
from deployments.core.plan import PlanWarning
from deployments.core.time_limit import Limit

RELATIONS = ("requires", "required_for", "cross-depends", "cross_depends", "cross-depended-by", "cross_depended_by")
KNOWN_KEYS = frozenset(
    (*RELATIONS, "id", "type", "version", "role", "roles", "groups", "tags", "condition", "parameters", "fail_on_error", "fault_tolerance")
) | {"tasks", "stage", "skipped", "reexecute_on", "refresh_on", "test_pre", "test_post", "idempotent", "retry", "task_name"}

MOST_WARNINGS = 200
"""Nobody reads more, and looking for what was meant takes its time."""


def lint(tasks: Iterable[Mapping[str, Any]], limit: Limit | None = None) -> Iterator[PlanWarning]:
    """Unknown keys and types, and names that no task has; the first `MOST_WARNINGS` of them.

    Args:
        tasks: with ids and types that are texts.
        limit: the time limit for regular expressions; without one they are not tried (whoever wrote them may be hostile).
    """
    listed = list(tasks)
    ids = dict.fromkeys(sorted(task["id"] for task in listed))
    yield from islice(_all_warnings(listed, ids, limit), MOST_WARNINGS)


def _all_warnings(tasks: Iterable[Mapping[str, Any]], ids: Collection[str], limit: Limit | None) -> Iterator[PlanWarning]:
    yield from _circles(tasks)
    for task in tasks:
        yield from _unknown_keys(task)
        if task["type"] not in TASK_TYPES:
            hint = did_you_mean(task["type"], TASK_TYPES, f"; known are {', '.join(sorted(TASK_TYPES))}.")
            yield PlanWarning(f"Task '{task['id']}' has the unknown type '{task['type']}', so nothing can carry it out{hint}", task["id"])
        for key in RELATIONS:
            yield from (dangling(task["id"], name, ids) for name in _names(task.get(key)) if not _is_known(name, ids, limit))
        yield from _relations_to_itself(task)
        if task["type"] in GROUP_TYPES:
            yield from _missing_members(task, ids)


def dangling(task: str, name: str, known: Collection[str]) -> PlanWarning:
    """Says that a task speaks of one that isn't there."""
    if is_pattern(name):
        return PlanWarning(f"Task '{task}' speaks of tasks like '{name}', but none is called so; the relation is dropped.", task)
    hint = did_you_mean(name, known)
    return PlanWarning(f"Task '{task}' speaks of the task '{name}', which is not in the graph, so the relation is dropped{hint}", task)


def _relations_to_itself(task: Mapping[str, Any]) -> Iterator[PlanWarning]:
    for key in ("requires", "required_for"):
        if task["id"] in _names(task.get(key)):
            yield PlanWarning(f"`{key}` of task '{task['id']}' names the task itself, which has no effect: take it out.", task["id"])


def _circles(tasks: Iterable[Mapping[str, Any]]) -> Iterator[PlanWarning]:
    """Tasks of one node that wait for each other. Whether a node has all of them only a plan can tell."""
    before = [(name, task["id"]) for task in tasks for name in _names(task.get("requires"))]
    before += [(task["id"], name) for task in tasks for name in _names(task.get("required_for"))]
    for names in circles(before):
        chain = " → ".join([*names, names[0]])
        yield PlanWarning(f"Tasks wait for each other in a circle: {chain}. No node that has all of them can be deployed.", names[0])


def _unknown_keys(task: Mapping[str, Any]) -> Iterable[PlanWarning]:
    for key in task:
        if key not in KNOWN_KEYS:
            hint = did_you_mean(str(key), KNOWN_KEYS)
            yield PlanWarning(f"Task '{task['id']}' has the unknown key '{key}', which is ignored{hint}", task["id"])


def _missing_members(group: Mapping[str, Any], ids: Collection[str]) -> Iterator[PlanWarning]:
    members = group.get("tasks")
    for name in members if isinstance(members, list) else ():
        if name not in ids:
            hint = did_you_mean(str(name), ids)
            yield PlanWarning(f"Group '{group['id']}' names the task '{name}', which is not in the graph{hint}", group["id"])


def _names(relations: Any) -> Iterator[str]:
    """Names that a relation gives without any expression or brace in them."""
    if not isinstance(relations, list):
        return
    for relation in relations:
        name = relation.get("name") if isinstance(relation, Mapping) else relation
        if isinstance(name, str) and "{" not in name:
            yield name


def _is_known(name: str, ids: Collection[str], limit: Limit | None) -> bool:
    if not is_pattern(name):
        return name in ids
    try:
        return limit is None or bool(matching(name, ids, limit))
    except InvalidData:
        return False
