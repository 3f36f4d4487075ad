"""What went wrong, told apart from what merely could not start because of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.core.plan import Plan, node_order
from deployments.core.scheduling.failures import FaultTolerance
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

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.by_node.values())

    def as_dict(self) -> dict[str, Any]:
        """For JSON; most frequent first."""
        return {"total": self.total, "by_task": dict(self.by_task), "by_node": dict(self.by_node)}


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
    """Root causes, in the plan's order. `exceeded` says which fault tolerance was too small, empty while all is borne."""

    failures: tuple[RootFailure, ...] = ()
    offline: tuple[OfflineNode, ...] = ()
    exceeded: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing failed."""
        return not self.failures and not self.offline

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "failures": [failure.as_dict() for failure in self.failures],
            "offline": [node.as_dict() for node in self.offline],
            "exceeded": self.exceeded,
        }


def failure_report(plan: Plan, runs: Sequence[RunFacts], offline: Collection[str] = ()) -> FailureReport:
    """Trace every run that could not start back to the failed run or the offline node that is its root.

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
    """`37 task runs blocked by keystone on node 2: nova (12), neutron (5) …; on nodes 3 (20), 4 (17).`"""
    if not blocked.total:
        return f"Nothing else is blocked by {cause}."
    nodes = "on node" if len(blocked.by_node) == 1 else "on nodes"
    return f"{counted(blocked.total, 'task run')} blocked by {cause}: {_counts(blocked.by_task)}; {nodes} {_counts(blocked.by_node)}."


def _root(plan: Plan, runs: Sequence[RunFacts], index: int, blocked: Blocked) -> RootFailure:
    planned, run = plan.runs[index], runs[index]
    lines = [line.rstrip() for line in run.output.splitlines() if line.strip()]
    return RootFailure(planned.task, planned.node, run.reason, run.attempts, tuple(lines[-LAST_LINES:]), blocked)


def _blocked(plan: Plan, runs: Sequence[RunFacts], offline: frozenset[str]) -> dict[int | str, Blocked]:
    """By root: the index of a failed run, or the uid of an offline node."""
    found: dict[int | str, list[int]] = {}
    for index, run in enumerate(runs):
        if run.status != "pending":
            continue
        if run.blocked_by is not None:
            root = run.blocked_by
            found.setdefault(root if runs[root].status == "error" else plan.runs[root].node, []).append(index)
        elif plan.runs[index].node in offline:
            found.setdefault(plan.runs[index].node, []).append(index)
    return {root: _counted(plan, members) for root, members in found.items()}


def _counted(plan: Plan, members: Sequence[int]) -> Blocked:
    tasks, nodes = Counter(plan.runs[index].task for index in members), Counter(plan.runs[index].node for index in members)
    return Blocked(dict(tasks.most_common()), dict(nodes.most_common()))


def _counts(counts: Mapping[str, int]) -> str:
    return listed([f"{name} ({count})" for name, count in counts.items()], NAMED)
