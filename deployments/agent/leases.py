"""Keeping the leases of all attempts that run in this process, by one thread and one round trip at a time."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from deployments.agent.steady import steady
from deployments.wire.broker import Broker
from deployments.wire.messages import AttemptKey

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0


@dataclass(slots=True)
class _Held:
    seconds: float
    halt: Callable[[], None]
    due: float
    confirmed: float
    unbroken: bool = True


class Leases:
    """Each lease is renewed after a third of its time. An attempt that may not go on (a later permit stands) is halted."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._held: dict[AttemptKey, _Held] = {}
        self._lock = threading.Lock()
        self._sooner = threading.Event()
        self._next = math.inf
        threading.Thread(target=self._run, name="leases", daemon=True).start()

    def hold(self, key: AttemptKey, seconds: float, halt: Callable[[], None], since: float) -> None:
        """Renew this one from now on; the claim, asked for at `since` (the steady clock), has set it."""
        due = since + seconds / 3
        with self._lock:
            self._held[key] = _Held(seconds, halt, due, since)
            if due < self._next:
                self._sooner.set()

    def stands(self, key: AttemptKey) -> bool:
        """Whether the lease never ran out, by this machine's own steady clock. One that did may be renewed, but its attempt may be over."""
        with self._lock:
            held = self._held.get(key)
            return held is not None and held.unbroken and steady() - held.confirmed < held.seconds

    def drop(self, key: AttemptKey) -> None:
        """Renew it no longer."""
        with self._lock:
            self._held.pop(key, None)

    def _run(self) -> None:
        while True:
            with self._lock:
                self._sooner.clear()
                self._next = min((held.due for held in self._held.values()), default=math.inf)
                pause = self._next - steady()
            if self._sooner.wait(None if pause == math.inf else max(0.0, pause)):
                continue
            try:
                self._renew(steady())
            except Exception:
                # Whatever it is: without this thread all attempts of the process would be lost.
                logger.exception("Leases could not be renewed. They are tried again.")
                self._put_off(steady())

    def _put_off(self, now: float) -> None:
        with self._lock:
            for held in self._held.values():
                held.due = max(held.due, now + min(_RETRY_SECONDS, held.seconds / 3))

    def _renew(self, now: float) -> None:
        # Those that are nearly due go along: fewer round trips.
        with self._lock:
            due = [(key, held) for key, held in self._held.items() if held.due <= now + held.seconds / 12]
        try:
            answers = self._broker.renew([(key, held.seconds) for key, held in due])
        except (RedisError, OSError) as error:
            logger.warning("%d leases could not be renewed: %s", len(due), error)
            self._put_off(now)
            return
        for (key, held), may_go_on in zip(due, answers, strict=True):
            held.unbroken = held.unbroken and now - held.confirmed < held.seconds
            held.due, held.confirmed = now + held.seconds / 3, now
            if not may_go_on:
                self._halt(key, held)

    def _halt(self, key: AttemptKey, held: _Held) -> None:
        logger.warning("Attempt %s of run %s is ended: a later attempt is allowed on node %s.", key.attempt, key.run, key.node)
        try:
            held.halt()
        except Exception:
            # It is asked for again with the next renewal; the leases of all others must not wait for it.
            logger.exception("Attempt %s of run %s could not be ended.", key.attempt, key.run)
            return
        self.drop(key)
