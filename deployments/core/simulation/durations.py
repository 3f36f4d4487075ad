"""How long each run takes, as people write it: seconds by `task/uid`, `task` or `*`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployments.core.errors import InvalidData
from deployments.core.plan import ENGINE_TYPES, Plan

Durations = Mapping[str, float]
"""Seconds by `task/uid`, `task` or `*`."""


MOST_SECONDS = 1_000_000_000
"""The longest that anything may take: some thirty years. What is longer can't be added up or waited for."""


def check_durations(durations: Mapping[str, Any]) -> Durations:
    """The same, once each of them is known to be a number of seconds.

    Raises:
        InvalidData: a duration is no number, not finite, negative or too long.
    """
    for name, seconds in durations.items():
        check_seconds(seconds, f"The duration of {name}", where=name)
    return durations


def check_seconds(seconds: Any, what: str, where: str) -> float:
    """The same, once it is known to be a number of seconds.

    Raises:
        InvalidData: it isn't; the sentence begins with `what`.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MOST_SECONDS:
        raise InvalidData(f"{what} is {seconds!r}: write seconds, from 0 to {MOST_SECONDS:,}.", where=where)
    return seconds


def run_durations(plan: Plan, durations: Durations) -> list[float]:
    """Seconds by run; the most exact name counts. Runs of engine types and those without any name take no time.

    Raises:
        InvalidData: see `check_durations`.
    """
    check_durations(durations)
    usual = durations.get("*", 0)
    return [0 if run.type in ENGINE_TYPES else durations.get(run.name, durations.get(run.task, usual)) for run in plan.runs]
