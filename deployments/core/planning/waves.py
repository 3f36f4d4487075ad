"""The order of roles in the old, role-based engine: which nodes are deployed together, and after whom (Nailgun's priorities)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from deployments.core.documents.typed import mapping
from deployments.core.names import matching
from deployments.core.plan import Plan, node_order
from deployments.core.planning.strategy import limit_of
from deployments.core.time_limit import no_limit

GROUP_TYPES = frozenset({"group", "role"})

T = TypeVar("T")

Task = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Share:
    """What one group has to do on one node."""

    group: str
    node: str


Priority = tuple[Share, ...]
"""What is deployed at the same time; the next priority waits for the slowest node."""


def priorities(plan: Plan, tasks: Iterable[Task]) -> list[Priority]:
    """The priorities of the deployment stage, in order.

    Groups whose predecessors are done go together; a group without nodes counts as done. In a wave, each node of a `one_by_one` group has a
    priority of its own, a `parallel` group with an amount takes that many nodes at a time, and all other groups share one priority.
    """
    groups = {str(task["id"]): task for task in tasks if task.get("type") in GROUP_TYPES}
    nodes = {group.name: sorted(set(group.nodes), key=node_order) for group in plan.groups}
    found: list[Priority] = []
    for wave in _waves(groups):
        manned = [name for name in wave if nodes.get(name)]
        together: list[Share] = []
        for name in manned:
            shares = [Share(name, node) for node in nodes[name]]
            amount = limit_of(mapping(groups[name], "parameters", f"the group '{name}'"), name)
            if amount:
                found += [tuple(part) for part in slices(shares, amount)]
            else:
                together += shares
        if together:
            found.append(tuple(together))
    return found


def slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, `size` at a time; all at once where size is 0."""
    size = size if size > 0 else max(1, len(items))
    for start in range(0, len(items), size):
        yield items[start : start + size]


def is_for(task: Task | None, role: str) -> bool:
    """Whether the task names this role itself (by tag, role or group, the first of them that it has; patterns too)."""
    if task is None:
        return False
    written = next((task[key] for key in ("tags", "roles", "role", "groups") if task.get(key) is not None), ())
    return any(matching(name, [role], no_limit) for name in _texts(written))


def _waves(groups: Mapping[str, Task]) -> list[list[str]]:
    """Names of groups by how many groups stand before them; a circle of groups is broken at its first."""
    before = _predecessors(groups)
    waves: list[list[str]] = []
    left = dict.fromkeys(sorted(groups))
    while left:
        free = [name for name in left if not before[name] & left.keys()] or [next(iter(left))]
        waves.append(free)
        for name in free:
            del left[name]
    return waves


def _predecessors(groups: Mapping[str, Task]) -> dict[str, set[str]]:
    before: dict[str, set[str]] = {name: set() for name in groups}
    for name, task in groups.items():
        for other in _groups_named(task.get("requires"), groups):
            before[name].add(other)
        for other in _groups_named(task.get("required_for"), groups):
            before[other].add(name)
    for name, others in before.items():
        others.discard(name)
    return before


def _groups_named(names: Any, groups: Mapping[str, Task]) -> Iterator[str]:
    for name in _texts(names):
        yield from matching(name, groups, no_limit)


def _texts(written: Any) -> list[str]:
    """The names that are plainly written; what else may stand there means none."""
    listed = [written] if isinstance(written, str) else written if isinstance(written, list | tuple) else []
    return [name for name in listed if isinstance(name, str)]
