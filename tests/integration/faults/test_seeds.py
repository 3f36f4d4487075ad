"""Seeds of the fault simulation, played by the very command that people use."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT

SEEDS = os.environ.get("FAULT_SEEDS", "200")


def test_every_seed_keeps_its_promises() -> None:
    played = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--seeds", SEEDS],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip

    assert played.stdout.splitlines()[-1:] == [f"{int(SEEDS):,} passed, 0 failed"], played.stdout[-8000:] + played.stderr[-4000:]
    assert played.returncode == 0
