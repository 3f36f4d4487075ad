"""Event logs for tests of the proof: written by hand, or kept of a real scheduler among unreliable agents."""

from __future__ import annotations

import random

from deployments.core.events import (
    Begin,
    BlockRun,
    Dispatch,
    Drain,
    EndNode,
    EndRun,
    Event,
    Finish,
    Instruction,
    NodeOffline,
    RetryRun,
    RunEnded,
    RunLost,
    RunRecalled,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.plan import SYNC_NODE, Plan
from deployments.core.proof.findings import Child, Finding, LogEvent, Record
from deployments.core.proof.verify import verify
from deployments.core.scheduling.schedule import Scheduler
from tests.unit.core.scheduling import plan_of, tolerant

FIRST_ROW = 100
TWO = "a/1 b/2"
EVERYBODY = {"groups": tolerant("1 2 3 master")}


class Log:
    """Writes events about the runs of one plan, each in a commit of its own unless `at` is set, and keeps the rows in step."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.index = {run.name: number for number, run in enumerate(plan.runs)}
        self.events: list[LogEvent] = []
        self.status = {run.name: "pending" for run in plan.runs}
        self.attempts: dict[str, list[str]] = {run.name: [] for run in plan.runs}
        self.transactions = ["pending", "pending"]
        self.at: float | None = None

    def add(
        self, subject: str, old: str, new: str, name: str = "", *, attempt: int | None = None, node: str = "", reason: str = ""
    ) -> None:
        seq = len(self.events) + 1
        run = FIRST_ROW + self.index[name] if name else None
        at = seq if self.at is None else self.at
        self.events.append(LogEvent(seq, at, subject, old, new, run, attempt, node or name.partition("/")[2], reason))

    def begin(self) -> Log:
        self.add("transaction", "", "planned")
        for which in (0, 1):
            self.transaction(which, "running")
        return self

    def transaction(self, which: int, new: str) -> None:
        self.add("transaction", self.transactions[which], new)
        self.transactions[which] = new

    def end(self, status: str = "ready") -> Log:
        for which in (1, 0):
            self.transaction(which, status)
        return self

    def dispatch(self, name: str) -> None:
        self.attempts[name].append("dispatched")
        self.add("attempt", "", "dispatched", name, attempt=len(self.attempts[name]))

    def attempt(self, name: str, new: str) -> None:
        self.add("attempt", self.attempts[name][-1], new, name, attempt=len(self.attempts[name]))
        self.attempts[name][-1] = new

    def run(self, name: str, new: str, reason: str = "") -> None:
        self.add("run", self.status[name], new, name, reason=reason)
        self.status[name] = new

    def start(self, name: str) -> None:
        self.attempt(name, "started")
        self.run(name, "running")

    def over(self, name: str, state: str = "ready", run: str | None = None) -> None:
        self.attempt(name, state)
        self.run(name, run or ("error" if state == "lost" else state))

    def whole(self, *names: str) -> Log:
        """Each of these runs from its dispatch to its good end."""
        for name in names:
            self.dispatch(name)
            self.start(name)
            self.over(name)
        return self

    def drain(self, *claimed: str) -> None:
        for name in claimed:
            self.add("attempt", "dispatched", "claimed", name, attempt=len(self.attempts[name]))
        self.add("transaction", "", "draining", reason="A stop was asked for.")

    @property
    def child(self) -> Child:
        return Child(self.plan, range(FIRST_ROW, FIRST_ROW + len(self.plan.runs)))

    @property
    def record(self) -> Record:
        return Record(
            tuple(self.transactions),
            [(FIRST_ROW + self.index[name], status, len(self.attempts[name])) for name, status in self.status.items()],
            [(FIRST_ROW + self.index[name], n, state) for name, tries in self.attempts.items() for n, state in enumerate(tries, 1)],
        )

    def verify(self) -> list[Finding]:
        return verify([self.child], self.events, self.record)

    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.verify()]


class LoggedRun:
    """A real scheduler among agents that fail, fall silent and go offline; its owner's log, commit after commit."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.log = Log(plan).begin()
        self._plan, self._dice = plan, random.Random(seed)
        self._scheduler = Scheduler(plan)
        self._queued: set[int] = set()
        self._claimed: set[int] = set()
        self._running: set[int] = set()
        self._refused: set[int] = set()
        self._now = 0.0
        self._stop_at = self._dice.choice([None, self._dice.randrange(40)])

    def go(self) -> Log:
        offline = tuple(node for node in self._plan.nodes if node != SYNC_NODE and self._dice.random() < 0.04)
        self._commit([Begin(offline)])
        while not self._scheduler.finished:
            self._commit(self._happenings())
        return self.log

    def _commit(self, events: list[Event]) -> None:
        for event in events:
            nodes = event.offline if isinstance(event, Begin) else (event.node,) if isinstance(event, NodeOffline) else ()
            for node in nodes:
                self.log.add("node", "", "offline", node=node)
        for instruction in self._scheduler.handle(*events, now=self._now):
            self._carry_out(instruction)
        self.log.at = None

    def _happenings(self) -> list[Event]:
        self._now += 1
        self.log.at = 1000 + self._now
        events: list[Event] = [Tick()]
        if self._stop_at is not None and self._now >= self._stop_at:
            self._stop_at = None
            events.append(StopRequested())
        for run in sorted(self._queued | self._running):
            if self._dice.random() < 0.5:
                events += self._running_goes_on(run) if run in self._running else self._queued_goes_on(run)
        return events

    def _queued_goes_on(self, run: int) -> list[Event]:
        name = self._plan.runs[run].name
        chance = self._dice.random()
        if run in self._refused or chance < 0.08 and run not in self._claimed:
            self._queued.remove(run)
            self.log.attempt(name, "recalled")
            gone = [NodeOffline(self._plan.runs[run].node)] if chance < 0.03 and self._plan.runs[run].node != SYNC_NODE else []
            return [RunRecalled(run), *gone]
        self._queued.remove(run)
        if chance > 0.95:
            self.log.attempt(name, "error")
            return [RunEnded(run, "error")]
        if chance > 0.9:
            self.log.attempt(name, "lost")
            return [RunLost(run)]
        self.log.start(name)
        self._running.add(run)
        return [RunStarted(run)]

    def _running_goes_on(self, run: int) -> list[Event]:
        name = self._plan.runs[run].name
        self._running.remove(run)
        outcome = self._dice.choices(["ready", "skipped", "error", "lost"], [12, 2, 2, 2])[0]
        self.log.attempt(name, outcome)
        return [RunLost(run) if outcome == "lost" else RunEnded(run, outcome)]  # type: ignore[arg-type]

    def _carry_out(self, instruction: Instruction) -> None:
        name = self._plan.runs[instruction.run].name if isinstance(instruction, Dispatch | EndRun | RetryRun | BlockRun) else ""
        if isinstance(instruction, Dispatch):
            self.log.dispatch(name)
            self._queued.add(instruction.run)
        elif isinstance(instruction, EndRun):
            self.log.run(name, instruction.outcome)
        elif isinstance(instruction, RetryRun) and self.log.status[name] != "pending":
            self.log.run(name, "pending")
        elif isinstance(instruction, Drain):
            self._claimed = {run for run in sorted(self._queued) if self._dice.random() < 0.5}
            self._refused = self._queued - self._claimed
            self.log.drain(*(self._plan.runs[run].name for run in sorted(self._claimed)))
        elif isinstance(instruction, Finish):
            self.log.end(instruction.status)
        else:
            assert isinstance(instruction, RetryRun | BlockRun | EndNode | WakeAt)


def a_log(runs: str, *edges: str, **values: object) -> Log:
    """The log of such a plan (see `plan_of`), begun."""
    return Log(plan_of(runs, *edges, **values)).begin()  # type: ignore[arg-type]


def fail(log: Log, name: str) -> None:
    """The run's next attempt fails."""
    log.dispatch(name)
    log.start(name)
    log.over(name, "error")


def changed(log: Log, seq: int, **values: object) -> Log:
    """With other values in one event."""
    log.events[seq - 1] = log.events[seq - 1]._replace(**values)  # type: ignore[arg-type]
    return log


def sentences(log: Log) -> list[str]:
    """What the proof finds."""
    return [f"{finding.kind}: {finding.sentence}" for finding in log.verify()]
