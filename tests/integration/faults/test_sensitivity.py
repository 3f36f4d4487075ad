"""What the simulation is worth: taken out of the product, its guards are missed."""

from __future__ import annotations

from tests.integration.faults.command import faults, once


@once
def test_breakages_are_noticed() -> None:
    """Those that a few hundred seeds notice, most of them the first dozen; `script/faults --break all` tries them all."""
    played = faults("--break", "quick", "--seeds", "600")

    assert played.stdout.splitlines()[-1:] == ["0 not noticed"], played.stdout[-8000:] + played.stderr[-4000:]
    assert played.returncode == 0
