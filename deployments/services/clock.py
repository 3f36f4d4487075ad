"""The clock that services are given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; services never ask the machine themselves."""

    def now(self) -> datetime:
        """The present moment, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def is_due(at: float, now: float, every: float) -> bool:
    """Whether it is time for what is done `every` so many seconds, and next `at`; also where the clock was set back meanwhile."""
    return not at - every <= now < at


def moment(seconds: float) -> datetime:
    """Seconds since the epoch, as the broker tells time, as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
