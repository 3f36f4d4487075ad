"""How much failure a deployment bears: fault tolerance groups and critical nodes (Astute's rules, fewer of its surprises)."""

from __future__ import annotations

from deployments.core.plan import SYNC_NODE, Plan, node_order
from deployments.core.wording import listed

NAMED_NODES = 10
"""How many failed nodes a reason names before it only counts."""


class FaultTolerance:
    """Counts failed nodes in their groups.

    Only a node with a failure of its own counts, once in every group it is in; one that is merely blocked does not. Nodes in no group,
    `master` too, are critical: none of them may fail. So are the nodes of a group with tolerance 0. The sync node never counts.
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

    def excess(self) -> str:
        """Which group bears no more, with its failed nodes, as a sentence; empty while all is within tolerance."""
        if not self._counted:
            return ""
        reasons = []
        for (name, size, tolerance), failed in zip(self._groups, self._failed, strict=True):
            if len(failed) > max(tolerance, 0):
                borne = f"{tolerance} may fail" if tolerance > 0 else "none may fail"
                reasons.append(f"group {name}: {_nodes(failed)} of {size} failed, {borne}")
        if self._failed_alone:
            reasons.append(f"{_nodes(self._failed_alone)} failed, and no group allows for that")
        return f"Fault tolerance exceeded: {'; '.join(reasons)}." if reasons else ""


def _nodes(failed: list[str]) -> str:
    ordered = sorted(failed, key=node_order)
    return f"{'node' if len(ordered) == 1 else 'nodes'} {listed(ordered, NAMED_NODES)}"
