"""The database of a simulation: SQLite in memory, on the virtual clock, with errors before and after the effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.core.management import call_command
from django.db import OperationalError, connection

from tests.faults.chance import Faults
from tests.faults.clock import Simulation
from tests.faults.rows import Rows, make_triggers


class Database:
    """One connection; what goes on in a transaction can't be interrupted by another actor, as row locks would have it."""

    def __init__(self) -> None:
        call_command("migrate", verbosity=0, interactive=False)
        make_triggers()
        self._empty = connection.connection.serialize()

    @contextmanager
    def of(self, simulation: Simulation, faults: Faults, rows: Rows) -> Iterator[None]:
        """An empty database whose clock is the simulation's."""
        raw = connection.connection
        raw.deserialize(self._empty)
        raw.create_function("STRFTIME", 2, lambda form, when: _told(simulation.now))
        rows.install()
        commit = connection._commit
        connection._commit = _faulty_commit(commit, simulation, faults)  # type: ignore[method-assign]
        try:
            with connection.execute_wrapper(_statements(simulation, faults, rows)):
                yield
        finally:
            connection._commit = commit  # type: ignore[method-assign]


def nothing_unfinished() -> bool:
    """Whether every request is over; past the ORM, because it is asked so often."""
    found = connection.connection.execute("SELECT 1 FROM history_transaction WHERE status IN ('pending', 'running') LIMIT 1")
    return found.fetchone() is None


def _told(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _statements(simulation: Simulation, faults: Faults, rows: Rows) -> Callable[..., Any]:
    def execute(call: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if simulation.actor is None or not simulation.actor.process.alive:
            return call(sql, params, many, context)
        inside, what = connection.in_atomic_block, sql[:40]
        if not inside:
            faults.at_call(what)
        if faults.happens("database error before"):
            raise OperationalError(f"Connection lost before {what}.")
        result = rows.do(lambda: call(sql, params, many, context), sql)
        # A connection that is lost takes the open transaction with it, so what was begun is as if it had not been.
        if not sql.startswith(("BEGIN", "SAVEPOINT", "RELEASE", "ROLLBACK")) and faults.happens("database error after"):
            raise OperationalError(f"Connection lost after {what}.")
        if not inside and sql.startswith(("UPDATE", "INSERT", "DELETE")):
            faults.at_call(f"after {what}")
        return result

    return execute


def _faulty_commit(commit: Callable[[], None], simulation: Simulation, faults: Faults) -> Callable[[], None]:
    def faulty() -> None:
        if simulation.actor is None or not simulation.actor.process.alive:
            commit()
            return
        if faults.happens("commit error before"):
            raise OperationalError("Connection lost before COMMIT.")
        commit()
        if faults.happens("commit error after"):
            raise OperationalError("Connection lost after COMMIT.")

    return faulty
