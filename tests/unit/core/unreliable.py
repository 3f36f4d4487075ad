"""A world in which a scheduler is tried: agents that die, lose and give back, a person who stops it, nodes that go offline."""

from __future__ import annotations

import random

from deployments.core.events import (
    Begin,
    Dispatch,
    Event,
    NodeOffline,
    RunEnded,
    RunLost,
    RunRecalled,
    RunStarted,
    StopRequested,
    Tick,
    WakeAt,
)
from deployments.core.plan import SYNC_NODE
from tests.unit.core.scheduling import CheckedScheduler


class World:
    """Agents, a person and the clock, all of them unreliable but honest."""

    def __init__(self, plan, seed: int) -> None:
        self._plan, self._dice = plan, random.Random(seed)
        self.now = 0.0
        self.queued: set[int] = set()
        self.running: set[int] = set()
        self._wakes: list[float] = []
        self._offline: set[str] = set()
        self.begin = Begin(tuple(node for node in plan.nodes if node != SYNC_NODE and self._dice.random() < 0.04))

    def take(self, out: list) -> None:
        for instruction in out:
            if isinstance(instruction, Dispatch):
                assert instruction.run not in self.queued | self.running
                self.queued.add(instruction.run)
            if isinstance(instruction, WakeAt):
                self._wakes.append(instruction.at)

    def events(self) -> list[Event]:
        """What happens in the next moment; something always does."""
        self.now += self._dice.choice([0, 1, 4])
        happened = [event for run in sorted(self.queued | self.running) if self._dice.random() < 0.5 and (event := self._of_run(run))]
        if self._dice.random() < 0.02:
            happened.append(self._goes_offline())
        if self._dice.random() < 0.02:
            happened.append(StopRequested())
        if self._wakes and not self.queued and not self.running:
            self.now = max(self.now, min(self._wakes))
            self._wakes.remove(min(self._wakes))
        return happened or [Tick()]

    def _of_run(self, run: int) -> Event:
        luck = self._dice.random()
        if run in self.queued:
            self.queued.discard(run)
            if luck < 0.15:
                return RunRecalled(run)
            if luck < 0.9:
                self.running.add(run)
                return RunStarted(run)
        self.running.discard(run)
        if luck < 0.1:
            return RunLost(run)
        return RunEnded(run, self._dice.choices(["ready", "error", "skipped"], [8, 2, 1])[0], "by chance")

    def _goes_offline(self) -> Event:
        node = self._dice.choice([node for node in self._plan.nodes if node != SYNC_NODE] or [SYNC_NODE])
        self.queued = {run for run in self.queued if self._plan.runs[run].node != node}
        return NodeOffline(node)


def play(scheduler: CheckedScheduler, world: World, most: int = 10_000) -> list[list]:
    """Let it happen until the end; the answers, moment by moment."""
    answers = [scheduler.handle(world.begin, now=world.now)]
    world.take(answers[-1])
    while not scheduler.finished and len(answers) < most:
        events = world.events()
        answers.append(scheduler.handle(*events, now=world.now))
        world.take(answers[-1])
    return answers
