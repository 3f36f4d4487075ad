"""What goes wrong in one simulation, and how often: decided by its seed, counted by kind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from redis.exceptions import ConnectionError as RedisGone

from tests.faults.clock import Process, Simulation

T = TypeVar("T")

CALLS = {
    "redis error before": 0.05, "redis error after": 0.05, "database error before": 0.02, "database error after": 0.02,
    "commit error before": 0.3, "commit error after": 0.3, "sending error before": 0.3, "sending error after": 0.3,
    "orchestrator killed at a call": 0.015, "orchestrator stalled at a call": 0.03, "agent killed at a call": 0.04,
    "agent stalled at a call": 0.04, "planner killed at a call": 0.05, "planner stalled at a call": 0.1,
    "operator stalled at a call": 0.1,
    "message lost": 0.4, "message late": 0.5, "attempt hangs": 0.2, "message doubled": 0.4, "message overtaken": 0.3,
    "message before the flag": 0.5,
}  # fmt: skip
"""Faults of single calls and messages: the most probable they get in a simulation that has them."""

TIMED = {
    "orchestrator killed": 12.0, "orchestrator frozen": 12.0, "agent killed": 8.0, "agent frozen": 10.0, "node cut off": 12.0,
    "node rebooted": 15.0, "Redis unreachable": 15.0, "Redis restarted": 15.0, "Redis rolled back": 15.0, "Redis emptied": 15.0,
    "stop": 10.0, "node gone for good": 60.0,
}  # fmt: skip
"""Faults that happen by themselves: seconds between two of a kind, in the mean."""

PLACES = (
    "claim", "after claim", "report", "after report", "permit", "after permit", "recall", "after recall", "set_stop", "after set_stop",
    "vouch", "after vouch", "drain", "after drain", "forget", "leased", "renew", "heartbeats", "BEGIN", "after UPDATE", "order", "taking",
    "begin", "begin", "done",
)  # fmt: skip
"""Calls at which a seed may have its actors fall more often than elsewhere: what is rare everywhere is never met where it hurts."""
CAUSES = (
    "claim", "claim", "claim", "report", "report", "permit", "set_stop", "recall", "vouch", "failure", "stop", "agent killed",
    "orchestrator frozen", "Redis emptied", "Redis rolled back", "Redis restarted",
)  # fmt: skip
"""What another fault may follow on the heels of."""
FOLLOWERS = (*TIMED, "stop", "stop", "Redis emptied", "Redis emptied", "Redis rolled back", "orchestrator frozen")


@dataclass(frozen=True, slots=True)
class Sequel:
    """In this seed `effect` follows `cause`, with this probability and within so many seconds."""

    cause: str
    effect: str
    rate: float
    within: float


class Faults:
    """Each seed has some kinds of faults and not others, so that they show what they do alone as well as together."""

    def __init__(self, seed: int, simulation: Simulation, *, quiet: bool = False) -> None:
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.on = not quiet
        self._simulation = simulation
        share = self.random.choice((0.1, 0.25, 0.5, 0.8)) if not quiet else 0.0
        self._rates = {kind: most * self.random.random() for kind, most in CALLS.items() if self.random.random() < share}
        self.pauses = {kind: mean * (0.5 + self.random.random()) for kind, mean in TIMED.items() if self.random.random() < share}
        self.skewed = self.random.random() < share
        self.latency = self.random.choice((0.0, 0.001, 0.02))
        chance = self.random.random
        self._weak = {place: 0.4 * chance() for place in self.random.sample(PLACES, self.random.choice((0, 1, 2, 3)))} if share else {}
        self._killed_there = self.random.choice((0.0, 0.3, 1.0))
        self.sequels = [self._sequel() for _ in range(self.random.choice((0, 0, 1, 2, 3)))] if share else []
        if share:
            self._aim(self.random.choice(("", "", "", "unclaimed", "two owners", "retries")))
        self.strike: Callable[[str], None] = lambda kind: None
        """Makes a fault of this kind (one of `TIMED`) happen now."""

    def _aim(self, at: str) -> None:
        """What must come together to be of any interest hardly ever does by chance."""
        if at == "unclaimed":
            # Somebody stops just when something was permitted, and all that should keep it from being claimed is late.
            self.sequels.append(Sequel("permit", "stop", 0.15, 0.5))
            self._weak |= {"set_stop": 0.5, "claim": 0.3}
            self._rates |= {"message late": 0.4, "message before the flag": 0.8}
            self._killed_there = 0.0
        elif at == "two owners":
            # An owner is stalled between what it has seen and its commit, until another one has gone on.
            self._weak["BEGIN"] = 0.15
            self._rates |= {"agent killed at a call": 0.04, "message lost": 0.1}
            self._killed_there = 0.0
        elif at == "retries":
            # Whoever knows of the pause before the next try is gone, or has to read everything anew.
            self.sequels.append(Sequel("failure", "orchestrator killed", 0.5, 1.0))
            self._rates |= {"commit error after": 0.3, "database error after": 0.02}

    def _sequel(self) -> Sequel:
        random = self.random
        return Sequel(random.choice(CAUSES), random.choice(FOLLOWERS), random.uniform(0.05, 0.4), random.choice((0.02, 0.3, 3.0)))

    def caused(self, cause: str) -> None:
        """This has happened: what follows it in this seed may follow now."""
        for sequel in self.sequels:
            if self.on and sequel.cause == cause and self.random.random() < sequel.rate:
                self._simulation.after(self.between(0.0, sequel.within), lambda kind=sequel.effect: self.strike(kind))  # type: ignore[misc]

    @property
    def kinds(self) -> list[str]:
        """What this seed has."""
        wrong = ["clocks wrong"] if self.skewed else []
        return [*self._rates, *self.pauses, *wrong, *{sequel.effect: None for sequel in self.sequels}]

    def happens(self, kind: str) -> bool:
        """Whether this fault happens here; counted if so."""
        rate = self._rates.get(kind, 0.0)
        if not self.on or not rate or self.random.random() >= rate:
            return False
        self.count(kind)
        return True

    def count(self, kind: str) -> None:
        """It happened."""
        self.counts[kind] += 1
        self._simulation.tell(f"! {kind}")

    @contextmanager
    def spared(self) -> Iterator[None]:
        """Nothing goes wrong meanwhile: the simulation itself looks at something."""
        on, latency, self.on, self.latency = self.on, self.latency, False, 0.0
        try:
            yield
        finally:
            self.on, self.latency = on, latency

    def between(self, low: float, high: float) -> float:
        """A number of seconds."""
        return self.random.uniform(low, high)

    def pick(self, many: Sequence[T]) -> T:
        """One of them."""
        return self.random.choice(many)

    def at_call(self, what: str) -> None:
        """An actor is about to do, or has done, something that others can see: it may be killed or stalled here, or just be slow."""
        simulation = self._simulation
        actor = simulation.actor
        if actor is None or not actor.process.alive:
            return
        kind = actor.process.name.partition(" ")[0]
        weak = self.on and self.random.random() < self._weak.get(_place(what), 0.0)
        dies = weak and self.random.random() < self._killed_there
        if self._falls(f"{kind} killed at a call", dies):
            simulation.tell(f"killed at {what}")
            simulation.kill(actor.process)
        if self._falls(f"{kind} stalled at a call", weak):
            self.stall(actor.process, what)
        elif self.latency and self.random.random() < 0.3:
            simulation.sleep(self.random.expovariate(1 / self.latency))

    def _falls(self, kind: str, weak: bool) -> bool:
        if weak and kind in CALLS:
            self.count(kind)
            return True
        return self.happens(kind)

    def stall(self, process: Process, what: str) -> None:
        """The whole process stops here: for so long that others think it dead, or only until they have done what it did not expect."""
        self._simulation.tell(f"stalled at {what}")
        # A commit is where ownership is proved: what wakes up there has mostly lost it.
        seconds = self.between(6.5, 12.0) if what.startswith("BEGIN") else self.between(0.05, self.pick((0.5, 3.0, 25.0)))
        self._simulation.freeze(process, seconds)
        self._simulation.sleep(seconds)

    def redis(self, kind: str, what: str) -> None:
        """A call of Redis may fail `before` or `after` its effect."""
        if self.happens(f"redis error {kind}"):
            self._simulation.tell(f"{what}: an error {kind} its effect")
            raise RedisGone(f"Connection lost {kind} {what}.")


def _place(what: str) -> str:
    """`order 1#3` and `after UPDATE history_…` without what they are about."""
    first, _, rest = what.partition(" ")
    return f"{first} {rest.partition(' ')[0]}" if first in ("after", "before") else first
