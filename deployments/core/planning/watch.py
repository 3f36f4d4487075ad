"""What planned runs depend on beyond their parameters: the data that the conditions of their tasks compare with old data.

A puppet task has the same parameters for ever; that it depends on `$.glance` only its condition says: `changed($.glance)`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from deployments.core.expressions.evaluator import Evaluator
from deployments.core.graph.templates import TaskTemplate
from deployments.core.plan import ENGINE_TYPES, Plan, TaskRun
from deployments.core.planning.differences import differing_keys

_MOST_SHOWN = 4
_LONGEST_SHOWN = 80


class Watch:
    """Knows the inputs of every run of one plan."""

    def __init__(self, evaluator: Evaluator, templates: Mapping[tuple[str, str], TaskTemplate]) -> None:
        self._evaluator, self._templates = evaluator, templates
        self._digests: dict[int, str] = {}
        self._kept: list[Any] = []
        """What has been digested, so that no other object gets its `id`."""

    def inputs(self, plan: Plan) -> tuple[str, ...]:
        """By run: SHA-256 of all that decides what it does (type, parameters, watched data); empty for a run that does nothing."""
        return tuple("" if run.type in ENGINE_TYPES else self._inputs(run) for run in plan.runs)

    def changes(self, task: str, node: str) -> list[str]:
        """What the task's condition watches and what is not as it was when it last ended well on this node."""
        template = self._templates.get((task, node))
        if template is None:
            return []
        view = self._evaluator.view(task, node, fresh=False)
        new, old = (template.watched(self._evaluator, view, node, past=past) for past in (False, True))
        paths = [path for name in new if new[name] is not old[name] for path in differing_keys(old[name], new[name], name)]
        shown = [path if len(path) <= _LONGEST_SHOWN else path[:_LONGEST_SHOWN] + "…" for path in dict.fromkeys(paths)]
        return shown if len(shown) <= _MOST_SHOWN else [*shown[:_MOST_SHOWN], f"{len(shown) - _MOST_SHOWN} more"]

    def _inputs(self, run: TaskRun) -> str:
        parts = (run.type, self._digest(run.parameters), self._watched(run))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _watched(self, run: TaskRun) -> str:
        template = self._templates.get((run.task, run.node))
        if template is None:
            return ""
        values = template.watched(self._evaluator, self._evaluator.view(run.task, run.node), run.node)
        return "\n".join(f"{name}={self._digest(value)}" for name, value in values.items())

    def _digest(self, value: Any) -> str:
        """Equal parameters of a task are one object, and so are equal values of expressions: each is digested once."""
        found = self._digests.get(id(value))
        if found is None:
            found = self._digests[id(value)] = _digest(self._evaluator.canon.thaw(value))
            self._kept.append(value)
        return found


def _digest(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":"), default=str).encode()).hexdigest()
