"""Tasks of a graph made ready for planning: which nodes they are for, and what they are on each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.expressions.evaluator import Evaluator
from deployments.core.expressions.template import YAQL, Template
from deployments.core.expressions.view import View
from deployments.core.plan import ENGINE_TYPES, LONGEST_DELAY, MOST_ATTEMPTS

GROUP_TYPES = frozenset(("group", "role"))
TASK_TYPES = frozenset(
    (
        *("puppet", "shell", "sync", "upload_file", "upload_files", "copy_files", "master_shell", "reboot", "move_to_bootstrap"),
        *("erase_node", "group", "role", "stage", "skipped", "noop", "anchor"),
    )
)
"""What may be uploaded: Fuel's types, and `upload_files`, `noop`, `anchor`."""
STAGE = "stage"
SKIPPED = "skipped"
LONGEST_NAME = 255
"""Characters of a task's id, also after names in braces were filled in: what history has room for."""
OLDEST_VERSION = (2, 0, 0)
LONGEST_CONDITION = 200
"""Characters of a condition that a reason shows."""
_NEED_NO_VERSION = GROUP_TYPES | ENGINE_TYPES
_REPEATABLE = frozenset(("puppet", "upload_file", "upload_files", "copy_files", "sync"))
"""Types that may be run again after a lost attempt, because running them twice is the same as once."""

RELATIONS = ("requires", "required_for", "cross-depends", "cross-depended-by")


@dataclass(frozen=True, slots=True)
class Retry:
    """What a task says of its own repetition (ours, not Fuel's)."""

    idempotent: bool
    attempts: int = 1
    delay: float = 0.0


def is_of_old_format(task: Mapping[str, Any]) -> bool:
    """Whether the task was written for the order of roles: its version is below 2.0.0, and its type is one that needs a version."""
    return task.get("type") not in _NEED_NO_VERSION and _version(task) < OLDEST_VERSION


class TaskTemplate:
    """One entry of a graph, not yet on any node."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        self.id, self.type = _id_of(task), _type_of(task)
        self.task = task
        self.has_fixed_name = "{" not in self.id and "}" not in self.id
        self.roles = _roles_of(task)
        self.version_is_old = is_of_old_format(task)
        self.retry = _retry_of(task, self.id, self.type)
        self.relations = {key: self._part(task.get(key) or task.get(key.replace("-", "_"))) for key in RELATIONS}
        self._name = self._part(self.id)
        self._condition = self._part(task.get("condition"))
        self._parameters = self._part(task.get("parameters") or {})
        self._with_defaults: dict[int, Mapping[str, Any]] = {}
        self._fail_on_error = self._part(True if task.get("fail_on_error") is None else task["fail_on_error"])

    @property
    def expressions(self) -> Iterator[str]:
        """The yaql expressions in all parts of the task."""
        parts = (*self.relations.values(), self._name, self._condition, self._parameters, self._fail_on_error)
        return chain.from_iterable(part.expressions for part in parts)

    @property
    def condition(self) -> str:
        """The condition in one line, as it was written, cut where it gets long."""
        written = self.task.get("condition")
        text = written.get(YAQL, written) if isinstance(written, Mapping) else written
        line = " ".join((text if isinstance(text, str) else json.dumps(text, default=str)).split())
        return line if len(line) <= LONGEST_CONDITION else f"{line[:LONGEST_CONDITION]}…"

    @property
    def is_group(self) -> bool:
        """Groups are not run: they add tasks to nodes and say how many nodes may fail."""
        return self.type in GROUP_TYPES

    @property
    def members(self) -> list[str]:
        """Ids of the tasks that a group adds to its nodes."""
        members = self.task.get("tasks") or []
        if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
            raise InvalidData(f"`tasks` of the group '{self.id}' must be a list of task ids.", task=self.id)
        return members

    def name(self, evaluator: Evaluator, view: View, node: str) -> str:
        """The id with the names in braces filled in.

        Raises:
            InvalidData: that is longer than history can keep.
        """
        name = str(self._name.fill(evaluator, view, node))
        if len(name) > LONGEST_NAME:
            raise InvalidData(
                f"The id of task '{self.id[:60]}' is longer than {LONGEST_NAME} characters on node {node} ({len(name)}): shorten it.",
                task=self.id,
                node=node,
            )
        return name

    def may_run(self, evaluator: Evaluator, view: View, node: str) -> bool:
        """What the condition says on this node: yaql by the truth of its value, a text as a legacy condition, `false` for no."""
        value = self._condition.fill(evaluator, view, node)
        if isinstance(value, str) and value and not self._condition.is_expression:
            value = evaluator.legacy(value, view, task=self.id, node=node)
        elif value in (None, "", [], {}) and not self._condition.is_expression:
            return True
        return bool(value)

    def watched(self, evaluator: Evaluator, view: View, node: str, *, past: bool = False) -> dict[str, Any]:
        """What the condition compares with old data, with its value on the new data (or the old); see `Evaluator.watched`."""
        found: dict[str, Any] = {}
        for text in self._condition.expressions:
            found |= evaluator.watched(text, view, task=self.id, node=node, past=past)
        return found

    def parameters(self, evaluator: Evaluator, view: View, node: str) -> Mapping[str, Any]:
        """The parameters on this node, not to be changed.

        Raises:
            InvalidData: an expression gave something else than a mapping.
        """
        value = self._parameters.fill(evaluator, view, node)
        if not isinstance(value, Mapping):
            raise InvalidData(f"The parameters of task '{self.id}' on node {node} are no mapping but {value!r}.", task=self.id, node=node)
        known = self._with_defaults.get(id(value))
        if known is None:
            known = self._with_defaults[id(value)] = {"cwd": "/", **value}
        return known

    def fails(self, evaluator: Evaluator, view: View, node: str) -> bool:
        """Whether a failure of this task fails its node."""
        return bool(self._fail_on_error.fill(evaluator, view, node))

    def _part(self, written: Any) -> Template:
        return Template(written, self.id)


def _id_of(task: Mapping[str, Any]) -> str:
    name = task.get("id")
    if not isinstance(name, str) or not name:
        raise InvalidData(f"A task has the id {name!r}: every task needs an id that is a text.")
    return name


def _type_of(task: Mapping[str, Any]) -> str:
    kind = task.get("type")
    if not isinstance(kind, str) or not kind:
        raise InvalidData(f"Task '{task['id']}' has no type.", task=str(task["id"]))
    return kind


def _roles_of(task: Mapping[str, Any]) -> Any:
    """Tags before roles before groups; an empty list of tags hides the others, an empty list of roles doesn't (Nailgun)."""
    if task.get("tags") is not None:
        return task["tags"]
    return task.get("role") or task.get("roles") or task.get("groups")


def _version(task: Mapping[str, Any]) -> tuple[int, ...]:
    """`2` and `2.0` are 2.0.0."""
    numbers = [int(number[:9]) for number in re.findall(r"\d+", str(task.get("version") or "1.0.0"))]
    return (*numbers, *[0] * (len(OLDEST_VERSION) - len(numbers)))


def _retry_of(task: Mapping[str, Any], name: str, kind: str) -> Retry:
    retry = task.get("retry") or {}
    if not isinstance(retry, Mapping):
        raise InvalidData(f"`retry` of task '{name}' must be like {{attempts: 3, delay: 10}}.", task=name)
    try:
        attempts, delay = int(retry.get("attempts", 1)), float(retry.get("delay", 0))
    except (TypeError, ValueError, OverflowError):
        raise InvalidData(f"`retry` of task '{name}' must hold numbers: attempts and delay (seconds).", task=name) from None
    if not 1 <= attempts <= MOST_ATTEMPTS or not 0 <= delay <= LONGEST_DELAY:
        bounds = f"1 to {MOST_ATTEMPTS} attempts and a delay of 0 seconds to a year"
        raise InvalidData(f"`retry` of task '{name}' needs {bounds}.", task=name)
    return Retry(bool(task.get("idempotent", kind in _REPEATABLE)), attempts, delay)
