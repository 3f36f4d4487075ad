"""Deliberate breakages of the product, by which the simulation shows that it would notice them.

Each guard can be taken out alone. Where another one stands behind it, both have to be taken out before anything can go wrong: `BREAKS`
names what has to be found, `COVERED` what stands behind a guard that can be spared alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from django.db import transaction as database

from deployments.agent import memory
from deployments.agent.attempt import Agent
from deployments.agent.fence import Fence
from deployments.agent.leases import Leases
from deployments.agent.memory import NodeMemory
from deployments.core.plan import Plan
from deployments.core.scheduling import schedule
from deployments.core.scheduling.failures import BORNE, Excess, FaultTolerance
from deployments.core.scheduling.schedule import Scheduler
from deployments.services import child, judge, receive
from deployments.services.clock import moment
from deployments.services.owned import OwnedTransaction
from deployments.services.trust import Trust
from deployments.wire.broker import Claim, Entry
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey
from history.models import Transaction
from history.recorder import Ledger, ledger, ownership, planned
from tests.faults import rows

Patch = tuple[Any, str, Any]


def _hold_whoever_asks(self: Ledger) -> tuple[int, str]:
    return Transaction.objects.values_list("event_seq", "event_digest").get(id=self.parent_id)


def _move_what_can_be(*args: Any) -> int:
    _UPDATE_WHERE(*args)
    return len(args[-1])


def _log_before_commit(self: Ledger) -> None:
    if self._events:
        with database.atomic():
            end = self._write_events(*self.hold())
            Transaction.objects.filter(id=self.parent_id).update(**end)
        self._events = []
    _WRITE(self)


def _date_as_the_clock_says(self: OwnedTransaction, at: float | None = None) -> Ledger:
    return Ledger(self.id, self.epoch, self._tools.owner, moment(self._tools.broker.now() if at is None else at))


def _never_blind(self: Trust, run: child.ChildRun, now: float) -> None:
    self.state = "sure" if self._tools.broker.vouched(self._id, self._epoch) else "open"


def _vouch_without_stop(self: Trust, parent: Transaction, run: child.ChildRun, now: float) -> None:
    with patch.object(MemoryBroker, "set_stop", lambda *_: None):
        _VOUCH(self, parent, run, now)


def _recall_claimed(self: MemoryBroker, key: AttemptKey) -> str:
    permit = self._store.permits.get(key.node)
    if permit is None or permit[0] != key:
        return "neither"
    del self._store.permits[key.node]
    return "recalled"


def _cut_off_and_write(path: Path, content: bytes, *, durable: bool = False) -> None:
    path.write_bytes(b"")
    _OVERWRITE(path, content, durable=durable)


def _vouch_for_anybody(self: MemoryBroker, transaction: int, epoch: int) -> bool:
    self._store.owners[transaction] = (epoch, self.run_id())
    return True


def _refuse_for_no_stop(self: MemoryBroker, key: AttemptKey, held: str | None) -> str:
    refusal = _REFUSAL(self, key, held)
    return "" if refusal == "its transaction is being stopped" else refusal


def _claim_what_was_claimed(self: MemoryBroker, key: AttemptKey, token: str, lease_seconds: float, started: bytes) -> Claim:
    permit = self._store.permits.get(key.node)
    self._store.claims.pop(key, None)
    claim = _CLAIM(self, key, token, lease_seconds, started)
    if permit is not None:
        self._store.permits.setdefault(key.node, permit)
    return claim


def _renew_whatever_stands(self: MemoryBroker, key: AttemptKey, lease_seconds: float) -> bool:
    self._store.leases[key] = self.now() + lease_seconds
    return True


def _drain_for_good(self: MemoryBroker, transaction: int, count: int = 5000) -> list[Entry]:
    entries = _DRAIN(self, transaction, count)
    self.forget(transaction, [entry.id for entry in entries])
    return entries


def _take_any_outcome(run: child.ChildRun, report: Any, *rest: Any) -> Any:
    row = run.by_run_id.get(report.key.run)
    if row is not None and row.undone and report.kind == "outcome":
        report = replace(report, key=run.key(row))
    return _TAKE_REPORT(run, report, *rest)


def _take_outcome_again(run: child.ChildRun, report: Any, at: float, to: Ledger, over: list[AttemptKey]) -> Any:
    row = run.by_run_id.get(report.key.run)
    if row is not None and not row.undone and report.kind == "outcome" and run.key(row) == report.key:
        to.ended(row, report.state, to.at, reason=report.reason)
    return _TAKE_REPORT(run, report, at, to, over)


def _forget_what_runs(row: Any, run: Any) -> Any:
    state = _STATE(row, run)
    return replace(state, status="pending") if row.undone else state


def _forget_pause(row: Any, run: Any) -> Any:
    return replace(_STATE(row, run), not_before=0.0)


def _scheduler_of(change: Callable[[Plan], Plan]) -> Callable[..., Scheduler]:
    """Decides about another plan than the recorded one, by which the run is judged."""
    return lambda plan, *rest, **named: Scheduler(change(plan), *rest, **named)


def _all_idempotent(plan: Plan) -> Plan:
    return replace(plan, runs=tuple(replace(run, idempotent=True) for run in plan.runs))


class _BearsAll(FaultTolerance):
    def excess(self) -> Excess:
        return BORNE


_OVERWRITE = memory.overwrite
_UPDATE_WHERE, _WRITE, _VOUCH = ledger.update_where, Ledger.write, Trust.vouch
_REFUSAL, _CLAIM, _DRAIN = MemoryBroker._refusal, MemoryBroker.claim, MemoryBroker.drain
_TAKE_REPORT, _STATE = receive.take_report, child._state

GUARDS: dict[str, Sequence[Patch]] = {
    # On the node.
    "fence": [(Fence, "_read", lambda self: None)],
    "start-in-lease": [(Leases, "stands", lambda self, key: True)],
    "room": [(Agent, "_make_room", lambda *_: None)],
    "notes-stay-whole": [(memory, "overwrite", _cut_off_and_write)],
    "number": [(NodeMemory, "check", lambda self, number: None)],
    "kept-outcome": [(NodeMemory, "outcome", lambda self: None)],
    # Redis.
    "stop-flag": [(MemoryBroker, "_refusal", _refuse_for_no_stop)],
    "claim-once": [(MemoryBroker, "claim", _claim_what_was_claimed)],
    "recall-claimed": [(MemoryBroker, "_recall_one", _recall_claimed)],
    "later-permit-halts": [(MemoryBroker, "_renew_one", _renew_whatever_stands)],
    "lease-ends": [(MemoryBroker, "leased", lambda self, keys: [True for _ in keys])],
    "lease-lasts": [(MemoryBroker, "leased", lambda self, keys: [False for _ in keys])],
    "outcomes-stay": [(MemoryBroker, "drain", _drain_for_good)],
    "epoch-in-redis": [(MemoryBroker, "vouch", _vouch_for_anybody)],
    # The owner.
    "epoch": [(Ledger, "hold", _hold_whoever_asks)],
    "expected-state": [(ledger, "update_where", _move_what_can_be)],
    "tables": [(ledger, "check", lambda table, old, new: None)],
    "log-in-commit": [(Ledger, "write", _log_before_commit)],
    "tries-after-stop": [(Agent, "is_stopped", lambda self, key: False)],
    "log-time": [(OwnedTransaction, "_ledger", _date_as_the_clock_says)],
    "lock-timeout": [(rows, "LOCK_TIMEOUTS", dict.fromkeys(rows.LOCK_TIMEOUTS, 1e9))],
    "skip-locked": [(ownership, "lock_unless_held", lambda _id: None), (planned, "lock_unless_held", lambda _id: None)],
    "blind-after-loss": [(Trust, "look", _never_blind)],
    "trust-check": [(Trust, "check", lambda self: None)],
    "stop-after-loss": [(Trust, "vouch", _vouch_without_stop)],
    "outcome-once": [(receive, "take_report", _take_outcome_again), (judge, "take_report", _take_outcome_again)],
    "outcome-of-this-attempt": [(receive, "take_report", _take_any_outcome), (judge, "take_report", _take_any_outcome)],
    "deadline": [(judge, "deadline_seconds", lambda run, row, grace: 1e9)],
    "silent-agents": [(judge, "_give_up", lambda *_: None)],
    # The scheduler.
    "rebuild": [(child, "_state", _forget_what_runs)],
    "pause": [(child, "_state", _forget_pause)],
    "limits": [(child, "Scheduler", _scheduler_of(lambda plan: replace(plan, limits={}, max_nodes_per_call=0)))],
    "tolerance": [(schedule, "FaultTolerance", _BearsAll)],
    "dependencies": [(child, "Scheduler", _scheduler_of(lambda plan: replace(plan, bundles=plan.bundles[1:])))],
    "lost-once": [(child, "Scheduler", _scheduler_of(_all_idempotent))],
}  # fmt: skip


@contextmanager
def broken(names: Sequence[str]) -> Iterator[None]:
    """The product without these guards."""
    with ExitStack() as stack:
        for name in names:
            for where, what, instead in GUARDS[name]:
                stack.enter_context(patch.object(where, what, instead))
        yield
