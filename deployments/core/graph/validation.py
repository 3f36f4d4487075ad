"""Checks the structure of a graph before anybody keeps it (Nailgun's upload schema, and a little more)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.core.documents.typed import short
from deployments.core.errors import InvalidData
from deployments.core.expressions.syntax import Syntax
from deployments.core.expressions.template import YAQL
from deployments.core.graph.lint import KNOWN_KEYS, RELATIONS, lint
from deployments.core.graph.templates import LONGEST_NAME, TASK_TYPES, TaskTemplate
from deployments.core.names import did_you_mean, one_edit_apart
from deployments.core.plan import PlanWarning
from deployments.core.task_types import check_parameters

MOST_TASKS = 20_000
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_FUELS_OWN_MISTAKE = "cross-depened-by"
"""Stands in the newton library, which must go on to be taken: there it is warned of only."""
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
    syntax = Syntax()
    for task in tasks:
        _check_body(task, syntax)
    return list(dict.fromkeys(lint(tasks)))


def _check_head(task: Any, place: int) -> None:
    if not isinstance(task, Mapping):
        raise InvalidData(f"Entry {place + 1} of the graph is no task (a mapping with id and type) but {short(task)}.")
    name = task.get("id")
    if name is None and "stage" in task:
        raise InvalidData(
            f"Entry {place + 1} of the graph is in the format of plugins before Fuel 9 (a role and a stage, no id): give it an `id`, "
            f"`version: 2.1.0` and, in place of `stage`, `requires: [post_deployment_start]` and `required_for: [post_deployment_end]` "
            f"(or those of the stage you mean).",
            where="id",
        )
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


def _check_body(task: Mapping[str, Any], syntax: Syntax) -> None:
    name = task["id"]
    version = task.get("version")
    if version is not None and not (isinstance(version, str) and _VERSION.fullmatch(version)):
        raise InvalidData(f"Task '{name}' has the version {short(version)}: write it in quotes, like '2.1.0'.", task=name, where="version")
    _check_keys(task)
    for key in ("role", "roles", "groups", "tags"):
        _check_roles(name, key, task.get(key))
    for key in ("requires", "required_for"):
        _check_names(name, key, task.get(key))
    for key in ("cross-depends", "cross_depends", "cross-depended-by", "cross_depended_by"):
        _check_cross(name, key, task.get(key))
    _check_parameters(name, task.get("parameters"))
    check_parameters(name, task["type"], task.get("parameters"))
    members = task.get("tasks") or []
    if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
        raise InvalidData(f"`tasks` of '{name}' must be a list of task ids.", task=name, where="tasks")
    template = TaskTemplate(task)  # It reads `retry` and finds the expressions.
    for text in template.expressions:
        syntax.check_yaql(text, name)
    condition = task.get("condition")
    if isinstance(condition, str) and condition and "{" not in condition:
        syntax.check_legacy(condition, name)


def _check_keys(task: Mapping[str, Any]) -> None:
    """A relation that is lost by a typing error would be a wrong deployment; other unknown keys are warned of."""
    for key in task:
        meant = next((known for known in RELATIONS if one_edit_apart(str(key), known)), None)
        if meant and key not in KNOWN_KEYS and key != _FUELS_OWN_MISTAKE:
            raise InvalidData(f"Task '{task['id']}' has the unknown key '{key}': did you mean '{meant}'?", task=task["id"], where=str(key))


def _check_roles(task: str, key: str, roles: Any) -> None:
    """YAML reads `no`, `1.5` and the like as no texts, and a role that is none selects no node."""
    for role in roles if isinstance(roles, list) else [roles]:
        if isinstance(role, bool | int | float):
            raise InvalidData(f"`{key}` of task '{task}' holds {short(role)}, which is no text: write it in quotes.", task=task, where=key)


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
