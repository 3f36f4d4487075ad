"""The plan: frozen, compiled, pure data. What people wrote is a graph; what runs is a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from history.states import BARRIER

PLAN_FORMAT = 1
"""Version of the plan's stored form; a reader refuses any other."""

LONGEST_DELAY = 366 * 86_400.0
"""Seconds between two attempts, at most: longer ones reach beyond what a clock can tell."""
MOST_ATTEMPTS = 1000
"""Of one run, where a graph says so."""
_MOST_KEPT = 2**15 - 1

SYNC_NODE = "null"
"""uid of the sync node, which holds sync points. JSON interfaces show it as `null` where Fuel does."""

MASTER_NODE = "master"
"""uid of the orchestrator's own host."""

ENGINE_TYPES = frozenset({"stage", "skipped", "noop", "anchor"})
"""Types that the scheduler ends itself: they take their turn but no time, no slot and no message."""

Declared = Literal["requires", "required_for"]


def node_order(uid: str) -> tuple[int, int, str]:
    """Sort key of nodes: numbers, then text, the sync node last."""
    if uid == SYNC_NODE:
        return (2, 0, "")
    return (0, int(uid), uid) if uid.isdecimal() else (1, 0, uid)


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task on one node: a vertex of the plan."""

    task: str
    node: str
    type: str
    fail_on_error: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)
    idempotent: bool = False
    """May be run again after its attempt was lost."""
    attempts: int = 1
    """How many attempts a failing run gets in all."""
    retry_delay: float = 0.0
    """Seconds between two attempts."""
    own_type: str = ""
    """Of a run that the plan turned into one that does nothing: the type that its task has."""
    why: str = ""
    """Why it does nothing."""

    @property
    def task_type(self) -> str:
        """The type that its task has, whatever this plan makes of it."""
        return self.own_type or self.type

    @property
    def is_barrier(self) -> bool:
        """Whether the engine has made it, to hold the steps of the order role by role apart."""
        return self.own_type == BARRIER

    def left_out(self, why: str) -> TaskRun:
        """The run as one of type `skipped`: it keeps its place in the order and does nothing. The first reason stays."""
        return self if self.type == "skipped" else TaskRun(self.task, self.node, "skipped", False, own_type=self.task_type, why=why)

    @property
    def name(self) -> str:
        """`task/node`, as people and the cases write it."""
        return f"{self.task}/{self.node}"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Every target waits for every source; a run never waits for itself.

    Sources and targets are indexes into `Plan.runs`. Kept as a product, so an all-to-all relation of n and m runs takes n + m
    places, not n × m. `declared` says on which side the graph wrote it.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    declared: Declared = "requires"


@dataclass(frozen=True, slots=True)
class ToleranceGroup:
    """A fault tolerance group: how many of its nodes may fail."""

    name: str
    nodes: tuple[str, ...]
    tolerance: int


@dataclass(frozen=True, slots=True)
class PolicyAny:
    """A `policy: any` relation and the run it was resolved to (for people and the conformance cases)."""

    task: str
    node: str
    relation: Declared
    name: str
    candidates: tuple[tuple[str, str], ...]
    picked: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something in the graph that looks like a mistake but does not stop the plan."""

    message: str
    task: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Task runs, what they wait for, and the limits under which they run.

    `runs` is sorted by node (`node_order`), then task id; a run is named by its index. `nodes` holds every selected node, the sync
    node included, even those without runs. `limits` is the greatest number of nodes that run a task id at once (absent = no limit).
    """

    nodes: tuple[str, ...]
    runs: tuple[TaskRun, ...]
    bundles: tuple[Bundle, ...]
    groups: tuple[ToleranceGroup, ...] = ()
    limits: Mapping[str, int] = field(default_factory=dict)
    max_nodes_per_call: int = 50
    """How many nodes may be busy at once; 0 = no limit."""
    policy_any: tuple[PolicyAny, ...] = ()
    warnings: tuple[PlanWarning, ...] = ()

    def edges(self) -> Iterator[tuple[int, int]]:
        """Every (before, after) pair, joins expanded; a pair declared on both sides comes twice."""
        for bundle in self.bundles:
            for source in bundle.sources:
                for target in bundle.targets:
                    if source != target:
                        yield source, target

    def to_data(self) -> dict[str, Any]:
        """The stored form: JSON-serialisable."""
        return {
            "format": PLAN_FORMAT,
            "nodes": self.nodes,
            "runs": [_row(run) for run in self.runs],
            "bundles": [(bundle.sources, bundle.targets, bundle.declared) for bundle in self.bundles],
            "groups": [(group.name, group.nodes, group.tolerance) for group in self.groups],
            "limits": dict(self.limits),
            "max_nodes_per_call": self.max_nodes_per_call,
            "policy_any": [(p.task, p.node, p.relation, p.name, p.candidates, p.picked) for p in self.policy_any],
            "warnings": [(warning.message, warning.task) for warning in self.warnings],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Plan:
        """Read the stored form.

        Raises:
            ValueError: the data is of another format version.
        """
        if data["format"] != PLAN_FORMAT:
            raise ValueError(f"This plan has format {data['format']}; this version reads format {PLAN_FORMAT}.")
        return cls(
            nodes=tuple(data["nodes"]),
            runs=tuple(_run(row) for row in data["runs"]),
            bundles=tuple(Bundle(tuple(sources), tuple(targets), declared) for sources, targets, declared in data["bundles"]),
            groups=tuple(ToleranceGroup(name, tuple(nodes), tolerance) for name, nodes, tolerance in data["groups"]),
            limits=data["limits"],
            max_nodes_per_call=data["max_nodes_per_call"],
            policy_any=tuple(
                PolicyAny(task, node, relation, name, tuple(tuple(c) for c in candidates), tuple(picked) if picked else None)
                for task, node, relation, name, candidates, picked in data["policy_any"]
            ),
            warnings=tuple(PlanWarning(*row) for row in data["warnings"]),
        )


def _run(row: Sequence[Any]) -> TaskRun:
    run = TaskRun(*row)
    if 0 <= run.retry_delay <= LONGEST_DELAY and run.attempts <= _MOST_KEPT:
        return run
    # Older versions let any number pass.
    return replace(run, retry_delay=min(max(0.0, run.retry_delay), LONGEST_DELAY), attempts=min(run.attempts, _MOST_KEPT))


def _row(run: TaskRun) -> tuple[Any, ...]:
    row = (run.task, run.node, run.type, run.fail_on_error, run.parameters, run.idempotent, run.attempts, run.retry_delay)
    return (*row, run.own_type, run.why) if run.own_type or run.why else row
