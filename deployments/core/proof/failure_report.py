"""What went wrong, told apart from what merely could not start because of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.core.links import link
from deployments.core.plan import Plan, node_order
from deployments.core.scheduling.failures import BORNE, Excess, FaultTolerance
from deployments.core.wording import counted, listed

LAST_LINES = 5
"""How many lines of a failed run's output are shown."""

NAMED = 5
"""How many tasks or nodes a sentence names before it only counts."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the record says of one run. `blocked_by` is the plan index of the run that is the cause (None: its own node, or nothing)."""

    status: str
    attempts: int = 0
    reason: str = ""
    blocked_by: int | None = None
    output: str = ""


@dataclass(frozen=True, slots=True)
class Blocked:
    """Runs that could not start, counted by task and by node."""

    by_task: Mapping[str, int] = field(default_factory=dict)
    by_node: Mapping[str, int] = field(default_factory=dict)
    shared: int = 0
    """How many of them other failures block as well."""

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.by_node.values())

    def as_dict(self) -> dict[str, Any]:
        """For JSON; most frequent first."""
        return {"total": self.total, "shared": self.shared, "by_task": dict(self.by_task), "by_node": dict(self.by_node)}


@dataclass(frozen=True, slots=True)
class RootFailure:
    """A run that failed by itself."""

    task: str
    node: str
    reason: str
    attempts: int
    output: tuple[str, ...]
    """The last lines that it printed."""
    blocked: Blocked

    @property
    def consequence(self) -> str:
        """What it blocked, as a sentence."""
        return consequence(self.blocked, f"{self.task} on node {self.node}")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: getattr(self, name) for name in ("task", "node", "reason", "attempts")}
        return {**told, "output": list(self.output), "blocked": self.blocked.as_dict()}


@dataclass(frozen=True, slots=True)
class OfflineNode:
    """A node whose agent did not answer."""

    node: str
    blocked: Blocked

    @property
    def consequence(self) -> str:
        """What it blocked, as a sentence."""
        return consequence(self.blocked, f"node {self.node}, which is offline")

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"node": self.node, "blocked": self.blocked.as_dict()}


@dataclass(frozen=True, slots=True)
class FailureReport:
    """Root causes, in the plan's order. `exceeded` says which fault tolerance was too small, if any."""

    failures: tuple[RootFailure, ...] = ()
    offline: tuple[OfflineNode, ...] = ()
    exceeded: Excess = BORNE

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not self.offline

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "failures": [failure.as_dict() for failure in self.failures],
            "offline": [node.as_dict() for node in self.offline],
            "exceeded": str(self.exceeded),
            "exceeded_groups": self.exceeded.as_list(),
        }


def failure_report(plan: Plan, runs: Sequence[RunFacts], offline: Collection[str] = ()) -> FailureReport:
    """Trace every run that could not start back to all failed runs and offline nodes without which it could have.

    Args:
        runs: by index in the plan.
        offline: nodes that were found without an agent.
    """
    tolerance = FaultTolerance(plan)
    failed = [index for index, run in enumerate(runs) if run.status == "error"]
    gone = sorted(set(offline), key=node_order)
    for node in dict.fromkeys([*gone, *(plan.runs[index].node for index in failed)]):
        tolerance.count(node)
    blocked = _blocked(plan, runs, frozenset(offline))
    return FailureReport(
        tuple(_root(plan, runs, index, blocked.get(index, Blocked())) for index in failed),
        tuple(OfflineNode(node, blocked.get(node, Blocked())) for node in gone),
        tolerance.excess(),
    )


def consequence(blocked: Blocked, cause: str) -> str:
    """`37 task runs blocked by keystone on node 2: nova (12), neutron (5) …; on nodes 3 (20), 4 (17). 5 of them by other failures too.`"""
    if not blocked.total:
        return f"Nothing else is blocked by {cause}."
    nodes = "on node" if len(blocked.by_node) == 1 else "on nodes"
    told = f"{counted(blocked.total, 'task run')} blocked by {cause}: {_counts(blocked.by_task)}; {nodes} {_counts(blocked.by_node)}."
    if not blocked.shared:
        return told
    which = "All" if blocked.shared == blocked.total else str(blocked.shared)
    return f"{told} {'It is' if blocked.total == 1 else f'{which} of them {_are(blocked.shared)}'} blocked by other failures too."


def _root(plan: Plan, runs: Sequence[RunFacts], index: int, blocked: Blocked) -> RootFailure:
    planned, run = plan.runs[index], runs[index]
    lines = [line.rstrip() for line in run.output.splitlines() if line.strip()]
    return RootFailure(planned.task, planned.node, run.reason, run.attempts, tuple(lines[-LAST_LINES:]), blocked)


def _blocked(plan: Plan, runs: Sequence[RunFacts], offline: frozenset[str]) -> dict[int | str, Blocked]:
    """By root: the index of a failed run, or the uid of an offline node.

    What stands before a run can be many; the roots of each are a set of bits, so every link is walked once.
    """
    roots: list[int | str] = [*(index for index, run in enumerate(runs) if run.status == "error"), *sorted(offline, key=node_order)]
    bits = {root: 1 << place for place, root in enumerate(roots)}
    of_node: dict[str, int] = {node: bits[node] for node in offline}
    for root in roots:
        if isinstance(root, int):
            of_node[plan.runs[root].node] = of_node.get(plan.runs[root].node, 0) | bits[root]
    alike: dict[int, list[int]] = {}
    for index, found in enumerate(_roots(plan, runs, bits, of_node)):
        if found:
            alike.setdefault(found, []).append(index)
    members: dict[int | str, list[int]] = {}
    shared: Counter[int | str] = Counter()
    for found, indexes in alike.items():
        own = [roots[place] for place in range(found.bit_length()) if found >> place & 1]
        for root in own:
            members.setdefault(root, []).extend(indexes)
            shared[root] += len(indexes) if len(own) > 1 else 0
    return {root: _counted(plan, sorted(indexes), shared[root]) for root, indexes in members.items()}


def _roots(plan: Plan, runs: Sequence[RunFacts], bits: Mapping[int | str, int], of_node: Mapping[str, int]) -> list[int]:
    """By run that is recorded as blocked: the bits of its roots; 0 for all others."""
    links = link(plan)
    found = [0] * len(links.successors)
    waiting = list(links.predecessor_counts)
    due = [vertex for vertex, count in enumerate(waiting) if not count]
    while due:
        vertex = due.pop()
        passed = found[vertex]
        if not links.is_join(vertex):
            run, node = runs[vertex], plan.runs[vertex].node
            if run.status == "error":
                passed = bits[vertex]
            elif run.status == "pending" and (run.blocked_by is not None or node in of_node):
                passed = found[vertex] = passed | of_node.get(node, 0) or _recorded(plan, run, bits)
            else:
                passed = found[vertex] = 0
        for after in links.successors[vertex]:
            found[after] |= passed
            waiting[after] -= 1
            if not waiting[after]:
                due.append(after)
    return [0 if run.status == "error" else roots for run, roots in zip(runs, found, strict=False)]


def _recorded(plan: Plan, run: RunFacts, bits: Mapping[int | str, int]) -> int:
    """What the record says where the links tell nothing."""
    root = run.blocked_by
    return 0 if root is None else bits.get(root) or bits.get(plan.runs[root].node, 0)


def _counted(plan: Plan, members: Sequence[int], shared: int) -> Blocked:
    tasks, nodes = Counter(plan.runs[index].task for index in members), Counter(plan.runs[index].node for index in members)
    return Blocked(dict(tasks.most_common()), dict(nodes.most_common()), shared)


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _counts(counts: Mapping[str, int]) -> str:
    return listed([f"{name} ({count})" for name, count in counts.items()], NAMED)
