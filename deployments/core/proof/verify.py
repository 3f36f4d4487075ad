"""Proof that a run kept its promises: the event log, replayed against the plan by rules of its own.

Nothing is taken from the scheduler but the plan's links. A finding is something that must not have happened; a log without findings
shows that nothing started before what it waits for, nothing ran twice at once, no limit was passed, and every state was reached legally.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from deployments.core.proof.findings import NOTES, Child, Finding, Kind, LogEvent, Record
from deployments.core.proof.replay import Place, Replay
from deployments.core.proof.verify_rows import compare_rows, compare_transactions, left_behind
from deployments.core.proof.verify_times import compare_times
from deployments.core.scheduling.schedule import LOST_LIMIT
from deployments.core.wording import counted, listed
from history.states import ATTEMPT, TASK_RUN, TRANSACTION, Table

NAMED = 3
"""How many runs a sentence names before it only counts."""

FAILED = frozenset({"error", "lost"})
ENGINE = frozenset({""})

_ENDS: Mapping[tuple[str, str], frozenset[str]] = {
    ("pending", "running"): frozenset({"started"}),
    ("running", "ready"): frozenset({"ready"}),
    ("running", "skipped"): frozenset({"skipped"}),
    ("running", "error"): FAILED,
    ("running", "pending"): FAILED,
    ("pending", "error"): FAILED,
    ("error", "ready"): FAILED,
    ("error", "pending"): FAILED,
    ("error", "skipped"): FAILED,
}
"""By the run's move: in which states its newest attempt must be."""


def verify(children: Sequence[Child], log: Iterable[LogEvent], record: Record | None = None) -> list[Finding]:
    """Replay a whole log; what is wrong with it, in the order of the log.

    Args:
        children: the runs of the request's graphs, in order; one that was never planned has an empty plan.
        record: what the rows say; None = they are on the move, so only the log is judged.
    """
    verifier = Verifier(children)
    for event in log:
        verifier.take(event)
    return verifier.finish(record)


class Verifier:
    """Takes the events of one request one after the other."""

    def __init__(self, children: Sequence[Child]) -> None:
        self.findings: list[Finding] = []
        self._children = children
        self._replays = [Replay(child.plan) for child in children]
        self._places: dict[int, Place] = {}
        for child, replay in zip(children, self._replays, strict=True):
            self._places.update((number, Place(replay, index)) for index, number in enumerate(child.runs))
        self._attempts: dict[tuple[int, int], str] = {}
        self._open: dict[str, dict[tuple[int, int], Place]] = {}
        self._busy: Counter[tuple[int, str]] = Counter()
        self._transactions = Counter({"pending": 1 + len(children)})
        self._named: dict[int, str] = {}
        self._planned = 0
        self._ended: set[int] = set()
        self._drained: LogEvent | None = None
        self._claimed: set[tuple[int, int]] = set()
        self._last: LogEvent | None = None

    def take(self, event: LogEvent) -> None:
        """The next event of the log."""
        if self._last is not None and event.at < self._last.at:
            self._find("time", event, f"The event is dated {event.at}, before event {self._last.seq} ({self._last.at}).")
        self._last = event
        if event.subject == "run":
            self._run(event)
        elif event.new in NOTES:
            self._note(event)
        elif event.subject == "attempt":
            self._attempt(event)
        elif event.subject == "transaction":
            self._transaction(event)

    def finish(self, record: Record | None = None) -> list[Finding]:
        """The log is at its end: compare it with the rows, and see that nothing was left behind."""
        if record is not None:
            self.findings += compare_rows(self._places, self._attempts, record)
            self.findings += compare_transactions(self._transactions, self._named, record)
            self.findings += compare_times(self._places, record)
            if record.over:
                self.findings += left_behind(self._places, self._attempts)
        return self.findings

    # -- events -----------------------------------------------------------------------------------------------------------

    def _note(self, event: LogEvent) -> None:
        if event.new == "planned":
            self._planned += 1
        elif event.new == "draining":
            self._drained = self._drained or event
        elif event.new == "offline" and self._replays:
            self._replays[self._current].offline(event.node)
        elif event.new == "claimed" and event.run is not None and event.attempt is not None:
            # Who had a claim is named before the drain or in its commit; a later note would excuse anything.
            if self._drained is None or self._drained.at == event.at:
                self._claimed.add((event.run, event.attempt))

    def _transaction(self, event: LogEvent) -> None:
        if (event.old, event.new) not in TRANSACTION.moves:
            self._find("state", event, f"A transaction went from {event.old} to {event.new}, which is not allowed.")
        elif not self._transactions[event.old]:
            self._find("state", event, f"A transaction went from {event.old} to {event.new}, but none was {event.old}.")
        if event.about is not None:
            was = self._named.get(event.about, "pending")
            self._named[event.about] = event.new
            if was != event.old:
                self._find("state", event, f"Transaction {event.about} went from {event.old} to {event.new}, but it was {was}.")
        self._transactions[event.old] -= 1
        self._transactions[event.new] += 1
        # The child ends before its parent; what a person decides afterwards about a failure of it is another story.
        if event.new == "ready" and self._replays and self._current not in self._ended:
            self._ended.add(self._current)
            self._check_all_done(event)

    def _attempt(self, event: LogEvent) -> None:
        place = self._place(event)
        if place is None:
            return
        key = (event.run or 0, event.attempt or 0)
        self._check_move(event, place, ATTEMPT, self._attempts.get(key, ""), f"Attempt {key[1]} of {place.name}")
        self._attempts[key] = event.new
        if event.new == "dispatched":
            self._dispatched(event, key, place)
        elif event.new == "started":
            self._started(event, key, place)
        else:
            self._over(event, key, place)

    def _dispatched(self, event: LogEvent, key: tuple[int, int], place: Place) -> None:
        place.tries.attempts += 1
        if place.tries.attempts != key[1]:
            self._find("state", event, f"{place.name} got attempt {key[1]} where attempt {place.tries.attempts} was due.", place)
        if place.status != "pending":
            self._find("state", event, f"{place.name} was dispatched although it was {place.status}.", place)
        self._check_order(event, place, "dispatched")
        self._check_nothing_stops(event, place, "dispatched")
        self._check_tries(event, place)
        if others := self._open.get(place.node):
            names = ", ".join(other.name for other in others.values())
            self._find("overlap", event, f"{place.name} was dispatched to node {place.node} while {names} was under way there.", place)
        self._open.setdefault(place.node, {})[key] = place
        self._busy[id(place.replay), place.task] += 1
        self._check_limits(event, place)

    def _started(self, event: LogEvent, key: tuple[int, int], place: Place) -> None:
        if self._drained is not None and key not in self._claimed:
            told = f"the stop (event {self._drained.seq}) does not name it among those that were claimed before"
            self._find("stop", event, f"Attempt {key[1]} of {place.name} was started after the stop: {told}.", place)

    def _over(self, event: LogEvent, key: tuple[int, int], place: Place) -> None:
        place.tries.failures += event.new == "error"
        place.tries.lost += event.new == "lost"
        under_way = self._open.get(place.node, {})
        if under_way.pop(key, None):
            self._busy[id(place.replay), place.task] -= 1
            if not under_way:
                del self._open[place.node]

    def _run(self, event: LogEvent) -> None:
        place = self._place(event)
        if place is None:
            return
        old = place.status
        self._check_move(event, place, TASK_RUN, old, place.name)
        self._check_end(event, place, old)
        if old == "pending" and event.new == "skipped" and place.is_engine and not place.passed_over:
            self._check_order(event, place, "ended")
            self._check_nothing_stops(event, place, "ended")
        if old == "error":
            place.tries.failures = place.tries.lost = 0
        place.replay.move(place.index, event.new)

    @property
    def _current(self) -> int:
        """The child whose turn it is: the one planned last."""
        return min(max(0, self._planned - 1), len(self._children) - 1)

    # -- rules ------------------------------------------------------------------------------------------------------------

    def _place(self, event: LogEvent) -> Place | None:
        place = self._places.get(event.run) if event.run is not None else None
        if place is None:
            self._find("log", event, f"The event is about task run {event.run}, which no plan of this transaction has.")
        elif place.node != event.node:
            self._find("log", event, f"The event puts {place.name} on node {event.node or '(none)'}.", place)
        return place

    def _check_move(self, event: LogEvent, place: Place, table: Table, old: str, who: str) -> None:
        legal = (old, event.new) in table.moves or (table is ATTEMPT and not old and event.new == table.initial)
        if event.old != old:
            self._find("state", event, f"{who} was {old or 'not there yet'}, but the event says that it was {event.old or 'new'}.", place)
        elif not legal:
            self._find("state", event, f"{who} went from {old or 'nothing'} to {event.new}, which is not allowed.", place)

    def _check_order(self, event: LogEvent, place: Place, what: str) -> None:
        missing = place.replay.missing(place.index)
        if missing:
            named = listed([f"{place.replay.plan.runs[run].name} ({place.replay.status[run]})" for run in missing], NAMED)
            self._find("order", event, f"{place.name} was {what} before {named} {'was' if len(missing) == 1 else 'were'} done.", place)
        elif place.index in place.replay.stuck:
            self._find("order", event, f"{place.name} was {what} although node {place.node} had failed.", place)

    def _check_nothing_stops(self, event: LogEvent, place: Place, what: str) -> None:
        if self._drained is not None:
            self._find("stop", event, f"{place.name} was {what} after the stop (event {self._drained.seq}).", place)
        elif place.replay.excess:
            self._find("stop", event, f"{place.name} was {what} after too many failures. {place.replay.excess}", place)

    def _check_tries(self, event: LogEvent, place: Place) -> None:
        run, tries = place.replay.plan.runs[place.index], place.tries
        if tries.failures >= run.attempts:
            told = f"{counted(tries.failures, 'failure')}; its plan allows {counted(run.attempts, 'attempt')}"
            self._find("tries", event, f"{place.name} was tried again after {told}.", place)
        if tries.lost and not run.idempotent:
            self._find("tries", event, f"{place.name} was tried again after a lost attempt, but it is not idempotent.", place)
        elif tries.lost > LOST_LIMIT:
            self._find("tries", event, f"{place.name} was tried again after {tries.lost} lost attempts; {LOST_LIMIT} are borne.", place)

    def _check_limits(self, event: LogEvent, place: Place) -> None:
        plan = place.replay.plan
        if 0 < plan.max_nodes_per_call < len(self._open):
            self._find("limit", event, f"{counted(len(self._open), 'node')} were busy at once; {plan.max_nodes_per_call} may be.", place)
        limit, count = plan.limits.get(place.task, 0), self._busy[id(place.replay), place.task]
        if 0 < limit < count:
            self._find("limit", event, f"{place.task} was under way on {count} nodes at once; its limit is {limit}.", place)

    def _check_all_done(self, event: LogEvent) -> None:
        if self._children[self._current].dry_run:
            return
        replay = self._replays[self._current]
        for run, planned in enumerate(replay.plan.runs):
            if replay.status[run] == "pending" and run not in replay.stuck:
                sentence = f"{planned.name} was not run and nothing hindered it when its transaction was ready."
                self.findings.append(Finding("undone", sentence, event.seq, planned.name, planned.node))

    def _check_end(self, event: LogEvent, place: Place, old: str) -> None:
        number = place.tries.attempts
        last = self._attempts.get((event.run or 0, number), "")
        right = _right_ends(event, place, old)
        if right is not None and last not in right:
            attempt = f"its attempt {number} was {last}" if last else "it had no attempt"
            self._find("end", event, f"{place.name} went from {old} to {event.new}, but {attempt}.", place)

    def _find(self, kind: Kind, event: LogEvent, sentence: str, place: Place | None = None) -> None:
        run, node = (place.name, place.node) if place else (None, event.node or None)
        self.findings.append(Finding(kind, sentence, event.seq, run, node))


def _right_ends(event: LogEvent, place: Place, old: str) -> frozenset[str] | None:
    """In which states the run's newest attempt must be ("" = it had none); None where the move is wrong anyhow."""
    borne = frozenset() if place.replay.plan.runs[place.index].fail_on_error else FAILED
    if (old, event.new) == ("running", "skipped"):
        return _ENDS[old, event.new] | borne
    if (old, event.new) != ("pending", "skipped"):
        return _ENDS.get((old, event.new))
    return ENGINE if place.is_engine else borne
