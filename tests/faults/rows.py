"""Another session holds rows of the database for a while (`psql`, a backup), at any point of a round: whoever writes them waits for it.

On the simulation's SQLite a trigger stands for the lock of a row. What waits goes on when the row is free, or fails when its patience is
over.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, OperationalError, connection

if TYPE_CHECKING:
    from tests.faults.chance import Faults
    from tests.faults.clock import Actor, Simulation

KIND = "row held"
LOCK_TIMEOUTS = {"orchestrator": 0.3, "planner": 3.0, "operator": 3.0}
"""Seconds, by process: as the settings make them of the ownership period."""
ROWS = {
    "history_transaction": "SELECT id FROM history_transaction WHERE status IN ('pending', 'running')",
    "history_taskrun": "SELECT id FROM history_taskrun WHERE status IN ('pending', 'running')",
    "deployments_node": "SELECT id FROM deployments_node",
    "deployments_cluster": "SELECT id FROM deployments_cluster",
}
SHARE, EACH = 0.25, 1.0
"""Of the time in which rows are held, and seconds for each of them: more than that no orchestrator may stand there."""
NEVER_WAITS = ('"owner"', '"owner_until"', '"plan_sent_at"')
"""Columns of ownership: who sets them must skip what is locked."""


def make_triggers() -> None:
    """Once for each database: updates of rows that are held are refused."""
    for table in ROWS:
        connection.connection.execute(
            f"CREATE TRIGGER hold_{table} BEFORE UPDATE ON {table} WHEN row_is_held('{table}', OLD.id) "
            "BEGIN SELECT RAISE(ABORT, 'the row is held'); END"
        )


class LockNotAvailable(Exception):
    """As PostgreSQL's driver has it."""

    sqlstate = "55P03"


@dataclass
class Wait:
    """An orchestrator stood at a lock."""

    process: str
    sql: str
    seconds: float


class Rows:
    """Who holds what until when, in one seed. It has a chance of its own, so that a seed without it is as it was."""

    def __init__(self, seed: int, simulation: Simulation, faults: Faults) -> None:
        self._simulation, self._faults = simulation, faults
        self._random = chance = random.Random(f"rows {seed}")
        self._on = chance.random() < 0.4
        self._at_calls = chance.choice((0.0, 0.002, 0.01))
        self._mean = chance.choice((4.0, 12.0))
        self._until: dict[tuple[str, int], float] = {}
        self._ours: set[tuple[str, int]] = set()
        """What the present database transaction has locked before anybody else could."""
        self._owed: dict[Actor, float] = {}
        self.held: list[float] = []
        """How long each was held, in seconds."""
        self.waits: list[Wait] = []

    def install(self) -> None:
        """This seed's answers for the triggers of the database."""
        connection.connection.create_function("row_is_held", 2, self._is_held)

    def start(self) -> None:
        """Hold rows from now on, while there are faults."""
        if self._on:
            self._simulation.after(self._random.expovariate(1 / self._mean), self._again)

    def _again(self) -> None:
        if self._faults.on:
            self.hold()
            self.start()

    def hold(self) -> None:
        """Some row, for some time."""
        chance = self._random
        table = chance.choice(("history_transaction", "history_transaction", "history_transaction", *ROWS))
        ids = [row[0] for row in connection.connection.execute(ROWS[table])]
        if not ids or not self._faults.on:
            return
        row, seconds = chance.choice(ids), chance.uniform(0.1, chance.choice((1.0, 6.0, 20.0)))
        self._faults.count(KIND)
        self._simulation.tell(f"{table} {row} is held for {seconds:.1f} s")
        self._until[table, row] = max(self._until.get((table, row), 0.0), self._simulation.now + seconds)
        self.held.append(seconds)

    def skip_locked(self) -> str:
        """In place of the product's words, which SQLite does not know."""
        return "AND NOT row_is_held('history_transaction', id)"

    def do(self, call: Callable[[], Any], sql: str) -> Any:
        """Carry a statement out; it waits where a row is held that it writes.

        Inside a database transaction nobody else can act meanwhile, so the time is waited for afterwards.
        """
        actor, inside = self._simulation.actor, connection.in_atomic_block
        assert actor is not None
        if not inside:
            self._ours.clear()
        if not inside and (owed := self._owed.pop(actor, 0.0)):
            self._simulation.sleep(owed)
        if self._on and self._at_calls and self._random.random() < self._at_calls:
            self.hold()
        try:
            return call()
        except IntegrityError as error:
            if "the row is held" not in str(error):
                raise
        kind = actor.process.name.partition(" ")[0]
        left = max(self._until.values()) - self._simulation.now
        seconds = min(left, LOCK_TIMEOUTS[kind])
        self._simulation.tell(f"waits {seconds:.1f} s for a lock: {sql[:60]}")
        if kind == "orchestrator":
            self.waits.append(Wait(actor.process.name, sql, seconds))
        if inside:
            self._owed[actor] = self._owed.get(actor, 0.0) + seconds
        else:
            self._simulation.sleep(seconds)
            if seconds == left:
                return call()
        raise OperationalError("canceling statement due to lock timeout") from LockNotAvailable()

    def findings(self) -> Iterator[str]:
        """What must not have happened."""
        for wait in self.waits:
            if "SET" in wait.sql and any(name in wait.sql.partition("WHERE")[0] for name in NEVER_WAITS):
                yield f"WAITED: an orchestrator stood at a lock for {wait.seconds:.1f} s to {wait.sql[:80]}"
        most = SHARE * sum(self.held) + EACH * len(self.held)
        for name in {wait.process for wait in self.waits}:
            stood = sum(wait.seconds for wait in self.waits if wait.process == name)
            if stood > most:
                yield f"WAITED: {name} stood at locks for {stood:.1f} s, while rows were held for {sum(self.held):.1f} s."

    def _is_held(self, table: str, row: int) -> int:
        actor = self._simulation.actor
        if actor is None or not actor.process.alive or (table, row) in self._ours:
            return 0
        if self._until.get((table, row), 0.0) > self._simulation.now:
            return 1
        if connection.in_atomic_block:
            self._ours.add((table, row))
        return 0
