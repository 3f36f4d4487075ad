"""How much failure a deployment bears: fault tolerance groups and critical nodes (Astute's rules, fewer of its surprises)."""

from __future__ import annotations

from collections.abc import Collection

from deployments.core.plan import SYNC_NODE, Plan, node_order
from deployments.core.wording import listed

NAMED_NODES = 10
"""How many failed nodes a reason names before it only counts."""


class FaultTolerance:
    """Counts failed nodes in their groups.

    While anything runs only a node with a failure of its own counts, once in every group it is in; at the end one that was left blocked
    does too. Nodes in no group, `master` too, are critical: none of them may fail. So are the nodes of a group with tolerance 0. The sync
    node never counts.
    """

    def __init__(self, plan: Plan) -> None:
        self._groups = [(group.name, len(set(group.nodes)), group.tolerance) for group in plan.groups if group.nodes]
        self._groups_of: dict[str, list[int]] = {}
        for index, group in enumerate(group for group in plan.groups if group.nodes):
            for node in dict.fromkeys(group.nodes):
                self._groups_of.setdefault(node, []).append(index)
        self._failed: list[list[str]] = [[] for _ in self._groups]
        self._failed_alone: list[str] = []
        self._counted = False

    def count(self, node: str) -> None:
        """This node failed. To be called once per node."""
        if node == SYNC_NODE:
            return
        self._counted = True
        groups = self._groups_of.get(node)
        if groups is None:
            self._failed_alone.append(node)
            return
        for group in groups:
            self._failed[group].append(node)

    def is_critical(self, node: str) -> bool:
        """Whether the failure of this node alone is too much."""
        if node == SYNC_NODE:
            return False
        groups = self._groups_of.get(node)
        return groups is None or any(self._groups[group][2] <= 0 for group in groups)

    def excess(self, blocked: Collection[str] = ()) -> str:
        """Which group bears no more, with its failed nodes, as a sentence; empty while all is within tolerance.

        Args:
            blocked: nodes that count though nothing failed there: what failed elsewhere left them undone.
        """
        if not self._counted:
            return ""
        reasons = []
        for index, ((name, size, tolerance), failed) in enumerate(zip(self._groups, self._failed, strict=True)):
            left = [node for node in blocked if index in self._groups_of.get(node, ())]
            if len(failed) + len(left) > max(tolerance, 0):
                borne = f"{tolerance} may fail" if tolerance > 0 else "none may fail"
                reasons.append(f"group {name}: {_undone(failed, left, f' of {size}')}, {borne}")
        left = [node for node in blocked if node not in self._groups_of]
        if self._failed_alone or left:
            reasons.append(f"{_undone(self._failed_alone, left)}, and no group allows for that")
        return f"Fault tolerance exceeded: {'; '.join(reasons)}." if reasons else ""


def _undone(failed: list[str], blocked: list[str], of: str = "") -> str:
    """`node 1 of 3 failed and nodes 2 and 3 are blocked by that`."""
    parts = [f"{_nodes(failed)}{of} failed"] if failed else []
    if blocked:
        are = "is" if len(blocked) == 1 else "are"
        parts.append(f"{_nodes(blocked)} {are} blocked by that" if failed else f"{_nodes(blocked)}{of} {are} blocked")
    return " and ".join(parts)


def _nodes(failed: list[str]) -> str:
    ordered = sorted(failed, key=node_order)
    return f"{'node' if len(ordered) == 1 else 'nodes'} {listed(ordered, NAMED_NODES)}"
