"""Which ready run starts next, and where: one run per node, so many nodes at once, so many nodes per task at once."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from heapq import heappop, heappush, heapreplace

from deployments.core.links import Links
from deployments.core.plan import ENGINE_TYPES, Plan, node_order
from deployments.core.scheduling.precedence import Precedence

NO_RUN = -1


class Places:
    """The queues of ready runs and the places they wait for.

    Each idle node takes the heaviest of its ready runs whose task has a place; free places go to nodes by their rank. Nothing is
    searched: a node is looked at when a run of it became ready, when it became idle, or when a place it waited for is free. Then
    waiting nodes are popped until the place is taken or nobody is left; waking one per place would lose wake-ups, for the one that was
    woken may be busy or take something else.

    Which run is a node's turn follows from what is ready and which places are free at this moment, never from what was looked at
    before: so one that is rebuilt in mid-run decides as the one that lived on.
    """

    def __init__(self, plan: Plan, links: Links, turns: Sequence[int]) -> None:
        self.nodes = tuple(sorted({*plan.nodes, *(run.node for run in plan.runs)}, key=node_order))
        number = {node: index for index, node in enumerate(self.nodes)}
        self.node_of = [number[run.node] for run in plan.runs]
        self.busy = [NO_RUN] * len(self.nodes)
        """By node: the run that holds it, from dispatch to the end of the attempt."""
        self.taken = 0
        """How many nodes are busy."""
        self.limit = plan.max_nodes_per_call if plan.max_nodes_per_call > 0 else len(self.nodes)
        self._turns = turns
        self._run_at = [0] * len(turns)
        for run, turn in enumerate(turns):
            self._run_at[turn] = run
        self.engine = bytearray(run.type in ENGINE_TYPES for run in plan.runs)
        self.free = {task: limit for task, limit in plan.limits.items() if limit > 0}
        """By limited task: how many more nodes may run it now."""
        self.task_of = [run.task if run.task in self.free and run.type not in ENGINE_TYPES else None for run in plan.runs]
        """By run: its task if that has a limit, else None."""
        self.queued = bytearray(len(turns))
        """By run: ready and waiting for its turn."""
        self._ready: list[list[int]] = [[] for _ in self.nodes]
        """By node: the turns of its ready runs, ascending."""
        self._waiting: dict[str, list[tuple[int, int]]] = {task: [] for task in self.free}
        """By limited task: (its node's rank then, turn) of the runs that were passed over because it had no place, as a heap."""
        self._is_waiting = bytearray(len(turns))
        self._open: set[str] = set()
        self._exhausted: set[str] = set()
        """Tasks whose last place was just taken."""
        self._stirred: list[int] = []
        self._is_stirred = bytearray(len(self.nodes))
        precedence = Precedence(plan, links, self.node_of, len(self.nodes))
        self._rank = precedence.rank
        self.settle = precedence.settle
        """Nothing more will come of this run."""
        self._starters: list[int] = []
        """The ranks, when they were put here, of nodes that may start a run, as a heap."""
        self._is_starter = bytearray(len(self.nodes))
        self._wants: list[str | None] = [None] * len(self.nodes)
        """By starter: the limited task whose place it counts on."""

    def add(self, run: int) -> None:
        """This run is ready to start."""
        if not self.queued[run]:
            self.queued[run] = 1
            node = self.node_of[run]
            insort(self._ready[node], self._turns[run])
            self._stir(node)

    def remove(self, run: int) -> None:
        """This run has its turn, or can't start any more."""
        if self.queued[run]:
            self.queued[run] = 0
            ready = self._ready[self.node_of[run]]
            del ready[bisect_left(ready, self._turns[run])]

    def occupy(self, run: int) -> None:
        """The run's node is busy with it, and it holds a place of its task."""
        self.busy[self.node_of[run]] = run
        self.taken += 1
        task = self.task_of[run]
        if task is not None:
            self.free[task] -= 1
            if self.free[task] == 0:
                self._exhausted.add(task)

    def release(self, run: int) -> None:
        """The attempt ended: its node and its places are free."""
        node = self.node_of[run]
        self.busy[node] = NO_RUN
        self.taken -= 1
        task = self.task_of[run]
        if task is not None:
            self.free[task] += 1
            self._open.add(task)
        self._stir(node)

    def next(self) -> int | None:
        """The next run to take its turn, or None when nothing more can.

        A run of an engine type is only handed over: the caller ends it at once. Any other run has taken its places. Engine runs come
        first: their ends belong to this moment, and all ends of a moment are taken before anything new starts.
        """
        while True:
            if self._stirred:
                run = self._engine_turn()
                if run is not None:
                    return run
            elif self._exhausted:
                self._look_again()
            elif self.taken >= self.limit or not self._starters and not self._open:
                return None
            else:
                run = self._start_turn()
                if run is not None:
                    return run

    def has_place(self, task: str | None) -> bool:
        """Whether one more node may run this task now."""
        return task is None or self.free[task] > 0

    # -- private ----------------------------------------------------------------------------------------------------------

    def _stir(self, node: int) -> None:
        if not self._is_stirred[node]:
            self._is_stirred[node] = 1
            heappush(self._stirred, node)

    def _look_again(self) -> None:
        """A node that counted on such a place has to pass over that run now, and what comes after it may need no place."""
        for rank in self._starters:
            node = rank % len(self.nodes)
            if self._wants[node] in self._exhausted:
                self._stir(node)
        self._exhausted.clear()

    def _engine_turn(self) -> int | None:
        """Look at the nodes that were stirred until an engine run has its turn; those that may start another become starters."""
        while self._stirred:
            node = heappop(self._stirred)
            self._is_stirred[node] = 0
            run = self._first(node) if self.busy[node] == NO_RUN else None
            if run is None:
                continue
            if self.engine[run]:
                self._stir(node)
                self.remove(run)
                return run
            self._wants[node] = self.task_of[run]
            if not self._is_starter[node]:
                self._is_starter[node] = 1
                heappush(self._starters, self._rank[node])
        return None

    def _start_turn(self) -> int | None:
        """Let the first of the waiting nodes start; one that waits for a place of its task is looked at again first.

        Ranks only grow, so a node whose rank has changed since is never met too late: it goes back to where it belongs now.
        """
        task = self._first_open_task() if self._open else None
        if task is not None:
            waiting = self._waiting[task]
            if not self._starters or waiting[0][0] <= self._starters[0]:
                rank, turn = heappop(waiting)
                passed_over = self._run_at[turn]
                self._is_waiting[passed_over] = 0
                if self.queued[passed_over]:
                    self._stir(rank % len(self.nodes))
                return None
        if not self._starters:
            return None
        node = self._starters[0] % len(self.nodes)
        if self._starters[0] < self._rank[node]:
            heapreplace(self._starters, self._rank[node])
            return None
        heappop(self._starters)
        self._is_starter[node] = 0
        run = self._first(node) if self.busy[node] == NO_RUN else None
        if run is None:
            return None
        if self.engine[run]:
            self._stir(node)
        else:
            self.occupy(run)
        self.remove(run)
        return run

    def _first(self, node: int) -> int | None:
        """The node's heaviest ready run that may start; those above it whose task has no place wait for one."""
        for turn in self._ready[node]:
            run = self._run_at[turn]
            task = self.task_of[run]
            if task is None or self.free[task] > 0:
                return run
            if not self._is_waiting[run]:
                self._is_waiting[run] = 1
                heappush(self._waiting[task], (self._rank[node], turn))
        return None

    def _first_open_task(self) -> str | None:
        """The task with a free place whose first waiting node comes first."""
        best = None
        for task in list(self._open):
            if self.free[task] <= 0 or not self._waiting[task]:
                self._open.discard(task)
            elif best is None or self._waiting[task][0] < self._waiting[best][0]:
                best = task
        return best
