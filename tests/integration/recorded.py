"""A deployment on the real database without agents: the real scheduler, carrier and ledger; the test says what becomes of attempts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from deployments.core.events import Begin, Event, RunEnded, RunLost, RunRecalled, RunStarted, StopRequested, Tick
from deployments.core.plan import Plan
from deployments.services import finish
from deployments.services.carry_out import Carrier
from deployments.services.child import load_child
from history import queries, recorder
from history.models import Transaction

REHEARSAL = {"speed": 1, "durations": {}, "fail": []}
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Recorded:
    """A request of one graph, held by this test; time passes by a second with every commit."""

    def __init__(self, plan: Plan, cluster_id: int = 1) -> None:
        request = recorder.Request(
            name="deploy", cluster_id=cluster_id, cluster_name="c", actor="ann", graph_types=["default"], rehearsal=REHEARSAL
        )
        self.parent = recorder.open_request(request, NOW)
        self.epoch = recorder.take(self.parent.id, "me", 3600) or 0
        self._seconds = 0
        child = queries.children(self.parent)[0]
        rows = [recorder.PlannedRun(run.node, run.task, run.type) for run in plan.runs]
        recorder.record_plan(self._ledger(), child.id, rows, {"plan": plan.to_data()}, lambda: NOW)
        child.refresh_from_db()
        self.child = load_child(child, stopping=False)
        finish.start(self.parent, child, self._ledger())
        self.index = {run.name: number for number, run in enumerate(plan.runs)}

    def _ledger(self) -> recorder.Ledger:
        self._seconds += 1
        return recorder.Ledger(self.parent.id, self.epoch, "me", NOW + timedelta(seconds=self._seconds))

    def commit(self, *events: Event, ledger: recorder.Ledger | None = None) -> None:
        """Let the scheduler decide, and write what it says."""
        ledger = ledger or self._ledger()
        if any(isinstance(event, Begin) and event.offline for event in events):
            for node in events[0].offline:  # type: ignore[union-attr]
                ledger.note("node", "offline", node=node)
            self.child.found["offline"] = list(events[0].offline)  # type: ignore[union-attr]
            ledger.change_transaction(self.child.id, result=dict(self.child.found))
        carrier = Carrier(self.child, ledger)
        effects = carrier.carry_out(self.child.scheduler.handle(*events, now=float(self._seconds)))
        if effects.drain:
            ledger.note("transaction", "draining", reason="It is being stopped.")
            over = [self._take_back(row, ledger) for row in self._unclaimed()]
            last = carrier.carry_out(self.child.scheduler.handle(*over, now=float(self._seconds)))
            effects.finish = last.finish or effects.finish
        if effects.finish is not None:
            parent = Transaction.objects.get(id=self.parent.id)
            finish.end(parent, self.child, effects.finish.status, effects.finish.reason, ledger)
        else:
            ledger.write()

    def _unclaimed(self) -> list[recorder.RunRow]:
        return [row for row in self.child.undone.values() if row.attempt_status == "dispatched"]

    def _take_back(self, row: recorder.RunRow, ledger: recorder.Ledger) -> Event:
        ledger.attempt_over(row, "recalled", "It is being stopped.")
        ledger.pending_again(row, "It is being stopped.")
        self.child.undone.pop(row.position)
        return RunRecalled(row.position)

    def start(self, name: str) -> None:
        """An agent claims the run's attempt."""
        row, ledger = self.child.rows[self.index[name]], self._ledger()
        ledger.started(row, ledger.at)
        self.commit(RunStarted(row.position), ledger=ledger)

    def over(self, name: str, state: str = "ready", reason: str = "", summary: Mapping[str, object] | None = None) -> None:
        """The run's attempt ends."""
        row, ledger = self.child.rows[self.index[name]], self._ledger()
        if state == "lost":
            ledger.attempt_over(row, "lost", reason or "It fell silent.")
        else:
            ledger.ended(row, state, ledger.at, reason=reason, summary=dict(summary or {}), duration=1.0)
        self.child.undone.pop(row.position, None)
        event = RunLost(row.position, reason) if state == "lost" else RunEnded(row.position, state, reason)  # type: ignore[arg-type]
        self.commit(event, ledger=ledger)

    def stop(self) -> None:
        """A person stops it: what waits unclaimed is taken back."""
        self.commit(StopRequested())

    def finish(self, fail: Mapping[str, str] | None = None) -> Recorded:
        """Claim and end whatever is dispatched until all is over; `fail` gives other ends by name (and the reason after a colon)."""
        while not self.child.scheduler.finished:
            self.commit(Tick())
            for row in sorted(self.child.undone.values(), key=lambda row: row.position):
                if not row.undone:
                    continue
                name = f"{row.task_name}/{row.node}"
                if row.attempt_status == "dispatched":
                    self.start(name)
                state, _, reason = (fail or {}).get(name, "ready").partition(":")
                self.over(name, state, reason, {"exit_code": 1, "output": f"{name} says\n{reason}\n"} if state == "error" else None)
        return self
