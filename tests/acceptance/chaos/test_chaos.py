"""Every fault once, and once more with a stop during it."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator

import pytest

from tests.acceptance.chaos.faults import FAULTS
from tests.acceptance.chaos.play import play
from tests.acceptance.chaos.postgres import NoPostgres
from tests.acceptance.chaos.system import System

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("CHAOS_SEED", "1"))


class Systems:
    """The system the rounds are played on; a new one after a round that went wrong."""

    def __init__(self) -> None:
        self._now: System | None = None

    def get(self) -> System:
        if self._now is None:
            self._now = System().__enter__()
        return self._now

    def drop(self) -> None:
        if self._now is not None:
            self._now.__exit__(None, None, None)
            self._now = None


@pytest.fixture(scope="module")
def systems() -> Iterator[Systems]:
    # A TERM ends the tests as Ctrl-C does, so that nothing is left behind.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    systems = Systems()
    try:
        yield systems
    finally:
        systems.drop()
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("stop", [False, True], ids=["", "and-stopped"])
@pytest.mark.parametrize("name", FAULTS)
def test_the_run_survives_and_tells_the_truth(systems: Systems, name: str, stop: bool) -> None:
    try:
        system = systems.get()
    except NoPostgres as reason:
        pytest.skip(str(reason))
    played = play(system, name, stop=stop, chance=random.Random(f"{SEED} {name} {stop}"))
    print(f"{played.seconds:.1f} s, recovered after {played.recovery} s, ended {played.ended}")
    if played.wrong:
        print(system.logs())
        systems.drop()
        pytest.fail("\n".join(played.wrong))
