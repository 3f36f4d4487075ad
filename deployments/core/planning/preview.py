"""What a plan would do, compared with what was done before: what would run, be kept, be skipped, is new or gone, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deployments.core.plan import ENGINE_TYPES, Plan, TaskRun, node_order
from deployments.core.planning.differences import differing_keys
from deployments.core.planning.reuse import LastTry, Name, Verdict
from deployments.core.planning.watch import Watch

Action = Literal["run", "reuse", "skip"]


@dataclass(frozen=True, slots=True)
class Line:
    """What would become of one task run, and why."""

    task: str
    node: str
    action: Action
    is_new: bool
    """The last transaction did not have it."""
    why: str
    type: str = ""
    """Its task's type, whatever becomes of it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that the plan has, in its order, and what the last transaction had and the plan has not."""

    lines: tuple[Line, ...]
    gone: tuple[Name, ...]

    def counts(self) -> dict[str, int]:
        """`{run, reuse, skip, new, gone}`; new ones are among the others too."""
        actions = Counter(line.action for line in self.lines)
        new = sum(line.is_new for line in self.lines)
        return {"run": actions["run"], "reuse": actions["reuse"], "skip": actions["skip"], "new": new, "gone": len(self.gone)}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was done before."""

    tries: Mapping[Name, LastTry]
    """The last try of each task on each node."""
    names: Collection[Name]
    """What the last transaction of this graph had."""
    planned: Callable[[int], Mapping[Name, TaskRun]]
    """The runs of an earlier transaction's plan."""
    request_of: Callable[[int], int] = int
    """A child → the request by whose number people know it."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What else decides: each node's status, the nodes on which everything runs again, and whether nothing that was done counts."""

    statuses: Mapping[str, str]
    fresh: Collection[str]
    force: bool = False


def preview(
    plan: Plan, inputs: Iterable[str], watch: Watch, verdicts: Mapping[int, Verdict], earlier: Earlier, situation: Situation
) -> Preview:
    """Say what would become of each run of a plan.

    Args:
        plan: before anything was kept from running again.
        inputs: by run, see `Watch.inputs`.
        verdicts: by run, see `reuse.judge`; empty if nothing may be kept.
    """
    reasons = _Reasons(plan, watch, earlier, situation)
    lines = []
    action: Action
    for index, (run, digest) in enumerate(zip(plan.runs, inputs, strict=True)):
        is_new = (run.task, run.node) not in earlier.names
        verdict = verdicts.get(index)
        if run.type in ENGINE_TYPES:
            action, why = "skip", run.why or f"a {run.type} does nothing"
        elif verdict is not None and verdict.kept:
            action, why = "reuse", f"ended ready in transaction {earlier.request_of(verdict.kept)}"
        else:
            action, why = "run", reasons.by_verdict(run, verdict) if verdict else reasons.by_status(run, digest)
        lines.append(Line(run.task, run.node, action, is_new, why, run.task_type))
    return Preview(tuple(lines), _gone(plan, earlier.names, situation.statuses))


def _gone(plan: Plan, names: Collection[Name], present: Mapping[str, str]) -> tuple[Name, ...]:
    """Not in the plan any more; on nodes that are merely left out this time nothing is gone."""
    now = {(run.task, run.node) for run in plan.runs}
    left_out = present.keys() - set(plan.nodes)
    gone = [(task, node) for task, node in names if (task, node) not in now and node not in left_out]
    return tuple(sorted(gone, key=lambda name: (node_order(name[1]), name[0])))


class _Reasons:
    """Why runs run."""

    def __init__(self, plan: Plan, watch: Watch, earlier: Earlier, situation: Situation) -> None:
        self._plan, self._watch, self._earlier, self._situation = plan, watch, earlier, situation

    def by_verdict(self, run: TaskRun, verdict: Verdict) -> str:
        """Why it is not kept."""
        last = self._earlier.tries.get((run.task, run.node))
        if last is None:
            return self._never(run)
        if verdict.why == "unsuccessful":
            return self._how_it_ended(last)
        if verdict.why == "changed":
            return self._changed(run, last)
        before = self._plan.runs[verdict.before].name
        return (
            f"{before} runs before it"
            if not verdict.since
            else f"{before} has run since, in transaction {self._earlier.request_of(verdict.since)}"
        )

    def by_status(self, run: TaskRun, inputs: str) -> str:
        """Why it runs in a deployment that keeps nothing."""
        last = self._earlier.tries.get((run.task, run.node))
        if last is None:
            return self._never(run)
        changed = self._changed(run, last) if last.inputs != inputs else ""
        if self._situation.force:
            return _joined("nothing that was done before counts", changed)
        if run.node in self._situation.fresh:
            return _joined(f"its node is {self._situation.statuses.get(run.node, 'new')}", changed)
        if last.status != "ready":
            return _joined(self._how_it_ended(last), changed)
        return changed or "nothing changed, but no condition keeps it from running"

    def _never(self, run: TaskRun) -> str:
        known = any(node == run.node for _, node in self._earlier.names)
        return "it has never run here" if known or not self._earlier.names else "its node is new"

    def _changed(self, run: TaskRun, last: LastTry) -> str:
        paths = self._watch.changes(run.task, run.node)
        before = self._earlier.planned(last.transaction).get((run.task, run.node))
        if before is not None:
            if before.type != run.type:
                paths.append(f"type (was {before.type})")
            paths += differing_keys(_plain(before.parameters), _plain(run.parameters), "parameters")
        return f"changed: {', '.join(paths)}" if paths else "its inputs changed"

    def _how_it_ended(self, last: LastTry) -> str:
        where = f"in transaction {self._earlier.request_of(last.transaction)}"
        if last.status == "pending":
            return f"it was not reached {where}"
        return f"it was still running {where}" if last.status == "running" else f"it ended {last.status} {where}"


def _joined(first: str, second: str) -> str:
    return f"{first}; {second}" if second else first


def _plain(value: Any) -> Any:
    """As it would come back from storage."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
