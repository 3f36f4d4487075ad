"""Seeds of the fault simulation."""

from __future__ import annotations

import os

from tests.integration.faults.command import faults, once

SEEDS = os.environ.get("FAULT_SEEDS", "200")


@once
def test_every_seed_keeps_its_promises() -> None:
    played = faults("--seeds", SEEDS)

    assert played.stdout.splitlines()[-1:] == [f"{int(SEEDS):,} passed, 0 failed"], played.stdout[-8000:] + played.stderr[-4000:]
    assert played.returncode == 0


@once
def test_a_seed_tells_the_same_story_wherever_it_is_played() -> None:
    alone, together = (faults("--seeds", "6", "--from", "30", "--processes", processes).stdout for processes in "13")

    assert "6 passed" in alone
    assert _figures(alone) == _figures(together)


def _figures(told: str) -> list[str]:
    return [line for line in told.splitlines() if "seeds/s" not in line]
