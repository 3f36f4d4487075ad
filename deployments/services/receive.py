"""What agents report → rows and events. A report of an attempt that is over is recorded and ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from deployments.core.events import Event, RunEnded, RunStarted
from deployments.services.child import ChildRun
from deployments.services.clock import moment
from deployments.wire.broker import Entry
from deployments.wire.messages import AttemptKey, Report
from deployments.wire.parsing import Unreadable
from deployments.wire.sealing import NodeKeys
from history.recorder import Ledger

NOTHING_TO_DO = "its executor had nothing to do"
"""The reason of a skipped run whose executor gave none."""


def receive(
    child: ChildRun, entries: Sequence[Entry], keys: NodeKeys, ledger: Ledger, *, bare: bool = False
) -> tuple[list[Event], list[AttemptKey]]:
    """Write the reports into the ledger; the scheduler's events, and the attempts that are over. What can't be read counts as refused.

    With `bare` the nodes' own words are left out: an earlier commit of them was refused by the database.
    """
    events: list[Event] = []
    over: list[AttemptKey] = []
    latest = ledger.at.timestamp()
    for entry in entries:
        try:
            report = keys.open_report(entry.node, entry.body)
        except Unreadable as refusal:
            child.refusals.add(entry.node, "report", str(refusal))
            continue
        if report.key.node != entry.node:
            child.refusals.add(entry.node, "report", "It is about another node, and only that may send one.")
            continue
        if bare:
            report = replace(report, reason="Its report could not be stored.", summary={})
        events += take_report(child, report, min(entry.time, latest), ledger, over)
    return events, over


def take_report(child: ChildRun, report: Report, at: float, ledger: Ledger, over: list[AttemptKey]) -> list[Event]:
    """One report that came in at `at` (the broker's clock)."""
    row = child.by_run_id.get(report.key.run)
    if row is None or not row.undone or child.key(row) != report.key:
        if report.kind == "outcome":
            over.append(report.key)
            if row is not None and child.key(row) == report.key and row.attempt_status == report.state:
                # Recorded already; its owner died before it could delete it from the stream.
                return []
            reason = f"{report.state}, of an attempt that was over" + (f": {report.reason}" if report.reason else "")
            ledger.note("attempt", "late", node=report.key.node, reason=reason, row=row)
        return []
    if report.kind == "trying":
        ledger.tried(row, {**report.summary, "at": moment(at).isoformat(), "reason": report.reason})
        return []
    if report.kind == "started":
        if row.attempt_status == "started":
            return []
        ledger.started(row, moment(at))
        return [RunStarted(row.position)]
    events: list[Event] = []
    if row.attempt_status == "dispatched":
        ledger.started(row, moment(at) - timedelta(seconds=report.duration))
        events.append(RunStarted(row.position))
    ledger.ended(row, report.state, moment(at), reason=report.reason, summary=dict(report.summary), duration=report.duration)
    child.undone.pop(row.position, None)
    over.append(report.key)
    outcome = report.state if report.state in ("ready", "skipped") else "error"
    return [*events, RunEnded(row.position, outcome, report.reason or (NOTHING_TO_DO if outcome == "skipped" else ""))]
