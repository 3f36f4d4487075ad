"""The clock by which an agent judges whether its own leases still stand."""

from __future__ import annotations

import time


def steady() -> float:
    """Seconds that go on while the machine is suspended, and that nobody sets.

    The monotonic clock stands still meanwhile: after an hour of sleep an attempt just claimed would seem to be in good time.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)
