"""An orchestrator: takes transactions that nobody holds and steps through them; the timers of the whole system run in here."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from django.db import DataError, connection
from django.db import Error as AnyDatabaseError
from redis.exceptions import RedisError

from deployments import queries
from deployments.services.clock import is_due
from deployments.services.owned import OwnedTransaction
from deployments.services.ownership import Keeper, give_back
from deployments.services.stored import CantBeLoaded
from deployments.services.stumbles import Stumbles
from deployments.services.tools import Tools
from deployments.services.wakes import Wakes
from history import queries as history
from history import recorder
from history.models import Transaction

logger = logging.getLogger(__name__)

FLEETS_EVERY = 2.0
"""Seconds between two publications of which nodes each fleet serves."""
SWEEPS_EVERY = 600.0
"""Seconds between two looks for what is left in the broker of transactions that are over."""


class Orchestrator:
    """`run` loops in one thread until `leave`; `wake` may be called from any thread."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._owned: dict[int, OwnedTransaction] = {}
        self._work = threading.Event()
        self._wakes = Wakes(tools, self._heard)
        self._keeper = Keeper(tools.patience.ownership, watched=True)
        self._leaving = threading.Event()
        self._careful: set[int] = set()
        """Transactions of which the database has refused something."""
        self._stumbles = Stumbles()
        self._to_release: dict[int, int] = {}
        """Transactions that could not be given back, because another session has locked their rows, with their epochs."""
        self._next_timers = 0.0
        self._next_fleets = 0.0
        self._next_sweep = 0.0

    def wake(self, transaction_id: int) -> None:
        """There may be something to do: reports came in, or a plan was recorded."""
        if transaction_id not in self._owned:
            if self._wakes.pass_on(transaction_id):
                return
            self._next_timers = 0.0
        self._work.set()

    def _heard(self, transaction_id: int) -> None:
        if transaction_id not in self._owned:
            # Whoever passed it on remembers us as the owner: perhaps nobody is any more.
            self._next_timers = 0.0
        self._work.set()

    def leave(self) -> None:
        """Dispatch nothing new, wait for what runs, give everything back, and return from `run`."""
        self._leaving.set()
        self._work.set()

    def run(self) -> None:
        """Work until `leave`, whatever happens to database and broker meanwhile."""
        self._wakes.start()
        with self._keeper:
            while not self._left_after_a_round():
                pass
        self._wakes.stop()
        connection.close()

    def _left_after_a_round(self) -> bool:
        self._work.clear()
        try:
            if self.left():
                return True
            self.round()
            self._work.wait(self._pause())
        except (AnyDatabaseError, RedisError, OSError) as error:
            logger.warning("Trying again in a second: %s", str(error).strip())
            connection.close()
            self._work.wait(1.0)
        except Exception:
            # A bug in one transaction must not take the others' owner away.
            logger.exception("Trying again in a second.")
            self._work.wait(1.0)
        return False

    def round(self) -> None:
        """Look at the timers, then take one step of each transaction. What goes wrong with one keeps no other waiting.

        Raises:
            AnyDatabaseError, RedisError, OSError: database or Redis are gone; what was under way will be read anew.
        """
        self._timers()
        self._step_all()

    def left(self) -> bool:
        """Whether `leave` was called and nothing of this orchestrator runs any more."""
        if not self._leaving.is_set():
            return False
        for transaction_id, owned in list(self._owned.items()):
            owned.pause()
            if not owned.running:
                self._give_back(transaction_id, owned.epoch)
        if self._owned:
            count = sum(len(owned.running) for owned in self._owned.values())
            logger.info("Waiting for %s running task runs.", count)
        return not self._owned

    def _pause(self) -> float:
        waits = [owned.wait_seconds() for owned in self._owned.values()]
        return min([self._tools.patience.look, *waits])

    def _give_back(self, transaction_id: int, epoch: int) -> None:
        self._keeper.drop(transaction_id)
        self._owned.pop(transaction_id, None)
        if not give_back(transaction_id, epoch):
            self._to_release[transaction_id] = epoch

    def _step_all(self) -> None:
        for transaction_id, owned in list(self._owned.items()):
            self._keeper.steps_through(transaction_id)
            began = time.monotonic()
            try:
                self._step(transaction_id, owned)
            except recorder.OwnershipLost:
                logger.warning("Transaction %s has another owner now.", transaction_id)
                self._keeper.drop(transaction_id)
                self._owned.pop(transaction_id, None)
            except Exception as error:
                self._failed(transaction_id, owned.epoch, error, time.monotonic() - began)
        self._keeper.steps_through()

    def _step(self, transaction_id: int, owned: OwnedTransaction) -> None:
        goes_on = owned.step()
        self._stumbles.forget(transaction_id)
        if not goes_on:
            self._give_back(transaction_id, owned.epoch)
            if owned.needs_planning:
                self._ask_for_plan(transaction_id)

    def _failed(self, transaction_id: int, epoch: int, error: Exception, seconds: float) -> None:
        """Memory and database may differ now: everything is to be read anew, as a new owner would. The others go on.

        Raises:
            AnyDatabaseError, RedisError, OSError: it is the connection that is gone, for all of them.
        """
        if isinstance(error, CantBeLoaded):
            if not self._stumbles.knows(transaction_id):
                logger.error("%s It is looked at again and again.", error, exc_info=error)
        elif recorder.is_patience_over(error):
            logger.info("Transaction %s has to wait: %s", transaction_id, " ".join(str(error).split()))
        elif isinstance(error, (AnyDatabaseError, RedisError, OSError)):
            logger.warning("Transaction %s: %s", transaction_id, " ".join(str(error).split()))
        else:
            logger.error("Transaction %s: it is read anew.", transaction_id, exc_info=error)
        if isinstance(error, DataError):
            self._careful.add(transaction_id)
        connection.close_if_unusable_or_obsolete()
        self._give_back(transaction_id, epoch)
        now = self._tools.broker.now()
        if isinstance(error, recorder.RowLocked) or transaction_id in self._to_release:
            # It is taken again as soon as its row is free.
            return
        try:
            self._stumbles.note(transaction_id, epoch, error, now, seconds)
        except (recorder.RowLocked, AnyDatabaseError) as unheard:
            logger.warning("Transaction %s: people can't be told: %s", transaction_id, unheard)

    def _timers(self) -> None:
        now = self._tools.broker.now()
        if is_due(self._next_timers, now, self._tools.patience.look):
            self._next_timers = now + self._tools.patience.look
            self._take_over()
        if is_due(self._next_fleets, now, FLEETS_EVERY):
            self._next_fleets = now + FLEETS_EVERY
            for fleet, nodes in queries.fleets().items():
                self._tools.broker.publish_fleet(fleet, nodes)
        if is_due(self._next_sweep, now, SWEEPS_EVERY):
            self._next_sweep = now + SWEEPS_EVERY
            self._sweep()

    def _sweep(self) -> None:
        """Remove what owners left that died between their last commit and the end, and stop flags that came after it."""
        for transaction_id in history.over_among(self._tools.broker.remains()):
            self._tools.broker.end(transaction_id)

    def _take_over(self) -> None:
        for transaction_id, epoch in list(self._to_release.items()):
            if give_back(transaction_id, epoch):
                del self._to_release[transaction_id]
        if self._leaving.is_set():
            return
        for parent in recorder.unowned():
            try:
                self._take_one(parent)
            except Exception as error:
                self._not_taken(parent.id, error)

    def _take_one(self, parent: Transaction) -> None:
        child = history.current_child(parent.id)
        if child is not None and child.recorded_at is None and parent.stop_requested_at is None:
            self._ask_again(parent)
            return
        if not self._stumbles.may_try(parent.id, self._tools.broker.now()):
            return
        epoch = recorder.take(parent.id, self._tools.owner, self._tools.patience.ownership)
        if epoch is not None:
            parent.refresh_from_db()
            self._owned[parent.id] = OwnedTransaction(parent, epoch, self._tools, careful=parent.id in self._careful)
            self._keeper.hold(parent.id, epoch)

    def _not_taken(self, transaction_id: int, error: Exception) -> None:
        """It is nobody's now, or lapses; the others are looked at all the same.

        Raises:
            AnyDatabaseError, RedisError, OSError: it is the connection that is gone, for all of them.
        """
        level = logging.INFO if recorder.is_patience_over(error) else logging.WARNING
        logger.log(level, "Transaction %s can't be taken now: %s", transaction_id, " ".join(str(error).split()) or type(error).__name__)
        connection.close_if_unusable_or_obsolete()
        connection.ensure_connection()
        self._tools.broker.now()

    def _ask_again(self, parent: Transaction) -> None:
        """Nobody plans it: the message was lost, or the planner."""
        now = self._tools.clock.now()
        if parent.plan_sent_at is None or now - parent.plan_sent_at > timedelta(seconds=self._tools.patience.planning):
            self._ask_for_plan(parent.id)

    def _ask_for_plan(self, transaction_id: int) -> None:
        recorder.mark_sent(transaction_id, self._tools.clock.now())
        self._tools.dispatcher.ask_for_plan(transaction_id)
