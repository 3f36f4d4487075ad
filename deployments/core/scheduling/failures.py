"""How much failure a deployment bears: fault tolerance groups and critical nodes (Astute's rules, fewer of its surprises)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from deployments.core.plan import SYNC_NODE, Plan, node_order
from deployments.core.wording import listed

EXCEEDED = "Fault tolerance exceeded: "
"""How the sentence begins; what was recorded of a transaction is known by that."""

NAMED_NODES = 10
"""How many failed nodes a reason names before it only counts."""


@dataclass(frozen=True, slots=True)
class GroupExcess:
    """One group with more nodes undone than it bears."""

    group: str
    """Its name; empty for the nodes that are in no group, none of which may fail."""
    size: int
    """How many nodes it has; 0 for those in no group."""
    tolerance: int
    """How many of them may fail."""
    failed: tuple[str, ...]
    blocked: tuple[str, ...] = ()
    """Nodes that count though nothing failed there: what failed elsewhere left them undone."""

    def __str__(self) -> str:
        """`compute: node-3 and node-7 failed and node-9 is blocked by that, 3 of 10, 2 may fail`."""
        of = f", {len(self.failed) + len(self.blocked)} of {self.size}" if self.group else ""
        borne = f"{self.tolerance} may fail" if self.tolerance > 0 else "none may fail"
        return f"{self.group or 'in no group'}: {self._undone}{of}, {borne}"

    @property
    def _undone(self) -> str:
        parts = [f"{_named(self.failed)} failed"] if self.failed else []
        if self.blocked:
            are = "is" if len(self.blocked) == 1 else "are"
            parts.append(f"{_named(self.blocked)} {are} blocked{' by that' if self.failed else ''}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True)
class Excess:
    """What fault tolerance does not bear. False, and no words, while all is borne."""

    groups: tuple[GroupExcess, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.groups)

    def __str__(self) -> str:
        return f"{EXCEEDED}{'; '.join(map(str, self.groups))}." if self.groups else ""

    def as_list(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [asdict(group) for group in self.groups]


BORNE = Excess()


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

    def excess(self, blocked: Collection[str] = ()) -> Excess:
        """Which groups bear no more, with their failed nodes.

        Args:
            blocked: nodes that count though nothing failed there: what failed elsewhere left them undone.
        """
        if not self._counted:
            return BORNE
        found = []
        for index, ((name, size, tolerance), failed) in enumerate(zip(self._groups, self._failed, strict=True)):
            left = [node for node in blocked if index in self._groups_of.get(node, ())]
            if len(failed) + len(left) > max(tolerance, 0):
                found.append(GroupExcess(name, size, max(tolerance, 0), _ordered(failed), _ordered(left)))
        left = [node for node in blocked if node not in self._groups_of]
        if self._failed_alone or left:
            found.append(GroupExcess("", 0, 0, _ordered(self._failed_alone), _ordered(left)))
        return Excess(tuple(found)) if found else BORNE


def critical_offline(nodes: Sequence[str]) -> str:
    """Why a deployment does not begin: Astute's words."""
    return f"Critical nodes are not available for deployment: {listed(nodes, NAMED_NODES)}."


def _ordered(nodes: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(nodes, key=node_order))


def _named(nodes: Sequence[str]) -> str:
    """`node-3 and node-7`; a name that is a bare number needs the word: `nodes 3 and 7`."""
    word = ("node " if len(nodes) == 1 else "nodes ") if any(node.isdigit() for node in nodes) else ""
    return f"{word}{listed(nodes, NAMED_NODES)}"
