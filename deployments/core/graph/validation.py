"""Checks the structure of a graph before anybody keeps it (Nailgun's upload schema, and a little more)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.core.documents.typed import short
from deployments.core.errors import InvalidData
from deployments.core.expressions.template import YAQL
from deployments.core.graph.lint import lint
from deployments.core.graph.templates import LONGEST_NAME, TASK_TYPES, TaskTemplate
from deployments.core.names import did_you_mean
from deployments.core.plan import PlanWarning

MOST_TASKS = 20_000
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_STRATEGIES = ("parallel", "one_by_one")


def validate(tasks: Sequence[Any]) -> list[PlanWarning]:
    """Check a task list.

    Returns:
        what looks like a mistake: unknown keys, names that no task has.

    Raises:
        InvalidData: the first thing that makes it no graph, with the task's id or place.
    """
    if len(tasks) > MOST_TASKS:
        raise InvalidData(f"The graph has {len(tasks):,} tasks; at most {MOST_TASKS:,} are taken.")
    for place, task in enumerate(tasks):
        _check_head(task, place)
    twice = sorted(name for name, times in Counter(task["id"] for task in tasks).items() if times > 1)
    if twice:
        raise InvalidData(f"Tasks duplication found: {', '.join(twice)}. Each id may stand in a graph once.", task=twice[0])
    for task in tasks:
        _check_body(task)
    return list(dict.fromkeys(lint(tasks)))


def _check_head(task: Any, place: int) -> None:
    if not isinstance(task, Mapping):
        raise InvalidData(f"Entry {place + 1} of the graph is no task (a mapping with id and type) but {short(task)}.")
    name = task.get("id")
    if not isinstance(name, str) or not name:
        raise InvalidData(f"Task {place + 1} of the graph has the id {short(name)}: give it an id that is a text.")
    if len(name) > LONGEST_NAME:
        raise InvalidData(
            f"Task {place + 1} of the graph has an id of {len(name)} characters: {LONGEST_NAME} are kept at most.", where="id"
        )
    kind = task.get("type")
    if not isinstance(kind, str) or kind not in TASK_TYPES:
        known = ", ".join(sorted(TASK_TYPES))
        hint = did_you_mean(str(kind), TASK_TYPES, f"; known are {known}.")
        raise InvalidData(f"Task '{name}' has the type {short(kind)}{hint}", task=name, where="type")


def _check_body(task: Mapping[str, Any]) -> None:
    name = task["id"]
    version = task.get("version")
    if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise InvalidData(f"Task '{name}' has the version {short(version)}: write it in quotes, like '2.1.0'.", task=name, where="version")
    for key in ("requires", "required_for"):
        _check_names(name, key, task.get(key))
    for key in ("cross-depends", "cross_depends", "cross-depended-by", "cross_depended_by"):
        _check_cross(name, key, task.get(key))
    _check_parameters(name, task.get("parameters"))
    members = task.get("tasks") or []
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise InvalidData(f"`tasks` of '{name}' must be a list of task ids.", task=name, where="tasks")
    TaskTemplate(task)  # It reads `retry` and the expressions, and says what is wrong there.


def _check_names(task: str, key: str, names: Any) -> None:
    if names is None or _is_expression(names):
        return
    if not isinstance(names, list) or not all(isinstance(name, str) or _is_expression(name) for name in names):
        raise InvalidData(f"`{key}` of task '{task}' must be a list of task ids.", task=task, where=key)


def _check_cross(task: str, key: str, relations: Any) -> None:
    if relations is None or _is_expression(relations):
        return
    if not isinstance(relations, list):
        raise InvalidData(f"`{key}` of task '{task}' must be a list like [{{name: …, role: …}}].", task=task, where=key)
    for relation in relations:
        if not isinstance(relation, Mapping) or not (isinstance(relation.get("name"), str) or _is_expression(relation.get("name"))):
            raise InvalidData(f"An entry in `{key}` of task '{task}' has no name: {short(relation)}.", task=task, where=key)
        if not (relation.get("policy") in (None, "all", "any") or _is_expression(relation["policy"])):
            raise InvalidData(
                f"`{key}` of task '{task}' has the policy {short(relation['policy'])}: it may be 'all' or 'any'.", task=task, where=key
            )


def _check_parameters(task: str, parameters: Any) -> None:
    if parameters is None or _is_expression(parameters):
        return
    if not isinstance(parameters, Mapping):
        raise InvalidData(f"`parameters` of task '{task}' must be a mapping.", task=task, where="parameters")
    strategy = parameters.get("strategy")
    if strategy is None or _is_expression(strategy):
        return
    if not isinstance(strategy, Mapping) or strategy.get("type") not in _STRATEGIES:
        raise InvalidData(
            f"The strategy of task '{task}' needs a type: 'parallel' or 'one_by_one'.", task=task, where="parameters.strategy"
        )
    amount = strategy.get("amount", 0)
    if not _is_expression(amount) and (not isinstance(amount, int) or isinstance(amount, bool) or amount < 0):
        raise InvalidData(
            f"The strategy of task '{task}' has the amount {short(amount)}: it must be a number, 0 for no limit.",
            task=task,
            where="parameters.strategy.amount",
        )


def _is_expression(value: Any) -> bool:
    return isinstance(value, Mapping) and YAQL in value
