"""Who waits for whom: lets runs go when all they wait for is done, and blocks what a failure makes impossible."""

from __future__ import annotations

from collections.abc import Iterable

from deployments.core.links import Links
from deployments.core.plan import SYNC_NODE, Plan


class Dependencies:
    """Counts, for each vertex, the predecessors that have not ended; every link is walked once in a whole transaction.

    A run is free when all its predecessors ended well (`ready` or `skipped`). One that ended badly (failed or blocked) blocks those
    that wait for it; on the sync node it counts as done (Astute). A join vertex passes both on as if its links were written out.
    """

    def __init__(self, plan: Plan, links: Links) -> None:
        self._links = links
        self._before: list[list[int]] = []
        self._runs = links.runs
        self._successors = links.successors
        self._waiting = list(links.predecessor_counts)
        self._patient = bytearray(run.node == SYNC_NODE for run in plan.runs)
        self._poisoned: set[int] = set()
        self.open = bytearray([1]) * links.runs
        """By run: pending and not blocked. The scheduler clears it when a run is dispatched and sets it when it goes back."""

    def is_free(self, run: int) -> bool:
        """Whether nothing stands before this run."""
        return not self._waiting[run] and bool(self.open[run])

    def roots(self) -> list[int]:
        """Runs that wait for nobody."""
        return [run for run in range(self._runs) if self.is_free(run)]

    def predecessors(self, run: int) -> list[int]:
        """The runs that this one waits for, joins looked through, ascending. The first call walks all links."""
        self._before = self._before or self._links.predecessors()
        found: set[int] = set()
        for vertex in self._before[run]:
            found.update((vertex,) if vertex < self._runs else self._before[vertex])
        return sorted(found)

    def well(self, run: int) -> list[int]:
        """This run ended well; returns the runs that became free."""
        free: list[int] = []
        waiting = self._waiting
        for vertex in self._successors[run]:
            waiting[vertex] -= 1
            if not waiting[vertex]:
                self._reach(vertex, free)
        return free

    def badly(self, causes: Iterable[int]) -> tuple[list[int], list[int]]:
        """These runs failed or can't start any more.

        Returns the runs that are blocked by that, and those of the sync node that became free.
        """
        blocked: list[int] = []
        free: list[int] = []
        bad = list(causes)
        while bad:
            for vertex in self._successors[bad.pop()]:
                if vertex >= self._runs and vertex not in self._poisoned:
                    self._poisoned.add(vertex)
                    self._block(self._successors[vertex], blocked, bad)
                elif vertex < self._runs:
                    self._block((vertex,), blocked, bad)
                self._waiting[vertex] -= 1
                if not self._waiting[vertex]:
                    self._reach(vertex, free)
        return blocked, free

    def _block(self, runs: Iterable[int], blocked: list[int], bad: list[int]) -> None:
        for run in runs:
            if self.open[run] and not self._patient[run]:
                self.open[run] = 0
                blocked.append(run)
                bad.append(run)

    def _reach(self, vertex: int, free: list[int]) -> None:
        """All that this vertex waits for has ended."""
        if vertex < self._runs:
            if self.open[vertex]:
                free.append(vertex)
            return
        for run in self._successors[vertex]:
            self._waiting[run] -= 1
            if not self._waiting[run] and self.open[run]:
                free.append(run)
