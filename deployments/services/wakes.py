"""Wake-ups reach whichever orchestrator took the message; who does not own the transaction passes them on to its owner."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import DatabaseError, connection
from redis.exceptions import RedisError

from deployments.services.tools import Tools
from history import queries as history

logger = logging.getLogger(__name__)

REMEMBERED = 2.0
"""Seconds for which an owner's name is remembered: a wake-up sent to an old owner costs a second, not a run."""


class Wakes:
    """Passes wake-ups on, and listens for those that others pass on to this orchestrator."""

    def __init__(self, tools: Tools, on_wake: Callable[[int], None]) -> None:
        self._tools, self._on_wake = tools, on_wake
        self._owners: dict[int, tuple[float, str]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="wakes", daemon=True)

    def start(self) -> None:
        """Listen from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._over.set()
        self._thread.join()

    def pass_on(self, transaction_id: int) -> bool:
        """Tell the transaction's owner, if it is somebody else; whether that was so."""
        now = time.monotonic()
        asked, owner = self._owners.get(transaction_id, (0.0, ""))
        if now - asked > REMEMBERED or not asked:
            owner = self._owner(transaction_id)
            self._owners[transaction_id] = (now, owner)
        if not owner or owner == self._tools.owner:
            return False
        self._tools.broker.wake(owner, transaction_id)
        return True

    def _owner(self, transaction_id: int) -> str:
        try:
            return history.owner(transaction_id)
        except DatabaseError:
            connection.close()
            return ""

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                for transaction_id in self._tools.broker.woken(self._tools.owner, 1.0):
                    self._on_wake(transaction_id)
            except (RedisError, OSError) as error:
                logger.warning("Wake-ups can't be heard (owners look every second anyway): %s", error)
                self._over.wait(1.0)
