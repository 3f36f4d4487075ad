"""Time limits by the system's timer, for whoever evaluates expressions in the main thread of a process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

from deployments.core.time_limit import Limit, TimeUp

EXPRESSION_SECONDS = 5.0
"""Of CPU. The most expensive expression of Fuel's own graph takes 0.4 with a thousand nodes."""


def timer_limit(seconds: float = EXPRESSION_SECONDS) -> Limit:
    """Make limits of so many seconds of this process's CPU time: expressions never wait, so a busy machine makes none of them fail.

    Uses SIGPROF and the process's profiling timer, so it works in the main thread only, and limits don't nest.

    Raises:
        ValueError: this is not the main thread.
    """

    def time_is_up(number: int, frame: FrameType | None) -> None:
        raise TimeUp(seconds)

    signal.signal(signal.SIGPROF, time_is_up)

    @contextmanager
    def limit() -> Iterator[None]:
        # Again and again, should an exception get lost where Python ignores them (in a finalizer).
        signal.setitimer(signal.ITIMER_PROF, seconds, min(seconds, 0.5))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    def make() -> AbstractContextManager[None]:
        return limit()

    return make
