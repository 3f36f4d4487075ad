"""Holding transactions: a thread renews what this process owns, so that long work doesn't lose it."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from django.db import DatabaseError, connection

from history import recorder

logger = logging.getLogger(__name__)


class Keeper:
    """Renews the ownership of the transactions it is told of, from a thread and a database connection of its own."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._held: dict[int, int] = {}
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

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._seconds / 4):
                self._renew()
        finally:
            connection.close()

    def _renew(self) -> None:
        with self._lock:
            held = dict(self._held)
        for transaction_id, epoch in held.items():
            try:
                kept = recorder.renew(transaction_id, epoch, self._seconds)
            except DatabaseError as error:
                logger.warning("Transaction %s: its ownership could not be renewed: %s", transaction_id, error)
                connection.close()
                continue
            if not kept:
                self.drop(transaction_id)
