"""The thread that keeps the leases outlives whatever happens to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from deployments.agent.leases import Leases
from deployments.agent.steady import steady
from deployments.wire.memory_broker import MemoryBroker
from deployments.wire.messages import AttemptKey

TX, EPOCH = 1, 1
ONE, TWO = AttemptKey(TX, 1, 1, "1", 1), AttemptKey(TX, 2, 1, "2", 1)


def until(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Counting(MemoryBroker):
    """Counts the renewals; the first answers are what a test says."""

    def __init__(self, *first: Any) -> None:
        super().__init__(time.time)
        self.first, self.calls = list(first), 0

    def renew(self, leases: Any) -> list[bool]:
        self.calls += 1
        if self.first:
            answer = self.first.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer  # type: ignore[no-any-return]
        return super().renew(leases)


@pytest.mark.parametrize("trouble", [ValueError("?"), RuntimeError("?"), [True, True, True]])
def test_an_error_of_any_kind_ends_no_renewing(trouble: object) -> None:
    broker = Counting(trouble)
    leases = Leases(broker)
    leases.hold(ONE, 0.3, lambda: None, steady())
    until(lambda: broker.calls > 1 and broker.leased([ONE]) == [True])


def test_an_attempt_that_can_t_be_ended_takes_no_lease_away_from_others_and_is_asked_again() -> None:
    broker, asked, ended = Counting(), [], threading.Event()
    broker.vouch(TX, EPOCH)
    assert broker.permit(EPOCH, [AttemptKey(TX, 3, 1, "1", 2)]) == [True]

    def halt() -> None:
        asked.append(steady())
        if len(asked) < 3:
            raise OSError("no such process")
        ended.set()

    leases = Leases(broker)
    leases.hold(ONE, 0.3, halt, steady())
    leases.hold(TWO, 0.3, lambda: None, steady())
    assert ended.wait(60)
    until(lambda: broker.leased([TWO]) == [True])
    calls = broker.calls
    until(lambda: broker.calls > calls + 2)
    assert len(asked) == 3, "an attempt that was ended is asked no more"
