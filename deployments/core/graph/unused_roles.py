"""Which roles the tasks of a graph are for, held against those that nodes have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from deployments.core.graph.templates import GROUP_TYPES, SKIPPED, STAGE
from deployments.core.names import did_you_mean, is_pattern
from deployments.core.plan import MASTER_NODE, PlanWarning

_NOBODYS = frozenset(("*", "self", MASTER_NODE))
"""Names that stand for nodes without being roles."""


def roles_named(tasks: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The roles that tasks name as they are (no expression, no pattern) → the first task that does."""
    found: dict[str, str] = {}
    for task in tasks:
        if task.get("type") in (STAGE, SKIPPED):
            continue
        for key in ("role", "roles", "groups", "tags"):
            written = task.get(key)
            for role in written if isinstance(written, list) else [written]:
                if isinstance(role, str) and role not in _NOBODYS and not is_pattern(role) and "{" not in role:
                    found.setdefault(role, str(task["id"]))
    return found


def strange_roles(tasks: Iterable[Mapping[str, Any]], known: Collection[str]) -> list[PlanWarning]:
    """A warning for each role that is not among the known ones; what groups are called is known to the tasks that name groups."""
    listed = list(tasks)
    groups = {str(task["id"]) for task in listed if task.get("type") in GROUP_TYPES}
    return [
        PlanWarning(f"No node of the cluster has the role '{role}' and its release doesn't know it, so task '{task}' does not run for it"
                    f"{did_you_mean(role, known)}", task)
        for role, task in roles_named(listed).items() if role not in known and role not in groups
    ]  # fmt: skip


def nothing_to_deploy(graph_type: str, tasks: Iterable[Mapping[str, Any]], roles: Iterable[str]) -> str:
    """Why no task of a graph has a node, in a sentence; `roles` are those of the nodes that are to be deployed."""
    meant, there = sorted(roles_named(tasks)), sorted(set(roles))
    return (
        f"No task of the graph '{graph_type}' has a node to run on, so nothing would be deployed: its tasks are for "
        f"{', '.join(meant) or 'no role'}, and the nodes have {', '.join(there) or 'no role'}. "
        "Give the nodes such a role, or change the graph."
    )
