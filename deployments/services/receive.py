"""What agents report → rows and events. A report of an attempt that is over is recorded and ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from deployments.core.events import Event, RunEnded, RunStarted
from deployments.services.child import ChildRun
from deployments.services.clock import moment
from deployments.wire.broker import Entry
from deployments.wire.messages import AttemptKey, Report
from deployments.wire.sealing import NodeKeys, SealBroken
from history.recorder import Ledger


def receive(
    child: ChildRun, entries: Sequence[Entry], keys: NodeKeys, ledger: Ledger, *, bare: bool = False
) -> tuple[list[Event], list[AttemptKey]]:
    """Write the reports into the ledger; the scheduler's events, and the attempts that are over.

    With `bare` the nodes' own words are left out: an earlier commit of them was refused by the database.
    """
    events: list[Event] = []
    over: list[AttemptKey] = []
    for entry in entries:
        try:
            report = printable(keys.open_report(entry.node, entry.body), bare=bare)
        except (SealBroken, KeyError, TypeError, ValueError):
            ledger.note("node", "refused", node=entry.node, reason="A report that this node did not seal was ignored.")
            continue
        if report.key.node != entry.node:
            reason = f"A report about node {report.key.node} was ignored: only it may send one."
            ledger.note("node", "refused", node=entry.node, reason=reason)
            continue
        events += take_report(child, report, entry.time, ledger, over)
    return events, over


def printable(report: Report, *, bare: bool = False) -> Report:
    """The report without what a database can't store; with `bare` without any text of the node's own."""
    if bare:
        return replace(report, reason="Its report could not be stored.", summary={})
    return replace(report, reason=_without_nul(report.reason), summary=_without_nul(dict(report.summary)))


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_without_nul(str(key)): _without_nul(item) for key, item in value.items()}
    return [_without_nul(item) for item in value] if isinstance(value, list) else value


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
    return [*events, RunEnded(row.position, outcome, report.reason)]
