"""A plan beside its log: what each run waits for, what can't start any more, and how much failure is borne, told from events alone.

Written apart from the scheduler's own books on purpose: a mistake there must not hide itself here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from deployments.core.graph.templates import SKIPPED
from deployments.core.links import Links, link
from deployments.core.plan import ENGINE_TYPES, SYNC_NODE, Plan
from deployments.core.scheduling.failures import BORNE, Excess, FaultTolerance

DONE = frozenset({"ready", "skipped"})


class Replay:
    """One child transaction's runs as its log moves them. Runs are named by their index in the plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.status = ["pending"] * len(plan.runs)
        self.stuck: set[int] = set()
        """Runs that can't start: on a failed node, or behind a run that failed or can't start."""
        self.failed_nodes: set[str] = set()
        self.excess: Excess = BORNE
        """Which fault tolerance is exceeded."""
        self._links: Links = link(plan)
        self._before: list[list[int]] = []
        self._waiting = list(self._links.predecessor_counts)
        self._on_node: dict[str, list[int]] = {}
        for run, planned in enumerate(plan.runs):
            self._on_node.setdefault(planned.node, []).append(run)
        self._offline: set[str] = set()
        self._passed: set[int] = set()
        self._tolerance = FaultTolerance(plan)

    def missing(self, run: int) -> list[int]:
        """What this run still waits for. On the sync node a run that failed or can't start counts as done."""
        if not self._waiting[run]:
            return []
        patient = self.plan.runs[run].node == SYNC_NODE
        enough = {*DONE, "error"} if patient else DONE
        return [other for other in self._predecessors(run) if self.status[other] not in enough and not (patient and other in self.stuck)]

    def move(self, run: int, new: str) -> None:
        """The run is in this state now."""
        old, self.status[run] = self.status[run], new
        node = self.plan.runs[run].node
        if new in DONE and old not in DONE:
            self._let_go(run)
        if old == "error":
            self._judge_anew()
        elif new == "error":
            self._fail_node(node)
            self._spread([run])
        elif new == "pending" and node in self.failed_nodes:
            self.stuck.add(run)
            self._spread([run])

    def offline(self, node: str) -> None:
        """The node has no agent."""
        self._offline.add(node)
        if node in self._on_node or node in self.plan.nodes:
            self._fail_node(node)

    # -- private ----------------------------------------------------------------------------------------------------------

    def _predecessors(self, run: int) -> list[int]:
        self._before = self._before or self._links.predecessors()
        found: set[int] = set()
        for vertex in self._before[run]:
            found.update(self._before[vertex] if self._links.is_join(vertex) else (vertex,))
        return sorted(found)

    def _let_go(self, run: int) -> None:
        for vertex in self._links.successors[run]:
            self._waiting[vertex] -= 1
            if self._links.is_join(vertex) and not self._waiting[vertex]:
                for after in self._links.successors[vertex]:
                    self._waiting[after] -= 1

    def _fail_node(self, node: str) -> None:
        if node in self.failed_nodes:
            return
        self.failed_nodes.add(node)
        self._tolerance.count(node)
        self.excess = self._tolerance.excess()
        rest = [run for run in self._on_node.get(node, ()) if self.status[run] == "pending" and run not in self.stuck]
        self.stuck.update(rest)
        self._spread(rest)

    def _spread(self, causes: Iterable[int]) -> None:
        """Whatever waits for these can't start either; each join is passed once."""
        bad = list(causes)
        while bad:
            for vertex in self._links.successors[bad.pop()]:
                if not self._links.is_join(vertex):
                    self._stick(vertex, bad)
                elif vertex not in self._passed:
                    self._passed.add(vertex)
                    for after in self._links.successors[vertex]:
                        self._stick(after, bad)

    def _stick(self, run: int, bad: list[int]) -> None:
        if self.status[run] == "pending" and run not in self.stuck and self.plan.runs[run].node != SYNC_NODE:
            self.stuck.add(run)
            bad.append(run)

    def _judge_anew(self) -> None:
        """A person has resolved a failure: what followed from it may hold no longer."""
        self.stuck, self.failed_nodes, self._passed = set(), set(), set()
        self._tolerance, self.excess = FaultTolerance(self.plan), BORNE
        for node in sorted(self._offline):
            self.offline(node)
        for run, status in enumerate(self.status):
            if status == "error":
                self._fail_node(self.plan.runs[run].node)
                self._spread([run])


@dataclass(slots=True)
class Tries:
    """What became of a run's attempts. A person's decision begins the count of failures anew."""

    attempts: int = 0
    failures: int = 0
    lost: int = 0


@dataclass(slots=True)
class Place:
    """Where a run of the log stands in its plan."""

    replay: Replay
    index: int
    tries: Tries = field(default_factory=Tries)

    @property
    def task(self) -> str:
        """Its task id."""
        return self.replay.plan.runs[self.index].task

    @property
    def name(self) -> str:
        """`task/node`."""
        return self.replay.plan.runs[self.index].name

    @property
    def node(self) -> str:
        """Its node."""
        return self.replay.plan.runs[self.index].node

    @property
    def status(self) -> str:
        """Its state now."""
        return self.replay.status[self.index]

    @property
    def passed_over(self) -> bool:
        """Whether it was to do nothing and a failure stands before it: it is skipped at the end, and nothing comes of that."""
        return self.replay.plan.runs[self.index].type == SKIPPED and self.index in self.replay.stuck

    @property
    def is_engine(self) -> bool:
        """Whether the scheduler ends this run itself, without an attempt."""
        return self.replay.plan.runs[self.index].type in ENGINE_TYPES
