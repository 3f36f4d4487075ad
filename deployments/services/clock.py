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


def moment(seconds: float) -> datetime:
    """Seconds since the epoch, as the broker tells time, as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
