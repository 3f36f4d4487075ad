"""Holding transactions: a thread renews what this process owns, so that long work doesn't lose it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from types import TracebackType

from django.db import Error as AnyDatabaseError
from django.db import connection

from history import recorder

logger = logging.getLogger(__name__)

STEPS_LONGEST = 3
"""Ownership periods that one transaction's own step may take (a huge plan is read anew) before it is given up as well."""


class Keeper:
    """Renews the ownership of the transactions it is told of, from a thread and a database connection of its own.

    A `watched` one renews only what is being stepped through: its process has to say (`steps_through`) that it comes round. Once it
    has been silent for an ownership period all others' ownership lapses, so that another process may go on with them.
    """

    def __init__(self, seconds: float, *, watched: bool = False) -> None:
        self._seconds, self._watched = seconds, watched
        self._held: dict[int, int] = {}
        self._at: tuple[float, int | None] = (time.monotonic(), None)
        """Since when the loop is where it is, and at which transaction."""
        self._said = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ownership", daemon=True)

    def hold(self, transaction_id: int, epoch: int) -> None:
        """Renew this one from now on."""
        with self._lock:
            self._held[transaction_id] = epoch

    def drop(self, transaction_id: int) -> None:
        """Renew it no longer."""
        with self._lock:
            self._held.pop(transaction_id, None)

    def steps_through(self, transaction_id: int | None = None) -> None:
        """The loop has come to this transaction, or is between two."""
        self._at = (time.monotonic(), transaction_id)

    def __enter__(self) -> Keeper:
        self.steps_through()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        pause = self._seconds / 4
        try:
            while not self._over.wait(pause):
                # What is locked just now may be so by the owner's own long commit: then it is to be renewed right after.
                pause = self._seconds / 4 if self._renew() else self._seconds / 40
        finally:
            connection.close()

    def _renew(self) -> bool:
        """Whether nothing was locked."""
        with self._lock:
            held = dict(self._held)
        renewed = True
        for transaction_id, epoch in self._still_stepped_through(held):
            try:
                if not recorder.renew(transaction_id, epoch, self._seconds):
                    self.drop(transaction_id)
            except (recorder.RowLocked, AnyDatabaseError) as error:
                if recorder.is_patience_over(error):
                    renewed = False
                    continue
                logger.warning("Transaction %s: its ownership could not be renewed: %s", transaction_id, str(error).strip())
                connection.close_if_unusable_or_obsolete()
        return renewed

    def _still_stepped_through(self, held: Mapping[int, int]) -> list[tuple[int, int]]:
        """Those that the loop comes to, with their epochs; the others' ownership must lapse."""
        since, at = self._at
        periods = (time.monotonic() - since) / self._seconds
        if not self._watched or periods <= 1:
            self._said = False
            return list(held.items())
        if not self._said:
            self._said = True
            where = "between two transactions" if at is None else f"at transaction {at}"
            logger.warning("The loop has stood %s for %.0f s: other owners may go on with the rest.", where, periods * self._seconds)
        return [(transaction_id, epoch) for transaction_id, epoch in held.items() if transaction_id == at and periods <= STEPS_LONGEST]


def give_back(transaction_id: int, epoch: int) -> bool:
    """Let another have the transaction at once; False if its row is locked, so that it is to be tried again (or its ownership lapses)."""
    try:
        recorder.release(transaction_id, epoch)
    except (recorder.RowLocked, AnyDatabaseError) as error:
        if not recorder.is_patience_over(error):
            raise
        return False
    return True
