"""Why a run is waiting: the question that every operator asks, answered from the scheduler's own state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from deployments.core.plan import SYNC_NODE
from deployments.core.scheduling.places import NO_RUN
from deployments.core.wording import counted, listed, span

if TYPE_CHECKING:
    from deployments.core.scheduling.schedule import Scheduler

NAMED_PREDECESSORS = 5
"""How many predecessors a sentence names before it only counts."""

Kind = Literal[
    "done", "under way", "blocked", "stopped", "not begun", "first sign", "predecessors", "retry",
    "node busy", "node limit", "task limit", "turn",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Why:
    """The answer."""

    run: int
    kind: Kind
    sentence: str
    predecessors: tuple[int, ...] = ()
    """Runs that have to be done first, ascending."""

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True, slots=True)
class FirstSign:
    """Before anything starts every node's agent is to be heard of, but not for ever."""

    nodes: Sequence[str]
    """Those of which nothing was heard yet."""
    until: str
    """How long that is waited for, in words (`16:40:17 UTC`); empty: no longer."""


def seconds_of_the_clock(due: float) -> str:
    """A time for those who know no other clock than the scheduler's."""
    return f"when {span(due)} have passed"


def why(scheduler: Scheduler, run: int, when: Callable[[float], str] = seconds_of_the_clock, first_sign: FirstSign | None = None) -> Why:
    """Why this run does not run now.

    Args:
        when: tells a time of the scheduler's clock in words (`at 14:05:10`).
        first_sign: whom the deployment waits for before it begins.
    """
    name, status = scheduler.plan.runs[run].name, scheduler.runs.status[run]
    if status in ("ready", "error", "skipped"):
        return Why(run, "done", f"{name} is over: {status}.")
    if status == "running":
        return Why(run, "under way", f"{name} is running (attempt {scheduler.runs.attempts[run]}).")
    if status == "dispatched":
        return Why(run, "under way", f"{name} is queued for its node and waits for the agent to take it.")
    if run in scheduler.blocked:
        return Why(run, "blocked", f"{name} can't start any more, because {scheduler.cause(run)}.")
    if scheduler.draining:
        return Why(run, "stopped", f"{name} is not started, because the deployment is stopping: {scheduler.drain_reason}")
    if first_sign is not None and first_sign.nodes and first_sign.until:
        return Why(run, "first sign", _first_sign(scheduler.plan.runs[run].node, name, first_sign))
    return _waiting(scheduler, run, name, when)


def _first_sign(node: str, name: str, sign: FirstSign) -> str:
    others = [other for other in sign.nodes if other != node]
    nodes = listed([node, *others] if node in sign.nodes else others, NAMED_PREDECESSORS)
    whose = f"the agents of {nodes}" if len(sign.nodes) > 1 else f"{nodes}'s agent"
    if node in sign.nodes:
        return f"{name} waits for the first sign of {whose}, until {sign.until}."
    return f"{name} waits for the deployment to begin, and that for the first sign of {whose}, until {sign.until}."


def _waiting(scheduler: Scheduler, run: int, name: str, when: Callable[[float], str]) -> Why:
    missing = _missing(scheduler, run)
    if missing:
        return Why(run, "predecessors", f"{name} waits for {_names(scheduler, missing)}.", missing)
    if run in scheduler.runs.not_before:
        return Why(run, "retry", f"{name} failed and is tried again {when(scheduler.runs.not_before[run])}.")
    places, node = scheduler.places, scheduler.plan.runs[run].node
    holder = places.busy[places.node_of[run]]
    if holder != NO_RUN:
        return Why(run, "node busy", f"{name} waits for node {node}, which is busy with {scheduler.plan.runs[holder].task}.")
    task = places.task_of[run]
    if task is not None and not places.has_place(task):
        limit = counted(scheduler.plan.limits[task], "node")
        return Why(run, "task limit", f"{name} waits for a place: {task} may run on {limit} at once.")
    if places.taken >= places.limit:
        busy = f"{counted(places.limit, 'node')} may be busy at once, and {'one is' if places.limit == 1 else 'so many are'}"
        return Why(run, "node limit", f"{name} waits for a place: {busy}.")
    if not scheduler.begun:
        return Why(run, "not begun", f"{name} waits for the deployment to begin.")
    return Why(run, "turn", f"{name} is next: node {node} takes it at the next event.")


def _missing(scheduler: Scheduler, run: int) -> tuple[int, ...]:
    if scheduler.dependencies.is_free(run):
        return ()
    runs = scheduler.plan.runs
    enough = {"ready", "skipped", "error"} if runs[run].node == SYNC_NODE else {"ready", "skipped"}
    missing: set[int] = set()
    for other in scheduler.dependencies.predecessors(run):
        if scheduler.runs.status[other] not in enough and other not in scheduler.blocked:
            # Nobody has written a barrier: what it waits for is what people want to know.
            missing |= set(_missing(scheduler, other)) if runs[other].is_barrier else {other}
    return tuple(sorted(missing))


def _names(scheduler: Scheduler, runs: tuple[int, ...]) -> str:
    return listed([f"{scheduler.plan.runs[run].name} ({scheduler.runs.status[run]})" for run in runs], NAMED_PREDECESSORS)
