"""One commit of an owner: task runs, attempts, events and whatever belongs with them, all or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db import transaction as database

from history.models import Attempt, Event, TaskRun, Transaction
from history.recorder.bulk import update_where
from history.states import ATTEMPT, TASK_RUN, check


class OwnershipLost(Exception):
    """Somebody else has taken the transaction: whatever this process knew of it is out of date."""


class RowMoved(Exception):
    """A row was not in the state this commit started from: what the owner has in memory is out of date."""


@dataclass(slots=True)
class RunRow:
    """A task run as its owner keeps it in memory. Only a `Ledger` changes it."""

    id: int
    position: int
    node: str
    task_name: str
    type: str
    status: str = "pending"
    dispatched_at: datetime | None = None
    time_start: datetime | None = None
    time_end: datetime | None = None
    attempts: int = 0
    reason: str = ""
    blocked_by: int | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    attempt_status: str = ""
    """Status of the newest attempt; empty before the first."""
    number: int = 0
    """Dispatch number of the newest attempt."""
    lost: int = 0
    """How many attempts were lost."""
    failures: int = 0
    """How many attempts ended in error."""

    @property
    def undone(self) -> bool:
        """Whether an attempt is dispatched or started."""
        return self.attempt_status in ("dispatched", "started")


_HOLD = f"UPDATE {Transaction._meta.db_table} SET owner_epoch = %s WHERE id = %s AND owner_epoch = %s RETURNING event_seq, event_digest"
_RUN_COLUMNS = ("status", "dispatched_at", "time_start", "time_end", "attempts", "reason", "blocked_by", "summary")
_ATTEMPT_COLUMNS = ("status", "time_start", "time_end", "duration", "reason")


def load_rows(child_id: int) -> list[RunRow]:
    """The rows of one child in plan order, with their newest attempts."""
    fields = ("id", "position", "node", "task_name", "type", *_RUN_COLUMNS)
    rows = [RunRow(**values) for values in TaskRun.objects.filter(transaction_id=child_id).order_by("position").values(*fields)]
    by_id = {row.id: row for row in rows if row.attempts}
    tries = Attempt.objects.filter(run__transaction_id=child_id).order_by("attempt")
    for run_id, status, number in tries.values_list("run_id", "status", "number").iterator():
        row = by_id[run_id]
        row.attempt_status, row.number = status, number
        row.lost += status == "lost"
        row.failures += status == "error"
    return rows


class Ledger:
    """Collects the changes of one moment and writes them in one commit that begins by proving ownership.

    Every change goes through the transition tables, becomes an event, and is written with `WHERE status = expected`; if a row
    was elsewhere the whole commit is undone and the owner must read everything anew.
    """

    def __init__(self, parent_id: int, epoch: int, actor: str, at: datetime) -> None:
        self.parent_id, self.epoch, self.actor, self.at = parent_id, epoch, actor, at
        self._runs: dict[int, tuple[RunRow, str]] = {}
        self._new_attempts: dict[tuple[int, int], Attempt] = {}
        self._attempts: dict[tuple[int, int], tuple[str, dict[str, Any]]] = {}
        self._transactions: dict[int, dict[str, Any]] = {}
        self._expected: dict[int, str] = {}
        self._events: list[Event] = []
        self._also: list[Callable[[], object]] = []

    def __bool__(self) -> bool:
        return bool(self._runs or self._events or self._transactions or self._also)

    def dispatched(self, row: RunRow, number: int, node: str) -> None:
        """A new attempt of the run is about to be permitted and queued; `node` is the node's name on the wire."""
        self._remember(row)
        row.attempts += 1
        row.number, row.attempt_status, row.dispatched_at = number, "dispatched", self.at
        self._new_attempts[row.id, row.attempts] = Attempt(
            run_id=row.id, attempt=row.attempts, node=node, number=number, status="dispatched", dispatched_at=self.at
        )
        self._event("attempt", row, "", "dispatched")

    def started(self, row: RunRow, at: datetime) -> None:
        """The agent has claimed the newest attempt; not before it was dispatched and not after this commit, whatever the clocks say."""
        at = min(max(at, row.dispatched_at or at), self.at)
        self._move_attempt(row, "started", time_start=at)
        self._move_run(row, "running")
        row.time_start, row.time_end = at, None

    def ended(
        self,
        row: RunRow,
        outcome: str,
        at: datetime,
        *,
        reason: str = "",
        summary: dict[str, Any] | None = None,
        duration: float | None = None,
    ) -> None:
        """The newest attempt ended (with its run, unless `pending_again` follows); within the same bounds."""
        at = min(max(at, row.time_start or at), self.at)
        self._move_attempt(row, outcome, time_end=at, duration=duration, reason=reason)
        self._remember(row)
        row.time_end, row.reason = at, reason
        row.summary = summary or {}
        row.failures += outcome == "error"

    def finish_run(self, row: RunRow, outcome: str, *, at: datetime | None = None, reason: str = "") -> None:
        """Write the run's final state."""
        moment = at or self.at
        self._move_run(row, outcome, reason=reason)
        row.time_start = row.time_start or moment
        row.time_end = max(row.time_start, row.time_end or moment)
        row.reason, row.blocked_by = reason or row.reason, None

    def tried(self, row: RunRow, summary: dict[str, Any]) -> None:
        """A try within the newest attempt failed, and another follows: what is known of that stands in the summary until it ends."""
        self._remember(row)
        row.summary = summary

    def attempt_over(self, row: RunRow, status: str, reason: str) -> None:
        """The newest attempt is `lost`, `recalled` or could not be carried out."""
        self._move_attempt(row, status, time_end=self.at, reason=reason)
        self._remember(row)
        row.lost += status == "lost"
        row.reason = reason

    def pending_again(self, row: RunRow, reason: str) -> None:
        """The run waits for its next attempt."""
        self._remember(row)
        if row.status != "pending":
            self._move_run(row, "pending", reason=reason)
        row.dispatched_at, row.reason = None, reason

    def blocked(self, row: RunRow, root: int | None, reason: str) -> None:
        """The run can't start: remember the cause. It stays `pending`."""
        self._remember(row)
        row.blocked_by, row.reason = root, reason

    def note(
        self,
        subject: str,
        new: str,
        *,
        old: str = "",
        node: str = "",
        reason: str = "",
        row: RunRow | None = None,
        about: int | None = None,
    ) -> None:
        """An event that moves no run: of the transaction `about`, a node, the cluster, or a message that came too late."""
        self._event(subject, row, old, new, node=node, reason=reason)
        self._events[-1].about = about

    def changed(self) -> list[RunRow]:
        """The rows that this commit moves."""
        return [row for row, _ in self._runs.values()]

    def change_transaction(self, transaction_id: int, *, expected: str = "", **values: Any) -> None:
        """Set fields of the parent, of a child, or of a request about them; `expected` is the status that it must still have."""
        if expected:
            self._expected.setdefault(transaction_id, expected)
        self._transactions.setdefault(transaction_id, {}).update(values)

    def also(self, write: Callable[[], object]) -> None:
        """Do this write of another app in the same commit."""
        self._also.append(write)

    def hold(self) -> tuple[int, str]:
        """Prove ownership by locking the parent's row; call inside a database transaction.

        Returns:
            Sequence number and digest of the newest event.

        Raises:
            OwnershipLost: the epoch is no longer this one.
        """
        # Every commit begins here, and Django's update() can't return anything: it would take a second statement.
        with connection.cursor() as cursor:
            cursor.execute(_HOLD, [self.epoch, self.parent_id, self.epoch])
            held: list[tuple[int, str]] = cursor.fetchall()
        if not held:
            raise OwnershipLost(f"Transaction {self.parent_id} has another owner now.")
        return held[0]

    def write(self) -> None:
        """Commit everything collected so far, and begin anew.

        Raises:
            OwnershipLost: nothing was written.
            RowMoved: nothing was written.
        """
        with database.atomic():
            seq, digest = self.hold()
            if self._new_attempts:
                Attempt.objects.bulk_create(self._new_attempts.values(), batch_size=500)
            self._write_runs()
            self._write_attempts()
            self._write_transactions(self._write_events(seq, digest))
            for write in self._also:
                write()
        self.__init__(self.parent_id, self.epoch, self.actor, self.at)  # type: ignore[misc]

    def _remember(self, row: RunRow) -> None:
        self._runs.setdefault(row.id, (row, row.status))

    def _move_run(self, row: RunRow, status: str, reason: str = "") -> None:
        check(TASK_RUN, row.status, status)
        self._remember(row)
        self._event("run", row, row.status, status, reason=reason)
        row.status = status

    def _move_attempt(self, row: RunRow, status: str, **values: Any) -> None:
        check(ATTEMPT, row.attempt_status, status)
        key = (row.id, row.attempts)
        if fresh := self._new_attempts.get(key):
            fresh.status = status
            for name, value in values.items():
                setattr(fresh, name, value)
        else:
            expected, known = self._attempts.get(key, (row.attempt_status, {}))
            self._attempts[key] = (expected, {**known, **values, "status": status})
        self._event("attempt", row, row.attempt_status, status, reason=values.get("reason", ""))
        row.attempt_status = status

    def _event(self, subject: str, row: RunRow | None, old: str, new: str, *, node: str = "", reason: str = "") -> None:
        self._events.append(
            Event(
                transaction_id=self.parent_id,
                at=self.at,
                actor=self.actor,
                subject=subject,
                old=old,
                new=new,
                reason=reason,
                run=row.id if row else None,
                attempt=row.attempts if row and subject == "attempt" else None,
                node=row.node if row else node,
            )  # fmt: skip
        )

    def _write_runs(self) -> None:
        rows = [
            (row.id, expected, row.status, row.dispatched_at, row.time_start, row.time_end, row.attempts, row.reason, row.blocked_by,
             row.summary)
            for row, expected in self._runs.values()
        ]  # fmt: skip
        moved = update_where(TaskRun, ("id",), "status", _RUN_COLUMNS, rows)
        if moved != len(rows):
            raise RowMoved(f"{len(rows) - moved} task runs of transaction {self.parent_id} were not as expected.")

    def _write_transactions(self, end_of_log: Mapping[str, Any]) -> None:
        changes = {**self._transactions, self.parent_id: {**self._transactions.get(self.parent_id, {}), **end_of_log}}
        for transaction_id, values in changes.items():
            if not values:
                continue
            rows = Transaction.objects.filter(id=transaction_id)
            if expected := self._expected.get(transaction_id):
                rows = rows.filter(status=expected)
            if not rows.update(**values):
                raise RowMoved(f"Transaction {transaction_id} was not as expected.")

    def _write_attempts(self) -> None:
        started = {key: values for key, (_, values) in self._attempts.items() if "time_start" in values}
        rows = {True: [], False: []}  # type: dict[bool, list[tuple[Any, ...]]]
        for key, (expected, values) in self._attempts.items():
            tail = (values.get("time_end"), values.get("duration"), values.get("reason", ""))
            head = (values["time_start"],) if key in started else ()
            rows[key in started].append((*key, expected, values["status"], *head, *tail))
        moved = update_where(Attempt, ("run_id", "attempt"), "status", _ATTEMPT_COLUMNS, rows[True])
        without_start = tuple(name for name in _ATTEMPT_COLUMNS if name != "time_start")
        moved += update_where(Attempt, ("run_id", "attempt"), "status", without_start, rows[False])
        if moved != len(self._attempts):
            raise RowMoved(f"{len(self._attempts) - moved} attempts of transaction {self.parent_id} were not as expected.")

    def _write_events(self, seq: int, digest: str) -> dict[str, Any]:
        """Append to the log, which ended with this event; what the parent's row has to remember of its new end."""
        if not self._events:
            return {}
        for event in self._events:
            seq += 1
            digest = event_digest(digest, seq, event)
            event.seq, event.digest = seq, digest
        Event.objects.bulk_create(self._events, batch_size=500)
        return {"event_seq": seq, "event_digest": digest}


def event_digest(previous: str, seq: int, event: Event) -> str:
    """SHA-256 over the digest before and everything this event says."""
    told = (
        previous, event.transaction_id, seq, event.at.isoformat(), event.actor, event.subject, event.run, event.attempt, event.node,
        event.old, event.new, event.reason,
    )  # fmt: skip
    if event.about is not None:
        # Left out where there is none: logs from before there was one stay as they are.
        told += (event.about,)
    return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()
