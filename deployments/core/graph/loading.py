"""Reads the text of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deployments.core.documents import safe_yaml
from deployments.core.errors import InvalidData
from deployments.core.graph.validation import validate
from deployments.core.plan import PlanWarning

MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Graph:
    """A checked task list, in its order, and what looks like a mistake in it."""

    tasks: tuple[dict[str, Any], ...]
    warnings: tuple[PlanWarning, ...] = ()


def load_tasks(text: str | bytes) -> Graph:
    """Read and check a graph: a YAML (or JSON) list of tasks, or a mapping with the list under `tasks`.

    Raises:
        InvalidData: it can't be read, or is no valid graph (see `validate`).
    """
    data = safe_yaml.load(text, "The graph", most_bytes=MOST_BYTES)
    tasks = data.get("tasks") if isinstance(data, dict) else data
    if data is None or (isinstance(data, dict) and "tasks" in data and tasks is None):
        tasks = []  # Plugins without tasks have a file that is empty, or nothing but comments.
    if not isinstance(tasks, list):
        raise InvalidData("The graph is no list of tasks, nor a mapping with such a list under `tasks`.")
    return Graph(tuple(tasks), tuple(validate(tasks)))
