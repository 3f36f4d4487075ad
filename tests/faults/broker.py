"""Redis as the actors of a simulation see it: the strict double, and all that may happen to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from redis.exceptions import ConnectionError as RedisGone

from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey
from tests.faults.chance import Faults
from tests.faults.clock import Signal, Simulation


class Redis:
    """The server: the broker's data. What was kept is what a roll-back brings back."""

    def __init__(self, simulation: Simulation) -> None:
        self.broker = MemoryBroker(lambda: simulation.now)
        self.wake = Signal(simulation)
        """Set when somebody is to be woken."""
        self.down_until = 0.0
        self.cut_off: dict[str, float] = {}
        """By process: until when it can't reach the server."""
        self.granted: list[tuple[float, AttemptKey]] = []
        """Every claim that was granted, and when."""
        self.hurry: Callable[[], None] = lambda: None
        """Makes late messages come now."""
        self.trouble: list[float] = []
        """When it was away, or has lost something."""
        self.stopped: dict[int, float] = {}
        """By transaction: since when its stop flag stands, as whoever set it was told."""


class Line:
    """One process' connection to Redis: a `Broker` whose every call may fail before or after its effect."""

    def __init__(self, redis: Redis, simulation: Simulation, faults: Faults) -> None:
        self._redis, self._simulation, self._faults = redis, simulation, faults

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._redis.broker, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            simulation, faults = self._simulation, self._faults
            if simulation.actor is None:
                return method(*args, **kwargs)
            if connection.in_atomic_block:
                raise AssertionError(f"Redis was called ({name}) inside a database transaction.")
            if name == "woken":
                self._redis.wake.clear()
                self._redis.wake.wait(args[1])
            faults.at_call(name)
            if name == "set_stop" and faults.happens("message before the flag"):
                self._redis.hurry()
                simulation.sleep(0.1)
            self._reach(name)
            faults.redis("before", name)
            answer = method(*args, **kwargs)
            self._note(name, args, answer)
            self._reach(name)
            faults.redis("after", name)
            faults.at_call(f"after {name}")
            return answer

        return call

    def _reach(self, name: str) -> None:
        now, actor = self._simulation.now, self._simulation.actor
        cut_off = self._redis.cut_off.get(actor.process.name, 0.0) if actor else 0.0
        if max(self._redis.down_until, cut_off) > now:
            raise RedisGone(f"No route to Redis ({name}).")

    def _note(self, name: str, args: tuple[Any, ...], answer: Any) -> None:
        simulation = self._simulation
        if name == "claim":
            simulation.tell(f"claim of {args[0].node}#{args[0].number}: {answer.refusal or 'granted'}")
            if answer.granted:
                self._redis.granted.append((simulation.now, args[0]))
                self._faults.caused("claim")
        elif name == "wake":
            self._redis.wake.set()
        elif name == "set_stop":
            simulation.tell(f"stop flag of {args[0]}")
            self._redis.stopped.setdefault(args[0], simulation.now)
            self._faults.caused(name)
        elif name in ("recall", "permit"):
            told = [f"{key.node}#{key.number}" for key in args[-1]]
            simulation.tell(f"{name} {', '.join(told)}: {answer}")
            self._faults.caused(name)
        elif name in ("vouch", "report", "end"):
            self._faults.caused(name)
            simulation.tell(f"{name} {args[0]}{f', {args[1]}' if name == 'vouch' else ''}: {answer}")
