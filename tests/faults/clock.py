"""A clock of its own and everybody who lives by it: one thing happens at a time, in an order that the seed decides.

Actors are greenlets: ordinary code that may sleep, and be ended, at any place where it touches the world. So the real code runs as it
is, without threads and without real time.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from traceback import format_exception
from types import SimpleNamespace
from typing import Any

from greenlet import getcurrent, greenlet

EPOCH = 1_800_000_000.0
"""Seconds since the epoch when every simulation begins."""


class Killed(BaseException):
    """This process is ended here and now. Not an Exception, so nothing catches it."""


class Process:
    """What is killed and frozen as one: its actors. `rate` is how fast its own clock goes, `offset` how wrong it is."""

    def __init__(self, name: str, rate: float = 1.0, offset: float = 0.0) -> None:
        self.name, self.rate, self.offset = name, rate, offset
        self.alive = True
        self.frozen_until = 0.0
        self.actors: list[Actor] = []


class Actor:
    """One line of execution in a process."""

    def __init__(self, process: Process, work: greenlet) -> None:
        self.process, self.work = process, work
        self.turn = 0
        """Grows with every suspension, so that a wake-up for an earlier one is recognised."""


class Simulation:
    """Virtual time, and whose turn it is."""

    def __init__(self) -> None:
        self.now = EPOCH
        self.story: Callable[[str], None] | None = None
        self.crashes: list[str] = []
        """Actors that ended by an exception."""
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._hub = getcurrent()
        self._actors: dict[greenlet, Actor] = {}

    @property
    def seconds(self) -> float:
        """Since the simulation began."""
        return self.now - EPOCH

    @property
    def actor(self) -> Actor | None:
        """Who is acting now; None for the simulation itself."""
        return self._actors.get(getcurrent())

    def tell(self, text: str) -> None:
        """A line of the story, where somebody listens."""
        if self.story:
            actor = self.actor
            self.story(f"{self.seconds:9.3f}  {actor.process.name if actor else '-':<16} {text}")

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this later."""
        self._count += 1
        heapq.heappush(self._due, (self.now + max(0.0, seconds), self._count, action))

    def spawn(self, process: Process, work: Callable[[], object]) -> Actor:
        """A new actor of the process; it starts when its turn comes."""

        def run() -> None:
            try:
                work()
            except Killed:
                pass
            except Exception as error:  # noqa: BLE001 - one actor's bug is the seed's finding
                self.crashes.append("".join(format_exception(error)))
            finally:
                self._actors.pop(getcurrent(), None)

        actor = Actor(process, greenlet(run, self._hub))
        process.actors.append(actor)
        self._actors[actor.work] = actor
        self._wake_later(actor, 0.0)
        return actor

    def sleep(self, seconds: float) -> None:
        """Suspend the acting one."""
        actor = self._acting()
        self._wake_later(actor, seconds)
        self._suspend()

    def kill(self, process: Process) -> None:
        """-9: none of its actors does anything more."""
        if not process.alive:
            return
        process.alive = False
        self.tell(f"KILLED {process.name}")
        me = self.actor
        for actor in process.actors:
            if actor is not me:
                self.after(0.0, lambda actor=actor: self._end(actor))  # type: ignore[misc]
        if me is not None and me.process is process:
            raise Killed

    def freeze(self, process: Process, seconds: float) -> None:
        """None of its actors gets a turn for so long (SIGSTOP, a stalled machine)."""
        process.frozen_until = self.now + seconds

    def run_until(self, over: Callable[[], bool], limit: float) -> bool:
        """Let things happen until `over` says so (True) or it is `limit` seconds since the beginning (False)."""
        while not over():
            if not self._due or self._due[0][0] > EPOCH + limit:
                return False
            self.now, _, action = heapq.heappop(self._due)
            action()
        return True

    def close(self) -> None:
        """End every actor."""
        for actor in list(self._actors.values()):
            actor.process.alive = False
            self._end(actor)

    def _acting(self) -> Actor:
        actor = self.actor
        if actor is None:
            raise RuntimeError("Only an actor can wait.")
        if not actor.process.alive:
            raise Killed
        return actor

    def _suspend(self) -> None:
        self._hub.switch()
        if not self._acting().process.alive:
            raise Killed

    def _wake_later(self, actor: Actor, seconds: float) -> None:
        actor.turn += 1
        turn = actor.turn
        self.after(seconds, lambda: self._resume(actor, turn))

    def _resume(self, actor: Actor, turn: int) -> None:
        if actor.turn != turn or actor.work.dead:
            return
        if not actor.process.alive:
            self._end(actor)
        elif actor.process.frozen_until > self.now:
            self.after(actor.process.frozen_until - self.now, lambda: self._resume(actor, turn))
        else:
            actor.turn += 1
            actor.work.switch()

    def _end(self, actor: Actor) -> None:
        actor.turn += 1
        if not actor.work.dead:
            if actor.work:
                actor.work.throw(Killed)
            else:
                self._actors.pop(actor.work, None)

    def wait(self, signal: Signal, seconds: float | None) -> None:
        """Suspend the acting one until the signal is set, or so long."""
        actor = self._acting()
        signal.waiting.append(actor)
        if seconds is None:
            actor.turn += 1
        else:
            self._wake_later(actor, seconds)
        try:
            self._suspend()
        finally:
            signal.waiting.remove(actor)

    def wake(self, actor: Actor) -> None:
        """Its waiting is over; it goes on when the acting one has suspended."""
        self._wake_later(actor, 0.0)


class Signal:
    """What `threading.Event` is, on the virtual clock."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._set = False
        self.waiting: list[Actor] = []

    def set(self) -> None:
        """Wake everybody who waits."""
        self._set = True
        for actor in self.waiting:
            self._simulation.wake(actor)

    def clear(self) -> None:
        """Let them wait again."""
        self._set = False

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        """Until it is set, or so long by the process' own clock; whether it is set."""
        if not self._set:
            actor = self._simulation.actor
            rate = actor.process.rate if actor else 1.0
            self._simulation.wait(self, None if timeout is None else timeout / rate)
        return self._set


def time_module(simulation: Simulation) -> SimpleNamespace:
    """Stands for the module `time` in what an actor runs: its process' own clock."""

    def monotonic() -> float:
        actor = simulation.actor
        process = actor.process if actor else Process("nobody")
        return simulation.seconds * process.rate + process.offset

    def sleep(seconds: float) -> None:
        actor = simulation.actor
        simulation.sleep(seconds / (actor.process.rate if actor else 1.0))

    return SimpleNamespace(monotonic=monotonic, sleep=sleep, time=monotonic, clock_gettime=lambda _clock: monotonic(), CLOCK_BOOTTIME=7)


def threading_module(simulation: Simulation, real: Any) -> SimpleNamespace:
    """Stands for the module `threading`: a thread is an actor of the process that starts it."""

    class Thread:
        def __init__(self, target: Callable[..., object], name: str = "", daemon: bool = True, args: tuple[Any, ...] = ()) -> None:
            self._work = lambda: target(*args)
            self._over = Signal(simulation)

        def start(self) -> None:
            actor = simulation.actor
            if actor is None:
                raise RuntimeError("Only an actor can start a thread.")
            simulation.spawn(actor.process, self._run)

        def join(self, timeout: float | None = None) -> None:
            self._over.wait(timeout)

        def _run(self) -> None:
            self._work()
            self._over.set()

    return SimpleNamespace(Thread=Thread, Event=lambda: Signal(simulation), Lock=real.Lock, RLock=real.RLock)
