"""Which node gets a free place first."""

from __future__ import annotations

from collections import Counter

from deployments.core.links import Links
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Plan


class Precedence:
    """The rank of each node: the lowest goes first. It follows from what is settled alone, and never falls.

    First come nodes with a scarce task before them, in their own order: one after the other they keep its few places busy, where all at
    once would let it stand idle and then queue for it. Then the others, the one with the most runs left first, so that nobody is far
    behind when all have to wait for all; equals in their own order. A task is scarce if its limit is smaller than the number of its runs
    and binds before the limit of busy nodes. Runs of the engine take no place and don't count, nor do those of the sync node, which
    comes last. Where no node ever waits for another, all go in their own order and are finished one after the other (Astute).
    """

    def __init__(self, plan: Plan, links: Links, node_of: list[int], nodes: int) -> None:
        related = _related(plan, links)
        counted = [related and run.type not in ENGINE_TYPES and run.node != SYNC_NODE for run in plan.runs]
        runs_of = Counter(run.task for run, counts in zip(plan.runs, counted, strict=True) if counts)
        at_once = plan.max_nodes_per_call if plan.max_nodes_per_call > 0 else nodes
        scarce = {task for task, limit in plan.limits.items() if 0 < limit < min(runs_of[task], at_once)}
        self._node_of = node_of
        self._counts = bytearray(counted)
        self._is_scarce = bytearray(counts and run.task in scarce for run, counts in zip(plan.runs, counted, strict=True))
        self._scarce_left = [0] * nodes
        left = [0] * nodes
        for run, node in enumerate(node_of):
            left[node] += self._counts[run]
            self._scarce_left[node] += self._is_scarce[run]
        most = max(left, default=0)
        self._step = nodes
        self._by_left = [(1 + most - left[node]) * nodes + node for node in range(nodes)]
        self.rank = [node if self._scarce_left[node] else self._by_left[node] for node in range(nodes)]
        """By node; no two are the same, and `rank % nodes` tells whose it is or was."""

    def settle(self, run: int) -> None:
        """Nothing more will come of this run. To be called once per run."""
        if self._counts[run]:
            node = self._node_of[run]
            self._by_left[node] += self._step
            if self._is_scarce[run]:
                self._scarce_left[node] -= 1
            if not self._scarce_left[node]:
                self.rank[node] = self._by_left[node]


def _related(plan: Plan, links: Links) -> bool:
    """Whether some run has to wait for one of another node."""
    for run, planned in enumerate(plan.runs):
        for after in links.successors[run] if planned.node != SYNC_NODE else ():
            targets = links.successors[after] if links.is_join(after) else (after,)
            if any(plan.runs[target].node != planned.node for target in targets):
                return True
    return False
