"""Attempts that nobody reports of: lost, never claimed, past their deadline, or on a node whose agent is gone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from deployments.core.events import Event, NodeOffline, RunEnded, RunLost, RunRecalled, RunStarted
from deployments.core.plan import TaskRun
from deployments.core.task_types import OTHER_TIMEOUT, USUAL_PAUSE, USUAL_TIMEOUT, USUAL_TRIES
from deployments.core.wording import listed
from deployments.services.child import ChildRun, task_run
from deployments.services.receive import take_report
from deployments.services.tools import Tools
from deployments.wire.messages import AttemptKey, Heartbeat
from deployments.wire.parsing import Unreadable
from history.recorder import Ledger, RunRow

LONGEST_PAUSE = 300.0
"""Seconds between two sendings of the same attempt, at the most."""


@dataclass(slots=True)
class Verdicts:
    """What the owner has to do about silent attempts, beside the scheduler's events."""

    events: list[Event] = field(default_factory=list)
    resend: list[RunRow] = field(default_factory=list)
    over: list[AttemptKey] = field(default_factory=list)
    no_room: dict[str, str] | None = None
    """By node: why its agent takes nothing that was sent; None where nobody has looked."""

    def __bool__(self) -> bool:
        return bool(self.events or self.resend or self.over)

    def standing(self) -> str:
        """What people should know of nodes that take nothing; empty if there is none."""
        if not self.no_room:
            return ""
        many = len(self.no_room) > 1
        nodes = f"{'Nodes' if many else 'Node'} {listed(sorted(self.no_room), 3)} {'have' if many else 'has'} no room"
        node, lack = min(self.no_room.items())
        where = f"on node {node} {lack}" if many else lack
        return f"{nodes} to start anything: {where}. What waits for it goes on by itself once there is room."


def limit_of_try(run: TaskRun) -> float:
    """How many seconds one try of the run may take."""
    return _number(run.parameters.get("timeout"), USUAL_TIMEOUT.get(run.type, OTHER_TIMEOUT))


def deadline_seconds(child: ChildRun, row: RunRow, grace: float) -> float:
    """How long the row's attempt may take in all: its timeout for each of its tries, and some grace."""
    run = task_run(child, row)
    grace += child.stood_still.get((row.id, row.attempts), 0.0)
    if child.rehearsal is not None:
        return child.rehearsal.seconds(run) + grace
    tries = _number(run.parameters.get("retries"), USUAL_TRIES.get(run.type, 1) - 1) + 1
    pause = _number(run.parameters.get("interval"), USUAL_PAUSE)
    return limit_of_try(run) * tries + pause * tries + grace


def judge(child: ChildRun, silent: Mapping[tuple[int, int], bool], tools: Tools, ledger: Ledger, now: datetime) -> Verdicts:
    """Look at every undone attempt.

    `silent` (see `SilentAgents.look`) was read before the reports were drained, so an attempt that ended in between isn't judged.
    """
    verdicts = judge_started(child, silent, tools, ledger, now)
    verdicts.no_room = {}
    _judge_unclaimed(child, tools, ledger, now, verdicts)
    return verdicts


def judge_started(child: ChildRun, silent: Mapping[tuple[int, int], bool], tools: Tools, ledger: Ledger, now: datetime) -> Verdicts:
    """Attempts that were claimed and then fell silent. An agent that died before its report kept the outcome: its heartbeat tells it."""
    verdicts = Verdicts()
    unheard = [row for row in child.undone.values() if row.attempt_status == "started" and (row.position, row.number) in silent]
    beats = heartbeats(child, tools, [child.key(row).node for row in unheard]) if unheard else {}
    for row in unheard:
        key = child.key(row)
        beat = beats.get(key.node)
        if beat is not None and beat.outcome is not None and beat.outcome.key == key:
            verdicts.events += take_report(child, beat.outcome, ledger.at.timestamp(), ledger, verdicts.over)
        elif silent[row.position, row.number]:
            _lose(child, row, "The attempt was lost: its agent fell silent.", ledger, verdicts)
    for row in [row for row in child.undone.values() if row.attempt_status == "started" and row.time_start is not None]:
        # Numbers, since a plan may hold times that no timedelta can.
        if (now - row.time_start).total_seconds() > deadline_seconds(child, row, tools.patience.deadline_grace):
            _lose(child, row, "The attempt was lost: its time was up.", ledger, verdicts)
    return verdicts


def _lose(child: ChildRun, row: RunRow, reason: str, ledger: Ledger, verdicts: Verdicts) -> None:
    verdicts.over.append(child.key(row))
    ledger.attempt_over(row, "lost", reason)
    child.undone.pop(row.position)
    verdicts.events.append(RunLost(row.position, reason))


def _judge_unclaimed(child: ChildRun, tools: Tools, ledger: Ledger, now: datetime, verdicts: Verdicts) -> None:
    patience = tools.patience
    due = now - timedelta(seconds=patience.resend)
    # What seems to come from the future was dispatched before the clock was set back: looking after it does no harm.
    waiting = [
        row
        for row in child.undone.values()
        if row.attempt_status == "dispatched" and row.dispatched_at and not due <= row.dispatched_at <= now
    ]
    if not waiting:
        return
    beats = heartbeats(child, tools, [child.key(row).node for row in waiting])
    for row in waiting:
        key = child.key(row)
        beat = beats.get(key.node)
        if beat is not None and beat.lack and beat.number < key.number:
            _wait_for_room(child, row, beat, now, verdicts)
            continue
        since = max(filter(None, [row.dispatched_at, child.without_room.get((row.id, row.attempts))]), default=now)
        age = (now - since).total_seconds()
        if beat is not None and age < patience.claim:
            _look_for(child, row, beat, tools, ledger, verdicts)
        elif beat is None or beat.free > 0:
            _give_up(child, row, key, tools, ledger, verdicts, "its agent is silent" if beat is None else "nobody claimed it")


def _wait_for_room(child: ChildRun, row: RunRow, beat: Heartbeat, now: datetime, verdicts: Verdicts) -> None:
    """The agent has refused it, and says why. Neither time nor pauses count meanwhile: it is sent again as soon as there is room."""
    child.without_room[row.id, row.attempts] = now
    child.send_again.pop((row.id, row.attempts), None)
    assert verdicts.no_room is not None  # noqa: S101 - for the type checker
    verdicts.no_room[row.node] = beat.lack


def _look_for(child: ChildRun, row: RunRow, beat: Heartbeat, tools: Tools, ledger: Ledger, verdicts: Verdicts) -> None:
    """The agent is alive and the attempt unclaimed: was its message lost, or its permit, or its report?"""
    key = child.key(row)
    if beat.number > key.number and tools.broker.recall([key])[0] == "recalled":
        # The node knows higher numbers than the database (restored from a backup?): it refuses this one, but not the next.
        child.saw_number(key.node, beat.number)
        verdicts.over.append(key)
        verdicts.events.append(take_back(child, row, "Recalled: its dispatch number was used before.", ledger))
    elif beat.number >= key.number:
        if beat.outcome is not None and beat.outcome.key == key:
            verdicts.events += take_report(child, beat.outcome, ledger.at.timestamp(), ledger, verdicts.over)
        elif tools.broker.leased([key])[0] or tools.broker.claimed([key])[0]:
            _note_claim(row, ledger, verdicts)
        else:
            _lose(child, row, "The attempt was lost: its agent has started it, but nothing is known of it.", ledger, verdicts)
    else:
        _send_again(child, row, key, tools, ledger.at.timestamp(), verdicts)


def _note_claim(row: RunRow, ledger: Ledger, verdicts: Verdicts) -> None:
    """An agent has it, even if nobody reports that it was started: from now on lease and deadline count."""
    ledger.started(row, ledger.at)
    verdicts.events.append(RunStarted(row.position))


def _send_again(child: ChildRun, row: RunRow, key: AttemptKey, tools: Tools, now: float, verdicts: Verdicts) -> None:
    """If its message is gone; after pauses that double, so a node that takes nothing is not flooded."""
    due, pause = child.send_again.get((row.id, row.attempts), (0.0, tools.patience.resend))
    if now >= due and not tools.dispatcher.waiting(key.node):
        child.send_again[row.id, row.attempts] = (now + pause, min(2 * pause, LONGEST_PAUSE))
        verdicts.resend.append(row)


def sort_out(child: ChildRun, beats_before: Mapping[str, bytes], tools: Tools, ledger: Ledger, verdicts: Verdicts) -> None:
    """The broker's data was lost, claims and all: find out from heartbeats newer than that which dispatched attempts were started."""
    waiting = [row for row in child.undone.values() if row.attempt_status == "dispatched"]
    names = [child.key(row).node for row in waiting]
    new = {name for name, body in tools.broker.heartbeats(names).items() if body != beats_before.get(name)}
    beats = heartbeats(child, tools, sorted(new))
    for row in waiting:
        key = child.key(row)
        beat = beats.get(key.node)
        if beat is None:
            _lose(child, row, "The attempt was lost: the broker's data is gone, and its agent is silent.", ledger, verdicts)
            verdicts.events.append(NodeOffline(row.node))
        elif beat.number >= key.number:
            _look_for(child, row, beat, tools, ledger, verdicts)
        else:
            verdicts.resend.append(row)


def _give_up(child: ChildRun, row: RunRow, key: AttemptKey, tools: Tools, ledger: Ledger, verdicts: Verdicts, why: str) -> None:
    if tools.broker.recall([key])[0] == "claimed":
        _note_claim(row, ledger, verdicts)
        return
    verdicts.over.append(key)
    verdicts.events += [take_back(child, row, f"Recalled: {why}.", ledger), NodeOffline(row.node)]


def take_back(child: ChildRun, row: RunRow, reason: str, ledger: Ledger) -> Event:
    """The permit of the row's attempt is gone: the run is pending again."""
    ledger.attempt_over(row, "recalled", reason)
    ledger.pending_again(row, reason)
    child.undone.pop(row.position)
    return RunRecalled(row.position)


def refuse_unsendable(child: ChildRun, row: RunRow, reason: str, tools: Tools, ledger: Ledger) -> list[Event]:
    """Its message can't be sent, so nobody will ever claim it: the run ends in error. (An agent that has it all the same keeps it.)"""
    if row.attempt_status != "dispatched" or tools.broker.recall([child.key(row)])[0] == "claimed":
        return []
    ledger.started(row, ledger.at)
    ledger.ended(row, "error", ledger.at, reason=reason)
    child.undone.pop(row.position)
    return [RunStarted(row.position), RunEnded(row.position, "error", reason)]


def heartbeats(child: ChildRun, tools: Tools, names: list[str]) -> dict[str, Heartbeat]:
    """By wire name: the heartbeats of agents that are alive, whose seal is good, and that make sense. All others are none."""
    beats: dict[str, Heartbeat] = {}
    for name, body in tools.broker.heartbeats(names).items():
        try:
            beat = tools.keys.open_heartbeat(name, body)
        except Unreadable as refusal:
            child.refusals.add(name, "heartbeat", str(refusal))
            continue
        if child.may_have_started(name, beat.number):
            beats[name] = beat
        else:
            why = f"Its agent says that it has started dispatch {beat.number}; {child.numbers.get(name, 0)} is the last that is known here."
            child.refusals.add(name, "heartbeat", f"{why} Mend the file `number` in the node's state folder.")
    return beats


def _number(value: object, default: float) -> float:
    """A plan of an older version may hold anything; what is no number of seconds or tries counts as not given."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return default
    return number if 0 <= number < math.inf else default
