"""What of a plan need not run again, because it ended well earlier and nothing that it depends on has changed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from deployments.core.links import Links
from deployments.core.plan import SYNC_NODE, Plan
from deployments.core.planning.strategy import limits_of
from deployments.core.scheduling.weights import topological

Name = tuple[str, str]
"""Task id and node uid."""

Why = Literal["new", "unsuccessful", "changed", "after"]
"""Why a run has to run: it was never tried on its node; its last try did not end well; its inputs are others; something before it has
run (or will run) since."""

_NOW = 1 << 62
"""Later than every transaction."""

_Stamp = tuple[int, int]
"""When something ran last (a transaction's id, 0 for never) and which run of the plan it is."""

_NEVER: _Stamp = (0, -1)


@dataclass(frozen=True, slots=True)
class LastTry:
    """The newest time a task was to run on a node: the transaction (a child's id), how it ended there, and its inputs then."""

    transaction: int
    status: str
    inputs: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run is kept (`kept` = the transaction in which it ended well) or why not; `before` is the run that comes in between."""

    kept: int = 0
    why: Why | None = None
    before: int = -1
    since: int = 0
    """The transaction in which `before` ran; 0 = it is going to run in this plan."""


def judge(plan: Plan, links: Links, inputs: Sequence[str], tries: Mapping[Name, LastTry]) -> dict[int, Verdict]:
    """By run: a verdict on each that does something.

    A run is kept if its last try ended `ready` with the same inputs, and nothing before it runs now or has run since. What is before a
    run: its predecessors, and what comes before a skipped one on the run's own node. So a sync point lets through what each node itself
    did before it, but not what other nodes did.

    Args:
        inputs: by run, see `Watch.inputs`; empty for those that do nothing.
        tries: the last try of each task on each node.
    """
    judging = _Judging(plan, links, inputs, tries)
    return judging.verdicts()


def keep(plan: Plan, kept: Mapping[int, str]) -> Plan:
    """The plan in which these runs are skipped, each for its reason; order and relations stay."""
    runs = tuple(run.left_out(kept[index]) if index in kept else run for index, run in enumerate(plan.runs))
    return replace(plan, runs=runs, limits=limits_of(runs))


class _Judging:
    """Walks the plan from its beginning; each vertex tells the ones after it what ran when."""

    def __init__(self, plan: Plan, links: Links, inputs: Sequence[str], tries: Mapping[Name, LastTry]) -> None:
        self._plan, self._links, self._inputs, self._tries = plan, links, inputs, tries
        self._predecessors = links.predecessors()
        self._own: list[_Stamp] = [_NEVER] * len(links.successors)
        """By vertex: when it ran last itself; of a join, the latest of what it stands for."""
        self._past: list[Mapping[str, _Stamp]] = [{}] * len(links.successors)
        """By vertex: by node, when something up to this vertex ran last there, as far as the node itself is concerned."""

    def verdicts(self) -> dict[int, Verdict]:
        found: dict[int, Verdict] = {}
        for vertex in topological(self._plan, self._links):
            if self._links.is_join(vertex):
                self._own[vertex] = max((self._own[before] for before in self._predecessors[vertex]), default=_NEVER)
                self._past[vertex] = self._merged(vertex)
            elif verdict := self._visit(vertex):
                found[vertex] = verdict
        return found

    def _visit(self, vertex: int) -> Verdict | None:
        run = self._plan.runs[vertex]
        if run.node == SYNC_NODE:
            self._past[vertex] = self._merged(vertex)
            return None
        last = self._tries.get((run.task, run.node))
        latest = self._latest_before(vertex, run.node)
        verdict = self._verdict(vertex, last, latest) if self._inputs[vertex] else None
        ran = _NOW if verdict and not verdict.kept else last.transaction if last else 0
        self._own[vertex] = (ran, vertex)
        self._past[vertex] = {run.node: max(latest, self._own[vertex])}
        return verdict

    def _verdict(self, vertex: int, last: LastTry | None, latest: _Stamp) -> Verdict:
        if last is None:
            return Verdict(why="new")
        if last.status != "ready":
            return Verdict(why="unsuccessful")
        if last.inputs != self._inputs[vertex]:
            return Verdict(why="changed")
        if latest[0] > last.transaction:
            return Verdict(why="after", before=latest[1], since=0 if latest[0] == _NOW else latest[0])
        return Verdict(kept=last.transaction)

    def _latest_before(self, vertex: int, node: str) -> _Stamp:
        latest = _NEVER
        for before in self._predecessors[vertex]:
            latest = max(latest, self._own[before], self._past[before].get(node, _NEVER))
        return latest

    def _merged(self, vertex: int) -> Mapping[str, _Stamp]:
        merged: dict[str, _Stamp] = {}
        for before in self._predecessors[vertex]:
            for node, stamp in self._past[before].items():
                if stamp > merged.get(node, _NEVER):
                    merged[node] = stamp
        return merged
