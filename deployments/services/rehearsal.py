"""Practising a graph on the true infrastructure without touching a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.plan import TaskRun
from deployments.core.simulation.durations import check_durations

USUAL_SECONDS = {"puppet": 60.0, "shell": 10.0, "reboot": 120.0}
"""What a task is taken to need where neither a file nor the cluster's history knows better."""
OTHER_SECONDS = 2.0
SLOWEST = 1e-6
"""The least speed; below it, times are too long to be reckoned with."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How fast, how long and what fails.

    `durations` are seconds by `task/node`, `task` or `*`, in that order of preference; `known` those of earlier real runs by task;
    `fail` names runs (`task/node`) that are to end in error. A speed of 60 plays an hour in a minute.
    """

    speed: float = 1.0
    durations: Mapping[str, float] = field(default_factory=dict)
    known: Mapping[str, float] = field(default_factory=dict)
    fail: frozenset[str] = frozenset()

    def check(self) -> None:
        """Refuse what can't be played.

        Raises:
            InvalidData: the speed or a duration is no such number.
        """
        if not SLOWEST <= self.speed < float("inf"):
            raise InvalidData(
                f"The speed of a rehearsal is {self.speed:g}: it must be a finite number greater than 0 (at least {SLOWEST:g})."
            )
        check_durations(self.durations)

    def seconds(self, run: TaskRun) -> float:
        """How long the run takes in this rehearsal."""
        for table, names in ((self.durations, (run.name, run.task)), (self.known, (run.task,)), (self.durations, ("*",))):
            for name in names:
                if name in table:
                    return float(table[name]) / self.speed
        return USUAL_SECONDS.get(run.type, OTHER_SECONDS) / self.speed

    def fails(self, run: TaskRun) -> bool:
        """Whether the run is to end in error."""
        return run.name in self.fail

    def to_data(self) -> dict[str, Any]:
        """The stored form."""
        return {"speed": self.speed, "durations": dict(self.durations), "known": dict(self.known), "fail": sorted(self.fail)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Rehearsal:
        """Read the stored form."""
        return cls(data["speed"], data["durations"], data.get("known", {}), frozenset(data["fail"]))
